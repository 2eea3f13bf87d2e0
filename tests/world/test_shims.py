"""One contract for shims, held by the machine and by its twin in memory."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from msgspec.structs import replace

from healmon.clock import ManualClock
from healmon.errors import SpawnError, VetoError
from healmon.world import system_shims
from healmon.world.processes import Ended, Identity, Launch, Processes
from healmon.world.shims import Grant, Shim, ShimOrder, Shims
from healmon.world.simulated.processes import Program, SimulatedProcesses
from healmon.world.simulated.shims import SimulatedShims
from tests.helpers.shimfarm import DAEMON, PYTHON, Farm
from tests.helpers.wait import until

MISSING = "/no/such/program"
PROGRAMS = {
    "stays": ("/bin/sleep", "600"),
    "exits 7": ("/bin/sh", "-c", "exit 7"),
    "done": ("/bin/true",),
    "daemon": (*PYTHON, DAEMON),
    "missing": (MISSING,),
    "nothing": (),
    "family": ("/bin/sh", "-c", "sleep 600 & exec sleep 601"),
}
BEHAVIOUR = {
    "exits 7": Program(lives=0.0, end=Ended(code=7)),
    "done": Program(lives=0.0),
    "daemon": Program(lives=0.0, leaves=Program()),
    "missing": Program(refuses=SpawnError(f"cannot run {MISSING}: no such program")),
}
SEVEN = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("ready", flush=True)
time.sleep(600)
"""
"""A program that exits with 7 when it is told to end."""


class World(Protocol):
    """A place to try shims in."""

    shims: Shims
    processes: Processes

    def start(self, kind: str, name: str = "w", number: int = 1) -> Shim:
        """Start a program of `PROGRAMS`."""
        ...

    def rival(self, kind: str, name: str = "w") -> Shim:
        """Start a program of `PROGRAMS` from another state directory, as the one copy of it."""
        ...

    def grant(self, kind: str, worker: Identity, number: int, but: tuple[int, ...] = ()) -> None:
        """Grant that a program of `PROGRAMS` is started when a worker ends."""
        ...

    def family(self) -> tuple[Shim, Identity]:
        """Start a worker with a child."""
        ...

    def server(self) -> tuple[Shim, Identity]:
        """Start a worker that starts a tmux server."""
        ...

    def place(self, name: str = "w") -> str:
        """Return the folder of a worker."""
        ...

    def below(self, shim: Shim) -> list[Identity]:
        """Return who has the shim for a parent."""
        ...

    def daemon(self, shim: Shim) -> Identity | None:
        """Return the daemon that a program left, once it is alone below the shim."""
        ...

    def log_of(self, size: int) -> str:
        """Return the path of a log of so many bytes."""
        ...


def elsewhere(order: ShimOrder, number: int) -> ShimOrder:
    """Return an order as the healer of another state directory gives it."""
    return replace(order, folder=f"{order.folder}/{number}/w", sole=True)


class RealWorld(Farm):
    _rivals = 0

    def start(self, kind: str, name: str = "w", number: int = 1) -> Shim:
        return Farm.start(self, *PROGRAMS[kind], name=name, number=number)

    def rival(self, kind: str, name: str = "w") -> Shim:
        order = self.order(*PROGRAMS[kind], cwd=str(self.folder), name=name)
        self._rivals += 1
        return self.shims.start(elsewhere(order, self._rivals))

    def grant(self, kind: str, worker: Identity, number: int, but: tuple[int, ...] = ()) -> None:
        order = self.order(*PROGRAMS[kind], number=number)
        self.shims.grant(Grant(order=order, worker=worker, but=but))

    def family(self) -> tuple[Shim, Identity]:
        shim = self.start("family")

        def child() -> Identity | None:
            found = [f for f in self.processes.everyone() if f.parent == shim.worker.pid]
            return next((f.identity for f in found if f.command == ("sleep", "600")), None)

        return shim, until(child, what="the child")

    def server(self) -> tuple[Shim, Identity]:
        with tempfile.TemporaryDirectory(prefix="hm-") as short:  # a socket's path has a limit
            tmux = f"env -u TMUX tmux -f /dev/null -S {short}/s new-session -d 'sleep 600'"
            shim = Farm.start(self, "/bin/sh", "-c", f"{tmux}; exec sleep 601")

            def child() -> Identity | None:
                found = [f for f in self.processes.everyone() if f.parent == shim.shim.pid]
                return next((f.identity for f in found if f.name == "tmux: server"), None)

            def settled() -> bool:
                # a server whose client has not come through yet ends with it
                worker = self.processes.inspect(shim.worker)
                return worker is not None and worker.command == ("sleep", "601")

            until(settled, what="the end of the client")
            return shim, until(child, what="the server")

    def log_of(self, size: int) -> str:
        path = self.log("big")
        path.write_bytes(b"a line of a log\n" * (size // 16))
        return str(path)


class SimulatedWorld:
    def __init__(self) -> None:
        clock = ManualClock()
        self._rivals = 0
        self.processes = SimulatedProcesses(clock)
        self.shims = SimulatedShims(self.processes, clock)
        self.processes.behave = lambda launch: next(
            (
                BEHAVIOUR[kind]
                for kind, argv in PROGRAMS.items()
                if argv == launch.argv and kind in BEHAVIOUR
            ),
            Program(),
        )

    def start(self, kind: str, name: str = "w", number: int = 1) -> Shim:
        return self.shims.start(self.order(kind, name, number))

    def rival(self, kind: str, name: str = "w") -> Shim:
        self._rivals += 1
        return self.shims.start(elsewhere(self.order(kind, name), self._rivals))

    def order(self, kind: str, name: str = "w", number: int = 1) -> ShimOrder:
        launch = Launch(argv=PROGRAMS[kind], log_path=f"{name}.log")
        return ShimOrder(launch=launch, folder=self.place(name), number=number)

    def grant(self, kind: str, worker: Identity, number: int, but: tuple[int, ...] = ()) -> None:
        order = self.order(kind, number=number)
        self.shims.grant(Grant(order=order, worker=worker, but=but))

    def family(self) -> tuple[Shim, Identity]:
        shim = self.start("family")
        return shim, self.processes.add(("sleep", "600"), parent=shim.worker.pid)

    def server(self) -> tuple[Shim, Identity]:
        shim = self.start("stays")
        return shim, self.processes.add(("tmux: server",), parent=shim.shim.pid)

    def place(self, name: str = "w") -> str:
        return f"/state/workers/{name}"

    def below(self, shim: Shim) -> list[Identity]:
        return [f.identity for f in self.processes.everyone() if f.parent == shim.shim.pid]

    def daemon(self, shim: Shim) -> Identity | None:
        alone = self.below(shim)
        return alone[0] if len(alone) == 1 else None

    def log_of(self, size: int) -> str:
        self.shims.logs["/big.log"] = size
        return "/big.log"


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealWorld]:
    world = RealWorld(tmp_path, monkeypatch.setenv)
    try:
        yield world
    finally:
        world.close()


@pytest.fixture(params=["real", "simulated"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "real":
        return request.getfixturevalue("real")
    return SimulatedWorld()


def look(world: World, name: str = "w") -> Shim:
    shim = world.shims.look(world.place(name))
    assert shim is not None
    return shim


def over(world: World, name: str = "w") -> Shim:
    until(lambda: not look(world, name).locked, what="the end of all of it")
    return look(world, name)


def gone(world: World, identity: Identity) -> None:
    until(lambda: world.processes.ended(identity), what="an end")


def test_a_started_worker_lives_below_its_shim_and_is_on_record(world: World) -> None:
    shim = world.start("stays", number=3)
    assert (shim.number, shim.alive, shim.locked, shim.ends) == (3, True, True, ())
    assert look(world) == shim
    worker, above = (world.processes.inspect(one) for one in (shim.worker, shim.shim))
    assert worker is not None
    assert above is not None
    assert worker.parent == shim.shim.pid
    assert above.parent != shim.worker.pid
    assert worker.session == worker.group == shim.shim.pid == above.session == above.group
    assert world.below(shim) == [shim.worker]


def test_where_nothing_was_ever_started_stands_nothing(world: World) -> None:
    assert world.shims.look(world.place("nobody")) is None


@pytest.mark.parametrize(("kind", "code"), [("exits 7", 7), ("done", 0)])
def test_an_exit_code_stands_there_for_whoever_comes(world: World, kind: str, code: int) -> None:
    worker = world.start(kind).worker
    shim = over(world)
    (end,) = shim.ends
    assert (end.identity, end.ended, end.main, end.oom) == (worker, Ended(code=code), True, False)
    assert end.wall >= shim.wall
    assert end.max_rss > 0
    assert (shim.alive, shim.worker) == (False, worker)
    gone(world, shim.shim)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_deadly_signal_stands_there(world: World, number: int) -> None:
    shim = world.start("stays")
    world.processes.signal(shim.worker, number)
    (end,) = over(world).ends
    assert (end.identity, end.ended) == (shim.worker, Ended(signal=number))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a look wait for the shim however busy the machine is."""
    monkeypatch.setattr(system_shims, "WRITING", 30.0)


@pytest.mark.usefixtures("patient")
def test_an_end_that_was_noticed_is_told_at_once(world: World) -> None:
    shim = world.start("stays")
    world.processes.signal(shim.worker, signal.SIGKILL)
    gone(world, shim.worker)
    assert [end.ended for end in look(world).ends] == [Ended(signal=signal.SIGKILL)]


def test_whoever_is_not_our_child_ends_without_a_code_but_for_the_record(world: World) -> None:
    shim = world.start("stays")
    world.processes.signal(shim.worker, signal.SIGKILL)
    gone(world, shim.worker)
    assert world.processes.ended(shim.worker) == Ended()


def test_a_second_copy_is_refused_by_name_and_nothing_is_started(world: World) -> None:
    shim = world.start("stays")
    with pytest.raises(VetoError, match=f"one copy lives already: pid {shim.worker.pid}"):
        world.start("stays", number=2)
    assert look(world) == shim
    assert world.below(shim) == [shim.worker]


def test_the_one_copy_of_a_host_is_one_over_all_folders(world: World) -> None:
    shim = world.rival("stays")
    with pytest.raises(VetoError, match=f"one copy lives already: pid {shim.worker.pid}"):
        world.rival("stays")
    world.rival("family")
    world.processes.signal(shim.worker, signal.SIGKILL)
    until(lambda: world.processes.ended(shim.worker) is not None, what="its end")
    world.rival("stays")


def test_two_workers_do_not_know_of_each_other(world: World) -> None:
    one, other = world.start("stays", "one"), world.start("stays", "other")
    world.processes.signal(one.worker, signal.SIGKILL)
    over(world, "one")
    assert look(world, "other") == other


def test_after_its_end_it_can_be_started_again_and_earlier_ends_stay(world: World) -> None:
    first = world.start("exits 7").worker
    over(world)
    second = world.start("stays", number=2)
    assert look(world).number == 2
    assert look(world).worker == second.worker != first
    assert [(end.identity, end.ended) for end in look(world).ends] == [(first, Ended(code=7))]
    world.processes.signal(second.worker, signal.SIGKILL)
    over(world)
    assert [end.identity for end in look(world).ends] == [first, second.worker]


def test_a_start_right_after_an_end_is_not_refused(world: World) -> None:
    shim = world.start("stays")
    for number in range(2, 12):
        world.processes.signal(shim.worker, signal.SIGKILL)
        gone(world, shim.worker)
        shim = world.start("stays", number=number)
    world.processes.signal(shim.worker, signal.SIGKILL)
    assert len(over(world).ends) == 11


def test_a_daemon_stays_below_the_shim_and_its_end_is_told(world: World) -> None:
    shim = world.start("daemon")
    until(lambda: look(world).ends, what="the end of the program")
    main = look(world).ends[0]
    assert (main.identity, main.ended, main.main) == (shim.worker, Ended(code=0), True)
    assert (look(world).alive, look(world).locked) == (True, True)
    daemon = until(lambda: world.daemon(shim), what="one daemon")
    with pytest.raises(VetoError, match=f"pid {daemon.pid}"):
        world.start("daemon", number=2)
    world.processes.signal(daemon, signal.SIGKILL)
    end = over(world).ends[-1]
    assert (end.identity, end.ended, end.main) == (daemon, Ended(signal=signal.SIGKILL), False)
    gone(world, shim.shim)


def test_a_child_that_outlives_the_worker_holds_the_lock(world: World) -> None:
    shim, child = world.family()
    world.processes.signal(shim.worker, signal.SIGKILL)
    until(lambda: look(world).ends, what="the end of the worker")
    assert child in world.below(shim)
    with pytest.raises(VetoError, match=f"pid {child.pid}"):
        world.start("stays", number=2)
    for orphan in world.below(shim):
        world.processes.signal(orphan, signal.SIGKILL)
    assert over(world).ends[-1].main is False
    assert world.start("stays", number=2).number == 2


def test_a_killed_shim_harms_no_worker_and_no_second_copy_comes_of_it(world: World) -> None:
    shim, child = world.family()
    world.processes.signal(shim.shim, signal.SIGKILL)
    gone(world, shim.shim)
    assert (look(world).alive, look(world).locked) == (False, True)
    assert world.processes.ended(shim.worker) is None
    with pytest.raises(VetoError, match=f"pid {shim.worker.pid}"):
        world.start("stays", number=2)
    world.processes.signal(shim.worker, signal.SIGKILL)
    gone(world, shim.worker)
    assert look(world).locked is True
    with pytest.raises(VetoError, match=f"pid {child.pid}"):
        world.start("stays", number=2)
    world.processes.signal(child, signal.SIGKILL)
    assert over(world).ends == ()
    assert world.start("stays", number=2).number == 2


def test_a_program_that_cannot_be_run_leaves_nothing_behind(world: World) -> None:
    for kind in ("missing", "nothing"):
        with pytest.raises(SpawnError) as caught:
            world.start(kind)
        assert caught.value.host_fault is False
    assert world.shims.look(world.place()) is None
    assert world.start("stays").number == 1


def test_a_log_is_trimmed_only_above_its_limit(world: World) -> None:
    log = world.log_of(1_000_000)
    assert world.shims.trim(log, 1_000_000) == 0
    freed = world.shims.trim(log, 400_000)
    assert 800_000 - 8192 <= freed <= 800_000
    assert world.shims.trim(log, 400_000) == 0
    assert world.shims.trim(f"{log}.none", 400_000) == 0


def test_sent_away_it_leaves_all_workers(world: World) -> None:
    shim = world.start("stays")
    world.shims.close()
    assert look(world) == shim
    world.processes.signal(shim.worker, signal.SIGTERM)
    assert over(world).ends[-1].ended == Ended(signal=signal.SIGTERM)


def test_a_tmux_server_below_the_shim_is_no_copy_of_the_worker(world: World) -> None:
    shim, server = world.server()
    assert (look(world).alive, look(world).locked) == (True, True)
    with pytest.raises(VetoError, match=f"pid {shim.worker.pid}"):
        world.start("stays", number=2)
    world.processes.signal(shim.worker, signal.SIGKILL)
    gone(world, shim.worker)
    until(lambda: not look(world).locked, what="the lock that is nobody's")
    assert look(world).alive is False
    second = world.start("stays", number=2)
    assert (look(world).worker, look(world).locked) == (second.worker, True)
    with pytest.raises(VetoError, match=f"pid {second.worker.pid}"):
        world.start("stays", number=3)
    assert world.processes.inspect(server) is not None, "whose work it holds is not disturbed"
    world.processes.signal(second.worker, signal.SIGKILL)
    until(lambda: not look(world).locked, what="the end of the second")
    assert look(world).ends[-1].identity == second.worker
    world.processes.signal(server, signal.SIGKILL)
    gone(world, shim.shim)


def test_a_lock_that_was_set_aside_by_a_healmon_that_was_killed_then_blocks_nobody(
    real: RealWorld,
) -> None:
    shim, server = real.server()
    real.processes.signal(shim.worker, signal.SIGKILL)
    gone(real, shim.worker)
    Path(real.place(), "instance.lock").unlink()
    until(lambda: not look(real).locked, what="the lock that is nobody's")
    second = real.start("stays", number=2)
    assert (look(real).worker, look(real).locked) == (second.worker, True)
    assert real.processes.inspect(server) is not None
    real.processes.signal(second.worker, signal.SIGKILL)
    real.processes.signal(server, signal.SIGKILL)
    gone(real, shim.shim)


# A start that was granted beforehand.


def again(world: World, before: Shim) -> Shim:
    """Wait until the shim has started its program again."""
    until(lambda: look(world).worker != before.worker, what="another process")
    return look(world)


def test_a_granted_start_is_made_at_once_by_the_same_shim(world: World) -> None:
    before = world.start("stays")
    world.grant("stays", before.worker, number=2)
    assert look(world) == before, "as long as it lives nothing happens"
    world.processes.signal(before.worker, signal.SIGKILL)
    after = again(world, before)
    assert (after.number, after.shim, after.alive, after.locked) == (2, before.shim, True, True)
    assert after.former is not None
    assert (after.former.identity, after.former.ended) == (before.worker, Ended(signal=9))
    assert [(end.identity, end.main) for end in after.ends] == [(before.worker, True)]
    assert world.below(after) == [after.worker]
    with pytest.raises(VetoError, match=f"one copy lives already: pid {after.worker.pid}"):
        world.start("stays", number=3)


@pytest.mark.usefixtures("patient")
def test_an_end_that_was_noticed_is_never_told_without_the_start_after_it(world: World) -> None:
    shim = world.start("stays")
    for number in range(2, 12):
        world.grant("stays", shim.worker, number)
        world.processes.signal(shim.worker, signal.SIGKILL)
        gone(world, shim.worker)
        now = look(world)
        assert (now.number, now.alive, now.locked) == (number, True, True)
        assert now.former is not None
        assert now.ends[-1] == now.former
        assert now.former.identity == shim.worker
        shim = now


def test_a_grant_is_for_one_start(world: World) -> None:
    before = world.start("stays")
    world.grant("stays", before.worker, number=2)
    world.processes.signal(before.worker, signal.SIGKILL)
    after = again(world, before)
    assert world.shims.revoke(world.place()) is False, "it has been used"
    world.processes.signal(after.worker, signal.SIGTERM)
    ended = over(world)
    assert [end.identity for end in ended.ends] == [before.worker, after.worker]
    gone(world, ended.shim)
    assert world.start("stays", number=3).number == 3


def test_what_was_taken_back_is_not_used(world: World) -> None:
    shim = world.start("stays")
    world.grant("stays", shim.worker, number=2)
    assert world.shims.revoke(world.place()) is True
    assert world.shims.revoke(world.place()) is False
    world.processes.signal(shim.worker, signal.SIGKILL)
    assert over(world).number == 1


def test_a_grant_is_for_the_end_of_one_process(world: World) -> None:
    first = world.start("stays")
    world.grant("stays", Identity(first.worker.boot, first.worker.pid, 1), number=2)
    world.processes.signal(first.worker, signal.SIGKILL)
    assert over(world).number == 1
    second = world.start("stays", number=2)
    world.processes.signal(second.worker, signal.SIGKILL)
    assert over(world).number == 2


@pytest.mark.parametrize(("but", "number"), [((0, 7), 1), ((0, 6), 2), ((), 2)])
def test_after_an_exit_code_that_is_excepted_nothing_is_started(
    real: RealWorld, but: tuple[int, ...], number: int
) -> None:
    shim = Farm.start(real, *PYTHON, SEVEN)
    until(lambda: "ready" in real.output(), what="its readiness")
    order = real.order(*PYTHON, SEVEN, number=2)
    real.shims.grant(Grant(order=order, worker=shim.worker, but=but))
    real.kill(shim.worker, signal.SIGTERM)
    if number == 1:
        assert over(real).ends[-1].ended == Ended(code=7)
    else:
        assert again(real, shim).number == 2


def test_while_something_is_left_of_the_worker_nothing_is_started(world: World) -> None:
    shim, child = world.family()
    world.grant("family", shim.worker, number=2)
    world.processes.signal(shim.worker, signal.SIGKILL)
    until(lambda: look(world).ends, what="the end of the worker")
    assert (look(world).number, look(world).worker) == (1, shim.worker)
    assert child in world.below(shim)
    assert world.shims.revoke(world.place()) is True
    world.processes.signal(child, signal.SIGKILL)
    for orphan in world.below(shim):
        world.processes.signal(orphan, signal.SIGKILL)
    over(world)


def test_another_order_than_it_was_given_is_none_of_the_shims(world: World) -> None:
    shim = world.start("stays")
    world.grant("exits 7", shim.worker, number=2)
    world.processes.signal(shim.worker, signal.SIGKILL)
    assert over(world).number == 1


def test_what_cannot_be_run_is_not_granted(world: World) -> None:
    shim = world.start("stays")
    with pytest.raises(SpawnError):
        world.grant("nothing", shim.worker, number=2)
    assert world.shims.revoke(world.place()) is False


def test_nothing_is_to_be_taken_back_where_nothing_was_started(world: World) -> None:
    assert world.shims.revoke(world.place("nobody")) is False
