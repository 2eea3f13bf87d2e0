"""Keeps the alerts: hands each look to the judge and tells what came of it."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from healmon import alerts
from healmon.alerts import confirm, stale
from healmon.alerts.confirm import Clear
from healmon.clock import Clock
from healmon.config.settings import Alerts
from healmon.engine.stream import Stream
from healmon.events import Event
from healmon.plans import Verdict

MARGIN = 0.05
"""Seconds by which a look that is to confirm something is later than it must be."""


class Alarms:
    """All alerts of a run.

    It remembers which alerts the newest looks found no more: of a run that ended, nothing is lost
    by that but a check.

    Args:
        stream: where events go.
        clock: the engine's clock.
        rules: `[alerts]` of the configuration.
    """

    def __init__(self, stream: Stream, clock: Clock, rules: Alerts) -> None:
        self._stream = stream
        self._clock = clock
        self._rules = rules
        self._clear: dict[str, Clear] = {}

    def once(self) -> None:
        """Take every look for sure: in a run of one cycle there is no second one."""
        self._rules = replace(self._rules, confirm_checks=1, clear_checks=1)

    def amend(self, rules: Alerts) -> None:
        """Judge by other rules from now on."""
        self._rules = rules

    def case(self, healer: str, *, sure: bool = False) -> alerts.Case:
        """Return what the verdicts of a look are judged against.

        Args:
            healer: whose look it is.
            sure: what it finds to be over is over.
        """
        rules = replace(self._rules, clear_checks=1) if sure else self._rules
        now = self._clock.read()
        snapshot = self._stream.snapshot
        return alerts.Case.of(snapshot, healer, rules, now.wall, self._clear, now.steady)

    def judge(self, case: alerts.Case, verdict: Verdict, cause: int | None = None) -> None:
        """Tell what a verdict means for the alerts of its component."""
        if case.has_nothing_of(verdict):
            return
        judged = alerts.judge(case, verdict)
        for alert in case.there.get(verdict.component, ()):
            self._clear.pop(alert.key, None)
        self._clear |= judged.clear
        self._emit(judged.events, cause)

    def gone(self, component: str) -> None:
        """End the alerts of a component that exists no more."""
        events = alerts.gone(self._stream.snapshot, component)
        for event in events:
            self._clear.pop(event.key, None)
        self._emit(events)

    def unseen(self, healer: str, seconds: float, why: str) -> None:
        """Tell whose alerts nobody has been able to look at for too long."""
        snapshot = self._stream.snapshot
        prefix = f"{snapshot.engine.host}/{healer}/"
        mine = (alert for key, alert in snapshot.alerts.items() if key.startswith(prefix))
        self._emit(stale.unseen(snapshot, mine, self._rules, seconds, why))

    def begin(self, healers: Iterable[str], since: float) -> None:
        """Take over the alerts of the run before.

        Args:
            healers: who looks after them now.
            since: wall seconds of the last thing that the run before did.
        """
        snapshot = self._stream.snapshot
        names = [alerts.ENGINE, *healers]
        self._emit(alerts.strays(snapshot, snapshot.engine.host, names))
        now = self._clock.read().wall
        self._emit(stale.absence(self._stream.snapshot, self._rules, since, now))
        # a kill may have come between a silence and what it lies over: the first notice is soon
        self.overlay()

    def overlay(self) -> None:
        """Tell what lies over each alert now."""
        if not self._stream.snapshot.alerts:
            return
        now = self._clock.read().wall
        self._emit(alerts.overlay(self._stream.snapshot, self._rules, now))

    def tend(self) -> None:
        """Do what is due by the clock."""
        known = self._stream.snapshot
        if not (known.alerts or known.ended or known.maintenance or known.silences):
            return
        now = self._clock.read().wall
        self._emit(alerts.expire(self._stream.snapshot, now))
        self._emit(alerts.expire_maintenance(self._stream.snapshot, now))
        self._emit(alerts.expire_silences(self._stream.snapshot, now))
        self._emit(alerts.archive(self._stream.snapshot, self._rules, now))
        self.overlay()

    def look_in(self, healer: str) -> float | None:
        """Return in how many seconds a healer's next look would confirm something; None: nothing.

        Args:
            healer: who looks.
        """
        snapshot = self._stream.snapshot
        if not snapshot.alerts:
            return None
        prefix = f"{snapshot.engine.host}/{healer}/"
        waiting = any(
            a.state == "pending" for k, a in snapshot.alerts.items() if k.startswith(prefix)
        )
        clearing = any(key.startswith(prefix) for key in self._clear if key in snapshot.alerts)
        if not waiting and not clearing:
            return None
        return confirm.apart(snapshot.engine.interval) + MARGIN

    def _emit(self, events: Iterable[Event], cause: int | None = None) -> None:
        for event in events:
            self._stream.emit(event, cause)
