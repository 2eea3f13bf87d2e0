"""What cleaning must hold, by number: 25 scenarios. Those that other tests show whole are named.

Each number has a test here or in `test_scenarios_full.py`, or a line in `WHERE_SHOWN`.
"""

from __future__ import annotations

import ast
import asyncio
import fcntl
import functools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from healmon import events as ev
from healmon.clock import Reading, SystemClock
from healmon.config.settings import Budget, Disk, Rule
from healmon.disks.diagnose import clean_plan, facts_of
from healmon.disks.healer import DisksHealer
from healmon.disks.model import DiskSeen, Memory
from healmon.engine import Engine, Run
from healmon.errors import VetoError
from healmon.world import filecalls, fileuse
from healmon.world.filedata import Limits, Need, Selection, Swept
from healmon.world.files import SystemFiles
from tests.helpers.filestage import DAY, SIZE, RealStage
from tests.helpers.made_up import MemoryJournal, Noted
from tests.helpers.mounts import mounted

TESTS = Path(__file__).parents[2]
FAR = Limits(1_000_000, 600.0)
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="needs root for marks and devices")

WHERE_SHOWN: dict[int, tuple[str, ...]] = {
    1: (  # ten thousand times, by another user
        "world/test_files_attacked.py::test_a_directory_exchanged_for_a_link_to_a_strangers",
        (
            "world/test_files.py::"
            "test_a_directory_that_became_a_link_before_it_is_entered_is_not_entered"
        ),
    ),
    2: ("world/test_files.py::test_a_file_replaced_before_it_is_opened_stays",),
    3: (  # put back as the same inode; the alert
        "world/test_files.py::test_a_file_replaced_right_before_the_rename_is_put_back",
        (
            "core/disks/test_oddities.py::"
            "test_files_exchanged_while_they_were_cleaned_are_told_for_a_day"
        ),
    ),
    4: (
        "world/test_files_attacked.py::test_a_strangers_directory_mounted_over_one_that_is_cleaned",
    ),
    7: (  # the right file goes; one line in the log; the same bytes when read back
        "world/test_files.py::test_hostile_names_are_taken_exactly_and_told_in_one_line",
        "core/disks/test_disks.py::test_hostile_names_are_cleaned_and_told_without_a_control_byte",
        "world/test_files_restored.py::test_hostile_names_come_back_as_the_same_bytes",
    ),
    9: (  # open, mapped, running, in another pid namespace; the pid is named
        "world/test_files.py::test_a_file_in_use_stays_and_is_not_chosen_again",
        (
            "world/test_files_attacked.py::"
            "test_a_holder_in_another_pid_namespace_and_a_running_program_are_seen"
        ),
        (
            "core/disks/test_culprits.py::"
            "test_who_writes_a_big_file_is_named_and_one_that_is_only_open_is_not_deleted"
        ),
    ),
    17: (
        "core/disks/test_full.py::test_a_full_file_system_is_healed_and_its_story_is_stored_there",
    ),
    21: (
        "core/disks/test_full.py::test_a_full_file_system_is_healed_and_its_story_is_stored_there",
    ),
    22: (  # killed in between, then finished; killed at any step; undone
        "world/test_files.py::test_a_kill_between_rename_and_unlink_is_finished_by_the_next_run",
        (
            "world/test_files_restored.py::"
            "test_a_kill_at_any_step_loses_nothing_and_leaves_nothing_twice"
        ),
        "core/disks/test_undo.py::test_a_cleaning_names_its_run_and_the_healer_takes_it_back_whole",
    ),
    23: (  # a directory as the target of backups
        "world/test_files_kept.py::test_without_a_verified_copy_the_file_stays",
        (
            "world/test_files_kept.py::"
            "test_a_kill_at_any_step_keeps_each_content_and_the_next_run_ends_it"
        ),
    ),
    24: ("core/disks/test_forecast.py::test_a_runaway_on_top_of_nightly_dumps_is_alarmed_in_time",),
}


@functools.cache
def names_in(path: str) -> set[str]:
    tree = ast.parse((TESTS / path).read_text())
    return {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}


def test_every_scenario_has_a_test():
    mine = ("core/disks/test_scenarios.py", "core/disks/test_scenarios_full.py")
    here = {name for path in mine for name in names_in(path)}
    own = {number for number in range(1, 26) if any(f"test_{number:02}_" in one for one in here)}
    assert own | WHERE_SHOWN.keys() == set(range(1, 26))
    for place in (one for places in WHERE_SHOWN.values() for one in places):
        path, _, name = place.partition("::")
        assert name in names_in(path), place


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealStage]:
    made = RealStage(tmp_path)
    yield made
    made.close()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def clean(stage: RealStage, selection: Selection | None = None, need: Need | None = None) -> Swept:
    selection = selection or stage.selection()
    survey = stage.files.survey(selection, stage.now, FAR, need=need)
    assert survey.choice is not None
    return stage.files.sweep(selection, survey.choice, "delete", stage.now, FAR, lambda: False)


class Clock(SystemClock):
    """The machine's clocks; the wall clock can be set, and time can pass at once."""

    def __init__(self) -> None:
        super().__init__()
        self.set_by = self.passed = 0.0

    def read(self) -> Reading:
        now = super().read()
        return Reading(
            now.wall + self.set_by + self.passed, now.steady + self.passed, now.boot + self.passed
        )


class Life:
    """A healer over a budget, one cycle at a time."""

    def __init__(self, disk: Disk, state: Path, clock: Clock | None = None) -> None:
        state.mkdir(mode=0o700, exist_ok=True)
        self.clock = clock or Clock()
        self.journal = MemoryJournal()
        healer = DisksHealer(disk, state, SystemFiles(), self.clock)
        self.engine = Engine([healer], self.journal, self.clock, Run(host="b"))

    async def cleaned(self) -> None:
        """Make a cycle and wait until what it planned is done."""
        await self.engine.cycle()
        async with asyncio.timeout(60):
            while not self.journal.all(ev.ActionVerified):
                await asyncio.sleep(0.02)

    def alerts(self) -> list[str]:
        return [one.message for one in self.engine.snapshot.alerts.values()]


def budget(place: Path, limit: int, *rules: Rule, **keys: object) -> Disk:
    return Disk(paths=(), budgets=(Budget(path=str(place), limit=limit),), rules=rules, **keys)


def rule(place: Path, name: str = "logs", **keys: object) -> Rule:
    given = {"name": name, "paths": (str(place),), "patterns": ("*.log",), "older_than": 1.0}
    return Rule(**{**given, **keys})


def fill(place: Path, count: int, begin: int = 0) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for number in range(begin, begin + count):
        (place / f"{number}.log").write_bytes(b"x" * SIZE)


@pytest.mark.slow
def test_05_a_place_that_became_a_link_is_refused_and_the_other_rules_go_on(tmp_path):
    place, victim = tmp_path / "data", tmp_path / "victim"
    fill(victim, 4)
    fill(place / "a", 4)
    fill(place / "b", 4)
    life = Life(
        budget(place, 20 * SIZE, rule(place / "a", "first"), rule(place / "b", "second")),
        tmp_path / "state",
    )

    async def scenario() -> None:
        await life.engine._open()
        await life.engine.cycle()
        assert not life.journal.all(ev.PlanMade)
        (place / "a").rename(place / "aside")
        (place / "a").symlink_to(victim)
        fill(place / "b", 16, 4)
        await asyncio.sleep(1.2)  # the rules' age is real time: nobody can set a file's ctime
        await life.cleaned()
        await life.engine._close()

    asyncio.run(scenario())
    assert len(list(victim.iterdir())) == 4
    assert len(list((place / "aside").iterdir())) == 4
    (verified,) = life.journal.all(ev.ActionVerified)
    assert verified.details["files"] == 20 - len(list((place / "b").glob("*.log"))) > 0
    told = [one.message for one in life.journal.all(ev.AlertOpened)]
    assert any("rule first" in one and "symbolic link" in one for one in told), told


def test_06_six_thousand_nested_directories_are_left_and_the_rest_cleaned(tmp_path):
    with mounted(
        "tmpfs", tmp_path
    ) as place:  # which is quicker made and gone than a tree on a disk
        real = RealStage(place)
        fd = os.open(real.root, os.O_RDONLY)
        for _ in range(6000):
            os.mkdir("d", dir_fd=fd)
            below = os.open("d", os.O_RDONLY, dir_fd=fd)
            os.close(fd)
            fd = below
        try:
            os.close(os.open("bottom.log", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
            real.write("z/old.log", 9 * DAY)
            before, began = open_files(), time.monotonic()
            swept = clean(real)
            assert (swept.taken.files, swept.kept, swept.partial) == (1, {"deep": 1}, "")
            assert time.monotonic() - began < 60
            assert os.stat("bottom.log", dir_fd=fd)
            assert open_files() == before, "no descriptor is left open"
        finally:
            os.close(fd)


@ROOT_ONLY
def test_08_what_is_no_file_is_neither_touched_nor_opened(real, monkeypatch):
    real.write("old.log", 9 * DAY)
    os.mkfifo(f"{real.root}/pipe.log")
    # opening it would block as a pipe does: nobody has the other end
    os.mknod(f"{real.root}/tty.log", 0o020600, os.makedev(4, 200))
    with socket.socket(socket.AF_UNIX) as server:
        fd = os.open(real.root, os.O_PATH)
        server.bind(f"/proc/self/fd/{fd}/sock.log")
        os.close(fd)
    opened, really = [], os.open

    def noted(path, *args, **keys):
        opened.append(path)
        return really(path, *args, **keys)

    monkeypatch.setattr(os, "open", noted)
    swept = clean(real)
    assert "old.log" in opened
    assert not {"pipe.log", "tty.log", "sock.log"} & set(opened)
    assert swept.taken.files == 1
    assert real.names() == {"pipe.log", "tty.log", "sock.log"}


def test_10_an_opener_at_the_instant_of_the_question_waits_a_moment_and_harms_nobody(real):
    real.write("a.log", 9 * DAY)
    path = f"{real.root}/a.log"
    program = (
        "import sys, time\ntook = []\n"
        "for _ in range(2000):\n"
        "    began = time.perf_counter()\n    open(sys.argv[1]).close()\n"
        "    took.append(time.perf_counter() - began)\n"
        "print(sorted(took)[-200])"
    )
    child = subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE)
    users, asked = fileuse.Users(), 0
    while child.poll() is None:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        asked += users.claim(fd, filecalls.inode_of(os.fstat(fd)), "ext4") == "leased"
        os.close(fd)
    assert child.stdout is not None
    with child.stdout:
        slowest = float(child.stdout.read())  # this process was not killed by SIGIO
    assert asked
    assert slowest < 0.01, "nine of ten open at once; the rest may have waited for a processor"


def test_11_sticky_and_locked_files_and_locked_directories_stay(real):
    for name in ("sticky.log", "held.log", "locked/a.log"):
        real.write(name, 9 * DAY)
    Path(real.root, "sticky.log").chmod(0o1644)
    real.hold("held.log", "flock")
    fd = os.open(f"{real.root}/locked", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_SH)
    survey = real.files.survey(real.selection(), real.now, FAR)
    swept = clean(real)
    os.close(fd)
    assert survey.kept == {"sticky": 1}
    assert (swept.taken.files, swept.kept) == (0, {"locked": 2})
    assert real.names() == {"sticky.log", "held.log", "locked/a.log"}


@pytest.mark.slow
@ROOT_ONLY
def test_12_two_of_a_thousand_that_may_not_be_removed_do_not_stop_the_rest(real):
    for n in range(1000):
        real.write(f"{n}.log", 9 * DAY, 10)
    marked = {"1.log": "+i", "2.log": "+a"}
    try:
        for name, mark in marked.items():
            if subprocess.run(["chattr", mark, f"{real.root}/{name}"], check=False).returncode:
                pytest.skip("this file system has no such marks")
        swept = clean(real)
    finally:
        for name in marked:
            subprocess.run(["chattr", "-ia", f"{real.root}/{name}"], check=False)
    assert (swept.taken.files, swept.kept) == (998, {"refused": 2})
    assert real.names() == set(marked)


def test_13_a_file_with_two_names_frees_nothing_and_a_sparse_one_its_blocks(real):
    real.write("pair.log", 9 * DAY)
    real.link("pair.log", "twin.log")
    real.write("sparse.log", 9 * DAY)
    sparse = Path(real.root, "sparse.log")
    with sparse.open("r+b") as file:
        file.truncate(10 * 1024**3)
    os.utime(sparse, (real.now - 9 * DAY,) * 2)
    blocks = sparse.stat().st_blocks * 512
    assert SIZE <= blocks < 2 * SIZE
    survey = real.files.survey(real.selection(), real.now, FAR)
    assert (survey.due.files, survey.due.held) == (1, blocks)
    assert survey.kept == {"hard link": 2}
    swept = clean(real)
    assert (swept.taken.files, swept.taken.held) == (1, blocks)
    assert real.names() == {"pair.log", "twin.log"}


def test_14_an_archive_just_unpacked_is_young_until_it_has_lain_there(real):
    path = Path(real.root, "a.log")
    path.write_bytes(b"x" * 5000)
    os.utime(path, (0, 0))
    now = real.files.survey(real.selection(), time.time(), FAR)
    assert (now.due.files, now.kept) == (0, {"young": 1})
    later = real.files.survey(real.selection(), time.time() + DAY + 60, FAR)
    assert later.due.files == 1


def test_15_a_clock_that_jumps_ahead_deletes_nothing_and_is_believed_later(tmp_path):
    place = tmp_path / "logs"
    fill(place, 10)
    life = Life(budget(place, 10 * SIZE, rule(place, older_than=DAY)), tmp_path / "state")

    async def scenario() -> None:
        await life.engine._open()
        await life.engine.cycle()
        assert not life.journal.all(ev.PlanMade), "all is young"
        life.clock.set_by = 3 * 365 * DAY
        await life.engine.cycle()
        assert not life.journal.all(ev.PlanMade)
        (told,) = life.alerts()
        assert "ages are not trusted" in told
        assert len(list(place.glob("*.log"))) == 10
        life.clock.passed = 1000.0
        await life.cleaned()
        await life.engine._close()

    asyncio.run(scenario())
    assert len(life.journal.all(ev.AlertOpened)) == 1
    assert 0 < len(list(place.glob("*.log"))) < 10


def test_25_what_was_shown_is_what_goes_and_another_rule_must_be_shown_first(tmp_path):
    place, state, clock = tmp_path / "logs", tmp_path / "state", Clock()
    state.mkdir(mode=0o700)
    fill(place, 10)
    clock.set_by = 9 * DAY
    disk = budget(place, 10 * SIZE, rule(place, older_than=DAY))
    edited = replace(disk, rules=(replace(disk.rules[0], older_than=2 * DAY),))

    async def scenario(disk: Disk, plan=None):
        healer = DisksHealer(disk, state, SystemFiles(), clock)
        try:
            (seen,) = (await healer.look()).disks
            made = clean_plan(
                seen.target, facts_of(seen, Memory()), disk, clock.read(), by_hand=True
            )
            return seen, made, await healer.carry_out(plan, Noted()) if plan else None
        finally:
            await healer.close()

    seen, plan, _ = asyncio.run(scenario(disk))
    assert isinstance(seen, DiskSeen)
    assert seen.count is not None
    with pytest.raises(VetoError, match="rules are not those"):
        asyncio.run(scenario(edited, plan))
    assert len(list(place.iterdir())) == 10
    _, _, proof = asyncio.run(scenario(disk, plan))
    assert (proof.details["files"], proof.details["bytes_expected"]) == (
        seen.count.due.files, seen.count.due.held,
    )  # fmt: skip
    assert f"at most {seen.count.due.files} files" in plan.steps[0].text
