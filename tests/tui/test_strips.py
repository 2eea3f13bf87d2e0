"""How things went lately, folded from events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon import events as ev
from healmon.state import replay
from healmon_tui import strips
from healmon_tui.rows import sessions
from healmon_tui.strips import CELL, CELLS, COMPONENTS, KEPT, LEVELS, STUCK, Strips, spans, spark
from tests.helpers.scripted import lived_world, world

NOW = 1_000_000 * CELL + 30
"""Half a minute into a cell."""


def seen(at, state, name="w", healer="workers", status="healthy", **facts):
    event = ev.Observed(healer, name, status, state, "t", "v", {"state": state, **facts})
    return ev.Recorded(int(at), at, event)


def folded(*records):
    made = Strips()
    for record in records:
        made.add(record)
    return made


def test_each_cell_says_the_worst_of_its_time():
    made = folded(
        seen(NOW - 3000, "healthy"),
        seen(NOW - 4 * CELL, "backoff"),
        seen(NOW - 4 * CELL + 1, "down"),
        seen(NOW - 4 * CELL + 2, "healthy"),
        seen(NOW - CELL, "starting"),
    )
    cells = made.uptime("w", NOW)
    assert cells[-5:] == ("down", "up", "up", "part", "part")
    assert set(cells[:-5]) == {"up"}
    assert made.uptime("nobody", NOW) == ("",) * CELLS


def test_a_first_look_says_since_when_it_is_so():
    made = folded(seen(NOW - 60, "healthy", since=NOW - 5 * CELL))
    assert made.uptime("w", NOW) == ("",) * (CELLS - 6) + ("up",) * 6


@pytest.mark.parametrize(
    ("state", "facts", "wanted"),
    [
        ("healthy", {}, "up"), ("probation", {}, "up"), ("backoff", {}, "part"),
        ("waiting_dependency", {}, "part"), ("quarantined", {}, "down"), ("blocked", {}, "down"),
        ("stopped", {}, "off"), ("down", {"desired": "down"}, "off"), ("down", {}, "down"),
        ("healthy", {"status": "unknown"}, "blind"), ("", {}, "up"),
    ],
)  # fmt: skip
def test_every_state_of_a_worker_is_one_kind(state, facts, wanted):
    assert folded(seen(NOW, state, **facts)).uptime("w", NOW)[-1] == wanted


def test_what_nobody_looked_at_is_not_known():
    made = folded(
        seen(NOW - 20 * CELL, "healthy"),
        ev.Recorded(2, NOW - 10 * CELL, ev.CycleFinished(1, 0.1, 60)),
        ev.Recorded(3, NOW - 4 * CELL, ev.EngineStarted("h", "1", 1, "t", dry_run=False,
                                                       interval=60, boot="b", steady_offset=0)),
    )  # fmt: skip
    cells = made.uptime("w", NOW)
    assert cells[-10:-5] == ("blind",) * 5
    assert cells[-4:] == ("up",) * 4
    assert cells[0] == "up"


def test_later_events_change_nothing_of_an_earlier_moment():
    early = [seen(NOW - 900, "healthy", cpu=3.0), seen(NOW - 500, "down", cpu=9.0)]
    late = [seen(NOW - 100, "healthy", cpu=80.0), seen(NOW, "quarantined", cpu=1.0)]
    before, after = folded(*early), folded(*early, *late)
    then = NOW - 300
    assert after.uptime("w", NOW) != before.uptime("w", then)
    assert after.uptime("w", then) == before.uptime("w", then)
    assert after.levels("w", then) == before.levels("w", then)


@given(
    st.lists(
        st.tuples(st.integers(0, 4000), st.sampled_from(["healthy", "backoff", "down", "stopped"])),
        min_size=1, max_size=40,
    ),
    st.integers(0, 40),
)  # fmt: skip
def test_older_events_read_later_say_the_same(turns, cut):
    records = [seen(NOW - 4000 + ago, state) for ago, state in sorted(turns)]
    whole = folded(*records)
    newer, older = folded(*records[cut:]), folded(*records[:cut])
    newer.before(older)
    assert newer.uptime("w", NOW) == whole.uptime("w", NOW)


def test_what_was_concluded_gives_way_to_what_was_seen():
    newer = folded(seen(NOW - CELL, "healthy", since=NOW - 10 * CELL))
    newer.before(folded(seen(NOW - 9 * CELL, "healthy"), seen(NOW - 5 * CELL, "unhealthy")))
    assert newer.uptime("w", NOW)[-6:] == ("down",) * 5 + ("up",)
    seeded = Strips()
    seeded.seed(replay([seen(NOW - CELL, "healthy")]))
    assert seeded.uptime("w", NOW)[-2:] == ("up", "up")


def test_levels_are_the_highest_of_each_cell_and_go_on_until_the_next():
    made = folded(*(seen(NOW - ago, "healthy", cpu=value) for ago, value in (
        (6 * CELL, 5.0), (4 * CELL, 7.0), (4 * CELL - 1, 50.0), (4 * CELL - 2, 2.0), (CELL, 1.0),
    )))  # fmt: skip
    assert made.levels("w", NOW) == (5.0, 5.0, 50.0, 50.0, 50.0, 1.0, 1.0)[:7]


def test_how_many_sessions_were_stuck():
    made = folded(
        seen(NOW - 3000, "working", "session:a", "sessions", tasks=[1]),
        seen(NOW - 3000, "stalled", "session:b", "sessions", tasks=[2]),
        seen(NOW - 3 * CELL, "stalled", "session:a", "sessions", tasks=[1]),
        seen(NOW - CELL, "working", "session:b", "sessions", tasks=[2]),
    )
    assert made.stuck(["session:a", "session:b"], NOW) == (1,) * (CELLS - 4) + (2, 2, 2, 1)


def test_the_states_that_are_stuck_are_those_of_the_rows():
    assert {s for s, need in sessions._NEEDS.items() if need == sessions.STUCK} == STUCK


def test_nothing_grows_without_end():
    made = Strips()
    for number in range(3 * KEPT * 3):
        made.add(seen(number * CELL, ("healthy", "down")[number % 2], cpu=float(number)))
    for number in range(COMPONENTS + 50):
        made.add(seen(NOW, "healthy", f"w{number}", cpu=1.0))
    assert max(map(len, made._turns.values())) <= 2 * KEPT
    assert max(map(len, made._levels.values())) <= 2 * LEVELS
    assert len(made._turns) <= COMPONENTS
    assert len(made._levels) <= COMPONENTS


def test_a_clock_that_was_set_back_breaks_nothing():
    made = folded(seen(NOW, "healthy", cpu=1), seen(NOW - 9000, "down", cpu=2),
                  seen(NOW + 1, "healthy", cpu=3))  # fmt: skip
    assert len(made.uptime("w", NOW + 1)) == CELLS
    assert made.levels("w", NOW + 1)


def test_a_strip_can_be_read_without_colours():
    shown = spans(("", "up", "off", "blind", "part", "down"))
    texts = [span.text for span in shown]
    assert len(set("".join(texts))) == 6
    assert sum(map(len, texts)) == 6


@pytest.mark.parametrize(
    ("values", "least", "top", "wanted"),
    [
        ((), 1.0, None, ""),
        ((80.0, 81.0, 82.0), 5.0, None, "▁▂▄"),
        ((40.0, 40.0), 5.0, None, "▁▁"),
        ((0.0, 50.0, 100.0, 400.0), 1.0, 100.0, "▁▅██"),
    ],
)
def test_sparks(values, least, top, wanted):
    assert spark(values, least, top) == wanted


def test_the_same_events_in_a_chronicle_and_of_a_whole_world():
    made = folded(*lived_world())
    assert made.uptime("mail_worker", lived_world()[-1].wall)[-1] == "down"
    assert folded(*world()).uptime("task_worker", world()[-1].wall) == ("up",) * CELLS
    assert strips.SPAN == 1800


def test_a_clock_that_is_set_moves_what_was_seen_along():
    for by in (365 * 86400.0, -365 * 86400.0):
        early = [seen(NOW - 900, "healthy", cpu=3.0), seen(NOW - 500, "down", cpu=9.0)]
        made = folded(*early, ev.Recorded(9, NOW + by, ev.ClockJumped(0.0, by)))
        straight = folded(*early)
        assert made.uptime("w", NOW + by)[-8:] == straight.uptime("w", NOW)[-8:]
        assert made.levels("w", NOW + by)[-4:] == straight.levels("w", NOW)[-4:]
