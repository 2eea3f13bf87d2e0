"""Looks at real tmux servers and processes; the tasks are made up."""

from __future__ import annotations

import asyncio
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from healmon.clock import SystemClock
from healmon.config.settings import Sessions, Tasks
from healmon.sessions.probe import Probe, Seen, SessionSeen
from healmon.world.simulated.taskdb import SimulatedTaskDatabases
from healmon.world.system_processes import SystemProcesses
from tests.helpers.tmuxes import PatientTmux

LIMIT = 60.0
"""Seconds after which a look that hangs fails the test."""


class Looker:
    """Looks at sockets, counting the tmux processes that it takes.

    Args:
        folder: where it keeps its count.
        sockets: what it looks at.
        deadline: seconds for one call of a server that was stopped.

    Attributes:
        taskdb: where tasks are added.
    """

    def __init__(self, folder: Path, *sockets: str, deadline: float = 3.0) -> None:
        self.taskdb = SimulatedTaskDatabases()
        self._calls = folder / "tmux-calls"
        self._probe = Probe(
            Sessions(sockets=sockets),
            [Tasks(name="db", path="/made/up")],
            PatientTmux(program=self._counted(folder), deadline=deadline),
            self.taskdb,
            SystemProcesses(),
            SystemClock(),
        )

    def _counted(self, folder: Path) -> str:
        program = folder / "counted-tmux"
        program.write_text(f'#!/bin/sh\necho >> {self._calls}\nexec {shutil.which("tmux")} "$@"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return str(program)

    def task(self, *sessions: str, at: float | None = None) -> None:
        """Give each session a task."""
        for session in sessions:
            self.taskdb.add("db", status="assigned", assigned_session=session, assigned_at=at)

    def look(self, *, fresh: bool = False) -> Seen:
        return self.looks(1, fresh=fresh)[0]

    def looks(self, count: int, *, fresh: bool = False) -> list[Seen]:
        """Look several times at the same time."""

        async def all_of_them() -> list[Seen]:
            try:
                looks = (self._probe.look(fresh=fresh) for _ in range(count))
                return await asyncio.wait_for(asyncio.gather(*looks), LIMIT)
            finally:
                self._probe.close()

        self._calls.write_text("")
        return asyncio.run(all_of_them())

    def one(self, label: str) -> SessionSeen:
        """Look and return one session."""
        return named(self.look(), label)

    @property
    def calls(self) -> int:
        """How many tmux processes the last look took."""
        return len(self._calls.read_text().splitlines())


def named(seen: Seen, label: str) -> SessionSeen:
    return next(one for one in seen.sessions if one.label == label)


def labels(some: Sequence[SessionSeen]) -> list[str]:
    return [one.label for one in some]
