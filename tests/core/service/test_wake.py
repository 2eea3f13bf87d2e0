from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

import pytest

from healmon.errors import StateDirError
from healmon.service import wake
from healmon.service.wake import WakePipe, knock
from tests.helpers.storekit import line, program


def test_nobody_listens(tmp_path: Path) -> None:
    assert not knock(tmp_path)
    assert not knock(tmp_path / "none")
    WakePipe.open(tmp_path).close()
    assert not knock(tmp_path)  # a FIFO was left over


def test_a_knock_wakes_the_loop(tmp_path: Path) -> None:
    async def listen() -> int:
        pipe = WakePipe.open(tmp_path)
        heard = asyncio.Event()
        times = 0

        def on_knock() -> None:
            nonlocal times
            times += 1
            assert pipe.drain()
            heard.set()

        loop = asyncio.get_running_loop()
        loop.add_reader(pipe.fd, on_knock)
        try:
            code = (
                "import sys; from pathlib import Path; from healmon.service.wake import knock;"
                "print(knock(Path(sys.argv[1])), flush=True)"
            )
            with program(code, tmp_path) as client:
                await asyncio.wait_for(heard.wait(), 30)
                assert line(client) == "True"
            await asyncio.sleep(0.05)  # the client's end of the pipe must not ring for ever
            return times
        finally:
            loop.remove_reader(pipe.fd)
            pipe.close()

    assert asyncio.run(listen()) == 1


@pytest.mark.slow
def test_many_knocks_are_one_and_a_full_pipe_rings_already(tmp_path: Path) -> None:
    pipe = WakePipe.open(tmp_path)
    try:
        assert not pipe.drain()
        for _ in range(70_000):
            assert knock(tmp_path)
        assert pipe.drain()
        assert not pipe.drain()
    finally:
        pipe.close()
        pipe.close()


def test_a_fifo_left_over_is_taken_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / wake.NAME, 0o644)
    before = (tmp_path / wake.NAME).stat().st_ino
    pipe = WakePipe.open(tmp_path)
    found = (tmp_path / wake.NAME).stat()
    assert found.st_ino == before
    assert stat.S_IMODE(found.st_mode) == 0o600
    assert knock(tmp_path)
    pipe.close()


def test_something_else_by_that_name_is_put_aside(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / wake.NAME).write_text(f"a letter {number}")
        assert not knock(tmp_path)
        WakePipe.open(tmp_path).close()
        (tmp_path / wake.NAME).unlink()
        assert (tmp_path / f"{wake.NAME}.stray{number}").read_text() == f"a letter {number}"
    (tmp_path / wake.NAME).symlink_to(tmp_path / "elsewhere")
    assert not knock(tmp_path)
    WakePipe.open(tmp_path).close()
    assert not (tmp_path / "elsewhere").exists()


def test_it_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(StateDirError, match="cannot be made"):
        WakePipe.open(tmp_path / "none")


def test_a_killed_healer_does_not_listen(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from healmon.service.wake import WakePipe;"
        "p = WakePipe.open(Path(sys.argv[1])); print('up', flush=True); sys.stdin.read()"
    )
    with program(code, tmp_path) as healer:
        assert line(healer) == "up"
        assert knock(tmp_path)
        healer.kill()
        healer.wait(30)
        assert not knock(tmp_path)
    pipe = WakePipe.open(tmp_path)
    assert not pipe.drain()
    pipe.close()
