"""When it is drawn: once for many events; and nothing is painted twice."""

from __future__ import annotations

import asyncio

from healmon import events as ev
from healmon_tui.bridge import MANY, Bridge
from healmon_tui.pacing import Pacing
from tests.helpers.screen import open_screen
from tests.helpers.scripted import ScriptedLink, world

LIMIT = 20.0


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
