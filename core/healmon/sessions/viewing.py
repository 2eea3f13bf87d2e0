"""One pane before and after a key: did the interrupt do anything?

"The screen changed" is no answer: a terminal echoes `^C` for a program that ignores it, and a
spinner spins on. What counts is a change of state.
"""

from __future__ import annotations

from dataclasses import dataclass

from healmon.errors import ProbeError
from healmon.sessions.agents import Cues, is_shell, read
from healmon.sessions.probe import Probe
from healmon.world.pane import Pane
from healmon.world.processes import Identity
from healmon.world.terminal import Terminal
from healmon.world.tmux import TmuxAbsentError


@dataclass(frozen=True, slots=True)
class View:
    """One look at a pane.

    Attributes:
        leader: the process that leads the foreground group; None when it cannot be told.
        shell: the leader is a shell for people.
    """

    pane: Pane
    cues: Cues
    terminal: Terminal | None = None
    leader: Identity | None = None
    shell: bool = False

    @property
    def foreground(self) -> int:
        """The process group in the foreground, 0 when unknown."""
        return 0 if self.terminal is None else self.terminal.foreground


async def view(probe: Probe, pane: Pane) -> View | None:
    """Return how exactly this pane is now; None when it is gone.

    Raises:
        ProbeError: it cannot be looked at.
    """
    try:
        panes = await probe.panes(pane.socket)
        now = next((p for p in panes if p.key == pane.key), None)
        if now is None:
            return None
        screens = await probe.screens(pane.socket, [now])
    except TmuxAbsentError:
        return None
    if now.id not in screens:
        return None
    terminal = await probe.terminal(now)
    cues = read(screens[now.id], now.title, terminal)
    if terminal is None:
        return View(now, cues)
    leader, shell = await probe.on("processes", lambda: _leader(probe, terminal.foreground))
    return View(now, cues, terminal, leader, shell)


def _leader(probe: Probe, group: int) -> tuple[Identity | None, bool]:
    try:
        leader = probe.processes.identify(group)
        facts = None if leader is None else probe.processes.inspect(leader)
    except ProbeError:
        return None, False
    return leader, facts is not None and is_shell(facts.command)


def ended(before: View, after: View | None) -> str:
    """Return how the program that was interrupted has ended, or empty."""
    if after is None:
        return "its pane ended"
    if after.pane.dead:
        return f"its program {after.pane.status or 'ended'}"
    if not after.foreground or after.foreground == before.foreground:
        return ""
    if after.shell and not before.shell:
        return f"{after.pane.command} has its prompt back"
    if after.foreground == after.pane.pid:
        return f"{after.pane.command} is in the foreground again"
    return ""


def told(before: View, after: View | None) -> str:
    """Return how the program says that it was interrupted, or is seen to be; or empty.

    A screen may be caught half drawn, so this counts only when two looks in a row say it.
    """
    if after is None or after.cues.question:
        return ""
    if after.cues.cancelled > before.cues.cancelled:
        return f"{after.pane.command} says that it was interrupted"
    if before.cues.busy and not after.cues.busy:
        return f"{after.pane.command} is not busy any more"
    if after.cues.idle and not before.cues.idle:
        return f"{after.pane.command} is idle"
    if before.leader is not None and after.leader not in {None, before.leader}:
        return f"{after.pane.command} is in the foreground now"
    return ""
