"""Two screens and a script on one daemon: told at once, all of them the same.

At once means: by the push. So whoever listens here does not look by itself where the healer pushes:
what was not told to it does not come, however fast or busy the machine is.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from healmon.service.asking import ask_healer
from healmon.service.links import StoreLink
from healmon.service.push import NAME, Ear
from healmon.state import apply
from tests.helpers.wait import until

pytestmark = pytest.mark.slow


NEVER = 50.0
"""Seconds after which it has not been told."""
LIMIT = 40.0
DEAF = f"""
import sys
from healmon.service.push import Ear
Ear.wait.__defaults__ = (1.0, {NEVER})
from healmon.cli import main
sys.exit(main())
"""


@pytest.fixture
def only_by_push(monkeypatch):
    wait = Ear.wait

    def told(ear, alone=1.0, _=0.0):
        began = time.monotonic()
        wait(ear, alone, NEVER)
        assert time.monotonic() - began < NEVER, "nobody rang"

    monkeypatch.setattr(Ear, "wait", told)


class Screen:
    """What a screen folds from its link, and the notes that came."""

    def __init__(self, state):
        self.came = set()
        self.link = StoreLink(state)
        self.snapshot = None
        self.waiting = []
        self.snapshot = self.link.open(self.take)

    def take(self, record):
        self.came.add(getattr(record.event, "note", ""))
        self.waiting.append(record)

    def now(self):
        while self.waiting:
            self.snapshot = apply(self.snapshot, self.waiting.pop(0))
        return self.snapshot

    def close(self):
        asyncio.run(self.link.close())


def test_two_screens_and_a_script_are_told_the_same(box, only_by_push):
    box.write(box.worker("a"), interval="1h")
    assert box.run("--daemon").returncode == 0
    until(lambda: box.events("actionverified"), 60, "the worker up")
    screens = [Screen(box.state) for _ in range(2)]
    words = box.argv("events", "--follow", "--json", program="healmon")[3:]
    script = subprocess.Popen(
        [sys.executable, "-c", DEAF, *words],
        env=box.env, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    told = []
    reader = threading.Thread(target=lambda: told.extend(script.stdout))
    reader.start()
    try:
        until(lambda: all(s.link._ear.connected for s in screens), 60)
        for note in ("one", "two", "three"):
            answer = ask_healer(box.state, "pause", "a", {"for": 600.0, "note": note})
            assert answer.ok
            until(lambda n=note: all(n in s.came for s in screens), LIMIT, "both screens")
            until(lambda n=note: any(n in line for line in told), LIMIT, "the script")
            assert len({tuple(s.now().maintenance.items()) for s in screens}) == 1
        assert screens[0].link.trouble() == ""
        # the end of the healer is told by the socket, not by the next look
        box.run("--stop")
        until(lambda: all(s.link.trouble() for s in screens), LIMIT, "the end told")
        assert not (box.state / NAME).exists()
    finally:
        script.kill()
        script.wait(10)
        reader.join(10)
        script.stdout.close()
        for screen in screens:
            screen.close()


def test_answers_are_pushed_and_a_healer_without_a_socket_is_asked_all_the_same(box, only_by_push):
    box.write(box.worker("a"), interval="1h")
    assert box.run("--daemon").returncode == 0
    until(lambda: box.events("actionverified"), 60, "the worker up")
    for _ in range(9):
        assert ask_healer(box.state, "resume", "nothing", {}).code == 0
    pid = json.loads((box.state / "healmon.lock").read_text())["pid"]
    loaded = Path(f"/proc/{pid}/maps").read_text()
    assert "libsqlite3" in loaded or "_sqlite3" in loaded
    assert "libssl" not in loaded, "no https address is asked: OpenSSL stays out"
    assert "libcrypto" not in loaded
    (box.state / NAME).unlink()
    assert ask_healer(box.state, "pause", "a", {"for": 600.0, "note": ""}).ok
    screen = Screen(box.state)
    try:
        assert not screen.link._ear.connected
        assert box.healmon("resume", "a", "--json").returncode == 0
        until(lambda: screen.now().maintenance == {}, LIMIT, "seen by looking")
    finally:
        screen.close()
