"""What a healer leaves that is killed while it keeps a store whole."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from healmon.state import Snapshot
from healmon.store import rescue, schema, unfinished
from healmon.store.opening import connect
from tests.helpers.storekit import Engine, observed, opened, opened_store, started

DIED = ("sqlite3.connect", "os.rename", "os.remove")
"""Before which steps: nothing is copied yet, all is and has no name, only the name is missing."""


def killed_at(step: str, path: Path) -> None:
    """Delete a store that a process has open, and kill that in the midst of keeping it whole."""
    pid = os.fork()
    if pid:
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status), step
        return
    with contextlib.suppress(BaseException):
        conn = sqlite3.connect(path)
        conn.execute("SELECT count(*) FROM meta").fetchall()
        path.unlink()

        def count(name: str, args: tuple[object, ...]) -> None:
            if name == step and not (step == "os.remove" and "journal" in str(args[0])):
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        rescue.save(conn, path)
    os._exit(0)


def a_store(path: Path) -> Snapshot:
    path.parent.mkdir()
    with opened_store(path) as store:
        engine = Engine(store)
        engine.tell(started(), opened(), observed())
        return engine.snapshot


def hidden(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.name.startswith("."))


def test_killed_at_a_rescue_nothing_stays_behind_and_what_was_whole_goes_on(
    tmp_path: Path,
) -> None:
    for step in DIED:
        path = tmp_path / step / "healmon.db"
        known = a_store(path)
        killed_at(step, path)
        with opened_store(path) as store:
            assert hidden(path.parent) == [], step
            assert store.snapshot == (Snapshot() if step == "sqlite3.connect" else known)


def test_only_what_is_its_own_is_cleared_away(tmp_path: Path) -> None:
    path = tmp_path / "state" / "healmon.db"
    known = a_store(path)
    folder, beside = path.parent, tmp_path / "beside"
    beside.write_bytes(b"somebody's")
    half = ".healmon.db.saved.0123abcd.new"
    for name in (half, f"{half}-journal", ".healmon.db.layout-2.0123abcd.new"):
        (folder / name).write_bytes(b"half of it")
    kept = [".healmon.db.saved.new", ".healmon.db.bak.0123abcd.new", ".x.saved.0123abcd.new"]
    for name in kept:
        (folder / name).write_bytes(b"another's")
    (folder / ".healmon.db.saved.ffffffff.new").symlink_to(beside)
    (folder / ".healmon.db.saved.eeeeeeee.new").mkdir()
    kept += [".healmon.db.saved.ffffffff.new", ".healmon.db.saved.eeeeeeee.new"]
    with opened_store(path) as store:
        assert store.snapshot == known
        assert store.repaired == ""
    assert hidden(folder) == sorted(kept)
    assert beside.read_bytes() == b"somebody's"


def test_a_whole_copy_beside_a_store_that_goes_on_is_kept_under_a_name(tmp_path: Path) -> None:
    path = tmp_path / "state" / "healmon.db"
    known = a_store(path)
    copy = path.with_name(".healmon.db.0123abcd.new")
    copy.write_bytes(path.read_bytes())
    with opened_store(path) as store:
        assert store.snapshot == known
    (kept,) = path.parent.glob("healmon.db.orphaned-*")
    with contextlib.closing(sqlite3.connect(kept)) as conn:
        assert conn.execute("PRAGMA application_id").fetchone() == (schema.APPLICATION_ID,)
    assert hidden(path.parent) == []


def test_a_copy_that_cannot_be_read_now_stays_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state" / "healmon.db"
    a_store(path)
    copy = path.rename(path.with_name(".healmon.db.saved.0123abcd.new"))
    with monkeypatch.context() as without:
        # as where no descriptor is left
        without.setattr(unfinished, "connect", lambda at, how: connect(at / "nothing", how))
        unfinished.clear_away(path, "2026-01-01 00:00:00")
    assert copy.exists()
    unfinished.clear_away(path, "2026-01-01 00:00:00")
    assert not copy.exists()
    assert rescue.place(path).exists()


def cut_short(path: Path, *steps: str) -> None:
    """Leave a copy as a kill leaves it when part of a last step is written, with its journal."""
    work = path.with_name("work")
    with contextlib.closing(sqlite3.connect(work, isolation_level=None)) as conn:
        for sql in ("PRAGMA journal_mode = DELETE", "PRAGMA cache_size = 1", "BEGIN", *steps):
            conn.execute(sql).fetchall()
        for end in ("", "-journal"):
            Path(f"{path}{end}").write_bytes(Path(f"{work}{end}").read_bytes())
    for file in path.parent.glob("work*"):
        file.unlink()


def test_a_copy_with_a_journal_is_taken_back_before_it_is_judged(tmp_path: Path) -> None:
    path = tmp_path / "state" / "healmon.db"
    known = a_store(path)
    ours, much = f"PRAGMA application_id = {schema.APPLICATION_ID}", "SELECT hex(zeroblob(900000))"
    path.rename(path.with_name("work"))
    cut_short(path.with_name(".healmon.db.saved.0123abcd.new"), f"CREATE TABLE half AS {much}")
    cut_short(path.with_name(".healmon.db.0123abcd.new"), ours, f"CREATE TABLE half AS {much}")
    with opened_store(path) as store:
        assert store.snapshot == known
    assert hidden(path.parent) == []
    assert list(path.parent.glob("*.orphaned-*")) == []
