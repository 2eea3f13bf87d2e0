"""What comes between two files of a cleaning: it ends, keeps to its ceiling, and tells what went.

Longer lives of it are in `tests/simulation/cleaning`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from healmon import events as ev
from healmon.clock import ManualClock
from healmon.config.settings import Alerts, Disk, Rule
from healmon.disks import ceiling
from healmon.disks.diagnose import diagnose, recall
from healmon.disks.healer import DisksHealer
from healmon.disks.model import CLEAN, RESTORE
from healmon.engine import Engine, Run
from healmon.engine.changing import Amendment
from healmon.errors import RemedyError
from healmon.plans import Plan
from healmon.state import Snapshot
from healmon.world.filedata import Finished, Selection
from healmon.world.simulated.files import SimulatedFiles
from healmon.world.simulated.parts.files import Disk as Mounted
from tests.helpers.made_up import MemoryJournal, Noted

MB, DAY = 1_000_000, 86_400.0
NAME = "disk:/data"
RULE = Rule(name="logs", paths=("/data/logs",), patterns=("*.log",), older_than=DAY)
DISK = Disk(paths=("/data",), rules=(RULE,), max_files=40)


class Between(SimulatedFiles):
    """Disks in memory on which something comes before the file of a number."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.comes = lambda: None
        self.before = 3
        self.settles = lambda: None
        self.add_disk("/", 10**12)
        self.add_disk("/data", 1000 * MB)
        self.fill("/data", 500 * MB)
        for n in range(48):
            self.write(f"/data/logs/{n:02}.log", 10 * MB, clock.read().wall - (n + 2) * DAY)

    def sweep(self, selection, choice, deed, when, limits, stop, *, passed=frozenset()):
        left = [self.before]

        def asked() -> bool:
            left[0] -= 1
            if not left[0]:
                self.comes()
            return stop()

        return super().sweep(selection, choice, deed, when, limits, asked, passed=passed)

    def settle(self, path):
        super().settle(path)
        self.settles()

    @property
    def gone(self) -> int:
        return 48 - len(self.paths)


class House:
    """A healer, its disk and its plan, without an engine."""

    def __init__(self, disk: Disk = DISK) -> None:
        self.clock, self.disk = ManualClock(), disk
        self.files = Between(self.clock)
        self.healer = DisksHealer(disk, Path("/state"), self.files, self.clock)
        self.hand = Noted()

    def act(self, *, by_hand: bool = False):
        async def run():
            try:
                verdict = diagnose(
                    await self.healer.look(), self.disk, Snapshot(), self.clock.read()
                )
                plan = verdict.verdicts[0].plan
                assert plan is not None
                if by_hand:
                    plan = replace(plan, order={**plan.order, "by_hand": True})
                return await self.healer.carry_out(plan, self.hand)
            finally:
                await self.healer.close()

        return asyncio.run(run())


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_cleaning_ends_after_the_file_in_hand_and_tells_what_went(by_hand):
    house = House()
    gave = []
    house.files.comes = lambda: gave.append(house.healer.give_way(NAME, "called off: why", "pause"))
    with pytest.raises(RemedyError, match=r"called off: why: 2 files \(20.0 MB\) removed") as ended:
        house.act(by_hand=by_hand)
    assert gave == [True]
    assert house.files.gone == 2
    assert (ended.value.details["by_rule"], ended.value.details["called_off"]) == (
        [2, 20 * MB],
        True,
    )


def test_it_ends_for_whoever_wants_something_back_and_not_for_another_cleaning():
    house = House()
    other = Plan("disks", NAME, CLEAN, "", "", (), "", "", {}, tier=2)
    gave = []

    def both() -> None:
        gave.append(house.healer.give_way(NAME, "why", other))
        gave.append(house.healer.give_way(NAME, "why", replace(other, action=RESTORE)))

    house.files.comes = both
    with pytest.raises(RemedyError):
        house.act(by_hand=True)
    assert gave == [False, True]


def test_what_was_called_off_counts_what_it_took_and_is_no_failure():
    house = House()
    now, disk = house.clock.read(), house.disk
    seen = asyncio.run(house.healer.look()).disks[0]
    plan = diagnose(asyncio.run(house.healer.look()), disk, Snapshot(), now).verdicts[0].plan
    journal = MemoryJournal()

    def tell(event: ev.Event) -> None:
        journal.append(ev.Recorded(journal.last_id + 1, now.wall, event))

    tell(ev.PlanMade(replace(plan, id="p"), now.steady, now.wall))
    tell(ev.ActionStarted("p", NAME))
    details = {"by_rule": [2, 20 * MB], "more": [], "called_off": True}
    tell(ev.ActionFailed("p", NAME, CLEAN, "called off", 1.0, details))
    verdict = diagnose(asyncio.run(house.healer.look()), disk, journal.snapshot, now).verdicts[0]
    tell(ev.Remembered(NAME, verdict.memory))
    memory = recall(journal.snapshot, NAME)
    assert ceiling.left(memory, disk).files == 38
    assert memory.backoff_since is None
    assert verdict.plan is not None
    assert seen.gauge is not None


def test_another_file_system_proves_nothing():
    house = House()
    other = Mounted(9, 1000 * MB, 0, 0, lazy=False)
    house.files.settles = lambda: house.files._disks.update({"/data": other})
    with pytest.raises(RemedyError, match="another file system is mounted there by now; 19 files"):
        house.act()


def test_an_error_in_the_midst_hides_nothing_of_what_went():
    few = replace(RULE, name="few", patterns=("0*.log",))
    house = House(replace(DISK, rules=(few, RULE)))
    survey = house.files.survey

    def fails(selection, *more, need=None, **keys):
        if selection.rule == "logs" and need is not None:
            raise OSError(5, "Input/output error")
        return survey(selection, *more, need=need, **keys)

    house.files.survey = fails
    with pytest.raises(RemedyError, match=r"ended by an error: .*; 10 files .* removed") as ended:
        house.act()
    assert ended.value.details["by_rule"] == [10, 100 * MB]


def test_what_is_still_set_aside_after_it_was_finished_is_told():
    house = House()
    selection = Selection(rule="logs", roots=("/data/logs",), patterns=("*.log",), older_than=DAY)
    house.files.interrupt(selection, "/data/logs/40.log")
    house.files.fill("/data", 0)
    house.files.finish = lambda *_: Finished()
    with pytest.raises(RemedyError, match="something is still set aside there"):
        house.act()


class Company(House):
    """The same under an engine."""

    def live(self, meanwhile) -> Snapshot:
        engine = Engine([self.healer], MemoryJournal(), self.clock, Run(host="b"))
        self.engine = engine

        async def scenario() -> None:
            loop = asyncio.get_running_loop()
            task = loop.create_future()

            def come() -> None:
                coming = asyncio.run_coroutine_threadsafe(meanwhile(engine), loop)
                coming.add_done_callback(
                    lambda done: loop.call_soon_threadsafe(task.set_result, done.result())
                )
                while not any(halt.asked() for _, halt in self.healer._acting.values()):
                    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result()

            self.files.comes = come
            running = asyncio.create_task(engine.run())
            self.answer = await asyncio.wait_for(task, 20.0)
            engine.stop()
            await running

        asyncio.run(scenario())
        return engine.snapshot


def test_a_pause_is_answered_once_no_file_goes_any_more():
    house = Company()
    left = []

    async def pause(engine: Engine) -> str:
        answer = await engine.ask("pause", NAME, {"for": 20 * DAY}, origin="me")
        left.append(house.files.gone)
        return answer.text

    told = house.live(pause)
    assert "in the midst" not in house.answer
    assert left == [2] == [house.files.gone]
    assert "called off: me asked for hands off: 2 files" in told.outcomes[NAME][CLEAN].outcome


def test_rules_that_spare_the_rest_spare_it_at_once():
    house = Company()

    async def amend(engine: Engine) -> list[str]:
        spares = replace(DISK, protect=("/data/logs",))
        healer = DisksHealer(spares, Path("/state"), house.files, house.clock)
        amendment = Amendment(
            told=None, interval=60.0, alerts=Alerts(), outlet=None, healers={"disks": healer}
        )
        return await engine.amend(amendment, 20.0)

    house.live(amend)
    assert house.answer == []
    assert house.files.gone == 2


def test_the_end_of_healmon_is_not_kept_waiting():
    house = Company()

    async def stop(engine: Engine) -> str:
        engine.stop()
        return "asked"

    told = house.live(stop)
    assert house.files.gone == 2
    assert "healmon stopped: 2 files" in told.outcomes[NAME][CLEAN].outcome


@pytest.mark.parametrize(
    "rules",
    [
        {"protect": ("/data/logs",)},
        {"protect": ("/data/logs/40.log",)},
        {"rules": (replace(RULE, exclude=("4?.log",)),)},
        {"rules": (replace(RULE, patterns=("*.tmp",)),)},
    ],
)
def test_what_a_killed_run_had_set_aside_goes_back_where_the_rules_spare_it_by_now(rules):
    house = House(replace(DISK, **rules))
    selection = Selection(rule="logs", roots=("/data/logs",), patterns=("*.log",), older_than=DAY)
    house.files.interrupt(selection, "/data/logs/40.log")
    house.files.fill("/data", 0)

    async def finish():
        seen = await house.healer.look()
        plan = diagnose(seen, house.disk, Snapshot(), house.clock.read()).verdicts[0].plan
        assert plan is not None
        return await house.healer.carry_out(plan, house.hand)

    proof = asyncio.run(finish())
    assert proof.text == "0 removed, 1 put back, nothing is left aside"
    assert house.files.gone == 0
