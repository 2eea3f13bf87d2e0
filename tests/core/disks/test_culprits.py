"""Who holds the space: real directories, real processes with deleted files, growth, words."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from healmon.clock import SystemClock
from healmon.config.settings import Budget, Disk
from healmon.disks.culprits import Culprits, Holding, culprits, lines
from healmon.disks.probe import Probe
from healmon.errors import ProbeError
from healmon.world.filedata import Limits
from healmon.world.files import SystemFiles
from healmon.world.spaceuse import Breakdown, Opened, Part, breakdown, opened, told

KB, MB = 1024, 1024**2
HOLD = """
import os, sys
f = open(sys.argv[1], "ab"); f.write(os.urandom(1 << 20)); f.flush(); os.fsync(f.fileno())
if sys.argv[2] == "gone": os.unlink(sys.argv[1])
print("up", flush=True); sys.stdin.read()
"""


@pytest.fixture
def hold():
    children = []

    def start(path, what="gone"):
        child = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(path), what],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        children.append(child)
        assert child.stdout.readline() == b"up\n"
        return child.pid

    yield start
    for child in children:
        child.communicate()


def write(path, size):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)


def test_the_biggest_are_named_where_they_really_are(tmp_path):
    write(tmp_path / "a/b/c/big.bin", 512 * KB)
    write(tmp_path / "a/small", 4 * KB)
    write(tmp_path / "d/mid", 128 * KB)
    write(tmp_path / "e/hostile\n\x1b[31m", 64 * KB)
    os.link(tmp_path / "d/mid", tmp_path / "d/again")
    (tmp_path / "out").symlink_to("/usr")
    seen = breakdown(str(tmp_path), Limits(seconds=600.0))
    assert [part.path for part in seen.directories[:2]] == [f"{tmp_path}/a/b/c", f"{tmp_path}/d"]
    assert seen.directories[1].held == 128 * KB, "a file with two names counts once"
    assert seen.files[0].path == f"{tmp_path}/a/b/c/big.bin"
    assert all(c.isprintable() for part in seen.files for c in part.path)
    assert not seen.partial
    assert not any("/usr" in part.path for part in seen.directories)


def test_the_search_ends_in_its_time_and_says_so(tmp_path):
    for number in range(50):
        write(tmp_path / f"{number}", 10)
    assert breakdown(str(tmp_path), Limits(entries=10)).partial
    with pytest.raises(ProbeError):
        breakdown(str(tmp_path / "none"), Limits(seconds=600.0))


def test_memory_does_not_grow_with_the_number_of_directories():
    sums = {"": 0} | {f"a/{n}": 1 for n in range(5)} | {"a": 5}
    assert told(sums, 1) == [("a", 5)]


def test_a_deleted_file_that_is_open_is_named_with_its_holder_and_its_remedy(tmp_path, hold):
    pid = hold(tmp_path / "gone.log")
    device = tmp_path.stat().st_dev
    mine = [one for one in opened(device) if one.pid == pid and str(tmp_path) in one.path]
    assert [(one.deleted, one.path) for one in mine] == [(True, f"{tmp_path}/gone.log")]
    assert mine[0].held >= MB
    text = "\n".join(lines(culprits(breakdown(str(tmp_path), Limits(seconds=600.0)), mine, 0, 1.0)))
    assert "deleted, but still open" in text
    assert str(pid) in text
    assert f"/proc/{pid}/fd/{mine[0].fd}" in text


def test_who_writes_a_big_file_is_named_and_one_that_is_only_open_is_not_deleted(tmp_path, hold):
    pid = hold(tmp_path / "app.log", "stays")
    seen = breakdown(str(tmp_path), Limits(seconds=600.0))
    holders = opened(seen.device, frozenset(part.key for part in seen.files))
    found = culprits(seen, holders, 0, 1.0)
    assert f"({pid})" in found.files[0].by
    assert not [one for one in found.pinned if str(tmp_path) in one.path]


def made(held: int, *opened_: Opened, used: int = 0, before: Culprits | None = None, at=7200.0):
    part = Part(path="/d/a", held=held)
    seen = Breakdown(device=1, held=held, entries=1, directories=(part,), files=(part,))
    return culprits(seen, opened_, used, at, before)


def test_growth_is_an_hour_since_the_last_look_and_unknown_without_one():
    first = made(100 * MB, at=0.0)
    assert first.directories[0].growth is None
    later = made(160 * MB, before=first)
    assert later.directories[0].growth == 30 * MB
    assert any("+31.5 MB/h" in line for line in lines(later))
    assert made(160 * MB, before=first, at=10.0).directories[0].growth is None, "too soon"


def test_what_nothing_explains_is_said_but_small_gaps_are_not():
    assert made(50 * MB, used=100 * MB).unexplained == 50 * MB
    assert "unexplained" in "\n".join(lines(made(50 * MB, used=100 * MB)))
    assert made(97 * MB, used=100 * MB).unexplained == 0


def test_of_a_budget_only_deleted_files_that_lay_in_it_are_named():
    keys = {"command": "x", "pid": 1, "held": MB, "deleted": True}
    gone = [Opened(path=p, fd=n, key=(1, n), **keys) for n, p in enumerate(("/d/in", "/dx/out"))]
    seen = Breakdown(device=1, held=0, entries=0, directories=(), files=())
    assert [one.path for one in culprits(seen, gone, 0, 1.0, below="/d").pinned] == ["/d/in"]


def test_one_file_held_by_two_counts_once():
    keys = {"command": "x", "path": "/d/g", "held": 40 * MB, "key": (1, 2), "deleted": True}
    found = made(50 * MB, Opened(pid=1, fd=3, **keys), Opened(pid=2, fd=4, **keys), used=100 * MB)
    assert found.pinned_bytes == 40 * MB
    assert len(found.pinned) == 1
    assert "x (1), x (2)" in found.pinned[0].by
    assert isinstance(found.files[0], Holding)


def test_a_look_at_what_is_full_names_them_and_at_what_is_not_does_not_search(tmp_path):
    write(tmp_path / "logs/a.log", 64 * KB)
    logs = str(tmp_path / "logs")

    def seen(limit):
        disk = Disk(paths=(), budgets=(Budget(path=logs, limit=limit),))
        probe = Probe(disk, str(tmp_path / "state"), SystemFiles(), SystemClock())
        try:
            return asyncio.run(probe.look()).disks[0]
        finally:
            asyncio.run(probe.close())

    assert seen(64 * KB).culprits.files[0].path == f"{logs}/a.log"
    assert seen(640 * KB).culprits is None
