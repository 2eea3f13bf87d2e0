"""Somebody writes into the store's files by hand: what healmon knows outlives it, never mixed."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from healmon import events as ev
from healmon.store.backup import backup
from healmon.store.bearers import identify
from healmon.store.own import Own
from healmon.store.store import Store
from tests.core.store.test_faults import flushed, ids, whole
from tests.helpers.storekit import (
    WALL,
    Engine,
    Faults,
    line,
    observed,
    opened,
    opened_store,
    program,
)
from tests.helpers.wait import until

PAUSE = ev.MaintenanceStarted("*", WALL + 9_999, "olga")
ACKNOWLEDGED = ev.AlertAcknowledged(opened().key, "olga", "", None)


def over(source: Path, target: Path) -> None:
    """Write a file over another as `cp` does: the name and the inode stay."""
    with target.open("wb") as file:
        file.write(source.read_bytes())


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "healmon.db"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another store, with other events of the same ids."""
    place = tmp_path / "elsewhere" / "other.db"
    place.parent.mkdir()
    with opened_store(place) as store:
        Engine(store).tell(*(observed(f"foreign{n}") for n in range(30)))
    return place


def told(store: Store) -> Engine:
    """A store with history in the file itself, and an acknowledged alert in the -wal alone."""
    engine = Engine(store)
    engine.tell(*(observed(f"w{n}", blob="x" * 500) for n in range(40)))
    store.checkpoint(engine.snapshot)
    assert flushed(store)
    store._held._conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    store._held._own.remember()
    backup(store._held._conn, store.path.with_name("copy.db"))
    engine.tell(opened(), ACKNOWLEDGED, PAUSE)
    store.checkpoint(engine.snapshot)
    engine.tell(observed("last"))
    assert flushed(store)
    return engine


def goes_on(store: Store, engine: Engine, faults: Faults) -> None:
    """Write once more, and again once the store is back."""
    engine.tell(observed("more"))
    assert faults.back.wait(30)
    store.checkpoint(engine.snapshot)
    assert flushed(store)
    until(lambda: store._writer._restoring is None, what="the history")


def foreign(path: Path) -> int:
    with closing(sqlite3.connect(path)) as conn:
        sql = "SELECT count(*) FROM events WHERE component LIKE 'foreign%'"
        return conn.execute(sql).fetchone()[0]


def known_after(path: Path, engine: Engine) -> None:
    assert whole(path) == "ok"
    with opened_store(path) as again:
        assert again.snapshot == engine.snapshot


def test_a_backup_copied_over_the_live_file(path: Path, faults: Faults) -> None:
    with opened_store(path, on_fault=faults.on_fault, on_recover=faults.on_recover) as store:
        engine = told(store)
        over(path.with_name("copy.db"), path)
        goes_on(store, engine, faults)
        assert "overwritten" in faults.told[0]
        assert "what it alone held is lost" in store.repaired
    assert ids(path) == list(range(1, engine.next))
    known_after(path, engine)


def test_another_store_copied_over_the_live_file(path: Path, faults: Faults, other: Path) -> None:
    """Of its rows none becomes ours; of ours those in the -wal are left."""
    with opened_store(path, on_recover=faults.on_recover) as store:
        engine = told(store)
        over(other, path)
        goes_on(store, engine, faults)
    assert set(range(41, engine.next)) <= set(ids(path))
    assert foreign(path) == 0
    assert [foreign(kept) for kept in path.parent.glob("*.replaced-*Z")] == [30]
    known_after(path, engine)


SHELL = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as conn:
    print(conn.execute("SELECT count(*) FROM events").fetchone()[0], flush=True)
conn.close()
"""


def test_who_opens_what_was_put_in_its_place_takes_nothing_from_ours(
    path: Path, faults: Faults, other: Path
) -> None:
    """SQLite writes our -wal into the other database, and says in the index that all is done."""
    with opened_store(path, on_recover=faults.on_recover) as store:
        engine = told(store)
        engine.tell(*(observed(f"w{n}", blob="x" * 500) for n in range(60)))
        assert flushed(store)
        other.replace(path)
        with program(SHELL, path) as shell:
            assert line(shell)
            shell.wait(30)
        assert not path.with_name("healmon.db-wal").exists()
        goes_on(store, engine, faults)
    assert ids(path) == list(range(1, engine.next))
    known_after(path, engine)


def test_a_wal_that_was_put_in_the_place_of_ours_is_kept(
    path: Path, faults: Faults, other: Path
) -> None:
    with opened_store(path, on_recover=faults.on_recover) as store:
        engine = told(store)
        wal = path.with_name("healmon.db-wal")
        theirs = other.read_bytes()
        other.replace(wal)
        goes_on(store, engine, faults)
    assert [kept.read_bytes() for kept in path.parent.glob("*.orphaned-*-wal")] == [theirs]
    assert ids(path) == list(range(1, engine.next))
    known_after(path, engine)


@pytest.mark.parametrize("left", [0, 5_000], ids=["all of it", "but for its beginning"])
def test_the_wal_is_truncated_under_us(path: Path, faults: Faults, left: int) -> None:
    with opened_store(path, on_fault=faults.on_fault, on_recover=faults.on_recover) as store:
        engine = told(store)
        os.truncate(f"{path}-wal", left)
        goes_on(store, engine, faults)
        assert "truncated" in faults.told[0]
        assert "all were written again" in store.repaired
    assert ids(path) == list(range(1, engine.next))
    known_after(path, engine)


def test_the_wal_that_a_kill_left_is_no_danger_to_what_is_in_it(path: Path) -> None:
    with opened_store(path) as store:
        engine = told(store)
        left_by_a_kill(store, path.with_name("after"))
    after = path.with_name("after") / "healmon.db"
    with opened_store(after) as store:
        engine = Engine(store)
        os.truncate(f"{after}-wal", 0)
        engine.tell(observed("more"))
        until(lambda: flushed(store), what="the file itself")
    assert ids(after) == list(range(1, engine.next))
    known_after(after, engine)


def test_a_file_that_is_only_touched_is_still_ours(path: Path, faults: Faults) -> None:
    with opened_store(path, on_fault=faults.on_fault) as store:
        engine = told(store)
        os.utime(path)
        engine.tell(observed("more"))
        assert flushed(store)
        store._held._conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        engine.tell(observed("and more"))
        assert flushed(store)
    assert faults.told == []


LIVES = """
import asyncio, os, sys, time
from pathlib import Path
sys.path[:0] = [sys.argv[2]]
from tests.helpers.storekit import Engine, observed, reading
from healmon.errors import StoreFaultError
from healmon.store.store import Store
def asked(store):
    try:
        with store.beside.use(5.0) as conn:
            return conn.execute("SELECT max(id) FROM events").fetchone()[0]
    except StoreFaultError as error:
        return "truncated" in str(error)
path = Path(sys.argv[1])
store = Store.open(path, host="box", now=reading())
engine = Engine(store)
for size in (0, 100):
    engine.tell(observed())
    assert asyncio.run(store.flush(10))
    assert asked(store) == engine.next - 1
    store.beside.on_strange, look = None, store.beside.on_strange
    os.truncate(f"{path}-shm", size)
    assert asked(store) is True
    store.beside.on_strange = look
engine.tell(observed())
assert asyncio.run(store.flush(10))
os.truncate(f"{path}-shm", 0)
end = time.monotonic() + 30
while asked(store) != 3:  # nothing else has the writer look
    assert time.monotonic() < end
    time.sleep(0.01)
assert store.close(10)
print("lives", flush=True)
"""


def test_a_truncated_index_does_not_end_the_healer(path: Path) -> None:
    with program(LIVES, path, Path(__file__).parents[3]) as process:
        assert line(process) == "lives"
    assert ids(path) == [1, 2, 3]


# -- found at a start: healmon was killed, and somebody was at its files


def left_by_a_kill(store: Store, place: Path) -> None:
    place.mkdir()
    for end in ("", "-wal"):
        shutil.copy(f"{store.path}{end}", place / f"healmon.db{end}")


def remove(path: Path, _: Path) -> None:
    path.unlink()


def empty(path: Path, _: Path) -> None:
    os.truncate(path, 0)


def older(path: Path, copy: Path) -> None:
    shutil.copy(copy, path)


def nothing(path: Path, _: Path) -> None:
    os.utime(path)


@pytest.mark.parametrize("attack", [remove, empty, older, nothing])
def test_what_the_wal_knows_goes_on_whatever_became_of_the_database(
    path: Path, attack: Callable[[Path, Path], None]
) -> None:
    copy = path.with_name("copy.db")
    with opened_store(path) as store:
        engine = told(store)
        left_by_a_kill(store, path.with_name("after"))
    after = path.with_name("after") / "healmon.db"
    attack(after, copy)
    with opened_store(after) as store:
        assert store.snapshot == engine.snapshot
        assert store.last_id == engine.snapshot.last_id
        until(lambda: store._writer._restoring is None, what="the history")
        assert bool(store.repaired) == (attack in {remove, empty})
    assert set(range(41, engine.next)) <= set(ids(after))
    if attack in {older, nothing}:
        assert ids(after) == list(range(1, engine.next))
    assert whole(after) == "ok"


def test_the_wal_of_another_store_is_never_taken_over(path: Path, other: Path) -> None:
    with opened_store(path) as store:
        told(store)
        left_by_a_kill(store, path.with_name("after"))
    after = path.with_name("after") / "healmon.db"
    other.replace(after)
    with opened_store(after) as store:
        assert store.last_id == 30
        assert "another store's -wal" in store.repaired
    assert list(after.parent.glob("healmon.db.orphaned-*-wal"))
    assert foreign(after) == 30


def test_rubbish_written_into_the_database_is_met_before_it_spreads(
    path: Path, faults: Faults
) -> None:
    """Its size and its header say nothing, only its time does: all of it is checked then."""
    with opened_store(path, on_recover=faults.on_recover) as store:
        engine = told(store)
        with path.open("r+b") as file:
            file.seek(34 * 4096)
            file.write(os.urandom(4096))
        goes_on(store, engine, faults)
        assert "was damaged" in store.repaired
    assert set(range(41, engine.next)) <= set(ids(path))
    known_after(path, engine)


def test_a_descriptor_that_is_another_files_by_now_accuses_nobody(tmp_path):
    files = [tmp_path / f"healmon.db{end}" for end in ("", "-wal", "-shm")]
    with closing(sqlite3.connect(files[0], isolation_level=None)) as conn:
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute("CREATE TABLE t (x)")
        own = Own(tuple(identify(path) for path in files))
        assert own._seen is not None
        assert not own.fault()
        stranger = tmp_path / "stranger"
        stranger.write_bytes(b"x" * 4096)
        with stranger.open() as file:  # a reader's descriptor, closed and given to somebody else
            own._main = own._wal = own._shm = file.fileno()
            assert not own.fault()
            assert not own.touched
            assert not own.torn
