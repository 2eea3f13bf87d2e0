"""One contract for processes, held by the machine and by its twin in memory."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from healmon.clock import ManualClock, boot_id
from healmon.errors import ProbeError, SpawnError
from healmon.world import procfs
from healmon.world.processes import AgentFile, Ended, Identity, Launch, Processes
from healmon.world.procfs import parse_stat
from healmon.world.simulated.processes import Program, SimulatedProcesses
from healmon.world.system_processes import SystemProcesses
from tests.helpers.wait import until

PYTHON = sys.executable
SLEEPER = "import time, sys; print('up', flush=True); time.sleep(300)"
DEAF = (
    "import signal, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('up', flush=True)\n"
    "time.sleep(300)\n"
)


class World(Protocol):
    """A place to try processes in."""

    processes: Processes

    def child(self, what: str = SLEEPER) -> Identity:
        """Start a program through the door and wait until it is up."""
        ...

    def stranger(self) -> Identity:
        """Let somebody start a program without us."""
        ...

    def kill(self, identity: Identity) -> None:
        """End a process behind the door's back."""
        ...

    def hearer(self) -> Identity:
        """Start a program that hears something over TCP, again and again."""
        ...

    def agent(self) -> Identity:
        """Start an agent that writes down that it is busy."""
        ...


class RealWorld:
    def __init__(self, folder: Path) -> None:
        self.processes = SystemProcesses()
        self._folder = folder
        self._started: list[Identity] = []
        self._strangers: list[subprocess.Popen] = []
        self._count = 0

    def launch(self, argv: tuple[str, ...], **more: object) -> Identity:
        self._count += 1
        log = self._folder / f"{self._count}.log"
        identity = self.processes.spawn(Launch(argv=argv, log_path=str(log), **more))
        self._started.append(identity)
        return identity

    def output(self) -> str:
        return (self._folder / f"{self._count}.log").read_text()

    def child(self, what: str = SLEEPER) -> Identity:
        identity = self.launch((PYTHON, "-c", what))
        if what in (SLEEPER, DEAF):
            until(lambda: "up" in self.output(), what="the child")
        return identity

    def stranger(self) -> Identity:
        # started by a short-lived parent, so that it is nobody's child here
        popen = f"subprocess.Popen([sys.executable, '-c', {SLEEPER!r}], stdout=-3, stderr=-3)"
        starter = f"import subprocess, sys; print({popen}.pid)"
        pid = int(subprocess.run([PYTHON, "-c", starter], capture_output=True, check=True).stdout)
        identity = until(lambda: self.processes.identify(pid), what="the stranger")
        self._started.append(identity)
        return identity

    def kill(self, identity: Identity) -> None:
        os.kill(identity.pid, signal.SIGKILL)

    def hearer(self) -> Identity:
        return self.child(
            "import socket, time\n"
            "a = socket.create_server(('127.0.0.1', 0))\n"
            "b = socket.create_connection(a.getsockname())\n"
            "c, _ = a.accept()\n"
            "while True: c.send(b'x'); b.recv(1); time.sleep(0.05)"
        )

    def agent(self) -> Identity:
        home = self._folder / "home"
        (home / ".claude" / "sessions").mkdir(parents=True)
        child = self.launch((PYTHON, "-c", SLEEPER), env={"HOME": str(home)})
        until(lambda: "up" in self.output(), what="the agent")
        said = {"pid": child.pid, "procStart": str(child.ticks), "status": "busy"}
        file = home / ".claude" / "sessions" / f"{child.pid}.json"
        file.write_text(json.dumps(said))
        return child

    def close(self) -> None:
        for identity in self._started:
            self.processes.signal(identity, signal.SIGKILL)
            until(lambda identity=identity: self.processes.ended(identity), what="an end")


class SimulatedWorld:
    def __init__(self) -> None:
        self.processes = SimulatedProcesses(ManualClock())
        self.processes.behave = self._program

    def _program(self, order: Launch) -> Program:
        what = order.argv[-1]
        if order.argv[0] == "/no/such/program":
            return Program(refuses=SpawnError("cannot run /no/such/program: no such program"))
        if what == DEAF:
            return Program(ignores=frozenset({signal.SIGTERM}))
        if "sys.exit" in what:
            return Program(lives=0.0, end=Ended(code=7))
        return Program()

    def child(self, what: str = SLEEPER) -> Identity:
        return self.processes.spawn(Launch(argv=(PYTHON, "-c", what), log_path="log"))

    def stranger(self) -> Identity:
        return self.processes.add((PYTHON, "-c", SLEEPER))

    def kill(self, identity: Identity) -> None:
        self.processes.end(identity, Ended(signal=signal.SIGKILL))

    def hearer(self) -> Identity:
        child = self.child()
        self.processes.receipts[child] = self.processes._clock.read().steady
        return child

    def agent(self) -> Identity:
        child = self.child()
        self.processes.agent_files[child] = ("claude", AgentFile(status="busy"))
        return child


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealWorld]:
    world = RealWorld(tmp_path)
    yield world
    world.close()


@pytest.fixture(params=["real", "simulated"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "real":
        return request.getfixturevalue("real")
    return SimulatedWorld()


def gone(world: World, identity: Identity) -> Ended:
    return until(lambda: world.processes.ended(identity), what="the end")


# The contract.


def test_a_live_process_is_identified_and_seen(world: World) -> None:
    child = world.child()
    facts = world.processes.inspect(child)
    assert world.processes.identify(child.pid) == child
    assert facts is not None
    assert facts.identity == child
    assert facts.command == (PYTHON, "-c", SLEEPER)
    assert facts.state in "SR"
    assert 0 <= facts.age < 60
    assert facts.rss > 1_000_000
    assert world.processes.ended(child) is None


def test_a_stranger_is_identified_and_seen(world: World) -> None:
    stranger = world.stranger()
    facts = world.processes.inspect(stranger)
    assert facts is not None
    assert facts.identity == stranger
    assert world.processes.ended(stranger) is None


def test_a_recycled_pid_is_nobody_we_know_and_gets_no_signal(world: World) -> None:
    child = world.child()
    for former in (
        Identity(child.boot, child.pid, child.ticks - 1),
        Identity("an-earlier-boot", child.pid, child.ticks),
    ):
        assert world.processes.inspect(former) is None
        assert world.processes.states([former]) == {}
        assert world.processes.origin(former) is None
        assert world.processes.signal(former, signal.SIGKILL) is False
        assert world.processes.ended(former) == Ended()
    assert world.processes.ended(child) is None


@pytest.mark.parametrize("pid", [0, -1, 2**22 + 5, 2**70])
def test_a_pid_that_cannot_be_is_nobody(world: World, pid: int) -> None:
    assert world.processes.identify(pid) is None
    assert world.processes.inspect(Identity(boot_id(), pid, 1)) is None
    assert world.processes.signal(Identity(boot_id(), pid, 1), signal.SIGKILL) is False


def test_a_signal_ends_it_and_the_end_is_told_for_ever(world: World) -> None:
    child = world.child()
    assert world.processes.signal(child, signal.SIGTERM) is True
    assert gone(world, child) == Ended(signal=signal.SIGTERM)
    assert world.processes.ended(child) == Ended(signal=signal.SIGTERM)
    assert world.processes.inspect(child) is None
    assert world.processes.identify(child.pid) is None
    assert world.processes.signal(child, signal.SIGTERM) is False


def test_the_exit_code_is_told(world: World) -> None:
    child = world.child("import sys; sys.exit(7)")
    assert gone(world, child) == Ended(code=7)
    assert str(gone(world, child)) == "exit 7"


def test_what_ignores_sigterm_falls_to_sigkill(world: World) -> None:
    child = world.child(DEAF)
    assert world.processes.signal(child, signal.SIGTERM) is True
    assert world.processes.ended(child) is None
    assert world.processes.signal(child, signal.SIGKILL) is True
    assert str(gone(world, child)) == "killed by SIGKILL"


def test_what_a_process_did_is_told_of_those_that_are_there(world: World) -> None:
    one, other = world.child(), world.child()
    world.kill(other)
    gone(world, other)
    recycled = Identity(one.boot, one.pid, one.ticks - 1)
    work = world.processes.work([one, other, recycled])
    assert work.keys() == {one}
    assert work[one].io is not None
    assert work[one].io >= 0


def test_when_a_process_last_heard_anything(world: World) -> None:
    quiet, hearer = world.child(), world.hearer()
    ages = until(lambda: world.processes.received([quiet, hearer]), what="a connection")
    assert ages.keys() == {hearer}
    assert 0 <= ages[hearer] < 30
    recycled = Identity(hearer.boot, hearer.pid, hearer.ticks - 1)
    assert world.processes.received([recycled]) == {}


def test_an_agents_own_file_is_told_only_of_that_agent(world: World) -> None:
    agent = world.agent()
    file = world.processes.agent_file(agent, "claude")
    assert file is not None
    assert file.status == "busy"
    assert world.processes.agent_file(agent, "codex") is None
    assert world.processes.agent_file(world.child(), "claude") is None
    recycled = Identity(agent.boot, agent.pid, agent.ticks - 1)
    assert world.processes.agent_file(recycled, "claude") is None


def test_signal_zero_only_asks(world: World) -> None:
    child = world.child()
    assert world.processes.signal(child, 0) is True
    assert world.processes.ended(child) is None


def test_a_stopped_process_shows_and_is_no_end(world: World) -> None:
    child = world.child()
    world.processes.signal(child, signal.SIGSTOP)
    until(lambda: state(world, child) == "T", what="the stop")
    assert world.processes.states([child]) == {child: "T"}
    assert world.processes.ended(child) is None
    world.processes.signal(child, signal.SIGCONT)
    until(lambda: state(world, child) != "T", what="going on")


def test_a_stopped_process_hears_sigterm_once_it_goes_on(world: World) -> None:
    child = world.child()
    world.processes.signal(child, signal.SIGSTOP)
    until(lambda: state(world, child) == "T", what="the stop")
    assert world.processes.signal(child, signal.SIGTERM) is True
    assert world.processes.ended(child) is None
    world.processes.signal(child, signal.SIGCONT)
    assert gone(world, child) == Ended(signal=signal.SIGTERM)


def test_what_is_started_leads_a_session_and_a_group_of_its_own(world: World) -> None:
    facts = world.processes.inspect(world.child())
    assert facts is not None
    assert facts.session == facts.group == facts.identity.pid


def state(world: World, identity: Identity) -> str:
    facts = world.processes.inspect(identity)
    return facts.state if facts is not None else ""


def test_a_strangers_end_is_told_without_a_code(world: World) -> None:
    stranger = world.stranger()
    world.kill(stranger)
    assert gone(world, stranger) == Ended()
    assert str(gone(world, stranger)) == "ended, code unknown"


@pytest.mark.parametrize("whose", ["child", "stranger"])
def test_an_end_is_noticed_once(world: World, whose: str) -> None:
    identity = world.child() if whose == "child" else world.stranger()

    async def scene() -> list[Ended | None]:
        told: list[Ended | None] = []
        event = asyncio.Event()

        def on_end() -> None:
            told.append(world.processes.ended(identity))
            event.set()

        cancel = world.processes.watch(identity, on_end)
        await asyncio.sleep(0)
        assert told == []
        world.kill(identity)
        await asyncio.wait_for(event.wait(), 30)
        for _ in range(5):
            await asyncio.sleep(0)
        cancel()
        cancel()
        return told

    expected = Ended(signal=signal.SIGKILL) if whose == "child" else Ended()
    assert asyncio.run(scene()) == [expected]


def test_watching_one_that_has_ended_tells_soon(world: World) -> None:
    child = world.child()
    world.kill(child)
    gone(world, child)

    async def scene() -> list[int]:
        told: list[int] = []
        world.processes.watch(child, lambda: told.append(1))
        assert told == []  # never from within the call
        await asyncio.sleep(0.01)
        cancelled = world.processes.watch(child, lambda: told.append(2))
        cancelled()
        await asyncio.sleep(0.01)
        return told

    assert asyncio.run(scene()) == [1]


def test_a_cancelled_watch_stays_silent(world: World) -> None:
    child = world.child()

    async def scene() -> list[int]:
        told: list[int] = []
        cancel = world.processes.watch(child, lambda: told.append(1))
        cancel()
        world.kill(child)
        await asyncio.sleep(0.05)
        return told

    assert asyncio.run(scene()) == []
    gone(world, child)


def test_a_cancel_after_the_loop_is_harmless(world: World) -> None:
    child = world.child()

    async def scene() -> object:
        return world.processes.watch(child, lambda: None)

    asyncio.run(scene())()


def test_two_may_watch_the_same_process(world: World) -> None:
    child = world.child()

    async def scene() -> set[int]:
        told: set[int] = set()
        for number in (1, 2):
            world.processes.watch(child, lambda number=number: told.add(number))
        world.kill(child)
        for _ in range(3000):
            await asyncio.sleep(0.01)
            if len(told) == 2:
                break
        return told

    assert asyncio.run(scene()) == {1, 2}


def test_everyone_holds_each_but_the_skipped(world: World) -> None:
    child, stranger = world.child(), world.stranger()
    found = {f.identity: f for f in world.processes.everyone()}
    assert {child, stranger} <= set(found)
    assert found[child].command == (PYTHON, "-c", SLEEPER)
    skipped = {f.identity for f in world.processes.everyone(skip={child.pid})}
    assert child not in skipped
    assert stranger in skipped


def threads_of_the_kernel() -> set[int]:
    return {
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdecimal()
        and (stat := procfs.stat_by(int(entry.name)))
        and stat.flags & procfs.KERNEL_THREAD
    }


def test_threads_of_the_kernel_are_no_processes_and_whoever_has_the_pid_of_one_is_seen(
    real: RealWorld,
) -> None:
    child, door = real.child(), real.processes
    assert not threads_of_the_kernel() & {f.identity.pid for f in door.everyone()}
    door._kernels.add(child.pid)  # as if one had ended and left it its pid
    assert child not in {f.identity for f in door.everyone(skip={1})}
    assert child in {f.identity for f in door.everyone()}, "a look at all reads it again"
    assert child in {f.identity for f in door.everyone(skip={1})}


def test_a_process_remembers_what_it_was_started_as(world: World) -> None:
    child = world.child()
    origin = world.processes.origin(child)
    assert origin is not None
    assert origin.argv == (PYTHON, "-c", SLEEPER)


def test_a_missing_program_is_the_commands_fault(world: World) -> None:
    with pytest.raises(SpawnError, match=r"/no/such/program: no such program") as caught:
        world.processes.spawn(Launch(argv=("/no/such/program",), log_path="/dev/null"))
    assert caught.value.host_fault is False


def test_nothing_to_run_is_the_commands_fault(world: World) -> None:
    with pytest.raises(SpawnError) as caught:
        world.processes.spawn(Launch(argv=(), log_path="/dev/null"))
    assert caught.value.host_fault is False


# The machine alone.


@pytest.mark.parametrize(
    "name", [b"sleep", b"a b", b"x) R 1 (y", b"((", b"))", b"\n)\x1b[2J", b"S 1 2 3", b""]
)
def test_a_hostile_name_moves_no_field(name: bytes) -> None:
    fields = b"T 42 7 8 1026 -1 77 1 2 3 4 150 50 0 0 20 0 1 0 987654 111 222 333".split()
    stat = parse_stat(b"4711 (" + name + b") " + b" ".join(fields) + b"\n")
    assert stat == (4711, name, "T", 42, 7, 8, 1026, 77, 200, 987654, 222)


def test_a_process_lives_on_when_only_its_first_thread_has_ended() -> None:
    fields = b"Z 42 7 7 0 -1 0 1 2 3 4 150 50 0 0 20 0 3 0 987654 111 222 333".split()
    assert parse_stat(b"1 (x) " + b" ".join(fields)).state == "S"


def test_output_is_appended_to_a_private_file_and_nothing_is_read(
    real: RealWorld, tmp_path: Path
) -> None:
    log = tmp_path / "out.log"
    log.write_text("earlier\n")
    log.chmod(0o600)
    what = (
        "import sys, os\n"
        "print(repr(sys.stdin.read()), os.getsid(0) == os.getpid())\n"
        "os.write(2, b'err\\n')\n"
    )
    for _ in range(2):
        child = real.processes.spawn(Launch(argv=(PYTHON, "-c", what), log_path=str(log)))
        assert until(lambda child=child: real.processes.ended(child)) == Ended(code=0)
    lines = log.read_text().split()
    assert lines[0] == "earlier"
    assert sorted(lines[1:]) == sorted(["''", "err", "True"] * 2)


def test_a_new_log_is_for_its_owner_only(real: RealWorld, tmp_path: Path) -> None:
    real.child("pass")
    assert (tmp_path / "1.log").stat().st_mode & 0o777 == 0o600


def test_directory_and_environment_are_as_ordered(real: RealWorld, tmp_path: Path) -> None:
    folder = tmp_path / "wörk dir"
    folder.mkdir()
    what = "import os; print(os.getcwd(), os.environ['APP'], 'PATH' in os.environ)"
    child = real.launch((PYTHON, "-c", what), cwd=str(folder), env={"APP": "pröd"})
    assert gone(real, child) == Ended(code=0)
    assert real.output().split("\n")[0] == f"{folder} pröd True"


def test_a_child_inherits_no_descriptor(real: RealWorld) -> None:
    read_end, write_end = os.pipe()
    os.set_inheritable(write_end, True)
    try:
        child = real.launch((PYTHON, "-c", "import os; print(sorted(os.listdir('/proc/self/fd')))"))
        gone(real, child)
    finally:
        os.close(read_end)
        os.close(write_end)
    assert real.output().strip() in ("['0', '1', '2', '3']", "['0', '1', '2']")


def programs(folder: Path) -> dict[str, tuple[Path | str, str]]:
    def make(name: str, text: bytes, mode: int) -> Path:
        path = folder / name
        path.write_bytes(text)
        path.chmod(mode)
        return path

    return {
        "bad interpreter": (
            make("a.py", b"#!/no/such/python -u\n", 0o755),
            "its interpreter /no/such/python does not exist",
        ),
        "not executable": (make("b.py", b"#!/bin/sh\n", 0o644), "it is not executable"),
        "no program": (make("c.bin", b"\x00\x01\x02", 0o755), "it is no program for this machine"),
        "a directory": (folder, "it is a directory"),
        "not in PATH": ("healmon-no-such-tool", "no such program"),
        "through a file": (folder / "a.py" / "x", "Not a directory"),
        "NUL": ("a\0b", "null byte"),
    }


@pytest.mark.parametrize(
    "case",
    [
        "bad interpreter", "not executable", "no program", "a directory",
        "not in PATH", "through a file", "NUL",
    ],
)  # fmt: skip
def test_why_it_could_not_be_run_is_said_exactly(
    real: RealWorld, tmp_path: Path, case: str
) -> None:
    program, why = programs(tmp_path)[case]
    with pytest.raises(SpawnError, match=why) as caught:
        real.launch((str(program),))
    assert caught.value.host_fault is False


def test_a_missing_directory_is_not_taken_for_a_missing_program(real: RealWorld) -> None:
    with pytest.raises(SpawnError, match="working directory /no/such/dir") as caught:
        real.launch((PYTHON, "-c", ""), cwd="/no/such/dir")
    assert caught.value.host_fault is False


def test_an_unknown_user_is_the_commands_fault(real: RealWorld) -> None:
    with pytest.raises(SpawnError, match="no user 'nobody-here'") as caught:
        real.launch((PYTHON, "-c", ""), user="nobody-here")
    assert caught.value.host_fault is False


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming somebody else needs root")
def test_root_starts_it_as_somebody_else(real: RealWorld) -> None:
    child = real.launch(("/usr/bin/env", "sh", "-c", "id -u; echo $USER"), user="nobody")
    assert gone(real, child) == Ended(code=0), real.output()
    assert real.output().split() == ["65534", "nobody"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may signal everybody")
def test_somebody_elses_process_is_refused_loudly() -> None:
    processes = SystemProcesses()
    first = processes.identify(1)
    assert first is not None
    with pytest.raises(PermissionError):
        processes.signal(first, 0)


def test_a_log_that_cannot_be_opened_is_the_hosts_fault(real: RealWorld, tmp_path: Path) -> None:
    with pytest.raises(SpawnError, match="cannot open its log") as caught:
        real.processes.spawn(Launch(argv=(PYTHON,), log_path=str(tmp_path / "no" / "log")))
    assert caught.value.host_fault is True


def test_too_many_open_files_are_the_hosts_fault(real: RealWorld) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # room for the log, and none for the pipe that exec errors come through
    resource.setrlimit(resource.RLIMIT_NOFILE, (first_free_descriptor() + 1, hard))
    try:
        with pytest.raises(SpawnError) as caught:
            real.launch((PYTHON, "-c", ""))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert caught.value.host_fault is True


def first_free_descriptor() -> int:
    fd = os.open("/dev/null", os.O_RDONLY)
    os.close(fd)
    return fd


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.slow
def test_nothing_leaks_and_no_zombie_stays(real: RealWorld) -> None:
    before = open_descriptors()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        children = [real.child("pass") for _ in range(10)]
        for child in children:
            gone(real, child)
            real.processes.inspect(child)
            real.processes.signal(child, 0)
            real.processes.origin(child)
        list(real.processes.everyone())
        with pytest.raises(SpawnError):
            real.launch(("/no/such/program",))
    assert open_descriptors() == before
    assert not zombies() & set(children)


def zombies() -> set[Identity]:
    return {
        f.identity
        for f in SystemProcesses().everyone()
        if f.state == "Z" and f.parent == os.getpid()
    }


def test_children_nobody_asks_about_are_reaped_by_the_next_scan(
    real: RealWorld, tmp_path: Path
) -> None:
    go = tmp_path / "go"  # a start reaps those that have ended: none may before the last is there
    waits = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)"
    children = [real.child(waits) for _ in range(3)]
    go.touch()
    until(lambda: set(children) <= zombies(), what="three zombies")
    list(real.processes.everyone())
    assert not zombies() & set(children)
    assert [real.processes.ended(child) for child in children] == [Ended(code=0)] * 3


def test_a_zombie_has_ended_and_can_neither_be_identified_nor_signalled(real: RealWorld) -> None:
    child = subprocess.Popen([PYTHON, "-c", "pass"])
    identity = real.processes.identify(child.pid)
    until(lambda: identity is None or state(real, identity) == "Z", what="the zombie")
    if identity is None:
        pytest.skip("it ended before it could be identified")
    assert real.processes.identify(child.pid) is None
    assert real.processes.ended(identity) == Ended()
    assert real.processes.signal(identity, signal.SIGTERM) is False
    assert child.wait() == 0
    assert real.processes.inspect(identity) is None


def test_a_thread_is_not_a_process(real: RealWorld) -> None:
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()
    try:
        assert thread.native_id is not None
        assert real.processes.identify(thread.native_id) is None
        own = real.processes.identify(os.getpid())
        assert own is not None
        as_thread = Identity(own.boot, thread.native_id, own.ticks)
        assert real.processes.signal(as_thread, 0) is False
    finally:
        release.set()
        thread.join()


def test_a_hostile_title_arrives_harmless(real: RealWorld) -> None:
    title = "\x1b[2J\u202egnp.exe\n)" + "A" * 5000
    child = real.launch((PYTHON, "-c", SLEEPER, title, "[red]"))
    until(real.output, what="the child")
    facts = real.processes.inspect(child)
    assert facts is not None
    assert all(part.isprintable() for part in facts.command)
    assert len(facts.command[3]) <= 1000
    assert facts.command[4] == "[red]"
    origin = real.processes.origin(child)
    assert origin is not None
    assert origin.argv[3] == title  # raw: made for comparing


def test_bytes_that_are_no_text_survive_comparing(real: RealWorld) -> None:
    argument = os.fsdecode(b"caf\xe9")
    child = real.launch((PYTHON, "-c", SLEEPER, argument))
    until(real.output, what="the child")
    facts, origin = real.processes.inspect(child), real.processes.origin(child)
    assert facts is not None
    assert facts.command[3] == r"caf\xe9"
    assert origin is not None
    assert origin.argv[3] == argument


def test_the_directories_of_a_daemon_that_left_home(real: RealWorld, tmp_path: Path) -> None:
    what = "import os; os.chdir('/'); " + SLEEPER
    env = {"PWD": str(tmp_path)}
    child = real.launch((PYTHON, "-c", what), cwd=str(tmp_path), env=env)
    until(real.output, what="the child")
    origin = real.processes.origin(child)
    assert origin is not None
    assert origin.directories == ("/", str(tmp_path))


def test_age_is_counted_from_the_start(real: RealWorld) -> None:
    child = real.child()
    facts = real.processes.inspect(child)
    assert facts is not None
    assert 0 <= facts.age < 300
    own = real.processes.identify(os.getpid())
    assert own is not None
    own_facts = real.processes.inspect(own)
    assert own_facts is not None
    assert own_facts.age >= facts.age
    assert own_facts.uid == os.geteuid()
    assert own_facts.parent == os.getppid()
    assert own_facts.cpu_seconds > 0
    assert own_facts.namespace > 0


def test_what_another_thread_forgets_in_between_spoils_no_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Forgotten(dict):
        def __contains__(self, who: object) -> bool:
            known = super().__contains__(who)
            self.clear()
            return known

    monkeypatch.setattr(procfs, "_NAMESPACES", Forgotten())
    processes = SystemProcesses()
    own = processes.identify(os.getpid())
    assert own is not None
    looks = [processes.inspect(own) for _ in range(3)]
    assert len({one.namespace for one in looks if one is not None}) == 1


def test_a_process_hidden_by_proc_is_unknown_not_gone(
    real: RealWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = real.child()
    hidden = f"/proc/{child.pid}"
    really_open, really_exists = os.open, os.path.exists

    def hiding_open(path, *args, **kwargs):
        if path in {hidden, f"{hidden}/stat"}:
            raise FileNotFoundError(2, "No such file or directory", path)
        return really_open(path, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", hiding_open)
        patch.setattr(os.path, "exists", lambda path: path != hidden and really_exists(path))
        for call in (
            lambda: real.processes.inspect(child),
            lambda: real.processes.identify(child.pid),
            lambda: real.processes.origin(child),
            lambda: real.processes.signal(child, signal.SIGKILL),
        ):
            with pytest.raises(ProbeError, match="does not show it"):
                call()
        assert child not in {f.identity for f in real.processes.everyone()}
    assert real.processes.inspect(child) is not None


def test_reading_and_storing_count_and_painting_does_not(real: RealWorld, tmp_path: Path) -> None:
    reader = real.child("f = open('/dev/zero', 'rb', buffering=0)\nwhile True: f.read(1 << 16)")
    painter = real.child(
        "f = open('/dev/null', 'wb', buffering=0)\nwhile True: f.write(bytes(1 << 16))"
    )

    def done(who: Identity) -> int:
        return real.processes.work([who])[who].io or 0

    def written(who: Identity) -> int:
        text = Path(f"/proc/{who.pid}/io").read_text()
        return int(text.partition("wchar: ")[2].split()[0])

    first = done(reader)
    until(lambda: done(reader) - first > 1 << 20, what="work that is seen")
    until(lambda: written(painter) > 1 << 16, what="painting")
    before, start = done(painter), written(painter)
    until(lambda: written(painter) - start > 1 << 24, what="much painting")
    assert done(painter) - before < 1 << 20


def test_where_a_process_waits_is_told(real: RealWorld) -> None:
    child = real.child()

    def sleeps() -> bool:
        where = real.processes.work([child])[child].waits
        return "sleep" in where or "wait" in where

    until(sleeps, what="its sleep")
