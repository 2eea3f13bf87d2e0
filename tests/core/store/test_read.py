from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from healmon import events as ev
from healmon.errors import StoreFaultError, StoreVersionError
from healmon.store import read, stream
from healmon.store.bearers import bearers
from healmon.store.beside import connected
from tests.helpers.storekit import (
    KEYS,
    WALL,
    Engine,
    line,
    observed,
    opened,
    opened_store,
    program,
    started,
)
from tests.helpers.wait import until

METRICS = """SELECT timestamp, component, metric_type, status, action_taken
FROM health_metrics
ORDER BY timestamp DESC
LIMIT 20;"""
ALERTS = """SELECT timestamp, severity, component, message
FROM health_alerts
WHERE resolved = 0
ORDER BY timestamp DESC;"""
WORKER = """SELECT * FROM health_metrics
WHERE component = 'task_worker'
ORDER BY timestamp DESC
LIMIT 10;"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "healmon.db"
    with opened_store(path) as store:
        engine = Engine(store)
        engine.tell(started("daemon"), ev.CycleStarted(1))
        seen = engine.emit(observed("task_worker", "unhealthy", "gone"))
        engine.emit(observed("disk:/", "critical", "97 %"))
        engine.emit(observed("session:a", "healthy", "busy"))
        engine.emit(opened(KEYS[0], "WARNING", "task_worker is down"), cause=seen.id)
        engine.emit(opened(KEYS[6], "CRITICAL", "disk full"))
        engine.emit(opened(KEYS[2], "WARNING", "stuck"))
        engine.tell(ev.AlertResolved(KEYS[2], "moves again"))
        engine.tell(ev.ActionFailed("p0", "disk:/", "clean_disk", "nothing to clean", 0.2))
        engine.tell(ev.ActionVerified("p1", "task_worker", "restart_worker", "pid 9 alive", 1.0))
        engine.tell(ev.CycleFinished(1, 0.5, 59.5, ("disks",)))
    return path


@pytest.fixture
def conn(path: Path):
    conn = read.open_reader(path)
    yield conn
    conn.close()


EXPECTED_ALERTS = [
    ("2026-02-02 02:40:01.750", "CRITICAL", "disk:/var", "disk full"),
    ("2026-02-02 02:40:01.500", "WARNING", "task_worker", "task_worker is down"),
]
EXPECTED_METRICS = [
    ("2026-02-02 02:40:02.750", "task_worker", "auto_recovery", "recovered", "restart_worker"),
    ("2026-02-02 02:40:02.500", "disk:/", "auto_recovery", "error", "clean_disk"),
    ("2026-02-02 02:40:01.250", "session:a", "process", "healthy", ""),
    ("2026-02-02 02:40:01.000", "disk:/", "process", "critical", ""),
    ("2026-02-02 02:40:00.750", "task_worker", "process", "unhealthy", ""),
]


def test_the_specifications_queries_work_word_for_word(path: Path) -> None:
    conn = sqlite3.connect(path)
    assert conn.execute(METRICS).fetchall() == EXPECTED_METRICS
    assert conn.execute(ALERTS).fetchall() == EXPECTED_ALERTS
    assert len(conn.execute(WORKER).fetchall()) == 2
    conn.close()


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="no sqlite3 command here")
def test_they_work_in_the_sqlite3_command_too(path: Path) -> None:
    for query, expected in ((METRICS, EXPECTED_METRICS), (ALERTS, EXPECTED_ALERTS)):
        out = subprocess.run(
            ["sqlite3", "-batch", str(path), query], capture_output=True, text=True, check=True
        )
        assert out.stdout.splitlines() == ["|".join(row) for row in expected]


def test_times_compare_with_sqlites_own(path: Path) -> None:
    conn = sqlite3.connect(path)
    for sql in (
        "SELECT count(*) FROM health_metrics WHERE timestamp < datetime('now')",
        "SELECT count(*) FROM health_metrics WHERE timestamp > datetime('2026-02-02', '-1 day')",
        "SELECT count(*) FROM health_metrics WHERE datetime(timestamp) IS NOT NULL",
    ):
        assert conn.execute(sql).fetchone() == (5,), sql
    conn.close()


def test_what_a_status_needs(conn: sqlite3.Connection) -> None:
    assert [a["key"] for a in read.open_alerts(conn)] == [KEYS[6], KEYS[0]]
    assert [a["id"] for a in read.all_alerts(conn, 2)] == [8, 7]
    assert [c["component"] for c in read.unhealthy(conn)] == ["disk:/", "task_worker"]
    assert [c["component"] for c in read.components(conn)] == ["disk:/", "session:a", "task_worker"]
    assert [(m["component"], m["status"]) for m in read.recent_actions(conn, 5)] == [
        ("task_worker", "recovered"),
        ("disk:/", "error"),
    ]
    facts = read.engine_facts(conn)
    assert facts["started"]["mode"] == "daemon"
    assert facts["started"]["pid"] == 4711
    assert facts["cycle"]["number"] == 1
    assert facts["cycle"]["timestamp"] == "2026-02-02 02:40:03.000"
    assert "stopped" not in facts


def test_the_event_log_and_its_causes(conn: sqlite3.Connection) -> None:
    assert [e["id"] for e in read.events(conn, 9, 100)] == [10, 11, 12]
    assert [e["id"] for e in read.events(conn, 0, 2)] == [1, 2]
    assert [e["kind"] for e in read.events(conn, 0, 9, component="disk:/")] == [
        "observed",
        "actionfailed",
    ]
    late = read.events(conn, 0, 99, since="2026-02-02 02:40:02.500")
    assert [e["id"] for e in late] == [10, 11, 12]
    assert read.last_event_id(conn) == 12
    assert read.last_event_wall(conn) == WALL + 3.0
    assert read.event(conn, 3)["component"] == "task_worker"
    assert read.event(conn, 99) is None
    assert [e["id"] for e in read.effects(conn, 3)] == [6]
    assert [r.id for r in stream.read_before(conn, 12, 2)] == [10, 11]


def test_the_queries_of_a_status_use_an_index(conn: sqlite3.Connection) -> None:
    asked: list[str] = []
    conn.set_trace_callback(asked.append)
    read.engine_facts(conn)
    read.recent_actions(conn, 5)
    read.open_alerts(conn)
    read.effects(conn, 3)
    read.events(conn, 3, 100)
    conn.set_trace_callback(None)
    for sql in asked:
        plan = " ".join(row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {sql}"))
        assert "SCAN" not in plan or "USING INDEX idx_health" in plan, (sql, plan)


def test_a_reader_cannot_write(conn: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        conn.execute("DELETE FROM events")


def test_there_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(read.ReadError, match="no health store at"):
        read.open_reader(tmp_path / "none.db")
    (tmp_path / "empty.db").touch()
    with pytest.raises(read.ReadError, match="holds nothing yet"):
        read.open_reader(tmp_path / "empty.db")
    (tmp_path / "junk.db").write_bytes(b"junk" * 1_000)
    with pytest.raises(read.ReadError, match="not a database"):
        read.open_reader(tmp_path / "junk.db")
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE t (x)")
    other.commit()
    other.close()
    with pytest.raises(StoreVersionError, match="is not a health store"):
        read.open_reader(tmp_path / "other.db")


def test_a_broken_store_is_a_read_error(path: Path, conn: sqlite3.Connection) -> None:
    conn.close()
    for call in (
        lambda: read.open_alerts(conn),
        lambda: read.data_version(conn),
        lambda: stream.read_events(conn, 0, 9),
        lambda: stream.read_snapshot(conn),
    ):
        with pytest.raises(read.ReadError):
            call()


def test_readers_see_what_is_written_meanwhile(path: Path) -> None:
    code = """
import sys
from pathlib import Path
from healmon.store import read
conn = read.open_reader(Path(sys.argv[1]))
before = read.data_version(conn), read.last_event_id(conn)
print("ready", flush=True)
sys.stdin.readline()
after = read.data_version(conn), read.last_event_id(conn)
print(before[0] != after[0], after[1] - before[1], flush=True)
"""
    with opened_store(path) as store, program(code, path) as reader:
        assert line(reader) == "ready"
        Engine(store).tell(observed(), observed())
        assert asyncio.run(store.flush(30))
        reader.stdin.write("\n")
        assert line(reader) == "True 2"


def test_a_replaced_file_can_be_noticed(path: Path) -> None:
    before = bearers(path)
    assert before == bearers(path)
    path.rename(path.with_name("old.db"))
    assert bearers(path) is None
    path.touch()
    assert bearers(path) not in (None, before)


def test_what_lies_beside_an_emptied_file_is_not_taken_away_by_a_look(path: Path) -> None:
    """SQLite deletes the -wal of a database in which nothing stands."""
    wal = path.with_name(f"{path.name}-wal")
    path.write_bytes(b"")
    wal.write_bytes(b"history")
    with pytest.raises(read.ReadError, match="holds nothing yet"):
        read.open_reader(path)
    with pytest.raises(StoreFaultError, match="nothing stands in it yet"), connected(path, 1.0):
        pass
    assert wal.read_bytes() == b"history"


FOLLOWER = """
import sys
from pathlib import Path
from healmon.service.following import Following
from healmon.store import stream
following = Following(Path(sys.argv[1]), 0, stream.read_events, lambda record: record.id)
for _ in sys.stdin:
    print([record.id for record in following.look()], following.anew, flush=True)
"""


def test_an_index_that_was_truncated_ends_nobody_who_follows(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path) as store, program(FOLLOWER, path) as follower:
        engine = Engine(store)
        for number in range(1, 3):
            engine.tell(observed())
            assert asyncio.run(store.flush(30))
            follower.stdin.write("\n")
            assert line(follower) == f"[{number}] 0"
            os.truncate(f"{path}-shm", 0)


@pytest.mark.parametrize("end", ["-wal", "-shm"])
def test_who_follows_a_store_sees_what_comes_after_a_part_of_it_was_deleted(
    tmp_path: Path, end: str
) -> None:
    """An attached screen showed the old state for ever, and no error."""
    path = tmp_path / "healmon.db"
    with opened_store(path) as store, program(FOLLOWER, path) as follower:

        def news(*events: ev.Event) -> str:
            engine.tell(*events)
            # what was deleted is noticed by this: it is written anew
            until(lambda: asyncio.run(store.flush(5)), what="what was told is stored")
            follower.stdin.write("\n")
            return line(follower)

        engine = Engine(store)
        assert news(started(), observed()) == "[1, 2] 0"
        path.with_name(f"healmon.db{end}").unlink()
        assert news(observed("b")) == "[3] 0"
        assert news(observed("c")) == "[4] 0"


def test_a_status_loads_nothing_heavy() -> None:
    code = (
        "import sys, healmon.store.read, healmon.service.instance\n"
        "print(' '.join(m.partition('.')[0] for m in sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(out.stdout.split()) & {"msgspec", "asyncio", "psutil", "logging", "textual"}
