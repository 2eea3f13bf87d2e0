"""Commits into the demo's main database, and holds its write lock when asked.

When `run/hold` appears it begins a transaction, writes a row and says so in `run/holding`: that is
the moment to stop it. Continued, or after a few seconds, it commits and goes on. It also keeps a
rotated log open, which no cleaner may take.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import time
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).absolute().parents[1]
HOLD = ROOT / "run/hold"
HOLDING = ROOT / "run/holding"
LONGEST = 3.0
"""Seconds that it holds the lock when nobody stops it."""
EVERY = 0.25
KEEP = 500


class Writer:
    """One connection that commits for ever."""

    def __init__(self) -> None:
        self.ending = False
        self.continued = False
        signal.signal(signal.SIGTERM, self.end)
        signal.signal(signal.SIGINT, self.end)
        signal.signal(signal.SIGCONT, self.go_on)
        self.database = sqlite3.connect(
            f"file:{ROOT / 'data/architect.db'}?mode=rw", uri=True, timeout=30, isolation_level=None
        )
        self.database.execute("PRAGMA journal_mode=WAL")

    def end(self, _number: int, _frame: FrameType | None) -> None:
        """Leave after this commit."""
        self.ending = True

    def go_on(self, _number: int, _frame: FrameType | None) -> None:
        """Notice that somebody continued a stopped writer."""
        self.continued = True

    def row(self, event: str) -> None:
        """Write one row, and forget the oldest."""
        self.database.execute(
            "INSERT INTO pool_events (session_name, event_type, details) VALUES (?, ?, ?)",
            ("demo", event, f"pid {os.getpid()}"),
        )
        self.database.execute(
            "DELETE FROM pool_events WHERE id <= (SELECT max(id) FROM pool_events) - ?", (KEEP,)
        )

    def commit(self) -> None:
        """Commit once, quickly."""
        self.database.execute("BEGIN IMMEDIATE")
        self.row("tick")
        self.database.execute("COMMIT")

    def hold(self, nonce: str) -> None:
        """Hold the write lock until continued, told to end, or the time is over."""
        self.database.execute("BEGIN IMMEDIATE")
        self.row("held")
        self.continued = False
        HOLDING.write_text(nonce)
        until = time.perf_counter() + LONGEST
        while not self.continued and not self.ending and time.perf_counter() < until:
            time.sleep(0.02)
        HOLDING.unlink(missing_ok=True)  # first: whoever is stopped in between would not hold it
        self.database.execute("COMMIT")

    def run(self) -> None:
        """Commit until told to end, or until the demo is gone."""
        while not self.ending and (ROOT / "manifest.json").exists():
            if HOLD.exists():
                nonce = HOLD.read_text()
                HOLD.unlink(missing_ok=True)
                self.hold(nonce)
            else:
                self.commit()
                time.sleep(EVERY)
        self.database.close()


def main() -> int:
    """Write for ever."""
    with (ROOT / "scratch/logs/still-open.log.1").open("ab"):
        Writer().run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
