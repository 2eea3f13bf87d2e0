"""The processes behind a pane: who is in the foreground, and does anybody work silently? Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Final

import msgspec

from healmon.sessions.agents import is_shell
from healmon.sessions.packs import Packs
from healmon.world.processes import DEAD, Identity, ProcessFacts, Work
from healmon.world.terminal import Terminal

COUNTED: Final = 30
"""Processes of one pane whose CPU time is remembered."""
TOOLS: Final = 10
"""Names of tools that are remembered."""
SURELY: Final = 5.0
"""Seconds by which a process must be older than a task to be no part of it."""


class Family(msgspec.Struct, frozen=True):
    """What the processes of a pane tell.

    Attributes:
        ticks: start of the pane's own process, 0 when it is not to be seen.
        agent: which agent is in the foreground, or empty.
        prompt: a shell is in the foreground, waits for a command and has no child.
        cpu: CPU seconds of each process so far, by `pid.ticks`; not of an agent's companions.
        painters: those among them that paint the screen: their CPU time says nothing.
        io: bytes read, and written to storage, by each process so far, as `cpu`; where it can be
            read.
        tool: names of the processes that the agent runs as tools, without its companions.
        waits: where in the kernel each process waits, by `pid.ticks`; where it can be read.
        stopped: name of a stopped process (Ctrl-Z) that had this terminal, or empty. One that was
            stopped long ago does not count while another program runs in the foreground.
        flow_stopped: its output is stopped (Ctrl-S).
    """

    ticks: int = 0
    agent: str = ""
    prompt: bool = False
    cpu: dict[str, float] = {}
    painters: tuple[str, ...] = ()
    io: dict[str, int] = {}
    tool: tuple[str, ...] = ()
    waits: dict[str, str] = {}
    stopped: str = ""
    flow_stopped: bool = False


class Table:
    """One look at all processes, by pid, by parent and by terminal."""

    def __init__(self, everyone: Iterable[ProcessFacts]) -> None:
        self._by_pid: dict[int, ProcessFacts] = {}
        self._children: dict[int, list[int]] = {}
        self._terminals: dict[int, list[ProcessFacts]] = {}
        for facts in everyone:
            if facts.state not in DEAD:
                self._by_pid[facts.identity.pid] = facts
                self._children.setdefault(facts.parent, []).append(facts.identity.pid)
                if facts.tty:
                    self._terminals.setdefault(facts.tty, []).append(facts)

    def get(self, pid: int) -> ProcessFacts | None:
        """Return the process with this pid, if it was there."""
        return self._by_pid.get(pid)

    def children(self, pid: int) -> list[int]:
        """Return the pids of its children."""
        return self._children.get(pid, [])

    def on(self, tty: int) -> list[ProcessFacts]:
        """Return the processes that have this terminal, by its device number."""
        return self._terminals.get(tty, [])

    def under(self, pid: int) -> list[ProcessFacts]:
        """Return a process and all its descendants."""
        found: dict[int, ProcessFacts] = {}
        waiting = [pid]
        while waiting:
            one = waiting.pop()
            facts = self._by_pid.get(one)
            if facts is not None and one not in found:
                found[one] = facts
                waiting += self.children(one)
        return list(found.values())


class Signals(msgspec.Struct, frozen=True):
    """What is known beside the table of processes when a pane's family is described.

    Attributes:
        painting: something was written to the screen just now. Then the program in the foreground
            is the one that paints, and its CPU time says nothing: a hung one spins on.
        work: what each process has done so far.
        tasked: seconds since the oldest task was given out; None: unknown. A child of an agent
            that is older is a companion: it was there before there was anything to do.
    """

    painting: bool = False
    work: Mapping[Identity, Work] = {}
    tasked: float | None = None


def members(table: Table, pid: int) -> list[ProcessFacts]:
    """Return the processes of a pane that are described, the hardest working first."""
    return sorted(table.under(pid), key=lambda facts: -facts.cpu_seconds)[:COUNTED]


def family(
    table: Table,
    pid: int,
    terminal: Terminal | None,
    signals: Signals,
    packs: Packs,
) -> Family:
    """Return what the processes of a pane tell.

    Args:
        table: all processes.
        pid: the pane's own process.
        terminal: what its terminal tells.
        signals: what else is known.
        packs: know programs by their command lines.
    """
    own = table.get(pid)
    if own is None:
        return Family()
    leader = own if terminal is None else table.get(terminal.foreground)
    agent = "" if leader is None else packs.agent_of(leader.command)
    tools, companions = _below(table, leader, agent, signals.tasked, packs)
    raw = terminal is not None and not terminal.signals
    some = [f for f in members(table, pid) if f.identity.pid not in companions]
    painters = _painters(some, leader, agent, packs) if raw or signals.painting else []
    work = {_name(f): signals.work[f.identity] for f in some if f.identity in signals.work}
    stops = terminal is not None and not terminal.writable and not signals.painting
    return Family(
        ticks=own.identity.ticks,
        agent=agent,
        prompt=_has_prompt(leader, terminal) and not table.children(_pid(leader)),
        cpu={_name(facts): round(facts.cpu_seconds, 2) for facts in some},
        painters=tuple(map(_name, painters)),
        io={name: one.io for name, one in work.items() if one.io is not None},
        tool=tuple(dict.fromkeys(facts.name for facts in tools))[:TOOLS],
        waits={name: one.waits for name, one in work.items() if one.waits},
        stopped=_stopped(table, own, leader, terminal),
        flow_stopped=stops,
    )


def spent(before: Mapping[str, float], kin: Family) -> float:
    """Return the CPU seconds used since `before` by those who are there now and do not paint."""
    return sum(
        max(seconds - before.get(name, 0.0), 0.0)
        for name, seconds in kin.cpu.items()
        if name not in kin.painters
    )


def _below(
    table: Table,
    leader: ProcessFacts | None,
    agent: str,
    tasked: float | None,
    packs: Packs,
) -> tuple[list[ProcessFacts], set[int]]:
    """Return the tools that an agent runs, and the pids of its companions; nobody's without one."""
    if leader is None or not agent:
        return [], set()
    kept = packs.companions(agent)
    tools: list[ProcessFacts] = []
    companions: set[int] = set()
    waiting = [(_pid(leader), True)]
    seen: set[int] = set()
    while waiting:
        pid, is_agent = waiting.pop()
        for child in table.children(pid):
            facts = table.get(child)
            if facts is None or child in seen:
                continue
            seen.add(child)
            same = is_agent and packs.agent_of(facts.command) == agent  # its launcher started it
            early = is_agent and tasked is not None and facts.age > tasked + SURELY
            if not same and (early or not _called(facts).isdisjoint(kept)):
                companions.update(f.identity.pid for f in table.under(child))
                continue
            if not same:
                tools.append(facts)
            waiting.append((child, same))
    return tools, companions


def tools(
    table: Table, leader: int, agent: str, tasked: float | None, packs: Packs
) -> list[ProcessFacts]:
    """Return the processes that an agent runs as tools, without its companions.

    Args:
        table: all processes.
        leader: pid of the agent in the foreground.
        agent: its pack.
        tasked: seconds since the oldest task was given out; None: unknown.
        packs: know programs by their command lines.
    """
    return _below(table, table.get(leader), agent, tasked, packs)[0]


def _called(facts: ProcessFacts) -> set[str]:
    """Return what a process is called: by the kernel, by its command, by its script."""
    words = [word for word in facts.command if not word.startswith("-")][:2]
    return {facts.name, *(PurePosixPath(word).name for word in words)}


def _painters(
    some: Iterable[ProcessFacts], leader: ProcessFacts | None, agent: str, packs: Packs
) -> list[ProcessFacts]:
    if leader is None:
        return []
    # agents start themselves a second time (a launcher and the program)
    return [f for f in some if f is leader or (agent and packs.agent_of(f.command) == agent)]


def _has_prompt(leader: ProcessFacts | None, terminal: Terminal | None) -> bool:
    """Return whether a shell for people is in the foreground and waits for a command."""
    if leader is None or terminal is None or not is_shell(leader.command):
        return False
    # a shell that edits lines reads key by key; a plain one waits for a whole line
    return terminal.reading or (terminal.signals and not terminal.canonical)


def _stopped(
    table: Table, own: ProcessFacts, leader: ProcessFacts | None, terminal: Terminal | None
) -> str:
    if not own.tty:
        return ""
    halted = [facts for facts in table.on(own.tty) if facts.state == "T"]
    group = 0 if terminal is None else terminal.foreground
    if not _has_prompt(leader, terminal):
        halted = [facts for facts in halted if facts.group == group]
    newest = max(halted, key=lambda facts: facts.identity.ticks, default=None)
    return "" if newest is None else newest.name


def _pid(facts: ProcessFacts | None) -> int:
    return 0 if facts is None else facts.identity.pid


def _name(facts: ProcessFacts) -> str:
    return f"{facts.identity.pid}.{facts.identity.ticks}"
