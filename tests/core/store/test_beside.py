"""Two connections in the healer's process and no more, and no lock of it ever dropped."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from healmon.errors import StoreFaultError
from healmon.store import salvage
from healmon.store.beside import Beside
from tests.helpers.storekit import Engine, Faults, observed, opened_store


def open_here(path: Path) -> list[str]:
    """The files of a database that this process has open."""
    found = []
    for fd in Path("/proc/self/fd").iterdir():
        try:
            name = str(fd.readlink())
        except FileNotFoundError:
            continue
        found += [name.removeprefix(str(path))] if name.startswith(f"{path}") else []
    return sorted(found)


def flushed(store) -> bool:
    return asyncio.run(store.flush(30))


def events_in(beside: Beside) -> int:
    with beside.use(5.0) as conn:
        return conn.execute("SELECT count(*) FROM events").fetchone()[0]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "healmon.db"


def test_one_connection_serves_all_and_is_kept(path: Path) -> None:
    with opened_store(path) as store:
        engine = Engine(store)
        for number in range(1, 30):
            engine.tell(observed())
            assert flushed(store)
            assert events_in(store.beside) == number
        # of the writer and of all others: one database and one -wal each, one -shm for both
        assert open_here(path) == ["", "", "-shm", "-wal", "-wal"]
    assert open_here(path) == []


def placed(path: Path, end: str = "") -> Path:
    return path.with_name(f"{path.name}{end}")


def test_a_file_that_was_replaced_waits_for_the_writer(path: Path, tmp_path: Path) -> None:
    other, faults = tmp_path / "other.db", Faults()
    with opened_store(other) as store:
        Engine(store).tell(*(observed() for _ in range(7)))
    with opened_store(path, on_recover=faults.on_recover) as store:
        assert events_in(store.beside) == 0
        look, store.beside.on_strange = store.beside.on_strange, None
        other.rename(path)
        # with the -wal: the old one's would flow into the new one; without: opened beside the
        # locks of the writer, the -shm would be cut to nothing under it; without both: not ours
        before = placed(path, "-shm").stat().st_size
        for end in ("-wal", "-shm", ""):
            with pytest.raises(StoreFaultError, match="deleted or replaced"):
                events_in(store.beside)
            if end == "-wal":
                assert placed(path, "-shm").stat().st_size == before > 0
            placed(path, end).unlink()
        with pytest.raises(StoreFaultError, match="deleted or replaced"):
            events_in(store.beside)
        # nothing was to be written: that it was asked for has the writer look
        store.beside.on_strange = look
        with pytest.raises(StoreFaultError, match="deleted or replaced"):
            events_in(store.beside)
        assert faults.back.wait(30)
        assert events_in(store.beside) == 0


def test_while_the_writer_has_nothing_open_no_other_file_is_opened(
    path: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.db"
    with opened_store(other):
        pass
    with opened_store(path) as store:
        assert events_in(store.beside) == 0
        store._held.let_go()
        assert events_in(store.beside) == 0
        other.rename(path)
        with pytest.raises(StoreFaultError, match="deleted or replaced"):
            events_in(store.beside)


def test_a_wal_that_was_exchanged_waits_for_the_writer(path: Path) -> None:
    """A second -wal under the same index would be the end of both."""
    faults = Faults()
    with opened_store(path, on_recover=faults.on_recover) as store:
        engine = Engine(store)
        engine.tell(*(observed() for _ in range(20)))
        assert flushed(store)
        assert events_in(store.beside) == 20
        for end in ("-wal", "-shm"):
            path.with_name(f"{path.name}{end}").unlink()
        for _ in range(3):
            with pytest.raises(StoreFaultError, match="deleted or replaced"):
                events_in(store.beside)
        engine.tell(observed())
        assert faults.back.wait(30)
        assert flushed(store)
        assert events_in(store.beside) == 21
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.slow
def test_a_damaged_file_is_opened_by_hand_only_while_nobody_here_has_it_open(
    path: Path, monkeypatch
) -> None:
    by_hand: list[list[str]] = []
    real = salvage.Carver

    def carver(file: Path) -> object:
        by_hand.append(open_here(file))
        return real(file)

    monkeypatch.setattr(salvage, "Carver", carver)
    faults, stop = Faults(), threading.Event()
    with opened_store(path, on_recover=faults.on_recover) as store:
        engine = Engine(store)
        engine.tell(*(observed(f"w{n}", blob="y" * 900) for n in range(200)))
        assert flushed(store)

        def ask() -> None:
            while not stop.is_set():
                try:
                    events_in(store.beside)
                except StoreFaultError:
                    continue

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            store._held._conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            with path.open("r+b") as file:
                file.seek(4096)
                file.write(b"\xff" * (path.stat().st_size - 4096))
            store._held._conn.execute("PRAGMA shrink_memory")
            engine.tell(*(observed(f"w{n}", blob="z" * 900) for n in range(200)))
            assert faults.back.wait(30)
            assert flushed(store)
        finally:
            stop.set()
            asking.join()
    # at once, and then for the history
    assert len(by_hand) >= 2
    assert not any(by_hand)


def test_who_cannot_have_it_is_told_within_his_patience(path: Path) -> None:
    with opened_store(path) as store:
        with store.beside.away(), pytest.raises(StoreFaultError, match="opened or mended"):
            events_in_at_once(store.beside)
        assert events_in(store.beside) == 0
    with pytest.raises(StoreFaultError, match="it is closed"):
        events_in(store.beside)


def events_in_at_once(beside: Beside) -> None:
    with beside.use(0.05):
        pass


def test_after_an_error_it_is_opened_anew(path: Path) -> None:
    with opened_store(path) as store:
        with pytest.raises(StoreFaultError, match="no such table"), store.beside.use(1.0) as conn:
            conn.execute("SELECT * FROM nowhere")
        assert events_in(store.beside) == 0
