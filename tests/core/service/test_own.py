"""What the healer's own process costs."""

from __future__ import annotations

import os

import pytest

from healmon.service import links
from healmon.service.own import EVERY, Meter
from healmon.world import procfs


class Time:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_our_own_process_is_measured_every_ten_seconds_at_most(monkeypatch):
    looks = []
    real = procfs.stat_by

    def counted(pid):
        looks.append(pid)
        return real(pid)

    monkeypatch.setattr(procfs, "stat_by", counted)
    time = Time()
    meter = Meter(os.getpid, time)
    first = meter.read()
    assert first.percent is None
    assert 5_000_000 < first.rss < 2_000_000_000
    before = sum(os.times()[:2])
    while sum(os.times()[:2]) - before < 0.2:
        pass
    for _ in range(100):
        assert meter.read() == first
    assert len(looks) == 1
    time.now += EVERY
    second = meter.read()
    assert len(looks) == 2
    assert 1.0 < second.percent < 5.0


def test_nobody_and_somebody_else_are_told_apart():
    time = Time()
    pids = [os.getpid(), 1, None, os.getpid()]
    meter = Meter(lambda: pids.pop(0), time)
    assert meter.read() is not None
    time.now += EVERY
    # another process: what it used before is not what it used since the last look
    other = meter.read()
    assert other is None or other.percent is None
    time.now += EVERY
    assert meter.read() is None
    time.now += EVERY
    assert meter.read().percent is None


def test_a_process_that_is_gone_is_not_known():
    assert Meter(lambda: 1 << 22).read() is None


@pytest.mark.parametrize("held", [True, False])
def test_the_holder_of_the_state_directory_is_measured(tmp_path, held):
    from healmon.service.instance import Lock

    lock = Lock.acquire(tmp_path, version="1", mode="tui") if held else None
    try:
        near = links._Near(tmp_path, "")
        assert (near.usage() is not None) is held
    finally:
        if lock is not None:
            lock.release()
