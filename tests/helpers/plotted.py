"""A day and a month of made-up history to be drawn."""

from __future__ import annotations

import math
import random

from healmon import events as ev
from tests.helpers.scripted import NOW, key, lived_world

HOUR = 3_600.0
_LOUD = ev.AlertOpened | ev.AlertResolved | ev.ActionVerified | ev.ActionFailed
"""What the lived world tells itself."""


def plotted_world(hours: float = 30.0, every: float = 600.0) -> list[ev.Recorded]:
    """Return the lived world after hours in which disks filled and workers fell now and then."""
    chance, lived = random.Random(7), lived_world()
    first = min(record.wall for record in lived)
    happened: list[tuple[float, ev.Event]] = []
    start = NOW - hours * HOUR
    steps = int((NOW - start) // every)
    stuck = key("session:claude_tests", "stuck")
    for step in range(steps):
        at, day = start + step * every, step * every / (24 * HOUR)
        happened.append((at, ev.CycleStarted(step + 1)))
        for disk, level in (
            ("/", 62 + 24 * step / steps + 3 * math.sin(9 * day)),
            ("/data", 41 + 2 * math.sin(5 * day)),
            ("/var/log", 30 + (step * every / HOUR * 6) % 42),
        ):
            shown = ev.Observed("disks", f"disk:{disk}", "healthy", "s", "disk_usage",
                                f"{level:.1f}", {"percent": level})  # fmt: skip
            happened.append((at, shown))
        for _ in range(chance.choice((0, 0, 0, 0, 1, 1, 4) if day % 1 < 0.5 else (0, 0, 0, 0, 1))):
            took, number = chance.expovariate(0.6) + 0.4, f"h{step}"
            done = ev.ActionVerified(number, "api_worker", "restart_worker", "alive", took)
            failed = ev.ActionFailed(number, "api_worker", "restart_worker", "it fell", took)
            happened.append((at + 1, failed if chance.random() < 0.12 else done))
        if step % 36 == 9:
            name = "session:claude_tests"
            happened.append((at + 2, ev.AlertOpened(stuck, "WARNING", name, "it is stuck")))
            happened.append((at + 2 + 4 * every, ev.AlertResolved(stuck, "it works again")))
        if step % 50 == 30:
            down = key("mail_worker", "down")
            happened.append((at + 3, ev.AlertOpened(down, "CRITICAL", "mail_worker", "down")))
            happened.append((at + 3 + 2 * every, ev.AlertResolved(down, "up again")))
    gap = start + steps * every * 0.55
    kept = [one for one in happened if not gap < one[0] < gap + 2 * HOUR]
    run = ev.EngineStarted("atlas", "1", 1, "daemon", dry_run=False, interval=60.0, boot="b",
                           steady_offset=0.0)  # fmt: skip
    kept += [(start, run), (gap + 2 * HOUR, run)]
    kept = [one for one in kept if one[0] < first or not isinstance(one[1], _LOUD)]
    kept += [(record.wall, record.event) for record in lived]
    ordered = sorted(enumerate(kept), key=lambda one: (one[1][0], one[0]))
    return [ev.Recorded(n, round(at, 3), event) for n, (_, (at, event)) in enumerate(ordered, 1)]
