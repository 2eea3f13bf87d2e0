"""Which themes can be chosen, and what the key goes through."""

from __future__ import annotations

import asyncio

import pytest

from healmon.config.themefiles import ThemeFile
from healmon.service.screenlook import ScreenLook
from healmon_tui import themes
from healmon_tui.app import HealmonApp
from healmon_tui.wardrobe import CYCLE, Wardrobe
from tests.helpers.screen import open_screen
from tests.helpers.scripted import ScriptedLink, world

MINE = ThemeFile(
    name="mine", base="light", tones={"warn": "#112233"}, grounds={"base": "#fefefe"},
    chips={"bad": ("#000000", "#ff8800")},
)  # fmt: skip


def wardrobe(chosen="dark", own=(), *, plain=False):
    registered = []
    made = Wardrobe(own, chosen, registered.append, plain=plain, ascii_only=False)
    return made, registered


def test_the_key_goes_round():
    made, registered = wardrobe(own=(MINE,))
    seen = [made.worn]
    for _ in range(len(CYCLE) + 1):
        made.dress(made.after())
        seen.append(made.worn)
    assert seen == [*CYCLE, "mine", "dark"]
    assert {theme.name for theme in registered} == {f"healmon-{name}" for name in seen}


def test_one_of_textuals_is_come_by_again_once_it_was_chosen():
    made, _ = wardrobe("nord")
    assert made.worn == "nord"
    assert made.after() == "dark"
    made.dress("safe-light")
    assert made.after() == "nord"
    assert set(made.names) == set(themes.KNOWN)


def test_a_file_of_ones_own_has_its_colours_and_the_others_of_its_base():
    made, _ = wardrobe(own=(MINE,))
    look, name = made.dress("mine")
    assert name == "healmon-mine"
    assert look.tones["warn"] == "#112233"
    assert look.tones["bad"] == themes.palette("light").tones["bad"]
    assert look.grounds["base"] == "#fefefe"
    assert look.chips["chip-bad"] == ("#000000", "#ff8800")
    assert look.chips["chip-warn"] == themes.palette("light").chips["chip-warn"]


def test_a_file_that_is_called_as_one_of_ours_replaces_it():
    made, _ = wardrobe(own=(ThemeFile(name="dark", tones={"ok": "#00ff00"}),))
    assert made.dress("dark")[0].tones["ok"] == "#00ff00"


def test_the_depth_stays_when_the_theme_changes():
    made, _ = wardrobe()
    assert made.dress("dark", "256")[0].grounds != themes.palette("dark").grounds
    assert made.dress("light")[0].grounds == themes.palette("light", depth="256").grounds


@pytest.mark.parametrize("chosen", ["safe", "light", "terminal", "dracula", "mine"])
def test_the_configuration_chooses_the_first(chosen):
    async def scenario():
        look = ScreenLook(theme=chosen, themes=(MINE,))
        async with open_screen(ScriptedLink(world()), look=look) as screen:
            assert screen.app.wardrobe.worn == chosen
            assert screen.app.theme == f"healmon-{chosen}"
            return screen.app.palette.tones["ok"]

    shown = asyncio.run(scenario())
    assert shown == themes.palette("light" if chosen == "mine" else chosen).tones["ok"]


def test_t_says_what_is_worn_and_which_files_are_left_out():
    async def scenario():
        look = ScreenLook(problems=("themes/odd.toml:2: tones.txt: unknown key",))
        async with open_screen(ScriptedLink(world()), (120, 24), look=look) as screen:
            await screen.press("t")
            first = screen.answer
            await screen.press("t")
            return first, screen.answer

    first, second = asyncio.run(scenario())
    assert first == "theme: light; left out: themes/odd.toml:2: tones.txt: unknown key"
    assert second == "theme: terminal"


@pytest.mark.slow
def test_a_theme_changes_no_letter():
    async def scenario():
        async with open_screen(ScriptedLink(world())) as screen:
            shown = screen.text()
            for name in screen.app.wardrobe.names[::4]:
                screen.app.wear(name)
                await screen.settle()
                assert screen.text() == shown

    asyncio.run(scenario())


def test_without_colours_the_key_says_so():
    async def scenario():
        link = ScriptedLink(world())
        async with open_screen(link, plain=True, look=ScreenLook(theme="safe")) as screen:
            assert screen.app.wardrobe.worn == themes.TERMINAL
            await screen.press("t")
            return screen.answer

    assert "NO_COLOR" in asyncio.run(scenario())


def test_a_screen_needs_no_wishes():
    link = ScriptedLink()
    assert HealmonApp(link, clock=link.clock, plain=False).wardrobe.worn == "dark"
