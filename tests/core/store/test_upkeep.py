from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from healmon import events as ev
from healmon.clock import format_utc
from healmon.store import read, stream, upkeep
from healmon.store.store import Store
from tests.helpers.storekit import KEYS, WALL, Engine, observed, opened, opened_store, started
from tests.helpers.wait import until

DAY = 86_400.0


def settled(store: Store) -> None:
    assert asyncio.run(store.flush(60))

    def idle() -> bool:
        with store._buffer._wake:
            asked = store._buffer._prune_before
        return asked is None and store._writer._pruning is None

    until(idle, what="the end of pruning")


def month(store: Store, per_day: int = 100) -> Engine:
    """A month of history: an alert that stays open, one a day that ends, many samples."""
    engine = Engine(store)
    engine.tell(started(), opened(KEYS[0], message="for a month"))
    for channel in ("sent", "waiting"):
        engine.tell(ev.NoticeMade(channel, "opened", "title", "body"))
    engine.tell(ev.NoticeSent(engine.snapshot.last_id - 1, "sent"))
    engine.tell(ev.SilenceStarted("worker:*", WALL + DAY, "alice"))
    engine.tell(ev.SilenceEnded(engine.snapshot.last_id, "taken back"))
    for day in range(30):
        engine.emit(opened(KEYS[1], message=f"day {day}"), after=DAY)
        engine.emit(ev.AlertResolved(KEYS[1], "over"))
        for number in range(per_day):
            engine.emit(observed(f"w{number % 5}", summary=f"look {number}"), after=1.0)
    return engine


@pytest.mark.slow
def test_what_is_older_goes_and_what_is_open_stays(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path) as store:
        engine = month(store)
        limit = engine.snapshot.at - 7 * DAY
        settled(store)
        conn = sqlite3.connect(path, isolation_level=None)
        conn.executemany(
            "INSERT INTO commands (created_at, expires_at, origin, verb, target, arguments, state)"
            " VALUES (?, '', '', '', '', '{}', ?)",
            [(format_utc(WALL), state) for state in ("done", "expired", "queued", "taken")],
        )
        store.prune(limit)
        settled(store)
        text = format_utc(limit)
        for table in ("events", "health_metrics"):
            rows = conn.execute(f"SELECT count(*), min(timestamp) FROM {table}").fetchone()
            assert 700 <= rows[0] <= 800
            assert rows[1] >= text or table == "events"
        old = conn.execute("SELECT kind FROM events WHERE timestamp < ?", (text,)).fetchall()
        assert old == [("enginestarted",)]  # the status of a long run still knows its start
        alerts = conn.execute("SELECT message, resolved FROM health_alerts ORDER BY id").fetchall()
        assert alerts[0] == ("for a month", 0)
        assert len(alerts) == 8
        assert conn.execute("SELECT state FROM commands").fetchall() == [("queued",), ("taken",)]
        assert conn.execute("SELECT channel FROM notices").fetchall() == [("waiting",)]
        assert conn.execute("SELECT count(*) FROM silences").fetchone() == (0,)
        conn.close()
    with opened_store(path) as again:
        assert again.snapshot == engine.snapshot
        assert again.last_id == engine.snapshot.last_id


@pytest.mark.slow
def test_free_pages_are_given_back(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path) as store:
        engine = Engine(store)
        for number in range(6_000):
            engine.emit(observed(f"w{number}", blob="x" * 300))
        engine.tell(*(ev.ComponentGone(f"w{number}") for number in range(6_000)))
        settled(store)
        store.checkpoint(engine.snapshot)
        settled(store)
        before = store._held._conn.execute("PRAGMA page_count").fetchone()[0]
        store.prune(engine.snapshot.at + 1)
        settled(store)
        after = store._held._conn.execute("PRAGMA page_count").fetchone()[0]
        assert after < before / 2
        conn = read.open_reader(path)
        assert read.last_event_id(conn) == 0
        conn.close()
    with opened_store(path) as again:
        assert again.last_id == 12_000


@pytest.mark.slow
def test_pruning_goes_in_bites_and_writing_goes_on_between_them(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path) as store:
        engine = Engine(store)
        for number in range(9_000):
            engine.emit(observed(f"w{number % 9}", summary=f"look {number}"))
        settled(store)
        sizes: list[int] = []
        # another process's view: rows removed in each transaction, and ours arriving meanwhile
        conn = read.open_reader(path)
        have = conn.execute("SELECT count(*) FROM events").fetchone()[0]
        store.prune(engine.snapshot.at + 10 * DAY)
        engine.tell(started("while pruning"))
        while True:
            left = conn.execute("SELECT count(*) FROM events").fetchone()[0]
            if left != have:
                sizes.append(have - left)
                have = left
            if left <= 1:
                break
        settled(store)
        kinds = {row["kind"] for row in read.events(conn, 0, 99)}
        conn.close()
    assert kinds <= {"enginestarted"}
    assert sum(sizes) >= 8_999
    with opened_store(path) as again:
        assert again.snapshot == engine.snapshot


def test_one_bite_is_a_thousand_rows(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path) as store:
        engine = Engine(store)
        for number in range(2_500):
            engine.emit(observed(f"w{number % 9}", summary=f"look {number}"))
    conn = sqlite3.connect(path, isolation_level=None)
    pruning = upkeep.Pruning(format_utc(engine.snapshot.at + DAY))
    left = []
    while pruning.bite(conn):
        counts = [
            conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("events", "health_metrics")
        ]
        if not left or counts != left[-1]:
            left.append(counts)
    assert left == [
        [2_500, 2_500], [1_500, 2_500], [500, 2_500], [0, 2_500], [0, 1_500], [0, 500], [0, 0],
    ]  # fmt: skip
    conn.close()


def test_an_event_that_comes_meanwhile_with_an_old_time_stays(tmp_path: Path) -> None:
    """The wall clock was set back a year while pruning: no checkpoint knows that event yet."""
    path = tmp_path / "healmon.db"
    with opened_store(path) as store:
        engine = Engine(store)
        engine.tell(*(observed(f"w{n}") for n in range(20)))
    conn = sqlite3.connect(path, isolation_level=None)
    pruning = upkeep.Pruning(format_utc(engine.snapshot.at + DAY))
    assert pruning.bite(conn)  # the checkpoint
    with opened_store(path) as store:
        engine = Engine(store)
        engine.emit(opened(), after=-365 * DAY)
    while pruning.bite(conn):
        pass
    assert conn.execute("SELECT id FROM events").fetchall() == [(21,)]
    conn.close()
    with opened_store(path) as again:
        assert again.snapshot == engine.snapshot


def test_what_no_checkpoint_knows_of_is_not_pruned(tmp_path: Path) -> None:
    """Events of a newer healmon that was taken back: it has to find them when it comes again."""
    path = tmp_path / "healmon.db"
    with opened_store(path) as store:
        engine = Engine(store)
        engine.tell(*(observed(f"w{n}") for n in range(20)))
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute("DELETE FROM checkpoints")
    conn.execute("""UPDATE events SET payload = '{"kind": "of tomorrow"}' WHERE id > 17""")
    pruning = upkeep.Pruning(format_utc(engine.snapshot.at + DAY))
    while pruning.bite(conn):
        pass
    assert conn.execute("SELECT id FROM events").fetchall() == [(18,), (19,), (20,)]
    conn.close()


def test_reading_a_snapshot_while_history_is_pruned(tmp_path: Path) -> None:
    """Between the checkpoint and the events after it the writer may prune."""
    path = tmp_path / "healmon.db"
    with opened_store(path) as store:
        engine = Engine(store)
        engine.tell(*(observed(f"w{n}") for n in range(20)))
    reader = read.open_reader(path)
    writer = sqlite3.connect(path, isolation_level=None)
    pruning = upkeep.Pruning(format_utc(engine.snapshot.at + DAY))

    def meanwhile(sql: str) -> None:
        if "FROM events" in sql:
            while pruning.bite(writer):
                pass

    reader.set_trace_callback(meanwhile)
    assert stream.read_snapshot(reader) == engine.snapshot
    reader.set_trace_callback(None)
    assert read.last_event_id(reader) == 0
    assert stream.read_snapshot(reader) == engine.snapshot
    reader.close()
    writer.close()


def test_pruning_an_ill_store_is_left_for_later(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path) as store:
        engine = month(store, 10)
        settled(store)
        rival = sqlite3.connect(path, isolation_level=None)
        rival.execute("BEGIN IMMEDIATE")
        store._held._conn.execute("PRAGMA busy_timeout = 10")
        store.prune(engine.snapshot.at)
        until(lambda: store._buffer._prune_before is None, what="the try")
        until(lambda: store._writer._pruning is None, what="giving up")
        rival.execute("COMMIT")
        rival.close()
        engine.tell(observed())
        assert asyncio.run(store.flush(60))
        store.prune(engine.snapshot.at)
        settled(store)
        conn = read.open_reader(path)
        assert len(read.events(conn, 0, 99)) == 2
        conn.close()


def test_what_a_wrong_clock_wrote_is_as_old_as_its_neighbours(tmp_path: Path) -> None:
    """A host without a battery begins in 1970, one with a slip of the hand is years ahead."""
    path = tmp_path / "healmon.db"
    with opened_store(path) as store:
        engine = Engine(store)
        engine.tell(*(observed(f"w{n}") for n in range(10)))
        engine.emit(observed("ahead"), after=3_650 * DAY)
        engine.emit(observed("right"), after=-3_650 * DAY + 20 * DAY)
        engine.emit(observed("in 1970"), after=-WALL)
        engine.emit(observed("right again"), after=WALL)
        settled(store)
        store.prune(engine.snapshot.at - DAY)
        settled(store)
        conn = sqlite3.connect(path)
        left = [row[0] for row in conn.execute("SELECT component FROM events ORDER BY id")]
        assert left == ["right", "in 1970", "right again"]
        (upto,) = conn.execute("SELECT value FROM meta WHERE key = 'pruned_to'").fetchone()
        assert upto == "11"
        conn.close()
    with opened_store(path) as again:
        assert again.snapshot == engine.snapshot


@pytest.mark.parametrize("limit", [WALL, -1e13])
def test_whatever_goes_wrong_with_pruning_the_writer_goes_on(
    tmp_path: Path, monkeypatch, limit: float
) -> None:
    def fall(*_: object) -> bool:
        raise RuntimeError("not my day")

    with opened_store(tmp_path / "healmon.db") as store:
        engine = Engine(store)
        engine.tell(started())
        monkeypatch.setattr(upkeep.Pruning, "bite", fall)
        store.prune(limit)
        settled(store)
        engine.tell(observed())
        assert asyncio.run(store.flush(60))
