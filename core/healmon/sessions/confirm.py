"""Looks that must agree before healmon acts, and how trouble ends. Pure.

Before an act the same trouble is found in `confirm_looks` looks that span `confirm_for`, after
twice as many looks without progress. `confirm_for = 0` asks for this look and one more. Progress,
another trouble, a new run of healmon and whatever makes the count begin anew end an agreement.

Trouble that was told is over after two looks with progress, or at once when the session is in a
state of another kind. One that comes and goes (more than `TURNS` changes within `FLAPPING`) is told
and never acted upon.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from healmon.clock import Reading
from healmon.config.settings import Sessions
from healmon.sessions.facts import Memory
from healmon.sessions.words import State
from healmon.units import format_duration

STIRS: Final = 2
"""Looks with progress after which trouble is over."""
TURNS: Final = 4
FLAPPING: Final = 600.0
"""Seconds; shorter where the limits are: five times the seconds of quiet that are a warning."""
HUNG: Final = frozenset[State](("stalled", "frozen", "retrying", "rate_limited", "gave_up"))
"""States that a session does not enter and leave in the course of its work."""
SOONEST: Final = 0.5


def needed(settings: Sessions) -> int:
    """Return how many looks must agree."""
    return settings.confirm_looks if settings.confirm_for > 0 else 2


def samples(settings: Sessions) -> int:
    """Return how many looks without progress there must be."""
    return 2 * needed(settings) if settings.confirm_for > 0 else 2


def agreed(memory: Memory, trouble: str, now: Reading) -> Memory:
    """Return the memory after a look that found this trouble; empty: it found none."""
    if now.steady < memory.settled_at:
        return memory  # this look says nothing
    if not trouble:
        return replace(memory, agreed="", agree=0, agree_at=0.0)
    if memory.agreed != trouble or not memory.agree:
        return replace(memory, agreed=trouble, agree=1, agree_at=now.steady)
    return replace(memory, agree=memory.agree + 1)


def missing(memory: Memory, settings: Sessions, now: Reading) -> str:
    """Return what is missing before the looks agree, or empty."""
    if now.steady < memory.settled_at:
        return "its screen is being drawn anew"
    wanted, spanned = needed(settings), now.steady - memory.agree_at
    if memory.agree < wanted:
        return f"{memory.agree} of {wanted} looks agree"
    if spanned < settings.confirm_for:
        span = format_duration(settings.confirm_for)
        return f"looks agree for {format_duration(spanned)} of {span}"
    if memory.samples < samples(settings):
        return f"{memory.samples} of {samples(settings)} looks without progress"
    return ""


def look_in(memory: Memory, settings: Sessions, now: Reading) -> float:
    """Return the seconds until the next look that confirms is wanted."""
    if now.steady < memory.settled_at:
        return memory.settled_at - now.steady
    spacing = max(settings.confirm_for / samples(settings), SOONEST)
    if memory.agree < needed(settings) or memory.samples < samples(settings):
        return spacing
    return max(memory.agree_at + settings.confirm_for - now.steady, SOONEST)


def entered(memory: Memory, state: State, now: Reading, window: float) -> Memory:
    """Return the memory with the state that this look found."""
    turns = tuple(at for at in memory.turns if 0 <= now.steady - at < window)
    if state == memory.state:
        return replace(memory, turns=turns) if turns != memory.turns else memory
    if memory.state and (state in HUNG) != (memory.state in HUNG):
        turns = (*turns, now.steady)[-(TURNS + 1) :]
    return replace(memory, state=state, since=now.steady, turns=turns)


def window_for(warn: float) -> float:
    """Return the seconds within which changes count as flapping."""
    return min(FLAPPING, 5 * warn)


def flapping(memory: Memory) -> bool:
    """Return whether it comes and goes too often to be acted upon."""
    return len(memory.turns) > TURNS


def lingers(memory: Memory, condition: str, state: State) -> Memory:
    """Return the memory with the trouble that is still told after this look.

    Args:
        memory: before.
        condition: what this look found, or empty.
        state: the session's state.
    """
    if condition:
        return replace(memory, trouble=condition, stirs=0)
    over = memory.stirs >= STIRS or state not in {"working", "tool", "quiet"}
    if memory.trouble and over:
        return replace(memory, trouble="", stirs=0)
    return memory if memory.trouble or not memory.stirs else replace(memory, stirs=0)
