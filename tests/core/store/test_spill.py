"""What could not be written before the end is there after the next start, and once."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from healmon import events as ev
from healmon.store import spill
from healmon.store.spill import SLOT, Spill
from healmon.store.store import Store
from tests.core.store.test_faults import IN_NAMESPACE, UNSHARE, flushed, has_namespaces, squeeze
from tests.helpers.storekit import (
    WALL,
    Engine,
    line,
    observed,
    opened,
    opened_store,
    program,
    reading,
    started,
)
from tests.helpers.wait import until


def numbers(path: Path, table: str = "events") -> list[int]:
    with closing(sqlite3.connect(path)) as conn:
        return [number for (number,) in conn.execute(f"SELECT id FROM {table} ORDER BY id")]


def faulted(path: Path) -> tuple[Store, Engine]:
    """A store that is full, with an alert, a pause and samples that only memory has."""
    store = Store.open(path, host="box", now=reading())
    engine = Engine(store)
    engine.tell(started())
    assert flushed(store)
    squeeze(store, 0)
    engine.tell(*(observed(f"w{n}", blob="x" * 900) for n in range(60)))
    until(lambda: store.fault, what="the fault")
    engine.tell(opened(), ev.MaintenanceStarted("*", WALL + 9_999, "olga"))
    return store, engine


def test_what_waits_at_the_end_is_taken_up_by_the_next_start_once(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    store, engine = faulted(path)
    assert not store.close(10.0)
    assert numbers(path) == [1]
    for _ in range(2):
        with opened_store(path) as again:
            assert again.snapshot == engine.snapshot
            assert again.last_id == engine.snapshot.last_id
            assert flushed(again)
        assert numbers(path) == list(range(1, engine.next))
        assert len(numbers(path, "health_metrics")) == 60
        assert Spill(tmp_path).read() is None


def test_killed_while_nothing_could_be_written_what_waited_is_taken_up(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("healmon.store.writer.SPILL_FROM", 0.2)
    path, after = tmp_path / "run" / "healmon.db", tmp_path / "after"
    path.parent.mkdir()
    store, engine = faulted(path)
    until(lambda: (kept := Spill(path.parent).read()) and kept.records[-1].id == engine.next - 1)
    shutil.copytree(path.parent, after)  # as a kill would leave it
    with opened_store(after / path.name) as again:
        assert again.snapshot == engine.snapshot
        engine_again = Engine(again)
        engine_again.tell(observed("later"))
        assert flushed(again)
    assert numbers(after / path.name) == list(range(1, engine.next + 1))
    squeeze(store, 10_000)
    until(lambda: flushed(store) and Spill(path.parent).read() is None, what="room")
    assert store.close(10.0)


def test_what_does_not_fit_goes_in_order_of_its_worth(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(spill, "SLOT", 8_000)
    kept, records = Spill(tmp_path), []
    with opened_store(tmp_path / "healmon.db") as store:
        engine = Engine(store)
        for number in range(300):
            records.append(engine.emit(observed(f"w{number}", blob=f"{number**9}" * 9)))
            records += [engine.emit(opened(f"box/w/w{number}/down"))] if number % 30 == 0 else []
    assert kept.write("e", records) == tmp_path / "healmon.reserve"
    found = Spill(tmp_path).read()
    assert found is not None
    assert {type(record.event) for record in found.records} == {ev.AlertOpened}
    assert len(found.records) == 10
    assert found.left_out == 300


def test_a_slot_that_was_half_written_leaves_the_one_before(tmp_path: Path) -> None:
    with opened_store(tmp_path / "healmon.db") as store:
        engine = Engine(store)
        one, other = engine.emit(started()), engine.emit(observed())
    kept = Spill(tmp_path)
    kept.write("e", [one])
    kept.write("e", [one, other])
    with (tmp_path / "healmon.reserve").open("r+b") as file:
        file.seek(SLOT * (kept._serial % 2) + 40)
        file.write(b"torn")
    found = Spill(tmp_path).read()
    assert found is not None
    assert found.records == [one]


def test_what_waited_for_another_store_is_set_aside(tmp_path: Path) -> None:
    path, other = tmp_path / "healmon.db", tmp_path / "other" / "healmon.db"
    store, _ = faulted(path)
    assert not store.close(10.0)
    other.parent.mkdir()
    with opened_store(other) as store:
        Engine(store).tell(started())
    other.rename(path)
    with opened_store(path) as again:
        assert again.last_id == 1
        Engine(again).tell(observed())
        assert flushed(again)
    (kept,) = tmp_path.glob("healmon.reserve.other-*")
    kept.rename(tmp_path / "healmon.reserve")
    found = Spill(tmp_path).read()
    assert found is not None
    assert len(found.records) == 62


def test_what_waited_for_another_store_and_cannot_be_set_aside_keeps_nobody_from_healing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = tmp_path / "none" / "kept"
    monkeypatch.setattr("healmon.store.spill.free_name", lambda *_: nowhere)
    with opened_store(tmp_path / "healmon.db") as store:
        Engine(store).tell(started())
        assert flushed(store)
    Spill(tmp_path).write("another", [ev.Recorded(99, WALL, observed(), None)])
    with opened_store(tmp_path / "healmon.db") as store:
        assert store.last_id == 1


FULL = (
    IN_NAMESPACE
    + """
from healmon import events as ev
mount("-t", "tmpfs", "-o", "size=24m", "tmpfs", str(where))
path, fat = where / "healmon.db", where / "fat"
def fill():
    with fat.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
def stored():
    import sqlite3
    return sqlite3.connect(path).execute("SELECT count(*), max(id) FROM events").fetchone()
"""
)

AT_THE_END = (
    FULL
    + """
store = Store.open(path, host="box", now=reading())
engine = Engine(store)
engine.tell(started(), opened())
assert asyncio.run(store.flush(30))
n = 0
while not store.fault:
    fill()
    for _ in range(20):
        n += 1
        engine.emit(observed(f"w{n % 50}", blob="y" * 2000))
    asyncio.run(store.flush(5))
engine.tell(opened("box/disks/disk:/x/full"), ev.MaintenanceStarted("*", 9e9, "olga"))
fill()
store.checkpoint(engine.snapshot)
assert not store.close(5)
fill()
still = Store.open(path, host="box", now=reading())
assert still.snapshot == engine.snapshot, "started on the full disk"
engine = Engine(still)
engine.tell(opened("box/disks/disk:/y/full"))
fill()
assert not still.close(5)
os.truncate(fat, 0)
again = Store.open(path, host="box", now=reading())
assert again.snapshot == engine.snapshot, "started with room"
until(lambda: asyncio.run(again.flush(5)), 30, "writing")
assert again.close(30)
assert stored() == (engine.snapshot.last_id,) * 2, stored()
print("done", flush=True)
"""
)

DELETED = (
    FULL
    + """
faults = Faults()
store = Store.open(path, host="box", now=reading(), on_fault=faults.on_fault)
engine = Engine(store)
engine.tell(started(), *(observed(f"w{n}", blob="x" * 900) for n in range(1500)))
assert asyncio.run(store.flush(20))
fill()
path.unlink()
engine.tell(opened("box/disks/disk:/x/full"))
until(lambda: faults.told, 30, "the fault")
assert "it was deleted, and no copy can be made" in faults.told[0], faults.told
assert "free space" in faults.told[0], faults.told
os.truncate(fat, 0)
until(lambda: asyncio.run(store.flush(5)), 30, "room")
assert store.close(10)
assert stored() == (engine.snapshot.last_id,) * 2, stored()
assert not list(where.glob(".*")), "nothing half made is left"
print("done", flush=True)
"""
)


@pytest.mark.slow
@pytest.mark.parametrize("story", [AT_THE_END, DELETED], ids=["at the end", "deleted meanwhile"])
def test_on_a_disk_that_is_really_full(tmp_path: Path, story: str) -> None:
    if not has_namespaces():
        pytest.skip("needs root and mount namespaces")
    with program(story, tmp_path, Path(__file__).parents[3], under=UNSHARE) as process:
        assert line(process) == "done"
        assert process.wait(60) == 0


def test_a_directory_that_takes_nothing_has_another_place(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    nowhere = tmp_path / "gone"
    with opened_store(tmp_path / "healmon.db") as store:
        record = Engine(store).emit(started())
    place = Spill(nowhere).write("e", [record])
    assert place is not None
    assert place.parent == tmp_path
    found = Spill(nowhere).read()
    assert found is not None
    assert found.records == [record]
