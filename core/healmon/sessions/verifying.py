"""What a key did, from one pane before and after it. Pure.

"The screen changed" is no answer: a terminal echoes `^C` for a program that ignores it, and a
spinner spins on. What counts is a change of state.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from healmon.sessions.signs import Kind
from healmon.sessions.verdict import Result
from healmon.sessions.viewing import View

BUSY: Final = frozenset[Kind](("busy", "tool", "retrying", "rate_limited"))
ASKS: Final = frozenset[Kind](("approval", "question"))
LET_GO: Final = frozenset[Kind](("idle", "gave_up", "unsent"))


class Effect(NamedTuple):
    """What became of a program, in one word and in words; `status`: how it ended."""

    result: Result
    how: str
    status: str = ""


def ended(before: View, after: View | None) -> Effect | None:
    """Return how the program that was interrupted has ended; None: it has not."""
    if after is None:
        return Effect("exited", "its pane ended", "ended with its pane")
    if after.pane.dead:
        status = after.pane.status or "ended"
        return Effect("exited", f"its program {status}", status)
    if not after.foreground or after.foreground == before.foreground:
        return None
    result: Result = "exited" if before.agent else "cleared"
    if after.shell and not before.shell:
        return Effect(result, f"{after.pane.command} has its prompt back")
    if after.foreground == after.pane.pid:
        return Effect(result, f"{after.pane.command} is in the foreground again")
    return None


def told(before: View, after: View | None) -> Effect | None:
    """Return how the program says that it was interrupted, or is seen to be; None: it is not.

    A screen may be caught half drawn, so this counts only when two looks in a row say it.
    """
    if after is None or after.sign.kind in ASKS:
        return None
    name = after.pane.command
    if after.sign.cancelled > before.sign.cancelled:
        return Effect("cleared", f"{name} says that it was interrupted")
    if before.sign.kind in BUSY and after.sign.kind in LET_GO:
        return Effect("cleared", f"{name} is not busy any more")
    if after.sign.kind in LET_GO and before.sign.kind not in LET_GO:
        return Effect("cleared", f"{name} is idle")
    if before.leader is not None and after.leader not in {None, before.leader}:
        return Effect("cleared", f"{name} is in the foreground now")
    return None


def held(before: View, after: View | None) -> Effect:
    """Return how the program still is what it was, once it has had its time."""
    if after is None:
        return Effect("unknown", "it cannot be looked at")
    name = after.pane.command
    if after.pane.mode:
        return Effect("swallowed", f"pane {after.pane.id} shows a mode, which took the key")
    if after.unread > before.unread or (after.unread and _same(before, after)):
        return Effect("frozen", f"{name} left {after.unread} byte(s) typed unread: it is frozen")
    return Effect("ignored", f"{name} is what it was: only its screen may have changed")


def _same(before: View, after: View) -> bool:
    return before.foreground == after.foreground
