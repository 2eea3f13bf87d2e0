from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import typing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healmon import events as ev
from healmon.clock import format_utc
from healmon.state import Snapshot, open_alerts, pending_alerts, replay
from healmon.store import read, stream
from healmon.store.store import CHECKPOINT_EVERY, Store
from tests.helpers.examples import examples
from tests.helpers.storekit import (
    KINDS,
    STORY,
    WALL,
    Engine,
    observed,
    opened,
    opened_store,
    play,
    reading,
    started,
)
from tests.helpers.wait import until


def flushed(store: Store, timeout: float = 30.0) -> bool:
    return asyncio.run(store.flush(timeout))


def rows_say(path: Path) -> tuple[list, list]:
    conn = read.open_reader(path)
    try:
        alerts = [*read.open_alerts(conn), *read.pending_alerts(conn)]
        return alerts, read.components(conn)
    finally:
        conn.close()


def assert_rows_equal(path: Path, snapshot: Snapshot) -> None:
    """What is stored beside the events says exactly what the fold says."""
    alerts, components = rows_say(path)
    assert [
        (
            a["id"], a["key"], a["component"], a["severity"], a["state"], a["message"], a["count"],
            a["first_seen"], a["last_seen"], a["acknowledged_at"], a["acknowledged_by"], a["note"],
        )
        for a in alerts
    ] == [
        (
            a.id, a.key, a.component, a.severity, a.state, a.message, a.count,
            format_utc(a.first_seen), format_utc(a.last_seen),
            a.acknowledged_at and format_utc(a.acknowledged_at), a.acknowledged_by, a.note,
        )
        for a in [*open_alerts(snapshot), *pending_alerts(snapshot)]
    ]  # fmt: skip
    assert [
        (c["component"], c["healer"], c["status"], c["summary"], c["since"], c["seen_at"])
        for c in components
    ] == [
        (c.name, c.healer, c.status, c.summary, format_utc(c.since), format_utc(c.seen_at))
        for _, c in sorted(snapshot.components.items())
    ]


def test_a_new_store_knows_nothing_and_has_a_name(tmp_path: Path) -> None:
    with opened_store(tmp_path / "healmon.db") as store:
        assert store.last_id == 0
        assert store.snapshot == Snapshot()
        assert len(store.epoch) == 16
        epoch = store.epoch
    with opened_store(tmp_path / "healmon.db") as store:
        assert store.epoch == epoch
    conn = read.open_reader(tmp_path / "healmon.db")
    born = format_utc(WALL)
    wanted = {"epoch": epoch, "host": "box", "created": born, "checked": born}
    assert read.meta(conn) == wanted
    conn.close()


def test_the_next_run_begins_where_the_last_one_ended(tmp_path: Path) -> None:
    with opened_store(tmp_path / "healmon.db") as store:
        engine = Engine(store)
        engine.tell(started(), observed(pid=1), opened(), ev.MaintenanceStarted("*", 9.0, "me"))
        assert flushed(store)
    with opened_store(tmp_path / "healmon.db") as store:
        assert store.snapshot == engine.snapshot
        assert store.last_id == 4


def test_times_survive_to_the_millisecond(tmp_path: Path) -> None:
    walls = [round(WALL + n * 0.001 + n / 3, 3) for n in range(3_000)]
    with opened_store(tmp_path / "healmon.db") as store:
        for number, wall in enumerate(walls, 1):
            store.append(ev.Recorded(number, wall, ev.CycleStarted(number)))
    conn = read.open_reader(tmp_path / "healmon.db")
    assert [r.wall for r in stream.read_events(conn, 0, 5_000)] == walls
    conn.close()


def test_every_event_is_in_the_stories() -> None:
    made = {type(event).__name__ for event in _examples()}
    assert made == {kind.__name__ for kind in typing.get_args(ev.Event)}


def _examples() -> list[ev.Event]:
    found: list[ev.Event] = []

    @settings(max_examples=1, database=None)
    @given(st.tuples(*KINDS))
    def collect(events: tuple[ev.Event, ...]) -> None:
        found.extend(events)

    collect()
    return found


@settings(max_examples=examples(35))
@given(first=STORY, second=STORY, checkpoints=st.booleans())
def test_reopened_snapshot_is_the_fold(first: list, second: list, checkpoints: bool) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "healmon.db"
        with opened_store(path) as store:
            engine = Engine(store)
            play(engine, first)
            if checkpoints:
                store.checkpoint(engine.snapshot)
            expected = play(engine, second)
        with opened_store(path) as store:
            assert store.fault == ""
            assert store.snapshot == expected
            assert store.last_id == len(first) + len(second)
        assert_rows_equal(path, expected)


@pytest.mark.slow
@settings(max_examples=examples(25))
@given(story=STORY, keep=st.integers(0, 40), third=STORY)
def test_reopened_snapshot_is_the_fold_also_after_pruning(
    story: list, keep: int, third: list
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "healmon.db"
        with opened_store(path) as store:
            engine = Engine(store)
            walls = [engine.emit(event, after=after).wall for event, after in story]
            limit = walls[min(keep, len(walls) - 1)] if walls else WALL
            assert flushed(store)
            store.prune(limit)
            until(lambda: store._writer._pruning is None and not _waits(store), what="pruning")
            expected = play(engine, third)
        with opened_store(path) as store:
            assert store.snapshot == expected
            assert store.last_id == expected.last_id
        assert_rows_equal(path, expected)


def _waits(store: Store) -> bool:
    with store._buffer._wake:
        return store._buffer._prune_before is not None


def test_the_fold_of_stored_events_alone_gives_the_same(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path) as store:
        engine = Engine(store)
        for number in range(2_500):
            engine.emit(observed(f"w{number % 7}", n=number))
            if store.checkpoint_due:
                store.checkpoint(engine.snapshot)
                assert flushed(store)
    conn = read.open_reader(path)
    kept = conn.execute("SELECT event_id FROM checkpoints ORDER BY 1").fetchall()
    assert kept == [(CHECKPOINT_EVERY,), (2 * CHECKPOINT_EVERY,)]
    assert replay(stream.read_events(conn, 0, 5_000)) == engine.snapshot
    assert stream.read_snapshot(conn) == engine.snapshot
    assert [r.id for r in stream.read_before(conn, 2_400, 3)] == [2_397, 2_398, 2_399]
    conn.close()


def test_only_a_few_checkpoints_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path) as store:
        engine = Engine(store)
        for _ in range(6):
            engine.tell(observed())
            store.checkpoint(engine.snapshot)
            store.checkpoint(engine.snapshot)  # nothing new: nothing written
            assert flushed(store)
    conn = read.open_reader(path)
    assert conn.execute("SELECT event_id FROM checkpoints").fetchall() == [(4,), (5,), (6,)]
    conn.close()


def test_flush_means_another_process_sees_it(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path) as store:
        engine = Engine(store)
        conn = read.open_reader(path)
        for number in range(1, 30):
            engine.tell(ev.StepTaken("p", "w", f"step {number}"))
            assert flushed(store)
            assert read.last_event_id(conn) == number
        assert flushed(store)  # nothing waits: at once
        conn.close()


def test_a_step_is_committed_to_the_disk_itself(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    asked: list[str] = []
    with opened_store(path) as store:
        engine = Engine(store)
        assert flushed(store)
        store._held._conn.set_trace_callback(asked.append)
        engine.tell(observed())
        engine.tell(ev.StepTaken("p", "w", "start it", lasting=False))
        assert flushed(store)
        assert not [sql for sql in asked if "synchronous" in sql]
        engine.tell(ev.StepTaken("p", "w", "kill it"))
        assert flushed(store)
        assert [sql for sql in asked if "synchronous = FULL" in sql]
        engine.tell(observed())
        assert flushed(store)
        assert [sql for sql in asked if "synchronous = NORMAL" in sql]
        store._held._conn.set_trace_callback(None)


def test_the_pragmas_are_as_measured(tmp_path: Path) -> None:
    with opened_store(tmp_path / "healmon.db") as store:
        conn = store._held._conn

        def pragma(name: str) -> object:
            return conn.execute(f"PRAGMA {name}").fetchone()[0]

        assert pragma("journal_mode") == "wal"
        assert pragma("synchronous") == 1
        assert pragma("auto_vacuum") == 2
        assert pragma("cache_size") == -512, "a healer's memory does not grow with its history"
        assert pragma("journal_size_limit") == 4 << 20
        assert pragma("busy_timeout") == 2_000


def test_a_record_that_cannot_be_stored_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path) as store:
        engine = Engine(store)
        engine.tell(observed(n=1))
        engine.emit(observed(bad="\udcff"))
        engine.tell(observed("after"))
        store.append(ev.Recorded(2**70, WALL, ev.CycleStarted(1)))  # no such id in SQLite
        engine.tell(opened())
        assert flushed(store)
        assert store.fault == ""
        assert store.checkpoint_due  # the rows know less than the engine
    conn = read.open_reader(path)
    assert [r["id"] for r in read.events(conn, 0, 99)] == [1, 3, 4]
    assert len(read.open_alerts(conn)) == 1
    conn.close()


def test_appending_never_waits_for_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path) as store:
        engine = Engine(store)
        rival = sqlite3.connect(path, isolation_level=None)
        rival.execute("BEGIN IMMEDIATE")
        for _ in range(2_000):
            engine.emit(observed())
        assert store._buffer.left() > 0
        rival.execute("COMMIT")
        rival.close()
        assert flushed(store)


def test_closing_writes_what_waits(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    store = Store.open(path, host="box", now=reading())
    engine = Engine(store)
    for _ in range(3_000):
        engine.emit(observed())
    assert store.close(10.0)
    assert not path.with_name("healmon.db-wal").exists()  # the last one out tidied up
    with opened_store(path) as again:
        assert again.last_id == 3_000
