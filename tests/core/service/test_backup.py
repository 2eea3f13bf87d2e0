"""`healmon backup`: whole, checked, and over nothing."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from healmon import cli
from healmon.store import backup as copying
from healmon.store.store import Store
from tests.helpers.storekit import Engine, observed, opened, opened_store


@pytest.fixture
def state(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("HEALMON_CONFIG", "HEALMON_STATE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


@pytest.fixture
def run(state: Path, capsys):
    def healmon(*words: object):
        code = cli.main(["backup", "--state-dir", str(state), *map(str, words)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return healmon


def told(store: Store, events: int) -> Engine:
    engine = Engine(store)
    engine.tell(opened(), *(observed(f"w{n}", blob="x" * 500) for n in range(events - 1)))
    assert asyncio.run(store.flush(60))
    return engine


def filled(state: Path, events: int = 300) -> Path:
    with opened_store(state / "healmon.db") as store:
        told(store, events)
    return state / "healmon.db"


def left(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.name.startswith("."))


def test_while_a_healer_writes_the_copy_is_whole_and_of_one_moment(state, run, tmp_path) -> None:
    target = tmp_path / "copy.db"
    with opened_store(state / "healmon.db") as store:
        engine = told(store, 300)
        code, out, err = run(target)
        assert (code, err) == (0, "")
        assert out.startswith(f"{target}: ")
        assert out.endswith("up to event 300, quick_check ok\n")
        engine.tell(observed("later"))
        assert asyncio.run(store.flush(60))
        assert store.fault == ""
    assert target.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(target)) as conn:
        # one file, that any SQLite opens without making others beside it
        assert conn.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert conn.execute("SELECT max(id) FROM events").fetchone() == (300,)
    assert not left(tmp_path)
    # and it is a health store: healmon goes on with it
    with opened_store(target) as again:
        assert (again.last_id, len(again.snapshot.alerts)) == (300, 1)


def test_without_a_healer_into_a_directory_and_as_json(state, run, tmp_path) -> None:
    filled(state)
    code, out, _ = run()
    assert code == 0
    (here,) = tmp_path.glob("healmon-*Z.db")
    (tmp_path / "kept").mkdir()
    code, out, _ = run(tmp_path / "kept", "--json")
    answer = json.loads(out)
    (copy,) = (tmp_path / "kept").iterdir()
    assert answer == {"file": str(copy), "bytes": copy.stat().st_size, "last_event": 300}
    assert copy.stat().st_size == here.stat().st_size
    assert min(e.name for e in state.iterdir() if "healmon.db" in e.name) == "healmon.db"


@pytest.mark.parametrize("what", ["file", "link to nothing", "store", "its -wal", "late"])
def test_nothing_is_ever_replaced(state, run, tmp_path, what, monkeypatch) -> None:
    database = filled(state)
    target = tmp_path / "copy.db"
    if what == "file":
        target.write_text("precious")
    elif what == "link to nothing":
        target.symlink_to(tmp_path / "nothing")
    elif what == "store":
        target = database
    elif what == "its -wal":
        target = Path(f"{database}-wal")
    else:
        real = copying.must_be_whole
        monkeypatch.setattr(
            copying, "must_be_whole", lambda conn: (real(conn), target.write_text("precious"))
        )
    before = target.read_bytes() if target.is_file() else None
    code, _, err = run(target)
    assert code == 65
    assert "is there" in err
    assert (target.read_bytes() if what == "late" else before) in {before, b"precious"}
    assert not (tmp_path / "nothing").exists()
    assert not left(tmp_path)


def test_where_nothing_can_be_written_or_read_nothing_is_left(state, run, tmp_path) -> None:
    assert run("copy.db")[0] == 75
    database = filled(state)
    code, _, err = run(tmp_path / "no" / "where.db")
    assert code == 73
    assert "No such file or directory" in err
    with database.open("r+b") as file:
        file.seek(8 * 4096)
        file.write(b"\xff" * (4096 * 4))
    code, _, err = run("copy.db")
    assert code == 73
    assert "no copy was made" in err
    assert not (tmp_path / "copy.db").exists()
    assert not left(tmp_path)
    (state / "healmon.db").write_text("something else, and long enough to be looked at")
    assert run("copy.db")[0] in {73, 78}


def test_dry_run_only_tells(state, run, tmp_path) -> None:
    filled(state)
    code, out, _ = run("copy.db", "--dry-run")
    assert (code, out) == (0, f"would copy {state / 'healmon.db'} to {tmp_path / 'copy.db'}\n")
    assert not (tmp_path / "copy.db").exists()


def test_without_hard_links_it_is_named_all_the_same(state, run, tmp_path, monkeypatch) -> None:
    filled(state)

    def refuse(*_: object) -> None:
        raise PermissionError(1, os.strerror(1))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert run("copy.db")[0] == 0
    assert run("copy.db")[0] == 65
    assert not left(tmp_path)
