"""Screens beside a daemon that is killed, stopped, hangs or comes back; two screens at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import threading
from collections.abc import Iterator

import pytest

from healmon.events import Recorded
from healmon.service import instance
from healmon.service.takeover import Relay
from healmon.state import Snapshot, apply
from healmon.store import read, stream
from tests.helpers.box import UP, alive
from tests.helpers.terminal import Terminal, on_glass, terminal
from tests.helpers.wait import until

pytestmark = pytest.mark.slow

PROGRAM = "import sys; from healmon_tui.cli import main; sys.exit(main(sys.argv[1:]))"
CODES = re.compile(rb"\x1b\[[0-9;:?<=>]*[a-zA-Z]|\x1b[=>78]|\x1b\][^\x07]*\x07")


class Viewer:
    """A real screen on a pseudo terminal."""

    def __init__(self, there: Terminal) -> None:
        self.there = there
        self.mark = 0

    @property
    def pid(self) -> int:
        return self.there.process.pid

    def type(self, keys: str) -> None:
        self.mark = len(self.there.written)
        self.there.type(keys)

    def new(self) -> str:
        """What was written since the mark, without what drives the terminal."""
        return CODES.sub(b"", bytes(self.there.written[self.mark :])).decode("utf-8", "replace")

    def glass(self) -> str:
        """What is on the screen now."""
        return on_glass(bytes(self.there.written))

    def shows(self, text: str, limit: float = 60.0) -> None:
        until(lambda: text in self.new(), limit, f"{text!r} on the screen")

    def now(self) -> None:
        """Look only at what is written from now on."""
        self.mark = len(self.there.written)


@contextlib.contextmanager
def viewer(box, *words: str) -> Iterator[Viewer]:
    argv = box.argv(*words)[3:]
    env = {k: v for k, v in box.env.items() if k not in ("NO_COLOR", "COLUMNS", "LINES", "TERM")}
    env = {k: v for k, v in env.items() if k not in ("LC_ALL", "COLORTERM")}
    with terminal(PROGRAM, *argv, size=(120, 30), **env) as there:
        yield Viewer(there)


def holder(box) -> int:
    found = instance.holder(box.state)
    return found.pid if found is not None else 0


def daemon(box) -> int:
    ran = box.run("--daemon")
    assert ran.returncode == 0, ran.stderr
    return holder(box)


def test_a_killed_daemon_is_taken_over_by_one_of_two_and_by_the_other_when_that_one_ends(box):
    box.write(box.worker("a", ready=UP))
    pid = daemon(box)
    until(lambda: box.events("actionverified"), 60, "the worker up")
    worker = until(box.started_pids, what="its own word")
    with viewer(box) as one, viewer(box) as other:
        for screen in (one, other):
            screen.shows(f"ATTACHED pid {pid}")
        os.kill(pid, signal.SIGKILL)
        for screen in (one, other):
            screen.shows("NO HEALER since")
            screen.shows(f"pid {pid} was killed or crashed")
            screen.type("\r")
            screen.shows("take over?")
        for screen in (one, other):
            screen.type("y")
        until(lambda: holder(box) in (one.pid, other.pid), 60, "one heals")
        winner, loser = (one, other) if holder(box) == one.pid else (other, one)
        winner.shows("this screen heals now")
        loser.shows(f"ATTACHED pid {winner.pid}")
        cycles = len(box.events("cyclefinished"))
        until(lambda: len(box.events("cyclefinished")) > cycles + 1, 60, "checks of the new healer")
        assert box.started_pids() == worker, "taken on, not restarted"
        assert box.healmon("pause", "a", "--for", "1h", "--note", "by a script").returncode == 0
        for screen in (one, other):
            screen.shows("paused till")
        for screen in (one, other):  # whoever heals, and whoever looks on, can look back
            screen.type("[")
            screen.shows("HISTORY ")
            screen.type("L")
            screen.shows("LIVE ")
        winner.type("q")
        assert winner.there.ends() == 0
        loser.shows("NO HEALER since")
        loser.type("\r")
        loser.shows("take over?")
        loser.type("y")
        loser.shows("this screen heals now")
        assert holder(box) == loser.pid
        assert box.started_pids() == worker
        assert alive(worker[0])
        loser.type("q")
        assert loser.there.ends() == 0
    assert holder(box) == 0
    assert [e["mode"] for e in box.events("enginestarted")] == ["daemon", "tui", "tui"]
    assert len(box.events("enginestopped")) == 2
    assert alive(worker[0])


def test_a_daemon_that_stops_comes_back_and_hangs_is_told_of(box):
    box.write()
    first = daemon(box)
    with viewer(box, "--read-only") as looking, viewer(box) as screen:
        for one in (looking, screen):
            one.shows(f"ATTACHED pid {first}")
        assert box.run("--stop").returncode == 0
        for one in (looking, screen):
            one.shows("NO HEALER since")
            one.shows(f"pid {first} ended: ")
        assert "takes over" not in looking.new()
        screen.type("\r")
        screen.shows("take over?")
        screen.now()
        second = daemon(box)
        for one in (looking, screen):
            one.shows(f"ATTACHED pid {second}")
        screen.shows("q quit")  # the sheet is gone
        os.kill(second, signal.SIGSTOP)
        try:
            screen.shows("HEALER HANGS")
            screen.type("\r")
            looking.shows("HEALER HANGS")
            assert "take over?" not in screen.new()
        finally:
            os.kill(second, signal.SIGCONT)
        for one in (looking, screen):
            until(lambda one=one: "LIVE" in one.glass(), 60, "both live")
            one.there.signal(signal.SIGTERM)
            assert one.there.ends() == 0
    assert holder(box) == second


def test_two_screens_and_a_script_that_act_at_once_end_with_one_truth(box):
    box.write(box.worker("a"), box.worker("b"), interval="5s")
    daemon(box)
    links = [Relay(box.state, "", None) for _ in range(2)]
    heard: list[list[Recorded]] = [[], []]
    starts = [link.open(records.append) for link, records in zip(links, heard, strict=True)]
    failed: list[str] = []

    def acts(number: int) -> None:
        name, link = "ab"[number], links[number]
        for turn in range(5):
            more = {"for": 600 + turn, "note": f"{number}.{turn}"}
            for verb, given in (("pause", more), ("resume", {}), ("silence", more)):
                target = f"component={name}" if verb == "silence" else name
                answer = asyncio.run(link.ask(verb, target, given))
                if not answer.ok:
                    failed.append(f"{verb} {target}: {answer.text}")

    threads = [threading.Thread(target=acts, args=(number,)) for number in range(2)]
    try:
        for thread in threads:
            thread.start()
        ran = box.healmon("pause", "--for", "1h", "--note", "script")
        assert ran.returncode == 0, ran.stderr
        for thread in threads:
            thread.join(120)
        assert failed == []

        def one_truth() -> bool:
            with contextlib.closing(read.open_reader(box.state / "healmon.db")) as conn:
                stored = stream.read_snapshot(conn)
            return all(
                fold(start, list(records)) == stored
                for start, records in zip(starts, heard, strict=True)
            )

        until(one_truth, 60, "both screens and the store say the same")
        final = fold(starts[0], heard[0])
        assert set(final.maintenance) == {"*"}
        assert len(final.silences) == 10
    finally:
        for link in links:
            asyncio.run(link.close())


def fold(start: Snapshot, records: list[Recorded]) -> Snapshot:
    for record in records:
        start = apply(start, record)
    return start


def test_a_screen_for_looking_only_is_never_the_healer_and_keeps_none_from_starting(box):
    box.write(box.worker("a", ready=UP), interval="1s")
    ran = box.run("--read-only")
    assert ran.returncode == 75
    assert "nothing to look at" in ran.stderr
    daemon(box)
    until(lambda: box.events("actionverified"), 60, "the worker up")
    assert box.run("--stop").returncode == 0
    worker = until(box.started_pids, what="its own word")[-1]
    with viewer(box, "--read-only") as looking:
        looking.shows("READ ONLY")
        looking.shows("NO HEALER")
        assert holder(box) == 0
        os.kill(worker, signal.SIGKILL)
        until(lambda: not alive(worker), 60, "the worker gone")
        looking.now()
        pid = daemon(box)
        looking.shows(f"ATTACHED pid {pid}")
    with viewer(box, "--dry-run") as dry:
        dry.shows(f"ATTACHED pid {pid}")
        dry.shows("READ ONLY")  # what is asked of that healer it does
    assert holder(box) == pid, "whoever looked on ended nothing"
