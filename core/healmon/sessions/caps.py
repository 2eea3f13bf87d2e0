"""How often healmon may act: caps, cool-down, breaker, one at a time. Pure.

All of it counts the attempts that the snapshot keeps (`Snapshot.attempts`), so that it holds across
restarts. What was begun and never ended counts as not cleared; but one that healmon's own end cut
off is gone on with, and both are one act: what was pressed stands in its evidence, and is not
pressed again. Only where that happens time and again the act itself is suspected.

Caps and breaker do not hold the tasks of a session that has ended, or that is quarantined: nothing
is pressed there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import takewhile
from typing import Final

from msgspec.structs import replace

from healmon.attempts import Attempt
from healmon.clock import Reading
from healmon.config.settings import Sessions
from healmon.sessions.facts import ACTION
from healmon.sessions.outcome import held_in
from healmon.state import Snapshot, finished_on
from healmon.units import format_duration

HOUR: Final = 3600.0
SESSION_WINDOW: Final = 6 * HOUR
BREAKER: Final = 2
"""Attempts in a row that cleared nothing, after which the breaker is open."""
CUT_OFF: Final = 5
"""Attempts in a row that healmon did not live to end, after which the breaker is open, too."""
BREAKER_OPEN: Final = 6 * HOUR
"""Seconds until it lets one more attempt pass."""
FREE: Final = ("gone ", "dead ", "quarantined ")
"""How the subject of a plan begins that settles tasks and is not counted."""


def free(subject: str) -> bool:
    """Return whether a plan with this subject is held by nothing and counts for nothing."""
    return subject.startswith(FREE)


def attempts(known: Snapshot) -> list[Attempt]:
    """Return the attempts to clear sessions that count, oldest first.

    One that was cut off once it was known that the program had held is over: nobody goes on.
    """
    done = known.attempts.get(ACTION, ())
    return [replace(a, cut=False) if a.cut and held_in(a.left) else a for a in done]


def holds(known: Snapshot, component: str, settings: Sessions, now: Reading) -> str:
    """Return why a session may not be acted on now, or empty."""
    done = attempts(known)
    mine = [a for a in done if a.component == component]
    acts = _acts(done, component)
    return (
        breaker(mine, now)
        or _cooling(mine, settings.cooldown, now)
        or _capped(
            [a for a in acts if a.component == component],
            SESSION_WINDOW, settings.acts_per_session, now, "on this session",
        )
        or _capped(acts, HOUR, settings.acts_per_hour, now, "on all sessions")
    )  # fmt: skip


def _acts(done: Sequence[Attempt], component: str) -> list[Attempt]:
    """Return what counts as an act of its own for one session.

    What was cut off and what goes on with it are one act: the later one counts. Nobody goes on
    with the newest one but this session, whose next attempt is just that.
    """
    newest = {a.component: a for a in done}
    return [a for a in done if not a.cut or (a is newest[a.component] and a.component != component)]


def cooling(known: Snapshot, component: str, settings: Sessions, now: Reading) -> str:
    """Return why tasks of a session that is lost or quarantined are left for a while, or empty."""
    mine = (a for a in reversed(finished_on(known, component)) if a.action == ACTION)
    last = next(mine, None)
    left = settings.cooldown - max(now.wall - last.at, 0.0) if last is not None else 0.0
    return f"cool-down for another {format_duration(left)}" if left > 0 else ""


def breaker(mine: Sequence[Attempt], now: Reading) -> str:
    """Return why the breaker of a session is open, or empty."""
    row = list(takewhile(lambda attempt: not attempt.ok, reversed(mine)))
    left = BREAKER_OPEN - _age(mine[-1], now) if mine else 0.0
    if left <= 0:
        return ""
    again = f"the next one in {format_duration(left)}"
    failed = sum(not attempt.cut for attempt in row)
    if failed >= BREAKER:
        return f"{failed} attempts in a row cleared nothing: {again}"
    cut = sum(1 for _ in takewhile(lambda attempt: attempt.cut, row))
    if cut >= CUT_OFF:
        return f"healmon ended in the midst of {cut} attempts in a row: {again}"
    return ""


def _cooling(mine: Sequence[Attempt], cooldown: float, now: Reading) -> str:
    # what was cut off is not over: its other half has nothing to wait for
    left = cooldown - _age(mine[-1], now) if mine and not mine[-1].cut else 0.0
    return f"cool-down for another {format_duration(left)}" if left > 0 else ""


def _capped(done: Collection[Attempt], window: float, most: int, now: Reading, where: str) -> str:
    ours = [a for a in done if a.origin == "healmon" and _age(a, now) < window]
    if len(ours) < most:
        return ""
    return f"{len(ours)} acts {where} within {format_duration(window)}: no more for now"


def _age(attempt: Attempt, now: Reading) -> float:
    # one of the future is of a boot that told another time: the wall clock may know better
    passed = now.steady - attempt.due
    return passed if passed >= 0 else max(now.wall - attempt.at, 0.0)


def busy(known: Snapshot) -> str:
    """Return the session that is being acted on, or empty."""
    for component, view in known.plans.items():
        if view.plan.action == ACTION and not free(view.plan.subject):
            return component
    return ""
