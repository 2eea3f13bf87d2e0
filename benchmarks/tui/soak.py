"""The real screen over many hours in a minute or two: each minute of `hours.story` is drawn.

`python soak.py HOURS FILE` writes one line of JSON an hour: hour, bytes in memory, objects.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from benchmarks.tui.hours import START, story
from benchmarks.tui.made_up import MadeUp
from healmon.clock import ManualClock
from healmon.events import CycleStarted, Recorded
from healmon.state import Snapshot
from healmon_tui.app import HealmonApp

PAGE = os.sysconf("SC_PAGE_SIZE")


class Hours(MadeUp):
    """A link whose healer lives through hours, minute by minute, as fast as they are drawn."""

    def __init__(self, hours: float, file: Path) -> None:
        super().__init__(0, 0.0)
        self.clock = ManualClock(START, autojump=False)
        self.app: HealmonApp | None = None
        self._hours, self._file = hours, file

    def open(self, sink: Callable[[Recorded], None]) -> Snapshot:
        threading.Thread(target=self._live, args=(sink,), daemon=True).start()
        return Snapshot()

    def history(self, count: int) -> list[Recorded]:
        del count
        return []

    def _live(self, sink: Callable[[Recorded], None]) -> None:
        assert self.app is not None
        for record in story(self._hours):
            if isinstance(record.event, CycleStarted) and record.id > 2:
                self.app.call_from_thread(self.app.redraw)
                if record.event.number % 60 == 0:
                    self._tell(record.event.number // 60)
            if self._end.is_set():
                return
            self.clock.advance(max(record.wall - self.clock.read().wall, 0.0))
            sink(record)
        self._tell(round(self._hours))
        self.app.call_from_thread(self.app.exit)

    def _tell(self, hour: int) -> None:
        gc.collect()
        rss = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
        with self._file.open("a") as out:
            out.write(json.dumps({"hour": hour, "rss": rss, "objects": len(gc.get_objects())}))
            out.write("\n")


if __name__ == "__main__":
    link = Hours(float(sys.argv[1]), Path(sys.argv[2]))
    link.app = HealmonApp(link, clock=link.clock)
    link.app.run()
