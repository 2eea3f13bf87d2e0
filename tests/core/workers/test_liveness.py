"""Counting what liveness checks say, on made-up time; and who is not judged at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.clock import ManualClock
from healmon.config.settings import Ready, Worker
from healmon.workers.checks.model import Outcome
from healmon.workers.liveness import Liveness, counted
from healmon.workers.model import Check
from healmon.world.processes import Identity
from healmon.world.simulated.processes import SimulatedProcesses
from tests.helpers.workerbench import a_worker

GOOD, BAD, DUNNO = Outcome(True, "good"), Outcome(False, "bad"), Outcome(None, "dunno")


class Ward:
    """One worker, its liveness, and a check that answers as it is told."""

    def __init__(self, **more: object) -> None:
        self.clock = ManualClock(autojump=False)
        self.world = SimulatedProcesses(self.clock)
        self.worker: Worker = a_worker(**more)
        self.who = self.world.add(self.worker.argv)
        self.answer = GOOD
        self.made: list[tuple[Identity, float]] = []
        self.checks = 0
        self.wakes = 0
        self.gate: asyncio.Event | None = None
        self.liveness = Liveness((self.worker,), self.world, self.clock, self._make)

    def _make(self, worker: Worker, identity: Identity, born: float) -> Callable[[], Awaitable]:
        self.made.append((identity, born))

        async def check() -> Outcome:
            self.checks += 1
            answer = self.answer
            if self.gate is not None:
                await self.gate.wait()
            return answer

        return check

    def wake(self) -> None:
        self.wakes += 1

    def look(self, *, held: bool = False) -> Check | None:
        """Let a look at the worker be taken in."""
        facts = self.world.inspect(self.who)
        name = self.worker.name
        self.liveness.seen({name: facts}, frozenset({name} if held else ()))
        return self.liveness.told(name)

    @property
    def told(self) -> Check | None:
        return self.liveness.told(self.worker.name)

    async def run(self, seconds: float, step: float = 0.5) -> None:
        """Let time pass, and everybody who waits for it do what they do."""
        for _ in range(round(seconds / step)):
            self.clock.advance(step)
            for _ in range(12):
                await asyncio.sleep(0)


def play(ward: Ward, scene: Callable[[], Awaitable[None]]) -> None:
    async def all_of_it() -> None:
        ward.liveness.start(ward.wake)
        try:
            async with asyncio.timeout(60):
                await scene()
        finally:
            await ward.liveness.close()

    asyncio.run(all_of_it())


def a_ward(**more: object) -> Ward:
    return Ward(liveness=Ready(tcp=1, every=5.0, failures=3), **more)


# Counting.


def test_failures_in_a_row_are_hard_and_one_success_ends_them() -> None:
    check = Check()
    for number in (1, 2, 3, 4):
        check = counted(check, BAD, 3)
        assert (check.ok, check.failures, check.hard) == (False, number, number >= 3)
    assert counted(check, GOOD, 3) == Check(ok=True, text="good")


@given(st.lists(st.sampled_from([GOOD, BAD, DUNNO])), st.integers(1, 5))
def test_only_an_unbroken_row_is_hard_and_what_cannot_be_told_counts_neither_way(
    outcomes: list[Outcome], limit: int
) -> None:
    check, row = Check(), 0
    for outcome in outcomes:
        check = counted(check, outcome, limit)
        row = 0 if outcome is GOOD else row + (outcome is BAD)
        assert (check.failures, check.hard) == (row, row >= limit)


def test_a_grace_forgives_a_failure_and_keeps_the_row() -> None:
    check = counted(counted(Check(), BAD, 3), BAD, 3, grace=True)
    assert (check.failures, check.text) == (1, "bad")
    assert counted(check, GOOD, 3, grace=True).failures == 0


# The rounds.


def test_17_so_many_failures_wake_the_engine_once_and_a_recovery_once_more() -> None:
    ward = a_ward()

    async def scene() -> None:
        ward.look()
        ward.answer = BAD
        await ward.run(11)
        assert ward.told is not None
        assert (ward.told.failures, ward.told.hard, ward.wakes) == (2, False, 0)
        await ward.run(30)
        assert ward.told.hard
        assert ward.told.text == "bad"
        assert ward.wakes == 1
        ward.answer = GOOD
        await ward.run(6)
        assert ward.told == Check(ok=True, text="good")
        assert ward.wakes == 2

    play(ward, scene)


def test_it_is_checked_every_so_often_from_its_first_look_on() -> None:
    ward = a_ward()

    async def scene() -> None:
        await ward.run(60)
        assert (ward.checks, ward.told) == (0, Check())
        ward.look()
        await ward.run(60)
        assert 11 <= ward.checks <= 13
        assert len(ward.made) == 1, "one check that remembers what it has read"

    play(ward, scene)


def test_an_act_is_never_disturbed_and_what_came_late_is_dropped() -> None:
    ward = a_ward()

    async def scene() -> None:
        ward.look()
        ward.answer, ward.gate = BAD, asyncio.Event()
        await ward.run(6)
        assert ward.checks == 1
        assert ward.liveness.hold(ward.worker.name) is None
        ward.gate.set()
        await ward.run(30)
        assert ward.checks == 1, "no check while it is acted on"
        assert ward.told == Check()
        ward.look(held=True)
        await ward.run(30)
        assert ward.checks == 1, "nor before its start is proved"
        ward.look()
        await ward.run(6)
        assert ward.told is not None
        assert ward.told.failures == 1, "the row begins anew"

    play(ward, scene)


def test_another_process_begins_with_a_clean_sheet() -> None:
    ward = a_ward()

    async def scene() -> None:
        ward.look()
        ward.answer = BAD
        await ward.run(30)
        ward.world.end(ward.who)
        ward.who = ward.world.add(ward.worker.argv)
        assert ward.look() == Check()
        assert ward.made[-1][0] != ward.who
        await ward.run(6)
        assert ward.made[-1][0] == ward.who

    play(ward, scene)


@pytest.mark.parametrize("jump", ["suspend", "step", "back"])
def test_13_after_a_gap_one_failure_is_forgiven(jump: str) -> None:
    ward = a_ward()

    async def scene() -> None:
        ward.look()
        ward.answer = BAD
        await ward.run(11)
        assert ward.told is not None
        before = ward.told.failures
        if jump == "suspend":
            ward.clock.suspend(8 * 3600)
        else:
            ward.clock.step(3600 if jump == "step" else -3600)
        await ward.run(5.5)
        assert ward.told.failures == before, "one grace round"
        assert ward.wakes == 0
        await ward.run(5.5)
        assert ward.told.failures == before + 1

    play(ward, scene)


# Standing still.


def test_17_one_that_stands_still_is_hard_after_three_pulses_without_any_check() -> None:
    ward = Ward()

    async def scene() -> None:
        assert ward.look() is None
        await ward.run(35)
        assert ward.told is None
        ward.world.halt(ward.who)
        await ward.run(31)
        assert ward.told is not None
        assert (ward.told.failures, ward.told.hard) == (1, False)
        assert "stands still (state T)" in ward.told.text
        await ward.run(20)
        assert ward.told.hard
        assert ward.wakes == 1
        ward.world.halt(ward.who, "S")
        await ward.run(11)
        assert ward.told is None
        assert ward.wakes == 2, "that it is over is news, too"

    play(ward, scene)


def test_17_looks_count_standing_still_as_well_but_a_burst_of_them_is_one() -> None:
    ward = Ward()
    ward.look()
    ward.world.halt(ward.who)
    for _ in range(5):
        check = ward.look()
        assert check is not None
        assert check.failures == 1
        ward.clock.advance(1)
    for expected in (2, 3):
        ward.clock.advance(60)
        check = ward.look()
        assert check is not None
        assert (check.failures, check.hard) == (expected, expected == 3)


def test_one_that_stands_still_fails_whatever_its_check_says() -> None:
    ward = a_ward()

    async def scene() -> None:
        ward.look()
        await ward.run(11)
        ward.world.halt(ward.who)
        ward.look()
        checks = ward.checks
        await ward.run(30)
        assert ward.told is not None
        assert ward.told.hard
        assert ward.checks == checks, "a backlog may still answer: not asked"

    play(ward, scene)


def test_who_is_held_by_a_debugger_is_not_judged() -> None:
    ward = a_ward()

    async def scene() -> None:
        ward.look()
        ward.answer = BAD
        ward.world.halt(ward.who, "t")
        ward.look()
        checks = ward.checks
        await ward.run(120)
        assert ward.told is not None
        assert (ward.told.failures, ward.told.ok, ward.told.hard) == (0, None, False)
        assert "held by a debugger" in ward.told.text
        assert ward.checks == checks
        ward.world.halt(ward.who, "S")
        ward.look()
        await ward.run(6)
        assert ward.told.failures == 1

    play(ward, scene)


def test_23_who_is_stopped_in_maintenance_is_not_judged() -> None:
    ward = a_ward()

    async def scene() -> None:
        ward.look()
        ward.liveness.maintain(frozenset({ward.worker.name}))
        ward.world.halt(ward.who)
        ward.answer = BAD
        ward.look()
        await ward.run(120)
        assert ward.told is not None
        assert (ward.told.failures, ward.told.hard) == (0, False)
        assert "in maintenance" in ward.told.text
        ward.liveness.maintain(frozenset())
        ward.look()
        await ward.run(21)
        assert ward.told.hard, "it is judged once maintenance is over"

    play(ward, scene)


def test_maintenance_stops_no_check_of_one_that_runs() -> None:
    ward = a_ward()

    async def scene() -> None:
        ward.look()
        ward.liveness.maintain(frozenset({ward.worker.name}))
        ward.answer = BAD
        await ward.run(21)
        assert ward.told is not None
        assert ward.told.hard

    play(ward, scene)


# Fresh life.


def test_fresh_life_is_seen_right_before_the_act() -> None:
    ward = a_ward()

    async def scene() -> None:
        ward.look()
        ward.answer = BAD
        await ward.run(21)
        ailing = ward.liveness.hold(ward.worker.name)
        assert ailing is not None
        assert await ward.liveness.fresh_life(ward.worker, ailing) == ""
        ward.answer = GOOD
        assert await ward.liveness.fresh_life(ward.worker, ailing) == "it works again: good"

    play(ward, scene)


def test_a_pulse_comes_each_minute_and_none_where_a_look_does() -> None:
    ward, pulses = Ward(), 0
    states = ward.world.states

    def counted_states(who: Iterable[Identity]) -> dict[Identity, str]:
        nonlocal pulses
        pulses += 1
        return states(who)

    ward.world.states = counted_states  # type: ignore[method-assign]

    async def scene() -> None:
        for _ in range(5):
            ward.look()
            await ward.run(60)
        assert not pulses
        ward.look()
        await ward.run(300)
        assert pulses == 4

    play(ward, scene)


def test_fresh_life_of_one_that_stood_still_is_that_it_runs() -> None:
    ward = Ward()

    async def scene() -> None:
        ward.look()
        ward.world.halt(ward.who)
        await ward.run(81)
        ailing = ward.liveness.hold(ward.worker.name)
        assert ailing is not None
        assert await ward.liveness.fresh_life(ward.worker, ailing) == ""
        ward.world.halt(ward.who, "t")
        assert "debugger" in await ward.liveness.fresh_life(ward.worker, ailing)
        ward.world.halt(ward.who, "S")
        assert "runs again" in await ward.liveness.fresh_life(ward.worker, ailing)

    play(ward, scene)


def test_what_cannot_be_seen_between_looks_counts_for_nothing() -> None:
    ward = Ward()

    async def scene() -> None:
        ward.look()

        ward.world.states = lambda _: {}  # type: ignore[method-assign]
        await ward.run(60)
        assert ward.told is None
        assert ward.wakes == 0

    play(ward, scene)
