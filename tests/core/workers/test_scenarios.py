"""The acceptance scenarios of the research, by number, as far as decisions show them.

Those with a bench run in a made-up world that sees to the promises at every start, signal and
alert (`tests.helpers.witness`); the others judge made-up looks.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar
from unittest import mock

import pytest
from msgspec.structs import replace

from healmon import events as ev
from healmon.clock import ManualClock
from healmon.config.settings import HOUR, Monitor, Ready
from healmon.errors import SpawnError
from healmon.plans import describe
from healmon.workers import offers
from healmon.workers.breaker import CANNOT_RUN
from healmon.workers.diagnose import MOMENT
from healmon.workers.model import UNTOLD, UNTOLD_END, Blocker, Check, Use, Wish, WorkerSeen
from healmon.workers.records import Records
from healmon.world.processes import Ended
from healmon.world.shims import ShimEnd
from healmon.world.simulated.processes import Program
from tests.helpers.judging import Judging, gone, record, shim, stranger, up, verified, who
from tests.helpers.witness import WatchedWorld
from tests.helpers.workerbench import Bench, a_worker
from tests.helpers.workerplay import DIES_AT_ONCE, STAYS, play, starts

MIB = 1 << 20
T = TypeVar("T")
HUNG = Check(ok=False, failures=3, text="no answer on port 8080", hard=True)


def long_up(*workers, pid: int = 10) -> Judging:
    """One or more workers that have long been up and well."""
    judging = Judging(*(workers or (a_worker(),)))
    looks = [up(pid + n, age=2000.0) for n in range(len(judging.workers))]
    judging.look(*looks)
    judging.look(*looks, after=60.0)
    return judging


def test_01_a_double_fork_daemon_is_adopted_and_is_one_copy(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        second = Program(lives=0.2, end=Ended(code=0), leaves=STAYS)
        world.behave = lambda _: Program(lives=0.2, end=Ended(code=0), leaves=second)
        await bench.run(HOUR)
        assert len(world.spawned) == 1
        assert bench.facts().identity == world.alive()[0]
        assert bench.facts().state == "healthy"

    play(tmp_path, scene, forks=True)


def test_02_a_reused_pid_is_a_stranger_and_the_worker_is_gone(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        await bench.round()
        await bench.heal()
        old = bench.facts().identity
        assert old is not None
        world.end(old)
        thief = world.add(("/usr/bin/thief",), pid=old.pid)
        await bench.round()
        assert bench.facts().state == "backoff"
        await bench.run(HOUR)
        assert thief in world.alive()
        assert not world.signals
        assert bench.facts().state == "healthy"

    play(tmp_path, scene)


def test_03_one_that_survives_sigkill_gets_no_second_copy_beside_it() -> None:
    judging = long_up()
    stuck = record(
        1, outcome="failed", fault="stop", verb="restart", old=who(10), phase="stopping",
        reason="pid 10 survived SIGKILL for 5 s",
    )  # fmt: skip
    for _ in range(3):
        judging.look(up(10, 2000.0, record=stuck), after=600.0)
        assert judging.state() == "stop_failed"
        assert not judging.planned()
        assert judging.memory().failures == ()
    assert judging.open_keys() == {"task_worker/stop_failed"}
    assert "pid 10 could not be ended" in judging.message("stop_failed")
    judging.look(gone(10, Ended(signal=9), record=stuck), after=5.0)
    assert judging.state() == "backoff"
    assert judging.facts().failures == 0, "it was ended on request: no failure of its own"
    assert not judging.open_keys()


def test_03_what_is_left_of_its_tree_keeps_the_place_too() -> None:
    judging = long_up()
    stuck = record(1, outcome="failed", fault="stop", old=who(10), phase="stopping", reason="D")
    judging.look(gone(10, Ended(signal=9), record=stuck, left=(who(11),)), after=5.0)
    assert judging.state() == "stop_failed"
    assert not judging.planned()
    judging.look(gone(10, Ended(signal=9), record=stuck), after=5.0)
    assert judging.state() == "backoff"


def test_03_a_persons_stop_that_failed_is_down_once_it_is_gone() -> None:
    judging = long_up()
    stuck = record(1, outcome="failed", fault="stop", verb="stop", old=who(10), reason="D")
    wish = ev_wish("down")
    judging.look(up(10, 2000.0, record=stuck, wish=wish), after=5.0)
    assert judging.state() == "stop_failed"
    judging.look(gone(10, Ended(signal=9), record=stuck, wish=wish), after=5.0)
    assert judging.state() == "down"
    assert not judging.planned()


@pytest.mark.parametrize(("restart", "state"), [("always", "quarantined"), ("never", "completed")])
def test_04_exit_0_at_once_is_a_failed_start_or_the_work_done(
    tmp_path: Path, restart: str, state: str
) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.behave = lambda _: Program(lives=0.0, end=Ended(code=0))
        await bench.round()
        if restart == "never":
            await bench.ask("start")
        await bench.run(HOUR)
        assert bench.facts().state == state

    play(tmp_path, scene, restart=restart)


def test_05_dying_two_seconds_after_each_start_ends_in_quarantine_at_the_fifth(
    tmp_path: Path,
) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.behave = lambda _: Program(lives=2.0, end=Ended(code=1))
        await bench.run(600.0)
        assert bench.facts().state == "quarantined"
        assert len(world.spawned) == 5
        assert len(bench.opened()) == 1

    play(tmp_path, scene)


@pytest.mark.slow
def test_06_dying_every_eleven_minutes_fills_the_slow_window(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.behave = lambda _: Program(lives=660.0, end=Ended(signal=11))
        await bench.run(6 * HOUR)
        assert bench.alert("flapping") is not None
        gaps = [b - a for a, b in zip(starts(world)[9:], starts(world)[10:], strict=False)]
        assert len(world.spawned) < 6 * HOUR / 665 - 10, "it is given up for longer and longer"
        assert gaps == sorted(gaps)

    play(tmp_path, scene)


def test_07_a_pid_file_of_nobody_starts_it_once(tmp_path: Path) -> None:
    pid_file = tmp_path / "w.pid"
    pid_file.write_text("4242\n")

    async def scene(bench: Bench, world: WatchedWorld) -> None:
        await bench.run(HOUR)
        assert len(world.spawned) == 1
        assert bench.facts().state == "healthy"

    play(tmp_path, scene, pid_file=str(pid_file))


def test_08_a_pid_file_that_names_a_stranger_starts_it_and_touches_nobody(tmp_path: Path) -> None:
    pid_file = tmp_path / "w.pid"

    async def scene(bench: Bench, world: WatchedWorld) -> None:
        other = world.add(("/usr/bin/other",))
        pid_file.write_text(f"{other.pid}\n")
        await bench.run(HOUR)
        assert len(world.spawned) == 1
        assert other in world.alive()
        assert not world.signals

    play(tmp_path, scene, pid_file=str(pid_file))


def test_10_a_new_healmon_adopts_them_all_and_knows_how_each_one_ended() -> None:
    workers = [a_worker(name=f"w{n}", restart="on-failure") for n in range(3)]
    judging = long_up(*workers)
    judging.restarted()
    ends = (
        ShimEnd(identity=who(11), ended=Ended(code=3), wall=0.0),
        ShimEnd(identity=who(12), ended=Ended(code=0), wall=0.0),
    )
    judging.look(
        up(10, 2000.0),
        WorkerSeen(shim=shim(11, ends[0], alive=False, locked=False)),
        WorkerSeen(shim=shim(12, ends[1], alive=False, locked=False)),
        after=HOUR,
    )
    assert judging.states() == {"w0": "healthy", "w1": "backoff", "w2": "completed"}
    assert judging.facts("w1").last_end == "exit 3"
    assert judging.memory("w1").row == 1
    assert judging.facts("w0").restarts == 0


@pytest.mark.parametrize("trouble", [UNTOLD, UNTOLD_END])
def test_one_whose_shim_has_yet_to_tell_what_was_is_left_as_it_was(trouble: str) -> None:
    judging = long_up()
    judging.look(WorkerSeen(trouble=trouble, shim=shim(10)), after=1.0)
    assert judging.diagnosis.verdicts == ()
    assert judging.diagnosis.look_again == MOMENT
    judging.restarted()
    judging.look(WorkerSeen(trouble=trouble, shim=shim(10)), after=1.0)
    assert judging.verdict().status == "unknown", "a new run has nothing to show instead"
    judging.restarted()
    judging.look(up(10, 2000.0), after=1.0)
    told = record(2, old=who(10), launched=who(11), worker=who(11), granted=True, phase="spawned")
    judging.look(up(11, 0.5, record=told, ends=gone(10).ends), after=MOMENT)
    assert (judging.state(), judging.facts().failures) == ("probation", 1)


def test_a_start_that_was_granted_is_proved_however_late_it_is_found() -> None:
    judging = long_up()  # and then nobody looked for longer than any start takes
    told = record(2, old=who(10), launched=who(11), worker=who(11), granted=True, phase="spawned")
    told = replace(told, steady=judging.now + HOUR - 0.1)
    judging.look(up(11, HOUR - 9.0, record=told, ends=gone(10).ends), after=HOUR)
    assert (judging.state(), judging.order().number) == ("probation", 2)
    judging.look(up(11, 2 * HOUR, record=told), after=HOUR)
    assert judging.state() == "healthy", "it is tried once"


@pytest.mark.parametrize("phase", ["decided", "spawned"])
def test_11_an_act_that_was_cut_short_long_ago_keeps_no_check_from_judging(
    tmp_path: Path, phase: str
) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        mine = world.add(bench.workers[0].argv)
        cut = record(1, phase=phase, **{"old" if phase == "decided" else "launched": mine})
        Records(bench.folder).put_start("task_worker", cut)
        bench.clock.advance(HOUR)
        await bench.run(120.0)
        assert bench.facts().state == "healthy"
        assert not bench.healer._liveness._patients["task_worker"].held

    play(tmp_path, scene, liveness=Ready(tcp=1))


# 11: killed in the midst of an act, at each phase that its journal row can be in.


def ev_wish(desired: str, number: int = 1):
    return Wish(number=number, desired=desired, wall=0.0, origin="you")


def cut_short(**more: object) -> tuple[Judging, WorkerSeen]:
    judging = long_up()
    judging.restarted()
    return judging, WorkerSeen(
        record=record(1, **{"old": who(10), "steady": judging.now - 9.0, **more})
    )


@pytest.mark.parametrize("phase", ["decided", "stopping"])
def test_11_a_restart_that_had_touched_nothing_is_rolled_back_else_it_goes_on(phase: str) -> None:
    judging, seen = cut_short(phase=phase)
    seen = up(10, 2000.0, record=seen.record)
    judging.look(seen)
    if phase == "decided":
        assert judging.state() == "healthy"
        assert not judging.planned()
        return
    assert judging.state() == "stopping"
    assert judging.planned() == {"task_worker": 0.0}
    order = judging.order()
    assert (order.verb, order.number, order.identity) == ("restart", 1, who(10))
    plan = judging.plan()
    assert plan is not None
    assert "healmon ended while it was stopping pid 10: that goes on" in plan.why
    assert "stopping pid 10" in "\n".join(describe(plan))
    judging.look(seen, after=0.01)
    assert judging.planned() == {"task_worker": 5.0}, "what comes to nothing is tried again, later"


def test_11_a_stop_goes_on_and_ends_down() -> None:
    judging, seen = cut_short(phase="stopping", verb="stop", origin="you")
    wish = ev_wish("down")
    judging.look(up(10, 2000.0, record=seen.record, wish=wish))
    order = judging.order()
    assert (order.verb, order.number, order.identity) == ("stop", 1, who(10))
    plan = judging.plan()
    assert plan is not None
    assert "for you" in plan.why
    done = record(1, verb="stop", outcome="verified", old=who(10), phase="stopped")
    judging.look(gone(10, Ended(signal=15), record=done, wish=wish), after=2.0)
    assert judging.state() == "down"
    assert judging.facts().desired == "down"
    assert judging.facts().failures == 0


def test_11_a_stop_that_was_wished_for_goes_on_from_the_very_beginning() -> None:
    judging, seen = cut_short(phase="decided", verb="stop")
    judging.look(up(10, 2000.0, record=seen.record, wish=ev_wish("down")))
    assert judging.order().verb == "stop"


def test_11_a_wish_to_stop_turns_a_restart_that_goes_on_into_a_stop() -> None:
    judging, seen = cut_short(phase="stopping", verb="restart")
    judging.look(up(10, 2000.0, record=seen.record, wish=ev_wish("down")))
    assert judging.order().verb == "stop"


@pytest.mark.parametrize("phase", ["decided", "stopping", "stopped", "spawning"])
def test_11_what_was_to_be_started_is_started_at_once_and_costs_nothing(phase: str) -> None:
    judging, seen = cut_short(phase=phase)
    judging.look(gone(10, Ended(signal=15), record=seen.record))
    assert judging.state() == "backoff"
    assert judging.planned() == {"task_worker": 0.0}
    assert judging.order().number == 2
    assert judging.facts().failures == 0
    assert "healmon ended while it was starting it" in judging.facts().why


@pytest.mark.parametrize("phase", ["spawning", "spawned"])
def test_11_the_process_that_was_started_is_proved_and_never_started_twice(phase: str) -> None:
    launched = who(20) if phase == "spawned" else None
    judging, seen = cut_short(phase=phase, launched=launched)
    judging.look(up(20, 0.5, record=seen.record))
    assert judging.state() == "probation"
    order = judging.order()
    assert (order.verb, order.number, order.identity) == ("restart", 1, who(20))
    plan = judging.plan()
    assert plan is not None
    assert "before it had proved its start of pid 20: that goes on" in plan.why
    judging.look(up(20, 2.0, record=verified(1, 20, judging.now)), after=1.5)
    assert judging.state() == "healthy"
    assert judging.facts().restarts_total == 1
    assert judging.facts().proved == "V3"


def test_11_a_proof_that_never_comes_leaves_a_worker_that_is_alive_all_the_same() -> None:
    judging, seen = cut_short(phase="spawned", launched=who(20))
    judging.look(up(20, 0.5, record=seen.record))
    judging.look(up(20, 61.0, record=seen.record), after=60.5)
    assert judging.state() == "healthy"
    assert not judging.planned()


def test_11_the_process_that_was_started_and_died_meanwhile_is_one_failure() -> None:
    judging, seen = cut_short(phase="spawned", launched=who(20))
    judging.look(gone(20, Ended(code=4), record=seen.record))
    assert judging.state() == "backoff"
    assert judging.facts().failures == 1
    assert "exit 4" in judging.facts().why


def test_11_a_trial_that_was_cut_short_is_still_due() -> None:
    judging = Judging(a_worker())
    failed = record(1, outcome="failed", fault="command", reason="no such file")
    judging.look(gone())
    judging.look(gone(record=failed))
    assert judging.state() == "quarantined"
    judging.look(gone(record=record(2, trial=True, phase="stopped")), after=900.0)
    assert judging.state() == "quarantined"
    assert judging.order().trial
    assert judging.facts().slow == 1


def test_11_what_is_about_to_go_on_is_not_over_and_its_start_counts() -> None:
    judging, seen = cut_short(phase="stopping")
    judging.look(up(10, 2000.0, record=seen.record))
    plan = judging.make()
    judging.look(gone(10, Ended(signal=15), record=seen.record), after=0.01)
    assert judging.state() == "stopping"
    assert not judging.planned()
    started = judging.now + 0.01
    fell = record(
        1, steady=started, launched=who(20), outcome="failed", fault="worker", phase="spawned"
    )
    judging.end(plan)
    judging.look(gone(20, record=fell), after=1.0)
    assert started in judging.memory().starts
    assert judging.facts().failures == 1


def test_11_a_person_may_ask_for_something_else_under_a_new_number() -> None:
    judging, seen = cut_short(phase="stopping")
    judging.look(up(10, 2000.0, record=seen.record))
    plan = offers.offered("stop", judging.workers[0], judging.facts(), judging.memory())
    assert plan.order["number"] == 2


def test_11_healmon_that_was_killed_at_any_step_is_taken_up(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        for at in range(1, 4):
            await bench.run(700.0)
            old = bench.facts().identity
            steps = len(bench.steps)

            def die(_: str, limit: int = steps + at) -> None:
                if len(bench.steps) >= limit:
                    raise asyncio.CancelledError

            bench.on_step = die
            with suppress(asyncio.CancelledError):
                await bench.ask("restart")
            bench.on_step = lambda _: None
            await bench.close()
            bench.begin()
            await bench.run(60.0)
            assert len(world.copies(bench.workers[0].argv)) == 1, at
            assert bench.facts().state == "healthy", (at, old)

    play(tmp_path, scene)


def test_11_what_goes_on_and_ends_before_a_look_is_judged_counts(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        def die(text: str) -> None:
            if "SIGKILL" in text:
                raise asyncio.CancelledError

        async def slow(call: Callable[[], T], **_: bool) -> T:
            if not isinstance(call, partial):  # ends are noted, as slowly as the act goes on
                await bench.act(bench.due[name][1])
            return call()

        world.behave = lambda _: Program(ignores=frozenset({signal.SIGTERM}))
        await bench.run(700.0)
        (name,), (old,) = bench.snapshot.components, world.alive()
        bench.on_step = die
        with suppress(asyncio.CancelledError):
            await bench.ask("restart")
        bench.on_step = lambda _: None
        await bench.close()
        bench.begin()
        await bench.round()
        world.behave = lambda _: DIES_AT_ONCE
        world.end(old)
        with mock.patch.object(bench.healer._looking, "call", slow):
            await bench.round()
        assert bench.outcomes[-1].startswith("failed: exit 1 at once")
        await bench.round()
        assert bench.facts().failures == 1
        assert starts(world)[-1] in bench.memory().starts

    play(tmp_path, scene)


# 12, 13: time.


@pytest.mark.parametrize("what", ["forward", "back", "asleep"])
def test_12_13_a_clock_that_is_set_and_a_long_sleep_are_no_reason(
    tmp_path: Path, what: str
) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        await bench.run(100.0)
        clock = bench.clock
        assert isinstance(clock, ManualClock)
        {
            "forward": lambda: clock.step(3600.0),
            "back": lambda: clock.step(-3600.0),
            "asleep": lambda: clock.suspend(8 * HOUR),
        }[what]()
        await bench.run(HOUR)
        assert len(world.spawned) == 1
        assert not bench.opened()
        assert bench.facts().failures == 0

    play(tmp_path, scene)


@pytest.mark.parametrize(("step", "sleep"), [(0.0, 0.0), (1e9, 0.0), (-1e9, 0.0), (0.0, 8 * HOUR)])
def test_12_budgets_keep_their_age_over_a_boot(step: float, sleep: float) -> None:
    judging = Judging(a_worker())
    for number in range(1, 5):
        failed = record(number, outcome="failed", fault="worker", reason="exit 1")
        judging.look(gone(record=failed), after=10.0)
        judging.look(gone(record=failed))
    assert judging.facts().failures in (3, 4)
    count = judging.facts().failures
    judging.clock.step(step)
    judging.clock.suspend(sleep)
    judging.look(gone(record=failed))
    # another boot: its steady time begins near its wall clock
    wall = judging.clock.read().wall
    judging.clock = ManualClock(wall)
    judging.boot = "next boot"
    judging.restarted()
    judging.look(gone(record=failed), after=60.0)
    kept = judging.facts().failures
    assert kept == (count if step <= 0 and not sleep else 0), "as old as they are, never absurd"
    assert all(at <= judging.now for at in judging.memory().failures)
    at = judging.memory().retry_at
    assert at is None or at - judging.now <= 300.0


# 14: who else is there.


def test_14_an_orphan_of_its_own_is_ended_first_and_that_is_said() -> None:
    judging = long_up()
    orphan = Blocker(what="port 8080", identity=who(55), command="python w.py", orphan=True)
    judging.look(gone(10, blockers=(orphan,)))
    assert judging.state() == "backoff"
    assert judging.order().orphans == (who(55),)
    plan = judging.plan()
    assert plan is not None
    text = "\n".join(describe(plan))
    assert "end pid 55 (python w.py), left over from an earlier run: it holds port 8080" in text


def test_14_a_stranger_blocks_it_and_is_named_and_costs_nothing() -> None:
    judging = long_up()
    judging.look(gone(10))
    failures = judging.facts().failures
    for _ in range(5):
        judging.look(gone(10, blockers=(stranger(77),)), after=600.0)
        assert judging.state() == "blocked"
        assert not judging.planned()
    assert judging.facts().failures <= failures
    assert judging.open_keys() == {"task_worker/down"}
    assert "port 8080 is held by pid 77 (nginx: master)" in judging.message()
    judging.look(gone(10), after=10.0)
    assert judging.planned() == {"task_worker": 0.0}, "it is free: nothing more is waited for"


def test_14_an_orphan_that_cannot_be_named_is_nobody_to_be_ended() -> None:
    judging = long_up()
    judging.look(gone(10, blockers=(Blocker(what="instance lock", orphan=True),)))
    assert judging.state() == "blocked"
    assert "held by somebody who cannot be named" in judging.message()


def test_14_a_start_that_found_a_stranger_costs_nothing() -> None:
    judging = long_up()
    judging.look(gone(10))
    reason = "not started: port 8080 is held by pid 77"
    blocked = record(1, outcome="failed", fault="blocked", reason=reason)
    judging.look(gone(10, record=blocked, blockers=(stranger(77),)), after=5.0)
    assert judging.state() == "blocked"
    assert judging.facts().failures == 1, "the death alone"


def test_14_a_lock_that_nobody_can_be_shown_to_hold_is_unknown() -> None:
    judging = long_up()
    judging.look(gone(10, shim=shim(10, alive=False, locked=True)))
    assert judging.state() == "unknown"
    assert not judging.planned()
    judging.look(gone(10, shim=shim(10, alive=False, locked=False)), after=5.0)
    assert judging.state() == "backoff"


# 17, 18: alive is not well.


def test_17_one_that_hangs_is_replaced_once_and_that_is_one_failure() -> None:
    judging = long_up()
    judging.look(up(10, 2000.0, liveness=Check(ok=False, failures=2, text="no answer")))
    assert judging.state() == "healthy"
    judging.look(up(10, 2000.0, liveness=HUNG), after=10.0)
    assert judging.state() == "unhealthy"
    assert judging.verdict().status == "unhealthy"
    assert judging.planned() == {"task_worker": 5.0}
    order = judging.order()
    assert (order.verb, order.identity, order.sick) == ("restart", who(10), True)
    plan = judging.plan()
    assert plan is not None
    assert "alive but hung: 3 checks in a row failed: no answer on port 8080" in plan.why
    assert "it is replaced unless it gets well" in judging.message("unhealthy")
    assert judging.facts().failures == 0, "not before it is ended"
    new = verified(1, 20, judging.now + 5.0, old=who(10))
    judging.look(up(20, 2.0, record=new), after=7.0)
    assert judging.state() == "healthy"
    assert judging.facts().failures == 1
    assert not judging.open_keys()


def test_17_one_that_gets_well_before_the_act_is_left_alone() -> None:
    judging = long_up()
    judging.look(up(10, 2000.0, liveness=HUNG))
    judging.make()
    judging.look(up(10, 2000.0, liveness=Check(ok=True, text="answers")), after=1.0)
    assert judging.diagnosis.hold == ("task_worker",), "the plan that waits is called off"
    assert judging.state() == "healthy"
    assert judging.facts().failures == 0
    assert not judging.open_keys()


def test_17_one_that_hangs_again_and_again_is_given_up_for_a_while() -> None:
    judging = long_up(a_worker(critical=True))
    pid = 10
    for number in range(1, 5):
        judging.look(up(pid, 100.0, liveness=HUNG, record=seen_of(number - 1, pid, judging)))
        assert judging.state() == "unhealthy", number
        judging.clock.advance(judging.planned()["task_worker"] + 1.0)
        pid += 10
        judging.look(up(pid, 1.0, record=verified(number, pid, judging.now - 1.0)))
        assert judging.facts().failures == number
    judging.look(up(pid, 30.0, liveness=HUNG, record=seen_of(4, pid, judging)), after=30.0)
    assert judging.state() == "unhealthy"
    assert not judging.planned(), "the fifth opens the breaker"
    assert judging.facts().next_at == round(judging.clock.read().wall + 900.0)
    judging.look(up(pid, 930.0, liveness=HUNG, record=seen_of(4, pid, judging)), after=900.0)
    assert judging.order().trial, "after the cool-down there is one trial"


def seen_of(number: int, pid: int, judging: Judging):
    return verified(number, pid, judging.now - 100.0) if number else None


def test_17_one_that_a_person_wants_down_is_never_replaced() -> None:
    judging = long_up()
    judging.look(up(10, 2000.0, liveness=HUNG, wish=ev_wish("down")))
    assert judging.state() == "unhealthy"
    assert not judging.planned()
    assert "left alone" in judging.message("unhealthy")


def test_18_growth_is_told_before_the_limit_and_above_it_it_is_replaced() -> None:
    judging = long_up(a_worker(memory_limit=500 * MIB))
    growing = Use(processes=3, rss=400 * MIB, slope=50.0 * MIB)
    judging.look(up(10, 2000.0, use=growing))
    assert judging.open_keys() == {"task_worker/memory_growth"}
    assert "its limit of 524.3 MB is reached at about" in judging.message("memory_growth")
    judging.look(up(10, 2000.0, use=Use(rss=510 * MIB, over=1, slope=50.0 * MIB)), after=60.0)
    assert judging.state() == "healthy"
    assert judging.open_keys() == {"task_worker/memory"}
    judging.look(up(10, 2000.0, use=Use(rss=520 * MIB, over=3, slope=50.0 * MIB)), after=60.0)
    assert judging.state() == "unhealthy"
    assert judging.open_keys() == {"task_worker/memory"}, "one alert for one cause"
    assert "it is replaced unless it gets well" in judging.message("memory")
    assert judging.order().sick
    judging.look(up(10, 2000.0, use=Use(rss=100 * MIB)), after=60.0)
    assert judging.state() == "healthy"
    assert not judging.open_keys()


@pytest.mark.parametrize("slope", [None, 0.0, -5.0 * MIB, 1.0 * MIB])
def test_18_what_does_not_reach_its_limit_within_a_day_is_no_news(slope: float | None) -> None:
    judging = long_up(a_worker(memory_limit=500 * MIB))
    judging.look(up(10, 2000.0, use=Use(rss=400 * MIB, slope=slope)))
    assert not judging.open_keys()


# 19, 20, 21: causes.


def test_19_out_of_memory_is_the_cause_with_what_it_held() -> None:
    judging = long_up()
    end = ShimEnd(
        identity=who(10), ended=Ended(signal=signal.SIGKILL), wall=0.0, oom=True, max_rss=2 << 30
    )
    judging.look(WorkerSeen(shim=shim(10, end, alive=False, locked=False), output="a\nlast one"))
    cause = judging.facts().cause
    assert cause.startswith("killed by SIGKILL: out of memory (it held 2.1 GB)")
    assert "its last words: last one" in cause
    judging.look(WorkerSeen(shim=shim(10, end, alive=False, locked=False)), after=200.0)
    assert "out of memory (it held 2.1 GB)" in judging.message()
    alert = judging.alert()
    assert alert is not None
    assert "out of memory" in alert.evidence["cause"]


def test_19_oom_somewhere_on_the_host_is_not_the_cause_of_a_plain_exit() -> None:
    judging = long_up()
    end = ShimEnd(identity=who(10), ended=Ended(code=1), wall=0.0, max_rss=60_000_000)
    judging.look(WorkerSeen(shim=shim(10, end, alive=False, locked=False)))
    assert judging.facts().cause == "exit 1; it held 60.0 MB at most"
    judging = long_up()
    end = replace(end, oom=True)
    judging.look(WorkerSeen(shim=shim(10, end, alive=False, locked=False)))
    assert "out of memory" not in judging.facts().cause


def test_20_what_changed_since_it_was_healthy_is_in_the_cause() -> None:
    before = a_worker(env={"APP_ENV": "prod", "PORT": "1"}, memory_limit=None)
    judging = long_up(before)
    judging.configure(a_worker(env={"APP_ENV": "test", "PORT": "1"}, argv=(*before.argv, "--new")))
    judging.look(gone(10, changed="workers/x.py changed 3 min after it was started"))
    cause = judging.facts().cause
    assert "changed since it was healthy: args, env.APP_ENV" in cause
    assert "workers/x.py changed 3 min after it was started" in cause


@pytest.mark.parametrize("code", [*CANNOT_RUN, 78])
def test_20_a_code_that_no_restart_mends_is_quarantine_at_once(code: int) -> None:
    judging = long_up()
    judging.look(gone(10, Ended(code=code)))
    assert judging.state() == "quarantined"
    assert f"exit {code}" in judging.message()
    assert judging.alert().severity == "CRITICAL"


@pytest.mark.parametrize("code", [*CANNOT_RUN, 78])
def test_20_so_is_such_a_code_right_after_the_start(code: int) -> None:
    judging = Judging(a_worker())
    failed = record(1, outcome="failed", fault="worker", launched=who(20), reason="at once")
    judging.look(WorkerSeen())
    judging.look(gone(20, Ended(code=code), record=failed), after=6.0)
    assert judging.state() == "quarantined"


def test_21_a_host_that_cannot_fork_costs_no_budget(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        refusals = [SpawnError(f"cannot run x: {why}", host_fault=True)
                    for why in ("EAGAIN", "EMFILE", "ENOSPC")]  # fmt: skip
        tried: list[float] = []

        def behave(_) -> Program:
            tried.append(bench.clock.read().steady)
            return Program(refuses=refusals[len(tried) % 3])

        world.behave = behave
        await bench.run(2 * HOUR)
        assert len(tried) > 10
        assert bench.facts().state == "backoff"
        assert bench.facts().failures == bench.facts().slow == 0
        world.behave = lambda _: STAYS
        await bench.run(400.0)
        assert bench.facts().state == "healthy"

    play(tmp_path, scene)


# 22, 23, 24: what is wanted.


@pytest.mark.parametrize(
    "waiting", ["backoff", "quarantined", "waiting_dependency", "blocked", "completed"]
)
def test_22_a_persons_stop_wins_in_every_wait_within_one_look(waiting: str) -> None:
    other = a_worker(name="other", argv=("/bin/other",))
    mine = a_worker(after=("other",), restart="on-failure")
    judging = Judging(mine, other)
    well = up(5, 2000.0)
    ending = {
        "backoff": (gone(10), well),
        "quarantined": (gone(10, Ended(code=127)), well),
        "waiting_dependency": (gone(10), WorkerSeen()),
        "blocked": (gone(10, blockers=(stranger(),)), well),
        "completed": (gone(10, Ended(code=0)), well),
    }[waiting]
    judging.look(up(10, 2000.0), well)
    judging.look(*ending, after=1.0)
    assert judging.state() == waiting
    first, second = ending
    for _ in range(3):
        judging.look(replace(first, wish=ev_wish("down")), second, after=1000.0)
        assert judging.state() == "down"
        assert "task_worker" not in judging.planned()
        assert not [key for key in judging.open_keys() if key.startswith("task_worker")]
    judging.look(replace(first, wish=ev_wish("up", 2)), second, after=1.0)
    assert judging.state() == waiting


def test_23_in_maintenance_nothing_is_done_and_all_of_it_is_told(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        await bench.run(700.0)
        identity = bench.facts().identity
        assert identity is not None
        until = bench.clock.read().wall + HOUR
        bench.emit(ev.MaintenanceStarted("task_worker", until, "me"))
        world.end(identity)
        await bench.run(HOUR - 60)
        assert len(world.spawned) == 1
        assert bench.facts().state == "backoff"
        assert bench.facts().desired == "maintenance"
        assert bench.facts().failures == 0, "no budget is used in maintenance"
        refused = [e for e in bench.events if isinstance(e, ev.PlanRefused)]
        assert [e.plan.action for e in refused] == ["restart_worker"], "what would have been done"
        await bench.run(180)
        assert len(world.spawned) == 2, "when it is over it is looked after again"
        assert bench.facts().state == "healthy"

    play(tmp_path, scene)


def test_24_a_dependency_that_is_down_for_long_at_boot_costs_nothing(tmp_path: Path) -> None:
    first = a_worker(name="first", argv=("/bin/first",), script="", max_failures=99)
    second = a_worker(name="second", argv=("/bin/second",), script="", after=("first",))

    async def scene(bench: Bench, world: WatchedWorld) -> None:
        broken = Program(refuses=SpawnError("no disk", host_fault=True))
        world.behave = lambda launch: broken if launch.argv == first.argv else STAYS
        await bench.run(1800.0)
        assert bench.facts("second").state == "waiting_dependency"
        assert bench.facts("second").why == "waits for first"
        assert bench.facts("second").failures == 0
        assert "waits for first" in bench.alert("down", "second").message
        world.behave = lambda _: STAYS
        await bench.run(700.0)
        assert bench.facts("second").state == "healthy"
        assert bench.alert("down", "second") is None
        assert [launch.argv for _, _, launch in world.spawned] == [first.argv, second.argv]

    play(tmp_path, scene, second, first)


def test_24_a_dependency_on_trial_or_hung_is_not_healthy() -> None:
    first = a_worker(name="first", argv=("/bin/first",))
    second = a_worker(name="second", argv=("/bin/second",), after=("first",))
    judging = Judging(second, first)
    judging.look(gone(), up(10, 2000.0, liveness=HUNG))
    assert judging.states() == {"second": "waiting_dependency", "first": "unhealthy"}
    judging.look(gone(), up(10, 2000.0), after=1.0)
    assert judging.states() == {"second": "backoff", "first": "healthy"}


def test_24_the_trial_of_a_quarantine_waits_for_its_dependency() -> None:
    first = a_worker(name="first", argv=("/bin/first",))
    second = a_worker(name="second", argv=("/bin/second",), after=("first",))
    judging = Judging(second, first)
    judging.look(up(10, 2000.0), up(11, 2000.0))
    judging.look(gone(10, Ended(code=127)), gone(11), after=1.0)
    assert judging.states()["second"] == "quarantined"
    judging.look(gone(), gone(), after=901.0)
    assert "second" not in judging.planned(), "the one trial is not wasted"
    assert "its trial waits for first" in judging.message("down", "second")
    judging.look(gone(), up(12, 2000.0), after=60.0)
    assert judging.planned() == {"second": 0.0}


def test_24_a_stop_says_who_builds_on_it_and_the_order_to_stop_all() -> None:
    base = a_worker(name="base")
    api = a_worker(name="api", after=("base",))
    web = a_worker(name="web", after=("api",))
    judging = Judging(base, api, web)
    judging.look(up(1, 2000.0), up(2, 2000.0), up(3, 2000.0))
    plan = offers.offered(
        "stop", base, judging.facts("base"), judging.memory("base"), judging.workers
    )
    assert "web, api build on it and will go on without it" in plan.why
    assert "to stop all in order: web, api, base" in plan.why
    assert len(plan.steps) == 1, "the others are not stopped"
    alone = offers.offered(
        "stop", web, judging.facts("web"), judging.memory("web"), judging.workers
    )
    assert "build" not in alone.why


def test_the_budget_of_the_host_spreads_a_crowd_and_says_so(tmp_path: Path) -> None:
    crowd = [a_worker(name=f"w{n}", argv=(f"/bin/w{n}",), script="") for n in range(8)]

    async def scene(bench: Bench, world: WatchedWorld) -> None:
        await bench.round()
        assert "it waits for its turn" in bench.facts("w7").why
        await bench.run(180.0)
        times = starts(world)
        assert len(times) == 8
        assert all(b - a >= 2.0 - 1e-6 for a, b in itertools.pairwise(times))
        assert all(b - a >= 60.0 - 1e-6 for a, b in zip(times, times[6:], strict=False))

    play(tmp_path, scene, *crowd)


def test_one_whose_act_has_begun_stands_in_the_line_no_more() -> None:
    first, second = (a_worker(name=n, argv=(f"/bin/{n}",), restart_delay=0.0) for n in "ab")
    judging = Judging(first, second, limits=Monitor(name="here", storm_failures=0))
    judging.look(up(10, 2000.0), up(11, 2000.0))
    judging.look(gone(10), up(11, 2000.0), after=1.0)
    assert judging.planned() == {"a": 0.0}
    judging.make("a")
    judging.look(gone(10), gone(11))
    assert judging.planned() == {"b": 2.0}, "after the one that begins now, and no later"
    assert not judging.diagnosis.hold


def test_the_values_of_the_policy_stand_beside_the_worker(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.behave = lambda _: DIES_AT_ONCE
        await bench.run(30.0)
        facts = bench.facts()
        assert (facts.failures, facts.max_failures, facts.failure_window) == (3, 5, 600.0)
        assert (facts.slow, facts.max_slow, facts.slow_window) == (3, 10, 21600.0)
        assert facts.delay == 40.0
        assert (facts.level, facts.trials, facts.max_trials) == (0, 0, 6)
        assert facts.next_at is not None
        assert facts.desired == "up"
        assert "exit 1 at once" in facts.cause

    play(tmp_path, scene)
