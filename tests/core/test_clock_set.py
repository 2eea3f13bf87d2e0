"""What each part makes of a wall clock that is set: nothing.

The moments of the snapshot are tested in `test_stepping`, whole lives in `simulation/clocks`; here
are the stamps that others made: files, tmux, tasks, programs.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from healmon import events as ev
from healmon import gate
from healmon.clock import ManualClock, Reading
from healmon.config.settings import Disk, Rule, Sessions, Worker
from healmon.disks.forecast import SLOT
from healmon.disks.healer import DisksHealer
from healmon.disks.history import since_set
from healmon.plans import Plan
from healmon.service import status
from healmon.sessions.facts import Memory
from healmon.sessions.progress import old_enough
from healmon.sessions.settling import due_of
from healmon.sessions.signs import Sign
from healmon.sessions.states import Case, typed_lately
from healmon.state import Snapshot, replay
from healmon.web.logins import Logins
from healmon.workers.beats import Beats
from healmon.world.dbcopies import MOST, Copies
from healmon.world.filedata import Inode, Selection
from healmon.world.filematch import Matcher
from healmon.world.simulated.evidencefiles import SimulatedEvidenceFiles
from healmon.world.simulated.files import SimulatedFiles
from healmon.world.taskdb import Owed
from tests.core.sessions.test_evidence import begin
from tests.helpers.made_up import Noted
from tests.helpers.sessionjudge import BenchOfSessions, a_session, a_task

DAY = 86_400.0
YEAR = 365 * DAY
MB = 1_000_000
far = pytest.mark.parametrize("by", [YEAR, -YEAR])


# Disks: no file is old by a step alone.


class Depot:
    """A disk that is full of logs, and healers that look at it one after the other."""

    def __init__(self, action: str = "delete", **keys: object) -> None:
        self.clock, self.files = ManualClock(), SimulatedFiles()
        rule = Rule(name="logs", paths=("/data/logs",), patterns=("*.log",), older_than=7 * DAY,
                    action=action)  # fmt: skip
        self.disk = Disk(paths=("/data",), rules=(rule,), **keys)
        self.files.add_disk("/", 10**12)
        self.files.add_disk("/data", 1000 * MB)
        self.files.fill("/data", 500 * MB)
        for n in range(47):
            self.write(f"{n:02}")

    def write(self, name: str) -> None:
        self.files.write(f"/data/logs/{name}.log", 10 * MB, self.clock.read().wall)

    def plan(self, healer: DisksHealer | None = None) -> Plan | None:
        one = healer or DisksHealer(self.disk, Path("/state"), self.files, self.clock)

        async def look() -> Plan | None:
            seen = await one.look()
            known = Snapshot(steps=self.clock.steps)
            return one.diagnose(seen, known, self.clock.read()).verdicts[0].plan

        return asyncio.run(look())

    def clean(self, plan: Plan) -> None:
        healer = DisksHealer(self.disk, Path("/state"), self.files, self.clock)
        asyncio.run(healer.carry_out(plan, Noted()))


@far
def test_no_file_is_cleaned_before_it_has_lived_as_long_as_its_rule_says(by):
    depot = Depot()
    depot.clock.advance(DAY)
    healer = DisksHealer(depot.disk, Path("/state"), depot.files, depot.clock)
    assert depot.plan(healer) is None
    depot.clock.step(by)
    for _ in range(2):  # the same healmon long after, and one that has just begun
        depot.clock.advance(3 * DAY - 60)
        assert depot.plan(healer) is None
        assert depot.plan() is None


def test_a_file_gets_old_all_the_same_while_the_clock_stays_wrong():
    depot = Depot()
    depot.clock.advance(DAY)
    depot.clock.step(YEAR)
    depot.write("after")
    depot.clock.advance(6.5 * DAY)
    plan = depot.plan()
    assert plan is not None
    depot.clean(plan)
    left = depot.files.paths
    assert "/data/logs/after.log" in left
    assert "/data/logs/00.log" not in left


@far
def test_the_trash_is_kept_as_long_as_was_said(by):
    depot = Depot("trash", trash_for=3 * DAY)
    depot.clock.advance(8 * DAY)
    plan = depot.plan()
    assert plan is not None
    depot.clean(plan)
    depot.clock.step(by)
    depot.clock.advance(2 * DAY)
    found = depot.plan()
    assert found is None or found.action != "empty_trash"


def test_what_bears_a_time_before_any_clock_was_set_has_no_age():
    rule = Selection(rule="r", roots=("/r",), patterns=("*.log",), older_than=7 * DAY, trash="/t")
    matcher, second = Matcher(rule, 1.7e9), 10**9
    inode = Inode(device=1, number=1, mode=0o100644, links=1, size=5, held=5, owner=0,
                  modified=500 * second, changed=500 * second, accessed=500 * second)  # fmt: skip
    assert matcher.keeps("a.log", "a.log", inode) == "undated"
    copied = inode._replace(changed=1_600_000_000 * second)  # an old archive, unpacked lately
    assert matcher.keeps("a.log", "a.log", copied) == ""


def test_over_a_step_no_rate_is_told():
    rows = [(n * SLOT, 1.0, 1.0, False) for n in range(10)]
    assert since_set(rows, (), 9 * SLOT) == rows
    assert since_set(rows, ((6.5 * SLOT, 3 * SLOT, 0.0),), 9 * SLOT) == rows[7:]
    assert since_set(rows, ((6.5 * SLOT, 5.0, 0.0),), 9 * SLOT) == rows, (
        "as little as that says nothing"
    )
    back = [*rows, (3 * SLOT, 1.0, 1.0, False)]
    assert since_set(back, ((2.5 * SLOT, -7 * SLOT, 0.0),), 3 * SLOT) == back[-1:]


# Databases: rescue copies.


@far
def test_no_copy_of_a_database_is_too_old_by_a_step_and_the_newest_one_stays(tmp_path, by):
    clock, copies = ManualClock(), Copies(tmp_path)

    def copy() -> Path:
        folder = copies.new("a", "20200101T000000Z")
        folder.mkdir()
        os.utime(folder, (clock.read().wall,) * 2)
        return folder

    made = [copy()]
    for _ in range(MOST - 2):
        clock.advance(60.0)
        made.append(copy())
    clock.step(by)
    clock.advance(60.0)
    newest = copy()
    assert copies.prune(clock.read().wall, clock.steps) == 0
    clock.advance(60.0)
    copy(), clock.advance(1.0)
    assert copies.prune(clock.read().wall, clock.steps) == 1
    assert newest.exists()
    assert not made[0].exists()


# Workers: a heartbeat that was there before healmon began.


@far
def test_a_heartbeat_is_as_old_as_it_is_also_at_the_first_look(tmp_path, by):
    file = tmp_path / "beat"
    file.write_text("")
    worker = Worker(name="w", argv=("/w",), heartbeat_file=str(file), heartbeat_max_age=3600.0)
    clock = ManualClock()
    os.utime(file, (clock.read().wall,) * 2)
    clock.advance(600.0)
    clock.step(by)
    clock.advance(5.0)
    _, age = Beats().age(worker, clock.read(), clock.steps)
    assert age is not None
    assert age <= 605.1


# Sessions: who typed, how old a task is, what is owed, what was pressed.


def case(clock: ManualClock, typed: float, **more: object) -> Case:
    pane = {"attached": 1, "client_activity": int(typed)}
    return Case(a_session(pane=pane), Sign(), Memory(), Sessions(quiet_client=300.0), clock.read(),
                steps=clock.steps, **more)  # fmt: skip


@far
def test_a_person_who_typed_a_moment_ago_did_so_whatever_the_clock_says_now(by):
    clock = ManualClock()
    typed = clock.read().wall
    clock.advance(10.0)
    clock.step(by)
    assert typed_lately(case(clock, typed))
    clock.advance(400.0)
    assert not typed_lately(case(clock, typed))


def test_what_a_hand_did_is_remembered_by_its_age_and_not_by_the_higher_stamp():
    bench = BenchOfSessions()
    pane = lambda: {"attached": 1, "client_activity": int(bench.wall)}  # noqa: E731
    bench.look(a_session(pane=pane()))
    bench.clock.step(-YEAR)
    bench.look(a_session(pane=pane()), after=1000.0)
    memory = bench.snapshot.memory["session:a"]
    assert memory["hand_wall"] == int(bench.wall) - 1000


@far
def test_no_task_is_old_enough_by_a_step(by):
    clock = ManualClock()
    task = a_task(age=60.0)
    clock.step(by)
    clock.advance(1000.0)
    assert not old_enough([task], 1800.0, clock.read(), clock.steps)
    clock.advance(1000.0)
    assert by < 0 or old_enough([task], 1800.0, clock.read(), clock.steps)


@far
def test_what_is_owed_is_given_back_after_as_long_as_was_said(by):
    clock = ManualClock()
    one = Owed("assigner", 1, clock.read().wall + 600.0, 1)
    clock.advance(100.0)
    clock.step(by)
    assert due_of(one, clock.steps, clock.read()) - clock.read().wall == pytest.approx(500.0)
    new = replace(one, due=clock.read().wall + 600.0)
    assert due_of(new, clock.steps, clock.read()) == new.due


@far
def test_what_a_killed_healmon_pressed_is_known_after_a_step(by):
    clock = ManualClock()
    files = SimulatedEvidenceFiles(clock)

    async def scene() -> int:
        killed = await begin(files, clock, Noted(), "1.1.1")
        await killed.about_to("press", "press C-c", 1)
        clock.advance(10.0)
        clock.step(by)
        return (await begin(files, clock, Noted(), "4.4.4")).begun

    assert asyncio.run(scene()) == 1


# The rest: logins, cool-downs, the status.


def test_no_login_is_good_for_longer_than_it_may_be(tmp_path):
    known = Logins(tmp_path, "mark", 1000.0)
    secret, login = known.begin("operator", 1e9)
    assert known.find(secret, 1e9 - 30) == login
    assert known.find(secret, 1e9 - YEAR) is None


def test_a_moment_that_was_rounded_up_ends_no_cool_down():
    plan = Plan("workers", "w", "restart_worker", "1", "why", (), "", "", {}, id="p", cooldown=60.0)
    failed = ev.ActionFailed("p", "w", "restart_worker", "no", 1.0)
    known = replay([ev.Recorded(1, 1e9 + 0.001, ev.PlanMade(plan, 0.0, 0.0)),
                    ev.Recorded(2, 1e9 + 0.001, failed)])  # fmt: skip
    assert gate.refusal(plan, known, 1e9 + 0.0006, dry_run=False).startswith("cool-down")


def told(state: Path, monkeypatch, wall: float, boot: float) -> status._Seen:
    clock = SimpleNamespace(read=lambda: Reading(wall, 0.0, boot))
    monkeypatch.setattr(status, "SystemClock", lambda: clock)
    monkeypatch.setattr(status, "boot_id", lambda: "b")
    facts = {
        "started": {"id": 1, "timestamp": "2026-01-01 00:00:00.000", "boot": "b", "lead": 5.0,
                    "steady_offset": 1767225495.0, "slept": 0.0, "interval": 60.0},
        "cycle": {"id": 2, "timestamp": "2026-01-01 00:01:00.000"},
    }  # fmt: skip
    blind = status._Seen(None, {}, [], [], [], [], [], clock.read())
    beaten, unwritten = status._beaten(blind, state, facts) or (None, 0)
    return blind._replace(facts=facts, beaten=beaten, unwritten=unwritten)


@far
def test_the_status_tells_the_age_of_a_cycle_and_who_hangs_whatever_the_clock_says(
    tmp_path, monkeypatch, by
):
    beat = {"at": "2026-01-01 00:01:00.000", "boot": "b", "boot_seconds": 1060.0}
    (tmp_path / status.HEARTBEAT).write_text(json.dumps(beat))
    wall = 1_767_225_600.0 + by
    seen = told(tmp_path, monkeypatch, wall + 90, 1090.0)
    assert (seen.cycle_age, seen.hung) == (30.0, False)
    assert seen.age("started") == pytest.approx(1090.0 - 100.0)
    assert told(tmp_path, monkeypatch, wall + 600, 1600.0).hung
