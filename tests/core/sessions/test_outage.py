"""Many sessions that stand still together are one alert and no act."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.config.settings import Sessions
from healmon.sessions.outage import WITHIN, Suspect, together
from tests.helpers.sessionjudge import (
    HOUR,
    IDLE,
    RETRYING,
    BenchOfSessions,
    a_job,
    a_session,
)

ROWS = 40
"""Of a terminal: no screen shows more."""


def working(name, t):
    last = int(t) // 20
    lines = (f"{name} {n} {n * n}" for n in range(max(0, last - ROWS), last))
    return a_job(name, screen="\n".join(lines))


def world(hung, well, from_=0.0):
    """Sessions of which the first `hung` say nothing new from a moment on."""

    def make(t):
        broken = [
            a_session(f"h{n:02}") if t >= from_ + n * 5 else working(f"h{n:02}", t)
            for n in range(hung)
        ]
        return [*broken, *(working(f"w{n:02}", t) for n in range(well))]

    return make


@pytest.mark.slow
def test_twelve_of_twenty_are_one_outage_and_no_act():
    bench = BenchOfSessions()
    make = world(12, 8, from_=300.0)
    assert not bench.run(2 * HOUR, make)
    assert bench.open("healmon") == {"outage"}
    assert "12 of 20" in bench.message("outage", "healmon")
    assert sum("outage" in key for key in bench.opened()) == 1
    held = [bench.facts(f"h{n:02}").held for n in range(12)]
    assert all("outage" in why for why in held)


@pytest.mark.slow
def test_a_straggler_is_handled_and_only_after_it_agreed_anew():
    bench = BenchOfSessions()
    bench.run(HOUR, world(12, 8))
    over = bench.now
    make = world(1, 19)
    assert not bench.run(110, make)
    assert bench.open("healmon") == set()
    (plan,) = bench.run(400, make)
    assert plan.component == "session:h00"
    assert bench.now - over >= 120


@pytest.mark.slow
def test_its_members_have_no_alert_of_their_own_but_those_that_were_open():
    bench = BenchOfSessions()
    bench.run(700, world(1, 9))
    assert bench.open("h00") == {"stuck"}
    bench.run(HOUR, world(6, 4, from_=700.0))
    assert bench.open("healmon") == {"outage"}
    assert bench.open("h00") == {"stuck"}
    assert all(bench.open(f"h{n:02}") == set() for n in range(1, 6))


@pytest.mark.slow
def test_too_few_are_none():
    bench = BenchOfSessions(acts_per_hour=100)
    plans = bench.run(HOUR, world(2, 2), act=True)
    assert {p.component for p in plans} == {"session:h00", "session:h01"}
    bench = BenchOfSessions(acts_per_hour=100)
    plans = bench.run(HOUR, world(3, 17), act=True)
    assert len({p.component for p in plans}) == 3, "three are less than 30 % of twenty"


@pytest.mark.slow
def test_troubles_that_began_hours_apart_are_none():
    def make(t):
        names = [("a", 0.0), ("b", 2 * HOUR), ("c", 4 * HOUR)]
        return [a_session(n) if t >= at else working(n, t) for n, at in names]

    bench = BenchOfSessions(on_stuck="alert")
    bench.run(6 * HOUR, make)
    assert bench.open("healmon") == set()


@pytest.mark.slow
def test_retries_of_many_count_too_and_idle_ones_do_not():
    bench = BenchOfSessions(retry_act=True)
    names = [f"s{n}" for n in range(5)]
    assert not bench.run(HOUR, lambda _: [a_session(n, sign=RETRYING) for n in names])
    assert bench.open("healmon") == {"outage"}
    bench = BenchOfSessions(acts_per_hour=100)
    plans = bench.run(HOUR, lambda _: [a_session(n, sign=IDLE) for n in names], act=True)
    assert {p.component for p in plans} == {f"session:{n}" for n in names}


def test_a_blip_is_no_alert():
    bench = BenchOfSessions()
    names = [f"s{n}" for n in range(5)]
    bench.run(300, lambda t: [working(n, t) for n in names])
    bench.run(60, lambda _: [a_session(n, sign=RETRYING) for n in names])
    assert bench.open("healmon") == set()


SUSPECTS = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=3),
    st.builds(Suspect, st.floats(0, 10_000), st.booleans()),
    max_size=12,
)


@given(SUSPECTS, st.integers(0, 20))
def test_those_together_are_enough_and_began_together(suspects, more):
    settings = Sessions()
    tasked = len(suspects) + more
    found = together(suspects, tasked, settings)
    assert found <= suspects.keys()
    onsets = sorted(one.onset for one in suspects.values())
    if found:
        mine = [suspects[name].onset for name in found]
        assert max(mine) - min(mine) <= WITHIN
        assert len(found) >= max(settings.outage, 0.3 * tasked)
    else:
        most = max((sum(at <= o <= at + WITHIN for o in onsets) for at in onsets), default=0)
        assert most < settings.outage or most < 0.3 * tasked
