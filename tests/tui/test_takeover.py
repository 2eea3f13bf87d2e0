"""A screen whose healer ends: what it says, and what it offers."""

from __future__ import annotations

import asyncio

import pytest

from healmon import events as ev
from healmon.plans import Answer
from healmon.service.link import Gone
from healmon.state import replay
from healmon_tui.screens.detail import Detail
from healmon_tui.screens.overview import Overview
from healmon_tui.takeover import TakeOverSheet
from tests.helpers.screen import open_screen
from tests.helpers.scripted import NOW, ScriptedLink, world

pytestmark = pytest.mark.slow
KILLED = Gone("pid 4711", NOW - 125, "was killed or crashed", True)


def run(scenario, *, size=(120, 36), attached="pid 4711", **options):
    link = ScriptedLink(world(), attached=attached)

    async def whole():
        async with open_screen(link, size, **options) as screen:
            await scenario(screen)

    asyncio.run(whole())
    return link


def test_it_is_said_since_when_and_how_and_enter_offers():
    async def scenario(screen):
        screen.link.ended = KILLED
        await screen.settle()
        banner = screen.line_of("NO HEALER")
        assert "NO HEALER since 20:44:56 (2m05s), enter takes over: pid 4711 was killed" in banner
        assert "LIVE" not in screen.lines()[0]
        await screen.press("enter")
        sheet = screen.app.screen
        assert isinstance(sheet, TakeOverSheet)
        text = " ".join(sheet.box.text().replace("│", " ").split())
        assert "pid 4711" in text
        assert "Workers are not restarted" in text
        await screen.press("y")
        assert screen.link.asked == [("take over", "", {})]
        assert screen.answer == "this screen heals now"
        assert screen.link.opened == 2
        assert "NO HEALER" not in screen.text()
        assert "ATTACHED" not in screen.text()

    run(scenario)


@pytest.mark.parametrize("no", ["n", "escape"])
def test_no_leaves_enter_alone_and_asking_something_offers_again(no):
    async def scenario(screen):
        screen.link.ended = KILLED
        await screen.press("enter", no)
        assert isinstance(screen.app.screen, Overview)
        assert screen.link.asked == []
        assert "ctrl-r takes over" in screen.line_of("NO HEALER")
        await screen.press("enter")
        assert isinstance(screen.app.screen, Detail)
        await screen.press("escape", "ctrl+r")
        assert isinstance(screen.app.screen, TakeOverSheet)

    run(scenario)


def test_another_end_is_another_offer():
    async def scenario(screen):
        screen.link.ended = KILLED
        await screen.press("enter", "n")
        screen.link.ended = None
        await screen.settle()
        screen.link.ended = KILLED._replace(who="pid 4712", since=NOW - 3)
        await screen.press("enter")
        assert isinstance(screen.app.screen, TakeOverSheet)

    run(scenario)


def test_when_a_healer_comes_back_the_sheet_goes_away_by_itself():
    async def scenario(screen):
        screen.link.ended = KILLED
        await screen.press("enter")
        screen.link.ended, screen.link.attached = None, "pid 4712"
        await screen.until(lambda: isinstance(screen.app.screen, Overview))
        await screen.settle()
        assert "ATTACHED pid 4712" in screen.lines()[0]
        assert screen.link.asked == []

    run(scenario)


def test_who_was_not_first_is_told_and_goes_on_looking():
    async def scenario(screen):
        screen.link.ended = KILLED
        screen.link.answers["take over"] = Answer(ok=False, text="pid 4712 was first")
        await screen.press("enter", "y")
        assert screen.answer == "pid 4712 was first"
        assert screen.link.opened == 2

    run(scenario)


def test_a_screen_for_looking_only_says_it_and_offers_nothing():
    async def scenario(screen):
        screen.link.ended = KILLED._replace(offered=False)
        await screen.settle()
        assert "nobody heals" in screen.line_of("NO HEALER")
        assert "takes over" not in screen.text()
        await screen.press("enter")
        assert isinstance(screen.app.screen, Detail)

    run(scenario, read_only=True)


def test_one_that_hangs_is_said_to_and_never_taken_over():
    async def scenario(screen):
        screen.link.clock.advance(100)
        await screen.settle()
        assert "HANGS" not in screen.text()
        screen.link.clock.advance(100)
        await screen.settle()
        line = screen.line_of("HEALER HANGS")
        assert "pid 4711 lives, and told of no check for 4m08s" in line
        await screen.press("enter")
        assert isinstance(screen.app.screen, Detail)

    run(scenario)
    link = run(scenario_of_our_own, attached="")
    assert link.opened == 1


async def scenario_of_our_own(screen):
    screen.link.clock.advance(1000)
    await screen.settle()
    assert "HANGS" not in screen.text()


def test_place_and_stories_outlive_the_change_and_what_was_missed_is_told():
    async def scenario(screen):
        await screen.press("3", "j", "left_square_bracket")
        then, stories = screen.app.travel.then, list(screen.app.bridge.chronicle.incidents())
        screen.link.ended = KILLED
        await screen.settle()
        assert "NO HEALER" in screen.text()
        # stored by a healer that ended before it could tell
        missed = ev.Recorded(
            next(screen.link.ids), NOW, ev.AlertOpened("k", "CRITICAL", "w", "told by nobody")
        )
        screen.link.past.append(missed)
        await screen.press("enter", "y")  # also out of the past, which stays where it is
        assert screen.app.travel.then is then
        await screen.press("L")
        assert screen.app.overview.panel == "disks"
        assert screen.app.snapshot == replay(screen.link.past)
        told = list(screen.app.bridge.chronicle.incidents())
        assert told[: len(stories)] == stories
        assert told[-1].found == "told by nobody"
        assert then is not None
        screen.link.emit(ev.AlertOpened("k2", "WARNING", "w", "afterwards"))
        await screen.settle()
        assert screen.app.snapshot == replay(screen.link.past)

    run(scenario)


def test_a_store_that_was_begun_anew_is_shown_and_nothing_of_the_one_before():
    async def scenario(screen):
        await screen.press("left_square_bracket")
        assert screen.app.travel.then is not None
        anew = [
            ev.Recorded(number, NOW + number, event)
            for number, event in enumerate((
                ev.EngineStarted("atlas", "0.1.0", 4712, "daemon", dry_run=False, interval=60.0,
                                 boot="b", steady_offset=0.0),
                ev.Observed("workers", "other_worker", "healthy", "up", "t", "v", {}),
                ev.AlertOpened("atlas/other_worker/x", "WARNING", "other_worker", "of the new one"),
                ev.CycleFinished(1, 0.1, 60.0),
            ), 1)
        ]  # fmt: skip
        link = screen.link
        link.past, link._history, link.anew = anew, len(anew), True
        screen.app._look()
        await screen.settle()
        assert screen.app.travel.then is None
        assert "begun anew" in screen.answer
        assert screen.app.snapshot == replay(anew)
        assert "assigner_worker" not in screen.text()
        assert "other_worker" in screen.text()
        assert [story.found for story in screen.app.bridge.chronicle.incidents()][-1:] == [
            "of the new one"
        ]
        screen.app._look()
        assert link.opened == 2, "once is enough"

    run(scenario)


def test_nothing_grows_older_while_nobody_looks():
    async def scenario(screen):
        screen.link.ended = KILLED
        await screen.settle()
        before = screen.line_of("api_worker")
        screen.link.clock.advance(7200)
        await screen.settle()
        assert screen.line_of("api_worker") == before
        assert "2h" in screen.line_of("NO HEALER")
        screen.link.ended = None
        await screen.settle()
        assert screen.line_of("api_worker") != before

    run(scenario)
