"""Starts that are granted beforehand: to whom, for how long, and that each is counted."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from healmon import events as ev
from healmon.clock import Reading
from healmon.config.settings import Worker
from healmon.workers import budget
from healmon.workers.equipment import Equipment
from healmon.workers.grants import (
    AFTERWARDS,
    AT_LAST,
    Afterwards,
    excluded,
    grantable,
    unlimited,
)
from healmon.workers.model import Match, Memory, StartRecord, WorkerSeen
from healmon.workers.probe import ASKED
from healmon.workers.records import Records
from healmon.world.processes import Ended, Identity, ProcessFacts
from healmon.world.shims import Shim, ShimEnd
from healmon.world.system_shims import SystemShims
from tests.helpers.wait import until
from tests.helpers.workerhost import STAYS, Host, Live, hosting

# To whom. Pure.

NOW = Reading(wall=1_000.0, steady=1_000.0, boot=1_000.0)
ME, OTHER, SHIM = (Identity("boot", pid, pid) for pid in (10, 11, 12))
WORKER = Worker(name="w", argv=("/bin/w",), restart_delay=0.0)
MEMORY = Memory(state="healthy", identity=ME, attempt=4, newest=4)


def facts(identity: Identity) -> ProcessFacts:
    return ProcessFacts(identity, 1, "S", "w", ("/bin/w",), 0.0, 0, 9.0, 0)


RECORD = StartRecord(number=4, wall=1.0, steady=1.0, worker=ME, outcome="verified")
ABOVE = Shim(number=4, shim=SHIM, worker=ME, wall=1.0, alive=True, locked=True)
ONE = WorkerSeen(known=(facts(ME),), record=RECORD, shim=ABOVE)


def test_who_is_well_and_would_be_started_at_once_may_be_by_its_shim() -> None:
    assert grantable(WORKER, ONE, MEMORY, NOW) == (ME, 5)


@pytest.mark.parametrize(
    "worker",
    [
        {"restart_delay": 0.1},
        {"restart": "never"},
        {"forks": True},
        {"after": ("other",)},
        {"heartbeat_file": "/run/w"},
        {"max_failures": 1},
        {"slow_failures": 1},
    ],
    ids=str,
)
def test_where_policy_says_anything_but_at_once_nothing_is_granted(worker: dict) -> None:
    assert grantable(replace(WORKER, **worker), ONE, MEMORY, NOW) is None


@pytest.mark.parametrize(
    "memory",
    [
        {"state": "unhealthy", "sick": "it hangs"},
        {"state": "probation"},
        {"state": "starting"},
        {"state": "trial", "trial": True},
        {"state": "unknown"},
        {"state": "stop_failed"},
        {"identity": None},
        {"identity": OTHER},
        {"storm": 990.0},
        {"trial": True},
        {"failures": (999.0, 999.5, 999.6, 999.7)},
    ],
    ids=str,
)
def test_who_is_not_simply_well_gets_nothing(memory: dict) -> None:
    assert grantable(WORKER, ONE, replace(MEMORY, **memory), NOW) is None


PROVED = replace(RECORD, number=5, outcome="begun", launched=ME, worker=None, granted=True)


def test_the_next_start_is_granted_while_one_that_was_is_still_being_proved() -> None:
    memory = replace(MEMORY, state="probation", newest=5, row=1, failures=(999.0,))
    assert grantable(WORKER, replace(ONE, record=PROVED), memory, NOW) == (ME, 6)
    of_another = replace(PROVED, launched=OTHER)
    assert grantable(WORKER, replace(ONE, record=of_another), memory, NOW) is None
    by_healmon = replace(PROVED, granted=False)
    assert grantable(WORKER, replace(ONE, record=by_healmon), memory, NOW) is None


@pytest.mark.parametrize(
    "one",
    [
        {"acting": True},
        {"shim": None},
        {"shim": replace(ABOVE, alive=False)},
        {"shim": replace(ABOVE, worker=OTHER)},
        {"record": None},
        {"record": replace(RECORD, outcome="begun")},
        {"record": replace(RECORD, worker=OTHER)},
        {"matches": (Match(facts(OTHER), "command line"),)},
        {"known": (facts(ME), facts(OTHER))},
        {"known": ()},
    ],
    ids=str,
)
def test_whoever_is_not_the_one_proved_copy_gets_nothing(one: dict) -> None:
    assert grantable(WORKER, replace(ONE, **one), MEMORY, NOW) is None


@pytest.mark.parametrize(
    "limit",
    [{"starts_in_flight": 2}, {"start_spacing": 0.1}, {"starts_per_minute": 6}],
    ids=str,
)
def test_a_host_that_counts_starts_is_not_unlimited(limit: dict) -> None:
    assert unlimited(budget.NOBODY)
    assert not unlimited(replace(budget.NOBODY, **limit))
    assert not unlimited(replace(budget.NOBODY, storm_failures=3))


@pytest.mark.parametrize(
    ("restart", "codes"), [("on-failure", (0, 3, 126, 127)), ("always", (3, 126, 127))]
)
def test_exit_codes_that_no_start_follows(restart: str, codes: tuple[int, ...]) -> None:
    worker = replace(WORKER, restart=restart, no_restart_codes=(3, 126))
    assert excluded(worker) == codes


def test_a_start_that_another_has_followed_is_kept_no_more(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.put_start("w", replace(RECORD, number=5))
    records.put_start("w", RECORD)
    assert Records(tmp_path).start("w") == records.start("w") == replace(RECORD, number=5)


def test_a_start_of_its_shim_that_is_new_is_taken_up_once(tmp_path: Path) -> None:
    records, end = Records(tmp_path), ShimEnd(identity=OTHER, ended=Ended(signal=9), wall=7.0)
    records.put_start("w", replace(RECORD, worker=OTHER))
    assert records.taken_up("w", ABOVE, NOW) == replace(RECORD, worker=OTHER)
    shim = replace(ABOVE, number=5, wall=8.0, former=end, log_offset=3)
    taken = records.taken_up("w", shim, NOW)
    assert taken is not None
    assert (taken.number, taken.launched, taken.old, taken.former) == (5, ME, OTHER, (OTHER,))
    assert (taken.granted, taken.outcome, taken.phase) == (True, "begun", "spawned")
    assert (taken.wall, taken.steady, taken.log_offset) == (8.0, NOW.steady, 3)
    later = replace_reading(NOW, 9.0)
    assert records.taken_up("w", shim, later) == taken == Records(tmp_path).start("w")
    assert records.taken_up("w", None, later) == taken


class Moments:
    """An event loop's time and timers, as a test turns them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[asyncio.TimerHandle] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, call: Callable[..., None], *args: object) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, call, args, self)  # type: ignore[arg-type]
        self.timers.append(timer)
        return timer

    def _timer_handle_cancelled(self, timer: object) -> None: ...

    def get_debug(self) -> bool:
        return False

    def turn(self, seconds: float) -> None:
        self.now += seconds
        for timer in [t for t in self.timers if t.when() <= self.now]:
            self.timers.remove(timer)
            if not timer.cancelled():
                timer._run()


@pytest.mark.parametrize(("ends", "looks"), [(1, 1), (4, 1), (12, 2)])
def test_a_look_comes_once_after_many_ends_but_never_late(
    monkeypatch: pytest.MonkeyPatch, ends: int, looks: int
) -> None:
    loop, wakes = Moments(), []
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    afterwards = Afterwards()
    for _ in range(ends):
        afterwards.ask(lambda: wakes.append(loop.now))
        assert len(wakes) == (0 if loop.now < AT_LAST else 1)
        loop.turn(0.6 * AFTERWARDS)
    loop.turn(AFTERWARDS)
    assert len(wakes) == looks
    afterwards.ask(lambda: wakes.append(loop.now))
    afterwards.cancel()
    loop.turn(1.0)
    assert len(wakes) == looks


def replace_reading(now: Reading, seconds: float) -> Reading:
    return Reading(now.wall + seconds, now.steady + seconds, now.boot + seconds)


# Real workers below real shims, under a real engine.


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with hosting(tmp_path) as made:
        yield made


def play(scene: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(900):
            await scene()

    asyncio.run(limited())


def eager(host: Host, text: str = STAYS, **more: object) -> Worker:
    return host.worker(text, **{"restart_delay": 0.0, "min_uptime": 0.05, **more})


@asynccontextmanager
async def healmon(host: Host, *workers: Worker, **more: object) -> AsyncIterator[Live]:
    async with host.healmon(*workers, equipment=Equipment(shims=SystemShims()), **more) as live:
        yield live


def granted(host: Host, name: str = "task_worker") -> Path:
    return host.state / name / "grant"


async def ready(live: Live, but: Identity | None = None) -> Identity:
    """Wait until a worker is up and its next start granted."""
    who = await live.up(but)
    await live.reach(granted(live.host).exists, "the grant")
    return who


def alive(host: Host) -> list[Identity]:
    return host.running("task_worker.py")


def record(host: Host) -> StartRecord:
    found = Records(host.state).start("task_worker")
    assert found is not None
    return found


def failures(live: Live) -> int:
    facts = live.facts()
    assert facts is not None
    return facts.failures


@pytest.mark.slow
def test_a_killed_worker_is_started_again_by_its_shim_counted_and_proved(host: Host) -> None:
    async def scene() -> None:
        async with healmon(host, eager(host, max_failures=4)) as live:
            who = await ready(live)
            for number in (1, 2):
                host.kill(who)
                after = await ready(live, but=who)
                assert alive(host) == [after]
                assert failures(live) == number
                now = record(host)
                assert (now.granted, now.outcome, now.old) == (True, "verified", who)
                assert (now.number, now.worker) == (number + 1, after)
                facts = live.facts()
                assert facts is not None
                assert facts.last_end == "killed by SIGKILL"
                assert facts.restarts == number + 1
                alert = live.alert()
                assert (alert is not None) == (number > 1), "the first fall is no alert"
                who = after
            plans = host.journal.all(ev.PlanMade)
            assert [p.plan.steps[-1].text for p in plans[1:]] == [
                f"prove that pid {pid} is well" for pid in pids_of(host)[1:]
            ]
            assert "its shim started it again at once" in plans[-1].plan.why
            assert "killed by SIGKILL" in plans[-1].plan.why
            assert len(host.journal.all(ev.ActionVerified)) == 3

    play(scene)


def environ(who: Identity) -> list[bytes]:
    return Path(f"/proc/{who.pid}/environ").read_bytes().split(b"\0")


def pids_of(host: Host) -> list[int]:
    verified = host.journal.all(ev.ActionVerified)
    return [event.details["identity"]["pid"] for event in verified]


@pytest.mark.slow
def test_each_failure_counts_and_the_budget_ends_in_quarantine(host: Host) -> None:
    async def scene() -> None:
        async with healmon(host, eager(host, max_failures=3)) as live:
            who = await ready(live)
            host.kill(who)
            who = await ready(live, but=who)
            host.kill(who)
            who = await live.up(but=who)
            await live.reach(lambda: failures(live) == 2, "both failures")
            assert not granted(host).exists(), "the next failure is one too many"
            host.kill(who)
            await live.state("quarantined")
            assert alive(host) == []
            assert failures(live) == 3

    play(scene)


TWICE = """
import os, sys, time
marks = __file__ + ".starts"
open(marks, "a").write("x")
if len(open(marks).read()) == 2: sys.exit(3)
time.sleep(300)
"""


@pytest.mark.slow
def test_one_that_falls_again_before_it_is_proved_has_failed_twice(host: Host) -> None:
    starts = host.folder / "task_worker.py.starts"

    async def scene() -> None:
        async with healmon(host, eager(host, TWICE, max_failures=5)) as live:
            who = await ready(live)
            # killed before its first words, the next one would be the first
            until(lambda: starts.exists() and starts.read_text(), what="its first words")
            host.kill(who)
            await live.reach(lambda: failures(live) == 2, "both failures")
            await ready(live, but=who)
            assert failures(live) == 2
            until(lambda: starts.read_text() == "xxx", what="three starts")
            assert len(alive(host)) == 1

    play(scene)


class Tardy(SystemShims):
    """Its shims come to write down that they have started a worker again when it is up for long."""

    def __init__(self, asked: int) -> None:
        super().__init__()
        self._asked = asked
        self._told: dict[str, tuple[Shim, int]] = {}

    def look(self, folder: str) -> Shim | None:
        shim = super().look(folder)
        if shim is None:
            return None
        told, left = self._told.get(folder, (shim, 0))
        if shim.number == told.number or not left:
            told, left = shim, self._asked
        else:
            left -= 1
        self._told[folder] = told, left
        return told


@pytest.mark.slow
@pytest.mark.parametrize("asked", [1, 3 * ASKED])
def test_an_end_counts_also_where_its_shim_is_late_to_tell_of_it(host: Host, asked: int) -> None:
    async def scene() -> None:
        worker = eager(host, max_failures=9)
        async with host.healmon(worker, equipment=Equipment(shims=Tardy(asked))) as live:
            who = await ready(live)
            for number in (1, 2):
                host.kill(who)
                who = await ready(live, but=who)
                assert failures(live) == number
                assert record(host).granted
            facts = live.facts()
            assert facts is not None
            assert facts.last_end == "killed by SIGKILL"
            assert "unknown" not in {e.status for e in host.journal.all(ev.Observed)}

    play(scene)


@pytest.mark.slow
def test_what_a_person_stopped_stays_down(host: Host) -> None:
    async def scene() -> None:
        async with healmon(host, eager(host)) as live:
            who = await ready(live)
            answer = await live.engine.ask("stop", "task_worker", {}, origin="ann")
            assert answer.ok, answer.text
            assert not granted(host).exists()
            assert host.processes.ended(who) is not None
            await live.state("down")
            assert alive(host) == []
            shim = SystemShims().look(str(host.state / "task_worker"))
            assert shim is not None
            assert shim.worker == who, "nobody was started in between"

    play(scene)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["", "task_worker"])
def test_a_pause_takes_back_every_grant_before_it_is_answered(host: Host, target: str) -> None:
    async def scene() -> None:
        async with healmon(host, eager(host)) as live:
            who = await ready(live)
            answer = await live.engine.ask("pause", target, {"for": 600}, origin="ann")
            assert answer.ok, answer.text
            assert not granted(host).exists()
            host.kill(who)
            await live.state("backoff")
            live.engine.check_now()
            await live.reach(lambda: live.engine.snapshot.cycle.number > 1, "a cycle")
            assert alive(host) == []
            await live.engine.ask("resume", target, {}, origin="ann")
            await ready(live, but=who)

    play(scene)


@pytest.mark.slow
def test_a_healmon_that_ends_leaves_no_grant_and_the_next_one_gives_it_anew(host: Host) -> None:
    async def scene() -> None:
        worker = eager(host)
        async with healmon(host, worker) as live:
            who = await ready(live)
        assert not granted(host).exists()
        host.forget_children()
        async with healmon(host, worker) as live:
            assert await ready(live) == who
            host.kill(who)
            await ready(live, but=who)
            assert record(host).granted
            assert failures(live) == 1

    play(scene)


@pytest.mark.slow
def test_what_an_engine_that_failed_has_granted_is_taken_back_by_the_next_one(host: Host) -> None:
    async def scene() -> None:
        worker, kept = eager(host), b""
        async with healmon(host, worker) as live:
            who = await ready(live)
            kept = granted(host).read_bytes()
        granted(host).write_bytes(kept)  # it never came to its end, and its process lives
        async with healmon(host, replace(worker, restart_delay=0.1)) as live:
            assert await live.up() == who
            await live.reach(lambda: not granted(host).exists(), "the end of the grant")
        granted(host).write_bytes(kept)
        async with healmon(host, worker) as live:
            assert await ready(live) == who
            answer = await live.engine.ask("stop", "task_worker", {}, origin="ann")
            assert answer.ok, answer.text
            await live.state("down")
            assert alive(host) == []

    play(scene)


@pytest.mark.slow
def test_other_settings_than_it_was_started_with_are_not_granted_to_its_shim(host: Host) -> None:
    async def scene() -> None:
        async with healmon(host, eager(host)) as live:
            who = await ready(live)
        host.forget_children()
        async with healmon(host, eager(host, env={"NEW": "1"})) as live:
            assert await ready(live) == who
            host.kill(who)
            after = await live.up(but=who)
            assert not record(host).granted
            assert b"NEW=1" in environ(after)

    play(scene)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["dry run", "budget", "delay"])
def test_where_healmon_would_not_start_it_at_once_no_shim_may(host: Host, case: str) -> None:
    async def scene() -> None:
        async with healmon(host, eager(host)) as live:
            who = await ready(live)
        host.forget_children()
        worker = eager(host, restart_delay=0.3 if case == "delay" else 0.0)
        limits = replace(budget.NOBODY, start_spacing=0.1 if case == "budget" else 0.0)
        more = {"limits": limits, "dry_run": case == "dry run"}
        async with healmon(host, worker, **more) as live:
            assert await live.up() == who
            assert not granted(host).exists()
            host.kill(who)
            await live.reach(lambda: failures(live) == 1, "its failure")
            if case == "dry run":
                assert alive(host) == []
            else:
                await live.up(but=who)
                assert not record(host).granted

    play(scene)


@pytest.mark.slow
def test_one_that_is_killed_while_it_is_proved_is_started_again_and_each_fall_counts(
    host: Host,
) -> None:
    async def scene() -> None:
        async with healmon(host, eager(host, min_uptime=3.0, max_failures=9)) as live:
            who = await ready(live)
            for falls in (1, 2, 3):
                host.kill(who)
                await live.reach(lambda n=falls: record(host).number == n + 1, "the next start")
                await live.reach(granted(host).exists, "its grant")
                now = record(host)
                assert (now.granted, now.outcome, now.old) == (True, "begun", who)
                assert now.launched is not None
                who = now.launched
            await live.reach(lambda: record(host).outcome == "verified", "the proof of the last")
            assert await live.up() == who
            await live.reach(lambda: failures(live) == 3, "three failures")
            assert alive(host) == [who]
            assert record(host).number == 4
            facts = live.facts()
            assert facts is not None
            assert facts.restarts == 2, "what fell before it was proved was no restart"

    play(scene)


EXITS = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("up", flush=True)
time.sleep(300)
"""


@pytest.mark.slow
def test_one_that_did_its_work_is_left_alone(host: Host) -> None:
    async def scene() -> None:
        async with healmon(host, eager(host, EXITS, restart="on-failure")) as live:
            who = await ready(live)
            said = Path(host.state, "task_worker", "output.log")
            await live.reach(lambda: "up" in said.read_text(), "its handler")
            os.kill(who.pid, signal.SIGTERM)
            await live.state("completed")
            assert alive(host) == []

    play(scene)


class Mute(SystemShims):
    """Its shims come to write down how a worker has ended when it is gone for long."""

    def look(self, folder: str) -> Shim | None:
        shim = super().look(folder)
        if shim is None or not shim.ends:
            return shim
        self.asked = getattr(self, "asked", 0) + 1
        return replace(shim, alive=True, ends=()) if self.asked < 4 else shim


@pytest.mark.slow
def test_one_whose_work_is_done_is_left_alone_also_where_that_is_told_late(host: Host) -> None:
    async def scene() -> None:
        worker = eager(host, EXITS, restart="on-failure")
        async with host.healmon(worker, equipment=Equipment(shims=Mute())) as live:
            who = await ready(live)
            said = Path(host.state, "task_worker", "output.log")
            await live.reach(lambda: "up" in said.read_text(), "its handler")
            os.kill(who.pid, signal.SIGTERM)
            await live.state("completed")
            assert len(host.journal.all(ev.ActionStarted)) == 1
            assert "unknown" not in {e.status for e in host.journal.all(ev.Observed)}

    play(scene)


@pytest.mark.slow
def test_many_that_are_killed_at_once_come_back_once_each(host: Host) -> None:
    async def scene() -> None:
        names = [f"w{n:02d}" for n in range(20)]
        workers = [eager(host, name=name, max_failures=9) for name in names]
        async with healmon(host, *workers) as live:

            def others(*but: Identity) -> dict[str, str]:
                """Return who is not up as somebody else with a start granted, and why."""
                found: dict[str, str] = {}
                for name in names:
                    facts = live.facts(name)
                    if facts is None or facts.state != "healthy" or facts.identity in but:
                        found[name] = "nobody" if facts is None else facts.state
                    elif not granted(host, name).exists():
                        found[name] = f"not granted, {Records(host.state).start(name)}"
                return found

            def up() -> list[Identity]:
                return [live.facts(name).identity for name in names]

            async def all_up(*but: Identity) -> None:
                try:
                    await live.reach(lambda: not others(*but), "all of them", limit=300)
                except AssertionError as error:
                    raise AssertionError(others(*but)) from error

            await all_up()
            first = up()
            for identity in first:
                os.kill(identity.pid, signal.SIGKILL)
            await all_up(*first)
            running = [i for i in host.running("") if host.titles(i)[:1] == (sys.executable,)]
            assert sorted(i.pid for i in running if i in up()) == sorted(i.pid for i in up())
            assert all(live.facts(w.name).failures == 1 for w in workers)
            assert all(Records(host.state).start(w.name).granted for w in workers)

    play(scene)


@pytest.mark.slow
def test_a_copy_that_a_person_started_ends_the_grant(host: Host) -> None:
    async def scene() -> None:
        worker = eager(host)
        async with healmon(host, worker, interval=0.2) as live:
            who = await ready(live)
            other = host.start(*worker.argv)
            await live.reach(lambda: not granted(host).exists(), "the end of the grant")
            host.kill(who)
            await live.up(but=who)
            until(lambda: alive(host) == [other], what="the person's copy alone")
            await live.reach(lambda: failures(live) >= 0, "another look")
            assert alive(host) == [other]

    play(scene)
