"""The healer's own health in the status line."""

from __future__ import annotations

import asyncio

import pytest

from healmon import events as ev
from healmon.service.own import Usage
from healmon_tui.own import Own, OwnCount
from tests.helpers.examples import first_fast
from tests.helpers.screen import open_screen
from tests.helpers.scripted import HOST, ScriptedLink, calm_world, world

CALM = Usage(0.94, 38_100_000)


def started(pid=4711):
    return ev.EngineStarted(
        HOST, "0.1.0", pid, "tui", dry_run=False, interval=60.0, boot="b", steady_offset=0.0
    )


def status(size, *, costs=None, events=(), attached="", sick="", past=None):
    async def scenario():
        link = ScriptedLink(calm_world() if past is None else past, attached=attached)
        link.costs, link.sick = costs, sick
        async with open_screen(link, size) as screen:
            for event in events:
                link.emit(event)
            await screen.settle()
            return screen.lines()

    return asyncio.run(scenario())


def test_a_wide_screen_says_what_healmon_costs():
    assert "self 0.9% cpu 38 MB" in status((200, 50), costs=CALM)[0]
    assert "self 38 MB" in status((200, 50), costs=Usage(None, 38_100_000))[0]


@pytest.mark.slow
@pytest.mark.parametrize("size", first_fast((80, 24), (60, 15), (120, 36)))
def test_a_narrow_one_only_when_it_is_much(size):
    assert "self" not in status(size, costs=CALM)[0]
    assert "self 61.0% cpu 38 MB" in status(size, costs=Usage(61.0, 38_100_000))[0]
    assert "self 1.0% cpu 412 MB" in status(size, costs=Usage(1.0, 412_000_000))[0]


@pytest.mark.slow
@pytest.mark.parametrize("size", first_fast((80, 24), (60, 15), (200, 50)))
def test_events_that_were_lost_are_told(size):
    events = (ev.StoreFaulted("disk full"), ev.StoreRecovered(7))
    assert "7 events lost" in status(size, events=events)[0]
    assert "lost" not in status(size, events=(ev.StoreRecovered(0),))[0]
    assert "1 event lost" in status(size, events=(ev.StoreRecovered(1),))[0]


@pytest.mark.slow
def test_an_engine_that_began_anew_is_told():
    assert "restarted" not in status((80, 24), events=(started(),))[0]
    assert "engine restarted 2×" in status((80, 24), events=(started(),) * 3)[0]
    # one that runs already when it is looked at has begun before
    assert "engine restarted 1×" in status((80, 24), events=(started(),), attached="pid 4711")[0]


@pytest.mark.parametrize("size", first_fast((80, 24), (39, 9), (60, 15), (200, 50)))
def test_a_store_that_cannot_be_written_is_told_on_every_size(size):
    reason = "attempt to write a readonly database"
    lines = status(size, events=(ev.StoreFaulted(reason),))
    assert "STORE FAULT" in lines[1]


def test_a_busy_line_keeps_what_is_wrong():
    busy = status((80, 24), past=world(), costs=Usage(90.0, 5e8), events=(ev.StoreRecovered(12),))[
        0
    ]
    assert "12 events lost" in busy
    assert "self 90.0% cpu 500 MB" in busy
    assert "LIVE" in busy


def test_overdue_checks_are_told():
    async def scenario():
        link = ScriptedLink(calm_world())
        async with open_screen(link, (80, 24)) as screen:
            link.clock.advance(80.0)
            await screen.settle()
            return screen.lines()[0]

    assert "check overdue" in asyncio.run(scenario())


def test_what_is_counted():
    seen = OwnCount(begun=False)
    for event in (started(), ev.StoreRecovered(3), started(), ev.StoreRecovered(4)):
        seen.add(event)
    assert (seen.lost, seen.restarts) == (7, 1)
    assert Own().parts(200) == []
