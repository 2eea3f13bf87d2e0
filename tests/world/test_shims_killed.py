"""Shims under fire: many at once, everybody killed, and a host that lacks what they need."""

from __future__ import annotations

import errno
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from healmon.errors import ProbeError, SpawnError, VetoError
from healmon.world import instancelock, nurseryline
from healmon.world.processes import Ended, Identity
from healmon.world.shims import Grant, Shim
from healmon.world.system_processes import SystemProcesses
from tests.helpers.shimfarm import PYTHON, SLEEP, Farm, alive, farming, name_of
from tests.helpers.wait import until

ROOT = os.geteuid() == 0


@pytest.fixture
def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Farm]:
    with farming(tmp_path, monkeypatch.setenv) as farm:
        yield farm


# Many at once, and whoever is killed.


@pytest.mark.slow
def test_of_fifty_starts_at_once_exactly_one_runs(farm: Farm) -> None:
    doors = [farm.door(60.0) for _ in range(3)]

    def go(n: int) -> str:
        try:
            return str(doors[n % 3].start(farm.order(*PYTHON, SLEEP, number=n)).number)
        except VetoError as error:
            return str(error)

    with ThreadPoolExecutor(50) as pool:
        said = list(pool.map(go, range(50)))
    started = [word for word in said if word.isdecimal()]
    assert len(started) == 1
    assert all("one copy lives already" in word for word in said if not word.isdecimal())
    assert str(farm.look().number) == started[0]
    assert farm.sleepers() == [farm.look().worker.pid]


HEALER = f"""
import sys
from healmon.world.processes import Launch
from healmon.world.shims import ShimOrder
from healmon.world.system_shims import SystemShims
shims, base = SystemShims(), sys.argv[1]
for number in range(1, 40):
    launch = Launch(argv={(*PYTHON, SLEEP)!r}, log_path=f"{{base}}/log", cwd="/")
    shims.start(ShimOrder(launch=launch, folder=f"{{base}}/workers/{{number}}", number=number))
    print(number, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_healmon_killed_at_any_moment_leaves_workers_that_can_be_found(
    farm: Farm, seed: int
) -> None:
    chance = random.Random(seed)
    with subprocess.Popen(
        [sys.executable, "-c", HEALER, str(farm.folder)], stdout=subprocess.PIPE
    ) as healer:
        assert healer.stdout is not None
        for _ in range(chance.randrange(1, 12)):
            healer.stdout.readline()
        threading.Event().wait(chance.random() * 0.004)
        healer.kill()
    # the nursery and the shim in waiting go with it; all other shims and workers stay
    until(lambda: names(farm).count("healmon-nursery") == 0, what="the end of the nursery")
    until(lambda: names(farm).count("healmon-shim") == len(farm.sleepers()), what="shims at rest")
    # a program runs a moment before its shim has written down that it does
    living = until(lambda: recorded(farm), what="all that run on record")
    for name, shim in living.items():
        if shim.locked:
            with pytest.raises(VetoError):
                farm.run(SLEEP, name=name, number=99)
            farm.kill(shim.worker)
            assert farm.over(name).ends[-1].ended == Ended(signal=9)
        assert farm.run(SLEEP, name=name, number=100).number == 100


def recorded(farm: Farm) -> dict[str, Shim]:
    """Return what stands in all folders, once all workers that run stand there; else nothing."""
    folders = [p.name for p in (farm.folder / "workers").iterdir()]
    try:
        living = {name: shim for name in folders if (shim := farm.shims.look(farm.place(name)))}
    except ProbeError:
        return {}
    told = sorted(shim.worker.pid for shim in living.values() if shim.locked)
    return living if told == sorted(farm.sleepers()) else {}


def names(farm: Farm) -> list[str]:
    return [name_of(pid) for pid in farm.marked()]


@pytest.mark.slow
def test_a_nursery_that_is_killed_over_and_over_harms_nobody(farm: Farm) -> None:
    chance, done, began = random.Random(7), threading.Event(), time.monotonic()
    farm.run(SLEEP, name="before")
    # some nurseries must come to a start, however busy the machine
    pace = max(0.05, 2 * (time.monotonic() - began))

    def kill() -> int:
        count = 0
        while not done.wait(chance.random() * pace):
            pid = farm.shims._line.pid
            if pid is not None and alive(pid):
                os.kill(pid, signal.SIGKILL)
                count += 1
        return count

    def go(n: int) -> bool:
        try:
            farm.run(SLEEP, name=str(n), number=n)
        except SpawnError as error:
            if not error.host_fault:
                raise
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        killer = pool.submit(kill)
        try:
            started = list(map(go, range(60)))
        finally:
            done.set()
        assert killer.result() > 0
    assert sum(started) > 0
    workers = {farm.look(str(n)).worker.pid for n, up in enumerate(started) if up}
    until(lambda: workers <= set(farm.sleepers()), what="all that were started")
    assert all(farm.look(str(n)).alive for n, up in enumerate(started) if up)
    # one that was not answered may have begun all the same: then it is on record in a moment
    assert until(lambda: recorded(farm), what="all that run on record")
    assert farm.run(SLEEP, name="last").alive


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_a_shim_killed_at_any_moment_leaves_one_copy_at_most(farm: Farm, seed: int) -> None:
    chance = random.Random(seed)
    farm.run(SLEEP, name="first")
    victim = farm.in_waiting()
    timer = threading.Timer(chance.random() * 0.004, os.kill, (victim, signal.SIGKILL))
    timer.start()
    try:
        started = farm.run(SLEEP).worker.pid
    except SpawnError as error:
        if not error.host_fault:
            raise
        started = 0
    timer.join()
    until(lambda: not alive(victim), what="the end of the shim")
    first = farm.look("first").worker.pid
    if started:
        until(lambda: started in farm.sleepers(), what="its command line, a moment after exec")

    def others() -> list[int]:
        return [pid for pid in farm.sleepers() if pid != first]

    lock = str(Path(farm.place(), instancelock.NAME))
    until(lambda: others() or not instancelock.held(lock), what="its exec, if there is one")
    copies = others()
    assert len(copies) <= 1
    assert not started or copies == [started]
    if copies:
        with pytest.raises(VetoError, match=f"pid {copies[0]}"):
            farm.run(SLEEP, number=2)
    else:
        assert farm.run(SLEEP, number=2).number == 2


# The nursery.


GIVER = f"""
import sys
from healmon.world.processes import Identity, Launch
from healmon.world.shims import Grant, ShimOrder
from healmon.world.system_shims import SystemShims
log, folder, boot, pid, ticks = sys.argv[1:]
order = ShimOrder(
    launch=Launch(argv={(*PYTHON, SLEEP)!r}, log_path=log, cwd="/"), folder=folder, number=2
)
SystemShims().grant(Grant(order=order, worker=Identity(boot, int(pid), int(ticks))))
print("given", flush=True)
sys.stdin.read()
"""


def giver(farm: Farm, worker: Identity) -> subprocess.Popen[bytes]:
    """Return another healmon, that has granted the next start of a worker."""
    who = (worker.boot, str(worker.pid), str(worker.ticks))
    argv = [sys.executable, "-c", GIVER, str(farm.log()), farm.place(), *who]
    made = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=dict(os.environ),  # without what libraries have added: both must have the same
    )
    assert made.stdout is not None
    assert made.stdout.readline() == b"given\n"
    return made


@pytest.mark.slow
@pytest.mark.parametrize("reaped", [True, False])
def test_a_grant_ends_with_the_healmon_that_gave_it(farm: Farm, reaped: bool) -> None:
    shim = farm.run(SLEEP)
    with giver(farm, shim.worker) as healmon:
        healmon.kill()
        until(lambda: not alive(healmon.pid), what="its end")
        if reaped:
            healmon.wait()
        farm.kill(shim.worker)
        assert farm.over().number == 1
    assert farm.sleepers() == []


@pytest.mark.slow
def test_a_grant_holds_while_the_healmon_that_gave_it_lives(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONCOERCECLOCALE", "0")
    shim = farm.run(SLEEP)
    with giver(farm, shim.worker) as healmon:
        farm.kill(shim.worker)
        until(lambda: farm.look().number == 2, what="the next start")
        healmon.kill()
    assert farm.sleepers() == [farm.look().worker.pid]


WITNESS = """
import fcntl, os, time
lock = os.open(FOLDER + "/witness", os.O_RDWR | os.O_CREAT)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    os.close(os.open(FOLDER + "/violation", os.O_CREAT))
time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_shim_killed_or_grant_taken_back_at_any_moment_there_is_one_copy_at_most(
    farm: Farm, seed: int
) -> None:
    chance, code = random.Random(seed), WITNESS.replace("FOLDER", repr(str(farm.folder)))
    shim = farm.run(code)
    used = 0
    for number in range(2, 80, 2):
        order = farm.order(*PYTHON, code, number=number)
        farm.shims.grant(Grant(order=order, worker=shim.worker))
        farm.kill(shim.worker)
        threading.Event().wait(chance.random() * 0.002)
        if chance.random() < 0.5:
            farm.kill(shim.shim)
        taken = farm.shims.revoke(farm.place())
        until(lambda old=shim.worker: not farm.lives(old), what="the end of the old one")
        try:
            shim = farm.run(code, number=number + 1)
            assert shim.number == number + 1
        except VetoError:
            assert not taken, "what was taken back was not used"
            used += 1
            if farm.look().number != number:
                # killed before it could write down what it had started, or about to
                until(lambda: witnesses(farm) or not farm.look().locked, what="its exec")
                for left in witnesses(farm):
                    os.kill(left, signal.SIGKILL)
                farm.over()
                farm.run(code, number=number + 1)
            shim = farm.look()
        assert not (farm.folder / "violation").exists(), f"two copies at start {number}"
        # a start by leave is written down before its program runs
        until(lambda: len(witnesses(farm)) == 1, what="the one copy")
    assert used > 0


def witnesses(farm: Farm) -> list[int]:
    def argv(pid: int) -> bytes:
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return b""

    return [pid for pid in farm.marked() if b"/witness" in argv(pid)]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        b"1 2 3 4 5 6 7 8",
        b"1 1 {pid} {ticks} five {digest} -",
        b"\xff" * 9000,
        b"a " * 7,
    ],
)
def test_a_grant_that_says_nothing_grants_nothing(farm: Farm, content: bytes) -> None:
    shim = farm.run(SLEEP)
    farm.shims.grant(Grant(order=farm.order(*PYTHON, SLEEP, number=2), worker=shim.worker))
    path = Path(farm.place(), "grant")
    digest = path.read_bytes().split()[5]
    content = content.replace(b"{pid}", b"%d" % shim.worker.pid).replace(b"{digest}", digest)
    path.write_bytes(content.replace(b"{ticks}", b"%d" % shim.worker.ticks))
    farm.kill(shim.worker)
    over = farm.over()
    assert (over.number, over.ends[-1].ended) == (1, Ended(signal=9))


def test_a_granted_program_that_is_gone_is_told_like_any_end(farm: Farm) -> None:
    program = farm.folder / "program"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    shim = farm.start(str(program))
    farm.shims.grant(Grant(order=farm.order(str(program), number=2), worker=shim.worker))
    program.unlink()
    farm.kill(shim.worker)
    over = farm.over()
    assert (over.number, over.ends[-1].ended) == (1, Ended(signal=9))
    with pytest.raises(SpawnError, match="no such program"):
        farm.start(str(program), number=2)


def test_where_the_output_of_a_granted_start_begins_is_told(farm: Farm) -> None:
    code = f"print('x' * 99, flush=True); {SLEEP}"
    shim = farm.run(code)
    until(lambda: len(farm.output()) == 100, what="its output")
    farm.shims.grant(Grant(order=farm.order(*PYTHON, code, number=2), worker=shim.worker))
    farm.kill(shim.worker)
    until(lambda: farm.look().number == 2, what="the next start")
    assert farm.look().log_offset == 100
    until(lambda: len(farm.output()) == 200, what="more output")


def test_no_zombie_stays_and_the_nursery_goes_with_its_line(farm: Farm) -> None:
    for n in range(5):
        farm.start("/bin/true", name=str(n))
    for n in range(5):
        farm.over(str(n))
    nursery = farm.nursery()
    until(lambda: states(nursery) == ["S"], what="one shim in waiting and no zombie")
    farm.shims.close()
    assert not alive(nursery)
    until(lambda: farm.marked() == [], what="the end of all of it")
    with pytest.raises(SpawnError, match="sent away") as caught:
        farm.start("/bin/true")
    assert caught.value.host_fault


def test_a_nursery_that_died_is_taken_leave_of_by_the_next_look(farm: Farm) -> None:
    shim = farm.run(SLEEP)
    nursery = farm.nursery()
    os.kill(nursery, signal.SIGKILL)
    until(lambda: not alive(nursery), what="its end")
    assert farm.look() == shim
    assert not Path(f"/proc/{nursery}").exists()
    assert farm.run(SLEEP, name="other").alive


def states(parent: int) -> list[str]:
    found = [f.state for f in SystemProcesses().everyone() if f.parent == parent]
    return ["S" if state in "RSD" else state for state in found]


def test_a_stopped_nursery_is_replaced_and_nothing_is_started_late(farm: Farm) -> None:
    door = farm.door()
    first = door.start(farm.order("/bin/true", name="first"))
    door._line._deadline = 0.5
    # what was just taken out of waiting looks like one that waits, until it is over
    until(lambda: not farm.lives(first.shim), what="the end of the first")
    nursery, waiting = farm.nursery(door), farm.in_waiting(door)
    os.kill(nursery, signal.SIGSTOP)
    os.kill(waiting, signal.SIGSTOP)
    with pytest.raises(SpawnError, match=r"within 0\.5 s") as caught:
        door.start(farm.order(*PYTHON, SLEEP))
    assert caught.value.host_fault is True
    assert not alive(nursery)
    assert farm.start(*PYTHON, SLEEP, name="second").alive
    assert door._line.pid is None
    os.kill(waiting, signal.SIGCONT)
    until(lambda: not alive(waiting), what="the end of the one that was stopped")
    assert farm.sleepers() == [farm.look("second").worker.pid]
    assert farm.shims.look(farm.place()) is None


def test_a_nursery_that_cannot_be_had_is_the_hosts_fault(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(SpawnError, match="no shim can be had: No such file") as caught:
        farm.start("/bin/true")
    assert caught.value.host_fault is True
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(SpawnError, match="the nursery dies instead") as caught:
        farm.start("/bin/true")
    assert caught.value.host_fault is True
    monkeypatch.undo()
    monkeypatch.setenv("HEALMON_TEST_FARM", str(farm.folder))
    assert farm.start("/bin/true").number == 1


def test_too_many_open_files_are_the_hosts_fault(farm: Farm) -> None:
    farm.start("/bin/true")
    farm.over()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open("/dev/null", os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, hard))
    try:
        with pytest.raises(SpawnError) as caught:
            farm.start("/bin/true", number=2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert caught.value.host_fault is True
    assert farm.start("/bin/true", number=2).number == 2


def test_too_many_processes_are_the_hosts_fault(farm: Farm) -> None:
    cgroup = make_cgroup(farm, "pids")
    first = farm.start("/bin/true")
    # what was just taken out of waiting looks like one that waits, until it is over
    until(lambda: not farm.lives(first.shim), what="the end of the first")
    (cgroup / "cgroup.procs").write_text(str(farm.nursery()))
    (cgroup / "cgroup.procs").write_text(str(farm.in_waiting()))
    (cgroup / "pids.max").write_text("2")
    with pytest.raises(SpawnError, match="Resource temporarily unavailable") as caught:
        farm.start("/bin/true", number=2)
    assert caught.value.host_fault is True
    (cgroup / "pids.max").write_text("max")
    assert farm.start("/bin/true", number=2).number == 2


def make_cgroup(farm: Farm, controller: str) -> Path:
    """Return a control group of the farm's own; skips where there can be none."""
    for base in (Path("/sys/fs/cgroup") / controller, Path("/sys/fs/cgroup")):
        group = base / f"healmon-test-{os.getpid()}-{controller}"
        wanted = {"pids": "pids.max", "memory": "memory.limit_in_bytes"}[controller]
        try:
            group.mkdir()
        except OSError:
            continue
        farm.groups.append(group)
        for name in (wanted, "memory.max") if controller == "memory" else (wanted,):
            if (group / name).exists():
                return group
    pytest.skip(f"no control group for {controller} can be had here")
    raise AssertionError


@pytest.mark.slow
def test_a_kill_for_want_of_memory_is_told(farm: Farm) -> None:
    group = make_cgroup(farm, "memory")
    limit = next(p for n in ("memory.max", "memory.limit_in_bytes") if (p := group / n).exists())
    limit.write_text("64M")
    hog = "kept = []\nwhile True: kept.append(bytearray(1_000_000))"
    farm.start("/bin/sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh", *PYTHON, hog)
    until(lambda: not farm.look().locked, limit=60, what="the kernel's kill")
    (end,) = farm.look().ends
    assert end.ended == Ended(signal=9)
    assert end.oom is True
    farm.start("/bin/false", number=2)
    assert farm.over().ends[-1].oom is False


@pytest.mark.skipif(not ROOT, reason="mounting a small file system needs root")
def test_a_full_disk_harms_neither_worker_nor_shim_and_the_end_is_told(farm: Farm) -> None:
    small = farm.mount_small("512k")
    order = farm.order(*PYTHON, SLEEP)
    place = str(small / "w")
    shim = farm.shims.start(farm.order_of(order.launch, place))
    until(lambda: Path(place, ".ends.jsonl.new").exists(), what="room set aside")
    fill(small)
    farm.kill(shim.worker)
    until(lambda: not farm.lives(shim.shim), what="the end of the shim")
    told = farm.shims.look(place)
    assert told is not None
    assert [end.ended for end in told.ends] == [Ended(signal=9)]
    # and with no room for anything it still starts
    again = farm.shims.start(farm.order_of(order.launch, place, number=2))
    assert farm.lives(again.worker)
    assert again.number == 2


@pytest.mark.slow
@pytest.mark.skipif(not ROOT, reason="mounting a small file system needs root")
def test_a_record_that_found_no_room_is_written_once_there_is_some(farm: Farm) -> None:
    small = farm.mount_small("512k")
    place = small / "w"
    place.mkdir(mode=0o700)
    (place / "instance.lock").touch(mode=0o600)
    filler = fill(small)
    shim = farm.shims.start(farm.order_of(farm.order(*PYTHON, SLEEP).launch, str(place)))
    assert farm.lives(shim.worker)
    with pytest.raises(ProbeError, match="no record of who runs there: pid"):
        farm.shims.look(str(place))
    farm.kill(shim.worker)
    until(lambda: not farm.lives(shim.worker), what="the end of the worker")
    filler.unlink()
    until((place / "ends.jsonl").exists, limit=60, what="the record")
    until(lambda: not farm.lives(shim.shim), limit=60, what="the end of the shim")


def fill(folder: Path) -> Path:
    """Leave no byte of room on a file system."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError as error:
                assert error.errno == errno.ENOSPC  # noqa: PT017
    return filler


def test_the_nursery_loads_little() -> None:
    code = (
        "import sys\n"
        f"sys.path.append({str(Path(nurseryline.__file__).parents[2])!r})\n"
        "import healmon.world.programs.shim\n"
        "print(*sys.modules)"
    )
    out = subprocess.run([*PYTHON, code], capture_output=True, text=True, check=True)
    heavy = {
        "typing",
        "re",
        "enum",
        "json",
        "asyncio",
        "signal",
        "socket",
        "subprocess",
        "collections",
        "pathlib",
        "threading",
        "dataclasses",
    }
    assert not heavy & set(out.stdout.split())


def test_a_rehearsal_ends_as_it_should(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from healmon.world.programs import begin, shim

    order = begin.Order(shim.REHEARSAL)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(begin.Failed) as caught:
        begin.start(order, 0, lambda: False)
    assert (caught.value.step, caught.value.number) == (b"exec", errno.EACCES)
