"""Is a jump through the stored past instant, however long it is? CPU time, in one run.

Usage: python -m benchmarks.history [--quick]. See ../README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from healmon import events as ev
from healmon.plans import Status
from healmon.service.archive import Archive
from healmon.state import Snapshot, apply
from healmon.store import read, upkeep
from healmon.store.opening import open_store
from healmon.store.project import Projector, event_row
from healmon.store.stream import encode_snapshot
from healmon_tui.rows.scene import Scene
from healmon_tui.timetravel import told
from healmon_tui.viewmodel import ViewModel

COMPONENTS = 60
JUMPS = 12
ENOUGH = 300.0
"""Milliseconds of CPU that a jump may cost."""
DRAWN = 1_000.0
"""And all series of a month."""
BEGAN = 1_770_000_000.0


class Life:
    """Thirty workers and thirty sessions, a check a minute, a fault now and then."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self.snapshot = Snapshot()
        self.wall = BEGAN
        self._conn = conn
        self._chance = random.Random(1)
        self._rows = Projector()

    def emit(self, event: ev.Event) -> None:
        number = self.snapshot.last_id + 1
        record = ev.Recorded(number, round(self.wall, 3), event)
        self.snapshot = apply(self.snapshot, record)
        for statement in (event_row(record), *self._rows.rows(record)):
            self._conn.execute(*statement)
        if number % 1_200 == 0:
            upkeep.store_checkpoint(self._conn, number, encode_snapshot(self.snapshot))

    def seen(self, number: int, status: Status) -> None:
        chance = self._chance
        name = f"worker_{number}" if number < 30 else f"session:agent_{number}"
        facts = {
            "state": status, "pid": 1_000 + number, "cpu": chance.randint(0, 50) / 10,
            "rss": chance.randint(50, 60) << 20, "since": BEGAN, "restarts": 0, "failures": 0,
            "max_failures": 5, "command": ["python3", f"workers/{name}.py", "--daemon"],
            "log_path": f"/var/lib/healmon/workers/{name}/output.log", "why": "", "others": [],
        }  # fmt: skip
        healer = "workers" if number < 30 else "sessions"
        self.emit(ev.Observed(healer, name, status, status, "process", "1", facts))

    def cycle(self, number: int) -> None:
        self.wall += 60
        self.emit(ev.CycleStarted(number))
        for one in range(COMPONENTS):
            if self._chance.random() < 0.6:
                self.seen(one, "healthy")
        for disk, percent in (("/", 60), ("/var", 80), ("/home", 40)):
            level = f"{percent + self._chance.random() * 10:.1f}"
            facts = {"percent": float(level), "path": disk, "used": 1 << 40, "free": 1 << 38}
            self.emit(
                ev.Observed("disks", f"disk:{disk}", "healthy", level, "disk_usage", level, facts)
            )
        if self._chance.random() < 0.05:
            one = self._chance.randrange(30)
            key = f"box/worker_{one}/down"
            self.seen(one, "unhealthy")
            self.emit(ev.AlertOpened(key, "CRITICAL", f"worker_{one}", "it is down"))
            self.wall += 5
            self.emit(ev.ActionVerified("p", f"worker_{one}", "restart_worker", "alive", 0.4))
            self.seen(one, "healthy")
            self.emit(ev.AlertResolved(key, "up again"))
        self.emit(ev.CycleFinished(number, 0.4, 60.0))


def made(path: Path, events: int) -> int:
    conn = open_store(path, "box", "2026-01-01 00:00:00.000").conn
    conn.execute("PRAGMA synchronous = OFF")
    life, number = Life(conn), 0
    conn.execute("BEGIN")
    life.emit(
        ev.EngineStarted(
            "box", "0", 1, "tui", dry_run=False, interval=60.0, boot="b", steady_offset=0.0
        )
    )
    while life.snapshot.last_id < events:
        number += 1
        life.cycle(number)
    conn.execute("COMMIT")
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    conn.close()
    return life.snapshot.last_id


def cost(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return 1_000 * (time.process_time() - before)


def drawn(archive: Archive, number: int) -> None:
    visit = archive.at(number)
    chronicle = told(visit)
    scene = Scene.of(visit.snapshot, visit.wall, chronicle=chronicle)
    ViewModel().panels(scene, chronicle, settled=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.history")
    parser.add_argument("--quick", action="store_true", help="a tenth of the events")
    events = 100_000 if parser.parse_args().quick else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "healmon.db"
        newest = made(path, events)
        chance = random.Random(2)
        places = [chance.randrange(1, newest) for _ in range(JUMPS)]
        with contextlib.closing(read.open_reader(path)) as conn:
            use = lambda: contextlib.nullcontext(conn)  # noqa: E731 - shorter than a def
            end = read.last_event_wall(conn)

            def jump(place: int) -> None:
                drawn(Archive(use), place)

            def step(place: int) -> None:
                Archive(use).go("back", place)

            def incident(place: int) -> None:
                Archive(use).go("incident-back", place)

            def plot(days: int) -> None:
                Archive(use).sums(end - days * 86_400, end)

            jumps = [cost(partial(jump, place)) for place in places]
            steps = [cost(partial(step, place)) for place in places]
            incidents = [cost(partial(incident, place)) for place in places]
            plots = {
                name: [cost(partial(plot, days))]
                for name, days in (("series of a day", 1), ("series of a month", 30))
            }
            (frames,) = conn.execute("SELECT sum(length(snapshot)) FROM keyframes").fetchone()
        share = 100 * frames / path.stat().st_size
    print(f"{newest:,} events, keyframes take {share:.1f} % of the store\n")
    print("CPU ms                       median   worst")
    for name, times in (("jump, folded and laid out", jumps), ("step back", steps),
                        ("incident back", incidents), *plots.items()):  # fmt: skip
        print(f"{name:27} {statistics.median(times):7.0f} {max(times):7.0f}")
    within = max(jumps + steps + incidents) < ENOUGH
    within = within and max(map(max, plots.values())) < DRAWN
    print(f"\n{'all' if within else 'NOT all'} within {ENOUGH:g} ms, series within {DRAWN:g} ms")
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
