"""The processes behind a pane: who is in the foreground, and does anybody work silently? Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from healmon.sessions.agents import agent_of, is_shell
from healmon.world.processes import ProcessFacts
from healmon.world.terminal import Terminal

COUNTED = 30
"""Processes of one pane whose CPU time is remembered."""
DEAD = frozenset("ZXx")


class Family(msgspec.Struct, frozen=True):
    """What the processes of a pane tell.

    Attributes:
        ticks: start of the pane's own process, 0 when it is not to be seen.
        agent: which agent is in the foreground, or empty.
        prompt: a shell is in the foreground, waits for a command and has no child.
        cpu: CPU seconds of each process so far, by `pid.ticks`.
        painters: those among them that paint the screen: their CPU time says nothing.
        io: bytes read and written by each process so far, as `cpu`.
        tool: names of the processes that the agent runs as tools, without its companions.
        waits: where in the kernel each process waits, by `pid.ticks`; where it can be read.
        stopped: name of a stopped process (state T) on this terminal, or empty.
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
    """One look at all processes, by pid and by parent."""

    def __init__(self, everyone: Iterable[ProcessFacts]) -> None:
        self._by_pid: dict[int, ProcessFacts] = {}
        self._children: dict[int, list[int]] = {}
        for facts in everyone:
            if facts.state not in DEAD:
                self._by_pid[facts.identity.pid] = facts
                self._children.setdefault(facts.parent, []).append(facts.identity.pid)

    def get(self, pid: int) -> ProcessFacts | None:
        """Return the process with this pid, if it was there."""
        return self._by_pid.get(pid)

    def children(self, pid: int) -> list[int]:
        """Return the pids of its children."""
        return self._children.get(pid, [])

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


def family(table: Table, pid: int, terminal: Terminal | None, *, painting: bool) -> Family:
    """Return what the processes of a pane tell.

    Args:
        table: all processes.
        pid: the pane's own process.
        terminal: what its terminal tells.
        painting: something was written to the screen just now. Then the program in the foreground
            is the one that paints, and its CPU time says nothing: a hung one spins on.
    """
    own = table.get(pid)
    if own is None:
        return Family()
    leader = own if terminal is None else table.get(terminal.foreground)
    agent = "" if leader is None else agent_of(leader.command)
    raw = terminal is not None and not terminal.signals
    members = sorted(table.under(pid), key=lambda facts: -facts.cpu_seconds)[:COUNTED]
    paints = [f for f in members if (raw or painting) and _is_painter(f, leader, agent)]
    return Family(
        ticks=own.identity.ticks,
        agent=agent,
        prompt=leader is not None and _is_prompt(table, leader, terminal),
        cpu={_name(facts): round(facts.cpu_seconds, 2) for facts in members},
        painters=tuple(map(_name, paints)),
    )


def spent(before: Mapping[str, float], kin: Family) -> float:
    """Return the CPU seconds used since `before` by those who are there now and do not paint."""
    return sum(
        max(seconds - before.get(name, 0.0), 0.0)
        for name, seconds in kin.cpu.items()
        if name not in kin.painters
    )


def _is_painter(facts: ProcessFacts, leader: ProcessFacts | None, agent: str) -> bool:
    if leader is None:
        return False
    # agents start themselves a second time (a launcher and the program)
    return facts is leader or bool(agent and agent_of(facts.command) == agent)


def _is_prompt(table: Table, leader: ProcessFacts, terminal: Terminal | None) -> bool:
    if terminal is None or table.children(leader.identity.pid) or not is_shell(leader.command):
        return False
    # a shell that edits lines reads key by key; a plain one waits for a whole line
    return terminal.reading or (terminal.signals and not terminal.canonical)


def _name(facts: ProcessFacts) -> str:
    return f"{facts.identity.pid}.{facts.identity.ticks}"
