"""Whole stories of a worker in a simulated world: hours in milliseconds."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from pathlib import Path
from typing import NoReturn

import pytest

from healmon import events as ev
from healmon.clock import ManualClock
from healmon.errors import DataError, ProbeError, SpawnError
from healmon.world.processes import Ended, Launch
from healmon.world.simulated.processes import Program
from tests.helpers.examples import first_fast
from tests.helpers.witness import WatchedWorld
from tests.helpers.workerbench import ARGV, SCRIPT, Bench, a_worker
from tests.helpers.workerplay import DIES_AT_ONCE, HOUR, STAYS, play, starts


async def killed_once(bench: Bench, world: WatchedWorld) -> float:
    """Let the worker come up, be stable, and be killed; return the moment."""
    await bench.round()
    await bench.heal()
    await bench.run(700)
    identity = bench.facts().identity
    assert identity is not None
    world.end(identity, Ended(signal=signal.SIGKILL))
    await bench.round()
    return bench.clock.read().steady


# One crash.


def test_a_crash_is_waited_on_restarted_proved_and_noted(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        died = await killed_once(bench, world)
        assert bench.facts().state == "backoff"
        assert bench.status() == "unhealthy"
        assert bench.facts().last_end == "killed by SIGKILL"
        assert bench.facts().next_at == round(died + 5.0)
        assert not bench.opened(), "the first ordinary restart is no alert"
        noted = len(bench.noted())
        outcome = await bench.heal()
        assert outcome.startswith("proved: pid")
        assert "(alive only: no readiness check is configured)" in outcome
        assert starts(world)[-1] == pytest.approx(died + 5.0, abs=0.01)
        assert bench.facts().state == "healthy"
        assert bench.status() == "healthy"
        assert len(bench.noted()) == noted + 1
        assert not bench.opened()
        assert (bench.facts().restarts, bench.facts().restarts_total) == (2, 2)

    play(tmp_path, scene)


def test_what_is_done_is_announced_before(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        await bench.round()
        await bench.heal()
        assert [step.split(":")[0] for step in bench.steps] == ["start task_worker"]

    play(tmp_path, scene)


def test_a_worker_that_runs_is_adopted_and_nothing_is_started(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        identity = world.add(("python3.11", "-u", str(tmp_path / "task_worker.py"), "--daemon"))
        await bench.run(2 * HOUR)
        assert bench.facts().identity == identity
        assert bench.facts().how == "command line"
        assert not world.spawned
        assert not bench.opened()

    play(tmp_path, scene)


def test_an_adopted_worker_is_restarted_too(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        identity = world.add(bench.workers[0].argv)
        await bench.round()
        world.end(identity)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert bench.wakes == 1, "its end woke the healer"
        await bench.round()
        assert bench.facts().last_end == "ended, code unknown"
        await bench.heal()
        assert bench.facts().state == "healthy"
        assert len(world.spawned) == 1

    play(tmp_path, scene)


def test_the_backoff_doubles_and_the_breaker_opens(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.behave = lambda _: DIES_AT_ONCE
        await bench.run(300)
        times = starts(world)
        gaps = [b - a for a, b in itertools.pairwise(times)]
        # each gap: the second that an attempt takes to fail, and the delay from then on
        assert gaps == [pytest.approx(d + 1.0, abs=0.1) for d in (5, 10, 20)]
        assert bench.facts().state == "quarantined"
        assert (bench.facts().failures, bench.facts().max_failures) == (4, 5)
        assert bench.status() == "critical"
        alert = bench.alert()
        assert alert is not None
        assert alert.severity == "CRITICAL"
        assert "exit 1 at once" in alert.message
        assert "next trial at" in alert.message
        assert not bench.due, "no plan before the cool-down is over"

    play(tmp_path, scene)


@pytest.mark.slow
@pytest.mark.parametrize("jitter", first_fast(0.2, 0.0))
@pytest.mark.parametrize("critical", [True, False])
def test_six_hours_of_dying_at_once_are_one_alert_and_few_starts(
    tmp_path: Path, jitter: float, critical: bool
) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.behave = lambda _: DIES_AT_ONCE
        await bench.run(6 * HOUR)
        assert len(world.spawned) <= 8
        assert [e.level for e in bench.opened()] == ["WARNING"]
        assert not [e for e in bench.events if isinstance(e, ev.AlertResolved)]
        assert not bench.noted()
        alert = bench.alert()
        assert alert is not None
        assert alert.severity == "CRITICAL"

    play(tmp_path, scene, jitter=jitter, critical=critical)


@pytest.mark.slow
def test_dying_two_seconds_after_each_start_is_one_alert_too(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.behave = lambda _: Program(lives=2.0, end=Ended(code=1))
        await bench.run(6 * HOUR)
        assert len(world.spawned) <= 9
        assert len(bench.opened()) == 1
        assert not [e for e in bench.events if isinstance(e, ev.AlertResolved)]

    play(tmp_path, scene)


@pytest.mark.slow
def test_dying_every_eleven_minutes_is_told_as_flapping(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.behave = lambda _: Program(lives=660.0, end=Ended(signal=11))
        await bench.run(105 * 60)
        assert bench.facts().slow == 9
        assert not bench.opened(), "each fall alone is an ordinary restart"
        count = len(world.spawned)
        await bench.run(HOUR)
        assert bench.alert("flapping") is not None
        assert "10 times in 6h" in bench.alert("flapping").message
        opened = [e.key.rpartition("/")[2] for e in bench.opened()]
        assert opened[:2] == ["down", "flapping"]
        assert opened.count("flapping") == 1, "one alert, however often it falls"
        assert len(world.spawned) <= count + 3, "the slow window opened the breaker"
        world.behave = lambda _: STAYS
        await bench.run(9 * HOUR)
        assert bench.alert("flapping") is None
        assert bench.memory().level == 0

    play(tmp_path, scene)


def test_a_trial_that_is_stable_closes_the_breaker_and_the_alert(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.behave = lambda _: DIES_AT_ONCE
        await bench.run(300)
        count = len(world.spawned)
        world.behave = lambda _: STAYS
        await bench.run(500)
        assert len(world.spawned) == count, "no start before the cool-down is over"
        await bench.run(500)
        assert len(world.spawned) == count + 1, "exactly one trial"
        assert bench.facts().state == "trial"
        assert bench.status() == "warning"
        alert = bench.alert()
        assert alert is not None
        assert alert.severity == "CRITICAL"
        assert "on trial" in alert.message
        await bench.run(700)
        assert bench.status() == "healthy"
        assert bench.alert() is None
        assert bench.memory().row == 0

    play(tmp_path, scene)


@pytest.mark.slow
def test_a_failed_trial_doubles_the_cool_down_up_to_six_hours(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.behave = lambda _: DIES_AT_ONCE
        await bench.run(72 * HOUR)
        times = starts(world)[4:]
        gaps = [b - a for a, b in itertools.pairwise(times)]
        expected = [1800, 3600, 7200, 14400, 21600, 21600, 21600]
        assert gaps[:7] == [pytest.approx(seconds + 1, abs=3) for seconds in expected]

    play(tmp_path, scene, critical=True)


@pytest.mark.slow
def test_after_its_last_trial_a_worker_waits_for_a_person(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.behave = lambda _: DIES_AT_ONCE
        await bench.run(72 * HOUR)
        assert len(world.spawned) == 4 + 6, "the budget, and six trials"
        assert bench.facts().state == "quarantined"
        assert (bench.facts().trials, bench.facts().max_trials) == (6, 6)
        assert bench.facts().next_at is None
        assert not bench.due
        alert = bench.alert()
        assert alert is not None
        assert "6 trials failed, there are no more: healmon release task_worker" in alert.message
        world.behave = lambda _: STAYS
        await bench.ask("release")
        assert bench.facts().state == "healthy"
        assert bench.facts().trials == 0

    play(tmp_path, scene)


def test_the_alert_rises_with_the_failures_of_a_critical_worker(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.behave = lambda _: DIES_AT_ONCE
        await bench.round()
        assert bench.alert() is None
        levels = []
        for _ in range(3):
            await bench.heal()
            alert = bench.alert()
            levels.append(alert and alert.severity)
        assert levels == ["WARNING", "CRITICAL", "CRITICAL"]

    play(tmp_path, scene, critical=True)


def test_a_critical_worker_that_nobody_starts_is_critical_after_two_minutes(
    tmp_path: Path,
) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        await bench.round()
        bench.clock.advance(119)
        await bench.round()
        assert bench.alert() is None
        bench.clock.advance(2)
        await bench.round()
        alert = bench.alert()
        assert alert is not None
        assert alert.severity == "CRITICAL"

    play(tmp_path, scene, critical=True, restart_delay=1000.0)


def test_a_dry_run_tells_at_once_that_nobody_will_start_it(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        await bench.close()
        bench.begin(dry_run=True)
        await bench.round()
        alert = bench.alert()
        assert alert is not None
        assert alert.severity == "CRITICAL"
        assert "not started (dry run)" in alert.message
        refused = [e for e in bench.events if isinstance(e, ev.PlanRefused)]
        assert [e.reason for e in refused] == ["dry run"], "the plan is made all the same, and told"

    play(tmp_path, scene, critical=True)


def test_maintenance_that_is_over_holds_nothing(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        bench.emit(ev.MaintenanceStarted("*", bench.clock.read().wall + 100, "me"))
        await bench.round()
        alert = bench.alert()
        assert alert is not None
        assert alert.severity == "WARNING"
        bench.clock.advance(101)
        await bench.round()
        assert bench.alert() is None

    play(tmp_path, scene)


# What cannot be mended by trying.


def test_a_missing_script_is_quarantined_at_once_with_the_reason(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        await bench.round()
        (tmp_path / "task_worker.py").unlink()
        outcome = await bench.heal()
        assert outcome.startswith("failed: there is no script")
        assert not world.spawned
        assert bench.facts().state == "quarantined"
        alert = bench.alert()
        assert alert is not None
        assert alert.severity == "CRITICAL"
        assert f"there is no script {tmp_path}/task_worker.py" in alert.message

    play(tmp_path, scene)


def test_a_program_that_cannot_be_run_is_quarantined_at_once(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.behave = lambda _: Program(refuses=SpawnError("cannot run x: it is not executable"))
        await bench.round()
        await bench.heal()
        assert bench.facts().state == "quarantined"
        assert "not executable" in bench.facts().why

    play(tmp_path, scene)


def test_a_host_that_lacks_something_costs_no_budget(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        error = SpawnError("cannot run x: out of processes", host_fault=True)
        attempts: list[Launch] = []

        def behave(order: Launch) -> Program:
            attempts.append(order)
            return Program(refuses=error)

        world.behave = behave
        await bench.run(HOUR)
        assert bench.facts().state == "backoff"
        assert bench.facts().failures <= 1
        assert 5 < len(attempts) < 40
        assert len(bench.opened()) == 1
        alert = bench.alert()
        assert alert is not None
        assert "out of processes" in alert.message
        world.behave = lambda _: STAYS
        await bench.run(600)
        assert bench.facts().state == "healthy"
        assert bench.alert() is None

    play(tmp_path, scene)


def test_a_changed_configuration_ends_a_quarantine(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.behave = lambda _: DIES_AT_ONCE
        await bench.run(300)
        assert bench.facts().state == "quarantined"
        world.behave = lambda _: STAYS
        await bench.close()
        bench.workers = (a_worker(argv=("/bin/other", "--daemon"), script=""),)
        bench.begin()
        await bench.run(30)
        assert bench.facts().state == "healthy"

    play(tmp_path, scene)


# Policies.


@pytest.mark.parametrize(
    ("restart", "code", "state"),
    [
        ("on-failure", 0, "completed"),
        ("on-failure", 1, "backoff"),
        ("always", 0, "backoff"),
        ("never", 0, "completed"),
        ("never", 1, "down"),
    ],
)
def test_the_restart_policy_and_the_exit_code_decide(
    tmp_path: Path, restart: str, code: int, state: str
) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.behave = lambda _: Program(lives=5000.0, end=Ended(code=code))
        await bench.round()
        await bench.ask("start")
        await bench.run(4000)
        assert bench.facts().state == "healthy"
        bench.clock.advance(1200)
        await bench.round()
        assert bench.facts().state == state
        assert bool(bench.due) == (state == "backoff")
        assert (bench.alert() is not None) == (state == "down")
        assert bench.status() == ("healthy" if state == "completed" else "unhealthy")

    play(tmp_path, scene, restart=restart)


def test_a_short_job_completes_by_being_started(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.behave = lambda _: Program(lives=0.5, end=Ended(code=0))
        await bench.run(HOUR)
        assert len(world.spawned) == 1
        assert bench.facts().state == "completed"
        assert not bench.opened()

    play(tmp_path, scene, restart="on-failure")


@pytest.mark.slow
def test_exit_0_at_once_is_a_failure_of_what_must_always_run(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.behave = lambda _: Program(lives=0.0, end=Ended(code=0))
        await bench.run(6 * HOUR)
        assert bench.facts().state == "quarantined"
        assert "no daemon was found" in bench.facts().why
        assert len(world.spawned) <= 8

    play(tmp_path, scene)


@pytest.mark.parametrize("forks", [True, None])
def test_a_daemon_that_its_start_leaves_behind_is_adopted(
    tmp_path: Path, forks: bool | None
) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.behave = lambda _: Program(lives=0.2, end=Ended(code=0), leaves=STAYS)
        await bench.run(HOUR)
        assert len(world.spawned) == 1
        assert len(world.alive()) == 1
        assert bench.facts().identity == world.alive()[0]
        assert bench.facts().identity != world.spawned[0][1]
        assert bench.facts().how == "command line"
        assert not bench.opened()

    play(tmp_path, scene, forks=forks)


def test_a_slow_launcher_hands_over_without_a_failure(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.behave = lambda _: Program(lives=3.0, end=Ended(code=0), leaves=STAYS)
        await bench.run(HOUR)
        assert len(world.spawned) == 1
        assert bench.facts().state == "healthy"
        assert bench.memory().row == 0 or bench.facts().failures == 1
        assert not bench.opened()

    play(tmp_path, scene)


def test_one_that_waits_for_another_is_started_after_it(tmp_path: Path) -> None:
    first = a_worker(name="first", argv=("/bin/first",), script="")
    second = a_worker(name="second", argv=("/bin/second",), script="", after=("first",))

    async def scene(bench: Bench, world: WatchedWorld) -> None:
        await bench.round()
        assert "second" not in bench.due
        assert bench.facts("second").why == "waits for first"
        await bench.heal()
        await bench.heal()
        assert [launch.argv for _, _, launch in world.spawned] == [
            ("/bin/first",),
            ("/bin/second",),
        ]
        assert bench.memory("second").row == 0, "waiting is no failure"

    play(tmp_path, scene, second, first)


@pytest.mark.parametrize("verb", ["start", "restart"])
def test_a_look_in_the_middle_of_an_act_concludes_nothing(tmp_path: Path, verb: str) -> None:
    clock = ManualClock(autojump=False)
    world = WatchedWorld(clock)
    worker = a_worker(argv=("/bin/worker",), script="")

    async def scene(bench: Bench) -> None:
        old = world.add(worker.argv) if verb == "restart" else None
        await bench.round()
        plan = bench.healer.offer(verb, worker.name, bench.snapshot, clock.read())
        bench.due.clear()
        memory = bench.memory()
        acting = asyncio.ensure_future(bench.act(plan))
        async with asyncio.timeout(30):
            while not world.spawned:
                await asyncio.sleep(0)
        for _ in range(3):
            await bench.round()
            assert bench.facts().state == "probation"
            assert bench.memory().attempt == memory.attempt
            assert bench.memory().failures == memory.failures
            assert not bench.due
            clock.advance(0.2)
        assert not acting.done()
        while not acting.done():
            clock.advance(0.2)
            await asyncio.sleep(0.001)
        await bench.round()
        assert bench.facts().state == "healthy"
        assert bench.facts().identity == world.spawned[0][1] != old
        assert not bench.opened()
        await bench.close()

    asyncio.run(scene(Bench((worker,), tmp_path / "workers", world, clock)))


# Somebody else's hands.


def test_somebody_elses_start_is_a_veto(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        await bench.round()
        _, plan = bench.due["task_worker"]
        identity = world.add(bench.workers[0].argv)
        outcome = await bench.act(plan)
        assert outcome == f"vetoed: already up as pid {identity.pid}: started by somebody else"
        assert not world.spawned
        assert not bench.steps
        await bench.round()
        assert bench.facts().identity == identity

    play(tmp_path, scene)


def test_a_plan_is_never_carried_out_twice(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        await bench.round()
        _, plan = bench.due["task_worker"]
        await bench.act(plan)
        world.end(world.spawned[0][1])
        assert await bench.act(plan) == "vetoed: start 1 was made already"
        assert len(world.spawned) == 1

    play(tmp_path, scene)


def test_two_copies_are_told_and_left_alone(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        older = world.add(bench.workers[0].argv)
        bench.clock.advance(10)
        newer = world.add(bench.workers[0].argv)
        await bench.run(HOUR)
        assert bench.facts().identity == older
        assert bench.facts().others == (newer.pid,)
        assert len(bench.opened()) == 1, "one alert, that stays open"
        alert = bench.alert("second_copy")
        assert alert is not None
        assert alert.severity == "WARNING"
        assert f"{older.pid} and {newer.pid}" in alert.message
        assert not world.spawned
        assert not world.signals
        world.end(newer)
        await bench.round()
        assert bench.alert("second_copy") is None

    play(tmp_path, scene)


def test_children_that_share_the_arguments_are_one_worker(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        master = world.add(bench.workers[0].argv)
        helper = world.add(("/bin/sh", "-c", "helper"), parent=master.pid)
        world.add(bench.workers[0].argv, parent=master.pid)
        world.add(bench.workers[0].argv, parent=helper.pid)
        await bench.run(HOUR)
        assert bench.facts().identity == master
        assert bench.facts().others == ()
        assert not bench.opened()

    play(tmp_path, scene)


@pytest.mark.parametrize(
    "argv",
    [
        ("tmux", "new-session", "-d", "-s", "task_worker", "{script} --daemon"),
        ("vim", "{script}", "--daemon"),
        ("tail", "-f", "/tmp/task_worker.py"),
        ("python3", "{script}", "--status"),
        ("python3", "{script}", "--send", "a", "b"),
        ("python3", "{script}"),
        ("python3", "{script}", "--daemon", "--verbose"),
        ("python3", "-m", "{script}", "--daemon"),
        ("python3", "-c", "{script}", "--daemon"),
        ("python3", "/other{script}", "--daemon"),
        ("sh", "-c", "python3 {script} --daemon"),
        ("grep", "-r", "{script}", "--daemon"),
    ],
)
def test_a_stranger_that_carries_the_name_is_not_the_worker(
    tmp_path: Path, argv: tuple[str, ...]
) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        script = str(tmp_path / "task_worker.py")
        world.add(tuple(part.format(script=script) for part in argv))
        await bench.round()
        assert bench.facts().state == "backoff"
        await bench.heal()
        assert len(world.spawned) == 1
        assert bench.facts().others == ()
        assert not world.signals

    play(tmp_path, scene)


def test_a_copy_in_a_container_is_not_the_worker(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        bench.healer._probe.finder.own_pid = world.add(("healmon",)).pid
        world.add(bench.workers[0].argv, namespace=77)
        await bench.round()
        assert bench.facts().state == "backoff"

    play(tmp_path, scene)


# What cannot be told.


def test_a_process_that_may_be_it_is_unknown_and_left_alone(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        relative = f"{tmp_path.name}/task_worker.py"
        identity = world.add(("python3", relative, "--daemon"), directories=("/nowhere",))
        await bench.run(HOUR)
        assert bench.status() == "unknown"
        assert bench.facts().state == "unknown"
        alert = bench.alert("unknown")
        assert alert is not None
        assert f"pid {identity.pid} may be it" in alert.message
        assert not bench.due
        assert not world.spawned
        with pytest.raises(DataError, match="cannot be told"):
            bench.healer.offer("restart", "task_worker", bench.snapshot, bench.clock.read())

    play(tmp_path, scene)


def test_a_relative_path_counts_from_where_it_was_started(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        identity = world.add(
            ("python3", "task_worker.py", "--daemon"), directories=("/", str(tmp_path))
        )
        await bench.round()
        assert bench.facts().identity == identity

    play(tmp_path, scene)


def test_the_same_name_in_another_checkout_is_somebody_elses(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "task_worker.py").touch()

    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.add(("python3", "task_worker.py", "--daemon"), directories=(str(other),))
        await bench.round()
        assert bench.facts().state == "backoff"

    play(tmp_path, scene)


# Over restarts of healmon.


def test_a_new_healmon_adopts_what_the_old_one_started(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        await bench.round()
        await bench.heal()
        identity = bench.facts().identity
        assert identity is not None
        world.retitle(identity, ("a title that says nothing",))
        for _ in range(3):
            await bench.close()
            bench.begin()
            await bench.run(120)
            assert bench.facts().identity == identity
        assert len(world.spawned) == 1
        assert bench.facts().restarts == 0
        assert bench.facts().restarts_total == 1
        assert not bench.opened()

    play(tmp_path, scene)


def test_a_new_healmon_knows_an_adopted_worker_without_any_evidence(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        identity = world.add(bench.workers[0].argv)
        await bench.round()
        world.retitle(identity, ("a title that says nothing",))
        await bench.close()
        bench.begin()
        await bench.run(300)
        assert bench.facts().identity == identity
        assert not world.spawned
        world.end(identity)
        await bench.round()
        assert bench.facts().state == "backoff"

    play(tmp_path, scene)


def test_a_new_healmon_to_which_nobody_is_shown_starts_no_second_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hidden(*_: object) -> NoReturn:
        raise ProbeError("/proc does not show it")

    async def scene(bench: Bench, world: WatchedWorld) -> None:
        identity = world.add(bench.workers[0].argv)
        await bench.round()
        for door in ("inspect", "identify", "ended"):
            monkeypatch.setattr(world, door, hidden)
        monkeypatch.setattr(world, "everyone", lambda _skip=(): iter(()))
        await bench.close()
        bench.begin()
        await bench.run(HOUR)
        assert bench.facts().state == "unknown"
        assert not world.spawned
        monkeypatch.undo()
        await bench.run(300)
        assert bench.facts().identity == identity

    play(tmp_path, scene)


def test_a_new_healmon_keeps_waiting_where_the_old_one_waited(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.behave = lambda _: DIES_AT_ONCE
        await bench.run(300)
        count, before = len(world.spawned), bench.memory()
        for _ in range(5):
            await bench.close()
            bench.begin()
            await bench.run(60)
        assert len(world.spawned) == count
        assert bench.memory() == before

    play(tmp_path, scene)


def test_a_worker_that_died_while_nobody_looked_is_one_failure(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        await bench.round()
        await bench.heal()
        await bench.run(700)
        await bench.close()
        identity = bench.facts().identity
        assert identity is not None
        world.end(identity, Ended(code=3))
        bench.clock.advance(HOUR)
        bench.begin()
        await bench.round()
        assert bench.facts().state == "backoff"
        assert bench.memory().row == 1
        await bench.heal()
        assert bench.facts().state == "healthy"
        assert not bench.opened()

    play(tmp_path, scene)


def test_a_healmon_that_was_killed_in_mid_start_finds_its_child(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        await bench.round()
        _, plan = bench.due["task_worker"]
        acting = asyncio.ensure_future(bench.act(plan))
        record = tmp_path / "workers" / "task_worker" / "started.json"
        while not (record.exists() and b"launched" in record.read_bytes()):
            await asyncio.sleep(0)
        acting.cancel()
        await asyncio.gather(acting, return_exceptions=True)
        identity = world.spawned[0][1]
        world.retitle(identity, ("nothing",))
        await bench.close()
        bench.begin()
        await bench.run(HOUR)
        assert bench.facts().identity == identity
        assert len(world.spawned) == 1

    play(tmp_path, scene)


def test_a_lost_store_does_not_make_a_second_copy(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        await bench.round()
        await bench.heal()
        identity = bench.facts().identity
        await bench.close()
        bench.snapshot = type(bench.snapshot)()
        bench.begin()
        await bench.run(300)
        assert bench.facts().identity == identity
        assert len(world.spawned) == 1

    play(tmp_path, scene)


def test_a_memory_of_another_version_is_no_obstacle(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.add(bench.workers[0].argv)
        bench.emit(ev.Remembered("task_worker", {"row": "many"}))
        await bench.round()
        assert bench.facts().state == "healthy"

    play(tmp_path, scene)


def test_a_clock_that_is_set_and_a_suspended_host_change_nothing(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        await bench.round()
        await bench.heal()
        await bench.run(100)
        clock = bench.clock
        assert isinstance(clock, ManualClock)
        for change in (
            lambda: clock.step(3600),
            lambda: clock.step(-7200),
            lambda: clock.suspend(28800),
        ):
            change()
            await bench.run(300)
        assert len(world.spawned) == 1
        assert bench.facts().state == "healthy"
        assert not bench.opened()

    play(tmp_path, scene)


# Signs of life.


def test_a_silent_worker_is_told_and_not_touched(tmp_path: Path) -> None:
    beat = tmp_path / "beat.json"

    async def scene(bench: Bench, world: WatchedWorld) -> None:
        def beats() -> None:
            wall = bench.clock.read().wall
            beat.touch()
            os.utime(beat, (wall, wall))

        beats()
        world.add(bench.workers[0].argv)
        for _ in range(10):
            await bench.run(20)
            beats()
        assert not bench.opened()
        await bench.run(40)
        alert = bench.alert("silent")
        assert alert is not None
        assert alert.severity == "WARNING"
        assert bench.status() == "warning"
        assert len(bench.opened()) == 1
        assert not world.signals
        beats()
        await bench.round()
        assert bench.alert("silent") is None
        beat.unlink()
        await bench.round()
        alert = bench.alert("silent")
        assert alert is not None
        assert "there is no" in alert.message

    play(tmp_path, scene, heartbeat_file=str(beat), heartbeat_max_age=30.0)


def test_too_much_memory_is_told(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.add(bench.workers[0].argv)
        await bench.round()
        alert = bench.alert("memory")
        assert alert is not None
        assert "5.0 MB" in alert.message

    play(tmp_path, scene, memory_limit=5_000_000)


# A person's hands.


def test_restart_replaces_a_worker_that_is_up(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        await bench.round()
        await bench.heal()
        old = bench.facts().identity
        outcome = await bench.ask("restart")
        assert outcome.startswith("proved: pid")
        assert old is not None
        assert f"pid {old.pid} gone" in outcome
        assert world.signals == [(old, signal.SIGTERM)]
        assert world.alive() == [bench.facts().identity]
        assert bench.facts().failures == 0, "asked for is no failure"
        assert bench.steps[-2:] == [
            f"send SIGTERM to pid {old.pid} (task_worker)",
            f"start task_worker: {' '.join(bench.workers[0].argv)}",
        ]

    play(tmp_path, scene)


def test_a_deaf_worker_is_killed_after_its_patience(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        old = world.add(bench.workers[0].argv, program=Program(ignores=frozenset({15})))
        await bench.round()
        began = bench.clock.read().steady
        await bench.ask("restart")
        told = [signal.SIGTERM, signal.SIGCONT, signal.SIGKILL]
        assert world.signals == [(old, number) for number in told]
        assert bench.clock.read().steady - began >= 10.0
        assert len(world.alive()) == 1

    play(tmp_path, scene)


def test_somebody_elses_worker_cannot_be_restarted_and_no_second_is_started(
    tmp_path: Path,
) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.add(bench.workers[0].argv, somebody_elses=True)
        await bench.round()
        outcome = await bench.ask("restart")
        assert "is somebody else's" in outcome
        assert not world.spawned
        assert bench.facts().state == "healthy"

    play(tmp_path, scene)


def test_the_helpers_of_the_old_one_are_stopped_with_it(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        master = world.add(bench.workers[0].argv)
        helper = world.add(bench.workers[0].argv, parent=master.pid)
        await bench.round()
        outcome = await bench.ask("restart")
        assert outcome.startswith("proved: pid")
        assert world.signals == [(master, signal.SIGTERM), (helper, signal.SIGTERM)]
        assert world.alive() == [bench.facts().identity]

    play(tmp_path, scene)


def test_a_restart_asked_for_one_process_does_not_hit_another(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        old = world.add(bench.workers[0].argv)
        await bench.round()
        plan = bench.healer.offer("restart", "task_worker", bench.snapshot, bench.clock.read())
        world.end(old)
        new = world.add(bench.workers[0].argv)
        assert (await bench.act(plan)).startswith("vetoed: already up")
        assert not world.signals
        assert world.alive() == [new]

    play(tmp_path, scene)


def test_no_third_copy_while_a_second_lives(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.add(bench.workers[0].argv)
        world.add(bench.workers[0].argv)
        await bench.round()
        assert (await bench.ask("restart")).startswith("vetoed")
        assert not world.signals
        assert not world.spawned

    play(tmp_path, scene)


def test_a_stop_holds_and_a_start_ends_it(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        await bench.round()
        await bench.heal()
        assert (await bench.ask("stop")).startswith("proved")
        assert not world.alive()
        await bench.run(HOUR)
        assert bench.facts().state == "down"
        assert bench.facts().desired == "down"
        assert not bench.opened()
        await bench.close()
        bench.begin()
        await bench.run(HOUR)
        assert len(world.spawned) == 1, "also over a restart of healmon"
        await bench.ask("start")
        assert bench.facts().state == "healthy"
        assert bench.facts().desired == "up"
        identity = bench.facts().identity
        assert identity is not None
        world.end(identity)
        await bench.round()
        assert bench.facts().state == "backoff"

    play(tmp_path, scene)


def test_a_stop_during_backoff_wins(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        await bench.round()
        _, waiting = bench.due["task_worker"]
        await bench.ask("stop")
        assert bench.facts().state == "down"
        assert not bench.due
        assert (await bench.act(waiting)).startswith("vetoed: stopped by")
        assert not world.spawned

    play(tmp_path, scene)


@pytest.mark.parametrize("verb", ["release", "restart", "start"])
def test_a_person_ends_a_quarantine(tmp_path: Path, verb: str) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.behave = lambda _: DIES_AT_ONCE
        await bench.run(300)
        assert bench.facts().state == "quarantined"
        world.behave = lambda _: STAYS
        await bench.ask(verb)
        assert bench.facts().state == "healthy"
        assert bench.facts().failures == 0
        assert bench.alert() is None
        assert bench.status() == "healthy"

    play(tmp_path, scene)


def test_a_release_that_fails_begins_a_new_budget(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.behave = lambda _: DIES_AT_ONCE
        await bench.run(300)
        await bench.ask("release")
        assert bench.facts().state == "backoff"
        assert bench.facts().failures == 1

    play(tmp_path, scene)


def test_what_makes_no_sense_is_refused_with_what_there_is(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        world.add(bench.workers[0].argv)
        await bench.round()
        for verb, name, why in (
            ("start", "task_worker", "it is healthy as pid"),
            ("release", "task_worker", "not quarantined"),
            ("dance", "task_worker", "no such request"),
            ("restart", "nobody", "there is: task_worker"),
        ):
            with pytest.raises(DataError, match=why):
                bench.healer.offer(verb, name, bench.snapshot, bench.clock.read())

    play(tmp_path, scene)


def test_a_worker_taken_out_of_the_configuration_is_gone(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        await bench.round()
        await bench.close()
        bench.workers = ()
        bench.begin()
        await bench.round()
        assert bench.diagnosis.gone == ("task_worker",)

    play(tmp_path, scene)


# The report.


def test_the_report_counts_and_names(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        identity = world.add(bench.workers[0].argv)
        await bench.round()
        assert bench.healer.report(bench.snapshot) == ["   Workers: 1/1 healthy"]
        world.end(identity)
        await bench.round()
        first, second = bench.healer.report(bench.snapshot)
        assert first == "   Workers: 0/1 healthy"
        assert second.startswith("   ⚠️  task_worker: backoff: ended, code unknown; failure 1 of 5")

    play(tmp_path, scene)


def test_without_workers_the_report_says_so(tmp_path: Path) -> None:
    clock = ManualClock()
    bench = Bench((), tmp_path, WatchedWorld(clock), clock)
    assert bench.healer.report(bench.snapshot) == ["   No workers configured"]


def test_the_constants_of_this_file_are_those_of_the_bench() -> None:
    assert SCRIPT in ARGV
