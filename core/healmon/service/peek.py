"""One session as it is right now, for a person who looks: its screen, and what was kept of it.

Only looking: nothing here presses a key or writes a row. What a person types is nobody's business,
so of a screen that asks for a secret or on which somebody types only the prompt line is shown.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Final, cast

import msgspec

from healmon.clock import SystemClock
from healmon.errors import ConfigError, HealmonError, ProbeError
from healmon.plans import Packed, unpack
from healmon.service.looks import Peek
from healmon.sessions.facts import SessionFacts
from healmon.sessions.packs import Packs, bundled, explain, user
from healmon.text import clean
from healmon.world import sgr, visit
from healmon.world.evidencefiles import SystemEvidenceFiles
from healmon.world.system_processes import SystemProcesses
from healmon.world.terminal import Terminal
from healmon.world.tmux import SystemTmux, Tmux

EVIDENCE: Final = "evidence"
"""The folder of the state directory with what was kept of each act."""
_PROMPT: Final = re.compile(r"^(?:\[[^\]]{1,60}\]|\S{0,60}?)[$#%>❯›](?=\s)")
"""The prompt at the beginning of a line: one word, or one in brackets; what follows was typed."""
PRIVATE: Final = frozenset({"human", "secret"})


def peek(packed: Packed, packs: Packs | None = None, tmux: Tmux | None = None) -> Peek:
    """Return how a session is now; never raises, a reason is an answer too. Blocks for seconds.

    Args:
        packed: the facts of the session, as the healer told them.
        packs: who reads its screen; default: the packs that come with healmon.
        tmux: the door to tmux; default: the machine's.
    """
    now = SystemClock().read().wall
    try:
        facts = unpack(packed, SessionFacts)
        if not facts.pane or not facts.key:
            return Peek(at=now, reason=f"it has no pane to look at: {facts.rule or facts.state}")
        return _look(facts, packs or bundled(), tmux or SystemTmux(), now)
    except msgspec.ValidationError:
        return Peek(at=now, reason="these facts are another version's")
    except HealmonError as error:
        return Peek(at=now, reason=clean(str(error.args[0])))


@lru_cache(maxsize=4)
def packs_in(folder: str) -> Packs:
    """Return all detection packs; those of one's own are left out when they cannot be read."""
    try:
        return user.packs_of(folder)
    except ConfigError:
        return bundled()


def _look(facts: SessionFacts, packs: Packs, tmux: Tmux, now: float) -> Peek:
    pane = visit.find(facts.socket, facts.key, tmux)
    painted = tmux.painted(pane)
    if painted is None:
        return Peek(at=now, reason="its pane ended just now")
    screen = sgr.plain(painted)
    terminal = tmux.terminal(pane)
    state = "secret" if terminal is not None and terminal.secret else facts.state
    lines, reason = shown(screen, state)
    agent = _agent(packs, terminal) or facts.pack
    return Peek(
        lines=lines,
        runs=() if reason else painted,
        at=now,
        title=clean(pane.title, limit=200),
        painted=max(now - pane.window_activity, 0.0),
        command=clean(pane.command, limit=80),
        reason=reason,
        why=() if reason else tuple(explain(packs, agent, screen, pane.title, terminal)),
    )


def _agent(packs: Packs, terminal: Terminal | None) -> str:
    """Return the pack of the program in the foreground, or empty."""
    processes = SystemProcesses()
    try:
        leader = processes.identify(terminal.foreground) if terminal is not None else None
        facts = None if leader is None else processes.inspect(leader)
    except ProbeError:
        return ""
    return "" if facts is None else packs.agent_of(facts.command)


def shown(screen: str, state: str) -> tuple[tuple[str, ...], str]:
    """Return the lines of a screen that may be shown, and why not all of them. Pure."""
    lines = clean(screen, lines=True, limit=100_000).rstrip().split("\n")
    if state not in PRIVATE:
        return tuple(line.rstrip() for line in lines), ""
    last = lines[-1].strip()
    if state == "secret":
        return (last,), "it asks for a secret: only its prompt is shown"
    prompt = _PROMPT.match(last)
    return ((prompt[0].rstrip(),) if prompt else ()), "a person is at it: its screen is theirs"


def evidence(state_dir: Path, name: str) -> Packed:
    """Return what was kept of an act; empty when there is nothing (left), never an error."""
    try:
        found: object = json.loads(SystemEvidenceFiles(state_dir / EVIDENCE).read(name) or b"{}")
    except (HealmonError, ValueError, RecursionError):
        return {}
    return cast("Packed", found) if isinstance(found, dict) else {}
