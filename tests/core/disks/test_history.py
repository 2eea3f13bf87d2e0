"""A history is asked at a glance where nothing is to be read, written or counted."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from msgspec.structs import replace

from healmon.clock import ManualClock
from healmon.config.settings import Disk
from healmon.disks.forecast import KEPT, SLOT
from healmon.disks.history import ASK, History
from healmon.disks.model import Gauge
from healmon.disks.probe import Probe
from healmon.world.files import SystemFiles
from healmon.world.samples import Ring

NOW = 300_000 * SLOT


def gauge(percent: float) -> Gauge:
    used = int(percent * 10)
    return Gauge(used=used, free=1000 - used, size=1000, capacity=1000, percent=percent)


def kept(folder: Path) -> list[float]:
    return [round(row[1], 1) for row in Ring(str(folder / "a.ring"), 10).load()]


def history(folder: Path) -> History:
    return History(Ring(str(folder / "a.ring"), 10))


def test_the_first_measurement_is_no_matter_of_a_glance(tmp_path):
    past = history(tmp_path)
    assert past.glance(gauge(10), NOW) is None

    told = past.note(gauge(10), NOW)

    assert past.glance(gauge(10), NOW + SLOT) is told


def test_samples_of_glances_are_written_with_the_next_forecast(tmp_path):
    past = history(tmp_path)
    past.note(gauge(10), NOW)
    for slot in (1, 2):
        past.glance(gauge(10 + slot), NOW + slot * SLOT)
    assert kept(tmp_path) == []

    past.note(gauge(20), NOW + ASK)

    assert kept(tmp_path) == [10.0, 11.0, 12.0]
    assert [row[1] for row in past.rows] == [10.0, 11.0, 12.0]


def test_samples_that_are_not_written_yet_are_when_its_healer_ends(tmp_path):
    clock = ManualClock(NOW)
    disk = Disk(paths=(str(tmp_path),))
    probe = Probe(disk, str(tmp_path / "state"), SystemFiles(), clock)

    async def life() -> None:
        for _ in range(3):
            await probe.look()
            clock.advance(SLOT)
        await probe.close()

    asyncio.run(life())
    (ring,) = (tmp_path / "state" / "history").iterdir()
    assert len(Ring(str(ring), KEPT).load()) == 2


def test_what_a_glance_measured_is_kept_with_the_rest(tmp_path):
    past = history(tmp_path)
    past.note(gauge(10), NOW)

    past.glance(gauge(42), NOW + 60)
    past.note(gauge(20), NOW + SLOT)

    assert kept(tmp_path) == [42.0]


def test_a_glance_touches_no_file(tmp_path):
    folder = tmp_path / "state"
    past = history(folder)
    past.note(gauge(10), NOW)
    past.note(gauge(10), NOW + SLOT)
    shutil.rmtree(folder)

    assert past.glance(gauge(10), NOW + SLOT + 60) is not None
    assert not folder.exists()


def test_after_a_cleaning_and_when_the_forecast_is_old_a_glance_tells_nothing(tmp_path):
    past = history(tmp_path)
    past.note(gauge(10), NOW)
    past.cleaned()
    assert past.glance(gauge(10), NOW + 60) is None

    past.note(gauge(10), NOW + 60)
    assert past.outlook is not None
    past.outlook = replace(past.outlook, at=NOW + 60 - ASK)
    assert past.glance(gauge(10), NOW + 60) is None
