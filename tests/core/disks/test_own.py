"""When healmon's own file system is full: its own leavings first, and the story is stored there."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from healmon.clock import ManualClock
from healmon.config.settings import Budget, Disk, Rule
from healmon.disks.diagnose import diagnose
from healmon.disks.healer import DisksHealer
from healmon.plans import Plan, Proof
from healmon.state import Snapshot
from healmon.world.simulated.files import SimulatedFiles
from tests.helpers.apart import told_apart

MB, DAY = 1_000_000, 86_400.0
STATE = "/data/state"
RULE = Rule(name="logs", paths=("/data/logs",), patterns=("*.log",), older_than=DAY)
DISK = Disk(paths=("/data",), rules=(RULE,))
OLD = {f"{STATE}/healmon.log.1", f"{STATE}/workers/a/output.log.1"}
LIVE = {f"{STATE}/healmon.log", f"{STATE}/workers/a/output.log", f"{STATE}/healmon.db"}


class Told:
    def __init__(self) -> None:
        self.texts: list[str] = []

    async def about_to(self, text: str) -> None:
        self.texts.append(text)


def world(clock: ManualClock) -> SimulatedFiles:
    made, now = SimulatedFiles(), clock.read().wall
    made.add_disk("/", 10**12)
    made.add_disk("/data", 1000 * MB)
    for n in range(48):
        made.write(f"/data/logs/{n:02}.log", 10 * MB, now - (n + 2) * DAY)
    for path in OLD:
        made.write(path, 100 * MB, now - 5)
    for path in LIVE:
        made.write(path, 10 * MB, now - 5)
    made.fill("/data", 260 * MB)
    return made


def heal(files: SimulatedFiles, clock: ManualClock, disk: Disk) -> tuple[Plan | None, Proof, Told]:
    healer, told = DisksHealer(disk, Path(STATE), files, clock), Told()

    async def run() -> tuple[Plan | None, Proof]:
        try:
            seen = diagnose(await healer.look(), disk, Snapshot(), clock.read())
            plan = seen.verdicts[0].plan
            return plan, await healer.carry_out(plan, told) if plan else Proof("")
        finally:
            await healer.close()

    return *asyncio.run(run()), told


def test_its_own_older_logs_go_before_any_file_of_others():
    clock = ManualClock()
    files = world(clock)
    plan, proof, told = heal(files, clock, replace(DISK, max_files=1))
    assert plan.steps[0].text == "remove healmon's own older logs, oldest first: 200.0 MB"
    assert told.texts == ["remove healmon's own older logs: 2 files (200.0 MB), oldest first"]
    assert not OLD & set(files.paths)
    assert set(files.paths) >= LIVE, "what it writes to stays"
    assert len(files.paths) == 48 + len(LIVE), "and all that is not its own"
    assert proof.details["by_rule"] == [0, 0], "no ceiling of rules counts for them"


def test_what_is_still_missing_goes_by_rule():
    clock = ManualClock()
    files = world(clock)
    files.fill("/data", 290 * MB)
    _, proof, told = heal(files, clock, DISK)
    assert [text.partition(":")[0] for text in told.texts] == [
        "remove healmon's own older logs", "rule logs",
    ]  # fmt: skip
    assert proof.details["by_rule"][0] == 1
    assert files.space("/data").used < 800 * MB


@pytest.mark.parametrize(
    "disk",
    [
        Disk(paths=("/data",)),
        Disk(paths=(), budgets=(Budget(path="/data/logs", limit=400 * MB),), rules=(RULE,)),
    ],
)
def test_they_stay_where_nothing_may_be_cleaned_or_another_place_is_full(disk):
    clock = ManualClock()
    files = world(clock)
    heal(files, clock, disk)
    assert set(files.paths) >= OLD


STORY = """
import asyncio, json, os, subprocess, sys
from pathlib import Path
place, story = Path(sys.argv[1]), sys.argv[2]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24M", "x", str(place)], check=True)
from healmon.config.settings import Disk, Monitor, Rule, Settings
from healmon.service.host import Host
from healmon.store import read

logs, state = place / "logs", place / "state"
logs.mkdir()
rule = Rule(name="logs", paths=(str(logs),), patterns=("*.log.*",), older_than=3600.0)
disk = Disk(paths=(str(place),), rules=(rule,))
settings = Settings(monitor=Monitor(name="b"), disk=disk)

def life():
    host = Host.open(settings, state, mode="once", dry_run=False)
    try:
        asyncio.run(host.engine.run_once())
        return host.engine.snapshot
    finally:
        host.close()

life()  # the store and its ballast are there before it is full
ballast = (state / "healmon.ballast").stat().st_size
old = [state / "healmon.log.1", state / "workers" / "a" / "output.log.1"]
old[1].parent.mkdir(parents=True)
for path in old if story == "own" else ():
    path.write_bytes(b"x" * (4 << 20))
(logs / "young.log.1").write_bytes(b"x" * 100)
with open(place / "rest", "wb", buffering=0) as rest:
    try:
        while True:
            rest.write(b"x" * 4096)
    except OSError as error:
        filled = error.errno

def percent():
    told = os.statvfs(place)
    return 100 * (1 - told.f_bavail / told.f_blocks)

before = percent()
life()
conn = read.open_reader(state / "healmon.db")
rows = conn.execute("SELECT severity, component, message, resolved FROM health_alerts").fetchall()
metrics = conn.execute("SELECT action_taken FROM health_metrics").fetchall()
conn.close()
print(json.dumps({
    "errno": filled, "before": before, "after": percent(), "ballast": ballast,
    "ballast_after": (state / "healmon.ballast").stat().st_size,
    "own": [path.exists() for path in old], "young": (logs / "young.log.1").exists(),
    "alerts": [list(row) for row in rows], "actions": [row[0] for row in metrics],
}))
"""


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small file system")
@pytest.mark.parametrize("story", ["own", "nothing"])
def test_on_a_full_file_system_of_its_own_the_alert_is_stored_and_it_cleans(tmp_path, story):
    told = told_apart(STORY, tmp_path, story)
    assert told["before"] > 99.9
    assert told["young"], "no rule may take it yet"
    full = [alert for alert in told["alerts"] if "used" in alert[2]]
    assert [alert[:2] for alert in full] == [["CRITICAL", f"disk:{tmp_path / 'small'}"]], (
        "stored there"
    )
    if story == "own":
        assert not all(told["own"]), "the older goes first; one is enough"
        assert told["after"] < 80, "measured again, by another program than the healer"
        assert full[0][3], "and the alert is over"
        assert "clean_disk" in told["actions"]
    else:
        assert told["after"] > 90
        assert not full[0][3]
        assert (told["ballast"], told["ballast_after"]) == (1 << 20, 0), "let go for the alert"
