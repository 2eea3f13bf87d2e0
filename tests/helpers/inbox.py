"""What verdicts make of the inbox: the judge of alerts with a snapshot that it is folded into."""

from __future__ import annotations

from healmon import alerts
from healmon import events as ev
from healmon.alerts.confirm import Clear
from healmon.config.settings import Alerts
from healmon.plans import Finding, Verdict
from healmon.state import AlertView, Snapshot, apply, open_alerts

HOST, HEALER, COMPONENT = "box", "workers", "task_worker"
WALL = 1_770_000_000.0
AT_ONCE = Alerts(confirm_checks=1, clear_checks=1, reopen_within=0.0, flapping=False)
"""What is found is an alert, what is not found is over, and each is an incident of its own."""


def told(
    snapshot: Snapshot, healer: str, verdict: Verdict, wall: float, rules: Alerts = AT_ONCE
) -> list[ev.Event]:
    """Return the alert events of one verdict, nothing remembered."""
    return alerts.judge(alerts.Case.of(snapshot, healer, rules, wall), verdict).events


def finding(condition: str = "down", level="WARNING", message: str = "down", **evidence) -> Finding:
    return Finding(condition, level, message, evidence)


def verdict(*findings: Finding, status="unhealthy", component: str = COMPONENT) -> Verdict:
    return Verdict(component, status, "all is well", "process", "1", {}, findings)


def well(component: str = COMPONENT) -> Verdict:
    return verdict(status="healthy", component=component)


class Inbox:
    """A snapshot that looks are judged against and alert events folded into.

    Attributes:
        events: all that was told, with its wall time.
    """

    def __init__(self, rules: Alerts = AT_ONCE, interval: float = 60.0) -> None:
        self.rules = rules
        self.snapshot = Snapshot()
        self.wall = WALL
        self.clear: dict[str, Clear] = {}
        self.events: list[ev.Recorded] = []
        self.interval = interval
        self.tell(ev.EngineStarted(HOST, "1", 1, "test", False, interval, "b", 0.0))

    def tell(self, *told: ev.Event) -> None:
        for event in told:
            record = ev.Recorded(len(self.events) + 1, self.wall, event)
            self.events.append(record)
            self.snapshot = apply(self.snapshot, record)

    def look(
        self, *made: Verdict, healer: str = HEALER, after: float | None = None
    ) -> list[ev.Event]:
        """Judge one look after so many seconds (default: an interval); lay over what lies over."""
        self.wall += self.interval if after is None else after
        before = len(self.events)
        case = alerts.Case.of(self.snapshot, healer, self.rules, self.wall, self.clear)
        for one in made:
            self.observe(one, healer)
            judged = alerts.judge(case, one)
            for alert in case.there.get(one.component, ()):
                self.clear.pop(alert.key, None)
            self.clear |= judged.clear
            self.tell(*judged.events)
        self.tell(*alerts.overlay(self.snapshot, self.rules, self.wall))
        return [r.event for r in self.events[before:] if not isinstance(r.event, ev.Observed)]

    def observe(self, one: Verdict, healer: str = HEALER) -> None:
        known = self.snapshot.components.get(one.component)
        if known is None or (known.status, known.facts) != (one.status, one.facts):
            self.tell(
                ev.Observed(healer, one.component, one.status, one.summary, "", "", one.facts)
            )

    def key(self, condition: str = "down", component: str = COMPONENT, healer: str = HEALER) -> str:
        return alerts.key_of(HOST, healer, component, condition)

    def alert(self, condition: str = "down", component: str = COMPONENT) -> AlertView:
        return self.snapshot.alerts[self.key(condition, component)]

    def audible(self) -> list[str]:
        """Return the open alerts that nothing mutes, by component and condition."""
        found = (a for a in open_alerts(self.snapshot) if not a.overlays.muted)
        return [a.key.removeprefix(f"{HOST}/").partition("/")[2] for a in found]

    def all(self, *kinds: type) -> list:
        return [r.event for r in self.events if isinstance(r.event, kinds)]
