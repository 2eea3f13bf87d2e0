"""How a session stands: its state, the rule behind it, and what may be pressed there. Pure.

    dead ─ protected ─ attached ─ typing ─ mode ─ waiting ─ idle ─ stuck ─ working ─ quiet

The first that fits is the state. Before `stuck` come the states in which a person is near or a key
could do harm: there healmon may raise an alert and never presses anything.
"""

from __future__ import annotations

from typing import Final

import msgspec

from healmon.clock import Reading
from healmon.config.settings import Sessions
from healmon.sessions.agents import Cues, chords
from healmon.sessions.facts import Chords, Memory, State
from healmon.sessions.probe import SessionSeen
from healmon.sessions.progress import limit_for, overdue
from healmon.units import format_duration

WORKING: Final = 120.0
"""Seconds after progress in which a session counts as working, at most half its limit."""
NEAR: Final = frozenset[State](("dead", "protected", "attached", "typing", "mode", "waiting"))


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a session stands.

    Attributes:
        rule: why it is in this state, in words.
        overdue: it is stuck on its tasks, whatever its state.
        keys: what would be pressed to interrupt it; none: there is nothing to interrupt.
        hands_off: why nothing may be pressed, nor its tasks settled; empty: they may.
        left: seconds until it can be stuck; None: it is, or cannot.
    """

    state: State
    rule: str
    overdue: bool = False
    keys: Chords = ()
    hands_off: str = ""
    left: float | None = None


def standing(
    seen: SessionSeen, memory: Memory | None, cues: Cues, settings: Sessions, now: Reading
) -> Standing:
    """Return how a session stands; without a memory it has no tasks."""
    limit = limit_for(seen.tasks, settings.stuck_after)
    late = memory is not None and bool(seen.tasks) and overdue(seen.tasks, memory, limit, now)
    state, rule = _state(seen, memory, cues, settings, now, is_overdue=late)
    keys, hands_off = _hands(seen, cues, settings, state, rule)
    left = None
    if memory is not None and state in {"working", "quiet"}:
        left = limit - (now.steady - max(memory.progress_at, memory.tasks_at))
    return Standing(
        state=state, rule=rule, overdue=late, keys=keys, hands_off=hands_off, left=left
    )  # fmt: skip


def _state(
    seen: SessionSeen,
    memory: Memory | None,
    cues: Cues,
    settings: Sessions,
    now: Reading,
    *,
    is_overdue: bool,
) -> tuple[State, str]:
    near = _near(seen, cues, settings, now)
    if near is not None:
        return near
    if memory is None:
        return "idle", "no active task"
    if memory.failure:
        return "stuck", "an attempt to clear it failed"
    limit = format_duration(limit_for(seen.tasks, settings.stuck_after))
    if is_overdue:
        return "stuck", f"nothing new for {limit}"
    recent = min(WORKING, limit_for(seen.tasks, settings.stuck_after) / 2)
    if now.steady - memory.progress_at < recent:
        return "working", f"something new within {format_duration(recent)}"
    return "quiet", f"nothing new, for less than {limit}"


def _near(
    seen: SessionSeen, cues: Cues, settings: Sessions, now: Reading
) -> tuple[State, str] | None:
    """Return the state of a session that is out of reach, or has a person near."""
    pane, marker = seen.pane, settings.typing_marker
    scrolled = pane.mode and pane.last_attached and _recent(pane.session_activity, settings, now)
    names = {pane.name, *pane.aliases}
    rules: tuple[tuple[object, State, str], ...] = (
        (pane.dead, "dead", pane.status or "ended"),
        (names.intersection(settings.protect), "protected", "it is in sessions.protect"),
        (pane.attached, "attached", f"a person is attached ({pane.attached})"),
        (marker and marker in seen.screen, "typing", f"it shows the typing marker {marker}"),
        (scrolled, "mode", "a person was in its scrollback a moment ago"),
        (cues.question and seen.tasks, "waiting", "it waits for a person's answer"),
    )
    return next(((state, rule) for applies, state, rule in rules if applies), None)


def _recent(activity: int, settings: Sessions, now: Reading) -> bool:
    return now.wall - activity < settings.quiet_client


def _hands(
    seen: SessionSeen, cues: Cues, settings: Sessions, state: State, rule: str
) -> tuple[Chords, str]:
    """Return what would be pressed, and why nothing may be."""
    kin, pane = seen.family, seen.pane
    barred = (
        (state in NEAR and state != "dead", rule),
        (seen.twins, "another socket has a session of this name too"),
        (not seen.sure, "it has several panes: which one works on the task is unknown"),
    )
    for applies, reason in barred:
        if applies:
            return (), reason
    if not seen.tasks or state == "dead" or cues.idle or (kin is not None and kin.prompt):
        return (), ""  # nothing runs that could be interrupted
    unfit = (
        (pane.command == "tmux", "another tmux runs in it: its keys would go to somebody else"),
        (pane.synchronized, "its panes are synchronised: a key would go to all of them"),
        (pane.input_off, "its pane takes no keys"),
        (kin is None or not kin.ticks, "its processes cannot be seen"),
    )
    for applies, reason in unfit:
        if applies:
            return (), reason
    return chords(settings.interrupt, seen.terminal, "" if kin is None else kin.agent)
