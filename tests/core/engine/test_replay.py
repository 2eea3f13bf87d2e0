"""What the store kept of a run folds into exactly the snapshot that the run ended with."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from healmon.clock import ManualClock
from healmon.engine import Engine, Run
from healmon.errors import ProbeError, RemedyError, VetoError
from healmon.events import Recorded
from healmon.state import Snapshot, replay
from healmon.store import read, stream
from healmon.store.store import Store
from tests.helpers.examples import examples
from tests.helpers.made_up import ScriptedHealer

FATES = (None, VetoError("gone"), RemedyError("no luck"), ZeroDivisionError("bug"))
MOVES = st.lists(
    st.tuples(
        st.sampled_from(
            ["break", "blind", "cycle", "ack", "pause", "restart", "sleep", "step", "offer"]
        ),
        st.integers(0, 1),
        st.sampled_from(FATES),
    ),
    max_size=25,
)  # fmt: skip


async def play(engine: Engine, healers: list[ScriptedHealer], clock: ManualClock, moves) -> None:
    await engine._open()
    for move, which, fate in moves:
        healer = healers[which]

        async def act(fate=fate):
            if fate is not None:
                raise fate

        async def look(blind=move == "blind"):
            if blind:
                raise ProbeError("cannot see")

        healer.act_hook, healer.look_hook = act, look
        match move:
            case "break":
                healer.broken = True
            case "ack":
                for alert in engine.snapshot.alerts.values():
                    await engine.ask("acknowledge", str(alert.id), {"for": 30}, origin="t")
            case "pause":
                await engine.ask("pause", healer.component, {"for": 90}, origin="t")
            case "restart" | "offer":
                args = {"verb": "restart"}
                await engine.ask(move, healer.component, args, origin="t")
            case "sleep":
                clock.suspend(4000.0)
            case "step":
                clock.step(-700.0)
            case _:
                pass
        await engine.cycle()
        clock.advance(60.0)
    await engine._close()


def run(path: Path, moves, *, clock: ManualClock) -> tuple[Snapshot, list[Recorded]]:
    store = Store.open(path, host="box", now=clock.read())
    healers = [ScriptedHealer("one", broken=True), ScriptedHealer("two", delay=30.0)]
    engine = Engine(healers, store, clock, Run(host="box"))
    told: list[Recorded] = []
    engine.subscribe(told.append)
    asyncio.run(play(engine, healers, clock, moves))
    store.close(10.0)
    return engine.snapshot, told


@settings(max_examples=examples(15))
@given(first=MOVES, second=MOVES)
def test_the_stored_events_of_random_runs_fold_into_the_last_snapshot(first, second):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "healmon.db"
        clock = ManualClock(autojump=False)
        ended, told = run(path, first, clock=clock)
        kept, more = run(path, second, clock=clock)
        connection = read.open_reader(path)
        try:
            records = stream.read_events(connection, 0, 1_000_000)
            stored = stream.read_snapshot(connection)
        finally:
            connection.close()
    assert records == told + more
    assert replay(records[: len(told)]) == ended
    assert replay(records) == kept == stored


def test_a_store_killed_without_a_word_reopens_with_what_was_flushed(tmp_path):
    path = tmp_path / "healmon.db"
    clock = ManualClock(autojump=False)
    ended, _ = run(path, [("break", 0, None), ("cycle", 0, None)], clock=clock)
    store = Store.open(path, host="box", now=clock.read())
    assert store.snapshot == ended
    store.close(10.0)
