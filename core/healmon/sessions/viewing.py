"""One pane before and after a key, exactly as it is at that moment."""

from __future__ import annotations

from dataclasses import dataclass

from healmon.errors import ProbeError
from healmon.plans import pack
from healmon.sessions import agents, evidence
from healmon.sessions.probe import Probe
from healmon.sessions.signs import Sign
from healmon.world.pane import Pane
from healmon.world.processes import Identity
from healmon.world.terminal import Terminal
from healmon.world.tmux import TmuxAbsentError


@dataclass(frozen=True, slots=True)
class View:
    """One look at a pane.

    Attributes:
        agent: the pack that its program was read with, or empty.
        leader: the process that leads the foreground group; None when it cannot be told.
        shell: the leader is a shell for people.
        at: wall seconds.
    """

    pane: Pane
    sign: Sign
    screen: str = ""
    agent: str = ""
    terminal: Terminal | None = None
    leader: Identity | None = None
    shell: bool = False
    at: float = 0.0

    @property
    def foreground(self) -> int:
        """The process group in the foreground, 0 when unknown."""
        return 0 if self.terminal is None else self.terminal.foreground

    @property
    def unread(self) -> int:
        """Bytes typed that nobody has read."""
        return 0 if self.terminal is None else self.terminal.unread


async def view(probe: Probe, pane: Pane, agent: str = "") -> View | None:
    """Return how exactly this pane is now; None when it is gone.

    Args:
        probe: what looks.
        pane: as it was seen.
        agent: the pack to read it with.

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
    screen, at = screens[now.id], probe.clock.read().wall
    sign = probe.packs.read(agent, screen, now.title, terminal)
    if terminal is None:
        return View(now, sign, screen, agent, at=at)
    leader, shell = await probe.on("processes", lambda: _leader(probe, terminal.foreground))
    return View(now, sign, screen, agent, terminal, leader, shell, at)


def shown(one: View) -> evidence.Shown:
    """Return what is kept of a view."""
    pane = one.pane
    kept = evidence.Shown(
        at=round(one.at, 3),
        screen=one.screen,
        title=pane.title,
        command=pane.command,
        kind=one.sign.kind,
        rule=one.sign.rule,
        text=one.sign.text,
        mode=pane.mode,
        dead=pane.dead,
        status=pane.status,
        leader="" if one.leader is None else f"{one.leader.pid}.{one.leader.ticks}",
        terminal={} if one.terminal is None else pack(one.terminal),
    )
    secret = one.terminal is not None and one.terminal.secret
    return evidence.private(kept) if secret else kept


def _leader(probe: Probe, group: int) -> tuple[Identity | None, bool]:
    try:
        leader = probe.processes.identify(group)
        facts = None if leader is None else probe.processes.inspect(leader)
    except ProbeError:
        return None, False
    return leader, facts is not None and agents.is_shell(facts.command)
