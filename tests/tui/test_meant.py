"""A key does what was meant by it: not what came under the cursor, or under it, meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from healmon import events as ev
from healmon.plans import Answer
from healmon_tui.screens.many import ManySheet
from healmon_tui.screens.overview import Overview
from healmon_tui.screens.plan import PlanSheet
from tests.helpers.screen import open_screen
from tests.helpers.scripted import ScriptedLink, key, restart_plan, world


def run(scenario, size=(120, 36)):
    async def main():
        async with open_screen(ScriptedLink(world()), size) as screen:
            screen.link.answers["offer"] = Answer(
                ok=True, text="", plan=restart_plan("mail_worker")
            )
            await scenario(screen)

    asyncio.run(main())


@pytest.mark.parametrize(("keys", "sheet"), [("r", PlanSheet), ("gjr", ManySheet)])
def test_a_yes_that_came_with_the_sheet_is_none(keys, sheet, monkeypatch):
    async def scenario(screen):
        if sheet is ManySheet:
            await screen.press("space", "space")
        monkeypatch.setattr("healmon_tui.screens.modal.READ", 3600.0)
        await screen.press(*keys, "y")
        assert isinstance(screen.app.screen, sheet)
        monkeypatch.setattr("healmon_tui.screens.modal.READ", 0.0)
        await screen.press("y")
        assert isinstance(screen.app.screen, Overview)
        assert "apply" in [verb for verb, _, _ in screen.link.asked]

    run(scenario)


@pytest.mark.slow
@pytest.mark.parametrize("busy", ["question_mark", "s", "slash"])
def test_a_plan_that_comes_late_opens_no_sheet_under_a_hand_that_types(busy):
    async def scenario(screen):
        offered = asyncio.Event()
        answer, ask = screen.link.answers["offer"], screen.link.ask

        async def slow(verb, target, arguments):
            if verb == "offer":
                await offered.wait()
                return answer
            return await ask(verb, target, arguments)

        screen.link.ask = slow
        await screen.pilot.press("r", busy)
        front = screen.app.screen
        offered.set()
        await screen.settle()
        await screen.press("y")
        assert screen.app.screen is front
        assert "apply" not in [verb for verb, _, _ in screen.link.asked]
        await screen.press("escape")
        assert "ask again" in screen.answer

    run(scenario)


def test_the_row_that_takes_the_place_of_another_is_not_what_a_key_was_meant_for(monkeypatch):
    async def scenario(screen):
        await screen.press("j")
        gone = screen.app.overview.row().component
        monkeypatch.setattr("healmon_tui.widgets.panel.SEEN", 3600.0)
        screen.link.emit(ev.ComponentGone(gone))
        await screen.settle()
        here = screen.app.overview.row().component
        assert here != gone
        for act in ("r", "a", "s", "Z"):
            await screen.press(act)
            assert (
                screen.answer
                == f"not done: {here} came under the cursor just now, where {gone} was"
            )
        assert screen.link.asked == []
        monkeypatch.setattr("healmon_tui.widgets.panel.SEEN", 0.0)
        await screen.press("r")
        assert isinstance(screen.app.screen, PlanSheet)

    run(scenario)


def test_a_row_that_moves_below_a_cursor_at_rest_is_not_hit_either(monkeypatch):
    async def scenario(screen):
        await screen.press("5")
        screen.idle()
        monkeypatch.setattr("healmon_tui.widgets.panel.SEEN", 3600.0)
        screen.link.emit(ev.AlertOpened(key("api_worker", "down"), "CRITICAL", "api_worker", "new"))
        await screen.settle()
        assert screen.app.overview.row().component == "api_worker", "worst first, at the top"
        await screen.press("a")
        assert "came under the cursor just now" in screen.answer
        assert screen.link.asked == []
        await screen.press("j", "k", "a")
        assert [verb for verb, _, _ in screen.link.asked] == ["acknowledge"], "gone to by hand"

    run(scenario)


@pytest.mark.slow
def test_no_act_on_a_row_that_there_is_no_room_to_show():
    async def scenario(screen):
        for act in ("a", "r", "Z", "s", "m", "T", "space"):
            await screen.press(act)
            assert isinstance(screen.app.screen, Overview)
        assert screen.link.asked == []
        assert "no room to show the row" in screen.lines()[-1]
        assert screen.app.overview._panels["workers"].marked == ()
        screen.app.overview.hush()
        await screen.settle()
        assert "no room" not in screen.text()

    run(scenario, (39, 9))
