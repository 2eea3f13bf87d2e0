"""Simulated days in the fast tier; `make simulate DAYS=10000` lives more of them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from healmon.workers import budget
from healmon.workers.model import Memory
from healmon.world.processes import Launch
from tests.simulation.life import Life, lived, simulate
from tests.simulation.world import CruelWorld

SHM = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Records of simulated lives are many and short-lived: a disk would be waited for."""


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="healmon-simulation-", dir=SHM) as path:
        yield Path(path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", "123456")
def test_no_day_breaks_a_promise(folder: Path, seed: str) -> None:
    assert simulate(seed, folder, 4.0) == 2


def test_no_half_day_breaks_one(folder: Path) -> None:
    """How the first of those lives begins: they are for the whole suite."""
    asyncio.run(lived("1:0", folder, 0.5))


def told(seed: str, folder: Path) -> list[str]:
    life = Life(seed, folder)

    async def some_of_it() -> None:
        try:
            await life.live(1.0)
        finally:
            await life.bench.close()

    asyncio.run(some_of_it())
    return list(life.told)


@pytest.mark.slow
def test_the_same_seed_is_the_same_life(folder: Path) -> None:
    assert told("5:5", folder / "one") == told("5:5", folder / "two")
    assert told("5:5", folder / "three") != told("5:6", folder / "four")


# A simulation that finds nothing is worth nothing: what is broken on purpose is found.


def found(folder: Path, first: str) -> str:
    """Return what is said of the first life that breaks a promise; one is known to do so early."""

    def live() -> None:
        simulate(first, folder, 2.0)
        simulate("1", folder, 60.0)

    with pytest.raises(AssertionError) as broken:
        live()
    return str(broken.value)


@pytest.mark.slow
def test_a_budget_that_is_not_kept_is_found_and_how_to_see_it_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "earliest", lambda limits, moments, due: due)
    said = found(folder, "8:0")
    assert "too soon" in said or "too many in a minute" in said
    seed = said.rpartition("SEED=")[2]
    with pytest.raises(AssertionError, match="too "):
        asyncio.run(lived(seed, folder / "again", 2.0))
    monkeypatch.undo()
    asyncio.run(lived(seed, folder / "mended", 2.0))


@pytest.mark.slow
def test_a_wish_that_is_overruled_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def up_again(look, memory: Memory) -> Memory:
        return Memory(desired="up", attempt=memory.attempt, newest=memory.newest)

    monkeypatch.setattr("healmon.workers.lifecycle.down", up_again)
    assert "AssertionError" in found(folder, "8:0")


@pytest.mark.slow
def test_failures_that_are_not_counted_are_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("healmon.workers.breaker.spent", lambda *_, **__: False)
    assert "starts in ten minutes" in found(folder, "5:0")


def test_a_second_copy_is_found(folder: Path) -> None:
    life = Life("1:1", folder)
    world: CruelWorld = life.world
    argv = life.workers[0].argv
    world.add(argv)
    with pytest.raises(AssertionError, match="a second copy"):
        world.spawn(Launch(argv=argv, log_path=""))
    asyncio.run(life.bench.close())


def test_a_stranger_who_is_signalled_is_found(folder: Path) -> None:
    life = Life("1:1", folder)
    stranger = life.world.add(("/bin/stranger",))
    with pytest.raises(AssertionError, match="a stranger"):
        life.world.signal(stranger, 15)
    asyncio.run(life.bench.close())
