"""Measuring: what counts as full, what counts once, and what never blocks the others."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from healmon.clock import ManualClock, SystemClock
from healmon.config.settings import Budget, Disk, Thresholds
from healmon.disks.diagnose import diagnose
from healmon.disks.gauge import level_of, need_of, of_space, same_disk
from healmon.disks.lines import disk_of
from healmon.disks.model import DiskSeen, Gauge, Seen, Target
from healmon.disks.probe import Probe
from healmon.state import Snapshot
from healmon.world.filedata import Space
from healmon.world.files import SystemFiles

GB = 10**9


def space(**keys) -> Space:
    given = {"device": 1, "fsid": 1, "kind": "ext4", "size": 100 * GB, "used": 0, "available": 0}
    return Space(**{**given, **keys})


def gauge(percent: float) -> Gauge:
    used = int(percent * GB)
    return Gauge(used=used, free=100 * GB - used, size=100 * GB, capacity=100 * GB, percent=percent)


def judged(path: str, percent: float, disk: Disk, *, kind="filesystem"):
    target = Target(f"disk:{path}", kind, path)
    seen = Seen((DiskSeen(target=target, gauge=gauge(percent)),))
    return diagnose(seen, disk, Snapshot(), ManualClock().read()).verdicts[0]


def test_blocks_reserved_for_root_are_not_free():
    """Used by size is 92 % when a user cannot write a byte any more."""
    full = of_space(space(used=92_300_000_000, available=0))
    assert full.percent == 100.0
    assert level_of(full.worst, "ok", Disk()) == "critical"


def test_inodes_alone_make_it_critical_and_are_what_is_to_be_freed():
    gauge_ = of_space(space(used=GB, available=99 * GB, inodes=1000, inodes_free=0))
    assert (gauge_.cause, gauge_.worst) == ("inodes", 100.0)
    need = need_of(gauge_, 80)
    assert (need.held, need.files) == (0, 201)


def test_a_file_system_without_an_inode_limit_has_no_inode_percentage():
    gauge_ = of_space(space(used=GB, available=99 * GB, inodes=0, inodes_free=0))
    assert gauge_.inode_percent is None
    assert gauge_.cause == "space"


def test_a_path_with_lines_of_its_own_is_judged_by_them():
    disk = Disk(
        paths=("/", "/var"),
        thresholds=(Thresholds(path="/var", warning=60, critical=70, target=50),),
    )
    assert judged("/", 72, disk).status == "healthy"
    assert judged("/var", 72, disk).status == "critical"
    assert judged("/var", 65, disk).status == "warning"
    assert "warning from 60%" in judged("/var", 65, disk).findings[0].message
    assert disk_of(disk, "/var").target == 50


def test_what_a_path_does_not_set_is_the_common_line():
    disk = Disk(thresholds=(Thresholds(path="/", warning=90),))
    assert (disk_of(disk, "/").warning, disk_of(disk, "/").critical) == (90, 95)


@pytest.mark.parametrize("kind", ["filesystem", "budget"])
def test_budgets_have_own_lines_too(kind):
    disk = Disk(thresholds=(Thresholds(path="/b", warning=10, critical=20, target=5),))
    assert judged("/b", 15, disk, kind=kind).status == "warning"


class HangingFiles(SystemFiles):
    """The machine's file systems, one of them as a dead network share is: it never answers."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.dead, self.answer, self.asked = path, threading.Event(), 0

    def space(self, path):
        if path == self.dead:
            self.asked += 1
            self.answer.wait()
        return super().space(path)


@pytest.mark.slow
def test_a_mount_that_hangs_is_unknown_and_delays_nobody(tmp_path):
    dead = str(tmp_path)
    files = HangingFiles(dead)
    disk = Disk(paths=(dead, "/proc/self", "/"))
    probe = Probe(disk, "/nowhere", files, SystemClock(), measuring=3.0)

    async def scenario():
        first = await probe.look()
        second = await probe.look()
        files.answer.set()
        third = first
        for _ in range(200):
            third = await probe.look()
            if third.disks[0].gauge is not None:
                break
            await asyncio.sleep(0.01)
        return first, second, third

    try:
        first, second, third = asyncio.run(scenario())
    finally:
        files.answer.set()
        asyncio.run(probe.close())
    for seen in (first, second):
        by_path = {one.target.path: one for one in seen.disks}
        assert by_path[dead].gauge is None
        assert by_path[dead].trouble
        assert by_path["/"].gauge is not None
    assert files.asked <= 3, "one that hangs is not asked again and again"
    assert third.disks[0].gauge is not None, "it is seen again once it answers"


def looked(*paths: Path | str, budgets=()) -> list[str]:
    disk = Disk(paths=tuple(map(str, paths)), budgets=budgets)
    probe = Probe(disk, "/nowhere", SystemFiles(), SystemClock())
    try:
        seen = asyncio.run(probe.look())
    finally:
        asyncio.run(probe.close())
    return [one.target.path for one in seen.disks]


def test_several_paths_on_one_file_system_count_once_and_budgets_each(tmp_path):
    one, other = tmp_path / "a", tmp_path / "b"
    one.mkdir()
    other.mkdir()
    budgets = (Budget(path=str(one), limit=GB), Budget(path=str(other), limit=GB))
    paths = looked(one, other, tmp_path, budgets=budgets)
    assert paths == [str(one), str(one), str(other)]


MOUNTS = """
set -e
mkdir {base}/bind {base}/tmp {base}/low {base}/up {base}/work {base}/over
mount --bind {base} {base}/bind
mount -t tmpfs -o size=1m none {base}/tmp
mount -t overlay -o lowerdir={base}/low,upperdir={base}/up,workdir={base}/work none {base}/over \
    2>/dev/null || rmdir {base}/over
"""
LOOK = """
import sys
from tests.core.disks.test_measuring import looked
print(*looked(*sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_bind_mounts_and_overlays_of_one_file_system_count_once(tmp_path):
    script = MOUNTS.format(base=tmp_path) + (
        f'exec "$@" {tmp_path} {tmp_path}/bind {tmp_path}/tmp '
        f"$(test -d {tmp_path}/over && echo {tmp_path}/over)"
    )
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", sys.executable, "-c", LOOK],
        capture_output=True, text=True, timeout=300, check=False,
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
    if "Operation not permitted" in done.stderr or "permission denied" in done.stderr:
        pytest.skip("mounting is not allowed here")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path), f"{tmp_path}/tmp"]


def test_an_overlay_is_the_file_system_below_it_and_others_of_its_size_are_not():
    low = of_space(space(used=40 * GB, available=60 * GB, inodes=100, inodes_free=50))
    over = of_space(
        space(device=9, fsid=7, kind="overlay", used=40 * GB, available=60 * GB,
              inodes=100, inodes_free=50)
    )  # fmt: skip
    other = of_space(space(device=2, fsid=1, used=41 * GB, available=59 * GB))
    assert same_disk(low, over)
    assert not same_disk(other, over)
    assert not same_disk(low, other), "a clone carries the same id"
