"""The store's own misfortunes: each one is told, waited out, and nothing that matters is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from healmon import events as ev
from healmon.errors import StoreFaultError
from healmon.state import replay
from healmon.store import ballast, held, opening, read, rescue, stream
from healmon.store.backup import backup
from healmon.store.store import Store
from healmon.store.writer import BALLAST_EVERY
from tests.helpers.storekit import (
    WALL,
    Engine,
    Faults,
    line,
    observed,
    opened,
    opened_store,
    program,
    reading,
    started,
)
from tests.helpers.wait import until

LOCKER = """
import sqlite3, sys
conn = sqlite3.connect(sys.argv[1], isolation_level=None)
conn.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
conn.execute("COMMIT")
print("free", flush=True)
"""


def flushed(store: Store, timeout: float = 30.0) -> bool:
    return asyncio.run(store.flush(timeout))


def ids(path: Path) -> list[int]:
    conn = read.open_reader(path)
    try:
        return [row["id"] for row in read.events(conn, 0, 99_999)]
    finally:
        conn.close()


def whole(path: Path) -> str:
    conn = sqlite3.connect(path)
    try:
        return conn.execute("PRAGMA integrity_check").fetchone()[0]
    finally:
        conn.close()


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.mark.slow
def test_locked_by_another_process_for_three_seconds(tmp_path: Path, faults: Faults) -> None:
    path = tmp_path / "healmon.db"
    listeners = {"on_fault": faults.on_fault, "on_recover": faults.on_recover}
    with opened_store(path, **listeners) as store, program(LOCKER, path) as locker:
        engine = Engine(store)
        engine.tell(started())
        assert flushed(store)
        assert line(locker) == "held"
        engine.tell(opened())
        assert not flushed(store, 3.0)
        until(lambda: faults.told, what="the fault")
        assert faults.told == [store.fault]
        assert "another process holds a lock" in store.fault
        engine.tell(observed())
        assert not flushed(store, 3.0)  # faulted: at once
        locker.stdin.write("\n")
        assert line(locker) == "free"
        assert faults.back.wait(30)
        assert flushed(store)
        assert store.fault == ""
        assert faults.recovered == [0]
    assert ids(path) == [1, 2, 3]


def squeeze(store: Store, pages: int) -> None:
    """Have the store's own connection find the disk full."""
    conn = store._held._conn
    (have,) = conn.execute("PRAGMA page_count").fetchone()
    conn.execute(f"PRAGMA max_page_count = {have + pages}").fetchone()


def test_a_full_disk_is_waited_out_and_samples_go_first(tmp_path: Path, faults: Faults) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path, capacity=200) as store:
        store.on_fault, store.on_recover = faults.on_fault, faults.on_recover
        engine = Engine(store)
        engine.tell(started())
        assert flushed(store)
        squeeze(store, 0)
        for number in range(400):
            engine.emit(observed(f"w{number}", blob="x" * 500))
        until(lambda: faults.told, what="the fault")
        assert "free space on the file system" in store.fault
        assert not path.with_name("healmon.ballast").stat().st_size  # thrown overboard first
        keys = [f"box/workers/w{number}/down" for number in range(150)]
        engine.tell(*(opened(key) for key in keys))
        for number in range(400):
            engine.emit(observed(f"v{number}"))
        assert not flushed(store)
        assert store.dropped > 0
        squeeze(store, 10_000)
        assert faults.back.wait(30)
        assert flushed(store)
        assert faults.recovered == [store.dropped]
        assert store.fault == ""
        conn = read.open_reader(path)
        assert sorted(a["key"] for a in read.open_alerts(conn)) == sorted(keys)
        kept = [row["id"] for row in read.events(conn, 0, 9_999)]
        assert kept == sorted(kept)
        assert len(kept) < engine.snapshot.last_id
        # the rows lack what was dropped, until the engine's snapshot makes them whole
        assert len(read.components(conn)) < len(engine.snapshot.components)
        assert store.checkpoint_due
        store.checkpoint(engine.snapshot)
        assert not store.checkpoint_due
        assert flushed(store)
        assert len(read.components(conn)) == len(engine.snapshot.components)
        conn.close()
        for _ in range(BALLAST_EVERY):  # with room again, the spare megabyte comes aboard again
            engine.tell(observed())
            assert flushed(store)
        assert path.with_name("healmon.ballast").stat().st_size == ballast.SIZE
    with opened_store(path) as again:
        assert again.snapshot == engine.snapshot
    assert whole(path) == "ok"


def test_a_file_that_somebody_deletes_to_make_room_is_let_go_of(
    tmp_path: Path, faults: Faults
) -> None:
    """It could not be written, so nobody saw that it was gone, and its space was never free."""
    path = tmp_path / "healmon.db"
    with opened_store(path, on_fault=faults.on_fault, on_recover=faults.on_recover) as store:
        engine = Engine(store)
        engine.tell(started())
        assert flushed(store)
        squeeze(store, 0)
        for number in range(100):
            engine.emit(observed(f"w{number}", blob="x" * 500))
        until(lambda: faults.told, what="the fault")
        for end in ("", "-wal", "-shm"):
            path.with_name(f"healmon.db{end}").unlink()
        assert faults.back.wait(30)
        assert flushed(store)
        assert ids(path) == list(range(1, 102))


def test_what_a_deleted_file_holds_waits_for_room_and_goes_at_last(
    tmp_path: Path, faults: Faults, monkeypatch
) -> None:
    """Its own room may be all that is missing: after some minutes it is given up, and that told."""
    path, tries = tmp_path / "healmon.db", []

    def full(*_: object) -> None:
        tries.append(1)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rescue, "backup", full)
    monkeypatch.setattr(held, "PATIENT", 4)
    with opened_store(path, on_fault=faults.on_fault, on_recover=faults.on_recover) as store:
        engine = Engine(store)
        engine.tell(started(), opened())
        assert flushed(store)
        path.unlink()
        engine.tell(observed())
        assert faults.back.wait(30)
        assert len(tries) == 4
        assert "no copy can be made" in faults.told[0]
        assert "its history is lost" in store.repaired
        assert flushed(store)
        conn = read.open_reader(path)
        assert [a["id"] for a in read.open_alerts(conn)] == [2]
        conn.close()


def test_the_ballast_alone_lets_the_first_words_through(tmp_path: Path, faults: Faults) -> None:
    spare = ballast.Ballast(tmp_path / "healmon.ballast")
    assert spare.load()
    assert spare.aboard
    assert (tmp_path / "healmon.ballast").stat().st_blocks * 512 >= ballast.SIZE
    assert spare.release()
    assert not spare.release()
    assert not spare.aboard
    assert (tmp_path / "healmon.ballast").exists()  # emptied, not unlinked
    assert not ballast.Ballast(tmp_path / "no" / "where").load()


def test_the_file_is_deleted_under_us(tmp_path: Path, faults: Faults) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path, on_fault=faults.on_fault, on_recover=faults.on_recover) as store:
        engine = Engine(store)
        engine.tell(started(), opened(), observed(pid=1))
        assert flushed(store)
        epoch = store.epoch
        for end in ("", "-wal", "-shm"):
            path.with_name(f"healmon.db{end}").unlink()
        engine.tell(ev.StepTaken("p", "w", "after the loss"))
        assert faults.back.wait(30)
        assert "deleted or replaced" in faults.told[0]
        assert flushed(store)
        assert ids(path) == [1, 2, 3, 4]
        assert store.epoch == epoch
        assert "healmon's own goes on" in store.repaired
        assert store.checkpoint_due
        store.checkpoint(engine.snapshot)
        assert flushed(store)
        conn = read.open_reader(path)
        assert [a["id"] for a in read.open_alerts(conn)] == [2]
        assert len(read.components(conn)) == 1
        conn.close()
    with opened_store(path) as again:
        assert again.snapshot == engine.snapshot


def test_only_the_database_is_deleted_and_its_wal_stays(tmp_path: Path, faults: Faults) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path, on_recover=faults.on_recover) as store:
        engine = Engine(store)
        engine.tell(started(), opened())
        assert flushed(store)
        path.unlink()
        engine.tell(observed())
        assert faults.back.wait(30)
        assert flushed(store)
    assert ids(path) == [1, 2, 3]
    assert list(tmp_path.glob("healmon.db.orphaned-*-wal"))
    assert whole(path) == "ok"


READER = """
import sys
from pathlib import Path
from healmon.store import read
conn = read.open_reader(Path(sys.argv[1]))
if "midst" in sys.argv:
    conn.isolation_level = None
    conn.execute("BEGIN")
print(read.last_event_id(conn), flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize(
    "watched", ["", "attached", "midst"], ids=["alone", "a reader", "one that reads on for ever"]
)
def test_the_wal_is_deleted_under_us(
    tmp_path: Path, faults: Faults, monkeypatch, watched: str
) -> None:
    """The specification's own recipe, "remove WAL files", done to us: nothing may be lost."""
    monkeypatch.setattr(opening, "BUSY_TIMEOUT", 0.05)
    path = tmp_path / "healmon.db"
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(opened_store(path, on_recover=faults.on_recover))
        engine = Engine(store)
        for _ in range(50):
            engine.tell(observed())
            assert flushed(store)
        if watched:  # then ours is not the last connection, and closing it brings nothing home
            assert line(stack.enter_context(program(READER, path, watched))) == "50"
            engine.tell(observed())
            assert flushed(store)
        for end in ("-wal", "-shm"):
            path.with_name(f"healmon.db{end}").unlink()
        engine.tell(opened())
        assert faults.back.wait(30)
        engine.tell(observed("later"))
        assert flushed(store)
        assert ids(path) == list(range(1, engine.next))
        assert store._writer._preparer.lost == 0  # written twice, kept once
    assert whole(path) == "ok"
    with opened_store(path) as again:
        assert again.snapshot == engine.snapshot


@pytest.mark.parametrize(
    "ends", [("-wal",), ("-shm",), ("", "-wal")], ids=["its -wal", "its -shm", "all but its -shm"]
)
def test_whoever_comes_after_a_part_was_deleted_shares_no_part_with_a_reader(
    tmp_path: Path, faults: Faults, monkeypatch, ends: tuple[str, ...]
) -> None:
    """An old -shm tells of pages in a -wal that is gone; a second one knows of no lock of ours."""
    path, tries = tmp_path / "healmon.db", []

    def fails_once(conn: sqlite3.Connection, target: Path) -> None:
        tries.append(target)
        if len(tries) == 1:
            raise OSError(28, "No space left on device")
        backup(conn, target)

    monkeypatch.setattr(held, "backup", fails_once)
    monkeypatch.setattr(opening, "BUSY_TIMEOUT", 0.05)
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(opened_store(path, on_recover=faults.on_recover))
        engine = Engine(store)
        engine.tell(started())
        assert flushed(store)
        assert line(stack.enter_context(program(READER, path, "midst"))) == "1"
        engine.tell(observed())
        assert flushed(store)
        for end in ends:
            path.with_name(f"healmon.db{end}").unlink()
        engine.tell(opened())
        assert faults.back.wait(30)
        assert flushed(store)
        assert ids(path) == [1, 2, 3]
    assert len(tries) == (0 if "" in ends else 2), "what it alone has is not let go of"


def test_an_older_copy_of_our_own_file_is_put_back(tmp_path: Path, faults: Faults) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path) as store:
        Engine(store).tell(started(), observed("old"))
    shutil.copy(path, tmp_path / "backup.db")
    with opened_store(path, on_recover=faults.on_recover) as store:
        engine = Engine(store)
        engine.tell(observed("new"), opened())
        assert flushed(store)
        (tmp_path / "backup.db").rename(path)
        engine.tell(observed("newer"))
        assert faults.back.wait(30)
        assert store.checkpoint_due
        store.checkpoint(engine.snapshot)
        assert flushed(store)
    assert ids(path) == [1, 2, 3, 4, 5]
    assert [ids(p) for p in tmp_path.glob("healmon.db.replaced-*Z")] == [[1, 2]]
    with opened_store(path) as again:
        assert again.snapshot == engine.snapshot


@pytest.mark.parametrize("first", ["event", "snapshot"])
def test_another_stores_file_is_put_in_our_place(
    tmp_path: Path, faults: Faults, first: str
) -> None:
    other = tmp_path / "other.db"
    with opened_store(other) as store:
        Engine(store).tell(*(observed(f"w{n}") for n in range(100)))
    path = tmp_path / "healmon.db"
    with opened_store(path, on_recover=faults.on_recover) as store:
        engine = Engine(store)
        engine.tell(started(), opened())
        assert flushed(store)
        other.rename(path)
        if first == "snapshot":
            store.checkpoint(engine.snapshot)
            assert faults.back.wait(30)
        engine.tell(observed("ours"))
        assert faults.back.wait(30)
        assert "been replaced" in store.repaired
        store.checkpoint(engine.snapshot)
        assert flushed(store)
    assert ids(path) == [1, 2, 3]
    assert [len(ids(p)) for p in tmp_path.glob("healmon.db.replaced-*Z")] == [100]


@pytest.mark.parametrize("where", ["everywhere", "in one index"])
def test_damage_met_while_running_is_set_aside(tmp_path: Path, faults: Faults, where: str) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path) as store:
        engine = Engine(store)
        engine.tell(*(observed(f"w{n}", blob="y" * 900) for n in range(200)))
    listeners = {"on_fault": faults.on_fault, "on_recover": faults.on_recover}
    with opened_store(path, **listeners) as store:
        engine = Engine(store)
        conn = store._held._conn
        (page,) = conn.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'idx_health_metrics_timestamp'"
        ).fetchone()
        # a file that opens and checks its tables well, and cannot be written all the same
        start, length = (
            (page - 1, 1) if where == "in one index" else (1, path.stat().st_size // 4096 - 1)
        )
        with path.open("r+b") as file:
            file.seek(start * 4096)
            file.write(b"\xff" * (length * 4096))
        conn.execute("PRAGMA shrink_memory")
        engine.tell(*(observed(f"w{n}", blob="z" * 900) for n in range(200)))
        assert faults.back.wait(30)
        assert flushed(store)
        assert "was damaged" in store.repaired
        store.checkpoint(engine.snapshot)
        assert flushed(store)
    assert list(tmp_path.glob("healmon.db.damaged-*Z"))
    assert whole(path) == "ok"
    with opened_store(path) as again:
        assert again.snapshot == engine.snapshot


def test_a_backup_that_took_a_damaged_file_s_place_is_not_what_is_damaged(
    tmp_path: Path, faults: Faults
) -> None:
    path, copy = tmp_path / "healmon.db", tmp_path / "copy.db"
    with opened_store(path, on_fault=faults.on_fault, on_recover=faults.on_recover) as store:
        engine = Engine(store)
        engine.tell(*(observed(f"w{n}", blob="y" * 900) for n in range(200)))
        assert flushed(store)
        conn = store._held._conn
        backup(conn, copy)
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (path.stat().st_size - 4096))
        conn.execute("PRAGMA shrink_memory")
        copy.rename(path)
        engine.tell(*(observed(f"w{n}", blob="z" * 900) for n in range(200)))
        assert faults.back.wait(30)
        assert flushed(store)
    assert "deleted or replaced" in faults.told[0]
    assert not list(tmp_path.glob("healmon.db.damaged-*"))
    assert ids(path) == list(range(1, 401))


def test_whoever_listens_cannot_stop_the_writer(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"

    def fall(_: object) -> None:
        raise RuntimeError("not my day")

    with opened_store(path, on_fault=fall, on_recover=fall) as store:
        engine = Engine(store)
        engine.tell(started())
        assert flushed(store)
        for end in ("", "-wal", "-shm"):
            path.with_name(f"healmon.db{end}").unlink()
        engine.tell(observed())
        until(lambda: flushed(store), what="the new file")
        assert ids(path) == [1, 2]


def test_what_was_known_cannot_be_read_at_all(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path) as store:
        Engine(store).tell(started())
    exclusive = sqlite3.connect(path, isolation_level=None)
    exclusive.execute("PRAGMA locking_mode = EXCLUSIVE")
    exclusive.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr("healmon.store.store.PATIENCE", 0.0)
    monkeypatch.setattr("healmon.store.opening.BUSY_TIMEOUT", 0.05)
    with pytest.raises(StoreFaultError, match="cannot be read"):
        Store.open(path, host="box", now=reading())
    exclusive.close()
    with opened_store(path) as store:
        assert store.last_id == 1


def test_closing_while_faulted_says_so(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    store = Store.open(path, host="box", now=reading())
    engine = Engine(store)
    engine.tell(started())
    assert flushed(store)
    squeeze(store, 0)
    engine.tell(*(observed(blob="x" * 900) for _ in range(50)))
    until(lambda: store.fault, what="the fault")
    assert not store.close(10.0)
    assert threading.active_count() == 1 or not store._writer._thread.is_alive()
    assert ids(path) == [1]


# -- a real file system that fills, in a mount namespace of its own

IN_NAMESPACE = """
import asyncio, os, subprocess, sys
from pathlib import Path
sys.path[:0] = [sys.argv[2]]
from tests.helpers.storekit import Engine, Faults, observed, opened, reading, started
from tests.helpers.wait import until
from healmon.store.store import Store

where = Path(sys.argv[1])
def mount(*words):
    subprocess.run(["mount", *words], check=True)
"""

FULL_TMPFS = (
    IN_NAMESPACE
    + """
mount("-t", "tmpfs", "-o", "size=24m", "tmpfs", str(where))
path = where / "healmon.db"
faults = Faults()
store = Store.open(path, host="box", now=reading(), on_fault=faults.on_fault,
                   on_recover=faults.on_recover)
engine = Engine(store)
engine.tell(started(), opened())
assert asyncio.run(store.flush(30))
assert (where / "healmon.ballast").stat().st_size
fat = where / "fat"
def fill():
    with fat.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
fill()
n = 0
while not faults.told:
    fill()
    for _ in range(20):
        n += 1
        engine.emit(observed(f"w{n % 50}", blob="y" * 2000))
    asyncio.run(store.flush(5))
print("full:", store.fault, flush=True)
assert not (where / "healmon.ballast").stat().st_size
engine.tell(opened("box/disks/disk:/x/full"))
assert not asyncio.run(store.flush(5))
os.truncate(fat, 0)
assert faults.back.wait(30)
assert asyncio.run(store.flush(30))
assert store.close(30)
again = Store.open(path, host="box", now=reading())
assert again.snapshot == engine.snapshot, "snapshot differs"
again.close(5)

# nothing left at all, a crash's -wal included, and a start
sqlite = __import__("sqlite3")
conn = sqlite.connect(path, isolation_level=None)
conn.execute("PRAGMA wal_autocheckpoint = 0")
conn.execute("CREATE TABLE filler (x)")
pid = os.fork()
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0)
os.truncate(where / "healmon.ballast", 0)
fill()
conn.close()
fill()
blind = Store.open(path, host="box", now=reading())
assert blind.snapshot == engine.snapshot
print("started full:", blind.fault or "writable", flush=True)
os.truncate(fat, 0)
engine = Engine(blind)
engine.tell(observed("back"))
until(lambda: asyncio.run(blind.flush(5)), 30, "writing again")
assert blind.close(30)
print("done", flush=True)
"""
)

READ_ONLY = (
    IN_NAMESPACE
    + """
mount("-t", "tmpfs", "-o", "size=24m", "tmpfs", str(where))
path = where / "healmon.db"
store = Store.open(path, host="box", now=reading())
engine = Engine(store)
engine.tell(started(), opened())
assert store.close(30)
mount("-o", "remount,ro", str(where))
faults = Faults()
store = Store.open(path, host="box", now=reading())
assert store.fault
assert store.snapshot == engine.snapshot
store.on_fault, store.on_recover = faults.on_fault, faults.on_recover
engine = Engine(store)
assert not asyncio.run(store.flush(5))
engine.tell(observed("while read-only"))
until(lambda: faults.told, 30, "the fault")
assert "check the file system and the permissions" in store.fault, store.fault
mount("-o", "remount,rw", str(where))
assert faults.back.wait(30)
assert asyncio.run(store.flush(30))
assert store.close(30)
again = Store.open(path, host="box", now=reading())
assert again.snapshot == engine.snapshot
assert again.close(30)
print("done", flush=True)
"""
)

UNSHARE = ("unshare", "--mount", "--propagation", "private")


def has_namespaces() -> bool:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    with program("print('in')", under=UNSHARE) as process:
        return line(process) == "in"


@pytest.mark.slow
@pytest.mark.parametrize("story", [FULL_TMPFS, READ_ONLY], ids=["full", "read-only"])
def test_a_real_file_system(tmp_path: Path, story: str) -> None:
    if not has_namespaces():
        pytest.skip("needs root and mount namespaces")
    with program(story, tmp_path, Path(__file__).parents[3], under=UNSHARE) as process:
        said = process.stdout.read().splitlines()
        assert process.wait(60) == 0, said
    assert said[-1] == "done"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_may_not_be_written(tmp_path: Path, faults: Faults) -> None:
    where = tmp_path / "state"
    where.mkdir()
    path = where / "healmon.db"
    with opened_store(path) as store:
        Engine(store).tell(started())
    path.chmod(0o400)
    where.chmod(0o500)
    try:
        with opened_store(path, on_fault=faults.on_fault, on_recover=faults.on_recover) as store:
            assert store.last_id == 1
            Engine(store).tell(observed())
            until(lambda: faults.told, what="the fault")
            where.chmod(0o700)
            path.chmod(0o600)
            assert faults.back.wait(30)
    finally:
        where.chmod(0o700)
    assert ids(path) == [1, 2]


# -- SIGKILL in the middle of writing

WRITES_FOR_EVER = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = [sys.argv[2]]
from tests.helpers.storekit import Engine, observed, opened, reading
from healmon import events as ev
from healmon.store.store import Store

store = Store.open(Path(sys.argv[1]), host="box", now=reading())
engine = Engine(store)
n = 0
while True:
    n += 1
    engine.tell(observed(f"w{n % 9}", n=n), opened(f"box/w/w{n % 9}/down"),
                ev.StepTaken("p", f"w{n % 9}", "step"),
                ev.AlertResolved(f"box/w/w{n % 5}/down", ""))
    if n % 7 == 0:
        store.checkpoint(engine.snapshot)
    if n % 5 == 0:
        assert asyncio.run(store.flush(60))
        print(engine.snapshot.last_id, flush=True)
"""


@pytest.mark.slow
def test_killed_in_the_middle_of_writing(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    acknowledged = 0
    for round_number in range(5):
        with program(WRITES_FOR_EVER, path, Path(__file__).parents[3]) as writer:
            for _ in range(20 + 17 * round_number):
                acknowledged = int(line(writer))
            writer.kill()
            acknowledged = max(acknowledged, *(int(n) for n in writer.stdout.read().split()), 0)
        with opened_store(path) as store:
            assert store.last_id >= acknowledged
            assert store.repaired == ""
            conn = read.open_reader(path)
            stored = stream.read_events(conn, 0, 999_999)
            assert [r.id for r in stored] == list(range(1, store.last_id + 1))
            assert store.snapshot == replay(stored)
            alerts = {a["key"] for a in read.open_alerts(conn)}
            assert alerts == set(store.snapshot.alerts)
            conn.close()
        assert whole(path) == "ok"


def test_wall_is_only_a_name_for_files_set_aside(tmp_path: Path) -> None:
    """Two accidents in one second make two files."""
    path = tmp_path / "healmon.db"
    for _ in range(2):
        path.write_bytes(b"no database at all" * 500)
        with opened_store(path) as store:
            assert "was damaged" in store.repaired
            assert store.fault == ""
        path.unlink()
    names = sorted(p.name for p in tmp_path.glob("healmon.db.damaged-*"))
    assert len(names) == 2
    assert names[0].startswith("healmon.db.damaged-2026")
    assert WALL > 0


@pytest.mark.parametrize("opening_it", [False, True])
def test_a_file_that_is_replaced_while_nobody_has_it_open_goes_on(
    tmp_path: Path, faults: Faults, monkeypatch, opening_it: bool
) -> None:
    """Between a fault and the next opening, or while that goes on."""
    path, other = tmp_path / "healmon.db", tmp_path / "other.db"
    with opened_store(other) as store:
        Engine(store).tell(*(observed("foreign") for _ in range(30)))
    with opened_store(path, on_recover=faults.on_recover) as store:
        engine = Engine(store)
        engine.tell(*(observed(blob="x" * 300) for _ in range(50)))
        assert flushed(store)
        place, name = (opening, "open_store") if opening_it else (store._held, "let_go")
        real = getattr(place, name)

        def replaced(*arguments: object, **how: object) -> object:
            if opening_it:
                other.replace(path)
            done = real(*arguments, **how)
            if not opening_it:
                other.replace(path)
            monkeypatch.undo()
            return done

        monkeypatch.setattr(place, name, replaced)
        path.with_name("healmon.db-wal").unlink()
        engine.tell(observed())
        assert faults.back.wait(30)
        assert flushed(store)
    assert ids(path) == list(range(1, 52))
    assert len(list(tmp_path.glob("healmon.db.replaced-*"))) == 1
    assert not path.with_name("healmon.db.held").exists()


def test_a_wal_that_comes_back_beside_what_went_on_without_it_is_set_aside(
    tmp_path: Path, faults: Faults, monkeypatch
) -> None:
    """All three are moved away, and back one by one: ours had gone on in a copy meanwhile."""
    path = tmp_path / "healmon.db"
    wal, away = path.with_name("healmon.db-wal"), tmp_path / "away"
    with opened_store(path, on_recover=faults.on_recover) as store:
        engine = Engine(store)
        engine.tell(*(observed(blob="x" * 300) for _ in range(50)))
        assert flushed(store)
        for end in ("", "-wal", "-shm"):
            path.with_name(f"healmon.db{end}").rename(f"{away}{end}")
        engine.tell(*(observed(blob="y" * 300) for _ in range(50)))
        assert faults.back.wait(30)
        assert flushed(store)
        let_go = store._held.let_go

        def gone(**how: bool) -> None:
            let_go(**how)
            tmp_path.joinpath("away-wal").replace(wal)
            monkeypatch.undo()

        monkeypatch.setattr(store._held, "let_go", gone)
        faults.back.clear()
        path.with_name("healmon.db-shm").unlink()
        engine.tell(observed())
        assert faults.back.wait(30)
        assert flushed(store)
    assert ids(path) == list(range(1, 102))
    assert whole(path) == "ok"
    assert list(tmp_path.glob("healmon.db.orphaned-*-wal"))


def test_what_lost_its_name_after_the_last_write_is_there_at_the_next_start(
    tmp_path: Path,
) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path) as store:
        engine = Engine(store)
        engine.tell(*(observed() for _ in range(5)))
        assert flushed(store)
        for end in ("", "-wal", "-shm"):
            path.with_name(f"healmon.db{end}").unlink()
    with opened_store(path) as again:
        assert again.snapshot == engine.snapshot
    assert ids(path) == list(range(1, 6))


def test_a_wal_that_is_exchanged_while_the_file_is_opened_is_noticed(
    tmp_path: Path, faults: Faults, monkeypatch
) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path, on_recover=faults.on_recover) as store:
        engine = Engine(store)
        engine.tell(observed())
        assert flushed(store)
        real = opening.epoch_of

        def exchanged(conn: sqlite3.Connection) -> str:
            found = real(conn)
            path.with_name("healmon.db-wal").unlink()
            path.with_name("healmon.db-wal").write_bytes(b"rubbish")
            monkeypatch.undo()
            return found

        monkeypatch.setattr(opening, "epoch_of", exchanged)
        path.with_name("healmon.db-shm").unlink()
        engine.tell(observed())
        assert faults.back.wait(30)
        assert flushed(store)
        engine.tell(observed())
        assert flushed(store)
        with contextlib.closing(read.open_reader(path)) as conn:
            assert read.last_event_id(conn) == 3


READS_ON = """
import sqlite3, sys
conn = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
conn.execute("SELECT count(*) FROM events").fetchone()
print("reads", flush=True)
sys.stdin.read()
"""


def test_an_index_that_a_reader_keeps_of_a_truncated_wal_locks_nobody_out(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path) as store:
        engine = Engine(store)
        engine.tell(*(observed(blob="x" * 500) for _ in range(50)))
        assert flushed(store)
        copy = tmp_path / "after" / "healmon.db"
        copy.parent.mkdir()
        for end in ("", "-wal"):  # as a kill leaves them
            shutil.copy(f"{path}{end}", f"{copy}{end}")
    with program(READS_ON, copy) as reader:
        assert line(reader) == "reads"
        os.truncate(f"{copy}-wal", 0)
        with opened_store(copy) as store:
            assert not store.fault
    assert whole(copy) == "ok"
