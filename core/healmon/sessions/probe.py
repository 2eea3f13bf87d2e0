"""Looks at tmux, task databases and processes; touches nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Container, Mapping, Sequence
from functools import partial
from operator import is_
from typing import Final, Literal, TypeVar

import msgspec
from msgspec.structs import replace

from healmon.clock import Clock, Reading
from healmon.config.settings import Sessions, Tasks
from healmon.errors import ProbeError
from healmon.named import NamedTuple
from healmon.sessions import places
from healmon.sessions.answers import Failed, each, good
from healmon.sessions.backstage import Backstage, Behind, run_on
from healmon.sessions.captures import Captures, Kept, own_clocks
from healmon.sessions.family import Family
from healmon.sessions.packs import Packs, bundled
from healmon.sessions.places import Place, Spread
from healmon.sessions.signs import Sign
from healmon.text import clean
from healmon.world.hands import Hands
from healmon.world.pane import Pane
from healmon.world.processes import AgentFile, Processes
from healmon.world.taskdb import Late, Owed, Task, TaskDatabases, View
from healmon.world.terminal import Terminal
from healmon.world.tmux import Tmux, TmuxAbsentError

T = TypeVar("T")
LOOK_WITHIN: Final = 3.5
"""Seconds after which a look waits for no tmux any more."""
LEAST: Final = 0.5
"""Seconds that a batch of captures has in any case."""
NOTHING: Final = Behind()


class Fault(msgspec.Struct, frozen=True):
    """Something that could not be looked at: a tmux socket or a task database, by its name."""

    kind: Literal["tmux", "tasks"]
    name: str
    reason: str


class SessionSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One session in one look.

    Attributes:
        label: its name as part of the component, unlike that of all other sessions.
        pane: the pane that is judged; in a split window its `window_activity` is its own.
        sure: it is known that the tasks are worked on in this pane.
        twins: another socket has a session of this name too.
        screen: what it shows; of all its panes, when it is not sure.
        tasks: the active tasks that name it.
        family: its processes; None when they were not looked at.
        fresh: the screen was captured in this look; False: nothing was written since the capture
            that is shown again (or, without tasks, it is not yet time for another one).
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
        missing: tasks by the name (tmux's) of a session that is on no socket that answered.
        faults: what could not be looked at.
        answered: sockets with a server that answered.
        absent: by socket, why no server answers there.
        owed: by source, the tasks that healmon failed and is to give back.
        late: by source, the results that old attempts delivered after their tasks were taken away.
        jumped: the host slept, or its clock was set, since the healer's look before.
        runs: by the keys of lost panes that were asked for, whether their processes run on.
    """

    sessions: tuple[SessionSeen, ...] = ()
    missing: dict[str, tuple[Task, ...]] = {}
    faults: tuple[Fault, ...] = ()
    answered: tuple[str, ...] = ()
    absent: dict[str, str] = {}
    owed: dict[str, tuple[Owed, ...]] = {}
    late: dict[str, tuple[Late, ...]] = {}
    jumped: bool = False
    runs: dict[str, bool] = {}


class _Shown(NamedTuple):
    """A session without tasks as it was shown last, and what was seen of it."""

    panes: Sequence[Pane]
    kept: Sequence[Kept]
    seen: SessionSeen

    def same(self, panes: Sequence[Pane], kept: Sequence[Kept]) -> bool:
        """Return whether the very same is seen now."""
        return self.panes == panes and all(map(is_, self.kept, kept))


class Probe:
    """Looks, each socket and each task database on a thread of its own.

    Two calls of tmux a socket and look, however many sessions: a list of everything, and one batch
    of captures of those panes that may show something new.

    Args:
        settings: `[sessions]`.
        tasks: every `[tasks.NAME]`.
        tmux: the door to tmux.
        taskdb: the door to task databases.
        processes: the door to processes.
        clock: all time.
        packs: read screens; default: those that come with healmon.

    Attributes:
        lost: keys of panes that are out of sight; each look tells whether their processes run on.
        held: keys of panes without tasks whose programs are looked at all the same.
    """

    lost: Collection[str] = ()
    held: Collection[str] = ()

    def __init__(
        self,
        settings: Sessions,
        tasks: Sequence[Tasks],
        tmux: Tmux,
        taskdb: TaskDatabases,
        processes: Processes,
        clock: Clock,
        packs: Packs | None = None,
    ) -> None:
        self.settings = settings
        self.tasks = {t.name: t for t in tasks}
        self.tmux = tmux
        self.taskdb = taskdb
        self.processes = processes
        self.clock = clock
        self.packs = bundled() if packs is None else packs
        self._hands: dict[str, Hands] = {}
        self._captures = Captures()
        self._backstage = Backstage(self.on, tmux, processes, self.packs, self.clock)
        self._listed: dict[str, Sequence[Pane]] = {}
        self._shown: dict[Place, _Shown] = {}
        self._still: tuple[Seen, dict[str, tuple[Pane, ...]]] | None = None

    async def on(self, what: str, call: Callable[[], T]) -> T:
        """Return what a blocking call returns, made on the thread for `what`."""
        if what not in self._hands:
            self._hands[what] = Hands(f"sessions {clean(what, limit=60)}")
        return await self._hands[what].call(call, patient=True)

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

    async def view(self, source: str) -> View:
        """Return all that one source of tasks tells (see `TaskDatabases.look`)."""
        return await self.on(f"tasks {source}", partial(self.taskdb.look, self.tasks[source]))

    def close(self) -> None:
        """Let all threads end."""
        for hands in self._hands.values():
            hands.close()
        self._hands = {}

    async def look(self, *, fresh: bool = False) -> Seen:
        """Return everything there is to see.

        Args:
            fresh: every pane with tasks is captured, whatever its window's clock says.

        Raises:
            ProbeError: not one socket could be looked at.
        """
        now = self.clock.read()
        believed = self._captures.begin(now)
        listed, tasks = await self._ask()
        still, self._still = self._still, None
        if still is not None and believed and not (fresh or self.lost) and listed == still[1]:
            self._still = still
            return still[0]
        seen, found = await self._look(listed, tasks, now, fresh=fresh)
        moved = any(one.fresh for one in seen.sessions) or not all(
            self._captures.still(socket, panes) for socket, panes in found.items()
        )
        if not (moved or seen.faults or self.tasks or self.lost):
            self._still = seen, found
        return seen

    async def _look(
        self,
        listed: Mapping[str, tuple[Pane, ...] | Failed],
        tasks: Mapping[str, View | Failed],
        now: Reading,
        *,
        fresh: bool,
    ) -> tuple[Seen, dict[str, tuple[Pane, ...]]]:
        """Return all that is to be seen, and the panes of each socket, by what was answered."""
        told = good(tasks)
        known = [task for view in told.values() for task in view.active]
        found = good(listed)
        watched = places.spread(found, known).watched
        kept = {s: self._captures.of(s) for s in found}
        shown = await each(
            found, lambda s: self._capture(found[s], kept[s], watched(s), now, all_watched=fresh)
        )
        answers = {s: shown[s] if s in shown else listed[s] for s in listed}
        faults = (*_faults("tmux", answers), *_faults("tasks", tasks))
        if answers and all(isinstance(one, ProbeError) for one in answers.values()):
            raise ProbeError("; ".join(fault.reason for fault in faults if fault.kind == "tmux"))
        captured = good(shown)
        self._captures.forget_all_but(captured)
        take = self._captures.take
        there = {s: take(s, found[s], captured[s], now, kept[s]) for s in captured}
        spread = places.spread({s: own_clocks(found[s], there[s]) for s in there}, known)
        everywhere = self._everywhere(found, answers)
        seen = Seen(
            sessions=await self._sessions(spread, everywhere, there, captured, now),
            missing=spread.missing,
            faults=faults,
            answered=tuple(there),
            absent={s: str(a) for s, a in answers.items() if isinstance(a, TmuxAbsentError)},
            owed={source: view.owed for source, view in told.items() if view.owed},
            late={source: view.late for source, view in told.items() if view.late},
            runs=await self._runs(),
        )
        return seen, found

    async def _ask(self) -> tuple[dict[str, tuple[Pane, ...] | Failed], dict[str, View | Failed]]:
        """Return what all sockets and task databases answer."""
        sockets = each(self.settings.sockets, self.panes)
        if not self.tasks:  # without a task for each
            return await sockets, {}
        return await asyncio.gather(sockets, each(self.tasks, self.view))

    def _everywhere(
        self, found: Mapping[str, Sequence[Pane]], answers: Mapping[str, object]
    ) -> dict[Place, list[Pane]]:
        """Return all sessions, also those of servers that do not answer now, as last seen."""
        silent = {s for s, one in answers.items() if isinstance(one, ProbeError)}
        kept = {s: panes for s, panes in self._listed.items() if s in silent}
        self._listed = {s: found.get(s) or kept.get(s, ()) for s in answers}
        return places.grouped(self._listed)

    async def _runs(self) -> dict[str, bool]:
        """Return whether the processes of lost panes run on."""
        keys = tuple(self.lost)
        if not keys:
            return {}
        return await self.on("processes", partial(run_on, self.processes, keys))

    async def _capture(
        self,
        panes: Sequence[Pane],
        kept: Mapping[str, Kept],
        watched: Container[str],
        now: Reading,
        *,
        all_watched: bool,
    ) -> dict[str, str]:
        """Return what those panes of one socket show that may show something new."""
        socket = panes[0].socket if panes else ""
        due = self._captures.due(kept, panes, watched, now)
        if all_watched:
            due = [pane for pane in panes if pane in due or pane.id in watched]
        if not due:
            return {}
        left = LOOK_WITHIN - (self.clock.read().steady - now.steady)
        try:
            return await asyncio.wait_for(self.screens(socket, due), max(left, LEAST))
        except TimeoutError:
            raise ProbeError(
                f"tmux on socket {clean(socket, limit=200)}: it answered once and then no more"
            ) from None

    async def _sessions(
        self,
        spread: Spread,
        everywhere: Mapping[Place, Sequence[Pane]],
        there: Mapping[str, Mapping[str, Kept]],
        captured: Mapping[str, Container[str]],
        now: Reading,
    ) -> tuple[SessionSeen, ...]:
        tasked = [(p, some) for place, some in spread.working.items() for p in spread.groups[place]]
        held = self._held(spread)
        tasked += [(pane, []) for place in held for pane in spread.groups[place]]
        behind = await self._backstage.behind(tasked, now)
        sessions: dict[str, SessionSeen] = {}
        before, self._shown = self._shown, {}
        # a server that does not answer keeps its sessions' names, and their doubt
        names = Counter(panes[0].name for panes in everywhere.values())
        labels = places.labels(everywhere)
        for (socket, number), panes in spread.groups.items():
            tasks = tuple(spread.working.get((socket, number), ()))
            kept = [there[socket][pane.id] for pane in panes]
            last = before.get((socket, number))
            looked = tasks or (socket, number) in held
            if looked or last is None or not last.same(panes, kept):
                last = _Shown(panes, kept, self._session(panes, tasks, behind, there[socket]))
            one = last.seen
            shown = [one.pane] if one.sure else panes
            label, twins = labels[socket, number], names[panes[0].name] > 1
            fresh = any(pane.id in captured[socket] for pane in shown)
            if (one.label, one.twins, one.fresh) != (label, twins, fresh):
                one = replace(one, label=label, twins=twins, fresh=fresh)
            sessions[label] = one
            if not looked:
                self._shown[socket, number] = _Shown(panes, kept, one)
        return await self._with_hints(sessions.values(), behind, now)

    def _held(self, spread: Spread) -> set[Place]:
        """Return the sessions without tasks that are looked behind all the same."""
        return {
            place
            for place, panes in (spread.groups.items() if self.held else ())
            if place not in spread.working and any(pane.key in self.held for pane in panes)
        }

    async def _with_hints(
        self, sessions: Collection[SessionSeen], behind: Mapping[str, Behind], now: Reading
    ) -> tuple[SessionSeen, ...]:
        if not behind:
            return tuple(sessions)
        signs = {one.pane.key: one.sign for one in sessions}
        files, received = await asyncio.gather(
            self._backstage.agent_files(behind), self._backstage.received(signs, behind, now)
        )
        return tuple(
            replace(one, agent_file=files.get(one.pane.key), received=received.get(one.pane.key))
            for one in sessions
        )

    def _session(
        self,
        panes: Sequence[Pane],
        tasks: tuple[Task, ...],
        behind: Mapping[str, Behind],
        known: Mapping[str, Kept],
    ) -> SessionSeen:
        looked = [(p, behind.get(p.key, NOTHING)) for p in panes]
        (pane, terminal, kin), sure = places.chosen([(p, b.terminal, b.family) for p, b in looked])
        agent = self.packs.agent_of((pane.command,)) if kin is None else kin.agent
        screen = "\n".join(known[one.id].screen for one in ([pane] if sure else panes))
        read = partial(self.packs.read, agent, title=pane.title, terminal=terminal)
        sign = (
            self._captures.sign(pane, known[pane.id], agent, terminal, read)
            if sure
            else read(screen)
        )
        return SessionSeen(
            label="",
            pane=pane,
            sure=sure,
            screen=screen,
            tasks=tasks,
            terminal=terminal,
            family=kin,
            sign=sign,
        )


def _faults(kind: Literal["tmux", "tasks"], answers: Mapping[str, object]) -> list[Fault]:
    return [
        Fault(kind, name, str(answer))
        for name, answer in answers.items()
        if isinstance(answer, ProbeError)
    ]
