"""More than the ceiling goes only when a person asks, or time passes; over restarts and kills."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.attempts import Attempt
from healmon.clock import ManualClock
from healmon.config.settings import Disk, Rule
from healmon.disks import ceiling
from healmon.disks.healer import DisksHealer
from healmon.disks.model import CLEAN, Gauge, Memory, More, Spent, Target
from healmon.engine import Engine, Run
from healmon.events import ActionFailed, ActionVerified
from healmon.state import ActionView, Snapshot, replay
from healmon.world.simulated.files import SimulatedFiles
from tests.helpers.made_up import MemoryJournal

NOTHING = Memory()
ENDS = (ActionFailed, ActionVerified)
MB, HOUR, DAY = 1_000_000, 3600.0, 86_400.0
RULE = Rule(name="logs", paths=("/data/logs",), patterns=("*.log",), older_than=DAY)
NAME = "disk:/data"
TARGET = Target(NAME, "filesystem", "/data")
FULL = Gauge(used=98, free=2, size=100, capacity=100, percent=98.0)


class House:
    """One host over many runs of healmon: its disk, its clock, its journal."""

    def __init__(self, **keys: object) -> None:
        self.clock, self.journal, self.files = ManualClock(), MemoryJournal(), SimulatedFiles()
        self.disk = Disk(paths=("/data",), rules=(RULE,), **keys)
        self.files.add_disk("/", 10**12)
        self.files.add_disk("/data", 1000 * MB)
        self.files.fill("/data", 500 * MB)
        for n in range(48):
            at = self.clock.read().wall - (n + 2) * DAY
            self.files.write(f"/data/logs/{n:02}.log", 10 * MB, at)

    def live(self, ask: str = "") -> Snapshot:
        healer = DisksHealer(self.disk, Path("/state"), self.files, self.clock)
        engine = Engine([healer], self.journal, self.clock, Run(host="b"))

        async def scenario() -> None:
            if not ask:
                await engine.run_once()
                return
            await engine._open()
            answer = await engine.ask(ask, NAME, {}, origin="me")
            assert answer.ok, answer.text
            await engine.cycle()
            await engine._close()

        asyncio.run(scenario())
        return engine.snapshot

    @property
    def gone(self) -> int:
        return 48 - len(self.files.paths)


def alert(snapshot: Snapshot) -> str:
    found = [a for a in snapshot.alerts.values() if a.key.endswith("/ceiling")]
    assert all((a.severity, a.component) == ("WARNING", NAME) for a in found)
    return found[0].message if found else ""


@pytest.mark.parametrize("limit", [{"max_files": 3}, {"max_bytes": 35 * MB}])
def test_it_does_what_it_may_stops_and_says_what_more_would_go(limit):
    house = House(**limit)
    house.files.fill("/data", 519 * MB)
    told = house.live()
    assert house.gone == 3
    assert house.files.paths[-1] == "/data/logs/44.log", "the oldest went"
    assert "17 files (170.0 MB) more would go, the oldest untouched since 2023-09-29" in alert(told)
    assert "with: healmon clean /data (on the screen: c)" in alert(told)
    for _ in range(6):
        house.clock.advance(HOUR)
        told = house.live()
    assert house.gone == 3, "not again with every look"
    assert "reached its ceiling" in next(
        a.message for a in told.alerts.values() if a.key.endswith("/full")
    )
    house.clock.advance(DAY)
    house.live()
    assert house.gone == 6, "a day later as much again"


def test_a_person_goes_beyond_it_and_it_counts_anew():
    house = House(max_files=5)
    house.live()
    told = house.live(ask="clean")
    assert house.gone == 48
    assert not alert(told)
    for n in range(48):
        at = house.clock.read().wall - (n + 2) * DAY
        house.files.write(f"/data/logs/{n:02}.log", 10 * MB, at)
    house.clock.advance(HOUR)
    house.live()
    assert house.gone == 5


def test_several_runs_together_stay_below_it():
    house = House(max_files=30)
    assert not alert(house.live())
    assert house.gone == 19, "down to the target"
    house.files.fill("/data", 700 * MB)
    house.clock.advance(HOUR)
    told = house.live()
    assert house.gone == 30
    assert "9 files" in alert(told)


def test_what_went_is_known_also_if_healmon_ended_before_the_next_look():
    house = House(max_files=30)
    house.files.fill("/data", 900 * MB)  # so that the trial fails and is to be waited for
    told, records = house.live(), house.journal.records
    end = next(n for n, one in enumerate(records) if isinstance(one.event, ENDS))
    house.journal.records = records[: end + 1]
    house.journal.snapshot = replay(house.journal.records)
    again = house.live()
    assert house.gone == 30, "nothing more goes"
    assert alert(again) == alert(told)


def remembered(known: Snapshot, disk: Disk, steady: float, memory: Memory = NOTHING) -> Memory:
    clock = ManualClock()
    clock.advance(steady - clock.read().steady)
    return ceiling.remember(memory, NAME, FULL, disk, known, clock.read())


def attempt(
    due: float, *, origin: str = "healmon", ok: bool | None = None, subject: str = "x"
) -> Attempt:
    return Attempt(NAME, subject, origin, due, due, ok)


def test_a_run_whose_end_nobody_knows_counts_as_all_of_it():
    disk, start = Disk(max_files=5), ManualClock().read().steady
    known = Snapshot(attempts={CLEAN: (attempt(start),)})
    memory = remembered(known, disk, start + 60)
    assert ceiling.reached(memory, disk)
    assert "not known" in ceiling.finding(TARGET, memory, disk).message
    alone = attempt(start + 99, origin="me", subject="/data by rules x by hand, rule logs")
    after = Snapshot(attempts={CLEAN: (attempt(start), alone)})
    assert remembered(after, disk, start + 100).spent == memory.spent, "the others stay as they are"
    after = Snapshot(attempts={CLEAN: (attempt(start), attempt(start + 99, origin="me"))})
    assert not ceiling.reached(remembered(after, disk, start + 120, memory), disk)
    assert not ceiling.reached(remembered(known, disk, start + DAY, memory), disk)


def test_one_that_is_under_way_is_not_yet_one_whose_end_nobody_knows():
    disk, start = Disk(max_files=5), ManualClock().read().steady
    running = Snapshot(attempts={CLEAN: (attempt(start),)}, plans={NAME: None})
    assert remembered(running, disk, start + 60).spent == ()
    ended = Snapshot(attempts=running.attempts)
    assert ceiling.reached(remembered(ended, disk, start + 61), disk)


def test_one_of_a_boot_that_told_a_later_time_counts_as_made_now():
    disk, start = Disk(max_files=5), ManualClock().read().steady
    known = Snapshot(attempts={CLEAN: (attempt(start + 9 * DAY),)})
    assert ceiling.reached(remembered(known, disk, start), disk)


def test_what_a_run_said_of_itself_is_counted_once():
    disk, start = Disk(max_files=5), ManualClock().read().steady
    said = {"by_rule": [3, 300], "more": []}
    action = ActionView(NAME, CLEAN, True, "", 1.0, start + 5, said)
    known = Snapshot(attempts={CLEAN: (attempt(start, ok=True),)}, recent=(action,))
    memory = remembered(known, disk, start + 60)
    assert memory.spent == (Spent(start, 3, 300),)
    again = remembered(Snapshot(attempts=known.attempts), disk, start + 120, memory)
    assert again.spent == memory.spent, "also when the action is no longer told of"
    assert ceiling.left(again, disk).files == 2


def test_one_that_found_nothing_to_do_says_nothing_of_the_one_before_it():
    disk, start = Disk(max_files=5), ManualClock().read().steady
    idle = {"by_rule": [0, 0], "more": [], "begun": False}
    action = ActionView(NAME, CLEAN, True, "", 0.1, start + 99, idle)
    known = Snapshot(attempts={CLEAN: (attempt(start, ok=True),)}, recent=(action,))
    assert ceiling.reached(remembered(known, disk, start + 100), disk), "nobody knows what it took"


@given(st.lists(st.tuples(st.floats(0, 3 * DAY), st.integers(0, 9)), max_size=12))
def test_whatever_ran_within_the_window_is_subtracted(runs):
    disk, start = Disk(max_files=20), ManualClock().read().steady
    spent = tuple(Spent(start + at, files, 0) for at, files in runs)
    memory = remembered(Snapshot(), disk, start + 3 * DAY, Memory(spent=spent))
    counted = sum(files for at, files in runs if at > 2 * DAY)
    assert ceiling.left(memory, disk).files == max(0, 20 - counted)


def test_what_ran_before_the_window_says_nothing_of_what_more_would_go():
    disk, start = Disk(max_files=5), ManualClock().read().steady
    said = {"by_rule": [5, 500], "more": [7, 700, 1.0]}
    action = ActionView(NAME, CLEAN, False, "", 1.0, start + DAY + 5, said)
    old, new = attempt(start, ok=True), attempt(start + DAY, ok=False)
    known = Snapshot(attempts={CLEAN: (old, new)}, recent=(action,))
    memory = remembered(known, disk, start + DAY + 60)
    assert memory.more == More(7, 700, 1.0)
    again = remembered(Snapshot(attempts=known.attempts), disk, start + DAY + 120, memory)
    assert again == memory


def test_a_ceiling_that_is_set_later_counts_what_ran_before():
    start = ManualClock().read().steady
    action = ActionView(NAME, CLEAN, True, "", 1.0, start + 5, {"by_rule": [3, 300], "more": []})
    known = Snapshot(attempts={CLEAN: (attempt(start, ok=True),)}, recent=(action,))
    memory = remembered(known, Disk(), start + 60)
    assert ceiling.finding(TARGET, memory, Disk()) is None
    later = remembered(Snapshot(attempts=known.attempts), Disk(max_files=5), start + 99, memory)
    assert ceiling.left(later, Disk(max_files=5)).files == 2


def test_without_a_ceiling_nothing_is_held_back():
    assert ceiling.left(Memory(spent=(Spent(1.0, 9, 9, True),)), Disk()) is None
    assert not ceiling.reached(Memory(), Disk())
