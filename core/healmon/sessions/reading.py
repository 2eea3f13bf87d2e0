"""What a session's screen says, whoever read it. Pure."""

from __future__ import annotations

from typing import Final

from healmon.sessions import agents, novelty
from healmon.sessions.probe import SessionSeen
from healmon.sessions.signs import Kind, Sign

UNREAD: Final = Sign()


def sign_of(seen: SessionSeen) -> Sign:
    """Return what the screen says: as it was read with the look, else read now."""
    if seen.sign != UNREAD:
        return seen.sign
    cues = agents.read(seen.screen, seen.pane.title, seen.terminal)
    kind: Kind = "none"
    agent = seen.family is not None and seen.family.agent
    if cues.question:
        kind = "approval" if agent else "question"
    elif novelty.retries(cues.last_line):
        kind = "retrying"
    elif cues.busy:
        kind = "busy"
    elif cues.idle:
        kind = "idle"
    return Sign(
        kind=kind,
        text=cues.question or cues.last_line,
        question=cues.question,
        cancelled=cues.cancelled,
        last_line=cues.last_line,
    )
