"""Hung, halted and fat workers, with real processes; scenarios by their number."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from healmon.clock import ManualClock
from healmon.config.settings import Ready
from healmon.workers import liveness
from healmon.world.processes import Identity
from tests.helpers.freeport import free_port
from tests.helpers.rig import Rig, play, rigged
from tests.helpers.wait import until
from tests.helpers.workerhost import Host, hosting

pytestmark = pytest.mark.slow

# hangs in every answer for as long as there is a file
ANSWERS = """
import http.server, os, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        while os.path.exists(os.environ["HANG"]): time.sleep(0.02)
        self.send_response(204); self.end_headers()
    def log_message(self, *words): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
# a child that grows by 8 MB for each byte of a file; both stay
GROWS = """
import os, time
if os.fork() == 0:
    held, path = [], os.environ["GROW"]
    while True:
        wanted = os.path.getsize(path) if os.path.exists(path) else 0
        while len(held) < wanted: held.append(bytearray(os.urandom(1000)) * 8000)
        open(path + ".done", "w").write(str(len(held)))
        time.sleep(0.02)
time.sleep(300)
"""
# ptrace(2): SEIZE, then INTERRUPT; held until it is told to end
TRACER = """
import ctypes, sys, time
libc = ctypes.CDLL(None, use_errno=True)
pid = int(sys.argv[1])
libc.ptrace.argtypes = [ctypes.c_long] * 4
if libc.ptrace(0x4206, pid, 0, 0) or libc.ptrace(0x4207, pid, 0, 0):
    print("no", ctypes.get_errno(), flush=True); sys.exit(1)
import os
os.waitpid(pid, 0x40000000)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with hosting(tmp_path) as made:
        yield made


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "PULSE", 0.3)
    monkeypatch.setattr(liveness, "PULSE_GRAIN", 0.1)


async def hard(rig: Rig) -> bool:
    check = (await rig.look()).liveness
    return check is not None and check.hard


async def become_hard(rig: Rig) -> None:
    wakes = rig.wakes
    await rig.until(lambda: rig.wakes > wakes, "the healer's wake")
    assert await hard(rig)


@pytest.mark.usefixtures("quick")
def test_17_a_stopped_worker_is_hard_and_replaced_by_one_new_identity(host: Host) -> None:
    async def scene() -> None:
        async with rigged(host, host.worker(), pulse=True) as rig:
            old = await rig.up()
            assert (await rig.look()).liveness is None
            host.processes.signal(old, signal.SIGSTOP)
            await become_hard(rig)
            one = await rig.look()
            assert one.liveness is not None
            assert f"pid {old.pid} stands still" in one.liveness.text
            said = await rig.act("restart", identity=old, sick=True)
            assert f"pid {old.pid} gone" in said
            assert host.running("task_worker.py") == [rig.record().worker]
            assert (await rig.look()).liveness is None

    play(scene)


@pytest.mark.usefixtures("quick")
def test_17_one_that_goes_on_right_before_the_act_is_left_alone(host: Host) -> None:
    async def scene() -> None:
        async with rigged(host, host.worker(), pulse=True) as rig:
            old = await rig.up()
            await rig.look()
            host.processes.signal(old, signal.SIGSTOP)
            await become_hard(rig)
            host.processes.signal(old, signal.SIGCONT)
            until(lambda: _state(host, old) != "T", what="going on")
            said = await rig.act("restart", identity=old, sick=True)
            assert said == f"vetoed: pid {old.pid} runs again"
            assert host.running("task_worker.py") == [old]
            assert not await hard(rig)

    play(scene)


def test_17_a_deadlock_is_hard_after_three_checks_and_fresh_life_vetoes(
    host: Host, port: int
) -> None:
    hang = host.folder / "hang"
    url = f"http://127.0.0.1:{port}/health"
    worker = host.worker(
        ANSWERS,
        env={"PORT": str(port), "HANG": str(hang)},
        ready=Ready(http=url, timeout=5.0),
        liveness=Ready(http=url, every=0.3, timeout=1.0, failures=3),
    )

    async def scene() -> None:
        async with rigged(host, worker, pulse=True) as rig:
            old = await rig.up()
            await rig.look()
            await rig.until(lambda: rig.healer._liveness.told("task_worker").ok, "a good check")
            hang.touch()
            await become_hard(rig)
            check = (await rig.look()).liveness
            assert check is not None
            assert check.failures >= 3
            assert "no answer within 1 s" in check.text
            hang.unlink()
            said = await rig.act("restart", identity=old, sick=True)
            assert said == f"vetoed: it works again: {url} answers 204"
            await rig.look()
            hang.touch()
            await become_hard(rig)
            acting = asyncio.ensure_future(rig.act("restart", identity=old, sick=True))
            await rig.until(lambda: host.processes.ended(old), "the end of the one that hangs")
            hang.unlink()
            said = await acting
            assert f"pid {old.pid} gone" in said
            assert "answers 204" in said

    play(scene)


@pytest.mark.usefixtures("quick")
def test_who_is_held_by_a_debugger_is_left_alone(host: Host) -> None:
    async def scene() -> None:
        async with rigged(host, host.worker(), pulse=True) as rig:
            mine = await rig.up()
            await rig.look()
            tracer = _tracer(mine)
            try:
                assert tracer.stdout is not None
                if tracer.stdout.readline().strip() != "held":
                    pytest.skip("ptrace is not permitted here")
                until(lambda: _state(host, mine) == "t", what="being held")
                check = (await rig.look()).liveness
                assert check is not None
                assert "held by a debugger" in check.text
                for _ in range(8):
                    await asyncio.sleep(0.2)
                    assert not await hard(rig)
                assert rig.wakes == 0
            finally:
                tracer.communicate()
            until(lambda: _state(host, mine) in "SR", what="being let go")
            assert (await rig.look()).liveness is None

    play(scene)


def _tracer(of: Identity) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", TRACER, str(of.pid)]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _state(host: Host, who: Identity) -> str:
    facts = host.processes.inspect(who)
    return facts.state if facts is not None else ""


# Scenario 18.


def test_18_the_whole_tree_is_counted_its_growth_told_and_its_excess_counted(host: Host) -> None:
    grow = host.folder / "grow"
    grow.touch()
    done = host.folder / "grow.done"
    limit = 150_000_000
    worker = host.worker(GROWS, env={"GROW": str(grow)}, memory_limit=limit)
    clock = ManualClock(autojump=False)

    async def scene() -> None:
        async with rigged(host, worker) as rig:
            mine = await rig.up()
        async with rigged(host, worker, clock=clock) as rig:
            for number in range(12):
                grow.write_text("x" * number)
                until(lambda n=number: _read(done) == str(n), what="the growth")
                one = await rig.look()
                assert one.use is not None
                assert one.use.processes == 2
                assert one.use.rss > number * 8_000_000
                assert (one.use.slope is None) == (number < 10)
                clock.advance(60)
            # 8 MB a minute, as long as nothing else of it changes by much
            assert one.use.slope == pytest.approx(60 * 8_000_000, rel=0.1)
            assert one.use.over == 0
            grow.write_text("x" * 25)
            until(lambda: _read(done) == "25", what="the excess")
            overs = []
            for _ in range(3):
                one = await rig.look()
                assert one.use is not None
                overs.append(one.use.over)
                clock.advance(15)
            assert overs == [1, 2, 3]
            assert host.processes.ended(mine) is None, "looking ends nobody"

    play(scene)


def test_18_one_that_is_below_its_limit_again_is_not_replaced_for_that(host: Host) -> None:
    worker = host.worker(memory_limit=1_000_000_000)

    async def scene() -> None:
        async with rigged(host, worker) as rig:
            mine = await rig.up()
            said = await rig.act("restart", identity=mine, sick=True)
            assert said == "vetoed: it is below its memory limit again"
            assert host.running("task_worker.py") == [mine]

    play(scene)


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
