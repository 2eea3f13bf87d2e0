"""Many sessions that stand still together are one cause, and no reason to press keys. Pure.

It is an outage when at least `sessions.outage` sessions, and 30 % of those with tasks, are stuck,
try again or gave up, and all of that began within a quarter of an hour. Then there is one alert,
nothing is done to them, and they agree anew on being stuck once it is over: what is left then is a
straggler and is handled like any other. Sessions that are about to stand still count for the brake,
not for the alert.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from healmon.clock import Reading
from healmon.config.settings import Sessions
from healmon.plans import Finding
from healmon.sessions.confirm import HUNG
from healmon.sessions.states import Case
from healmon.sessions.troubles import Trouble
from healmon.sessions.words import State
from healmon.units import format_duration

SHARE: Final = 0.3
WITHIN: Final = 900.0
"""Seconds within which it must have begun for all of them."""
NEAR: Final = 60.0
"""Seconds before it stands still from which on a session counts for the brake."""
NAMED: Final = 8


class Suspect(msgspec.Struct, frozen=True):
    """A session that may be in an outage.

    Attributes:
        onset: steady second at which its trouble began.
        sure: it stands still for long enough to be told.
    """

    onset: float
    sure: bool


def suspect(case: Case, state: State, trouble: Trouble | None) -> Suspect | None:
    """Return what a session adds to an outage; one that was tried in vain adds nothing."""
    memory, now = case.memory, case.now.steady
    if not case.seen.tasks or memory.quarantine or memory.failure:
        return None
    if state in HUNG or (state == "tool" and trouble is not None and trouble.told):
        age = case.quiet if trouble is None else trouble.age
        old = state == "stalled" or age >= min(case.settings.confirm_for, case.warn)
        return Suspect(now - age, old)
    near = max(case.warn - NEAR, case.warn / 2)
    return (
        Suspect(now - case.quiet, sure=False) if state == "quiet" and case.quiet >= near else None
    )


def together(suspects: Mapping[str, Suspect], tasked: int, settings: Sessions) -> frozenset[str]:
    """Return the sessions that stand still together, if they are enough; else none.

    Args:
        suspects: sessions that may be in it.
        tasked: how many sessions have tasks.
        settings: `[sessions]`.
    """
    order = sorted(suspects, key=lambda name: suspects[name].onset)
    best: list[str] = []
    first = 0
    for last, name in enumerate(order):
        while suspects[name].onset - suspects[order[first]].onset > WITHIN:
            first += 1
        if last - first >= len(best):
            best = order[first : last + 1]
    enough = len(best) >= settings.outage and len(best) >= SHARE * tasked
    return frozenset(best) if enough else frozenset()


def finding(
    members: Mapping[str, Suspect], tasked: int, settings: Sessions, now: Reading
) -> Finding | None:
    """Return the one finding of an outage; None: not enough of it is sure."""
    sure = sorted(name for name, one in members.items() if one.sure)
    if len(sure) < settings.outage or len(sure) < SHARE * tasked:
        return None
    since = now.steady - min(members[name].onset for name in sure)
    names = [name.partition(":")[2] for name in sure]
    listed = ", ".join(names[:NAMED])
    if len(names) > NAMED:
        listed += f" and {len(names) - NAMED} more"
    text = (
        f"{len(names)} of {tasked} sessions with tasks stand still together, for"
        f" {format_duration(since)}: {listed}; that is no fault of theirs (network? the service"
        " that they use?): nothing is pressed and no task is taken away until it is over"
    )
    evidence = {"sessions": names, "tasked": tasked}
    return Finding("outage", "CRITICAL", text, evidence, confirmed=True)
