"""Keys of a person's own: what they do, and that footer, help, sheets and detail follow."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from healmon.config import keynames, screenchecks, screennames
from healmon.plans import Answer
from healmon.service.screenlook import ScreenLook
from healmon_tui import keymap, keywords, names
from healmon_tui.screens.ask import AskSheet
from healmon_tui.screens.detail import Detail
from healmon_tui.screens.help import HelpSheet
from healmon_tui.screens.many import ManySheet
from healmon_tui.screens.overview import Overview
from healmon_tui.screens.plan import PlanSheet
from tests.helpers.examples import first_fast
from tests.helpers.screen import open_screen
from tests.helpers.scripted import ScriptedLink, restart_plan, world


def run(scenario, given, *, size=(120, 36), **options):
    link = ScriptedLink(world())
    link.answers["offer"] = Answer(ok=True, text="", plan=restart_plan("mail_worker"))
    look = ScreenLook(keys=screenchecks.effective(given))

    async def whole():
        async with open_screen(link, size, look=look, **options) as screen:
            return await scenario(screen)

    return asyncio.run(whole()), link


def test_the_core_knows_the_same_names():
    source = names.source()
    assert Path(screennames.__file__).read_text("utf-8") == source, "make keys"
    assert list(screennames.ACTIONS) == [action.id for action in keymap.ACTIONS]
    assert list(screennames.SHEETS) == [action.id for action in keymap.SHEETS]


def test_nothing_needs_what_terminals_lose_or_a_function_key():
    lost = {"ctrl+i", "ctrl+h", "ctrl+m", "ctrl+j", "alt+enter", "ctrl+left_square_bracket"}
    for action in keymap.ACTIONS:
        for key in action.keys:
            assert key not in lost, action.id
            assert not (key[0] == "f" and key[1:].isdigit()), action.id
            assert not key.startswith("alt+"), action.id
            assert keynames.parse(keywords.written(key)) == keywords.written(key)


def test_every_key_has_one_name_here_and_there():
    for action in keymap.ACTIONS:
        for key in action.keys:
            assert keywords.textual(keywords.written(key)) == key
    for char in "!?/:\\'\"[]{}+-_é@~`#%^&*()=|;<>,.":
        assert keywords.written(keywords.textual(char)) == char
        assert keywords.key_name(keywords.textual(char)) == char


@pytest.mark.slow
def test_another_key_does_it_and_the_old_one_no_longer():
    async def scenario(screen):
        await screen.press("r")
        assert isinstance(screen.app.screen, Overview)
        await screen.press("ctrl+y")
        assert isinstance(screen.app.screen, PlanSheet)
        await screen.press("escape")
        await screen.press("f5")
        return isinstance(screen.app.screen, PlanSheet)

    shown, link = run(scenario, {"worker.restart": ("ctrl-y", "f5")})
    assert shown
    assert [verb for verb, _, _ in link.asked] == ["offer", "offer"]


@pytest.mark.slow
def test_two_actions_can_change_their_keys():
    async def scenario(screen):
        await screen.press("2", "1", "x")
        return isinstance(screen.app.screen, PlanSheet)

    shown, link = run(scenario, {"worker.restart": ("x",), "session.clear": ("r",)})
    assert shown
    assert link.asked == [("offer", "mail_worker", {"verb": "restart"})]


def test_an_action_without_a_key_is_nowhere():
    async def scenario(screen):
        footer = screen.lines()[-1]
        await screen.press("r")
        await screen.press("question_mark")
        return footer, screen.text(), screen.link.asked

    (footer, text, asked), _ = run(scenario, {"worker.restart": ()})
    assert "restart" not in footer
    assert "restart the selected worker" not in text
    assert asked == []


@pytest.mark.slow
def test_footer_and_help_show_the_keys_that_are_in_force():
    given = {
        "worker.restart": ("R",), "app.help": ("f1",), "alert.ack": ("ctrl-a",),
        "move.down": ("down", "!"),
    }  # fmt: skip

    async def scenario(screen):
        footer = screen.lines()[-1]
        await screen.press("question_mark")
        assert isinstance(screen.app.screen, Overview)
        await screen.press("f1")
        assert isinstance(screen.app.screen, HelpSheet)
        body = screen.app.screen.body(80)
        await screen.press("f1")
        assert isinstance(screen.app.screen, Overview)
        return footer, ["".join(span.text for span in line.spans) for line in body]

    (footer, lines), _ = run(scenario, given)
    assert footer.startswith(" F1 help  R restart  ctrl-a ack")
    assert "R             restart the selected worker" in lines
    assert any(line.startswith("↓ !") and "one row down" in line for line in lines)


@pytest.mark.slow
def test_sheets_scroll_and_close_with_them():
    given = {"move.down": ("w",), "app.quit": ("Q",), "move.half_up": ("b",), "session.replay": ()}

    async def scenario(screen):
        await screen.press("question_mark")
        sheet = screen.app.screen
        assert "w k" in screen.text()
        await screen.press("w")
        top = sheet.box._top
        await screen.press("j")
        assert (top, sheet.box._top) == (1, 1)
        await screen.press("b")
        assert sheet.box._top == 0
        await screen.press("q")
        assert screen.app.screen is sheet
        await screen.press("Q")
        return screen.app.screen

    front, _ = run(scenario, given, size=(80, 24))
    assert isinstance(front, Overview)


@pytest.mark.slow
def test_detail_follows_them():
    given = {"session.jump": ("O",), "view.back": ("backspace",), "move.down": ("w",)}

    async def scenario(screen):
        await screen.press("2", "enter")
        assert isinstance(screen.app.screen, Detail)
        footer = screen.lines()[-1]
        await screen.press("o")
        assert screen.link.visited == []
        await screen.press("O")
        await screen.press("backspace")
        assert isinstance(screen.app.screen, Overview)
        await screen.press("enter", "escape")
        return footer, screen.app.screen, screen.link.visited

    (footer, front, visited), _ = run(scenario, given)
    assert footer.startswith(" ? help  esc back")
    assert "O go there" in footer
    assert "w k scroll" in footer
    assert isinstance(front, Overview)
    assert len(visited) == 1


def test_reading_only_holds_for_them_too():
    async def scenario(screen):
        await screen.press("R")
        return isinstance(screen.app.screen, Overview)

    still, link = run(scenario, {"worker.restart": ("R",)}, read_only=True)
    assert still
    assert link.asked == []


@pytest.mark.slow
@pytest.mark.parametrize("width", first_fast(60, 40, 80, 120, 200))
def test_help_is_always_in_the_footer(width):
    async def scenario(screen):
        seen = [screen.lines()[-1]]
        screen.app.overview.flash("x" * 300)
        await screen.settle()
        seen.append(screen.lines()[-1])
        screen.app.overview.hush()
        for keys in (("3",), ("3",), ("enter",)):
            await screen.press(*keys)
            seen.append(screen.lines()[-1])
        return seen

    seen, _ = run(scenario, {}, size=(width, 24))
    assert all("? help" in line for line in seen), seen


def test_the_documentation_can_be_copied():
    text = keymap.markdown()
    inside = text.split("```toml\n")[1].split("```")[0]
    for line in inside.splitlines()[1:]:
        action, _, keys = line.partition("#")[0].partition(" = ")
        assert action.strip('"') in screennames.ACTIONS
        for key in keys.strip().strip("[]").split(","):
            keynames.parse(key.strip().strip('"'))


def test_no_given_key_is_shadowed_by_a_sheet():
    fixed = set()
    for sheet in (PlanSheet, ManySheet, AskSheet, HelpSheet, Detail):
        for bindings in sheet._merged_bindings.key_to_bindings.values():
            fixed |= {binding.key for binding in bindings if binding.id is None}
    of_textual = {"shift+tab", "super+c"}
    assert fixed - of_textual == {"enter", "ctrl+c", *screenchecks.FIXED}


@pytest.mark.slow
def test_a_sheet_is_answered_with_the_keys_that_were_given():
    given = {"sheet.yes": ("!",), "sheet.no": ("w",), "sheet.copy": ()}

    async def scenario(screen):
        await screen.press("r")
        sheet = screen.app.screen
        foot = "".join(span.text for span in sheet.foot())
        await screen.press("y", "n", "Y")
        assert screen.app.screen is sheet
        await screen.press("w")
        assert isinstance(screen.app.screen, Overview)
        await screen.press("r")
        await screen.press("exclamation_mark")
        assert isinstance(screen.app.screen, Overview)
        await screen.press("question_mark")
        lines = ["".join(span.text for span in line.spans) for line in screen.app.screen.body(80)]
        return foot, lines

    (foot, lines), link = run(scenario, given)
    assert foot == "! do it   w esc no (default)"
    assert [verb for verb, _, _ in link.asked] == ["offer", "offer", "apply"]
    assert "!             yes: do it; of several plans, all of them" in lines
    assert not any("copy the plan" in line for line in lines)
