"""History is taken by a clock that can be believed only."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from healmon import events as ev
from healmon.clock import ManualClock, SystemClock
from healmon.config.load import load
from healmon.service.host import Host
from healmon.service.retention import AWAY_ONCE, EVERY, Rounds, near
from tests.helpers.storekit import Engine, observed, opened_store
from tests.helpers.wait import until

DAY = 86_400.0


def run(clock: ManualClock, rounds: Rounds, minutes: int) -> int:
    """Ask once a minute, as the house-keeping does; returns how many rounds were due."""
    due = 0
    for _ in range(minutes):
        due += rounds.due(clock.read())
        clock.advance(60.0)
    return due


def test_at_once_and_every_hour_from_then_on() -> None:
    clock = ManualClock()
    assert run(clock, Rounds(clock.read().wall - 3600.0), 181) == 4


def test_a_start_far_from_what_is_stored_waits_an_hour() -> None:
    for away in (3 * DAY, -3 * DAY):
        clock = ManualClock()
        rounds = Rounds(clock.read().wall + away)
        assert run(clock, rounds, 60) == 0
        assert run(clock, rounds, 2) == 1


def test_a_clock_that_is_set_is_believed_an_hour_later() -> None:
    clock = ManualClock()
    rounds = Rounds(clock.read().wall)
    assert run(clock, rounds, 10) == 1
    clock.step(3_650 * DAY)
    assert run(clock, rounds, 30) == 0
    clock.step(-3_650 * DAY)
    assert run(clock, rounds, 60) == 0
    assert run(clock, rounds, 2) == 1


def test_a_sleep_and_a_little_step_are_no_doubt() -> None:
    clock = ManualClock()
    rounds = Rounds(clock.read().wall)
    assert rounds.due(clock.read())
    clock.suspend(9 * DAY)
    clock.advance(EVERY)
    assert rounds.due(clock.read())
    clock.advance(EVERY)
    clock.step(5.0)
    assert rounds.due(clock.read())


def test_one_cycle_a_week_prunes_and_one_by_a_clock_of_another_decade_does_not() -> None:
    assert near(1.8e9, 1.8e9 + 7 * DAY, AWAY_ONCE)
    assert not near(1.8e9, 1.8e9 + 3_650 * DAY, AWAY_ONCE)


def test_a_run_of_one_cycle_takes_what_is_older_too(tmp_path: Path) -> None:
    """Of a healmon that only cron starts nothing would ever be taken."""
    file, state = tmp_path / "healmon.toml", tmp_path / "state"
    file.write_text('[monitor]\nname = "box"\n[sessions]\nsockets = []\n[disk]\npaths = []\n')
    state.mkdir(mode=0o700)
    now = SystemClock().read().wall
    with opened_store(state / "healmon.db") as store:
        engine = Engine(store, now - 50 * DAY)
        engine.emit(observed("old"))
        engine.emit(observed("new"), after=49 * DAY)
        engine.tell(ev.ComponentGone("old"), ev.ComponentGone("new"))
    settings = load(file, {"HOME": "/nonexistent"})
    host = Host.open(settings, state, mode="once", dry_run=False)
    try:
        asyncio.run(host.run_once())
        with closing(sqlite3.connect(state / "healmon.db")) as conn:

            def kept() -> list[str]:
                sql = "SELECT component FROM health_metrics WHERE component IN ('old', 'new')"
                return [row[0] for row in conn.execute(sql).fetchall()]

            until(lambda: "old" not in kept(), what="the end of what is old")
            assert kept() == ["new"]
    finally:
        host.close()
