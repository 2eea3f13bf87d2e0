"""What `taskchild` is told and what it tells, and the words of `taskwords`: one into the other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any, Final, TypeVar

from healmon.config.settings import Tasks
from healmon.errors import ProbeError, RemedyError
from healmon.text import clean
from healmon.world import taskledger
from healmon.world.tasktime import format_task_time, parse_task_time, stamp_of
from healmon.world.taskwords import Late, Owed, Settled, Settlement, Task, TaskId

E = TypeVar("E", ProbeError, RemedyError)
_OWED: Final = re.compile(
    rf"{taskledger.OWED} (?P<due>\S+) as retry (?P<nth>\d+) of \d+(?:, not to (?P<elsewhere>.*))?",
    re.DOTALL,
)
# a note is read by what closes it
_SHOWN: Final = str.maketrans("[];", "():")


def id_of(value: object) -> TaskId:
    """Return the id of a task as the table has it."""
    return value if isinstance(value, int) else str(value)


def task_of(tasks: Tasks, row: Mapping[str, Any], zone: tzinfo | None) -> Task:
    """Return the task that an active row tells (see `taskrules.told`)."""
    retries, most = row["retries"], row["max_retries"]
    return Task(
        source=tasks.name,
        id=id_of(row["id"]),
        session=str(row["session"]),
        status=str(row["status"]),
        assigned_at=parse_task_time(row["assigned_at"], zone),
        timeout=None if row["timeout"] is None else float(row["timeout"]),
        stamp=stamp_of(row["assigned_at"]),
        written=row["assigned_at"],
        attempt=retries if isinstance(retries, int) else None,
        attempts=most if isinstance(most, int) else None,
        token=row["token"],
        stuck_after=None if row["stuck_after"] is None else float(row["stuck_after"]),
        beat_at=parse_task_time(row["heartbeat"], zone),
        beat=row["heartbeat"],
    )


def owed_of(tasks: Tasks, row: Mapping[str, Any]) -> Owed | None:
    """Return what is owed by a row (see `taskrules.owed`); None: its text is not understood."""
    found = _OWED.fullmatch(row["note"])
    due = None if found is None else parse_task_time(found["due"], None)
    if found is None or due is None:
        return None
    return Owed(
        source=tasks.name,
        id=id_of(row["id"]),
        due=due,
        attempt=int(found["nth"]),
        elsewhere=clean(found["elsewhere"] or "", limit=100),
        session="" if row["session"] is None else str(row["session"]),
        error=row["error"],
        note=clean(row["note"], limit=300),
    )


def late_of(tasks: Tasks, row: Mapping[str, Any], zone: tzinfo | None) -> Late:
    """Return what is told of a late result (see `taskrules.late`)."""
    status = clean(str(row["status"]), limit=100)
    session = row["session"] if row["taken"] is None else row["taken"]
    session = clean("" if session is None else str(session), limit=160)
    who = f"session {session} had it" if session else "nobody has it"
    text = f"became {status} after it was taken away ({who}): a result of the attempt before"
    at = parse_task_time(row["at"], zone)
    return Late(tasks.name, id_of(row["id"]), session, status, at, row["token"], text)


def settled_of(row: Sequence[Any]) -> Settled:
    """Return what a row tells: id, outcome, the status found, note, due time."""
    number, outcome, status, note, due = row
    told = clean(note, limit=300)
    return Settled(number, outcome, clean(status, limit=100), told, parse_task_time(due, None))


def settle_words(tasks: Tasks, settlement: Settlement) -> dict[str, Any]:
    """Return what `taskrules.decide` must know of a settlement."""
    return {
        **at_words(settlement.at),
        "requeue": settlement.requeue,
        "error": settlement.error,
        "details": settlement.details,
        "elsewhere": settlement.elsewhere,
        "max_requeues": tasks.max_requeues or None,
    }


def at_words(at: float) -> dict[str, Any]:
    """Return a moment as history entries and as error texts tell it."""
    return {
        "at": format_task_time(at, "sqlite", None),
        "now": format_task_time(at, "zulu", None),
        "details": {},
    }


def wanted(tasks: Tasks, task: Task, at: float, zone: tzinfo | None) -> dict[str, Any]:
    """Return how a row must still be; and times, written as the row writes its own."""
    delays = tasks.requeue_backoff or ()
    return {
        "id": task.id,
        "session": task.session,
        "status": task.status,
        "assigned_at": task.written,
        "token": task.token,
        "attempt": task.attempt,
        "heartbeat": task.beat,
        "completed_at": format_task_time(at, task.stamp, zone),
        "shown": shown(task.session),
        "steps": [
            {
                "delay": delay,
                "due": format_task_time(at + delay, "zulu", None),
                "not_before": format_task_time(at + delay, task.stamp, zone),
            }
            for delay in delays
        ],
    }


def shown(session: str) -> str:
    """Return a session's name as it can stand in a note."""
    return clean(session, limit=80).translate(_SHOWN)


def owed_words(owed: Owed) -> dict[str, Any]:
    """Return how a row that is owed must still be."""
    return {"id": owed.id, "error": owed.error, "elsewhere": bool(owed.elsewhere)}


def refusal(kind: type[E], tasks: Tasks, reason: Exception | str) -> E:
    """Return the error that says why a source could not be read or written."""
    text = clean(str(reason), limit=300)
    if tasks.command:
        return kind(
            f"tasks of {tasks.name}: {text}",
            remedy=f"check tasks.{tasks.name} in the configuration, and the command itself",
        )
    return kind(
        f"task database {tasks.name}: {clean(tasks.path, limit=500)}: {text}",
        remedy=f"check tasks.{tasks.name} in the configuration, and the file itself",
    )
