"""Cleaning that puts aside can be undone: by the healer, by hand, until it is too old."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from healmon import events as ev
from healmon.clock import ManualClock, SystemClock
from healmon.config.settings import Budget, Disk, Rule
from healmon.disks.diagnose import judge
from healmon.disks.healer import DisksHealer
from healmon.disks.model import EMPTY, DiskSeen, Gauge, Target
from healmon.disks.undo import selections
from healmon.engine import Engine, Run
from healmon.service import parsers
from healmon.state import Snapshot
from healmon.world.files import SystemFiles
from tests.helpers.made_up import MemoryJournal
from tests.helpers.shapes import fits

KB = 1024
REPO = Path(__file__).parents[3]


@pytest.fixture
def logs(tmp_path):
    found = tmp_path / "logs"
    found.mkdir()
    for number in range(10):
        (found / f"app.log.{number}").write_bytes(b"%d" % number * 64 * KB)
    return found


@pytest.fixture
def state(tmp_path):
    made = tmp_path / "state"
    made.mkdir(mode=0o700)
    return made


def disk_of(logs: Path, **keys: object) -> Disk:
    rule = Rule(
        name="logs", paths=(str(logs),), patterns=("*.log.*",), older_than=1.0, action="trash"
    )
    budgets = (Budget(path=str(logs), limit=10 * 64 * KB),)
    return Disk(**{"paths": (), "budgets": budgets, "rules": (rule,), **keys})


def cycle(disk: Disk, state: Path, *asks: tuple[str, dict[str, object]], wait: float = 1.2):
    """Run one real cycle, then ask; returns the journal and the answers."""
    journal, clock = MemoryJournal(), SystemClock()
    engine = Engine([DisksHealer(disk, state, SystemFiles(), clock)], journal, clock, Run(host="b"))
    answers = []

    async def scenario() -> None:
        await asyncio.sleep(wait)
        await engine._open()
        await engine.cycle()
        for verb, arguments in asks:
            answers.append(
                await engine.ask(verb, f"disk:{disk.budgets[0].path}", arguments, origin="me")
            )
        await engine._close()

    asyncio.run(scenario())
    return journal, answers


def once(disk: Disk, state: Path, wait: float = 1.2) -> MemoryJournal:
    journal, clock = MemoryJournal(), SystemClock()
    engine = Engine([DisksHealer(disk, state, SystemFiles(), clock)], journal, clock, Run(host="b"))

    async def scenario() -> None:
        await asyncio.sleep(wait)
        await engine.run_once()

    asyncio.run(scenario())
    return journal


def contents(logs: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in logs.iterdir() if p.is_file()}


@pytest.mark.slow
def test_a_cleaning_names_its_run_and_the_healer_takes_it_back_whole(logs, state):
    before, disk = contents(logs), disk_of(logs)
    (verified,) = once(disk, state).all(ev.ActionVerified)
    run = verified.details["trash"]
    assert f"healmon restore {run}" in verified.proof
    left = contents(logs)
    assert len(left) == 10 - verified.details["files"] < 10
    # a roomy budget, or the healer would clean again at once
    roomy = replace(disk, budgets=(Budget(path=str(logs), limit=10**9),))
    journal, (answer, second) = cycle(
        roomy, state, ("restore", {"id": run}), ("restore", {"id": run}), wait=0
    )
    assert answer.ok, answer.text
    assert contents(logs) == before
    assert next(plan.plan.action for plan in journal.all(ev.PlanMade)) == "restore_files"
    assert not second.ok
    assert "nothing lies in the trash" in second.text


@pytest.mark.slow
def test_a_conflict_is_refused_and_said_and_both_files_stay(logs, state):
    disk = disk_of(logs)
    (verified,) = once(disk, state).all(ev.ActionVerified)
    gone = next(n for n in verified.details["names"])
    (logs / gone).write_bytes(b"a new one")
    roomy = replace(disk, budgets=(Budget(path=str(logs), limit=10**9),))
    _, (answer,) = cycle(roomy, state, ("restore", {"id": verified.details["trash"]}), wait=0)
    assert not answer.ok
    assert "stands there now" in answer.text
    assert (logs / gone).read_bytes() == b"a new one"
    assert len(list((state / "trash").glob("t.*"))) == 1


def healmon(config: Path, state: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import sys; from healmon.cli import main; sys.exit(main())",
         *words, "--config", str(config), "--state-dir", str(state)],
        capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "PYTHONPATH": str(REPO / "core")},
    )  # fmt: skip


@pytest.mark.slow
def test_the_command_lists_and_takes_back_without_a_healer(logs, state, tmp_path):
    before, disk = contents(logs), disk_of(logs)
    config = tmp_path / "healmon.toml"
    config.write_text(
        f'[disk]\npaths = []\n[[disk.budgets]]\npath = "{logs}"\nlimit = "640KB"\n'
        f'[[disk.rules]]\nname = "logs"\npaths = ["{logs}"]\npatterns = ["*.log.*"]\n'
        'older_than = "1s"\naction = "trash"\n'
    )
    assert healmon(config, state, "restore").stdout == "nothing lies in the trash\n"
    (verified,) = once(disk, state).all(ev.ActionVerified)
    listed = json.loads(healmon(config, state, "restore", "--json").stdout)
    fits("trash", listed)
    assert {one["run"] for one in listed} == {verified.details["trash"]}
    assert {one["path"] for one in listed} == {f"{logs}/{n}" for n in verified.details["names"]}
    shown = healmon(config, state, "restore").stdout
    assert all(one["id"] in shown and one["path"] in shown for one in listed)
    one = listed[0]
    tried = healmon(config, state, "restore", "--dry-run", one["id"])
    assert tried.stdout == f"would take back {one['path']}\n"
    assert len(contents(logs)) < 10
    done = healmon(config, state, "restore", one["id"])
    assert done.returncode == 0, done.stderr
    assert Path(one["path"]).exists()
    again = healmon(config, state, "restore", one["id"])
    assert again.returncode == 65
    assert "nothing lies in the trash" in again.stderr
    assert healmon(config, state, "restore", one["run"]).returncode == 0
    assert contents(logs) == before


@pytest.mark.slow
def test_what_is_too_old_is_emptied_and_what_is_not_stays(logs, state):
    disk = disk_of(logs)
    once(disk, state)
    aside = set((state / "trash").glob("t.*"))
    assert aside
    roomy = replace(disk, budgets=(Budget(path=str(logs), limit=10**9),))
    journal = once(roomy, state, wait=0)
    assert not journal.all(ev.PlanMade)
    assert set((state / "trash").glob("t.*")) == aside, "kept for a week by default"
    journal = once(replace(roomy, trash_for=0.5), state)
    (verified,) = journal.all(ev.ActionVerified)
    assert "removed from the trash" in verified.proof
    assert not list((state / "trash").glob("t.*"))
    assert len(contents(logs)) == 10 - len(aside), "nothing else went"


def test_the_trash_is_not_emptied_by_a_clock_that_was_set():
    target = Target("disk:/", "filesystem", "/")
    gauge = Gauge(used=1, free=9, size=10, capacity=10, percent=10.0)
    now = ManualClock().read()
    seen = DiskSeen(target=target, gauge=gauge, oldest=now.wall - 30 * 86400)
    plan = judge(seen, 0.0, Disk(), Snapshot(), now).plan
    assert plan is not None
    assert plan.action == EMPTY
    assert judge(seen, 86_400.0, Disk(), Snapshot(), now).plan is None
    assert judge(replace(seen, oldest=now.wall - 60), 0.0, Disk(), Snapshot(), now).plan is None


def test_trash_is_looked_for_in_the_state_directory_and_in_every_place_of_a_rule():
    disk = disk_of(Path("/var/log/app"), budgets=(Budget(path="/var/log/app/deep", limit=1),))
    roots = [s.roots for s in selections(disk, "/state")]
    assert roots == [("/state",), ("/var/log/app",), ("/var/log/app/deep",)]
    assert parsers.healmon_parser().parse_args(["restore"]).ids == []
