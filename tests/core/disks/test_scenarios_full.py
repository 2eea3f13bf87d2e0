"""Scenarios 16 to 20, on real file systems of their own that are really full."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from healmon import events as ev
from healmon.clock import ManualClock, SystemClock
from healmon.config.settings import Disk, Rule
from healmon.disks.diagnose import diagnose
from healmon.disks.healer import DisksHealer
from healmon.disks.probe import Probe
from healmon.engine import Engine, Run
from healmon.state import Snapshot
from healmon.world.files import SystemFiles
from tests.helpers.attacker import NOBODY
from tests.helpers.box import Box
from tests.helpers.made_up import MemoryJournal
from tests.helpers.mounts import MB, fill, in_use, mounted, percent, write

pytestmark = pytest.mark.slow

FILL = """
import os, sys
os.setuid(int(sys.argv[1]))
for size in (1 << 20, 4096):
    for number in range(100_000):
        fd = os.open(f"{size}.{number}", os.O_CREAT | os.O_WRONLY)
        try:
            os.posix_fallocate(fd, 0, size)
        except OSError as error:
            told = error.errno
            break
print(told)
"""
PIN = """
import os, sys
fd = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
os.posix_fallocate(fd, 0, int(sys.argv[2]))
os.unlink(sys.argv[1])
print("up", flush=True)
sys.stdin.read()
"""


def look(*paths: Path, rules: tuple[Rule, ...] = ()):
    """Return one look at file systems, and the verdicts on it."""
    disk = Disk(paths=tuple(map(str, paths)), rules=rules)
    probe = Probe(disk, "/nowhere", SystemFiles(), SystemClock())
    try:
        seen = asyncio.run(probe.look())
    finally:
        asyncio.run(probe.close())
    return seen.disks, diagnose(seen, disk, Snapshot(), ManualClock().read()).verdicts


def test_16_reserved_blocks_are_nobodys_when_a_user_has_filled_the_rest(tmp_path):
    with mounted("ext4", tmp_path, 64 * MB, "-m", "5") as place:
        place.chmod(0o777)
        done = subprocess.run(
            [sys.executable, "-c", FILL, str(NOBODY)],
            cwd=place,  # the directories above are closed to others

            capture_output=True, text=True, timeout=300, check=True,
        )  # fmt: skip
        assert done.stdout == "28\n", "ENOSPC"
        plain = shutil.disk_usage(place)
        (seen,), (verdict,) = look(place)
    assert 100 * plain.used / plain.total < 95, "who divides by the size never sees it"
    assert seen.gauge.percent > 99.9
    assert verdict.status == "critical"


def test_18_a_file_system_without_an_inode_limit_has_no_inode_line(tmp_path):
    with mounted("btrfs", tmp_path) as place:
        assert os.statvfs(place).f_files == 0
        (seen,), (verdict,) = look(place)
    assert (seen.gauge.inodes, seen.gauge.inode_percent) == (0, None)
    assert seen.gauge.percent < 10
    assert verdict.status == "healthy"
    assert "inode" not in verdict.summary
    assert verdict.facts["inode_percent"] is None


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs"])
def test_19_from_96_to_80_percent_and_the_bytes_told_are_those_that_df_says(tmp_path, kind):
    """On xfs and btrfs unlinking frees nothing at once: who polls the free space loses all."""
    box = Box(tmp_path)
    with mounted(kind, tmp_path, 64 * MB) as place:
        told = os.statvfs(place)
        size = told.f_blocks * told.f_frsize // 128 // 4096 * 4096
        made = fill(place / "logs", 96, size)
        box.write(f'[[disk.rules]]\nname = "logs"\npaths = ["{place}/logs"]\n'
                  'patterns = ["*.log.*"]\nolder_than = "1s"')  # fmt: skip
        text = box.config.read_text().replace("paths = []", f'paths = ["{place}"]', 1)
        box.config.write_text(text)
        os.sync()
        before, used = percent(place), in_use(place)
        assert before >= 95
        time.sleep(1.2)  # the rules' age is real time: nobody can set a file's ctime
        done = box.healmon("once")
        assert done.returncode in {0, 1}, done.stdout + done.stderr
        after, freed = percent(place), used - in_use(place)
        left = len(list((place / "logs").glob("app.log.*")))
    (verified,) = box.events("actionverified")
    details = verified["details"]
    assert 76 <= after < 80, "no more than one batch beyond"
    assert details["files"] == made - left
    assert details["bytes_expected"] == details["files"] * size
    assert details["bytes_observed"] == pytest.approx(freed, abs=2 * size)
    assert details["bytes_observed"] == pytest.approx(details["bytes_expected"], abs=3 * size)
    assert details["percent_after"] == pytest.approx(after, abs=1.5)


def test_20_a_deleted_file_that_is_open_is_named_and_nothing_young_goes_for_it(tmp_path):
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    with mounted("ext4", tmp_path, 64 * MB, "-m", "0") as place:
        logs = place / "logs"
        logs.mkdir()
        for number in range(8):
            write(logs / f"{number}.log", MB)
        free = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
        pinned = (free - MB) // 4096 * 4096
        holder = subprocess.Popen(
            [sys.executable, "-c", PIN, str(place / "big"), str(pinned)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"up\n"
            rules = (Rule(name="l", paths=(str(logs),), patterns=("*.log",), older_than=3600.0),)
            disk, journal = Disk(paths=(str(place),), rules=rules), MemoryJournal()
            clock = SystemClock()
            healer = DisksHealer(disk, state, SystemFiles(), clock)
            engine = Engine([healer], journal, clock, Run(host="b"))
            asyncio.run(engine.run_once())
            still = Path(f"/proc/{holder.pid}/fd/3").stat()
        finally:
            holder.communicate()
        assert len(list(logs.iterdir())) == 8
    assert not journal.all(ev.PlanMade)
    (alert,) = journal.all(ev.AlertOpened)
    assert alert.level == "CRITICAL"
    assert f"({holder.pid})" in alert.message
    assert "python" in alert.message
    assert "in deleted files that are still open" in alert.message
    assert still.st_size == pinned, "nothing is cut short by itself"
