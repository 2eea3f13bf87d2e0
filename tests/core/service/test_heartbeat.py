"""The dead-man's switch: a file after each round, and a checker outside that misses us."""

from __future__ import annotations

import asyncio
import errno
import json

import pytest

from healmon import events as ev
from healmon.clock import ManualClock, boot_id
from healmon.errors import ProbeError
from healmon.events import Recorded
from healmon.service.heartbeat import FILE, MISSED, PING_EVERY, Heartbeat
from healmon.state.views import CycleView
from healmon.world import notes

WALL = 1_770_000_000.0


class Checker:
    """Answers as it is told, and counts."""

    def __init__(self) -> None:
        self.answer: int | str = 200
        self.asked: list[str] = []

    async def ping(self, url: str, timeout: float) -> int:
        self.asked.append(url)
        if isinstance(self.answer, str):
            raise ProbeError(self.answer)
        return self.answer


@pytest.fixture
def beats(tmp_path):
    """Return a function that lets rounds finish, so many seconds apart, and what came of it."""
    clock, checker, said = ManualClock(WALL, autojump=False), Checker(), []

    def rounds(count: int, apart: float = PING_EVERY, url: str = "https://check.example/uuid"):
        async def scenario():
            finished = CycleView()
            heart = Heartbeat(
                tmp_path, url, 60.0, clock, said.append, lambda: finished, checker.ping
            )
            inner, beaten = heart._tell, asyncio.Event()

            async def tell() -> None:
                await inner()
                beaten.set()

            heart._tell = tell
            running = asyncio.create_task(heart.run())
            for number in range(1, count + 1):
                now = clock.read().wall
                finished = CycleView(number, finished_at=now)
                heart.stored()
                heart.heard(Recorded(number, now, ev.CycleFinished(number, 0.1, 60)))
                async with asyncio.timeout(30):
                    await (beaten.wait() if url else asyncio.sleep(0))
                beaten.clear()
                clock.advance(apart)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        asyncio.run(scenario())
        return tmp_path / FILE

    rounds.checker, rounds.said = checker, said
    return rounds


def test_each_round_leaves_its_sign(beats):
    told = json.loads(beats(2).read_text())
    assert (told.pop("boot"), told.pop("boot_seconds")) == (boot_id(), 10_030.0)
    assert told == {"at": "2026-02-02 02:40:30.000", "round": 2, "interval": 60.0}
    assert beats.checker.asked == ["https://check.example/uuid"] * 2
    assert set(beats.said) == {""}


def test_rounds_close_together_ask_the_checker_once(beats):
    beats(3, apart=1.0)
    assert len(beats.checker.asked) == 1


def test_without_a_checker_none_is_asked(beats):
    assert beats(1, url="").exists()
    assert beats.checker.asked == []


@pytest.mark.parametrize(
    ("answer", "why"), [(500, "it answers with status 500"), ("no answer", "no answer")]
)
def test_a_checker_that_stays_away_is_told_and_one_miss_is_not(beats, answer, why):
    beats.checker.answer = answer
    beats(MISSED)
    assert beats.said == [why]
    beats.checker.answer = 200
    beats(1)
    assert beats.said == [why, ""]


def test_what_is_stored_in_the_midst_of_a_round_leaves_the_sign_of_the_one_before(tmp_path):
    cycle = CycleView(1, running=True, started_at=WALL)
    heart = Heartbeat(tmp_path, "", 60.0, ManualClock(WALL), lambda _: None, lambda: cycle)
    heart.stored()
    assert not (tmp_path / FILE).exists(), "none has finished yet"
    cycle = CycleView(2, running=True, started_at=WALL + 60, finished_at=WALL)
    heart.stored()
    assert json.loads((tmp_path / FILE).read_text())["round"] == 1
    (tmp_path / FILE).unlink()
    heart.stored()
    assert not (tmp_path / FILE).exists(), "it was left once"


def test_beside_a_store_that_cannot_be_written_each_round_leaves_its_sign(tmp_path):
    cycle = CycleView(1, finished_at=WALL)

    async def scenario():
        nonlocal cycle
        heart = Heartbeat(tmp_path, "", 60.0, ManualClock(WALL), lambda _: None, lambda: cycle)
        running = asyncio.create_task(heart.run())

        async def sign(number: int) -> None:
            async with asyncio.timeout(30):
                while not (file := tmp_path / FILE).exists():
                    await asyncio.sleep(0.005)
            assert json.loads(file.read_text())["round"] == number
            file.unlink()

        heart.heard(Recorded(1, WALL, ev.StoreFaulted("it is full")))
        await sign(1)
        cycle = CycleView(2, finished_at=WALL + 60)
        heart.heard(Recorded(2, WALL + 60, ev.CycleFinished(2, 0.1, 60)))
        await sign(2)
        heart.heard(Recorded(3, WALL + 61, ev.StoreRecovered(0)))
        cycle = CycleView(3, finished_at=WALL + 120)
        heart.heard(Recorded(4, WALL + 120, ev.CycleFinished(3, 0.1, 60)))
        assert not heart._beat.is_set(), "the store's thread leaves it"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(scenario())


def test_without_room_for_another_file_the_sign_is_written_over_the_last_one(tmp_path, monkeypatch):
    cycle = CycleView(10_000, finished_at=WALL)
    heart = Heartbeat(tmp_path, "", 60.0, ManualClock(WALL), lambda _: None, lambda: cycle)
    heart.stored()
    inode = (tmp_path / FILE).stat().st_ino

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(notes, "write_record", full)
    cycle = CycleView(1, finished_at=WALL + 60)
    heart.stored()
    assert json.loads((tmp_path / FILE).read_text())["round"] == 1
    assert (tmp_path / FILE).stat().st_ino == inode
