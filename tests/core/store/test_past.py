"""The state at any stored moment, and the moments worth a stop."""

from __future__ import annotations

import contextlib
import sqlite3
import time
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healmon import events as ev
from healmon.clock import format_utc
from healmon.service.archive import Archive
from healmon.state import Snapshot, replay
from healmon.store import moments, past, schema, upkeep
from healmon.store.past import Past
from healmon.store.project import event_row
from healmon.store.read import ReadError
from healmon.store.stream import encode_snapshot
from healmon.store.tx import immediate
from tests.helpers.archived import MemoryStore
from tests.helpers.examples import examples
from tests.helpers.storekit import KEYS, STORY, WALL, observed, opened, plan, started


@pytest.fixture
def store():
    made = MemoryStore()
    yield made
    made.close()


def records(*events: tuple[float, ev.Event]) -> list[ev.Recorded]:
    """Events at seconds after the beginning."""
    return [ev.Recorded(n, WALL + at, event) for n, (at, event) in enumerate(events, 1)]


@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(story=STORY, every=st.sampled_from((1, 3, 8)), page=st.sampled_from((1, 2, 100)))
def test_the_state_at_any_event_is_the_fold_up_to_it(monkeypatch, story, every, page):
    monkeypatch.setattr(upkeep, "KEYFRAME_EVERY", every)
    monkeypatch.setattr(past, "PAGE", page)
    store = MemoryStore()
    wall, happened = WALL, []
    for number, (event, after) in enumerate(story, 1):
        wall += after
        happened.append(ev.Recorded(number, round(wall, 3), event))
        store.put(happened[-1:])
        if number % 2 == 0:
            store.checkpoint()
    read = Past(store.use)
    for number in [*range(len(happened), 0, -1), *range(1, len(happened) + 1)]:
        assert read.at(number) == replay(happened[:number])
        told, whole = read.before(number)
        assert whole
        assert told == happened[:number]
    store.close()


def test_what_was_pruned_is_not_made_up(store, monkeypatch):
    monkeypatch.setattr(upkeep, "KEYFRAME_EVERY", 20)
    happened = records(*((n * 1.0, observed(f"w{n % 3}", n=n)) for n in range(100)))
    for at in range(0, 100, 5):
        store.put(happened[at : at + 5])
        store.checkpoint()
    assert Past(store.use).bounds() == (1, 100, False)
    store.prune(format_utc(WALL + 47))
    read = Past(store.use)
    oldest, newest, pruned = read.bounds()
    assert pruned
    assert newest == 100
    assert 47 <= oldest <= 70
    for number in range(oldest, 101):
        assert read.at(number) == replay(happened[:number])
    (kept,) = store.conn.execute("SELECT min(event_id) FROM keyframes").fetchone()
    assert kept >= 47
    said = Archive(store.use).go("incident-back", oldest + 1)
    assert isinstance(said, str)
    assert "older history was pruned" in said
    assert Archive(store.use).go("back", oldest) == said


def test_of_the_last_half_hour_all_is_told_and_of_the_time_before_the_stories(store, monkeypatch):
    monkeypatch.setattr(past, "RAW", 20)
    looks = records(*((n * 30.0, observed(f"w{n % 3}", n=n)) for n in range(200)))
    looks[50] = looks[50].__class__(51, looks[50].wall, opened())
    store.put(looks)
    told, whole = Past(store.use).before(190)
    assert whole
    assert [r.id for r in told if r.id < 111] == [51]
    assert {r.id for r in told if r.id > 126} == set(range(127, 191))


def test_events_of_one_second_are_one_stop_and_looks_that_change_nothing_are_none(store):
    key = KEYS[0]
    store.put(
        records(
            (0, started()),
            (10, observed(status="healthy", n=1)),
            (70, observed(status="healthy", n=2)),  # 3: nothing new
            (130, observed(status="unhealthy")),  # 4: the stop begins
            (130, ev.Remembered("task_worker", {"n": 1})),
            (130, opened(key, "CRITICAL")),
            (130.5, ev.PlanMade(plan(), 1.0, 1.0)),  # 7: it ends here
            (131.6, ev.ActionStarted("p1", "task_worker")),
            (131.7, ev.StepTaken("p1", "task_worker", "start")),  # 9
            (133, ev.CycleFinished(1, 0.1, 60.0)),
            (190, observed(status="unhealthy", n=3)),
            (250, observed(status="healthy", n=4)),
            (250, ev.AlertResolved(key, "up")),  # 13
            (310, observed(status="healthy", n=5)),
        )
    )
    read = Past(store.use)
    back, here = [], 14
    while (found := moments.stop_before(read, here)) is not None:
        back.append(found)
        here = found
    assert back == [13, 9, 7, 2, 1]
    forth, here = [], 1
    while (found := moments.stop_after(read, here)) is not None:
        forth.append(found)
        here = found
    assert forth == [2, 7, 9, 13]
    assert moments.stop_before(read, 4) == 2  # from the middle of a stop
    assert moments.stop_after(read, 4) == 7


def test_a_state_of_another_layout_is_passed_over_and_never_made_up(store, monkeypatch):
    monkeypatch.setattr(upkeep, "KEYFRAME_EVERY", 10)
    happened = records(*((n * 1.0, observed(f"w{n % 3}", n=n)) for n in range(60)))
    for at in range(0, 60, 5):
        store.put(happened[at : at + 5])
        store.checkpoint()
    strange = zlib.compress(b'{"last_id": "?"}')
    store.conn.execute("UPDATE keyframes SET snapshot = ? WHERE event_id > 20", (strange,))
    assert Past(store.use).at(44) == replay(happened[:44])
    store.prune(format_utc(WALL + 19))
    store.conn.execute("UPDATE keyframes SET snapshot = ?", (strange,))
    with pytest.raises(ReadError, match="another version"):
        Past(store.use).at(44)


def test_a_storm_without_a_pause_is_several_stops(store):
    store.put(records(*((n * 0.5, ev.StepTaken("p", "w", str(n))) for n in range(200))))
    read = Past(store.use)
    stops, here = [], 200
    while (found := moments.stop_before(read, here)) is not None:
        stops.append(found)
        here = found
    assert 3 <= len(stops) <= 8
    assert stops == sorted(stops, reverse=True)


def test_an_incident_begins_at_the_first_bad_look(store):
    one, other = KEYS[0], KEYS[2]  # of two components
    name, second = opened(one).component, opened(other).component
    store.put(
        records(
            (0, observed(name)),
            (1, observed(second)),
            (60, observed(name, "warning")),  # 3: the first bad look
            (120, observed(second, "unhealthy")),  # 4: of the second
            (180, observed(name, "unhealthy")),
            (240, opened(other)),
            (300, opened(one, "CRITICAL")),
            (360, observed(name)),
            (360, ev.AlertResolved(one, "over")),
            (420, opened(KEYS[1])),  # 10: nothing was seen before it
            (480, observed(second)),
        )
    )
    read = Past(store.use)
    assert moments.incident_before(read, 11) == 10
    assert moments.incident_before(read, 10) == 4
    assert moments.incident_before(read, 4) == 3
    assert moments.incident_before(read, 3) is None
    assert moments.incident_after(read, 3) == 4
    assert moments.incident_after(read, 4) == 10
    assert moments.incident_after(read, 10) is None


def test_what_was_healed_before_an_alert_was_needed_is_an_incident_and_what_was_asked_for_is_not(
    store,
):
    name = opened(KEYS[0]).component
    verified = ev.ActionVerified("p", name, "restart_worker", "alive after 1 s", 1.0)
    store.put(
        records(
            (0, observed(name)),
            (60, observed(name, "unhealthy")),  # 2
            (62, ev.PlanMade(plan(name), 1.0, 1.0)),
            (64, ev.ActionStarted("p", name)),
            (65, verified),
            (65, observed(name, n=2)),
            (120, ev.ActionStarted("q", name)),  # asked for by a person
            (121, verified),
            (180, observed(name, "unhealthy")),  # 9
            (180, opened(KEYS[0])),
            (182, ev.ActionStarted("r", name)),
            (183, verified),
            (183, observed(name)),
            (183, ev.AlertResolved(KEYS[0], "up")),
        )
    )
    read = Past(store.use)
    assert moments.incident_before(read, 14) == 9
    assert moments.incident_before(read, 9) == 2
    assert moments.incident_before(read, 2) is None
    assert moments.incident_after(read, 2) == 9
    entries, _ = store.archive().entries()
    assert [(e.level, e.text, e.ended) for e in entries] == [
        ("WARNING", "down", "after 3s: up"),
        ("INFO", "restart worker verified", "alive after 1 s"),
        ("INFO", "restart worker verified", "alive after 1 s"),
    ]
    assert store.archive().begin(entries[2]).number == 2


def test_one_incident_after_another_on_a_component_that_stays_bad_begins_by_itself(store):
    one, two = KEYS[0], KEYS[1]
    name = opened(one).component
    assert name == opened(two).component
    store.put(
        records(
            (0, observed(name)), (60, observed(name, "warning")), (60, opened(one)),
            (600, observed(name, "unhealthy")), (660, opened(two, "CRITICAL")),
        )
    )  # fmt: skip
    read = Past(store.use)
    assert moments.incident_before(read, 5) == 4
    assert moments.incident_before(read, 4) == 2


def test_the_list_tells_incidents_and_runs_newest_first(store):
    key = KEYS[0]
    name = opened(key).component
    store.put(
        records(
            (0, started()),
            (5, observed(name, "unhealthy")),
            (10, opened(key, "CRITICAL", "it is down")),
            (75, ev.AlertResolved(key, "up again")),
            (80, ev.AlertPended(KEYS[2], "WARNING", "disk:/var", "not sure")),
            (90, ev.EngineStopped("asked to")),
        )
    )
    archive = store.archive()
    entries, edge = archive.entries()
    assert [(e.component, e.text) for e in entries] == [
        ("healmon", "healmon ended: asked to"),
        (name, "it is down"),
        ("healmon", "healmon 0.1.0 started, pid 4711"),
    ]
    assert entries[1].ended == "after 1m05s: up again"
    assert entries[1].level == "CRITICAL"
    assert edge.startswith("the history begins")
    assert archive.begin(entries[1]).number == 2
    assert archive.begin(entries[0]).snapshot.engine.running is False


def test_at_the_ends_it_says_why_there_is_no_more(store):
    archive = store.archive()
    assert archive.go("back") == "nothing has happened yet"
    store.put(records((0, started())))
    assert archive.go("back", 1).startswith("the history begins")
    assert archive.go("forward", 1) == "nothing happened after this"
    assert archive.go("incident-forward", 1) == "no incident began after this"
    assert archive.go("incident-back", 1).startswith("no incident since")


def test_a_store_of_the_layout_before_can_be_looked_at(store):
    happened = records(*((n * 1.0, observed(f"w{n % 3}", n=n)) for n in range(50)))
    store.put(happened)
    store.conn.execute("DROP TABLE keyframes")
    assert Past(store.use).at(33) == replay(happened[:33])


@pytest.mark.slow
def test_a_jump_over_a_long_history_is_instant_and_nobody_waits_for_the_connection(store):
    """As long as a hundred thousand events; what it costs does not grow with more of them."""
    snapshot = Snapshot()
    with immediate(store.conn):
        for number in range(1, 100_001):
            record = ev.Recorded(number, WALL + number, observed(f"w{number % 60}", n=number))
            snapshot = replay([record], snapshot)
            store.conn.execute(*event_row(record))
            if number % 1_200 == 0:
                upkeep.store_checkpoint(store.conn, number, encode_snapshot(snapshot))
    frames = store.conn.execute("SELECT count(*), sum(length(snapshot)) FROM keyframes").fetchone()
    assert 18 <= frames[0] <= 25
    read = Past(store.use)
    longest = 0.0
    for number in (50_000, 99_999, 3, 77_777):
        store.lent = 0
        before = time.process_time()
        assert read.at(number).last_id == number
        read.before(number)
        longest = max(longest, time.process_time() - before)
        assert store.lent >= 5  # in pages: whoever wants the connection gets it in between
    assert longest < 0.3


def test_a_store_of_before_gets_what_the_history_needs(tmp_path):
    conn = sqlite3.connect(tmp_path / "old.db", isolation_level=None)
    for step in schema.MIGRATIONS[:2]:
        step(conn)
    conn.execute("PRAGMA user_version = 2")
    happened = records((0, started()), (1, observed()), (2, opened()), (3, observed(n=2)))
    for record in happened:
        conn.execute(*event_row(record))
    schema.migrate(conn, {})
    assert schema.version_of(conn) == schema.VERSION
    read = Past(lambda: contextlib.nullcontext(conn))
    assert read.at(3) == replay(happened[:3])
    plans = [
        conn.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()[0][3]
        for sql in (
            f"SELECT id FROM events WHERE kind NOT IN {schema.UNTOLD} AND id < 9 ORDER BY id DESC",
            (
                "SELECT id FROM events WHERE (kind = 'alertopened' OR kind = 'alertreopened'"
                " OR kind = 'actionstarted')"
                " AND id < 9 ORDER BY id DESC"
            ),
        )
    ]
    assert "idx_events_told" in plans[0]
    assert "idx_events_incidents" in plans[1]
    conn.close()
