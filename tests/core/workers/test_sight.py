"""A look at few: who is looked at, what is told of the others, and when all are looked at."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from healmon.clock import ManualClock, Reading
from healmon.config.settings import Worker
from healmon.state import Snapshot
from healmon.workers.diagnose import Judge
from healmon.workers.model import Seen, StartRecord, WorkerSeen
from healmon.workers.records import Records
from healmon.workers.sight import Sight
from healmon.world.simulated.processes import SimulatedProcesses
from tests.helpers.witness import WatchedWorld
from tests.helpers.workerbench import Bench


def at(seconds: float) -> Reading:
    return Reading(wall=seconds, steady=seconds, boot=seconds)


def all_of(*names: str, trouble: str = "") -> Seen:
    return Seen(boot="boot", workers={name: WorkerSeen(trouble=trouble) for name in names})


@pytest.fixture
def sight(tmp_path: Path) -> Sight:
    return Sight(Records(tmp_path), every=54.0)


def test_the_first_look_is_at_all(sight: Sight) -> None:
    sight.touch("a")
    assert sight.turn(at(0)) is None


def test_after_an_end_only_that_one_is_looked_at_once(sight: Sight) -> None:
    sight.turn(at(0))
    sight.whole(all_of("a", "b"))
    sight.judged({})
    sight.touch("a")
    assert sight.turn(at(1)) == {"a"}
    assert sight.turn(at(2)) is None, "nothing has happened since: somebody else asks"


@pytest.mark.parametrize(("seconds", "few"), [(53.0, {"a"}), (54.0, None)])
def test_no_look_at_all_is_older_than_a_cycle(
    sight: Sight, seconds: float, few: set[str] | None
) -> None:
    sight.turn(at(0))
    sight.whole(all_of("a", "b"))
    sight.judged({})
    sight.touch("a")
    assert sight.turn(at(seconds)) == few


@pytest.mark.parametrize(("moment", "few"), [(None, {"a"}), (3.0, {"a"}), (2.0, None)])
def test_when_the_judgement_changes_by_itself_all_are_looked_at(
    sight: Sight, moment: float | None, few: set[str] | None
) -> None:
    sight.turn(at(0))
    sight.whole(all_of("a", "b"))
    sight.judged({})
    sight.look_again(at(moment).steady if moment is not None else None)
    sight.touch("a")
    assert sight.turn(at(2)) == few


def test_after_a_look_that_failed_all_are_looked_at(sight: Sight) -> None:
    sight.turn(at(0))
    sight.whole(all_of("a", "b"))
    sight.judged({})
    sight.touch("a")
    sight.turn(at(1))
    sight.failed()
    sight.touch("b")
    assert sight.turn(at(2)) is None


def test_after_a_look_that_was_never_judged_all_are_looked_at(sight: Sight) -> None:
    sight.turn(at(0))
    sight.whole(all_of("a", "b"))
    sight.touch("a")
    assert sight.turn(at(1)) is None


def test_the_others_are_told_as_seen_last_with_their_records_of_now(
    sight: Sight, tmp_path: Path
) -> None:
    sight.whole(all_of("a", "b", trouble="first"))
    record = StartRecord(number=3, wall=1.0, steady=1.0)
    sight._records.put_start("b", record)
    few = replace(all_of("a", trouble="second"), fresh=frozenset({"a"}))
    whole = sight.whole(few)
    assert list(whole.workers) == ["a", "b"]
    assert whole.workers["a"].trouble == "second"
    assert whole.workers["b"] == WorkerSeen(trouble="first", record=record)
    again = sight.whole(replace(all_of("b", trouble="third"), fresh=frozenset({"b"})))
    assert {n: one.trouble for n, one in again.workers.items()} == {"a": "second", "b": "third"}


def test_of_those_of_whom_there_is_nothing_new_nothing_is_told(tmp_path: Path) -> None:
    clock = ManualClock()
    world = SimulatedProcesses(clock)
    workers = tuple(Worker(name=name, argv=(f"/bin/{name}",)) for name in "abc")
    for worker in workers:
        world.add(worker.argv)

    async def scene() -> tuple[Seen, Snapshot]:
        bench = Bench(workers, tmp_path, world, clock)
        await bench.round()
        return await bench.healer.look(), bench.snapshot

    seen, known = asyncio.run(scene())
    judge = Judge(workers, dict.fromkeys("abc", ""), 0.0)

    def told(seen: Seen) -> list[str]:
        return [v.component for v in judge.diagnose(seen, known, clock.read()).verdicts]

    assert told(seen) == ["a", "b", "c"]
    few = replace(seen, fresh=frozenset({"b"}))
    assert told(few) == ["b"]
    gone = replace(few, workers={**seen.workers, "c": WorkerSeen()})
    assert told(gone) == ["b", "c"], "whoever has changed is told"


def test_whom_only_memory_names_is_not_gone_in_a_look_at_others(tmp_path: Path) -> None:
    clock = ManualClock()
    world = WatchedWorld(clock)
    a, b = Worker(name="a", argv=("/bin/a",)), Worker(name="b", argv=("/bin/b",))
    bench = Bench((replace(a, after=("b",)), b), tmp_path, world, clock)
    world.attend(bench)

    async def later() -> None:
        clock.advance(5.0)
        await bench.round()

    async def scene() -> None:
        mine = world.add(a.argv)
        world.add(b.argv)
        await later()
        world.retitle(mine, ("a: serving",))
        bench.begin()
        await later()
        bench.healer._sight.touch("b")
        await later()
        assert (bench.status("a"), bench.due) == ("healthy", {}), "a second copy is on its way"
        await bench.close()

    asyncio.run(scene())
