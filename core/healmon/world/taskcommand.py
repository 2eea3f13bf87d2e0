"""Tasks of a queue that is no SQLite table: a command tells them, another one settles them.

`docs/tasks.md` describes the lines both ways. A command gets a deadline and a limit of output; what
it says that is not understood makes everything it says unknown.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import tzinfo
from typing import Any, Final, cast

from healmon.clock import process_seconds
from healmon.config.settings import Tasks
from healmon.errors import ProbeError, RemedyError
from healmon.text import clean
from healmon.world import taskledger, taskrules
from healmon.world.tasktime import format_task_time, parse_task_time, stamp_of
from healmon.world.taskwire import refusal, wanted
from healmon.world.taskwords import Outcome, Settled, Settlement, Task

OUTPUT: Final = 8 << 20
"""Bytes that a command may print."""
NEEDED: Final = ("id", "session")
KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "id": (int, str),
    "session": (str,),
    "status": (str,),
    "assigned_at": (int, float, str),
    "attempt": (int,),
    "attempts": (int,),
    "timeout": (int, float),
    "stuck_after": (int, float),
    "beat_at": (int, float, str),
    "token": (str,),
}
"""The fields of a task's line."""
OUTCOMES: Final[Mapping[str, Outcome]] = {
    "requeued": "requeued", "owed": "owed", "failed": "failed", "left": "left",
}  # fmt: skip
POLL: Final = 0.05
"""Seconds between two looks whether a command has ended that left its output to others."""
REAP: Final = 1.0
"""Seconds that a killed command may take to be gone before it is left behind."""
Line = dict[str, Any]


class _FaultError(Exception):
    """A command failed or said what is not understood."""


def read(tasks: Tasks, zone: tzinfo | None) -> tuple[Task, ...]:
    """Return the active tasks that the command tells.

    Raises:
        ProbeError: it failed, was late, or a line is not understood; nothing is known.
    """
    try:
        lines = _lines(_said(tasks, tasks.command, b""))
        taskrules.countable(lines)
        found = [_task(tasks, number, line, zone) for number, line in lines]
        _told_apart(found)
    except (_FaultError, taskrules.Unfit) as error:
        raise refusal(ProbeError, tasks, error) from None
    return tuple(found)


def settle(
    tasks: Tasks, seen: Sequence[Task], settlement: Settlement, zone: tzinfo | None
) -> tuple[Settled, ...]:
    """Let the settling command requeue or fail those of `seen` that still are as seen.

    Raises:
        RemedyError: there is none, it failed, or it did not answer for each of them.
    """
    if not tasks.settle_command:
        raise refusal(RemedyError, tasks, "there is no settle_command: nothing was changed")
    if not seen:
        return ()
    asked = "".join(json.dumps(_order(tasks, t, settlement, zone)) + "\n" for t in seen)
    try:
        lines = _lines(_said(tasks, tasks.settle_command, asked.encode()))
        answers = [_settled(number, line) for number, line in lines]
        _whole(answers, seen)
    except _FaultError as error:
        # it may have changed some before it failed
        text = f"{error}; whether tasks were changed is not known"
        raise refusal(RemedyError, tasks, text) from None
    return tuple(answers)


def _told_apart(found: Sequence[Task]) -> None:
    if len({(type(task.id), task.id) for task in found}) < len(found):
        raise _FaultError("several lines have the same id")


def _whole(answers: Sequence[Settled], seen: Sequence[Task]) -> None:
    if [one.id for one in answers] != [task.id for task in seen]:
        raise _FaultError("it did not answer with one line for each task, in their order")


def _order(tasks: Tasks, task: Task, settlement: Settlement, zone: tzinfo | None) -> Line:
    """Return the line that asks for one task; the rules are those of a table's row."""
    want = wanted(tasks, task, settlement.at, zone)
    row: Line = {
        "id": task.id, "session": task.session, "status": task.status, "hidden": False,
        "assigned_at": task.written, "heartbeat": task.beat, "error": "",
    }  # fmt: skip
    if task.attempt is not None:
        row |= {"retries": task.attempt, "max_retries": task.attempts}
    order = {
        "requeue": settlement.requeue, "error": "", "elsewhere": settlement.elsewhere,
        "max_requeues": tasks.max_requeues or None, "needs_human": "", "pending": "", "failed": "",
        "now": format_task_time(settlement.at, "zulu", None),
    }  # fmt: skip
    decision = taskrules.decide(row, {**want, "token": "", "attempt": None}, order)
    return {
        "id": task.id,
        "token": task.token,
        "session": task.session,
        "status": task.status,
        "action": "fail" if decision.outcome == "failed" else "requeue",
        "not_before": decision.due or None,
        "elsewhere": settlement.elsewhere,
        "needs_person": decision.note.startswith("needs a person"),
        "error": f"{settlement.error} [healmon: {decision.note}]",
        "at": order["now"],
        "details": settlement.details,
    }


def _task(tasks: Tasks, number: int, line: Line, zone: tzinfo | None) -> Task:
    for name, value in line.items():
        fit = KINDS.get(name)
        if fit and value is not None and (not isinstance(value, fit) or isinstance(value, bool)):
            raise _FaultError(f"line {number}: {name} is {clean(repr(value), limit=60)}")
    missing = [name for name in NEEDED if line.get(name) in (None, "")]
    if missing:
        raise _FaultError(f"line {number}: {' and '.join(missing)} missing")
    written = line.get("assigned_at")
    attempt, attempts = line.get("attempt"), line.get("attempts")
    token = line.get("token") or taskledger.token_of({**line, "retries": attempt})
    return Task(
        source=tasks.name,
        id=line["id"],
        session=line["session"],
        status=line.get("status") or "active",
        assigned_at=parse_task_time(written, zone),
        timeout=_seconds(line.get("timeout")),
        stamp=stamp_of(written),
        written=written,
        attempt=attempt,
        attempts=attempts,
        token=token,
        stuck_after=_seconds(line.get("stuck_after")),
        beat_at=parse_task_time(line.get("beat_at"), zone),
        beat=line.get("beat_at"),
    )


def _seconds(value: float | None) -> float | None:
    return float(value) if value is not None and taskrules.number(value) else None


def _settled(number: int, line: Line) -> Settled:
    outcome, status = OUTCOMES.get(str(line.get("outcome"))), line.get("status") or ""
    if outcome is None or not isinstance(line.get("id"), int | str):
        raise _FaultError(f"line {number} of its answer is {clean(json.dumps(line), limit=80)}")
    note = clean(str(line.get("note") or ""), limit=300)
    due = parse_task_time(line.get("not_before"), None)
    return Settled(line["id"], outcome, clean(str(status), limit=100), note, due)


def _lines(said: bytes) -> list[tuple[int, Line]]:
    """Return the objects and the numbers of their lines, from 1."""
    found: list[tuple[int, Line]] = []
    for number, text in enumerate(said.split(b"\n"), 1):
        if not text.strip():
            continue
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            line = None
        if not isinstance(line, dict):
            raise _FaultError(f"line {number} is no JSON object: {clean(text[:80], limit=60)}")
        found.append((number, cast("Line", line)))
    return found


def _said(tasks: Tasks, argv: Sequence[str], asked: bytes) -> bytes:
    """Return what a command printed, once it has ended well."""
    program = clean(argv[0], limit=200)
    # not a temporary file: disks run full, and then healmon is needed most
    into = os.memfd_create("healmon", os.MFD_CLOEXEC)
    try:
        with os.fdopen(into, "wb", closefd=False) as file:
            file.write(asked)
        os.lseek(into, 0, os.SEEK_SET)
        process = subprocess.Popen(
            list(argv), stdin=into, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/",
            start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise _FaultError(f"{program} cannot be run: {error.strerror}") from None
    finally:
        os.close(into)
    try:
        out, err = _heard(process, tasks.command_timeout)
    except _FaultError as error:
        raise _FaultError(f"{program} {error}") from None
    finally:
        if process.poll() is None:
            _end(process)
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()
    code = process.returncode
    if code:
        last = clean(err.strip().rpartition(b"\n")[2], limit=150)
        raise _FaultError(f"{program} ended with {code}{': ' * bool(last)}{last}")
    return out


def _heard(process: subprocess.Popen[bytes], timeout: float) -> tuple[bytes, bytes]:
    """Return what a command writes until it ends; who it left behind may hold its output open."""
    until = process_seconds() + timeout
    heard: dict[int, bytearray] = {}
    with selectors.DefaultSelector() as selector:
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, selectors.EVENT_READ)
            heard[pipe.fileno()] = bytearray()
        while selector.get_map():
            left = until - process_seconds()
            if left <= 0:
                raise _FaultError(f"did not end within {timeout:g} s")
            ended = process.poll() is not None
            ready = selector.select(0 if ended else min(left, POLL))
            for key, _ in ready:
                data = os.read(key.fd, 1 << 16)
                heard[key.fd] += data
                if not data:
                    selector.unregister(key.fileobj)
                if len(heard[key.fd]) > OUTPUT:
                    raise _FaultError(f"printed more than {OUTPUT} bytes")
            if ended and not ready:
                break
        while process.poll() is None:
            left = until - process_seconds()
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, min(left, timeout)))
            if process.poll() is None and left <= 0:
                raise _FaultError(f"did not end within {timeout:g} s")
    out, err = heard.values()
    return bytes(out), bytes(err)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command with everything it started in its group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(REAP)
