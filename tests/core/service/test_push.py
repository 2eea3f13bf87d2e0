"""News is told at once, to those who may know, and whoever does not listen harms nobody."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
import sys
from pathlib import Path

import pytest

from healmon.clock import process_seconds
from healmon.service import push as module
from healmon.service.push import NAME, Ear, Push
from tests.helpers.storekit import line, program


def spoken(state: Path, story):
    """Run `story(push)` while a healer's end is open."""

    async def run():
        push = Push.open(state)
        try:
            return await story(push)
        finally:
            push.close()

    return asyncio.run(run())


AT_ONCE = 30.0
"""Seconds: less than a wait for nothing lasts, and what a busy machine may take all the same."""


def waited(ear: Ear, seconds: float = 60.0) -> float:
    began = process_seconds()
    ear.wait(seconds, seconds)
    return process_seconds() - began


async def greeted(state: Path) -> Ear:
    ear = await asyncio.to_thread(Ear, state)
    await asyncio.to_thread(ear.wait)
    return ear


def test_a_ring_is_heard_at_once_and_many_are_one(tmp_path: Path) -> None:
    async def story(push: Push) -> None:
        with contextlib.closing(await greeted(tmp_path)) as ear:
            assert ear.connected
            assert await asyncio.to_thread(waited, ear, 0.2) >= 0.19, "nothing is new"
            for _ in range(1000):
                push.ring()
            assert await asyncio.to_thread(waited, ear) < AT_ONCE
            assert await asyncio.to_thread(waited, ear, 0.2) >= 0.19, "all of them heard"

    spoken(tmp_path, story)


def test_what_was_stored_while_a_viewer_was_let_in_is_not_missed(tmp_path: Path) -> None:
    async def story(push: Push) -> None:
        ear = Ear(tmp_path)  # in this thread: the loop has not accepted it yet
        push.ring()
        await asyncio.sleep(0)
        with contextlib.closing(ear):
            assert await asyncio.to_thread(waited, ear) < AT_ONCE

    spoken(tmp_path, story)


def test_the_end_of_the_healer_is_heard_at_once_and_its_socket_is_gone(tmp_path: Path) -> None:
    async def story(push: Push) -> Ear:
        return await greeted(tmp_path)

    ear = spoken(tmp_path, story)
    assert not (tmp_path / NAME).exists()
    assert waited(ear) < AT_ONCE
    assert not ear.connected
    assert waited(ear, 0.2) >= 0.19, "looks by itself from now on"

    async def again(push: Push) -> None:
        await asyncio.to_thread(ear.wait, 0.01)
        assert ear.connected, "the next healer is found"

    spoken(tmp_path, again)
    ear.close()


def test_nobody_there(tmp_path: Path) -> None:
    with contextlib.closing(Ear(tmp_path / "none")) as ear:
        assert not ear.connected
        assert waited(ear, 0.2) >= 0.19
        ear.interrupt()
        assert waited(ear) < AT_ONCE
        assert waited(ear) < AT_ONCE


def test_a_socket_left_over_is_replaced_and_something_else_put_aside(tmp_path: Path) -> None:
    old = socket.socket(socket.AF_UNIX)
    old.bind(str(tmp_path / NAME))
    old.close()
    with contextlib.closing(Ear(tmp_path)) as ear:
        assert not ear.connected

    async def story(push: Push) -> None:
        with contextlib.closing(await greeted(tmp_path)) as ear:
            assert ear.connected
        assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600

    spoken(tmp_path, story)
    (tmp_path / NAME).write_text("a letter")
    spoken(tmp_path, story)
    assert (tmp_path / f"{NAME}.stray1").read_text() == "a letter"
    (tmp_path / NAME).symlink_to(tmp_path / "elsewhere")
    spoken(tmp_path, story)
    assert not (tmp_path / "elsewhere").exists()


def test_a_path_longer_than_an_address(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120) / ("e" * 120)
    deep.mkdir(parents=True)

    async def story(push: Push) -> None:
        with contextlib.closing(await greeted(deep)) as ear:
            assert ear.connected
            push.ring()
            assert await asyncio.to_thread(waited, ear) < AT_ONCE

    spoken(deep, story)
    assert not (deep / NAME).exists()


def test_where_no_socket_can_be_made_nothing_else_ends(tmp_path: Path) -> None:
    async def story(push: Push) -> str:
        push.ring()
        return "it goes on"

    assert spoken(tmp_path / "none", story) == "it goes on"
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_a_hundred_viewers_of_whom_some_are_slow_and_some_are_killed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from healmon.service.push import Ear;"
        "ears = [Ear(Path(sys.argv[1])) for _ in range(40)];"
        "print(sum(e.connected for e in ears), flush=True); sys.stdin.read()"
    )

    async def story(push: Push) -> None:
        ears = [await greeted(tmp_path) for _ in range(60)]
        with program(code, tmp_path) as other:
            assert await asyncio.to_thread(line, other) == "40"
            began = process_seconds()
            for _ in range(3000):  # nobody of the 40 reads, nor most of ours
                push.ring()
            # to wait for one of them a moment each would take hours
            assert process_seconds() - began < 300
            other.kill()
            other.wait(30)
        for _ in range(600):
            if len(push._viewers) == 60:
                break
            await asyncio.sleep(0.05)
        assert len(push._viewers) == 60, "the killed ones are let go"
        for ear in ears:
            assert await asyncio.to_thread(waited, ear) < AT_ONCE
            ear.close()
        for _ in range(1500):
            if not push._viewers:
                break
            await asyncio.sleep(0.02)
        assert not push._viewers

    spoken(tmp_path, story)


def test_more_viewers_than_are_told_look_by_themselves(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "VIEWERS", 1)

    async def story(push: Push) -> None:
        first, second = await greeted(tmp_path), await greeted(tmp_path)
        assert (first.connected, second.connected) == (True, False)
        assert await asyncio.to_thread(waited, second, 0.2) >= 0.19, "it does not spin"
        first.close()
        second.close()

    spoken(tmp_path, story)


def test_a_viewer_that_talks_is_let_go(tmp_path: Path) -> None:
    async def story(push: Push) -> None:
        with contextlib.closing(await greeted(tmp_path)) as ear:
            assert ear._viewer is not None
            ear._viewer.send(b"rm -rf")
            assert await asyncio.to_thread(waited, ear) < AT_ONCE
            assert not ear.connected

    spoken(tmp_path, story)


def test_without_descriptors_it_waits_instead_of_spinning(tmp_path, monkeypatch) -> None:
    calls = []

    class Full:
        def accept(self):
            calls.append(1)
            raise OSError(errno.EMFILE, "too many open files")

        def fileno(self):
            return server.fileno()

        def close(self):
            server.close()

    monkeypatch.setattr(module, "TIRED", 0.2)
    server = module._served(tmp_path)

    async def story() -> None:
        push = Push(tmp_path, Full())  # type: ignore[arg-type]
        ear = Ear(tmp_path)
        while not calls:
            await asyncio.sleep(0.001)
        for _ in range(50):  # rounds of the loop, in each of which it could try
            await asyncio.sleep(0)
        assert len(calls) < 10
        tries = len(calls)
        for _ in range(1500):
            if len(calls) > tries:
                break
            await asyncio.sleep(0.02)
        assert len(calls) > tries, "it tries again"
        ear.close()
        push.close()

    asyncio.run(story())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
def test_another_user_is_not_let_in(tmp_path: Path) -> None:
    import subprocess

    base = Path("/tmp") / f"healmon-push-{os.getpid()}"  # not below pytest's 0700
    base.mkdir(mode=0o711)
    code = (
        "import os, socket, sys; s = socket.socket(socket.AF_UNIX); s.settimeout(30);"
        "os.setgroups([]); os.setuid(int(sys.argv[2])); s.connect(sys.argv[1]); print(s.recv(1))"
    )

    async def story(push: Push) -> str:
        (base / NAME).chmod(0o666)
        asked = [
            await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-c", code, str(base / NAME), str(user)],
                capture_output=True, text=True, timeout=30,
            )
            for user in (65534, 0)
        ]  # fmt: skip
        return "".join(one.stdout for one in asked)

    try:
        assert spoken(base, story).split() == ["b''", "b'.'"]
    finally:
        base.rmdir()


def test_who_has_no_descriptor_left_looks_by_himself(tmp_path: Path, monkeypatch) -> None:
    """A page that stopped looking then would show an old state for ever."""

    def none_left(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    async def story(push: Push) -> None:
        del push
        with monkeypatch.context() as patched:
            patched.setattr(module.socket, "socket", none_left)
            ear = Ear(tmp_path)
            ear.wait(0.01, 0.01)
            assert not ear.connected
        with contextlib.closing(ear):
            await asyncio.to_thread(ear.wait, 0.01, 0.01)
            assert ear.connected, "once there is one again"

    spoken(tmp_path, story)
