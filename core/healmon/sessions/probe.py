"""Looks at tmux, task databases and processes; touches nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Literal, TypeVar

import msgspec

from healmon.clock import Clock, Reading
from healmon.config.settings import Sessions, Tasks
from healmon.errors import ProbeError
from healmon.sessions import places
from healmon.sessions.family import Family, Table, family
from healmon.sessions.signs import Sign
from healmon.text import clean
from healmon.world.hands import Hands
from healmon.world.pane import Pane
from healmon.world.processes import Processes
from healmon.world.taskdb import Task, TaskDatabases
from healmon.world.terminal import Terminal
from healmon.world.tmux import Tmux, TmuxAbsentError

T = TypeVar("T")
PAINTING = 3
"""Seconds since the last output for which a program counts as painting."""


class Fault(msgspec.Struct, frozen=True):
    """Something that could not be looked at: a tmux socket or a task database, by its name."""

    kind: Literal["tmux", "tasks"]
    name: str
    reason: str


class AgentFile(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent writes down about itself; all of it undocumented by its makers, so a hint.

    Attributes:
        status: the agent's own word (`busy`, `idle`, `waiting`), or empty.
        waiting_for: what it says it waits for, or empty.
        changed: wall seconds when any of its files last changed; 0.0 unknown.
        size: bytes of its transcript so far.
    """

    status: str = ""
    waiting_for: str = ""
    changed: float = 0.0
    size: int = 0


class SessionSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One session in one look.

    Attributes:
        label: its name as part of the component, unlike that of all other sessions.
        pane: the pane that is judged.
        sure: it is known that the tasks are worked on in this pane.
        twins: another socket has a session of this name too.
        screen: what it shows; of all its panes, when it is not sure.
        tasks: the active tasks that name it.
        family: its processes; None when they were not looked at.
        fresh: the screen was captured in this look; False: nothing was written since the capture
            that is shown again.
        agent_file: what the agent itself wrote down, when it does and that could be read.
        received: seconds since a socket of the family last received anything; None: not looked at.
        sign: what the screen says (see `signs`).
    """

    label: str
    pane: Pane
    sure: bool = True
    twins: bool = False
    screen: str = ""
    tasks: tuple[Task, ...] = ()
    terminal: Terminal | None = None
    family: Family | None = None
    fresh: bool = True
    agent_file: AgentFile | None = None
    received: float | None = None
    sign: Sign = Sign()


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One look at all sessions.

    Attributes:
        missing: tasks by the name of a session that is on no socket that answered.
        faults: what could not be looked at.
        answered: sockets with a server that answered.
        jumped: the host slept since the healer's look before.
    """

    sessions: tuple[SessionSeen, ...] = ()
    missing: dict[str, tuple[Task, ...]] = {}
    faults: tuple[Fault, ...] = ()
    answered: tuple[str, ...] = ()
    jumped: bool = False


class _Shown(msgspec.Struct, frozen=True):
    """A socket's panes and what they show, by pane id."""

    panes: tuple[Pane, ...]
    screens: dict[str, str]


class Probe:
    """Looks, each socket and each task database on a thread of its own."""

    def __init__(
        self,
        settings: Sessions,
        tasks: Sequence[Tasks],
        tmux: Tmux,
        taskdb: TaskDatabases,
        processes: Processes,
        clock: Clock,
    ) -> None:
        self.settings = settings
        self.tasks = {t.name: t for t in tasks}
        self.tmux = tmux
        self.taskdb = taskdb
        self.processes = processes
        self.clock = clock
        self._hands: dict[str, Hands] = {}

    async def on(self, what: str, call: Callable[[], T]) -> T:
        """Return what a blocking call returns, made on the thread for `what`."""
        if what not in self._hands:
            self._hands[what] = Hands(f"sessions {clean(what, limit=60)}")
        return await self._hands[what].call(call)

    async def panes(self, socket: str) -> tuple[Pane, ...]:
        """Return the panes of one socket (see `Tmux.panes`)."""
        return await self.on(f"tmux {socket}", partial(self.tmux.panes, socket))

    async def screens(self, socket: str, panes: Sequence[Pane]) -> dict[str, str]:
        """Return what panes of one socket show (see `Tmux.screens`)."""
        return await self.on(f"tmux {socket}", partial(self.tmux.screens, socket, panes))

    async def terminal(self, pane: Pane) -> Terminal | None:
        """Return what a pane's terminal tells (see `Tmux.terminal`)."""
        return await self.on(f"tmux {pane.socket}", partial(self.tmux.terminal, pane))

    async def read(self, source: str) -> tuple[Task, ...]:
        """Return the active tasks of one database (see `TaskDatabases.read`)."""
        return await self.on(f"tasks {source}", partial(self.taskdb.read, self.tasks[source]))

    async def table(self) -> Table:
        """Return one look at all processes."""
        return await self.on("processes", lambda: Table(self.processes.everyone()))

    def close(self) -> None:
        """Let all threads end."""
        for hands in self._hands.values():
            hands.close()
        self._hands = {}

    async def look(self) -> Seen:
        """Return everything there is to see.

        Raises:
            ProbeError: not one socket could be looked at.
        """
        now = self.clock.read()
        sockets, sources = self.settings.sockets, tuple(self.tasks)
        shown, tasks = await asyncio.gather(
            asyncio.gather(*(_outcome(self._socket(socket)) for socket in sockets)),
            asyncio.gather(*(_outcome(self.read(source)) for source in sources)),
        )
        faults = (
            *_faults("tmux", sockets, shown),
            *_faults("tasks", sources, tasks),
        )
        if sockets and all(isinstance(one, ProbeError) for one in shown):
            raise ProbeError("; ".join(fault.reason for fault in faults if fault.kind == "tmux"))
        there = {s: one for s, one in zip(sockets, shown, strict=True) if isinstance(one, _Shown)}
        known = [task for some in tasks if isinstance(some, tuple) for task in some]
        groups = places.grouped({socket: one.panes for socket, one in there.items()})
        working, missing = places.shared_out(known, places.owners(groups))
        return Seen(
            sessions=await self._sessions(groups, there, working, now),
            missing=missing,
            faults=faults,
            answered=tuple(there),
        )

    async def _socket(self, socket: str) -> _Shown:
        panes = await self.panes(socket)
        screens = await self.screens(socket, panes)
        return _Shown(tuple(pane for pane in panes if pane.id in screens), screens)

    async def _sessions(
        self,
        groups: Mapping[places.Place, Sequence[Pane]],
        shown: Mapping[str, _Shown],
        working: Mapping[places.Place, Sequence[Task]],
        now: Reading,
    ) -> tuple[SessionSeen, ...]:
        table = await self.table() if working else None
        sessions: dict[str, SessionSeen] = {}
        names = [panes[0].name for panes in groups.values()]
        for place, panes in groups.items():
            tasks = tuple(working.get(place, ()))
            looked = [await self.behind(p, table if tasks else None, now) for p in panes]
            (pane, terminal, kin), sure = places.chosen(looked)
            screens = [shown[p.socket].screens[p.id] for p in ([pane] if sure else panes)]
            label = places.label_for(pane, sessions.keys())
            sessions[label] = SessionSeen(
                label=label,
                pane=pane,
                sure=sure,
                twins=names.count(pane.name) > 1,
                screen="\n".join(screens),
                tasks=tasks,
                terminal=terminal,
                family=kin,
            )
        return tuple(sessions.values())

    async def behind(self, pane: Pane, table: Table | None, now: Reading) -> places.Behind:
        """Return a pane with its terminal and its processes; without a table neither is read."""
        if table is None or pane.dead:
            return pane, None, None
        terminal = await self.terminal(pane)
        painting = now.wall - pane.window_activity <= PAINTING
        return pane, terminal, family(table, pane.pid, terminal, painting=painting)


async def _outcome(call: Awaitable[T]) -> T | TmuxAbsentError | ProbeError:
    try:
        return await call
    except (TmuxAbsentError, ProbeError) as error:
        return error


def _faults(
    kind: Literal["tmux", "tasks"], names: Sequence[str], answers: Sequence[object]
) -> list[Fault]:
    return [
        Fault(kind, name, str(answer))
        for name, answer in zip(names, answers, strict=True)
        if isinstance(answer, ProbeError)
    ]
