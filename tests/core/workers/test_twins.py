"""Workers of the same command: each its own, whoever else runs the same words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from healmon.plans import unpack
from healmon.workers import match
from healmon.workers.equipment import Equipment
from healmon.workers.model import WorkerFacts
from healmon.world.system_ports import SystemPorts
from healmon.world.system_shims import SystemShims
from tests.helpers.workerhost import Host, Live, hosting

NAMES = ("one", "two", "three")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with hosting(tmp_path) as made:
        yield made


def facts(live: Live) -> dict[str, WorkerFacts]:
    views = live.engine.snapshot.components
    return {name: unpack(views[name].facts, WorkerFacts) for name in NAMES if name in views}


def mains(live: Live) -> dict[str, object]:
    up = {n: f.identity for n, f in facts(live).items() if f.state == "healthy"}
    return up if len(up) == len(NAMES) else {}


def test_only_the_same_words_make_twins(host: Host) -> None:
    one = host.worker(name="one")
    same, other = replace(one, name="two"), replace(one, name="three", argv=(*one.argv, "-v"))
    index = match.Index([one, same, other])
    assert [index.twins(worker) for worker in (one, same, other)] == [["two"], ["one"], []]


@pytest.mark.slow
def test_each_is_up_once_and_only_the_one_that_fell_is_started_again(host: Host) -> None:
    one = host.worker(name="one")
    workers = [replace(one, name=name) for name in NAMES]

    async def scene() -> None:
        means = Equipment(shims=SystemShims(), ports=SystemPorts())
        async with asyncio.timeout(300), host.healmon(*workers, equipment=means) as live:
            await live.reach(lambda: mains(live), "all three up")
            first = mains(live)
            assert len(set(first.values())) == len(NAMES)
            assert not any(f.others for f in facts(live).values())
            host.kill(first["two"])
            await live.reach(lambda: (mains(live) or first)["two"] != first["two"], "two again")
            assert {n: i for n, i in mains(live).items() if n != "two"} == {
                n: i for n, i in first.items() if n != "two"
            }
            assert live.alert("second_copy") is None
        assert len(host.running("one.py")) == len(NAMES)

    asyncio.run(scene())


@pytest.mark.slow
def test_a_strangers_process_of_the_same_words_is_taken_for_none_of_them(host: Host) -> None:
    one = host.worker(name="one")
    workers = [replace(one, name=name) for name in NAMES]
    stray = host.start(*one.argv)

    async def scene() -> None:
        async with asyncio.timeout(300), host.healmon(*workers) as live:
            await live.reach(lambda: len(facts(live)) == len(NAMES), "all looked at")
            for seen in facts(live).values():
                assert seen.state == "unknown"
            view = live.engine.snapshot.components["two"]
            assert f"pid {stray.pid} may be each of one, three, two" in view.summary
        assert host.running("one.py") == [stray], "nothing was started on top of it"

    asyncio.run(scene())
