"""When it is drawn: once for many events; and nothing is painted twice."""

from __future__ import annotations

import asyncio
import heapq
import itertools

import pytest

from healmon import events as ev
from healmon_tui import pacing as module
from healmon_tui.bridge import MANY, Bridge
from healmon_tui.pacing import PAUSE, STREAM, TICK, Pacing
from tests.helpers.screen import open_screen
from tests.helpers.scripted import ScriptedLink, world

LIMIT = 60.0


def opened():
    link = ScriptedLink(world())
    bridge = Bridge(link, lambda: None)
    bridge.open()
    return link, bridge


def pour(link, count):
    for number in range(count):
        link.emit(ev.Observed("workers", f"w{number % 20}", "healthy", "", "t", "v", {}))


def test_many_wakes_are_one_drawing():
    async def whole():
        _, bridge = opened()
        drawn = asyncio.Event()
        count = []
        pacing = Pacing(bridge, lambda: (count.append(1), drawn.set()))
        for _ in range(5):
            pacing.woken()
        assert pacing.gathering
        assert not count
        await asyncio.wait_for(drawn.wait(), LIMIT)
        assert not pacing.gathering
        return count

    assert asyncio.run(whole()) == [1]


def test_a_flood_is_folded_before_it_is_drawn():
    async def whole():
        link, bridge = opened()
        drawn = asyncio.get_running_loop().create_future()
        pacing = Pacing(bridge, lambda: drawn.set_result(bridge.received))
        pour(link, MANY)
        assert not bridge.streams
        pour(link, 1)
        assert bridge.streams
        pacing.woken()
        return await asyncio.wait_for(drawn, LIMIT)

    assert asyncio.run(whole()) == MANY + 1


class Minutes:
    """A loop whose time passes as fast as it is asked."""

    def __init__(self, monkeypatch, late=0.001):
        self.now, self._late, self._numbers, self._due = 100.0, late, itertools.count(), []
        monkeypatch.setattr(module, "process_seconds", lambda: self.now)
        monkeypatch.setattr(module.asyncio, "get_running_loop", lambda: self)

    def call_later(self, wait, what, *args, **_more):
        item = [self.now + wait + self._late, next(self._numbers), what, args]
        heapq.heappush(self._due, item)
        return self

    def call_soon_threadsafe(self, what, **_more):
        self.call_later(0.0, what)

    def cancel(self):
        self._due.clear()

    def live(self, seconds):
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            self.now, _, what, args = heapq.heappop(self._due)
            what(*args)


def drawn(monkeypatch, every, seconds=120.0):
    """Return when it was drawn and looked in so many seconds, with an event each `every`."""
    loop, draws, looks = Minutes(monkeypatch), [], []
    pacing = Pacing(
        opened()[1],
        lambda: (pacing.drawn(), draws.append(loop.now)),
        lambda: looks.append(loop.now),
    )

    def happens():
        pacing.wake()
        loop.call_later(every, happens)

    pacing.begin()
    if every:
        loop.call_later(0.37, happens)
    loop.live(seconds)
    return draws, looks


def apart(times):
    return [after - before for before, after in itertools.pairwise(times)]


@pytest.mark.parametrize("every", [0.0, 0.1, 0.7, 0.95, 1.003, 1.05, 2.5, 60.0])
def test_seconds_are_drawn_and_looked_at_though_something_happens(monkeypatch, every):
    draws, looks = drawn(monkeypatch, every)
    assert max(apart(draws)) < TICK + STREAM
    assert min(apart(looks)[1:]) > 0.9
    assert max(apart(looks)) < 2 * TICK


@pytest.mark.parametrize("every", [0.0, 0.97, 1.003, 1.05])
def test_what_happens_once_a_second_is_drawn_once_a_second(monkeypatch, every):
    draws, looks = drawn(monkeypatch, every)
    assert abs(len(draws) - 120 / (every or 1)) <= 4
    assert len(looks) <= len(draws) + 1


def test_a_look_goes_along_with_what_is_drawn(monkeypatch):
    draws, looks = drawn(monkeypatch, 1.003)
    assert all(any(0 <= at - look <= PAUSE + 0.02 for look in looks) for at in draws[2:])


def test_who_has_ended_draws_no_more(monkeypatch):
    loop, draws = Minutes(monkeypatch), []
    pacing = Pacing(opened()[1], lambda: draws.append(loop.now))
    pacing.begin()
    loop.live(3.5)
    pacing.end()
    pacing.wake()
    loop.live(5)
    assert len(draws) == 3


def test_what_is_the_same_is_painted_once():
    async def whole():
        async with open_screen(ScriptedLink(world()), (200, 50)) as screen:
            side = screen.app.overview._side
            before = dict(side._painted)
            assert len(before) > 10
            side.renew()
            screen.app.redraw()
            await screen.settle()
            after = side._painted
            same = [y for y in before if before[y][1] is after[y][1]]
            assert len(same) >= len(before) - 2
            for line in (side, screen.app.overview._panels["workers"]):
                assert "\x1b" not in line.text()

    asyncio.run(whole())
