"""Private copies of databases: of one moment, or none."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from healmon.errors import ProbeError
from healmon.world import dbprivate
from healmon.world.dbprivate import PrivateTables, private_copy, size_of

WRITER = """
import sqlite3, sys, time
conn = sqlite3.connect(sys.argv[1], isolation_level=None)
conn.execute("PRAGMA journal_mode = " + sys.argv[2])
conn.execute("PRAGMA cache_size = 2")
conn.execute("CREATE TABLE IF NOT EXISTS t (a, b)")
print("up", flush=True)
n = 0
while True:
    n += 1
    conn.execute("BEGIN")
    for _ in range(50):
        conn.execute("INSERT INTO t VALUES (?, ?)", (n, "x" * 500))
    if len(sys.argv) > 3 and n == 3:
        print("half", flush=True)
        time.sleep(60)
    conn.execute("COMMIT")
    time.sleep(0.005)
"""


def writing(path: Path, mode: str, *more: str) -> subprocess.Popen[str]:
    run = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), mode, *more], stdout=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "up\n"
    if more:
        assert run.stdout.readline() == "half\n"
    return run


def end(run: subprocess.Popen[str]) -> None:
    run.kill()
    run.wait(30)
    assert run.stdout is not None
    run.stdout.close()


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_what_is_written_all_the_time_gives_no_copy(tmp_path: Path, monkeypatch, mode: str) -> None:
    # a busy machine lets the writer stand still for longer than a copy needs
    monkeypatch.setattr(dbprivate, "STILL", 0.25)
    path, folder = tmp_path / "a.db", tmp_path / "copies"
    folder.mkdir()
    run = writing(path, mode)
    try:
        with pytest.raises(ProbeError, match="is written all the time"):
            private_copy(path, folder).__enter__()
    finally:
        end(run)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_transaction_that_is_under_way_is_not_in_the_copy(tmp_path: Path, mode: str) -> None:
    path, folder = tmp_path / "a.db", tmp_path / "copies"
    folder.mkdir()
    run = writing(path, mode, "half")
    try:
        assert size_of(path) > 0
        with private_copy(path, folder) as copy:
            with closing(sqlite3.connect(copy)) as conn:
                assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                counts = conn.execute("SELECT a, count(*) FROM t GROUP BY a").fetchall()
            assert counts == [(1, 50), (2, 50)]
            tables = PrivateTables(copy)
            assert tables.columns("t") == ("a", "b")
            assert tables.columns("nothing") == ()
            assert next(tables.rows("t")) == (1, {"a": 1, "b": "x" * 500})
            tables.close()
    finally:
        end(run)
    assert list(folder.iterdir()) == []


def test_leftovers_of_killed_copies_go_and_nothing_else(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as conn:
        conn.execute("CREATE TABLE t (a)")
    folder = tmp_path / "copies"
    (folder / "import-old").mkdir(parents=True)
    (folder / "else").mkdir()
    with private_copy(tmp_path / "a.db", folder) as copy:
        assert copy.stat().st_mode & 0o077 == 0
        assert not (folder / "import-old").exists()
    assert [p.name for p in folder.iterdir()] == ["else"]
