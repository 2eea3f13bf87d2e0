"""Readiness, ports and who holds them, with real sockets; scenarios by their number."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from healmon.config.settings import Ready, Worker
from healmon.workers.model import WorkerSeen
from healmon.world.processes import Identity
from tests.helpers.freeport import free_port
from tests.helpers.rig import STARTERS, play, rigged
from tests.helpers.wait import until
from tests.helpers.workerhost import STAYS, Host, hosting

pytestmark = pytest.mark.slow

# listens on PORT; with CHILD, a program of that name inherits the socket and outlives it
LISTENS = """
import os, socket, subprocess, sys, time
sock = socket.socket()
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
sock.bind(("127.0.0.1", int(os.environ["PORT"])))
sock.listen()
if "CHILD" in os.environ:
    subprocess.Popen([sys.executable, os.environ["CHILD"]], pass_fds=[sock.fileno()])
print("listening", flush=True)
time.sleep(300)
"""
# does nothing before there is a file
WAITS = """
import os, time
path = {!r}
open(path + ".waits", "w").close()
while not os.path.exists(path): time.sleep(0.01)
"""
SLEEPS = "import time; time.sleep(300)"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with hosting(tmp_path) as made:
        yield made


@pytest.fixture
def port() -> int:
    return free_port()


def listener(host: Host, port: int, **more: object) -> Worker:
    env = {"PORT": str(port), **more.pop("env", {})}
    ready = more.pop("ready", Ready(tcp=port, timeout=2.0))
    return host.worker(LISTENS, env=env, ready=ready, **more)


def held(one: WorkerSeen) -> set[tuple[str, Identity | None, bool]]:
    return {(b.what, b.identity, b.orphan) for b in one.blockers}


# Readiness.


@pytest.mark.parametrize("shims", STARTERS)
def test_a_port_of_its_own_is_ready(host: Host, port: int, shims: bool) -> None:
    async def scene() -> None:
        async with rigged(host, listener(host, port), shims=shims) as rig:
            proof = await rig.carry_out("restart")
            assert f"(ready: port {port} is its own" in proof.text
            assert proof.details["level"] in ("V3", "V4")
            assert "alive only" not in proof.message

    play(scene)


def test_a_port_of_a_child_is_its_own_too(host: Host, port: int) -> None:
    text = "import subprocess, sys, time\nsubprocess.Popen([sys.executable, *sys.argv[1:2]])\n"
    child = host.program("child.py", LISTENS)

    async def scene() -> None:
        worker = host.worker(
            f"{text}time.sleep(300)", env={"PORT": str(port)}, ready=Ready(tcp=port)
        )
        worker = Worker(**{**_fields(worker), "argv": (*worker.argv[:2], child)})
        async with rigged(host, worker) as rig:
            assert f"port {port} is its own" in await rig.act("restart")

    play(scene)


def _fields(worker: Worker) -> dict[str, object]:
    return {name: getattr(worker, name) for name in worker.__struct_fields__}


def test_a_strangers_port_makes_nobody_ready_and_he_is_named(host: Host, port: int) -> None:
    async def scene() -> None:
        worker = host.worker(ready=Ready(tcp=port, timeout=1.0), start_timeout=3.0, min_uptime=0.8)
        go = host.folder / "go"
        path = host.program("stranger.py", f"{WAITS.format(str(go))}{LISTENS}")
        env_path = host.program("env.sh", f"export PORT={port}; exec {sys.executable} {path}")
        stranger = _started(host, env_path)
        until(go.with_suffix(".waits").exists, what="one that waits for the worker's start")
        async with rigged(host, worker) as rig:

            async def come() -> None:
                records = rig.healer._records
                await rig.until(lambda: (r := records.start(worker.name)) and r.launched, "a start")
                go.touch()

            coming = asyncio.ensure_future(come())
            said = await rig.act("restart")
            await coming
            assert "is alive but not ready after 3s" in said
            assert f"port {port} is not its own: pid {stranger.pid}" in said
            assert "stranger.py" in said
            assert (rig.record().outcome, rig.record().level) == ("failed", "V2")
            assert len(host.running("task_worker.py")) == 1, "it is not ended for that"
        assert host.processes.ended(stranger) is None

    play(scene)


def _started(host: Host, script: str) -> Identity:
    import subprocess

    child = subprocess.Popen(["sh", script], stdout=subprocess.DEVNULL)
    host._own.append(child)
    until(lambda: host.running("stranger.py"), what="the stranger")
    return host.running("stranger.py")[0]


def test_a_line_in_the_log_counts_only_from_the_start_on(host: Host) -> None:
    slow = "import time; time.sleep(0.7); print('now listening'); import sys; sys.stdout.flush()\n"
    log = host.state / "task_worker" / "output.log"
    log.parent.mkdir(parents=True)
    log.write_text("of the day before: now listening\n")

    async def scene() -> None:
        worker = host.worker(f"{slow}time.sleep(300)", ready=Ready(log="now listening"))
        async with rigged(host, worker) as rig:
            said = await rig.act("restart")
            assert '(ready: its output says "now listening"' in said
            assert rig.record().log_offset == 33

    play(scene)


def test_a_command_decides_and_its_words_are_told(host: Host) -> None:
    mark = host.folder / "mark"
    text = f"import time; time.sleep(0.6); open({str(mark)!r}, 'w').close(); time.sleep(300)"

    async def scene() -> None:
        command = ("sh", "-c", f"test -e {mark} || {{ echo no mark; exit 3; }}")
        worker = host.worker(text, ready=Ready(command=command))
        async with rigged(host, worker) as rig:
            assert "(ready: the check command passes" in await rig.act("restart")

    play(scene)


@pytest.mark.parametrize(
    ("ready", "why"),
    [
        (Ready(command=("sh", "-c", "echo no mark; exit 3")), "check command: exit 3: no mark"),
        (Ready(command=("sh", "-c", "sleep 100"), timeout=0.3), "did not end within 0.3s"),
        (Ready(log="never said"), 'its output does not say "never said"'),
        (Ready(http="http://127.0.0.1:1/health"), "127.0.0.1:1/health: Connection refused"),
        (Ready(tcp=1), "nobody listens on port 1"),
    ],
)
def test_what_is_never_ready_is_told_why_and_left_alive(host: Host, ready: Ready, why: str) -> None:
    async def scene() -> None:
        worker = host.worker(STAYS, ready=ready, start_timeout=0.7)
        async with rigged(host, worker) as rig:
            said = await rig.act("restart")
            assert said.startswith("failed: pid ")
            assert why in said
            assert rig.record().fault == "worker"
            assert len(host.running("task_worker.py")) == 1
        assert not host.running("sleep 100")

    play(scene)


def test_one_that_ends_before_it_is_ready_is_told_at_once(host: Host) -> None:
    go = host.folder / "go"
    text = f"{WAITS.format(str(go))}print('no port for me'); import sys; sys.exit(9)"

    async def scene() -> None:
        worker = host.worker(text, ready=Ready(tcp=1), start_timeout=60.0)
        async with rigged(host, worker) as rig:
            records = rig.healer._records
            asked = asyncio.ensure_future(rig.act("restart"))
            await rig.until(lambda: (r := records.start(worker.name)) and r.level == "V2", "a life")
            go.touch()
            said = await asked
            assert said.startswith("failed: exit 9 before it was ready: nobody listens on port 1")
            assert said.endswith("its last words: no port for me")

    play(scene)


def test_the_beat_of_before_makes_nobody_ready(host: Host) -> None:
    beat = host.folder / "beat"
    beat.touch()

    async def scene() -> None:
        ready = Ready(heartbeat=True)
        worker = host.worker(heartbeat_file=str(beat), ready=ready, start_timeout=0.7)
        async with rigged(host, worker) as rig:
            said = await rig.act("restart")
            assert "it has written no heartbeat since it was started" in said

    play(scene)


# Scenario 14.


@pytest.mark.parametrize("shims", STARTERS)
def test_14_an_orphan_that_keeps_the_port_is_named_and_stopped_first(
    host: Host, port: int, shims: bool
) -> None:
    child = host.program("keeps.py", SLEEPS)

    async def scene() -> None:
        async with rigged(host, listener(host, port, env={"CHILD": child}), shims=shims) as rig:
            first = await rig.up()
            (orphan,) = until(lambda: host.running("keeps.py"), what="its child")
            host.processes.signal(first, signal.SIGKILL)
            until(lambda: host.processes.ended(first), what="the end")
            one = await rig.look()
            assert not one.known
            assert not one.matches
            assert (f"port {port}", orphan, True) in held(one)
            said = await rig.act("restart")
            assert said.startswith("failed: not started: ")
            assert f"port {port} is held by pid {orphan.pid}" in said
            assert "left over from an earlier run" in said
            assert (rig.record().fault, rig.record().launched) == ("blocked", None)
            assert host.processes.ended(orphan) is None, "nobody ordered its end"
            said = await rig.act("restart", orphans=(orphan,))
            assert f"(ready: port {port} is its own" in said
            assert f"send SIGTERM to pid {orphan.pid} (task_worker)" in rig.steps
            assert host.processes.ended(orphan) is not None
            assert len(host.running("task_worker.py")) == 1

    play(scene)


@pytest.mark.parametrize("shims", STARTERS)
def test_14_a_new_healmon_knows_the_orphan_as_well(host: Host, port: int, shims: bool) -> None:
    child = host.program("keeps.py", SLEEPS)
    worker = listener(host, port, env={"CHILD": child})

    async def scene() -> None:
        async with rigged(host, worker, shims=shims) as rig:
            first = await rig.up()
            (orphan,) = until(lambda: host.running("keeps.py"), what="its child")
        host.processes.signal(first, signal.SIGKILL)
        until(lambda: host.processes.ended(first), what="the end")
        host.forget_children()
        async with rigged(host, worker, shims=shims) as rig:
            assert (f"port {port}", orphan, True) in held(await rig.look())

    play(scene)


@pytest.mark.parametrize("shims", STARTERS)
def test_14_a_stranger_on_the_port_is_named_and_nothing_is_started(
    host: Host, port: int, shims: bool
) -> None:
    path = host.program("stranger.py", LISTENS)
    env_path = host.program("env.sh", f"export PORT={port}; exec {sys.executable} {path}")
    stranger = _started(host, env_path)

    async def scene() -> None:
        async with rigged(host, listener(host, port), shims=shims) as rig:
            until(lambda: _listens(port), what="the stranger's port")
            one = await rig.look()
            assert held(one) == {(f"port {port}", stranger, False)}
            said = await rig.act("restart")
            assert f"not started: port {port} is held by pid {stranger.pid}" in said
            assert "stranger.py" in said
            assert "left over" not in said
            assert (rig.record().outcome, rig.record().fault) == ("failed", "blocked")
            assert not host.running("task_worker.py")
            said = await rig.act("restart", orphans=(stranger,))
            assert said.startswith(f"vetoed: pid {stranger.pid} is not shown to be left over")
            assert host.processes.ended(stranger) is None
            host.kill(stranger)
            assert (await rig.look()).blockers == ()
            assert (await rig.act("restart")).startswith("proved")

    play(scene)


def test_14_a_stranger_that_took_the_port_of_one_that_lives_stops_no_restart_of_it(
    host: Host, port: int
) -> None:
    async def scene() -> None:
        async with rigged(host, listener(host, port)) as rig:
            first = await rig.up()
            said = await rig.act("restart", identity=first)
            assert f"(ready: port {port} is its own" in said, "its own port is nobody's in the way"

    play(scene)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


# The host's budget.


def test_only_so_many_starts_are_in_flight_and_a_person_does_not_wait(host: Host) -> None:
    workers = [host.worker(name=f"w{n}", min_uptime=0.6) for n in range(5)]

    async def scene() -> None:
        async with rigged(host, *workers, starts_in_flight=2) as rig:
            most = 0
            acts = [asyncio.ensure_future(rig.act("restart", w.name)) for w in workers[:4]]
            while not all(act.done() for act in acts):
                records = [rig.healer._records.start(w.name) for w in workers[:4]]
                most = max(most, sum(1 for r in records if r is not None and r.outcome == "begun"))
                await asyncio.sleep(0.005)
            assert all(act.result().startswith("proved") for act in acts)
            assert most == 2
            slow = [asyncio.ensure_future(rig.act("restart", w.name, identity=None)) for w in ()]
            assert (await rig.act("restart", "w4", wish=1)).startswith("proved")
            await asyncio.gather(*slow)

    play(scene)


def test_one_that_waited_for_its_turn_looks_again(host: Host) -> None:
    go = host.folder / "go"
    one = host.worker(f"{WAITS.format(str(go))}{STAYS}", "one", ready=Ready(log="up"))
    two = host.worker(name="two")

    async def scene() -> None:
        async with rigged(host, one, two, starts_in_flight=1) as rig:
            first = asyncio.ensure_future(rig.act("restart", "one"))
            await rig.until(lambda: host.running("one.py"), "the first")
            waiting = asyncio.ensure_future(rig.act("restart", "two"))
            mine = await asyncio.to_thread(host.start, *two.argv)
            go.touch()
            assert (await first).startswith("proved")
            said = await waiting
            assert said == f"vetoed: already up as pid {mine.pid}: started by somebody else"
            assert host.running("two.py") == [mine]

    play(scene)
