"""A damaged store: what was known goes on, and its history comes over into the new one."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon import events as ev
from healmon.store import opening, salvage, schema
from healmon.store.backup import backup
from healmon.store.carving import Carver, shape_of
from tests.helpers.examples import first_fast
from tests.helpers.storekit import KEYS, Engine, observed, opened, opened_store, program, started
from tests.helpers.wait import until

TABLES = ("events", "health_metrics", "health_alerts")


def fill(path: Path, rounds: int = 30) -> dict[str, set[tuple]]:
    """A store with all sorts of rows, some of them longer than a page; returns its history."""
    with opened_store(path) as store:
        engine = Engine(store)
        engine.tell(started(), opened(KEYS[1]))
        for turn in range(rounds):
            engine.tell(
                *(
                    observed(f"w{n}", blob="ü" * (6000 if n == 7 else 200), turn=turn)
                    for n in range(20)
                )
            )
            engine.tell(opened(), ev.AlertResolved(KEYS[0], "up again"))
            assert asyncio.run(store.flush(30))
        store.checkpoint(engine.snapshot)
        engine.tell(observed("after the checkpoint"))
        assert asyncio.run(store.flush(30))
        known = engine.snapshot
    return {**history(path), "known": known}


def history(path: Path) -> dict[str, set[tuple]]:
    with closing(sqlite3.connect(path)) as conn:
        return {table: set(conn.execute(f"SELECT * FROM {table}").fetchall()) for table in TABLES}


def restored(path: Path) -> str:
    with closing(sqlite3.connect(path)) as conn:
        row = conn.execute("SELECT value FROM meta WHERE key = 'restored'").fetchone()
    return row[0] if row else ""


def zero(path: Path, page: int, length: int = 4096) -> None:
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\0" * length)


def root_of(path: Path, name: str) -> int:
    with closing(sqlite3.connect(path)) as conn:
        return conn.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)
        ).fetchone()[0]


@pytest.mark.parametrize(
    "damage",
    first_fast(
        "events root", "checkpoints root", "header", "first page", "an index", "metrics root"
    ),
)
def test_all_that_is_left_in_the_file_comes_over(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "healmon.db"
    before = fill(path)
    if damage == "header":
        zero(path, 1, 100)
    elif damage == "first page":
        zero(path, 1)
    else:
        name = {
            "events root": "events", "checkpoints root": "checkpoints",
            "metrics root": "health_metrics", "an index": "idx_events_component",
        }[damage]  # fmt: skip
        zero(path, root_of(path, name))
    # an unclean stop: the file is checked as a whole
    path.with_name("healmon.db-wal").write_bytes(b"left by a crash")
    with opened_store(path) as store:
        assert "what was known goes on" in store.repaired
        if damage != "checkpoints root":
            assert store.snapshot == before["known"]
        assert store.last_id == before["known"].last_id
        until(lambda: restored(path), what="the end of it")
        Engine(store).tell(observed("new"))
        assert asyncio.run(store.flush(30))
    after = history(path)
    assert before["events"] <= after["events"]
    assert before["health_metrics"] <= after["health_metrics"]
    closed = {row for row in before["health_alerts"] if row[5]}
    assert closed <= after["health_alerts"]
    # nothing that never was, but what the new store wrote itself
    assert len(after["events"] - before["events"]) == 1
    extra = after["health_metrics"] - before["health_metrics"]
    assert sorted(row[3:5] for row in extra) == [("process", "1"), ("store", "damaged")]
    # ids go on behind the old ones
    assert min(row[0] for row in extra) > max(row[0] for row in before["health_metrics"])
    with opened_store(path) as store:
        assert not store.repaired


@pytest.mark.slow
def test_a_few_lost_pages_cost_their_rows_only(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    before = fill(path, 60)
    pages = path.stat().st_size // 4096
    zero(path, root_of(path, "events"))
    for page in range(20, pages, 40):
        zero(path, page)
    path.with_name("healmon.db-wal").write_bytes(b"left by a crash")
    with opened_store(path):
        until(lambda: restored(path), what="the end of it")
    after = history(path)
    kept = before["events"] & after["events"]
    assert len(kept) >= 0.8 * len(before["events"])
    assert after["events"] <= before["events"]


@pytest.mark.slow
def test_what_is_in_the_wal_comes_over_too(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    code = """
import asyncio, os, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from tests.helpers.storekit import Engine, observed, opened, reading, started
from healmon.store.store import Store
store = Store.open(Path(sys.argv[1]), host="box", now=reading())
store._held._conn.execute("PRAGMA wal_autocheckpoint = 0")
engine = Engine(store)
engine.tell(started(), *(observed(f"w{n}", blob="y" * 500) for n in range(200)))
assert asyncio.run(store.flush(60))
print("written", flush=True)
os.kill(os.getpid(), 9)
"""
    with program(code, path, Path(__file__).parents[3]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.wait(30)
    assert path.with_name("healmon.db-wal").stat().st_size > 100_000
    zero(path, 1, path.stat().st_size)
    with Carver(path) as carver:
        events = [r.values[0] for r in carver.rows(1, carver.pages) if r.table == "events"]
    assert set(events) == set(range(1, 202))


@pytest.mark.slow
def test_a_stop_in_between_goes_on_at_the_next_start(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "healmon.db"
    before = fill(path)
    zero(path, root_of(path, "events"))
    path.with_name("healmon.db-wal").write_bytes(b"left by a crash")
    monkeypatch.setattr(salvage, "BITE", 3)
    at = "2026-01-01 00:00:00.000"
    conn = opening.open_store(path, "box", at).conn
    restoring = salvage.Restoring(tmp_path)
    for _ in range(5):
        assert restoring.bite(conn)
    restoring.close()
    conn.close()
    assert not restored(path)
    with opened_store(path) as store:
        assert "kept as healmon.db.damaged-" in store.repaired  # told as long as it goes on
        until(lambda: restored(path), 30, "the end of it")
    assert before["events"] <= history(path)["events"]


def test_a_damaged_file_that_was_moved_away_ends_it(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    fill(path, 3)
    zero(path, root_of(path, "events"))
    path.with_name("healmon.db-wal").write_bytes(b"left by a crash")
    conn = opening.open_store(path, "box", "2026-01-01 00:00:00.000").conn
    (kept,) = tmp_path.glob("healmon.db.damaged-*Z")
    kept.rename(tmp_path / "elsewhere")
    assert not salvage.Restoring(tmp_path).bite(conn)
    conn.close()
    assert "not brought over" in restored(path)


def test_a_lost_snapshot_still_gives_no_id_twice(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path) as store:
        engine = Engine(store)
        engine.tell(*(observed(f"w{n}") for n in range(300)))
        assert asyncio.run(store.flush(30))
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("DELETE FROM checkpoints")
        conn.execute("DELETE FROM events WHERE id < 10")
    zero(path, root_of(path, "events"))
    path.with_name("healmon.db-wal").write_bytes(b"left by a crash")
    with opened_store(path) as store:
        assert "what was known is lost" in store.repaired
        assert store.last_id == 300


# Carving


@given(st.binary(max_size=9000))
def test_no_file_can_upset_the_carver(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("carve") / "x.db"
    path.write_bytes(data)
    with Carver(path) as carver:
        assert not list(carver.rows(1, carver.pages))


@given(st.data())
def test_no_leaf_can_upset_the_carver(tmp_path_factory, data):
    cells = data.draw(st.lists(st.integers(0, 4095), max_size=20))
    page = bytearray((data.draw(st.binary(min_size=1, max_size=300)) * 4096)[:4096])
    page[:8] = struct.pack(">BHHHB", 13, 0, len(cells), 0, 0)
    page[8 : 8 + 2 * len(cells)] = struct.pack(f">{len(cells)}H", *cells)
    path = tmp_path_factory.mktemp("carve") / "x.db"
    path.write_bytes(b"SQLite format 3\0" + b"\x10\0" + b"\0" * 4078 + bytes(page))
    with Carver(path) as carver:
        list(carver.rows(1, carver.pages))


@pytest.mark.parametrize(
    "values",
    [
        (None, "2026-01-01 00:00:00.000", "k", "c", "loud", "{}", None),
        (None, "yesterday", "k", "c", "INFO", "{}", None),
        (None, "2026-01-01 00:00:00.000", "k", "c", "INFO", None, None),
        (1, "x"),
        (),
    ],
)
def test_rows_of_others_are_none_of_ours(values):
    assert shape_of(values) is None


# Checks, copies, and one hand on the file


def test_a_file_is_checked_as_a_whole_once_a_week(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "healmon.db"
    checked = []
    real = opening.must_be_whole
    monkeypatch.setattr(opening, "must_be_whole", lambda conn: (checked.append(1), real(conn)))
    for day, times in (("01", 0), ("07", 0), ("09", 1), ("12", 1), ("17", 2)):
        opening.open_store(path, "box", f"2026-01-{day} 00:00:00.000").conn.close()
        assert len(checked) == times, day


def test_a_backup_is_whole_while_others_write(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path) as store:
        engine = Engine(store)
        engine.tell(*(observed(f"w{n}") for n in range(500)))
        assert asyncio.run(store.flush(30))
        backup(store._held._conn, tmp_path / "copy.db")
        engine.tell(observed("later"))
        assert asyncio.run(store.flush(30))
    assert len(history(tmp_path / "copy.db")["events"]) == 500
    with opened_store(tmp_path / "copy.db") as store:
        assert store.last_id == 500
    assert sorted(p.name for p in tmp_path.iterdir() if ".new" in p.name) == []


def test_a_backup_that_fails_leaves_nothing(tmp_path: Path) -> None:
    conn = opening.open_store(tmp_path / "healmon.db", "box", "2026-01-01 00:00:00.000").conn
    (tmp_path / "copy.db").mkdir()
    (tmp_path / "copy.db" / "x").touch()
    with pytest.raises(OSError, match="directory"):
        backup(conn, tmp_path / "copy.db")
    conn.close()
    assert not [entry for entry in tmp_path.iterdir() if ".new" in entry.name]


def test_the_old_layout_is_kept_before_a_newer_one(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "healmon.db"
    fill(path, 2)
    more = (*schema.MIGRATIONS, lambda conn: conn.execute("CREATE TABLE more (x)"))
    monkeypatch.setattr(schema, "MIGRATIONS", more)
    old = schema.VERSION
    monkeypatch.setattr(schema, "VERSION", old + 1)
    opening.open_store(path, "box", "2026-01-01 00:00:00.000").conn.close()
    kept = tmp_path / f"healmon.db.layout-{old}"
    with closing(sqlite3.connect(kept)) as conn:
        assert conn.execute("PRAGMA user_version").fetchone() == (old,)
    assert history(kept) == history(path)


@pytest.mark.slow
def test_no_hand_but_sqlites_opens_the_store(tmp_path: Path) -> None:
    """Closing any descriptor of the file would drop all locks that this process has on it."""
    code = """
import asyncio, json, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from tests.helpers.storekit import Engine, observed, opened, reading, started
from healmon.store.store import Store
from healmon.store import read
touched = []
path = Path(sys.argv[1])
def heard(event, args):
    if event == "open" and str(args[0]).startswith(str(path)) and "ballast" not in str(args[0]):
        touched.append(str(args[0]))
sys.addaudithook(heard)
store = Store.open(path, host="box", now=reading())
engine = Engine(store)
for _ in range(3):
    engine.tell(started(), *(observed(f"w{n}", blob="y" * 900) for n in range(200)))
    assert asyncio.run(store.flush(60))
    store.checkpoint(engine.snapshot)
    conn = read.open_reader(path)
    read.open_alerts(conn)
    conn.close()
store.prune(reading().wall)
assert asyncio.run(store.flush(60))
store.close(10)
print(json.dumps(touched), flush=True)
"""
    with program(code, tmp_path / "healmon.db", Path(__file__).parents[3]) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == []
    assert (tmp_path / "healmon.db").stat().st_size


@pytest.mark.parametrize("damage", ["checkpoints", "events", "nothing that is needed"])
def test_of_a_file_too_large_to_be_carved_at_once_as_much_is_known(
    tmp_path: Path, monkeypatch, damage: str
) -> None:
    """A pause that is forgotten would be an act on what must not be touched."""
    path = tmp_path / "healmon.db"
    fill(path)
    monkeypatch.setattr("healmon.store.upkeep.KEYFRAME_EVERY", 1)
    with opened_store(path) as store:
        engine = Engine(store)
        engine.tell(ev.MaintenanceStarted("*", 2e9, "olga"))
        store.checkpoint(engine.snapshot)
        assert asyncio.run(store.flush(30))
        engine.tell(observed("later"))
        known = engine.snapshot
    before = history(path)
    if damage == "nothing that is needed":
        zero(path, root_of(path, "idx_events_component"))
    else:
        zero(path, root_of(path, damage))
    path.with_name("healmon.db-wal").write_bytes(b"left by a crash")
    monkeypatch.setattr(salvage, "AT_ONCE", 0)
    with opened_store(path) as store:
        assert "what was known goes on" in store.repaired
        assert store.snapshot.maintenance == known.maintenance
        if damage == "events":  # then it is what was known a while before
            assert store.last_id > known.last_id
            assert "later" not in store.snapshot.components
        else:
            assert store.snapshot == known
        until(lambda: restored(path), what="the end of it")
        Engine(store).tell(observed("new"))
        assert asyncio.run(store.flush(30))
    after = history(path)
    for table in ("events", "health_metrics"):
        ids = {row[0] for row in before[table]}
        assert before[table] <= after[table]
        new = after[table] - before[table]
        assert new
        assert min(row[0] for row in new) > max(ids)
    assert {row for row in before["health_alerts"] if row[5]} <= after["health_alerts"]
