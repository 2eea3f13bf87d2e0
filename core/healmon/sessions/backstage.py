"""What runs behind panes: terminals, processes, what agents write down, what their sockets hear."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol

import msgspec

from healmon.clock import Clock, Reading, Steps, age
from healmon.errors import ProbeError
from healmon.sessions.family import Family, Signals, Table, family, members
from healmon.sessions.packs import Packs
from healmon.sessions.places import process_of
from healmon.sessions.signs import Sign
from healmon.world.pane import Pane
from healmon.world.processes import AgentFile, Identity, Processes
from healmon.world.taskdb import Task
from healmon.world.terminal import Terminal
from healmon.world.tmux import Tmux

PAINTING: Final = 3
"""Seconds since the last output for which a program counts as painting."""
SUSPECT_AFTER: Final = 60.0
"""Seconds of being busy after which an agent's sockets are asked when they last heard anything."""
PATIENCE: Final = 1.0
"""Seconds that looking at agents' files may take: they may lie on a mount that is dead."""
BUSY: Final = frozenset({"busy", "retrying", "rate_limited"})


class Hand(Protocol):
    """Makes a blocking call on the thread for something, and returns what it returns."""

    def __call__(self, what: str, call: Callable[[], Any], /) -> Awaitable[Any]:
        """Return what `call()` returns."""
        ...


class Behind(msgspec.Struct, frozen=True):
    """What is behind a pane.

    Attributes:
        agents: who of its processes is the agent itself.
    """

    terminal: Terminal | None = None
    family: Family | None = None
    agents: tuple[Identity, ...] = ()


class Backstage:
    """Looks behind those panes that it is told to: one table of processes for all of them.

    Args:
        on: makes blocking calls.
        tmux: the door to terminals.
        processes: the door to processes.
        packs: know programs by their command lines.
        clock: knows when it was set.
    """

    def __init__(
        self, on: Hand, tmux: Tmux, processes: Processes, packs: Packs, clock: Clock
    ) -> None:
        self._on = on
        self._tmux = tmux
        self._processes = processes
        self._packs = packs
        self._clock = clock
        self._busy: dict[str, float] = {}

    async def behind(
        self, panes: Sequence[tuple[Pane, Sequence[Task]]], now: Reading
    ) -> dict[str, Behind]:
        """Return what is behind each pane, by its key. Without panes nothing is looked at."""
        if not panes:
            self._busy = {}
            return {}
        alive = [pane for pane, _ in panes if not pane.dead]
        if not alive:
            self._busy = {}
        table, terminals = await asyncio.gather(self._table(), self._terminals(alive))
        everybody = {f.identity for pane in alive for f in members(table, pane.pid)}
        work = await self._on("processes", partial(self._processes.work, everybody))
        found: dict[str, Behind] = {}
        for pane, tasks in panes:
            if pane.dead:
                continue
            signals = Signals(
                painting=now.wall - pane.window_activity <= PAINTING,
                work=work,
                tasked=_tasked(tasks, now, self._clock.steps),
            )
            terminal = terminals[pane.key]
            kin = family(table, pane.pid, terminal, signals, self._packs)
            found[pane.key] = Behind(terminal, kin, self._agents(table, pane, kin))
        return found

    async def _table(self) -> Table:
        found: Table = await self._on("processes", lambda: Table(self._processes.everyone()))
        return found

    async def _terminals(self, panes: Sequence[Pane]) -> dict[str, Terminal | None]:
        """Return what each pane's terminal tells, by the pane's key; one call for each socket."""
        found: dict[str, Terminal | None] = {}
        for socket in dict.fromkeys(pane.socket for pane in panes):
            some = [pane for pane in panes if pane.socket == socket]
            found |= await self._on(f"tmux {socket}", partial(self._all, some))
        return found

    def _all(self, panes: Sequence[Pane]) -> dict[str, Terminal | None]:
        return {pane.key: self._tmux.terminal(pane) for pane in panes}

    def _agents(self, table: Table, pane: Pane, kin: Family) -> tuple[Identity, ...]:
        if not kin.agent:
            return ()
        some = members(table, pane.pid)
        return tuple(f.identity for f in some if self._packs.agent_of(f.command) == kin.agent)

    async def agent_files(self, behind: Mapping[str, Behind]) -> dict[str, AgentFile]:
        """Return what the agents wrote down, by the pane's key; nothing where that takes long."""
        wanted = {
            key: (one.family.agent, one.agents)
            for key, one in behind.items()
            if one.family is not None and one.agents
        }
        if not wanted:
            return {}

        def look() -> dict[str, AgentFile]:
            found: dict[str, AgentFile] = {}
            for key, (agent, some) in wanted.items():
                files = (self._processes.agent_file(who, agent) for who in some)
                file = next((file for file in files if file is not None), None)
                if file is not None:
                    found[key] = file
            return found

        try:
            files: dict[str, AgentFile] = await asyncio.wait_for(
                self._on("agent files", look), PATIENCE
            )
        except (TimeoutError, ProbeError):
            return {}
        return files

    async def received(
        self, signs: Mapping[str, Sign], behind: Mapping[str, Behind], now: Reading
    ) -> dict[str, float]:
        """Return for how many seconds the sockets of suspects have heard nothing, by pane key.

        A suspect is an agent that has said that it is busy for a while.
        """
        said = {key: sign.kind for key, sign in signs.items()}
        busy = {k: one for k, one in behind.items() if one.agents and said.get(k) in BUSY}
        self._busy = {key: min(self._busy.get(key, now.steady), now.steady) for key in busy}
        suspects = {
            key: one.agents
            for key, one in busy.items()
            if now.steady - self._busy[key] >= SUSPECT_AFTER
        }
        if not suspects:
            return {}
        everybody = [who for some in suspects.values() for who in some]
        ages: dict[Identity, float] = await self._on(
            "processes", partial(self._processes.received, everybody)
        )
        least = {k: [ages[who] for who in some if who in ages] for k, some in suspects.items()}
        return {key: min(some) for key, some in least.items() if some}


def _tasked(tasks: Iterable[Task], now: Reading, steps: Steps) -> float | None:
    """Return the seconds since the oldest task was given out; None when one does not say."""
    stamps = [task.assigned_at for task in tasks]
    known: Collection[float] = [age(steps, at, now.wall) for at in stamps if at is not None]
    return max(known) if known and len(known) == len(stamps) else None


def run_on(processes: Processes, keys: Collection[str]) -> dict[str, bool]:
    """Return for each pane's key whether its own process runs on; of none where not even we are."""
    if processes.identify(os.getpid()) is None:
        return {}  # a /proc that shows nobody tells of nobody's end
    wanted = {key: one for key in keys if (one := process_of(key)) is not None}
    starts = {pid: processes.identify(pid) for pid in {pid for pid, _ in wanted.values()}}
    return {
        key: (now := starts[pid]) is not None and now.ticks == ticks
        for key, (pid, ticks) in wanted.items()
    }
