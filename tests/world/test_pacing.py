"""How fast files may go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from healmon.clock import process_seconds
from healmon.world.filedata import Choice, Limits
from healmon.world.pacing import LEAST, Pace, Pacing
from tests.helpers.filestage import DAY, RealStage


@given(st.integers(1, 2000), st.lists(st.floats(0, 0.5), min_size=1, max_size=200))
def test_never_more_go_in_a_second_than_may(rate, stalls):
    pace, now, gone = Pace(rate), 100.0, []
    for stall in stalls:
        gone.append(now)
        now += stall + pace.after(now + stall)
    for first, at in enumerate(gone):
        within = sum(at <= other < at + 1.0 for other in gone[first:])
        assert within <= rate * (1 + 2 * LEAST) + 2


def test_without_stalls_it_is_as_fast_as_it_may_be():
    pace, now = Pace(50), 0.0
    for _ in range(500):
        now += pace.after(now)
    assert 9.9 <= now <= 10.1


def test_a_sweep_keeps_its_pace_and_stops_at_once_when_asked(tmp_path):
    stage = RealStage(tmp_path)
    for n in range(6):
        stage.write(f"{n}.log", 9 * DAY, 10)
    limits = Limits(1000, 60.0, 20)
    began = process_seconds()
    swept = stage.files.sweep(
        stage.selection(), Choice(), "delete", stage.now, limits, lambda: False
    )
    assert swept.taken.files == 6
    assert process_seconds() - began >= 0.25
    asked = []
    Pacing(1, lambda: asked.append(1) or True).rest()
    assert len(asked) == 1, "no second nap"
