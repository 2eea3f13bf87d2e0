"""Rules through the whole healer: compress, back up, protect, and stop where a person is needed."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from healmon import events as ev
from healmon.clock import SystemClock
from healmon.config.settings import Budget, Disk, Rule
from healmon.disks.healer import DisksHealer
from healmon.engine import Engine, Run
from healmon.world.files import SystemFiles
from tests.helpers.made_up import MemoryJournal

KB = 1024
SIZE = 64 * KB
pytestmark = pytest.mark.slow


@pytest.fixture
def logs(tmp_path):
    found = tmp_path / "logs"
    found.mkdir()
    for number in range(10):
        (found / f"app.log.{number}").write_bytes(b"%d line\n" % number * (SIZE // 7))
    return found


@pytest.fixture
def state(tmp_path):
    made = tmp_path / "state"
    made.mkdir(mode=0o700)
    return made


def disk_of(logs: Path, rule: dict[str, object], **keys: object) -> Disk:
    given = {"name": "logs", "paths": (str(logs),), "patterns": ("*.log.*",), "older_than": 1.0}
    budgets = (Budget(path=str(logs), limit=10 * SIZE),)
    return Disk(**{"paths": (), "budgets": budgets, "rules": (Rule(**{**given, **rule}),), **keys})


def once(disk: Disk, state: Path, ask: str = "") -> MemoryJournal:
    journal, clock = MemoryJournal(), SystemClock()
    engine = Engine([DisksHealer(disk, state, SystemFiles(), clock)], journal, clock, Run(host="b"))

    component = f"disk:{disk.budgets[0].path}"

    async def scenario() -> None:
        await asyncio.sleep(1.2)  # the rules' age is real time: nobody can set a file's ctime
        if not ask:
            await engine.run_once()
            return
        await engine._open()
        await engine.cycle()
        async with asyncio.timeout(60):  # healmon itself may be at it
            while not (await engine.ask(ask, component, {}, origin="me")).ok:
                await asyncio.sleep(0.1)
        await engine._close()

    asyncio.run(scenario())
    return journal


def plain(logs: Path) -> set[str]:
    return {p.name for p in logs.iterdir() if p.is_file()}


def test_a_full_budget_is_compressed_down_to_the_target(logs, state):
    wanted = {p.name: p.read_bytes() for p in logs.iterdir()}
    (verified,) = once(disk_of(logs, {"action": "compress"}), state).all(ev.ActionVerified)
    assert 0 < verified.details["files"] < 10, "no more than needed"
    found = {}
    for path in logs.iterdir():
        if path.is_file():
            data = path.read_bytes()
            found[path.name.removesuffix(".gz")] = (
                gzip.decompress(data) if path.suffix == ".gz" else data
            )
    assert found == wanted


def test_a_backup_comes_first_and_a_failed_one_keeps_every_file(logs, state, tmp_path):
    place = tmp_path / "backup"
    missing = once(disk_of(logs, {"backup": str(place)}), state)
    (failed,) = missing.all(ev.ActionFailed)
    assert "unsaved" in failed.reason
    assert len(plain(logs)) == 10
    place.mkdir()
    (verified,) = once(disk_of(logs, {"backup": str(place)}), state).all(ev.ActionVerified)
    gone = 10 - len(plain(logs))
    assert gone == verified.details["files"] > 0
    assert len(list(place.glob("*app.log*"))) == gone


@pytest.mark.parametrize("limit", [{"max_files": 1}, {"max_bytes": SIZE + 8 * KB}])
def test_more_than_the_limit_of_one_run_needs_a_person(logs, state, limit):
    disk = disk_of(logs, {}, critical=50.0, warning=40.0, target=30.0, **limit)
    (failed,) = once(disk, state).all(ev.ActionFailed)
    assert len(plain(logs)) == 9, "one went and no more"
    assert "goes only by hand: healmon clean" in failed.reason
    once(disk, state, ask="clean")
    assert plain(logs) == set(), "a person may go on"


def test_a_log_in_use_is_cut_and_the_plan_says_so(logs, state):
    live = logs / "live.out"
    live.write_bytes(b"".join(b"%d a line of a log\n" % n for n in range(60_000)))
    rule = {"action": "truncate", "patterns": ("*.out",), "older_than": 0.0, "larger_than": KB}
    disk = disk_of(logs, rule, budgets=(Budget(path=str(logs), limit=20 * SIZE),))
    hold = "import sys; f = open(sys.argv[1], 'a'); print('up', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(live)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"up\n"
        journal = once(disk, state)
        holder.stdin.close()
    (verified,) = journal.all(ev.ActionVerified)
    assert (verified.details["files"], verified.details["kept"]) == (1, {})
    (made,) = journal.all(ev.PlanMade)
    assert (
        "copy and truncate live logs, larger than 1KiB, until below 80%" in made.plan.steps[0].text
    )
    (copy,) = logs.glob("live.out.*.gz")
    assert gzip.decompress(copy.read_bytes()).startswith(b"0 a line of a log\n1 a line")
    assert live.stat().st_blocks * 512 <= 2 * 4096
    assert len(plain(logs)) == 12


def test_the_newest_the_protected_and_those_that_opted_out_stay(logs, state):
    (logs / "in").mkdir()
    (logs / "in" / ".healmon-keep").touch()
    for name in ("in/a.log.1", "b.log.1"):
        (logs / name).write_bytes(b"x" * SIZE)
    disk = disk_of(logs, {"keep_newest": 3}, protect=(f"{logs}/b.log.1",), target=1.0)
    once(disk, state)
    assert (logs / "in" / "a.log.1").exists()
    assert (logs / "b.log.1").exists()
    assert len(plain(logs) - {"b.log.1"}) >= 2, "the newest three, one of them protected"
    assert "app.log.0" not in plain(logs)


def test_a_backup_target_that_nobody_knows_keeps_the_files(logs, state):
    once(disk_of(logs, {"backup": "ftp://host/x"}), state)
    assert len(plain(logs)) == 10


def test_what_a_rule_excludes_stays_when_it_is_a_disk_or_budget_of_its_own(logs, state):
    """The rule names a directory above: on its way down it would not come there."""
    inner = logs / "data" / "app"
    inner.mkdir(parents=True)
    for path in logs.glob("app.log.*"):
        path.rename(inner / path.name)
    budgets = (Budget(path=str(inner), limit=10 * SIZE),)
    journal = once(disk_of(logs, {"exclude": ("data",)}, budgets=budgets), state)
    assert len(plain(inner)) == 10
    assert not journal.all(ev.ActionStarted)
    once(disk_of(logs, {}, budgets=budgets), state)
    assert len(plain(inner)) < 10
