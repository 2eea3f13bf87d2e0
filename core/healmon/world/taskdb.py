"""The door to sources of tasks: who works on what, and what becomes of a task.

A database belongs to somebody else: it is read without ever being created or locked for longer than
a statement, and a row is changed only if it still is as it was seen.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Any, Final, Protocol

from healmon.config.settings import Tasks
from healmon.errors import ProbeError, RemedyError
from healmon.text import clean
from healmon.world import taskcommand
from healmon.world import taskwire as wire
from healmon.world.beats import Beat, with_beats
from healmon.world.runner import run
from healmon.world.tasklayouts import question
from healmon.world.taskwords import (
    Late,
    Outcome,
    Owed,
    Settled,
    Settlement,
    Task,
    TaskId,
    View,
)

__all__ = [
    "Late", "Outcome", "Owed", "Settled", "Settlement", "SystemTaskDatabases", "Task",
    "TaskDatabases", "TaskId", "View",
]  # fmt: skip

PROGRAM: Final = Path(__file__).parent / "programs" / "tasks.py"
READ_DEADLINE: Final = 3.0
WRITE_DEADLINE: Final = 6.0
"""Seconds; a writer may wait 2 s for somebody else's lock."""


class TaskDatabases(Protocol):
    """Everything healmon does with sources of tasks. Calls block, each with a deadline."""

    def look(self, tasks: Tasks) -> View:
        """Return what `read`, `owed` and `late` do, as it was at one moment.

        Raises:
            ProbeError: as `read`.
        """
        ...

    def read(self, tasks: Tasks) -> tuple[Task, ...]:
        """Return the active tasks that a session works on, in the order of their ids.

        Raises:
            ProbeError: the file is missing, empty, locked, not readable, laid out otherwise or has
                too many of them; nothing is known of its tasks.
        """
        ...

    def owed(self, tasks: Tasks) -> tuple[Owed, ...]:
        """Return the tasks that healmon failed and is to give back, in the order of their ids.

        Raises:
            ProbeError: as `read`.
        """
        ...

    def late(self, tasks: Tasks) -> tuple[Late, ...]:
        """Return the results that old attempts delivered after their tasks were taken away.

        Raises:
            ProbeError: as `read`.
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

    def give_back(self, tasks: Tasks, owed: Sequence[Owed], at: float) -> tuple[Settled, ...]:
        """Give tasks back that still are owed, due or not, each in a transaction of its own.

        Args:
            tasks: the source.
            owed: which.
            at: wall seconds.

        Raises:
            RemedyError: not one could be changed, or it is not known whether one was.
        """
        ...


class SystemTaskDatabases:
    """Sources of tasks: SQLite files and commands.

    Args:
        local_zone: the zone of times that name none; None is the host's own.
        beats: the heartbeats that `healmon beat` left (see `world.beats`).
    """

    def __init__(
        self,
        local_zone: tzinfo | None = None,
        beats: Callable[[], Sequence[Beat]] = tuple,
    ) -> None:
        self._zone = local_zone
        self._beats = beats

    def look(self, tasks: Tasks) -> View:
        """Return what `read`, `owed` and `late` do, as it was at one moment."""
        return self._look(tasks, "active", "owed", "late")

    def read(self, tasks: Tasks) -> tuple[Task, ...]:
        """Return the active tasks that a session works on."""
        return self._look(tasks, "active").active

    def owed(self, tasks: Tasks) -> tuple[Owed, ...]:
        """Return the tasks that healmon failed and is to give back; a command keeps its own."""
        return self._look(tasks, "owed").owed

    def late(self, tasks: Tasks) -> tuple[Late, ...]:
        """Return the results of old attempts; a command refuses them itself, by their token."""
        return self._look(tasks, "late").late

    def settle(
        self, tasks: Tasks, seen: Sequence[Task], settlement: Settlement
    ) -> tuple[Settled, ...]:
        """Requeue or fail those of `seen` that still are as seen, in one transaction."""
        if tasks.command:
            return taskcommand.settle(tasks, seen, settlement, self._zone)
        words = wire.settle_words(tasks, settlement)
        rows = [wire.wanted(tasks, task, settlement.at, self._zone) for task in seen]
        return self._change(tasks, "settle", words | {"rows": rows})

    def give_back(self, tasks: Tasks, owed: Sequence[Owed], at: float) -> tuple[Settled, ...]:
        """Give tasks back that still are owed, each in a transaction of its own."""
        if tasks.command:
            raise wire.refusal(RemedyError, tasks, "a command gives its tasks back itself")
        rows = [wire.owed_words(one) for one in owed]
        return self._change(tasks, "give_back", {**wire.at_words(at), "rows": rows})

    def _look(self, tasks: Tasks, *want: str) -> View:
        if tasks.command:
            found = taskcommand.read(tasks, self._zone) if "active" in want else ()
            return View(with_beats(found, self._beats()))
        try:
            told = _ask({**question(tasks), "verb": "look", "want": want}, READ_DEADLINE)
        except _RefusedError as error:
            raise wire.refusal(ProbeError, tasks, error) from None
        active = tuple(wire.task_of(tasks, row, self._zone) for row in told.get("active", ()))
        owed = [wire.owed_of(tasks, row) for row in told.get("owed", ())]
        return View(
            with_beats(active, self._beats() if active else ()),
            tuple(one for one in owed if one is not None),
            tuple(wire.late_of(tasks, row, self._zone) for row in told.get("late", ())),
        )

    def _change(self, tasks: Tasks, verb: str, words: Mapping[str, Any]) -> tuple[Settled, ...]:
        try:
            told = _ask({**question(tasks), **words, "verb": verb}, WRITE_DEADLINE)
        except _RefusedError as error:
            raise wire.refusal(RemedyError, tasks, error) from None
        return tuple(wire.settled_of(row) for row in told)


class _RefusedError(Exception):
    """The child said no, or nothing."""


def _ask(asked: Mapping[str, Any], deadline: float) -> Any:  # noqa: ANN401 - as the verb answers
    argv = [sys.executable, "-I", "-S", str(PROGRAM)]
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    told = json.dumps({**asked, "deadline": math.ceil(deadline) + 1}).encode()
    # it may have ended between its commit and its answer
    unknown = "" if asked["verb"] == "look" else "; whether rows were changed is not known"
    try:
        done = run(argv, timeout=deadline, stdin=told, env=env)
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
    return answer["answer"]
