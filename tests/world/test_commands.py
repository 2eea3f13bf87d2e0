"""Check commands: their end is told, and nothing of them stays."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from healmon.errors import SpawnError
from healmon.world.commands import CommandEnd, run
from healmon.world.hands import Hands
from healmon.world.processes import Ended, Identity, Launch
from healmon.world.system_processes import SystemProcesses
from tests.helpers.wait import until

# leaves its own process group and its parent's session, and says who it is
STRAY = (
    "import os, subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'],"
    " start_new_session={new}, stdout=-3, stderr=-3)\n"
    "open({file!r}, 'w').write(str(child.pid))\n"
    "{then}\n"
)


def play(scene: Callable[[Hands], Awaitable[object]]) -> object:
    async def limited() -> object:
        hands = Hands("test")
        try:
            async with asyncio.timeout(60):
                return await scene(hands)
        finally:
            hands.close()

    return asyncio.run(limited())


def ran(*argv: str, timeout: float = 30.0, **more: object) -> CommandEnd:
    launch = Launch(argv=argv, log_path="", **more)
    end = play(lambda hands: run(launch, timeout, SystemProcesses(), hands))
    assert isinstance(end, CommandEnd)
    return end


def python(code: str, **more: object) -> CommandEnd:
    return ran(sys.executable, "-c", code, **more)


def gone(file: Path) -> bool:
    pid = int(until(lambda: file.exists() and file.read_text(), what="the pid"))
    processes = SystemProcesses()
    return bool(until(lambda: processes.identify(pid) is None, what="its end"))


def test_a_code_and_the_last_words_are_told() -> None:
    end = python("import sys; print('one'); print('two'); print(); sys.exit(3)")
    assert end == CommandEnd(Ended(code=3), "two")
    assert python("import sys; print('no', file=sys.stderr)") == CommandEnd(Ended(code=0), "no")
    assert ran("/bin/true") == CommandEnd(Ended(code=0))


def test_a_signal_is_told() -> None:
    end = python("import os; os.kill(os.getpid(), 9)")
    assert end.ended == Ended(signal=9)


def test_one_that_cannot_be_run_says_why() -> None:
    with pytest.raises(SpawnError, match="no such program"):
        ran("/no/such/program")


def test_it_runs_where_and_as_what_it_is_told(tmp_path: Path) -> None:
    code = "import os; print(os.getcwd(), os.environ['WORD'])"
    end = python(code, cwd=str(tmp_path), env={"WORD": "x"})
    assert end.words == f"{tmp_path} x"


@pytest.mark.slow
def test_one_that_is_late_is_killed_with_all_that_is_below_it(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    # a shell, so that all of it is there by then
    end = ran("/bin/sh", "-c", f"setsid sleep 300 & echo $! >{file}; echo hm; wait", timeout=3.0)
    assert end == CommandEnd(None, "hm")
    assert gone(file)


def test_what_it_leaves_in_its_group_is_ended_too(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    end = python(STRAY.format(new=False, file=str(file), then=""))
    assert end.ended == Ended(code=0)
    assert gone(file)


@pytest.mark.slow
def test_much_output_blocks_nobody() -> None:
    code = "import sys\nfor n in range(200000): print('x' * 20)\nprint('done')"
    assert python(code) == CommandEnd(Ended(code=0), "done")


def test_a_cancelled_check_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    launch = Launch(
        argv=(
            sys.executable,
            "-c",
            STRAY.format(new=False, file=str(file), then="time.sleep(300)"),
        ),
        log_path="",
    )

    async def scene(hands: Hands) -> None:
        task = asyncio.ensure_future(run(launch, 60.0, SystemProcesses(), hands))
        while not (file.exists() and file.read_text()):
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0.1)  # its end is taken leave of by the loop

    play(scene)
    assert gone(file)


def zombies() -> set[Identity]:
    everyone = SystemProcesses().everyone()
    return {f.identity for f in everyone if f.state == "Z" and f.parent == os.getpid()}


@pytest.mark.parametrize("count", [20])
def test_no_descriptor_and_no_zombie_stays(count: int) -> None:
    before, others = len(list(Path("/proc/self/fd").iterdir())), zombies()

    async def scene(hands: Hands) -> None:
        processes = SystemProcesses()
        for _ in range(count):
            await run(Launch(argv=("/bin/true",), log_path=""), 10.0, processes, hands)

    play(scene)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1
    assert zombies() <= others
