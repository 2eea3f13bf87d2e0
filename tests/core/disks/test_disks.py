"""Disks: one finding a crossing, and cleaning real directories through the real door."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon import events as ev
from healmon.clock import ManualClock, SystemClock
from healmon.config.settings import Budget, Disk, Rule
from healmon.disks.diagnose import diagnose
from healmon.disks.gauge import level_of
from healmon.disks.healer import DisksHealer
from healmon.disks.model import DiskSeen, Gauge, Seen, Target
from healmon.engine import Engine, Run
from healmon.state import Snapshot
from healmon.world.files import SystemFiles
from tests.helpers.made_up import MemoryJournal

KB = 1024
ROOT = Target("disk:/", "filesystem", "/")


def gauge(percent: float) -> Gauge:
    size = 10**12
    used = int(size * percent / 100)
    return Gauge(used=used, free=size - used, size=size, capacity=size, percent=percent)


class FixedGauge(DisksHealer):
    """The real judgement over made-up measurements."""

    percents: list[float]

    async def look(self) -> Seen:
        return Seen((DiskSeen(target=ROOT, gauge=gauge(self.percents.pop(0))),))


def cycles(percents: list[float], disk: Disk) -> tuple[MemoryJournal, Snapshot]:
    journal, clock = MemoryJournal(), ManualClock(autojump=False)
    healer = FixedGauge(disk, Path("/nowhere"), SystemFiles(), clock)
    healer.percents = list(percents)
    engine = Engine([healer], journal, clock, Run(host="box"))

    async def scenario() -> None:
        await engine._open()
        for _ in percents:
            await engine.cycle()
            clock.advance(60)
        await engine._close()

    asyncio.run(scenario())
    return journal, engine.snapshot


def test_a_disk_that_stays_at_86_9_percent_is_one_alert_in_155_cycles():
    wander = [86.9 + 0.09 * (n % 3 - 1) for n in range(155)]
    journal, snapshot = cycles(wander, Disk())
    opened = journal.all(ev.AlertOpened)
    assert [(o.level, o.component) for o in opened] == [("WARNING", "disk:/")]
    assert not journal.all(ev.AlertResolved)
    assert len(journal.all(ev.AlertUpdated)) <= 1
    assert len(snapshot.alerts) == 1


def test_crossings_raise_and_end_one_alert_and_never_chatter_at_the_line():
    ups = [84.9, 85.0, 84.5, 85.1, 83.1, 94.9, 95.0, 93.5, 95.2, 92.0, 82.9, 84.9]
    journal, snapshot = cycles(ups, Disk())
    assert len(journal.all(ev.AlertOpened)) == 1
    assert len(journal.all(ev.AlertResolved)) == 1
    assert [u.level for u in journal.all(ev.AlertUpdated)].count("CRITICAL") >= 1
    assert not snapshot.alerts


@given(st.floats(0, 100), st.sampled_from(["ok", "warning", "critical"]))
def test_a_level_is_entered_at_its_line_and_left_below_it(percent, before):
    level = level_of(percent, before, Disk())
    if percent >= 95:
        assert level == "critical"
    if percent < 83:
        assert level == "ok"
    if before == "critical" and percent >= 93:
        assert level == "critical"
    assert level_of(percent, level, Disk()) == level, "the same reading twice says the same"


def test_nothing_is_planned_below_critical_or_without_rules():
    for percent in (86.0, 99.0):
        diagnosis = diagnose(
            Seen((DiskSeen(target=ROOT, gauge=gauge(percent)),)),
            Disk(),
            Snapshot(),
            ManualClock().read(),
        )
        assert diagnosis.verdicts[0].plan is None


def fill(folder: Path, count: int, size: int = 64 * KB, name: str = "app.log.{}") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / name.format(number)).write_bytes(b"x" * size)


def heal(disk: Disk, state: Path, wait: float = 1.2) -> tuple[MemoryJournal, Snapshot]:
    """Run one real cycle, `wait` seconds after the files were made."""
    journal, clock = MemoryJournal(), SystemClock()
    engine = Engine([DisksHealer(disk, state, SystemFiles(), clock)], journal, clock, Run(host="b"))

    async def scenario() -> None:
        await asyncio.sleep(wait)  # the rules' age is real time: nobody can set a file's ctime
        await engine.run_once()

    asyncio.run(scenario())
    return journal, engine.snapshot


def rule(logs: Path, **keys) -> Rule:
    given = {"name": "logs", "paths": (str(logs),), "patterns": ("*.log.*",), "older_than": 1.0}
    return Rule(**{**given, **keys})


def budget(logs: Path, limit: int, *rules: Rule) -> Disk:
    return Disk(paths=(), budgets=(Budget(path=str(logs), limit=limit),), rules=rules)


@pytest.fixture
def state(tmp_path):
    made = tmp_path / "state"
    made.mkdir(mode=0o700)
    return made


def test_a_full_budget_is_cleaned_oldest_first_down_to_the_target_and_no_further(tmp_path, state):
    logs = tmp_path / "logs"
    fill(logs, 20)
    journal, snapshot = heal(budget(logs, 20 * 65 * KB, rule(logs)), state)
    (verified,) = journal.all(ev.ActionVerified)
    left = sorted(p.name for p in logs.iterdir() if p.is_file())
    assert 10 <= len(left) <= 16, "down to 80 %, not everything"
    assert verified.details["files"] == 20 - len(left)
    assert verified.details["bytes_expected"] >= verified.details["files"] * 64 * KB
    assert verified.details["bytes_observed"] > 0
    assert snapshot.components[f"disk:{logs}"].status == "healthy"
    assert journal.all(ev.StepTaken), "told before it was done"
    assert not snapshot.alerts


def test_what_must_stay_stays(tmp_path, state):
    logs, victim = tmp_path / "logs", tmp_path / "victim"
    fill(logs, 10)
    fill(victim, 3)
    (logs / "link.log.1").symlink_to(victim / "app.log.0")
    (logs / "dir.log.1").symlink_to(victim)
    os.link(logs / "app.log.0", tmp_path / "second-name")
    os.mkfifo(logs / "pipe.log.1")
    server = socket.socket(socket.AF_UNIX)
    with server:
        old = Path.cwd()
        os.chdir(logs)
        try:
            server.bind("sock.log.1")
        finally:
            os.chdir(old)
    (logs / "precious.db").write_bytes(b"x" * 64 * KB)
    hold = "import sys; f = open(sys.argv[1], 'a'); print('up', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(logs / "app.log.1")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        holder.stdout.readline()
        journal, _ = heal(budget(logs, 64 * KB, rule(logs)), state)
    finally:
        holder.communicate()
    assert all((victim / f"app.log.{n}").exists() for n in range(3))
    for name in ("app.log.0", "app.log.1", "precious.db"):
        assert (logs / name).exists(), name
    for name in ("link.log.1", "dir.log.1", "pipe.log.1"):
        assert os.path.lexists(logs / name), name
    assert not (logs / "app.log.5").exists()
    (failed,) = journal.all(ev.ActionFailed)
    assert "not enough" in failed.reason


def test_hostile_names_are_cleaned_and_told_without_a_control_byte(tmp_path, state):
    logs = tmp_path / "logs"
    logs.mkdir()
    for name in (b"a\nb.log.1", b"\x1b]0;x\x07.log.2", b"\xff\xfe.log.3", b"[@click=app.quit]x.log.4",  # noqa: E501 - one name a line
                 b"n" * 240 + b".log.5"):  # fmt: skip
        (logs / os.fsdecode(name)).write_bytes(b"x" * 64 * KB)
    journal, _ = heal(budget(logs, 4 * KB + 64 * KB * 5, rule(logs)), state)
    (verified,) = journal.all(ev.ActionVerified)
    assert verified.details["files"] >= 1
    assert all(c.isprintable() for name in verified.details["names"] for c in name)


def test_young_files_and_dry_runs_lose_nothing(tmp_path, state):
    logs = tmp_path / "logs"
    fill(logs, 10)
    heal(budget(logs, 64 * KB, rule(logs, older_than=3600.0)), state, wait=0)
    assert len(list(logs.iterdir())) == 10
    journal, clock = MemoryJournal(), SystemClock()
    disk = budget(logs, 64 * KB, rule(logs, older_than=0.5))
    healer = DisksHealer(disk, state, SystemFiles(), clock)

    async def scenario() -> None:
        await asyncio.sleep(0.7)
        engine = Engine([healer], journal, clock, Run(host="b", dry_run=True))
        await engine.run_once()

    asyncio.run(scenario())
    assert len(list(logs.iterdir())) == 10
    assert journal.all(ev.PlanRefused)


def test_trash_puts_aside_and_never_empties_what_this_action_put_there(tmp_path, state):
    logs = tmp_path / "logs"
    fill(logs, 10)
    journal, _ = heal(budget(logs, 10 * 64 * KB, rule(logs, action="trash")), state)
    (verified,) = journal.all(ev.ActionVerified)
    aside = [p for p in (state / "trash").rglob("*") if p.name.startswith("t.")]
    assert len(aside) == verified.details["files"] > 0
    assert len([p for p in logs.iterdir() if p.is_file()]) + len(aside) == 10, "no file was lost"


def test_a_rule_that_wants_a_backup_keeps_its_files(tmp_path, state):
    logs = tmp_path / "logs"
    fill(logs, 5)
    _, snapshot = heal(budget(logs, 64 * KB, rule(logs, backup="ftp://host/x")), state)
    assert len(list(logs.iterdir())) == 5
    (alert,) = snapshot.alerts.values()
    assert "backup" in alert.message


def test_a_missing_budget_is_unknown_and_the_others_go_on(tmp_path, state):
    logs = tmp_path / "logs"
    fill(logs, 2)
    disk = Disk(paths=("/",), budgets=(Budget(path=str(tmp_path / "none"), limit=1),))
    _, snapshot = heal(disk, state, wait=0)
    assert snapshot.components["disk:/"].status != "unknown"
    assert snapshot.components[f"disk:{tmp_path / 'none'}"].status == "unknown"
