"""From the healer's thread to the screen."""

from __future__ import annotations

import asyncio
import threading

import pytest

from healmon import events as ev
from healmon.state import replay
from healmon_tui.bridge import Bridge
from tests.helpers.screen import open_screen
from tests.helpers.scripted import NOW, ScriptedLink, world


def observed(number):
    return ev.Observed("workers", f"w{number % 20}", "healthy", str(number), "t", "v", {})


def test_one_wake_for_many_events_until_somebody_folds():
    link, wakes = ScriptedLink(world()), []
    bridge = Bridge(link, lambda: wakes.append(1))
    bridge.open()
    for number in range(100):
        link.emit(observed(number))
    assert len(wakes) == 1
    assert bridge.fold()
    assert not bridge.fold()
    link.emit(observed(1))
    assert len(wakes) == 2


def test_the_snapshot_is_the_fold_of_everything():
    link = ScriptedLink(world())
    bridge = Bridge(link, lambda: None)
    bridge.open()
    more = [link.emit(observed(number)) for number in range(50)]
    bridge.fold()
    assert bridge.snapshot == replay([*world(), *more])
    assert bridge.received == 50


def test_when_nobody_folds_the_queue_stays_bounded_and_nothing_is_lost():
    link = ScriptedLink(world())
    bridge = Bridge(link, lambda: None, limit=100)
    bridge.open()
    more = []
    for number in range(1050):
        more.append(link.emit(observed(number)))
        assert len(bridge._queue) <= 100
    bridge.fold()
    assert bridge.snapshot == replay([*world(), *more])


def test_two_threads_fold_in_one_order():
    link = ScriptedLink(world())
    bridge = Bridge(link, lambda: None, limit=64)
    bridge.open()
    more = []

    def pour():
        more.extend(link.emit(observed(number)) for number in range(5000))

    thread = threading.Thread(target=pour)
    thread.start()
    while thread.is_alive():
        bridge.fold()
    thread.join()
    bridge.fold()
    assert bridge.snapshot == replay([*world(), *more])


def test_history_that_the_sink_delivers_too_is_not_told_twice():
    past = world()
    link = ScriptedLink(past)
    opened = ev.AlertOpened("new", "CRITICAL", "w", "down")
    newer = ev.Recorded(past[-1].id + 1, NOW, opened)
    link.history = lambda _count: [*past, newer]
    bridge = Bridge(link, lambda: None)
    bridge.open()
    assert [s for s in bridge.chronicle.incidents() if s.key == "new"] == []
    link.sink(newer)
    bridge.fold()
    assert len([s for s in bridge.chronicle.incidents() if s.key == "new"]) == 1


@pytest.mark.slow
def test_a_burst_leaves_the_screen_answering():
    """20,000 events of another thread; keys are answered while they pour."""
    link = ScriptedLink(world())
    drawn = []

    async def scenario():
        async with open_screen(link) as screen:
            show = screen.app.overview.show
            screen.app.overview.show = lambda picture, **more: (
                drawn.append(1),
                show(picture, **more),
            )
            thread = threading.Thread(
                target=lambda: [link.emit(observed(number)) for number in range(20_000)]
            )
            thread.start()
            presses = 0
            while thread.is_alive() or presses < 3:
                await screen.pilot.press("j", "k")
                presses += 1
            thread.join()
            await screen.settle()
            assert screen.app.overview.row().key == "mail_worker"
            assert screen.app.snapshot.last_id == len(world()) + 20_000
            assert screen.app.snapshot.components["w19"].summary == "19999"
            return presses

    presses = asyncio.run(scenario())
    assert presses >= 3
    assert len(drawn) < 1000 + 2 * presses, "drawn per event, not per moment"
