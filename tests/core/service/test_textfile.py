"""The textfile: whole at any moment, after each cycle, and no cycle waits for it."""

from __future__ import annotations

import asyncio
import os
import stat
import threading

import pytest

from healmon import events as ev
from healmon.clock import SystemClock
from healmon.events import Recorded
from healmon.service import textfile
from healmon.service.textfile import Textfile
from healmon.world.sharedfile import write_shared
from tests.helpers.everything import told

ROUND = Recorded(1, 0.0, ev.CycleFinished(1, 0.1, 1.0))


def play(scene, path: str, **parts):
    """Run a scene with a textfile, and until it has left its last word."""
    said: list[str] = []

    async def whole():
        made = Textfile(path, os.getpid(), SystemClock(), told, said.append, **parts)
        running = asyncio.create_task(made.run())
        async with asyncio.timeout(30):
            await scene(made, said)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await made.close()

    asyncio.run(whole())
    return said


def names_in(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def reach(condition) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def test_it_is_written_after_each_cycle_for_everybody_to_read_and_tells_the_end(tmp_path):
    path = tmp_path / "healmon.prom"

    async def scene(made, said):
        old = os.umask(0o077)
        try:
            made.heard(ROUND)
            await reach(lambda: said)
        finally:
            os.umask(old)
        text = path.read_text()
        assert "\nhealmon_up 1.0\n" in text
        assert "\nprocess_resident_memory_bytes " in text
        assert stat.S_IMODE(path.stat().st_mode) == 0o644

    assert play(scene, str(path)) == [""]
    assert "\nhealmon_up 0.0\n" in path.read_text()
    assert names_in(tmp_path) == ["healmon.prom"]


def test_without_a_path_nothing_is_written(tmp_path):
    async def scene(made, said):
        made.heard(ROUND)
        await asyncio.sleep(0)

    assert play(scene, "") == []


def test_what_cannot_be_written_is_complained_of_and_the_old_file_stays(tmp_path):
    path = tmp_path / "none" / "healmon.prom"

    async def scene(made, said):
        made.heard(ROUND)
        await reach(lambda: said)
        path.parent.mkdir()
        made.heard(ROUND)
        await reach(lambda: len(said) == 2)

    said = play(scene, str(path))
    assert said == [f"{path}: No such file or directory", ""]


@pytest.mark.slow
def test_a_write_that_hangs_is_complained_of_and_followed_by_none(tmp_path, monkeypatch):
    monkeypatch.setattr(textfile, "PATIENCE", 0.1)
    monkeypatch.setattr(textfile, "LAST", 0.1)
    free, begun = threading.Event(), []

    def write(path, text):
        begun.append(text)
        assert free.wait(30)

    async def scene(made, said):
        def hangs():
            made.heard(ROUND)  # one that was given up on before its turn came hangs nowhere
            return said and "hanging" in said[-1]

        await reach(hangs)

    try:
        said = play(scene, str(tmp_path / "a.prom"), write=write)
    finally:
        free.set()
    assert "not written within 0.1 s" in said[0]
    assert len(begun) == 1


def test_another_path_is_written_from_the_next_cycle_on(tmp_path):
    async def scene(made, said):
        made.amend(str(tmp_path / "b.prom"))
        made.heard(ROUND)
        await reach(lambda: len(said) == 2)

    play(scene, str(tmp_path / "a.prom"))
    assert names_in(tmp_path) == ["b.prom"]


def test_a_shared_file_is_whole_or_as_before(tmp_path):
    path = tmp_path / "x"
    write_shared(path, "one")
    (tmp_path / ".x.new").write_text("left by a kill")
    write_shared(path, "two")
    assert path.read_text() == "two"
    blocked = tmp_path / "dir"
    blocked.mkdir()
    (blocked / "full").touch()
    with pytest.raises(OSError, match="directory"):
        write_shared(blocked, "three")
    assert names_in(tmp_path) == ["dir", "x"]


def test_a_link_in_its_place_is_not_followed(tmp_path):
    other = tmp_path / "other"
    other.write_text("precious")
    for name in ("x", ".x.new"):
        (tmp_path / name).symlink_to(other)
    write_shared(tmp_path / "x", "numbers")
    assert other.read_text() == "precious"
    assert (tmp_path / "x").read_text() == "numbers"
