"""The real screen over a made-up healer: so many workers and sessions, so many events a second.

`python made_up.py RATE [ROWS]`: every row changes RATE times a second; `flood`: 20,000 events a
second that leave the first row alone, so that its cursor is painted only when it moves; `0`:
nothing happens.
"""

from __future__ import annotations

import gc
import itertools
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from healmon import events as ev
from healmon.service.link import Peek
from healmon.state import Snapshot, replay
from tests.helpers.scripted import ScriptedLink

FLOOD = 20_000
"""Events a second."""
CHUNK = 200
SESSION = {
    "state": "working", "painted": 0, "novelty": [4, 9, 22, 31, 8, 12, 17, 40, 6, 11, 9, 13],
    "window": 0, "pane_index": 0, "command": "claude", "pack": "claude",
}  # fmt: skip


class MadeUp(ScriptedLink):
    """A link whose healer is a thread that counts."""

    def __init__(self, rows: int, rate: float) -> None:
        self._rows, self._rate = rows, rate
        self._numbers = itertools.count(1)
        self._end = threading.Event()
        began = ev.EngineStarted(
            "bench", "1", 1, "tui", dry_run=False, interval=60.0, boot="b", steady_offset=0.0
        )
        past = [self._record(began), *map(self._record, self._looks(0, 0))]
        past += [
            self._record(ev.AlertNoted(f"bench/w{n:02}/x", f"w{n:02}", f"restarted by hand, {n}"))
            for n in range(100)
        ]
        super().__init__([*past, self._record(ev.CycleFinished(1, 0.4, 60.0))])

    def _record(self, event: ev.Event) -> ev.Recorded:
        return ev.Recorded(next(self._numbers), time.time(), event)

    def _looks(self, turn: int, first: int) -> list[ev.Event]:
        return [
            event
            for n in range(first, self._rows)
            for event in (self._worker(n, turn), self._session(n, turn))
        ]

    def _worker(self, n: int, turn: int) -> ev.Event:
        facts = {
            "state": "healthy", "pid": 4000 + n, "since": 1.7e9, "cpu": (n * 7 + turn) % 100,
            "rss": 61e6 + (n * 13 + turn) % 100 * 1e6, "restarts": 0, "failures": 0,
            "max_failures": 5,
        }  # fmt: skip
        return ev.Observed("workers", f"w{n:02}", "healthy", "healthy", "process", "1", facts)

    def _session(self, n: int, turn: int) -> ev.Event:
        facts = {
            **SESSION, "quiet": (n + turn) % 60, "pane": f"%{n}", "tasks": [n],
            "last_line": f"Writing part {turn} of docs/guide-{n}.md",
        }  # fmt: skip
        name = f"session:agent_{n:02}"
        return ev.Observed("sessions", name, "healthy", "working", "screen", "1", facts)

    def open(self, sink: Callable[[ev.Recorded], None]) -> Snapshot:
        work = self._flood if self._rate == FLOOD else self._beat
        if self._rate:
            threading.Thread(target=work, args=(sink,), daemon=True).start()
        return replay(self.past)

    def _beat(self, sink: Callable[[ev.Recorded], None]) -> None:
        for turn in itertools.count(1):
            if self._end.wait(1 / self._rate):
                return
            for event in self._looks(turn, 0):
                sink(self._record(event))

    def _flood(self, sink: Callable[[ev.Recorded], None]) -> None:
        events = [event for turn in range(10) for event in self._looks(turn, 1)]
        due = time.monotonic()
        for chunk in itertools.count():
            for n in range(CHUNK):
                sink(self._record(events[(chunk * CHUNK + n) % len(events)]))
            due = max(due + CHUNK / FLOOD, time.monotonic() - 0.5)
            if self._end.wait(max(due - time.monotonic(), 0.0)):
                return

    async def peek(self, facts: dict[str, Any]) -> Peek:
        return Peek(lines=(str(facts.get("last_line")),), at=time.time())

    async def close(self) -> None:
        self._end.set()


if __name__ == "__main__":
    gc.disable()  # as `healmon-tui` does until the first picture
    from healmon_tui.spared import load_textual

    load_textual()
    from healmon_tui.app import run

    word = sys.argv[1]
    rate = FLOOD if word == "flood" else float(word)
    sys.exit(run(MadeUp(int(sys.argv[2]) if sys.argv[2:] else 30, rate)))
