"""Hours on end: nothing that the screen keeps grows without bound."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter

import pytest
from textual._styles_cache import StylesCache

from benchmarks.tui.hours import START, story
from healmon.clock import ManualClock
from healmon.events import ComponentGone, CycleStarted
from healmon_tui import chronicle, ledger, strips
from healmon_tui.chronicle import Chronicle
from tests.helpers.screen import open_screen
from tests.helpers.scripted import ScriptedLink, world

SHEETS = ("enter", "question_mark", "j", "r", "s", "e", "v", "5", "1", "2", "3", "t", "p", "p")


def objects() -> Counter[str]:
    gc.collect()
    return Counter(type(one).__qualname__ for one in gc.get_objects())


@pytest.mark.slow
def test_the_chronicle_is_bounded_and_forgets_whoever_was_quiet_longest():
    kept = Chronicle()
    for record in story(16):
        kept.add(record)
    assert len(kept._stories) <= chronicle.STORIES
    assert len(kept._current) <= chronicle.STORIES
    assert len(kept._by_key) <= chronicle.STORIES
    assert len(kept.ledger.touches()) <= ledger.TOUCHES
    assert len(kept._timelines) <= chronicle.COMPONENTS
    # hundreds of sessions came and went since this one was first heard of
    for n in range(chronicle.COMPONENTS):
        kept._mark(f"session:passing_{n}", START, "note", "seen")
        kept._mark("w00", START, "note", "at work")
    assert kept.timeline("w00")
    assert len(kept._timelines) == chronicle.COMPONENTS


@pytest.mark.slow
def test_strips_forget_who_is_gone_and_all_of_them():
    kept = strips.Strips()
    for record in story(16):
        kept.add(record)
        if isinstance(record.event, ComponentGone):
            kept.uptime(record.event.component, record.wall)
    for one in (kept._turns, kept._first, kept._known, kept._levels):
        assert len(one) <= strips.COMPONENTS
    assert set(kept._first) <= set(kept._turns)
    assert "".join(kept.uptime("w00", record.wall)), "those that live on are remembered"


async def keys(screen):
    for key in SHEETS:
        await screen.pilot.press(key)
    await screen.press("escape", "escape", "escape", "escape", "1")
    screen.app.overview.hush()


async def _hours(hours: float) -> list[Counter[str]]:
    counted: list[Counter[str]] = []
    link = ScriptedLink()
    link.clock = ManualClock(START, autojump=False)
    async with open_screen(link, (80, 24)) as screen:
        for record in story(hours):
            event = record.event
            if isinstance(event, CycleStarted) and event.number % 6 == 0:
                screen.app.redraw()
                await screen.pilot.pause()
                if event.number % 60 == 0:
                    await keys(screen)
                if event.number % 120 == 0:
                    await screen.settle()
                    counted.append(objects())
            link.clock.advance(max(record.wall - link.now, 0.0))
            link.sink(record)
    return counted


@pytest.mark.long(30)
@pytest.mark.slow
def test_hours_of_events_and_keys_leave_no_more_objects_than_before():
    counted = asyncio.run(_hours(10.1))
    assert len(counted) == 5
    # the stories are full after some hours; what is kept per component ends with it
    allowed = {"Moment": 1200, "tuple": 900, "Span": 900, "TimerHandle": 80, "Context": 80}
    allowed |= {"Entry": 600, "Turn": 700, "Level": 700}
    # lines and layout of a drawing are kept until the next one, or until Textual draws all anew
    allowed |= {"Segment": 200, "Strip": 150, "FIFOCache": 1100, "Line": 300}
    allowed |= {"Fraction": 300}
    # what is just being drawn when it is counted is there once; what leaks, twice
    early, late = counted[1] | counted[2], counted[3] & counted[4]
    grown = {
        name: count - early[name]
        for name, count in late.items()
        if count - early[name] > allowed.get(name, max(60, 0.15 * early[name]))
    }
    assert not grown, grown


@pytest.mark.slow
def test_a_screen_that_was_closed_is_let_go():
    async def live() -> list[int]:
        left: list[int] = []
        async with open_screen(ScriptedLink(world()), (80, 24)) as screen:
            for _ in range(6):
                await screen.press("enter", "escape", "question_mark", "escape")
                gc.collect()
                left.append(sum(type(one) is StylesCache for one in gc.get_objects()))
        return left

    left = asyncio.run(live())
    assert left[-1] <= left[1]
