"""The past on the screen: what was there then, and nothing newer."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace

from healmon import events as ev
from healmon.store import past as past_rows
from healmon_tui import keymap
from healmon_tui.bridge import Bridge
from healmon_tui.rows.scene import Scene
from healmon_tui.screens.detail import Detail
from healmon_tui.screens.history import HistorySheet
from healmon_tui.timetravel import OFF, told
from healmon_tui.viewmodel import ViewModel
from tests.helpers.examples import examples, first_fast
from tests.helpers.screen import open_screen
from tests.helpers.scripted import ScriptedLink, key, showing, world
from tests.helpers.storekit import STORY, WALL

pytestmark = pytest.mark.slow
BACK, ON = "left_square_bracket", "right_square_bracket"
BEFORE, NEXT = "left_curly_bracket", "right_curly_bracket"


def run(scenario, *, size=(120, 36), past=None, **options):
    link = ScriptedLink(world() if past is None else past, attached=options.pop("attached", ""))

    async def whole():
        async with open_screen(link, size, **options) as screen:
            await scenario(screen)

    asyncio.run(whole())
    if link.store is not None:
        link.store.close()
    return link


def drawn(scene, chronicle):
    """All that a screen is made of."""
    return (
        replace(scene, chronicle=None),
        ViewModel().panels(scene, chronicle, settled=True),
        list(chronicle.incidents()),
        {name: chronicle.timeline(name) for name in (*scene.snapshot.components, "healmon")},
        chronicle.ledger.touches(),
    )


def lived(events):
    """Yield what a screen showed that was there all the time, event by event."""
    link = ScriptedLink()
    bridge = Bridge(link, lambda: None)
    bridge.open()
    for record in events:
        link.sink(record)
        bridge.fold()
        now = Scene.of(bridge.snapshot, record.wall, chronicle=bridge.chronicle)
        yield drawn(now, bridge.chronicle)


def visited(link, number):
    visit = link.archive().at(number)
    chronicle = told(visit)
    return drawn(Scene.of(visit.snapshot, visit.wall, chronicle=chronicle), chronicle)


def numbered(story):
    wall, events = WALL, []
    for number, (event, after) in enumerate(story, 1):
        wall = max(wall + after, WALL)
        events.append(ev.Recorded(number, round(wall, 3), event))
    return events


@settings(
    max_examples=examples(12),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(story=STORY)
def test_the_picture_of_any_moment_is_the_one_that_was_seen_live(story):
    events = numbered(story)
    link = ScriptedLink(events)
    for record, live in zip(events, lived(events), strict=True):
        assert visited(link, record.id) == live
    if link.store is not None:
        link.store.close()


def test_of_a_whole_evening_too_by_whoever_was_there_and_whoever_came_just_then(monkeypatch):
    events = world()
    link = ScriptedLink(events)
    for record, live in zip(events, lived(events), strict=True):
        assert visited(link, record.id) == live
    # not all that ever was: as a screen that was opened at that moment
    monkeypatch.setattr(past_rows, "TOLD", 5)
    monkeypatch.setattr(past_rows, "RAW", 10)
    monkeypatch.setattr(past_rows, "SPAN", -1.0)
    for record in events[20:]:
        then = ScriptedLink(events[: record.id])
        then.history = lambda _count, n=record.id: [
            r for r in events[:n]
            if r.id > n - 10 or r.id in _told(events, n - 10, 5)
        ]  # fmt: skip
        bridge = Bridge(then, lambda: None)
        bridge.open()
        now = Scene.of(bridge.snapshot, record.wall, chronicle=bridge.chronicle)
        assert visited(link, record.id)[1:3] == drawn(now, bridge.chronicle)[1:3]
    link.store.close()


def _told(events, last, most):
    quiet = ("observed", "remembered", "cyclestarted", "cyclefinished")
    ids = [r.id for r in events if r.id <= last and ev.kind_of(r.event) not in quiet]
    return set(ids[-most:])


def test_nothing_newer_is_in_the_picture():
    async def scenario(screen):
        while True:
            before = screen.app.travel.then
            await screen.press(BACK)
            then = screen.app.travel.then
            if before is not None and then.number == before.number:
                break
            for record in screen.link.past[then.number :]:
                text = getattr(record.event, "message", "") or getattr(record.event, "proof", "")
                same = [r for r in screen.link.past[: then.number] if text in str(r.event)]
                if text and not same:
                    assert text[:20] not in screen.text(), (then.number, text)
        assert "the history begins" in screen.answer
        assert screen.app.travel.then.wall == screen.link.past[0].wall

    run(scenario)


def test_the_bar_says_when_and_what_has_come_since():
    async def scenario(screen):
        await screen.press(BEFORE)
        first = screen.lines()[0]
        assert "HISTORY" in first
        assert "LIVE" not in first
        assert first.rstrip().endswith("s)")
        ground = screen.app.overview._status.render_line(0)
        assert {s.style.bgcolor.get_truecolor().hex for s in ground if s.style} >= {"#eab84f"}
        screen.link.clock.advance(60)
        for number in range(3):
            screen.link.emit(
                ev.Observed("workers", f"w{number}", "healthy", "up", "t", "v", {"n": number})
            )
        screen.link.emit(ev.AlertOpened(key("w1", "down"), "CRITICAL", "w1", "it is down"))
        await screen.settle()
        assert "+4" in screen.lines()[0]
        assert "✗1 new" in screen.lines()[0]
        assert "it is down" not in screen.text()
        await screen.press("L")
        assert "HISTORY" not in screen.text()
        assert "it is down" in screen.text()

    run(scenario, size=(200, 50))


def test_acts_are_off_with_a_word_and_looking_is_not():
    async def scenario(screen):
        await screen.press(BACK)
        for name in ("r", "a", "s", "m", "x", "ctrl+r", "e", "p", "o", "A", "S"):
            screen.app.overview.hush()
            await screen.press(name)
            assert screen.answer == f"{OFF}; L returns to now", name
        assert screen.link.asked == []
        assert screen.app.travel.then is not None
        await screen.press("j", "enter")
        assert isinstance(screen.app.screen, Detail)
        assert "HISTORY" in screen.lines()[0]
        here = screen.app.travel.then.number
        await screen.press("a", "s", BACK)
        assert screen.link.asked == []
        assert screen.app.travel.then.number < here
        await screen.press("L", "escape")
        assert screen.app.travel.then is None
        await screen.press("a")
        assert screen.link.asked

    run(scenario)


def test_a_sessions_screen_of_then_is_not_made_up_but_its_act_is_replayed():
    async def scenario(screen):
        showing(screen.link)
        await screen.press("2", "enter", "escape", "right_curly_bracket", BACK, "2", "enter")
        assert "screens are not kept" in screen.text()
        assert "Do you want to proceed" not in screen.text()
        await screen.press("e")
        assert screen.answer == f"{OFF}; L returns to now"

    run(scenario)


def test_out_of_the_past_is_not_out_of_healmon():
    async def scenario(screen):
        for name in ("q", "escape", "L"):
            await screen.press("p", BACK)
            assert screen.app.travel.then is not None
            await screen.press(name)
            assert screen.app.travel.then is None
            assert "LIVE" in screen.lines()[0]
        assert screen.link.closed == 0

    run(scenario)


def test_every_key_that_acts_is_off():
    async def scenario(screen):
        await screen.press(BACK)
        found = screen.app.overview.active_bindings
        for action in keymap.ACTIONS:
            if action.tier is not None:
                assert all(not found[k].enabled for k in action.keys if k in found), action.id
        assert not found["F"].enabled

    run(scenario, demo_faults=[("one", lambda: "")])


def test_an_incident_brings_the_cursor_to_it_and_now_brings_it_back():
    async def scenario(screen):
        await screen.press("3", "j")
        before = screen.app.overview.place()
        await screen.press("1", "slash", *"mail", "enter", "3")  # a filter hides it
        await screen.press(BEFORE)
        assert screen.app.overview.row().component == "assigner_worker"
        then = screen.app.travel.then
        seen = then.scene.snapshot
        assert seen.components["assigner_worker"].status == "unhealthy"
        assert (
            key("assigner_worker", "down") not in seen.alerts
        )  # the first bad look, not the alert
        await screen.press("L")
        assert screen.app.overview.place() == before

    run(scenario)


def test_forward_goes_through_the_same_stops_and_ends_at_the_newest():
    async def scenario(screen):
        stops = []
        for _ in range(6):
            await screen.press(BACK)
            stops.append(screen.app.travel.then.number)
        assert stops == sorted(set(stops), reverse=True)
        for stop in reversed(stops[:-1]):
            await screen.press(ON)
            assert screen.app.travel.then.number == stop
        await screen.press(ON, ON)
        assert screen.app.travel.then.number >= stops[0]
        assert "nothing happened after this" in screen.answer
        await screen.press(NEXT)
        assert "no incident began after this" in screen.answer

    run(scenario)


def test_the_list_goes_to_what_is_picked():
    async def scenario(screen):
        await screen.press("6")
        sheet = screen.app.screen
        assert isinstance(sheet, HistorySheet)
        text = sheet.box.text()
        assert "assigner_worker           exited with code 1, third time" in text
        assert "healmon 0.1.0 started, pid 4711" in text
        assert "the history begins" in text
        await screen.press("j", "enter")
        assert screen.app.overview.row().component == "assigner_worker"
        await screen.press("6")
        assert screen.app.screen._place == 1, "the list opens where the screen is"
        await screen.press("escape")
        assert screen.app.travel.then is not None

    run(scenario)


def test_a_list_longer_than_the_screen_scrolls_with_the_cursor():
    async def scenario(screen):
        for number in range(60):
            screen.link.clock.advance(100)
            screen.link.emit(ev.AlertOpened(key(f"w{number}", "d"), "WARNING", f"w{number}", "bad"))
        await screen.press("6", "G")
        assert "started, pid 4711" in screen.app.screen.box.text()
        await screen.press("k", "k", "enter")
        assert screen.app.travel.then is not None

    run(scenario, size=(80, 24))


def test_a_store_that_cannot_be_read_is_said_and_now_goes_on():
    async def scenario(screen):
        screen.link.archive().go("back", 1)
        screen.link.store.close()
        screen.link.archive = lambda: screen.link._archive
        await screen.press(BACK)
        assert "cannot be read" in screen.answer
        assert screen.app.travel.then is None
        await screen.press("6")
        assert "cannot be read" in screen.answer

    run(scenario)


def test_keys_pressed_in_a_hurry_are_steps_one_after_the_other():
    async def scenario(screen):
        for _ in range(4):
            await screen.pilot.press(BACK)
        await screen.settle()
        one = screen.app.travel.then.number
        await screen.press("L")
        for _ in range(4):
            await screen.press(BACK)
        assert screen.app.travel.then.number == one

    run(scenario)


def test_what_happens_meanwhile_is_folded_and_not_shown():
    async def scenario(screen):
        await screen.press(BACK)
        screen.link.emit(ev.Observed("workers", "late", "healthy", "up", "t", "v", {}))
        await screen.settle()
        assert "late" in screen.app.snapshot.components
        assert "late" not in screen.app.travel.then.scene.snapshot.components

    run(scenario)


@pytest.mark.parametrize("size", first_fast((80, 24), (60, 15), (39, 9)))
def test_it_is_said_at_every_size(size):
    async def scenario(screen):
        await screen.press(BACK)
        assert "HISTORY 20:46:55" in screen.lines()[0]

    run(scenario, size=size)


def test_without_colours_and_in_ascii_it_is_said_too():
    async def scenario(screen):
        await screen.press(BACK)
        assert "HISTORY" in screen.lines()[0]
        style = next(iter(screen.app.overview._status.render_line(0))).style
        assert style.reverse

    run(scenario, plain=True)
    run(scenario, plain=True, ascii_only=True)
