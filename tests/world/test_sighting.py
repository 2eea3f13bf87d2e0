"""What a host has, seen from outside: real files, real processes, nothing opened."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys

import pytest

from healmon.world import sighting
from tests.helpers.wait import until

HOLDER = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1])
db.execute("pragma journal_mode=wal")
db.execute("create table if not exists t (x)")
db.execute("insert into t values (1)")
db.commit()
other = open(sys.argv[2], "w")
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process with a database without a telling name, and a file that only sounds like none."""
    database = tmp_path / "orders"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, database, tmp_path / "notes.txt"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.readline() == b"ready\n"
    yield process, database
    process.stdin.close()
    process.wait(10)
    process.stdout.close()


def of(found, path):
    return next((one for one in found.databases if one.path == str(path)), None)


def test_a_database_is_told_by_the_files_beside_it(holder, tmp_path):
    process, database = holder
    seen = of(sighting.processes((), tmp_path / "state"), database)
    assert seen is not None
    assert [pid for pid, _ in seen.users] == [process.pid]
    assert seen.users[0][1].startswith("python")
    paths = {one.path for one in sighting.processes((), tmp_path / "state").databases}
    assert str(tmp_path / "notes.txt") not in paths
    assert not any(path.endswith(("-wal", "-shm")) for path in paths)


def test_what_is_below_the_state_directory_is_our_own(holder, tmp_path):
    _, database = holder
    assert of(sighting.processes((), tmp_path), database) is None


def test_our_own_databases_are_never_touched(tmp_path):
    # a look that opened the file would drop our lock on it when it closes it
    path = tmp_path / "mine.db"
    with_lock = sqlite3.connect(path, isolation_level=None)
    with_lock.execute("create table t (x)")
    with_lock.execute("begin exclusive")
    found = sighting.processes((), tmp_path / "state")
    assert of(found, path) is None
    code = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('select * from t')"
    other = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert "locked" in other.stderr
    with_lock.close()


def daemons(folder):
    return {one.path: one for one in sighting.processes((folder,), folder / "state").daemons}


def test_a_pid_file_counts_only_while_its_process_lives_and_is_older(holder, tmp_path):
    process, _ = holder
    good = tmp_path / "good.pid"
    good.write_text(f"{process.pid}\n")
    (tmp_path / "dead.pid").write_text("4194303\n")
    (tmp_path / "words.pid").write_text("hello\n")
    (tmp_path / "empty.pid").write_text("")
    (tmp_path / "huge.pid").write_text("1" * 10_000)
    (tmp_path / "link.pid").symlink_to(good)
    (tmp_path / "dir.pid").mkdir()
    os.mkfifo(tmp_path / "pipe.pid")
    # its pid was somebody else's when this was written
    recycled = tmp_path / "recycled.pid"
    recycled.write_text(str(process.pid))
    os.utime(recycled, (1_000_000_000, 1_000_000_000))
    found = daemons(tmp_path)
    assert [path for path in found if path.startswith(str(tmp_path))] == [str(good)]
    assert found[str(good)].pid == process.pid
    process.stdin.close()
    process.wait(10)
    until(lambda: str(good) not in daemons(tmp_path), 10, "the dead one to be left out")


def test_file_systems_are_measured():
    found = sighting.file_systems()
    assert "/" in {one.mount for one in found}
    for one in found:
        assert 0 <= one.percent <= 100
        assert one.free >= 0
    assert len({one.mount for one in found}) == len(found)


def test_far_mounts_and_single_files_are_not_asked(monkeypatch, tmp_path):
    table = (
        f"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:5 / {tmp_path}/far rw - nfs4 h:/x rw\n"
        f"3 1 0:6 / {tmp_path}/far2 rw - fuse.sshfs h:/x rw\n"
        f"4 1 8:1 /x {tmp_path}/f rw - ext4 /dev/sda1 rw\n"
        "5 1 0:7 / /proc rw - proc proc rw\nbroken line\n"
    )
    (tmp_path / "f").write_text("")

    class Table:
        def __init__(self, _path):
            pass

        def read_text(self, *_):
            return table

    monkeypatch.setattr(sighting, "Path", Table)
    assert list(sighting._local_mounts()) == ["/"]
