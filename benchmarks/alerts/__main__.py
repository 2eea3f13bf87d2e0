"""Does the inbox open and page at once, however much is stored? Against an empty store, in one run.

Usage: python -m benchmarks.alerts [--quick]. See ../README.md.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from healmon import events as ev
from healmon.clock import Reading, format_utc
from healmon.report import morning, morning_text
from healmon.service.report_cli import night_of
from healmon.store import read
from healmon.store.alertrows import alert_rows
from healmon.store.project import event_row
from healmon.store.store import Store

PAGE = 200
TIMES = 15
ENOUGH = 100.0
"""Milliseconds that nobody notices."""


def main(argv: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    stored, alerts = (20_000, 500) if args.quick else (1_000_000, 10_000)
    with tempfile.TemporaryDirectory(prefix="hmbench") as folder:
        empty, full = Path(folder) / "empty.db", Path(folder) / "full.db"
        for path, count, told in ((empty, 10, 2), (full, stored, alerts)):
            _fill(path, count, told)
        print(f"{stored:,} events, {alerts:,} alerts ({full.stat().st_size >> 20} MiB)\n")
        print(f"{'':34}{'empty':>10}{'full':>10}{'ratio':>8}")
        slow = [line for line in _measured(empty, full) if line > ENOUGH]
    return 1 if slow else 0


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks.alerts", description=__doc__)
    made.add_argument("--quick", action="store_true", help="20,000 events, 500 alerts")
    return made


STEP = 2.5
"""Seconds between two events."""


def _fill(path: Path, count: int, alerts: int) -> None:
    """Write a history of so many events, among them so many alerts that came and went."""
    first = time.time() - count * STEP
    reading = Reading(wall=first, steady=first, boot=1.0)
    Store.open(path, host="box", now=reading).close(10.0)
    with sqlite3.connect(path, isolation_level=None) as connection:
        connection.execute("BEGIN")
        for record in _history(count, alerts, first):
            connection.execute(*event_row(record))
            at = format_utc(record.wall)
            for statement in alert_rows(record.event, at, record.id):
                connection.execute(*statement)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _history(count: int, alerts: int, first: float) -> Iterator[ev.Recorded]:
    every = max(2, count // alerts)
    yield ev.Recorded(
        1,
        first,
        ev.EngineStarted(
            "box", "1", 1, "daemon", dry_run=False, interval=60.0, boot="b", steady_offset=0.0
        ),
    )
    for number in range(2, count + 1):
        wall = first + number * STEP
        place, round_ = number % every, number // every
        key = f"box/workers/w{round_ % 40}/down{'' if round_ % 50 else round_}"
        if place == 0:
            event: ev.Event = ev.AlertOpened(key, "CRITICAL", f"w{round_ % 40}", "it is down", {})
        elif place == 1 and round_ % 50:
            event = ev.AlertResolved(key, "up")
        elif number % 24 == 0:
            event = ev.CycleFinished(number // 24, 0.2, 59.8)
        else:
            event = ev.Observed(
                "workers", f"w{number % 40}", "healthy", "up", "process", "1", {"pid": number}
            )
        yield ev.Recorded(number, wall, event)


def _measured(empty: Path, full: Path) -> Iterator[float]:
    """Print what each question costs in both, and yield its milliseconds in the full one."""
    for name, ask in QUESTIONS.items():
        few, many = _cost(empty, ask), _cost(full, ask)
        print(f"{name:34}{few:>8.2f}ms{many:>8.2f}ms{many / few:>7.1f}x")
        yield many


def _cost(path: Path, ask: Callable[[sqlite3.Connection], object]) -> float:
    times: list[float] = []
    for _ in range(TIMES):
        began = time.perf_counter()
        connection = read.open_reader(path)
        try:
            ask(connection)
        finally:
            connection.close()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def _page(connection: sqlite3.Connection) -> object:
    return morning_text(morning(night_of(connection, 8 * 3600.0, running=True)))


def _status(connection: sqlite3.Connection) -> object:
    facts = read.engine_facts(connection)
    return facts, read.open_alerts(connection), read.recent_actions(connection, 5)


QUESTIONS: dict[str, Callable[[sqlite3.Connection], object]] = {
    "the inbox": read.open_alerts,
    "the first page of all alerts": lambda c: read.all_alerts(c, PAGE),
    "a page from the middle": lambda c: read.all_alerts(c, PAGE, read.last_event_id(c) // 2),
    "status": _status,
    "one event": lambda c: read.event(c, read.last_event_id(c) // 2),
    "the next 200 events": lambda c: read.events(c, max(0, read.last_event_id(c) - PAGE), PAGE),
    "the morning page": _page,
}

if __name__ == "__main__":
    sys.exit(main())
