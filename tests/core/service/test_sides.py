"""Programs beside a healer: one that hangs is ended, told of, and begun again."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from healmon.clock import SystemClock
from healmon.service import instance, sides
from healmon.service.exporter import Watch
from healmon.service.folding import Folding
from healmon.service.sides import Order, Sides
from healmon.world.sidechild import TOLD
from tests.helpers.box import alive
from tests.helpers.wait import until

HANGS = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
told, notes = int(sys.argv[1]), sys.argv[2]
os.write(told, b"up here\\n")
for _ in range(30):
    os.write(told, b"beat\\n")
    time.sleep(0.05)
with open(notes, "a") as file:
    file.write(f"{os.getpid()}\\n")
time.sleep(60)
"""
HOLDS = """
import os, signal, sys
from pathlib import Path
from healmon.service.instance import Lock
lock = Lock.acquire(Path(sys.argv[1]), version="0", mode=sys.argv[2])
print("held", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""


@pytest.mark.slow
def test_one_that_beats_is_left_alone_and_one_that_hangs_is_followed(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(sides, "SILENT", 1.0)
    monkeypatch.setattr(sides, "LEAVE", 0.1)
    monkeypatch.setattr(sides, "FIRST", 0.01)
    notes, said = tmp_path / "pids", []
    order = Order("web", (sys.executable, "-I", "-S", "-c", HANGS, TOLD, str(notes)))

    def pids() -> list[int]:
        return [int(line) for line in notes.read_text().split()] if notes.exists() else []

    async def story() -> None:
        made = Sides([order], SystemClock(), lambda name, text: said.append((name, text)))
        running = asyncio.create_task(made.run())
        async with asyncio.timeout(120):
            while len(pids()) < 2:  # each says who it is only after more beats than it may miss
                await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(story())
    assert said[:3] == [("web", ""), ("web", "it hangs: not a word for 1 s"), ("web", "")]
    assert not any(map(alive, pids()))


def test_one_that_stands_still_makes_way_all_the_same(monkeypatch, tmp_path: Path) -> None:
    """A healer that was killed left it; else the next one could never serve its own."""
    monkeypatch.setattr(sides, "AWAY", 0.2)
    folder = tmp_path / "web"
    folder.mkdir(mode=0o700)
    argv = [sys.executable, "-c", HOLDS, str(folder), sides.CHILD]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as left:
        try:
            assert left.stdout is not None
            assert left.stdout.readline() == b"held\n"
            until(lambda: instance.stands_still(instance.holder(folder) or instance.Holder()), 30)
            assert sides.make_way(tmp_path) == left.pid
            assert left.wait(30) == -signal.SIGKILL
        finally:
            left.kill()


@pytest.mark.slow
def test_who_cannot_look_any_more_does_not_go_on_telling(monkeypatch, tmp_path: Path) -> None:
    """Numbers that nobody renews say that all is well for ever."""
    told: list[str] = []
    watch = Watch(tmp_path, failed=lambda: told.append("failed"))
    try:

        def broken(_folding: Folding) -> None:
            raise KeyError("an event of tomorrow")

        monkeypatch.setattr(Folding, "look", broken)
        until(lambda: told == ["failed"], 30, "the end")
        assert "KeyError" in watch.fault
    finally:
        watch.close()


@pytest.mark.slow
def test_an_exporter_ends_with_its_state_directory(tmp_path: Path) -> None:
    told: list[str] = []
    state = tmp_path / "state"
    state.mkdir()
    watch = Watch(state, lambda: told.append("gone"))
    try:
        assert told == []
        state.rmdir()
        until(lambda: told, 30, "the end")
        assert told == ["gone"]
        assert watch.fault == "", "an end, no fault"
    finally:
        watch.close()
