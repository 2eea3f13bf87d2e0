"""Two screens and a script on one daemon: the same within a second, and answers at once."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import time
from pathlib import Path

import pytest

from healmon.service.asking import ask_healer
from healmon.service.links import StoreLink
from healmon.service.push import NAME
from healmon.state import apply
from tests.helpers.wait import until

pytestmark = pytest.mark.slow


class Screen:
    """What a screen folds from its link, and when the event with each note came."""

    def __init__(self, state):
        self.came = {}
        self.link = StoreLink(state)
        self.snapshot = None
        self.waiting = []
        self.snapshot = self.link.open(self.take)

    def take(self, record):
        self.came[getattr(record.event, "note", "")] = time.monotonic()
        self.waiting.append(record)

    def now(self):
        while self.waiting:
            self.snapshot = apply(self.snapshot, self.waiting.pop(0))
        return self.snapshot

    def close(self):
        asyncio.run(self.link.close())


def test_two_screens_and_a_script_see_the_same_within_a_second(box):
    box.write(box.worker("a"), interval="1h")
    assert box.run("--daemon").returncode == 0
    until(lambda: box.events("actionverified"), 20, "the worker up")
    screens = [Screen(box.state) for _ in range(2)]
    script = subprocess.Popen(
        box.argv("events", "--follow", "--json", program="healmon"),
        env=box.env, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert script.stdout is not None
        until(lambda: all(s.link._ear.connected for s in screens), 10)
        for note in ("one", "two", "three"):
            answer = ask_healer(box.state, "pause", "a", {"for": 600.0, "note": note})
            asked = time.monotonic()
            assert answer.ok
            until(lambda n=note: all(n in s.came for s in screens), 5, "both screens")
            assert max(s.came[note] for s in screens) - asked < 1.0
            said = until(lambda n=note: n in (script.stdout.readline()), 10, "the script")
            assert said
            assert time.monotonic() - asked < 2.0
            assert len({tuple(s.now().maintenance.items()) for s in screens}) == 1
        assert screens[0].link.trouble() == ""
        # the end of the healer is told by the socket, not by the next look
        box.run("--stop")
        until(lambda: all(s.link.trouble() for s in screens), 3, "the end told")
        assert not (box.state / NAME).exists()
    finally:
        script.kill()
        script.wait(10)
        script.stdout.close()
        for screen in screens:
            screen.close()


def test_answers_come_at_once_and_a_healer_without_a_socket_is_asked_all_the_same(box):
    box.write(box.worker("a"), interval="1h")
    assert box.run("--daemon").returncode == 0
    until(lambda: box.events("actionverified"), 20, "the worker up")
    took = []
    for _ in range(9):
        began = time.monotonic()
        assert ask_healer(box.state, "resume", "nothing", {}).text
        took.append(time.monotonic() - began)
    assert statistics.median(took) < 0.1, took
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
        until(lambda: screen.now().maintenance == {}, 5, "seen by looking")
    finally:
        screen.close()
