"""What cleaning must hold on any file system: stops in time, trusts no clock, keeps to its plan."""

from __future__ import annotations

import asyncio
import tracemalloc
from pathlib import Path

import pytest
from msgspec.structs import replace

from healmon.clock import ManualClock
from healmon.config.settings import Disk, Rule
from healmon.disks.diagnose import clean_plan, diagnose
from healmon.disks.healer import DisksHealer
from healmon.disks.model import DiskFacts, Target
from healmon.errors import RemedyError, VetoError
from healmon.plans import Plan, Proof
from healmon.state import Snapshot
from healmon.world.fileages import choose
from healmon.world.filedata import Limits, Need, Selection
from healmon.world.simulated.files import SimulatedFiles

MB = 1_000_000
DAY = 86_400.0
TARGET = Target("disk:/data", "filesystem", "/data")
RULE = Rule(name="logs", paths=("/data/logs",), patterns=("*.log",), older_than=DAY)
DISK = Disk(paths=("/data",), rules=(RULE,))


class Told:
    """A hand that remembers what was about to be done."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def about_to(self, text: str) -> None:
        self.texts.append(text)


def world(clock: ManualClock, *, lazy: bool, fill: int = 500) -> SimulatedFiles:
    made = SimulatedFiles()
    made.add_disk("/", 10**12)
    made.add_disk("/data", 1000 * MB, lazy=lazy)
    made.fill("/data", fill * MB)
    for n in range(48):
        made.write(f"/data/logs/{n:02}.log", 10 * MB, clock.read().wall - (n + 2) * DAY)
    return made


def act(files: SimulatedFiles, clock: ManualClock, plan: Plan, disk: Disk = DISK) -> Proof:
    healer = DisksHealer(disk, Path("/state"), files, clock)

    async def run() -> Proof:
        try:
            return await healer.carry_out(plan, Told())
        finally:
            await healer.close()

    return asyncio.run(run())


def planned(files: SimulatedFiles, clock: ManualClock, disk: Disk = DISK) -> Plan:
    healer = DisksHealer(disk, Path("/state"), files, clock)

    async def run() -> Plan | None:
        try:
            return diagnose(await healer.look(), disk, Snapshot(), clock.read()).verdicts[0].plan
        finally:
            await healer.close()

    plan = asyncio.run(run())
    assert plan is not None
    return plan


@pytest.mark.parametrize("lazy", [False, True])
def test_it_stops_at_the_target_also_where_unlinking_frees_nothing_at_once(lazy):
    """Like xfs and btrfs: who polls the free space there loses every file."""
    clock = ManualClock()
    files = world(clock, lazy=lazy)
    proof = act(files, clock, planned(files, clock))
    space = files.space("/data")
    assert 0.76 < space.used / space.size <= 0.80
    assert len(files.paths) == 48 - proof.details["files"]
    assert 28 <= len(files.paths) <= 30
    assert "/data/logs/00.log" in files.paths, "the newest stay"


def test_a_plan_is_not_acted_on_when_the_rules_or_the_clock_have_changed():
    clock = ManualClock()
    files = world(clock, lazy=False)
    plan, before = planned(files, clock), files.paths
    other = replace(DISK, rules=(replace(RULE, older_than=1.0),))
    with pytest.raises(VetoError, match="rules are not those"):
        act(files, clock, plan, other)
    late = clean_plan(TARGET, DiskFacts(kind="filesystem", path="/data", device=2), DISK,
                      replace_wall(clock, -3 * 365 * DAY))  # fmt: skip
    with pytest.raises(VetoError, match="clock was set"):
        act(files, clock, late)
    elsewhere = DiskFacts(kind="filesystem", path="/data", device=99)
    with pytest.raises(VetoError, match="another file system is mounted"):
        act(files, clock, clean_plan(TARGET, elsewhere, DISK, clock.read()))
    assert files.paths == before


def replace_wall(clock: ManualClock, by: float):
    now = clock.read()
    return type(now)(**{**_fields(now), "wall": now.wall + by})


def _fields(now) -> dict[str, float]:
    return {name: getattr(now, name) for name in type(now).__match_args__}


def test_a_clock_that_was_just_set_plans_nothing():
    clock = ManualClock()
    files = world(clock, lazy=False)
    healer = DisksHealer(DISK, Path("/state"), files, clock)

    async def run():
        try:
            return await healer.look()
        finally:
            await healer.close()

    seen = asyncio.run(run())
    verdict = diagnose(replace(seen, stepped=3 * 365 * DAY), DISK, Snapshot(), clock.read())
    assert verdict.verdicts[0].plan is None
    assert "ages are not trusted" in verdict.verdicts[0].findings[0].message
    assert diagnose(seen, DISK, Snapshot(), clock.read()).verdicts[0].plan is not None


def test_what_was_planned_on_an_unchanged_tree_is_what_goes():
    clock = ManualClock()
    files = world(clock, lazy=False)
    by_hand = clean_plan(TARGET, DiskFacts(kind="filesystem", path="/data", device=2), DISK,
                         clock.read(), by_hand=True)  # fmt: skip
    selection = Selection(
        rule="logs", roots=("/data/logs",), patterns=("*.log",), older_than=DAY, device=2
    )
    due = files.survey(selection, clock.read().wall, Limits(seconds=600.0)).due
    proof = act(files, clock, by_hand)
    assert (proof.details["files"], proof.details["bytes_expected"]) == (due.files, due.held)


def test_more_than_is_there_is_an_honest_failure():
    clock = ManualClock()
    files = world(clock, lazy=False, fill=900)
    for n in range(40):
        files.use(f"/data/logs/{n:02}.log", "open")
    plan = planned(files, clock)
    with pytest.raises(RemedyError, match="not enough: 8 files") as failed:
        act(files, clock, plan)
    assert "40 open" in str(failed.value), "each told once"


def test_the_oldest_being_in_use_the_next_ones_go():
    clock = ManualClock()
    files = world(clock, lazy=False)
    for n in range(28, 48):
        files.use(f"/data/logs/{n:02}.log", "open")
    proof = act(files, clock, planned(files, clock))
    assert proof.details["files"] in {18, 19}
    assert proof.details["kept"] == {"open": 20}
    assert "/data/logs/00.log" in files.paths


@pytest.mark.slow
def test_choosing_among_200000_files_needs_no_list_of_them():
    count, hour = 200_000, 3_600_000_000_000

    def walk(add) -> None:
        for n in range(count):
            add((n * 7919 % count) * (24 * hour // 200), 4096)

    tracemalloc.start()
    chosen = choose(walk, Need(held=4096 * 1000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert chosen.due.files == count
    assert 1000 <= chosen.chosen.files <= 1100
    assert peak < 10 * 1024 * 1024
