"""A real file system without one free block, with healmon's own directory on it: healed, proved."""

from __future__ import annotations

import errno
import os

import pytest

from tests.helpers.apart import told_apart

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small file system"),
]

STORY = """
import asyncio, json, os, subprocess, sys, time
from pathlib import Path
place, action = Path(sys.argv[1]), sys.argv[2]
argv = ["mount", "-t", "tmpfs", "-o", "size=24M,nr_inodes=4000", "x", str(place)]
subprocess.run(argv, check=True)
from healmon import events as ev
from healmon.clock import SystemClock
from healmon.config.settings import Disk, Monitor, Rule, Settings
from healmon.service.host import Host
from healmon.store import read

logs = place / "logs"
logs.mkdir()
state = place / "state"
rule = Rule(name="logs", paths=(str(logs),), patterns=("*.log.*",), older_than=1.0,
            action="trash" if action == "trash" else "delete")
disk = Disk(paths=(str(place),), rules=(rule,))
settings = Settings(monitor=Monitor(name="b"), disk=disk)

def full():
    told = os.statvfs(place)
    return 100 * (1 - told.f_bavail / told.f_blocks), 100 * (1 - told.f_ffree / told.f_files)

def life():
    host = Host.open(settings, state, mode="once", dry_run=False)
    try:
        asyncio.run(host.engine.run_once())
        return host.engine.snapshot
    finally:
        host.close()

life()  # the trash and the store are there before it is full
number = 0
size = 1 if action == "inodes" else 128 * 1024
rest = open(place / "rest", "wb", buffering=0)
try:
    while True:
        (logs / f"a.log.{number}").write_bytes(b"x" * size)
        number += 1
except OSError as error:
    filled = error.errno
try:
    while action != "inodes":
        rest.write(b"x" * 4096)
except OSError:
    pass
rest.close()
before = full()
time.sleep(1.3)
snapshot = life()
after = full()
again = life()
conn = read.open_reader(state / "healmon.db")
kinds = [row["kind"] for row in read.events(conn, 0, 500)]
conn.close()
print(json.dumps({"errno": filled, "before": before, "after": after,
                  "left": len(list(logs.glob("a.log.*"))), "made": number,
                  "rest": (place / "rest").exists(), "kinds": kinds,
                  "recent": [[a.action, a.ok] for a in snapshot.recent],
                  "alerts": [a.message for a in again.alerts.values()],
                  "trash": [p.name for p in (state / "trash").glob("t.*")]
                  if (state / "trash").exists() else []}))
"""


@pytest.mark.parametrize("action", ["delete", "trash", "inodes"])
def test_a_full_file_system_is_healed_and_its_story_is_stored_there(tmp_path, action):
    told = told_apart(STORY, tmp_path, action)
    assert told["errno"] == errno.ENOSPC
    what = 1 if action == "inodes" else 0
    assert told["before"][what] > 99
    assert 60 < told["after"][what] < 80.1, "down to the target and not much below"
    assert told["rest"], "what no rule names stays"
    assert 0 < told["left"] < told["made"]
    assert ["clean_disk", True] in told["recent"]
    assert "actionverified" in told["kinds"], "stored once there was room"
    assert not told["alerts"]
    assert not told["trash"], "a trash on the full disk would free nothing: deleted, as said"
