"""Alerts that come and go are one alert, and not many. Pure.

Of the last `RING` checks of a condition the share that brought a change is weighed, the newest
most: it flaps from `flapping_start` percent on, until it is below `flapping_end`. Its alert lives
on as it would, but is not told; the one alert `flapping` of its component is told instead.

The results of the checks need not be kept: between two turns of an alert, which are events, they
are all alike, and checks are one interval apart. So the turns say all, cost nothing while nothing
turns, and outlive healmon with its events.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from healmon.config.settings import Alerts
from healmon.plans import Finding, Severity, worse
from healmon.state import AlertView

CONDITION: Final = "flapping"
RING: Final = 20
"""Checks that are weighed."""
NEWEST: Final = 1.2
OLDEST: Final = 0.8


def percent(turns: Iterable[float], interval: float, now: float) -> float:
    """Return how much an alert flaps, 0 to 100.

    Args:
        turns: wall seconds at which it opened and ended.
        interval: seconds between two checks.
        now: wall seconds.
    """
    places = (int((now - at) // interval) for at in turns)
    step = (NEWEST - OLDEST) / (RING - 1)
    weights = (NEWEST - step * place for place in places if 0 <= place < RING)
    return min(100.0, 100.0 * sum(weights) / RING)


def remembered(rules: Alerts, interval: float) -> float:
    """Return for how many seconds an alert that is over is kept in mind."""
    return max(rules.reopen_within, RING * interval if rules.flapping else 0.0)


def flaps(
    turns: Sequence[float], rules: Alerts, interval: float, now: float, *, told: bool
) -> bool:
    """Return whether an alert with these turns flaps; `told`: its component was said to."""
    line = rules.flapping_end if told else rules.flapping_start
    if not rules.flapping or len(turns) * 100.0 * NEWEST / RING < line:
        return False  # so few cannot weigh so much
    return percent(turns, interval, now) >= line


def finding(
    alerts: Iterable[AlertView], rules: Alerts, interval: float, now: float
) -> Finding | None:
    """Return the one finding about a component whose alerts come and go; None: they do not.

    Args:
        alerts: of one component: open, over and the one about flapping itself.
        rules: `[alerts]` of the configuration.
        interval: seconds between two checks.
        now: wall seconds.
    """
    by_condition = {alert.key.rpartition("/")[2]: alert for alert in alerts}
    own = by_condition.pop(CONDITION, None)
    told = own is not None and own.state not in {"pending", "resolved"}
    names = [
        condition
        for condition, alert in sorted(by_condition.items())
        if flaps(alert.turns, rules, interval, now, told=told)
    ]
    if not names:
        return None
    level: Severity = "WARNING"
    for name in names:
        level = worse(level, by_condition[name].severity)
    what = ", ".join(names)
    text = f"{what}: comes and goes again and again; told as one until it holds still"
    return Finding(CONDITION, level, text, {"conditions": names}, confirmed=True)
