"""The door to task databases: who works on what, and what becomes of a task.

A database belongs to somebody else: it is read without ever being created or locked for longer than
a statement, and a row is changed only if it still is as it was seen.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeVar

import msgspec

from healmon.config.settings import Tasks
from healmon.errors import ProbeError, RemedyError
from healmon.text import clean
from healmon.world.runner import run
from healmon.world.tasktime import Stamp, format_task_time, parse_task_time, stamp_of

PROGRAM: Final = Path(__file__).with_name("taskchild.py")
READ_DEADLINE: Final = 3.0
WRITE_DEADLINE: Final = 6.0
"""Seconds; a writer may wait 2 s for somebody else's lock."""
TaskId = int | str
Outcome = Literal["requeued", "failed", "left"]
E = TypeVar("E", ProbeError, RemedyError)


class Task(msgspec.Struct, frozen=True):
    """An active task: one that a session is said to work on.

    Attributes:
        source: name of the task database (`[tasks.NAME]`).
        id: as the table has it.
        session: the session's name as the table has it, for comparing; may hold anything.
        status: as the table has it.
        assigned_at: wall seconds; None when the table does not say, or not understandably.
        timeout: seconds that somebody chose for this task; None: nobody did.
        stamp: how this row writes its times.
        written: the time of assignment as the table has it, for comparing.
        attempt: how often it was given out before; None: the table does not count.
        attempts: how often it may be given out again at most; None: the table does not say.
        token: the fencing token of this attempt: another attempt has another one.
        stuck_after: seconds of quiet that somebody chose for this task; None: nobody did.
        beat_at: wall seconds of its newest heartbeat (`healmon beat`); None: there was none.
    """

    source: str
    id: TaskId
    session: str
    status: str
    assigned_at: float | None = None
    timeout: float | None = None
    stamp: Stamp = "sqlite"
    written: str | float | None = None
    attempt: int | None = None
    attempts: int | None = None
    token: str = ""
    stuck_after: float | None = None
    beat_at: float | None = None


class Settlement(msgspec.Struct, frozen=True):
    """What is to become of tasks.

    Attributes:
        requeue: give them back (while their retries last); False: they failed.
        error: the reason, as it is written into the row.
        at: wall seconds.
        details: written into the history of assignments.
        elsewhere: the session must not get them again.
    """

    requeue: bool
    error: str
    at: float
    details: dict[str, Any] = {}
    elsewhere: bool = False


class Settled(msgspec.Struct, frozen=True):
    """What became of one task; `left` as it was, with `status`, when it was not as seen."""

    id: TaskId
    outcome: Outcome
    status: str


class TaskDatabases(Protocol):
    """Everything healmon does with task databases. Calls block, each with a deadline."""

    def read(self, tasks: Tasks) -> tuple[Task, ...]:
        """Return the active tasks that a session works on, in the order of their ids.

        Raises:
            ProbeError: the file is missing, empty, locked, not readable, laid out otherwise or has
                too many of them; nothing is known of its tasks.
        """
        ...

    def settle(
        self, tasks: Tasks, seen: Sequence[Task], settlement: Settlement
    ) -> tuple[Settled, ...]:
        """Requeue or fail those of `seen` that still are as seen, in one transaction.

        Raises:
            RemedyError: it could not be done; nothing was changed, or the text says otherwise.
        """
        ...


class SystemTaskDatabases:
    """Task databases in SQLite files.

    Args:
        local_zone: the zone of times that name none; None is the host's own.
    """

    def __init__(self, local_zone: tzinfo | None = None) -> None:
        self._zone = local_zone

    def read(self, tasks: Tasks) -> tuple[Task, ...]:
        """Return the active tasks that a session works on."""
        question = {**mapping(tasks), "verb": "read"}
        try:
            rows = _ask(question, READ_DEADLINE)
        except _RefusedError as error:
            raise refusal(ProbeError, tasks, error) from None
        return tuple(task_of(tasks, row, self._zone) for row in rows)

    def settle(
        self, tasks: Tasks, seen: Sequence[Task], settlement: Settlement
    ) -> tuple[Settled, ...]:
        """Requeue or fail those of `seen` that still are as seen, in one transaction."""
        question = {
            **mapping(tasks),
            **settle_words(tasks, settlement),
            "verb": "settle",
            "rows": [wanted(task, settlement.at, self._zone) for task in seen],
        }
        try:
            answer = _ask(question, WRITE_DEADLINE)
        except _RefusedError as error:
            raise refusal(RemedyError, tasks, error) from None
        return tuple(settled_of(row) for row in answer)


def task_of(tasks: Tasks, row: Sequence[Any], zone: tzinfo | None) -> Task:
    """Return the task that a row tells: id, session, status, assigned_at, timeout in minutes."""
    number, session, status, assigned_at, minutes = row
    chosen = isinstance(minutes, int | float) and 0 < minutes < 1e8
    return Task(
        source=tasks.name,
        id=number if isinstance(number, int) else str(number),
        session=str(session),
        status=str(status),
        assigned_at=parse_task_time(assigned_at, zone),
        timeout=minutes * 60.0 if chosen else None,
        stamp=stamp_of(assigned_at),
        written=assigned_at,
    )


def settled_of(row: Sequence[Any]) -> Settled:
    """Return what a row tells: id, outcome, the status found."""
    number, outcome, status = row
    return Settled(number, outcome, clean(status, limit=100))


def settle_words(tasks: Tasks, settlement: Settlement) -> dict[str, Any]:
    """Return what `taskchild.decide` must know of a settlement."""
    return {
        "requeue": settlement.requeue,
        "pending": tasks.pending,
        "failed": tasks.failed,
        "error": settlement.error,
        "at": format_task_time(settlement.at, "sqlite", None),
        "details": settlement.details,
    }


def wanted(task: Task, at: float, zone: tzinfo | None) -> dict[str, Any]:
    """Return how a row must still be, and when it ended, written as the row writes times."""
    return {
        "id": task.id,
        "session": task.session,
        "status": task.status,
        "assigned_at": task.written,
        "completed_at": format_task_time(at, task.stamp, zone),
    }


class _RefusedError(Exception):
    """The child said no, or nothing."""


def mapping(tasks: Tasks) -> dict[str, Any]:
    """Return what `taskchild` must know of a database: where it is, how its columns are called."""
    return {
        "path": tasks.path,
        "table": tasks.table,
        "id": tasks.id,
        "session": tasks.session,
        "status": tasks.status,
        "assigned_at": tasks.assigned_at,
        "active": list(tasks.active),
        "history": tasks.history,
    }


def _ask(question: Mapping[str, Any], deadline: float) -> list[list[Any]]:
    argv = [sys.executable, "-I", "-S", str(PROGRAM)]
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    # it may have ended between its commit and its answer
    unknown = "" if question["verb"] == "read" else "; whether rows were changed is not known"
    try:
        done = run(argv, timeout=deadline, stdin=json.dumps(question).encode(), env=env)
    except TimeoutError as error:
        raise _RefusedError(f"{error}{unknown}") from None
    except OSError as error:
        raise _RefusedError(f"cannot be asked: {error.strerror}") from None
    try:
        answer = json.loads(done.out)
    except ValueError:
        said = done.err.decode("utf-8", "replace").strip().rpartition("\n")[2]
        said = clean(said or "it gave no whole answer", limit=150)
        raise _RefusedError(f"the asking program ended ({done.code}): {said}{unknown}") from None
    if "error" in answer:
        raise _RefusedError(answer["error"])
    rows: list[list[Any]] = answer["answer"]
    return rows


def refusal(kind: type[E], tasks: Tasks, reason: Exception) -> E:
    """Return the error that says why a database could not be read or written."""
    path, text = clean(tasks.path, limit=500), clean(str(reason), limit=300)
    return kind(
        f"task database {tasks.name}: {path}: {text}",
        remedy=f"check tasks.{tasks.name} in the configuration, and the file itself",
    )
