"""The series that page and screen draw say what the events said."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from healmon import events as ev
from healmon.service import series
from healmon.service.series import Series, Sums
from healmon.state import open_alerts, replay
from healmon.store import past
from tests.helpers.archived import MemoryStore
from tests.helpers.examples import examples
from tests.helpers.storekit import observed, started

BEGAN = 1_770_000_000.0
HOUR = 3_600.0


def put(store: MemoryStore, happened: list[tuple[float, ev.Event]]) -> list[ev.Recorded]:
    """Store events at seconds after the beginning."""
    records = [ev.Recorded(n, BEGAN + at, event) for n, (at, event) in enumerate(happened, 1)]
    store.put(records)
    return records


def asked(happened: list[tuple[float, ev.Event]], begin: float, end: float, step: float) -> Sums:
    store = MemoryStore()
    try:
        put(store, happened)
        return store.archive().sums(BEGAN + begin, BEGAN + end, step)
    finally:
        store.close()


def one(found: Sums, name: str, label: str = "") -> Series:
    (line,) = [line for line in found.series if (line.name, line.label) == (name, label)]
    return line


def values(line: Series, begin: float = BEGAN) -> dict[int, float]:
    return {int(point.at - begin): point.value for point in line.points}


def full(disk: str, percent: str, status="healthy") -> ev.Observed:
    kind = "disk_usage" if percent else "check_error"
    return ev.Observed("disks", f"disk:{disk}", status, "s", kind, percent, {})


def done(action: str = "restart_worker", seconds: float = 1.0, component: str = "api_worker"):
    return ev.ActionVerified("p1", component, action, "alive", seconds)


def test_how_full_a_disk_was_by_the_extremes_and_the_end_of_each_piece():
    happened = [
        (0.0, started()),
        (10.0, full("/", "50.0")), (20.0, full("/", "90.0")), (30.0, full("/", "60.5")),
        (31.0, ev.ActionVerified("p", "disk:/", "clean_disk", "less", 3.0)),
        (70.0, full("/srv", "10.0")), (200.0, full("/srv", "")), (260.0, full("/srv", "20.0")),
        (300.0, ev.CycleFinished(1, 0.1, 60.0)),
    ]  # fmt: skip
    found = asked(happened, 0, 360, 60)
    root, srv = (one(found, "disk_used_ratio", label) for label in ("/", "/srv"))
    assert root.unit == "ratio"
    assert root.points[0] == (BEGAN, 0.5, 0.9, 0.605)
    assert values(root) == dict.fromkeys((0, 60, 120, 180, 240, 300), 0.605)
    assert values(srv) == {60: 0.1, 120: 0.1, 240: 0.2, 300: 0.2}


def test_nothing_is_said_of_the_time_in_which_no_healer_ran():
    happened = [
        (0.0, started()), (10.0, full("/", "50.0")), (70.0, done()),
        (600.0, started()), (601.0, full("/", "52.0")), (602.0, done("restart_worker", 2.0)),
        (650.0, ev.EngineStopped("told to")),
    ]  # fmt: skip
    found = asked(happened, 0, 1_200, 60)
    # from 70 s on nobody looked; from 650 s on nobody does
    looked = [0, 60, 600]
    assert sorted(values(one(found, "disk_used_ratio", "/"))) == looked
    assert values(one(found, "restarts", "verified")) == {0: 0, 60: 1, 600: 1}
    assert sorted(values(one(found, "stuck_sessions"))) == looked


def test_a_healer_that_was_killed_says_nothing_after_its_last_sign_of_life():
    happened = [(0.0, started()), (10.0, full("/", "50.0")), (60.0, ev.CycleFinished(1, 0.1, 60.0))]
    line = one(asked(happened, 0, HOUR, 60), "disk_used_ratio", "/")
    assert max(values(line)) <= 60 + series.LATE * 60


def test_what_is_not_watched_any_more_ends_with_its_last_sample():
    happened = [
        (0.0, started()), (10.0, full("/old", "50.0")), (20.0, ev.ComponentGone("disk:/old")),
        (300.0, ev.CycleFinished(1, 0.1, 60.0)),
    ]  # fmt: skip
    line = one(asked(happened, 0, 360, 60), "disk_used_ratio", "/old")
    assert sorted(values(line)) == [0]


def test_restarts_by_outcome_and_how_long_healing_took():
    happened = [
        (0.0, started()),
        (10.0, done("restart_worker", 1.0)), (20.0, done("clean_disk", 9.0, "disk:/")),
        (30.0, done("restart_worker", 2.0)),
        (40.0, ev.ActionFailed("p2", "api_worker", "restart_worker", "it fell", 30.0)),
        (90.0, done("start_worker", 4.0)), (119.0, ev.CycleFinished(1, 0.1, 60.0)),
    ]  # fmt: skip
    found = asked(happened, 0, 120, 60)
    assert values(one(found, "restarts", "verified")) == {0: 2, 60: 0}
    assert values(one(found, "restarts", "failed")) == {0: 1, 60: 0}
    took = one(found, "heal_seconds")
    assert took.unit == "seconds"
    assert took.points == ((BEGAN, 1.0, 9.0, 2.0), (BEGAN + 60, 4.0, 4.0, 4.0))


def test_a_clock_that_is_set_back_loses_no_count(monkeypatch):
    monkeypatch.setattr(series, "PAGE", 2)
    moments = (10.0, 500.0, 130.0, 140.0, 70.0, 20.0, 505.0)
    happened = [(0.0, started()), *((at, done()) for at in moments)]
    found = values(one(asked(happened, 60, 480, 60), "restarts", "verified"))
    assert sum(found.values()) == 3
    assert found[60] == 1
    assert found[120] == 2


def test_levels_are_the_same_read_in_small_bites(monkeypatch):
    happened = [(0.0, started())]
    happened += [(float(n), full("/", f"{(n * 37) % 100}.0")) for n in range(1, 300)]
    whole = asked(happened, 30, 270, 30)
    monkeypatch.setattr(series, "BITE", 7)
    assert asked(happened, 30, 270, 30) == whole


STUCK, IDLE, OTHER = (
    ("session:a", "box/sessions/session:a/stuck"),
    ("session:a", "box/sessions/session:a/idle"),
    ("disk:/", "box/disks/disk:/full"),
)


def test_sessions_that_are_stuck_are_counted_once_each():
    happened = [
        (0.0, started()),
        *((at, ev.AlertOpened(key, "WARNING", name, "m")) for at, (name, key) in
          ((10.0, STUCK), (20.0, IDLE), (30.0, OTHER))),
        (70.0, ev.AlertUpdated(STUCK[1], "CRITICAL", "worse")),
        (130.0, ev.AlertResolved(STUCK[1], "over")),
        (190.0, ev.AlertResolved(IDLE[1], "over")),
        (299.0, ev.CycleFinished(1, 0.1, 60.0)),
    ]  # fmt: skip
    found = asked(happened, 0, 300, 60)
    assert values(one(found, "stuck_sessions")) == {0: 1, 60: 1, 120: 1, 180: 0, 240: 0}
    # under the highest level that it had
    assert values(one(found, "open_alerts", "CRITICAL")) == {0: 1, 60: 1, 120: 0, 180: 0, 240: 0}
    assert values(one(found, "open_alerts", "WARNING")) == {0: 2, 60: 2, 120: 2, 180: 1, 240: 1}
    # what began before the stretch that is asked for, and what is over since
    later = asked(happened, 120, 180, 60)
    assert values(one(later, "stuck_sessions"), BEGAN) == {120: 1}


LIFE = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from("pouradsk"), st.sampled_from((0.0, 7.0, 45.0))),
    max_size=40,
)


def lived(life: list[tuple[int, str, float]]) -> list[tuple[float, ev.Event]]:
    """Return the possible ones of made-up turns of four alerts, and when they happen."""
    at, standing, happened = 1.0, {}, [(0.0, started())]
    for number, what, after in life:
        at += after
        key, name, level = f"box/h/w{number}/down", f"w{number}", "WARNING"
        was = standing.get(key, "")
        turn = {
            ("", "p"): (ev.AlertPended(key, level, name, "m"), "pending"),
            ("", "o"): (ev.AlertOpened(key, level, name, "m"), "open"),
            ("", "r"): (
                ev.AlertReopened(key, level, name, "m", {}, 1_000 + number, BEGAN, 2, 1, level),
                "open",
            ),
            ("pending", "o"): (ev.AlertOpened(key, level, name, "m"), "open"),
            ("pending", "d"): (ev.AlertDropped(key, "gone"), ""),
            ("pending", "a"): (ev.AlertAcknowledged(key, "olga"), "open"),
            ("open", "a"): (ev.AlertAcknowledged(key, "olga"), "open"),
            ("open", "u"): (ev.AlertUpdated(key, "CRITICAL", "worse"), "open"),
            ("open", "d"): (ev.AlertResolved(key, "over"), ""),
            ("open", "s"): (ev.AlertStale(key, "not seen"), "open"),
            ("open", "k"): (ev.AlertSeen(key), "open"),
        }.get((was, what))
        if turn is not None:
            happened.append((at, turn[0]))
            standing[key] = turn[1]
    return [*happened, (at + 1, ev.CycleFinished(1, 0.1, 60.0))]


@example(life=[(0, "p", 45.0), (0, "a", 0.0)], first=0, length=30)
@settings(max_examples=examples(40), deadline=None)
@given(life=LIFE, first=st.integers(0, 400), length=st.integers(30, 900))
def test_open_alerts_are_those_that_the_events_fold_into(life, first, length):
    happened = lived(life)
    records = [ev.Recorded(n, BEGAN + at, event) for n, (at, event) in enumerate(happened, 1)]
    found = asked(happened, first, first + length, 30)
    points: dict[int, float] = {}
    for label in ("CRITICAL", "WARNING"):
        for point in one(found, "open_alerts", label).points:
            points[point.at] = points.get(point.at, 0) + point.value
    for at, count in points.items():
        end = min(at + found.step, found.end)
        known = replay(record for record in records if record.wall < end)
        assert count == len(open_alerts(known)), (at, known.alerts)


@settings(max_examples=examples(40), deadline=None)
@given(
    acts=st.lists(
        st.tuples(
            st.integers(0, 4_000), st.sampled_from(("restart_worker", "clean_disk")), st.booleans()
        ),
        max_size=30,
    ),
    first=st.integers(0, 2_000),
    length=st.integers(1, 4_000),
)
def test_no_restart_is_lost_or_made_up(acts, first, length):
    happened = [(0.0, started())]
    for at, action, well in sorted(acts):
        made = (
            done(action) if well else ev.ActionFailed("p", "api_worker", action, "it fell", 1.0)
        )  # fmt: skip
        happened.append((float(at), made))
    found = asked(happened, first, first + length, 0.0)
    begin = found.begin - BEGAN
    for label, well in (("verified", True), ("failed", False)):
        wanted = sum(
            begin <= at < first + length and action == "restart_worker" and good is well
            for at, action, good in acts
        )
        assert sum(point.value for point in one(found, "restarts", label).points) == wanted


def test_an_empty_store_has_series_without_points():
    found = asked([], 0, 60, 60)
    assert not any(line.points for line in found.series)
    assert {line.name for line in found.series} == {
        "restarts", "heal_seconds", "stuck_sessions", "open_alerts",
    }  # fmt: skip


def test_the_indexes_serve_each_query():
    store = MemoryStore()
    put(store, [(0.0, started()), (1.0, full("/", "1.0")), (2.0, done()), (3.0, observed())])
    plans: list[tuple[str, str]] = []
    read = past.Past(store.use)
    plain = read.rows

    def rows(sql: str, *values: int | str):
        told = store.conn.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
        plans.extend((sql, str(step[-1])) for step in told)
        return plain(sql, *values)

    read.rows = rows
    series.sums(read, series.frame(BEGAN, BEGAN + 60))
    store.close()
    assert plans
    for sql, step in plans:
        # all of a table is walked through nowhere
        walked = step.startswith(("SCAN events", "SCAN health_metrics")) and "USING" not in step
        assert not walked or sql.endswith("LIMIT 1"), sql
    assert any("idx_health_metrics_action" in step for _, step in plans)
    assert any("idx_events_told" in step for _, step in plans)
    times = [step for sql, step in plans if "min(" in sql and "GROUP BY" not in sql]
    assert len(times) == 2
    assert all("COVERING INDEX" in step and "timestamp>" in step for step in times), times
