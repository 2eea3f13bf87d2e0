from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from healmon import events as ev
from healmon.errors import StoreVersionError
from healmon.state import Snapshot
from healmon.store import opening, read, schema
from healmon.store.store import Store
from tests.helpers.storekit import WALL, Engine, observed, opened, opened_store, reading, started
from tests.helpers.wait import until

METRICS_V1 = """CREATE TABLE health_metrics (id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp TIMESTAMP DEFAULT CURRENT_TIMESTAMP, component TEXT NOT NULL, status TEXT NOT NULL,
    details TEXT, action_taken TEXT, recovery_successful INTEGER DEFAULT 0)"""
METRICS_V2 = """CREATE TABLE health_metrics (id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp TEXT NOT NULL, component TEXT NOT NULL, metric_type TEXT NOT NULL, metric_value TEXT,
    status TEXT, action_taken TEXT, details TEXT)"""
METRICS_CI = """CREATE TABLE health_metrics (id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp TEXT NOT NULL, workers_running INTEGER, workers_total INTEGER,
    database_size_mb REAL, disk_usage_percent REAL, memory_usage_percent REAL,
    cpu_usage_percent REAL, session_count INTEGER, error_count_24h INTEGER, issues TEXT)"""
ALERTS_V1 = """CREATE TABLE health_alerts (id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp TIMESTAMP DEFAULT CURRENT_TIMESTAMP, severity TEXT NOT NULL, message TEXT NOT NULL,
    component TEXT, resolved INTEGER DEFAULT 0, resolved_at TIMESTAMP)"""
ALERTS_V2 = """CREATE TABLE health_alerts (id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp TEXT NOT NULL, severity TEXT NOT NULL, component TEXT NOT NULL,
    message TEXT NOT NULL, resolved BOOLEAN DEFAULT 0, resolved_at TEXT)"""


def make(path: Path, *statements: str, wal: bool = False) -> sqlite3.Connection:
    conn = sqlite3.connect(path, isolation_level=None)
    if wal:
        conn.execute("PRAGMA journal_mode = WAL")
    for statement in statements:
        conn.execute(statement)
    return conn


def family(path: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in path.parent.iterdir() if not p.name.endswith("-shm")}


@pytest.mark.parametrize("wal", [False, True], ids=["rollback", "wal"])
@pytest.mark.parametrize(
    ("tables", "named"),
    [
        ((METRICS_V1, ALERTS_V1), ["recovery_successful", "metric_type", "first_seen"]),
        ((METRICS_V2, ALERTS_V2), ["resolved_at", "first_seen", "acknowledged_by"]),
        ((METRICS_CI,), ["workers_running", "metric_type"]),
        ((ALERTS_V1,), ["table health_alerts: found id, timestamp, severity, message, component"]),
        ((METRICS_V2,), ["table health_metrics"]),
        (("CREATE TABLE prompts (id, content)", "CREATE TABLE other (x)"), ["other, prompts"]),
    ],
    ids=["v1", "v2", "ci", "alerts-v1", "metrics-v2", "another-program"],
)
def test_predecessors_and_strangers_are_refused_untouched(
    tmp_path: Path, tables: tuple[str, ...], named: list[str], wal: bool
) -> None:
    path = tmp_path / "healmon.db"
    make(path, *tables, wal=wal).close()
    before = family(path)
    with pytest.raises(StoreVersionError) as caught:
        Store.open(path, host="box", now=reading())
    for word in named:
        assert word in str(caught.value)
    assert "healmon import" in str(caught.value)
    assert caught.value.exit_code == 78
    assert family(path) == before


def test_a_stranger_with_work_in_its_wal_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    conn = make(path, METRICS_V1, ALERTS_V1, wal=True)  # all of it still in the -wal
    before = family(path)
    assert len(before) == 2
    with pytest.raises(StoreVersionError, match="recovery_successful"):
        Store.open(path, host="box", now=reading())
    assert family(path) == before
    conn.close()


def test_a_store_from_the_future_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path):
        pass
    conn = make(path)
    conn.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    conn.close()
    path.with_name("healmon.ballast").unlink()
    before = family(path)
    with pytest.raises(StoreVersionError, match="newer healmon") as caught:
        Store.open(path, host="box", now=reading())
    assert caught.value.exit_code == 78
    assert family(path) == before
    with pytest.raises(StoreVersionError, match="newer healmon"):
        read.open_reader(path)


def test_a_store_that_somebody_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path):
        pass
    make(path, "ALTER TABLE health_alerts DROP COLUMN note").close()
    with pytest.raises(StoreVersionError, match=r"health_alerts.*needed.*note"):
        Store.open(path, host="box", now=reading())


def test_an_empty_file_is_a_new_store(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    path.touch()
    with opened_store(path) as store:
        assert store.last_id == 0
        assert not store.repaired
        assert not store.fault


def test_a_newer_layout_keeps_what_is_there(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path) as store:
        epoch = store.epoch
        Engine(store).tell(started(), opened())

    def newer(conn: sqlite3.Connection) -> None:
        conn.execute("ALTER TABLE events ADD COLUMN extra TEXT")

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, newer))
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    with opened_store(path) as store:
        assert store.epoch == epoch
        assert store.last_id == 2
        assert store._held._conn.execute("SELECT extra FROM events").fetchall() == [(None,)] * 2


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch) -> None:
    def fails(conn: sqlite3.Connection) -> None:
        conn.execute("CREATE TABLE half (done)")
        conn.execute("no such statement")

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, fails))
    conn = make(tmp_path / "x.db")
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(conn, {"epoch": "e"})
    assert schema.version_of(conn) == 0
    assert conn.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    conn.close()


def fill(path: Path) -> Snapshot:
    with opened_store(path) as store:
        engine = Engine(store)
        engine.tell(started(), opened(), *(observed(f"w{n}", blob="x" * 700) for n in range(300)))
        return engine.snapshot


def test_no_database_at_all_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    path.write_bytes(b"what is this" * 1_000)
    with opened_store(path) as store:
        assert "was damaged" in store.repaired
        assert "is lost" in store.repaired
        assert store.snapshot == Snapshot()
        Engine(store).tell(started())
    (kept,) = tmp_path.glob("healmon.db.damaged-*Z")
    assert kept.read_bytes() == b"what is this" * 1_000


def brought_over(path: Path) -> bool:
    with contextlib.closing(sqlite3.connect(path)) as conn:
        sql = "SELECT 1 FROM meta WHERE key = 'restored'"
        return conn.execute(sql).fetchone() is not None


def test_damage_after_a_crash_is_found_and_what_can_be_read_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    known = fill(path)
    conn = sqlite3.connect(path)
    (page,) = conn.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'idx_health_metrics_component'"
    ).fetchone()
    conn.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\0" * 4096)
    # a -wal that was left tells of an unclean stop; only then the whole file is checked
    path.with_name("healmon.db-wal").write_bytes(b"left by a crash")
    with opened_store(path) as store:
        assert "what was known goes on" in store.repaired
        assert store.snapshot == known
        assert store.last_id == known.last_id
        epoch = store.epoch
        engine = Engine(store)
        engine.tell(observed("later"))
        expected = engine.snapshot
        until(lambda: brought_over(path), what="the end of it")
    (kept,) = tmp_path.glob("healmon.db.damaged-*Z")
    old = read.open_reader(kept)
    assert read.meta(old)["epoch"] != epoch
    old.close()
    conn = read.open_reader(path)
    assert [a["id"] for a in read.open_alerts(conn)] == [2]
    assert len(read.components(conn)) == len(expected.components)
    conn.close()
    with opened_store(path) as store:
        assert not store.repaired
        assert store.snapshot == expected


def test_damage_met_while_reading_what_was_known(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    fill(path)
    conn = sqlite3.connect(path)
    (page,) = conn.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'").fetchone()
    conn.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    with opened_store(path) as store:
        assert "was damaged" in store.repaired
        assert store.fault == ""
        Engine(store).tell(started())
    assert list(tmp_path.glob("healmon.db.damaged-*Z"))


def test_text_that_is_no_text_counts_as_damage(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    fill(path)
    conn = make(path)
    conn.execute("UPDATE events SET payload = CAST(x'ff3a' AS TEXT) WHERE id = 3")
    conn.close()
    with opened_store(path) as store:
        assert "was damaged" in store.repaired


def test_events_and_checkpoints_of_another_version_are_passed_over(tmp_path: Path, caplog) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path) as store:
        engine = Engine(store)
        engine.tell(started(), opened())
        expected = engine.snapshot
    conn = make(path)
    conn.execute("INSERT INTO events VALUES (3, '2026-01-01 00:00:00.000', 'new', 'x', 'INFO',"
                 " '{\"kind\": \"neverheardof\"}', NULL)")  # fmt: skip
    conn.execute('INSERT INTO checkpoints VALUES (2, \'{"last_id": "two"}\')')
    conn.close()
    with opened_store(path) as store:
        assert store.snapshot == expected
        assert store.last_id == 3  # its id is taken all the same
        assert "passed over" in caplog.text


@pytest.mark.parametrize("crash_at", [1, 2, 3])
def test_a_crash_while_setting_aside_loses_nothing(
    tmp_path: Path, monkeypatch, crash_at: int
) -> None:
    """The family is renamed one by one; stopped after any of them, the next start copes."""
    path = tmp_path / "healmon.db"
    path.write_bytes(b"broken" * 1_000)
    path.with_name("healmon.db-wal").write_bytes(b"w" * 5_000)
    path.with_name("healmon.db-shm").write_bytes(b"s" * 5_000)
    renames = 0
    real = Path.rename

    def rename(self: Path, target: str) -> Path:
        nonlocal renames
        renames += 1
        if renames == crash_at:
            raise KeyboardInterrupt
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(KeyboardInterrupt):
        opening.open_store(path, "box", "2026-01-01 00:00:00.000")
    monkeypatch.undo()
    with opened_store(path) as store:
        Engine(store).tell(ev.CycleStarted(1))
    with opened_store(path) as store:
        assert store.last_id == 1
    bodies = [p.read_bytes() for p in tmp_path.iterdir() if "-2026" in p.name]
    assert b"broken" * 1_000 in bodies
    assert b"w" * 5_000 in bodies


def damaged(path: Path, table: str = "components") -> Snapshot:
    """A store with a pause and an open alert, unreadable in part; returns what it knows."""
    with opened_store(path) as store:
        engine = Engine(store)
        engine.tell(started(), opened(), ev.MaintenanceStarted("*", WALL + 9_999, "olga"))
        known = engine.snapshot
    conn = sqlite3.connect(path)
    sql = "SELECT rootpage FROM sqlite_master WHERE name = ?"
    (page,) = conn.execute(sql, (table,)).fetchone()
    conn.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    path.with_name("healmon.db-wal").write_bytes(b"left by a crash")
    return known


def killed_at(step: int, path: Path) -> bool:
    """Open a store in a process that is killed at its n-th rename, removal or connection."""
    pid = os.fork()
    if pid:
        _, status = os.waitpid(pid, 0)
        return os.WIFSIGNALED(status)
    left = step

    def count(name: str, _: object) -> None:
        nonlocal left
        if name in {"os.rename", "os.remove", "sqlite3.connect"}:
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    with contextlib.suppress(BaseException):
        sys.addaudithook(count)
        opening.open_store(path, "box", "2026-01-01 00:00:00.000")
    os._exit(0)


@pytest.mark.slow
def test_killed_at_any_step_of_beginning_anew_what_was_known_goes_on(tmp_path: Path) -> None:
    """A pause and an acknowledgement that are forgotten would be acts on the unknown."""
    for step in range(1, 40):
        path = tmp_path / str(step) / "healmon.db"
        path.parent.mkdir()
        known = damaged(path)
        killed = killed_at(step, path)
        with opened_store(path) as store:
            assert store.snapshot == known, step
            assert store.last_id == known.last_id
            assert "was damaged" in store.repaired or not killed
        assert not list(path.parent.glob("*.begun*"))
        assert list(path.parent.glob("healmon.db.damaged-*Z"))
        if not killed:
            break
    assert 6 < step < 39


@pytest.mark.parametrize("table", ["components", "checkpoints"])
def test_damaged_on_a_full_disk_it_waits_with_what_was_known(
    tmp_path: Path, monkeypatch, table: str
) -> None:
    path = tmp_path / "healmon.db"
    known = damaged(path, table)
    real = opening.keep_snapshot

    def full(*_: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    monkeypatch.setattr(opening, "keep_snapshot", full)
    with opened_store(path) as store:
        assert "full" in store.fault
        assert store.snapshot == known
        assert path.exists()
        monkeypatch.setattr(opening, "keep_snapshot", real)
        engine = Engine(store)
        engine.tell(observed())
        until(lambda: not store.fault and store.repaired, what="room")
        expected = engine.snapshot
    with opened_store(path) as store:
        assert store.snapshot == expected
