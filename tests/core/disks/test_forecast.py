"""When it will be full: not missed, not cried wolf about, told once, and never acted on."""

from __future__ import annotations

import random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.clock import ManualClock
from healmon.config.settings import Disk
from healmon.disks.diagnose import diagnose
from healmon.disks.forecast import FULL, Sample, foresee, since_drop, theil_sen, uncut
from healmon.disks.history import History
from healmon.disks.model import DiskSeen, Gauge, Outlook, Seen, Target
from healmon.plans import Packed
from healmon.state import Snapshot
from healmon.world.samples import RECORD, Ring
from tests.helpers import diskhistories
from tests.helpers.diskhistories import SLOT, START
from tests.helpers.forecasting import alarms, score

HOUR, DAY = 3600.0, 86_400.0
ROOT = Target("disk:/", "filesystem", "/")


def line(hours: float, level, every: float = SLOT) -> list[Sample]:
    return [
        Sample(START + n * every, level(n * every / HOUR)) for n in range(int(hours * HOUR / every))
    ]


def gauge(percent: float, inodes: float | None = None) -> Gauge:
    return Gauge(used=int(percent), free=int(100 - percent), size=100, capacity=100,
                 percent=percent, inode_percent=inodes)  # fmt: skip


def test_steady_growth_is_foreseen_to_the_hour():
    samples = line(96, lambda h: 40 + 0.5 * h)
    told = foresee(samples, samples[-1].at)
    assert told.way == "trend"
    assert told.eta == pytest.approx(24 * HOUR, abs=2 * HOUR)
    assert told.rate == pytest.approx(0.5, abs=0.02)
    assert told.soonest <= told.eta <= told.latest


def test_what_stands_still_or_only_falls_is_never_full():
    for level in (lambda h: 60.0, lambda h: 80 - 0.1 * h):
        samples = line(96, level)
        assert foresee(samples, samples[-1].at).eta is None


def test_a_saw_below_its_high_water_mark_fills_nothing_however_steep():
    samples = line(96, lambda h: 60 + 3 * (h % 10))
    for end in range(len(samples) // 2, len(samples), 7):
        told = foresee(samples[:end], samples[end - 1].at)
        assert told.eta is None, told


def test_a_young_saw_is_silent_and_a_young_rise_is_told_but_alarms_nobody():
    saw = line(20, lambda h: 60 + 3 * (h % 10))
    assert foresee(saw, saw[-1].at).eta is None
    rise = line(3, lambda h: 60 + 4 * h)
    told = foresee(rise, rise[-1].at)
    assert told.way == "young"
    assert told.eta == pytest.approx(7 * HOUR, abs=HOUR)


def test_a_machine_that_is_off_at_night_is_foreseen_too():
    samples = [one for one in line(144, lambda h: 40 + h / 4) if (one.at - START) % DAY < 8 * HOUR]
    told = foresee(samples, samples[-1].at)
    assert told.way == "trend"
    assert told.rate == pytest.approx(0.25, abs=0.02)
    assert told.eta == pytest.approx(4 * 60 / 6 * 2.6 * HOUR, rel=0.2)


def test_a_rise_is_believed_once_it_has_come_a_third_of_the_way_to_full():
    """A copy looks as a runaway does at first: told too soon, every big copy is an alarm."""
    quiet = line(96, lambda h: 40.0)
    begin, now = quiet[-1].at, quiet[-1].at
    ways = []
    for _ in range(36):  # 40 to 100 % in 3 h
        now += SLOT
        quiet.append(Sample(now, 40 + 20 * (now - begin) / HOUR))
        told = foresee(quiet, now)
        if told.way == "rise":
            ways.append((now - begin) / HOUR)
            assert told.eta == pytest.approx((3 - ways[-1]) * HOUR, abs=0.1 * HOUR)
    assert ways[0] == pytest.approx(1.0, abs=0.1)
    assert len(ways) >= 23, "and from then on"


def test_own_cleaning_is_taken_out_of_the_series():
    samples = [Sample(0, 90), Sample(300, 91), Sample(600, 71, cut=True), Sample(900, 72)]
    assert [level for _, level in uncut(samples)] == [70, 71, 71, 72]
    assert len(since_drop(uncut(samples))) == 4


@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats(0, 100)), max_size=60), st.booleans())
def test_any_history_has_a_sane_answer(rows, cut):
    samples = [Sample(float(at), level, cut) for at, level in sorted(rows)]
    told = foresee(samples, 10**6)
    assert told.eta is None or told.eta >= 0
    low, middle, high = theil_sen(uncut(samples))
    assert low <= middle <= high


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fills", "quiet", "most"),
    [
        (diskhistories.filling, diskhistories.quiet, 0.29),
        (diskhistories.held_filling, diskhistories.held_quiet, 0.27),
    ],
    ids=["made for", "not made for"],
)
def test_no_fill_is_missed_and_quiet_machines_stay_quiet(fills, quiet, most):
    """One of each kind; `most` are false alarms a machine-week. For six of each: docs/disks.md."""
    found = score([*fills(random.Random(0)), *quiet(random.Random(0))], DAY)
    assert found.fills == 5
    assert not found.missed
    assert found.false_a_week <= most, found.false


@pytest.mark.slow
def test_a_runaway_on_top_of_nightly_dumps_is_alarmed_in_time():
    """Ten machines, asked every quarter of an hour in the five days before they are full."""
    rng, leads, early = random.Random(24), [], 0
    for _ in range(10):
        base, hour = rng.uniform(45, 60), rng.uniform(0, 22)
        dump = diskhistories._dump(hour, rng.uniform(5, 15))
        begin = 13 + rng.uniform(0, 0.5)
        rate = (FULL - base) / 3 * 24
        past = diskhistories._made(
            "runaway",
            lambda d, base=base, dump=dump, begin=begin, rate=rate: (
                base + dump(d) + rng.gauss(0, 0.05) + max(0.0, d - begin) * rate
            ),
        )
        assert past.full is not None
        begun = alarms(past, 4 * HOUR, begin=past.full - 5 * diskhistories.PER_DAY)
        right = [s for s in begun if s >= begin * diskhistories.PER_DAY]
        early += len(begun) - len(right)
        leads.append((past.full - right[0]) * SLOT / 60)
    assert min(leads) >= 35
    assert median(leads) >= 75
    assert early <= 1


def cycles(outlooks: list[Outlook | None], percent: float = 60.0, disk: Disk | None = None):
    """Return the findings and plans of consecutive looks."""
    memory: dict[str, Packed] = {}
    told = []
    for outlook in outlooks:
        seen = Seen((DiskSeen(target=ROOT, gauge=gauge(percent), outlook=outlook),))
        (verdict,) = diagnose(
            seen, disk or Disk(), Snapshot(memory=memory), ManualClock().read()
        ).verdicts
        memory = {ROOT.component: verdict.memory}
        assert verdict.plan is None, "a forecast never acts"
        told.append([f.message for f in verdict.findings if f.condition == "filling"])
    return told


def soon(at: float, hours: float | None, way: str = "trend") -> Outlook:
    return Outlook(at=at, eta=None if hours is None else hours * HOUR, rate=1.0, way=way)


def test_two_answers_below_the_horizon_are_one_warning_until_two_say_otherwise():
    told = cycles([soon(1, 20), soon(1, 20), soon(2, 19), soon(3, 5), soon(4, 30), soon(5, None),
                   soon(6, 99), soon(7, 20)])  # fmt: skip
    assert [bool(one) for one in told] == [False, False, True, True, True, True, False, False]
    assert len({one[0] for one in told if one}) == 1, "the same words while it lasts"
    assert "will be full in about" in told[2][0]


def test_what_is_far_young_or_not_wanted_is_no_warning():
    assert not any(cycles([soon(n, 30) for n in range(9)]))
    assert not any(cycles([soon(n, 2, "young") for n in range(9)]))
    assert not any(cycles([soon(n, 2) for n in range(9)], disk=Disk(horizon=0.0)))
    assert not any(cycles([None] * 3))


def test_samples_outlive_the_program_and_stay_bounded(tmp_path):
    path = str(tmp_path / "history" / "a.ring")
    history = History(Ring(path, 50))
    for minute in range(400):
        history.note(gauge(50 + minute / 100), START + minute * 60)
    again = History(Ring(path, 50))
    told = again.note(gauge(54), START + 400 * 60)
    assert len(again.rows) == 50
    assert [row[0] for row in again.rows] == [row[0] for row in history.rows][-50:]
    assert told.rate == pytest.approx(0.6, abs=0.05)
    assert (tmp_path / "history" / "a.ring").stat().st_size == 50 * RECORD.size


@pytest.mark.parametrize("junk", [b"", b"x" * 17, b"\xff" * 4000, b"\0" * 4000])
def test_a_damaged_file_of_samples_is_only_forgotten(tmp_path, junk):
    path = tmp_path / "a.ring"
    path.write_bytes(junk)
    history = History(Ring(str(path), 50))
    assert history.note(gauge(54), START).eta is None
    history.note(gauge(54), START + 300)
    assert len(Ring(str(path), 50).load()) == 1


def test_where_nothing_can_be_written_it_is_foreseen_all_the_same(tmp_path):
    history = History(Ring(str(tmp_path / "file" / "a.ring"), 50))
    (tmp_path / "file").write_text("in the way")
    for slot in range(12):
        told = history.note(gauge(50 + slot), START + slot * SLOT)
    assert len(history.rows) == 11
    assert told.way == "young"


def test_inodes_that_run_out_first_are_what_is_told(tmp_path):
    history = History(Ring(str(tmp_path / "a.ring"), 50))
    for slot in range(12):
        history.note(gauge(50, inodes=20 + 5 * slot), START + slot * SLOT)
    history.outlook = None
    told = history.note(gauge(50, inodes=80), START + 12 * SLOT)
    assert told.inodes
    assert told.eta is not None


def test_healmons_own_cleaning_marks_the_sample_after_it(tmp_path):
    history = History(Ring(str(tmp_path / "a.ring"), 50))
    history.note(gauge(96), START)
    history.cleaned()
    history.note(gauge(79), START + 10)
    history.note(gauge(79), START + 400)
    assert [(row[1], row[3]) for row in history.rows] == [(96, False), (79, True)]
