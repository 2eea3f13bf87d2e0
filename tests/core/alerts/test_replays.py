"""Whole nights through the judge of alerts and the outbox: how much a person is told."""

from __future__ import annotations

import random

import pytest

from healmon.clock import Reading
from healmon.config import settings as st
from healmon.engine.alarms import Alarms
from healmon.plans import Finding, Verdict
from tests.helpers.postroom import Postroom, ladder

WORKERS = ("assigner", "task", "mail")


class Ward(Postroom):
    """Looks at workers in cycles, judges them, and tells what is due."""

    def __init__(self, interval: float, notify: st.Notify | None = None) -> None:
        super().__init__(notify or ladder("ops", "boss"))
        self.interval = interval
        self.alarms = Alarms(_Stream(self), _Clock(self), st.Alerts())

    def cycle(self, *down: str, storm: bool = False, pid: int = 1) -> None:
        case = self.alarms.case("workers")
        if storm:
            text = f"{len(down)} workers failed together"
            finding = Finding("storm", "CRITICAL", text, {"workers": list(down)}, confirmed=True)
            self.alarms.judge(case, _verdict("healmon", finding))
        for name in WORKERS:
            text = f"{name} is down: start {pid} failed"
            findings = [Finding("down", "CRITICAL", text, {"pid": pid})] if name in down else []
            self.alarms.judge(case, _verdict(name, *findings))
        self.alarms.tend()
        self.run(self.interval, self.interval / 5)

    def times(self, topic: str) -> int:
        return sum(message.topic == topic for _, message in self.told)


class _Stream:
    def __init__(self, ward: Ward) -> None:
        self._ward = ward

    @property
    def snapshot(self):
        return self._ward.snapshot

    def emit(self, event, cause=None) -> int:
        return self._ward.emit(event)


class _Clock:
    def __init__(self, ward: Ward) -> None:
        self._ward = ward

    def read(self) -> Reading:
        return Reading(self._ward.now, self._ward.now, self._ward.now)


def _verdict(component: str, *findings: Finding) -> Verdict:
    status = "critical" if findings else "healthy"
    return Verdict(component, status, "it is up", "process", "1", {}, findings)


def test_six_hours_of_three_workers_that_fail_together():
    ward = Ward(75)
    for cycle in range(284):
        ward.cycle(*WORKERS, storm=True, pid=cycle)
    muted = [a for a in ward.snapshot.alerts.values() if a.overlays.muted]
    assert len(ward.snapshot.alerts) - len(muted) == 1, "one alert that calls"
    assert 2 <= len(ward.told) <= 4
    assert ward.log()[0][1:] == ("ops", "opened")


def test_six_hours_of_three_workers_that_fail_without_a_storm():
    ward = Ward(75)
    for cycle in range(284):
        ward.cycle(*WORKERS, pid=cycle)
    assert 2 <= len(ward.told) <= 4


@pytest.mark.slow
def test_a_day_of_flapping_is_few_notices_and_a_closing_summary():
    ward = Ward(60)
    for cycle in range(24 * 60):
        ward.cycle(*(["task"] if cycle % 4 < 2 else []), pid=cycle)
    before = len(ward.told)
    assert 1 <= before <= 14, ward.log()
    for _ in range(120):
        ward.cycle()
    assert not ward.snapshot.alerts
    assert not ward.snapshot.held or all(view.told for view in ward.snapshot.held.values())
    closing = [m for _, m in ward.told[before:] if m.channel == "ops"]
    assert [m.topic for m in closing] == ["summary"], ward.log()
    assert "flapping of task ended" in closing[0].title
    assert not [a for a in ward.snapshot.ended.values() if a.told]


def test_a_disk_that_wanders_around_its_line_is_one_alert():
    ward = Ward(75)
    chance = random.Random(1)
    for _ in range(155):
        percent = 86 + chance.random()
        case = ward.alarms.case("disks")
        text = f"/ is {percent:.1f} % full"
        finding = Finding("full", "WARNING", text, {"percent": percent})
        ward.alarms.judge(case, _verdict("disk:/", finding))
        ward.alarms.tend()
        ward.run(75, 75)
    assert len(ward.snapshot.alerts) == 1
    assert not ward.told


@pytest.mark.slow
def test_a_night_of_random_trouble_closes_whatever_it_told():
    for seed in range(2):
        ward = Ward(60)
        chance = random.Random(seed)
        down: set[str] = set()
        for cycle in range(6 * 60):
            for name in WORKERS:
                if chance.random() < 0.03:
                    down ^= {name}
            ward.down = {"ops"} if chance.random() < 0.1 else set()
            ward.cycle(*sorted(down), pid=cycle)
        ward.down = set()
        for _ in range(90):
            ward.cycle()
        assert not ward.snapshot.notices
        assert not [a.key for a in ward.snapshot.ended.values() if a.told]
        for channel in ("ops", "boss"):
            topics = [m.topic for m in ward.of(channel)]
            assert not topics or topics[-1] in {"recovered", "summary"}, (seed, ward.log())
        assert ward.told
