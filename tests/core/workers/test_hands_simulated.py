"""The hands in a made-up world: what no real machine does on demand."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from healmon.clock import ManualClock
from healmon.config.settings import Ready, Worker
from healmon.errors import RemedyError, SpawnError, VetoError
from healmon.workers.equipment import Equipment
from healmon.workers.healer import WorkersHealer
from healmon.workers.model import Asked, Order, StartRecord, Verb, WorkerSeen
from healmon.workers.records import Records
from healmon.workers.remedy import Remedy
from healmon.workers.stopping import KILL_TIMEOUT
from healmon.workers.tree import Family
from healmon.world.processes import CONT, KILL, TERM, Ended, Identity
from healmon.world.shims import Shim, ShimEnd, ShimOrder
from healmon.world.simulated.ports import SimulatedPorts
from healmon.world.simulated.processes import Program, SimulatedProcesses
from tests.helpers.killpoints import plan_of
from tests.helpers.made_up import Noted

DEAF = Program(ignores=frozenset({TERM}))
STUCK = Program(stuck=True)


class Stage:
    """One worker, one healer, made-up processes and ports.

    Attributes:
        phases: what stood in the journal row, each time that it was written.
    """

    def __init__(self, folder: Path, *, ports: bool = True, **more: object) -> None:
        self.clock = ManualClock()
        self.world = SimulatedProcesses(self.clock)
        self.ports = SimulatedPorts(self.world)
        defaults: dict[str, object] = {"name": "w", "argv": ("/bin/w", "-d")}
        self.worker = Worker(**{**defaults, **more})
        self.folder = folder / "workers"
        equipment = Equipment(ports=self.ports if ports else None)
        self.healer = WorkersHealer(
            (self.worker,), self.folder, self.world, self.clock, equipment=equipment
        )
        self.hand = Noted()
        self.phases: list[tuple[str, str]] = []
        records = self.healer._records
        put = records.put_start

        def noted(name: str, record: StartRecord) -> None:
            self.phases.append((record.phase, record.outcome))
            put(name, record)

        records.put_start = noted  # type: ignore[method-assign]

    @property
    def record(self) -> StartRecord:
        record = Records(self.folder).start("w")
        assert record is not None
        return record

    async def look(self) -> WorkerSeen:
        return (await self.healer.look()).workers["w"]

    async def act(self, verb: Verb, **order: object) -> str:
        newest = Records(self.folder).start("w")
        number = newest.number + 1 if newest is not None else 1
        made = replace(Order(verb=verb, number=number), **order)
        try:
            proof = await self.healer.carry_out(plan_of(self.worker, made), self.hand)
        except VetoError as error:
            return f"vetoed: {error}"
        except RemedyError as error:
            return f"failed: {error}"
        return f"proved: {proof.text}"

    async def up(self) -> Identity:
        said = await self.act("restart")
        assert said.startswith("proved"), said
        who = self.record.worker
        assert who is not None
        return who

    def signalled(self) -> list[tuple[int, int]]:
        return [(who.pid, number) for who, number in self.world.signals]


def play(stage: Stage, scene: Callable[[], Awaitable[None]]) -> None:
    async def all_of_it() -> None:
        try:
            async with asyncio.timeout(60):
                await scene()
        finally:
            await stage.healer.close()

    asyncio.run(all_of_it())


# The journal row.


def test_each_phase_is_written_before_its_step(tmp_path: Path) -> None:
    stage = Stage(tmp_path)

    async def scene() -> None:
        old = await stage.up()
        stage.phases.clear()
        assert (await stage.act("restart", identity=old)).startswith("proved")
        told = list(dict.fromkeys(stage.phases))
        assert told == [
            ("stopping", "begun"), ("stopped", "begun"), ("spawning", "begun"),
            ("spawned", "begun"), ("verified", "verified"),
        ]  # fmt: skip
        assert stage.record.old == old
        stage.phases.clear()
        assert (await stage.act("stop", identity=stage.record.worker, wish=1)).startswith("proved")
        told = list(dict.fromkeys(stage.phases))
        assert told == [("decided", "begun"), ("stopping", "begun"), ("stopped", "verified")]

    play(stage, scene)


def test_what_is_vetoed_leaves_no_row(tmp_path: Path) -> None:
    stage = Stage(tmp_path)

    async def scene() -> None:
        old = await stage.up()
        before = stage.record
        assert (await stage.act("restart")).startswith("vetoed: already up as pid")
        assert (await stage.act("restart", identity=old, number=1)).startswith("vetoed: start 1")
        assert stage.record == before
        assert stage.signalled() == []

    play(stage, scene)


# Stopping.


def test_parents_are_told_before_their_children_and_strangers_never(tmp_path: Path) -> None:
    stage = Stage(tmp_path)

    async def scene() -> None:
        main = await stage.up()
        child = stage.world.add(("/bin/c",), parent=main.pid)
        grandchild = stage.world.add(("/bin/g",), parent=child.pid)
        stage.world.lead(grandchild)
        stranger = stage.world.add(("/bin/s", "w"))
        assert (await stage.act("stop", identity=main, wish=1)).startswith("proved")
        assert stage.signalled() == [(who.pid, TERM) for who in (main, child, grandchild)]
        assert stage.world.alive() == [stranger]
        assert stage.hand.steps[-1] == (
            f"send SIGTERM to pid {main.pid}, {child.pid}, {grandchild.pid} (w)"
        )

    play(stage, scene)


def test_only_who_is_left_gets_sigkill_and_only_after_the_patience(tmp_path: Path) -> None:
    stage = Stage(tmp_path, stop_timeout=7.0)

    async def scene() -> None:
        main = await stage.up()
        deaf = stage.world.add(("/bin/c",), parent=main.pid, program=DEAF)
        began = stage.clock.read().steady
        assert (await stage.act("stop", identity=main, wish=1)).startswith("proved")
        asked = [(main.pid, TERM), (deaf.pid, TERM), (deaf.pid, CONT)]
        assert stage.signalled() == [*asked, (deaf.pid, KILL)]
        assert stage.clock.read().steady - began >= 7.0

    play(stage, scene)


@pytest.mark.parametrize("surely", [True, False])
def test_who_may_not_have_been_reached_is_asked_anew_after_the_patience(
    tmp_path: Path, surely: bool
) -> None:
    stage = Stage(tmp_path, stop_timeout=7.0)
    stage.world.behave = lambda _: DEAF

    async def scene() -> None:
        main = await stage.up()
        asked = Asked(who=(main,), at=stage.clock.read().steady, surely=surely)
        half = replace(stage.record, number=2, phase="stopping", outcome="begun", verb="stop")
        stage.healer._records.put_start("w", replace(half, old=main, asked=asked))
        stage.clock.advance(3.0)
        assert (await stage.act("stop", identity=main, wish=1)).startswith("proved")
        again = [] if surely else [(main.pid, TERM), (main.pid, CONT)]
        assert stage.signalled() == [*again, (main.pid, KILL)]
        took = stage.clock.read().steady - asked.at - KILL_TIMEOUT
        assert took == pytest.approx(7.0 if surely else 14.0)
        was = "was" if surely else "may have been"
        assert f"wait for pid {main.pid}: SIGTERM {was} sent already" in stage.hand.steps
        assert stage.record.asked is None

    play(stage, scene)


def test_3_who_survives_sigkill_is_named_and_no_second_copy_is_started(tmp_path: Path) -> None:
    stage = Stage(tmp_path)

    async def scene() -> None:
        main = await stage.up()
        stuck = stage.world.add(("/bin/c",), parent=main.pid, program=STUCK)
        said = await stage.act("restart", identity=main)
        assert said == (
            f"failed: pid {stuck.pid} (c, state D) survived SIGKILL for 5 s; "
            "no second copy is started; it hangs in the kernel"
        )
        record = stage.record
        assert (record.phase, record.outcome, record.fault) == ("stopping", "failed", "stop")
        assert (await stage.look()).left == (stuck,)
        assert len(stage.world.spawned) == 1
        # whoever tries again ends it first
        assert "survived SIGKILL" in await stage.act("restart")
        assert len(stage.world.spawned) == 1
        stage.world.end(stuck)
        assert (await stage.look()).left == ()
        assert (await stage.act("restart")).startswith("proved")
        assert len(stage.world.spawned) == 2

    play(stage, scene)


def test_who_may_not_be_signalled_is_told_at_once_and_nothing_started(tmp_path: Path) -> None:
    stage = Stage(tmp_path)

    async def scene() -> None:
        main = await stage.up()
        child = stage.world.add(("/bin/sudo",), parent=main.pid, somebody_elses=True)
        said = await stage.act("restart", identity=main)
        assert f"pid {child.pid} is somebody else's: SIGTERM is not permitted" in said
        assert "run healmon as that user or as root" in said
        assert stage.signalled() == [], "nobody is signalled if not all may be"
        assert stage.record.number == 1, "nothing was begun"
        assert len(stage.world.spawned) == 1

    play(stage, scene)


def test_who_stands_still_is_let_go_on_so_that_he_hears_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path)

    async def scene() -> None:
        main = await stage.up()
        stage.world.halt(main)
        assert (await stage.act("stop", identity=main, wish=1)).startswith("proved")
        assert stage.signalled() == [(main.pid, TERM), (main.pid, CONT)]

    play(stage, scene)


def test_who_comes_to_stand_still_as_he_is_asked_is_let_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path)
    signal_ = stage.world.signal

    def halts(identity: Identity, number: int) -> bool:
        if number == TERM:
            stage.world.halt(identity)
        return signal_(identity, number)

    async def scene() -> None:
        main = await stage.up()
        monkeypatch.setattr(stage.world, "signal", halts)
        assert (await stage.act("stop", identity=main, wish=1)).startswith("proved")
        assert stage.signalled() == [(main.pid, TERM), (main.pid, CONT)]

    play(stage, scene)


def dawdling(stage: Stage) -> None:
    """Let half a second go by whenever it was written down who the worker is."""
    put = stage.healer._records.put_start

    def slowly(name: str, record: StartRecord) -> None:
        put(name, record)
        stage.clock.advance(0.5 * (record.worker is not None))

    stage.healer._records.put_start = slowly  # type: ignore[method-assign]


def test_one_that_takes_its_time_to_fork_is_followed_by_its_daemon(tmp_path: Path) -> None:
    stage = Stage(tmp_path, min_uptime=1.0)
    stage.world.behave = lambda _: Program(lives=1.2, leaves=Program())
    dawdling(stage)

    async def scene() -> None:
        assert await stage.up() != stage.record.launched
        assert stage.world.alive() == [stage.record.worker]

    play(stage, scene)


def test_one_that_forks_before_it_is_ready_is_followed_by_its_daemon(tmp_path: Path) -> None:
    stage = Stage(tmp_path, ready=Ready(tcp=80), min_uptime=1.0)
    stage.world.behave = lambda _: Program(lives=3.0, leaves=Program())
    stage.world.reports.append(lambda *_: stage.ports.listen(80, *stage.world.alive()) and None)

    async def scene() -> None:
        assert await stage.up() != stage.record.launched
        assert stage.world.alive() == [stage.record.worker]

    play(stage, scene)


def test_one_that_did_its_work_just_after_it_was_up_has_done_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path, restart="on-failure", min_uptime=1.0)
    stage.world.behave = lambda _: Program(lives=1.2)
    dawdling(stage)

    async def scene() -> None:
        assert await stage.act("restart") == "proved: w did its work: exit 0"
        assert stage.record.outcome == "completed"

    play(stage, scene)


def test_a_stop_of_one_that_is_down_ends_what_was_ordered_to_end(tmp_path: Path) -> None:
    stage = Stage(tmp_path, ready=Ready(tcp=80))
    stage.world.behave = lambda _: Program()

    async def scene() -> None:
        stage.ports.listen(80, *[await _up_with_port(stage)])
        main = stage.record.worker
        assert main is not None
        child = stage.world.add(("/bin/c",), parent=main.pid)
        stage.ports.listen(81, child)
        stage.world.end(main)
        said = await stage.act("stop", wish=1, orphans=(child,))
        assert said == "proved: what was left of w is gone; healmon leaves w down"
        assert stage.world.alive() == []

    play(stage, scene)


async def _up_with_port(stage: Stage) -> Identity:
    """Start a worker whose port opens as soon as it is there."""
    spawn = stage.world.spawn

    def listening(launch: object) -> Identity:
        who = spawn(launch)  # type: ignore[arg-type]
        stage.ports.listen(80, who)
        return who

    stage.world.spawn = listening  # type: ignore[method-assign, assignment]
    return await stage.up()


# Ready.


def test_a_port_that_takes_no_connection_makes_nobody_ready(tmp_path: Path) -> None:
    stage = Stage(tmp_path, ready=Ready(tcp=80))
    stage.ports.deaf = {80}

    async def scene() -> None:
        with pytest.raises(AssertionError, match="its own but takes no connection"):
            await _up_with_port(stage)
        assert stage.record.level == "V2"

    play(stage, scene)


def test_whose_port_it_is_must_be_seen(tmp_path: Path) -> None:
    stage = Stage(tmp_path, ready=Ready(tcp=80))

    async def scene() -> None:
        await stage.healer.look()
        spawn = stage.world.spawn

        def veiled(launch: object) -> Identity:
            who = spawn(launch)  # type: ignore[arg-type]
            stage.ports.listen(80, who)
            stage.ports.veiled.add(who)
            return who

        stage.world.spawn = veiled  # type: ignore[method-assign, assignment]
        said = await stage.act("restart")
        assert "its readiness cannot be told: /proc/…/fd: Permission denied" in said
        assert stage.record.level == "V2"

    play(stage, scene)


def test_without_a_door_to_ports_no_port_proves_anything(tmp_path: Path) -> None:
    stage = Stage(tmp_path, ports=False, ready=Ready(tcp=80))

    async def scene() -> None:
        said = await stage.act("restart")
        assert "whose port 80 is cannot be told" in said
        assert (await stage.look()).blockers == ()

    play(stage, scene)


def test_a_holder_of_the_port_that_nobody_can_see_blocks(tmp_path: Path) -> None:
    stage = Stage(tmp_path, liveness=Ready(tcp=80))
    hidden = stage.world.add(("/bin/x",))
    stage.ports.listen(80, hidden)
    stage.ports.veiled = {hidden}

    async def scene() -> None:
        said = await stage.act("restart")
        assert "not started: port 80 is held by somebody who cannot be seen (user id 0)" in said
        assert stage.record.fault == "blocked"
        assert not stage.world.spawned

    play(stage, scene)


def test_a_port_on_another_address_is_in_nobodys_way(tmp_path: Path) -> None:
    stage = Stage(tmp_path, liveness=Ready(tcp=80))
    stage.ports.listen(80, stage.world.add(("/bin/x",)), address="192.0.2.1")

    async def scene() -> None:
        assert (await stage.act("restart")).startswith("proved")

    play(stage, scene)


# Faults of a start.


@pytest.mark.parametrize(
    ("program", "fault"),
    [
        (Program(refuses=SpawnError("no such program")), "command"),
        (Program(refuses=SpawnError("out of processes", host_fault=True)), "host"),
        (Program(lives=0.0, end=Ended(code=127)), "command"),
        (Program(lives=0.0, end=Ended(code=126)), "command"),
        (Program(lives=0.0, end=Ended(code=1)), "worker"),
        (Program(lives=0.0, end=Ended(signal=11)), "worker"),
    ],
)
def test_20_21_whose_fault_it_is_is_written_down(
    tmp_path: Path, program: Program, fault: str
) -> None:
    stage = Stage(tmp_path)
    stage.world.behave = lambda _: program

    async def scene() -> None:
        assert (await stage.act("restart")).startswith("failed: ")
        assert (stage.record.outcome, stage.record.fault) == ("failed", fault)

    play(stage, scene)


def test_who_the_worker_was_is_remembered_over_failed_starts(tmp_path: Path) -> None:
    stage = Stage(tmp_path)

    async def scene() -> None:
        first = await stage.up()
        stage.world.end(first)
        stage.world.behave = lambda _: Program(refuses=SpawnError("no"))
        for _ in range(3):
            await stage.act("restart")
        assert first in stage.record.former
        for _ in range(30):
            stage.world.behave = lambda _: Program(lives=5.0, end=Ended(code=1))
            await stage.act("restart")
            stage.clock.advance(10)
        assert len(stage.record.former) == 16, "and the oldest forgotten"

    play(stage, scene)


# Taking up.


def test_a_half_done_stop_is_gone_on_with_under_its_number(tmp_path: Path) -> None:
    stage = Stage(tmp_path)

    async def scene() -> None:
        main = await stage.up()
        child = stage.world.add(("/bin/c",), parent=main.pid)
        half = replace(
            stage.record, number=2, verb="stop", phase="stopping", outcome="begun", old=main,
            tree=(main, child), wish=1, origin="me",
        )  # fmt: skip
        Records(stage.folder).put_start("w", half)
        stage.healer._records._cache.clear()
        stage.world.end(main)
        assert (await stage.look()).left == (child,)
        said = await stage.act("stop", number=2)
        assert said.startswith(f"proved: pid {main.pid} and 1 more of its processes are gone")
        assert stage.signalled() == [(child.pid, TERM)]
        assert (stage.record.outcome, stage.record.phase) == ("verified", "stopped")
        wish = Records(stage.folder).wish("w")
        assert wish is not None
        assert (wish.number, wish.desired, wish.origin) == (1, "down", "me")

    play(stage, scene)


def test_a_start_that_was_spawned_is_proved_and_not_made_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path)

    async def scene() -> None:
        main = await stage.up()
        half = replace(stage.record, outcome="begun", phase="spawning", launched=None, worker=None)
        Records(stage.folder).put_start("w", half)
        stage.healer._records._cache.clear()
        said = await stage.act("restart", number=1)
        assert said.startswith(f"proved: pid {main.pid} alive")
        assert len(stage.world.spawned) == 1
        assert stage.hand.steps[-1] == f"go on with start 1 of w: pid {main.pid}"

    play(stage, scene)


def test_a_start_that_had_spawned_nothing_is_made_under_the_same_number(tmp_path: Path) -> None:
    stage = Stage(tmp_path)

    async def scene() -> None:
        half = StartRecord(number=1, wall=1.0, steady=1.0, phase="spawning")
        Records(stage.folder).put_start("w", half)
        assert (await stage.act("restart", number=1)).startswith("proved")
        assert len(stage.world.spawned) == 1
        assert stage.record.number == 1

    play(stage, scene)


def test_what_was_to_be_proved_and_is_gone_is_not_started_in_passing(tmp_path: Path) -> None:
    """No start without its place in the host's budget."""
    stage = Stage(tmp_path)

    async def scene() -> None:
        half = StartRecord(number=1, wall=1.0, steady=1.0, phase="spawning")
        Records(stage.folder).put_start("w", half)
        said = await stage.act("restart", number=1, proves=True)
        assert said.startswith("vetoed: what was to be proved is gone")
        assert not stage.world.spawned

    play(stage, scene)


def test_a_person_who_stopped_it_meanwhile_has_the_last_word(tmp_path: Path) -> None:
    stage = Stage(tmp_path)

    async def scene() -> None:
        assert (await stage.act("stop", wish=1)).startswith("proved: w was not up")
        half = replace(stage.record, number=2, verb="restart", outcome="begun", phase="stopped")
        half = replace(half, wish=0)
        Records(stage.folder).put_start("w", half)
        stage.healer._records._cache.clear()
        assert (await stage.act("restart", number=2)).startswith("vetoed: stopped by tester")
        assert not stage.world.spawned

    play(stage, scene)


# Looks that are shared.


class Counted(SimulatedProcesses):
    """Counts how often everybody was looked at."""

    looks = 0

    def everyone(self, skip: object = ()) -> object:  # type: ignore[override]
        self.looks += 1
        return super().everyone(skip)  # type: ignore[arg-type]


@pytest.mark.parametrize("glance", [0.0, 30.0])
def test_acts_at_the_same_time_may_share_a_look_but_never_one_from_before_a_touch(
    tmp_path: Path, glance: float
) -> None:
    clock = ManualClock()
    world = Counted(clock)
    workers = [Worker(name=f"w{n}", argv=(f"/bin/w{n}",)) for n in range(20)]
    equipment = Equipment(glance=glance)
    healer = WorkersHealer(workers, tmp_path, world, clock, equipment=equipment)

    async def act(worker: Worker, order: Order) -> str:
        return (await healer.carry_out(plan_of(worker, order), Noted())).text

    async def scene() -> None:
        try:
            first = Order(verb="restart", number=1)
            await asyncio.gather(*(act(worker, first) for worker in workers))
            assert len(world.alive()) == 20
            looks, world.looks = world.looks, 0
            assert looks < 30 if glance else looks >= 40
            for worker in workers:
                who = Records(tmp_path).start(worker.name)
                assert who is not None
                again = Order(verb="restart", number=2, identity=who.worker)
                assert f"pid {who.worker.pid} gone" in await act(worker, again)
            assert len(world.alive()) == 20
            assert world.looks >= 40, "after a touch there is a new look"
        finally:
            await healer.close()

    asyncio.run(scene())


def test_a_start_that_came_after_the_look_that_others_share_is_proved_by_a_new_one(
    tmp_path: Path,
) -> None:
    clock = ManualClock()
    world = Counted(clock)
    other, mine = (Worker(name=name, argv=(f"/bin/{name}",)) for name in ("other", "mine"))
    healer = WorkersHealer((other, mine), tmp_path, world, clock, equipment=Equipment(glance=30.0))

    async def scene() -> None:
        try:
            await healer.carry_out(plan_of(other, Order(verb="restart", number=1)), Noted())
            # its shim has started it meanwhile, as it was granted
            now = clock.read()
            who = world.add(mine.argv)
            begun = StartRecord(
                number=1, wall=now.wall, steady=now.steady, phase="spawned", launched=who,
                granted=True,
            )  # fmt: skip
            Records(tmp_path).put_start(mine.name, begun)
            goes_on = Order(verb="restart", number=1)
            said = (await healer.carry_out(plan_of(mine, goes_on), Noted())).text
            assert f"pid {who.pid} alive" in said
        finally:
            await healer.close()

    asyncio.run(scene())


# Shims that a test writes.


class Written:
    """Shims of which a test says what stands in their folder."""

    def __init__(self) -> None:
        self.shim: Shim | None = None
        self.refuses: Exception | None = None

    def look(self, folder: str) -> Shim | None:
        return self.shim

    def start(self, order: ShimOrder) -> Shim:
        assert self.refuses is not None
        raise self.refuses

    def revoke(self, folder: str) -> bool:
        return False

    def trim(self, log_path: str, limit: int) -> int:
        return 0

    def close(self) -> None: ...


def under_shims(stage: Stage) -> Written:
    shims = Written()
    equipment = Equipment(ports=stage.ports, shims=shims)
    stage.healer = WorkersHealer(
        (stage.worker,), stage.folder, stage.world, stage.clock, equipment=equipment
    )
    return shims


def locked_by(stage: Stage, *holders: Identity) -> None:
    stage.ports.lock(str(stage.folder / "w" / "instance.lock"), *holders)


def a_shim(shim: Identity, worker: Identity, **more: object) -> Shim:
    defaults: dict[str, object] = {"number": 1, "wall": 1.0, "alive": True, "locked": True}
    return Shim(shim=shim, worker=worker, **{**defaults, **more})


def test_who_holds_the_lock_is_an_orphan_but_never_the_shim_and_never_a_tmux_server(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path)
    shims = under_shims(stage)
    shim = stage.world.add(("shim",))
    gone = stage.world.add(("/bin/w",), parent=shim.pid)
    left = stage.world.add(("/bin/c",), parent=shim.pid)
    server = stage.world.add(("tmux: server",), parent=shim.pid)
    stage.world.end(gone)
    shims.shim = a_shim(shim, gone, ends=(ShimEnd(identity=gone, ended=Ended(code=1), wall=2.0),))
    locked_by(stage, shim, left, server)

    async def scene() -> None:
        one = await stage.look()
        assert {(b.what, b.identity, b.orphan) for b in one.blockers} == {
            ("instance lock", left, True), ("instance lock", server, False),
        }  # fmt: skip
        said = await stage.act("restart", orphans=(server,))
        assert said.startswith(f"vetoed: pid {server.pid} is not shown to be left over")
        stage.world.end(left)
        assert "instance lock is held by pid" in await stage.act("restart")
        assert stage.signalled() == []

    play(stage, scene)


def test_a_lock_that_is_free_by_the_time_one_looks_blocks_nobody(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    shims = under_shims(stage)
    shim, gone = stage.world.add(("shim",)), stage.world.add(("/bin/w",))
    stage.world.end(gone)
    shims.shim = a_shim(shim, gone)
    locked_by(stage, shim)

    async def scene() -> None:
        one = await stage.look()
        assert [(b.identity, b.orphan) for b in one.blockers] == [(shim, False)]
        look, shims_look = shims.shim, iter([shims.shim])

        def leaves(folder: str) -> Shim | None:
            return next(shims_look, None) or replace(look, alive=False, locked=False)

        shims.look = leaves  # type: ignore[method-assign]
        locked_by(stage)
        assert (await stage.look()).blockers == ()

    play(stage, scene)


def test_a_shim_that_refuses_because_one_lives_is_a_block_and_no_failure(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    shims = under_shims(stage)
    shims.refuses = VetoError("its instance lock is held: pid 7")

    async def scene() -> None:
        said = await stage.act("restart")
        assert said.startswith("failed: not started: its instance lock is held: pid 7")
        assert (stage.record.fault, stage.record.launched) == ("blocked", None)

    play(stage, scene)


def test_the_shims_word_on_an_end_is_taken_where_nobody_else_knows(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    shims = under_shims(stage)
    gone = stage.world.add(("/bin/w",))
    stage.world.end(gone)
    ends = (ShimEnd(identity=gone, ended=Ended(code=7), wall=2.0),)
    shims.shim = a_shim(gone, gone, alive=False, locked=False, ends=ends)

    async def scene() -> None:
        one = await stage.look()
        assert [(e.identity, e.ended) for e in one.ends] == [(gone, Ended(code=7))]
        end = Records(stage.folder).end("w")
        assert end is not None
        assert end.ended == Ended(code=7), "and it is kept"

    play(stage, scene)


def test_those_that_fail_again_and_again_never_take_all_places() -> None:
    remedy = Remedy(None, 2)  # type: ignore[arg-type]  # its places alone are asked
    again, first = (Order(verb="restart", number=1, again=truth) for truth in (True, False))
    entered: list[str] = []

    async def start(name: str, order: Order, over: asyncio.Event) -> None:
        async with remedy._slot(order):
            entered.append(name)
            await over.wait()

    async def scenario() -> None:
        over = asyncio.Event()
        orders = [("bad1", again), ("bad2", again), ("good", first)]
        tasks = [asyncio.create_task(start(name, order, over)) for name, order in orders]
        for _ in range(10):
            await asyncio.sleep(0)
        assert entered == ["bad1", "good"]
        over.set()
        await asyncio.gather(*tasks)
        assert entered == ["bad1", "good", "bad2"]

    asyncio.run(scenario())


@pytest.mark.slow
def test_of_many_acts_that_wait_for_each_other_none_holds_all_processes(tmp_path: Path) -> None:
    clock = ManualClock()
    world = SimulatedProcesses(clock)
    workers = tuple(Worker(name=f"w{n}", argv=(f"/bin/w{n}", "-d")) for n in range(40))
    healer = WorkersHealer(workers, tmp_path / "workers", world, clock)
    held: list[int] = []
    put = healer._records.put_start

    def noted(name: str, record: StartRecord) -> None:
        if record.level == "V2":
            held.append(sum(isinstance(one, Family) for one in gc.get_objects()))
        put(name, record)

    healer._records.put_start = noted  # type: ignore[method-assign]

    async def scene() -> None:
        order = Order(verb="restart", number=1)
        try:
            async with asyncio.timeout(60):
                await asyncio.gather(
                    *(healer.carry_out(plan_of(worker, order), Noted()) for worker in workers)
                )
        finally:
            await healer.close()

    asyncio.run(scene())
    assert len(held) == 2 * len(workers)
    assert max(held) < 8, "each look at all is let go of as soon as it is judged"
