"""The filter of a panel: what it keeps, how it is typed, and that marks it hides do nothing."""

from __future__ import annotations

import asyncio

import pytest

from healmon import events as ev
from healmon.plans import Answer
from healmon_tui.filtering import Filter, following, sieve
from healmon_tui.paint import Span
from healmon_tui.rows.scene import WELL, Row
from healmon_tui.typed import Typed, without_last_word
from healmon_tui.viewmodel import PanelView
from tests.helpers.examples import first_fast
from tests.helpers.screen import open_screen
from tests.helpers.scripted import ScriptedLink, restart_plan, world


def row(name: str, **cells: str) -> Row:
    return Row(name, name, WELL, {k: (Span(v),) for k, v in cells.items()}, ())


ROWS = (
    row("mail_worker", state="Quarantined", why="5 failures", pid="4711"),
    row("task_worker", state="healthy", why="", pid="48213"),
    row("session:claude", state="stuck", line="Continue? [y/N]"),
)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", [0, 1, 2]),
        ("worker", [0, 1]),
        ("quarantined", [0]),
        ("Quarantined", [0]),
        ("QUARANTINED", []),
        ("!worker", [2]),
        ("!", [0, 1, 2]),
        ("48", [1]),
        ("4711", [0]),
        ("[y/n]", [2]),
        ("claude", [2]),
        ("session:", [2]),
        ("zzz", []),
        ("!zzz", [0, 1, 2]),
    ],
)
def test_what_a_text_keeps(text, kept):
    view = PanelView("workers", (), ROWS)
    found = sieve(view, Filter(text), {"pid", "line"})
    assert found.rows == tuple(ROWS[n] for n in kept)


def test_columns_that_are_not_seen_are_not_looked_at_but_state_and_why_are():
    assert not Filter("4711").keeps(ROWS[0], {"name"})
    assert Filter("5 fail").keeps(ROWS[0], {"name"})


def test_the_next_match_goes_round():
    wanted = Filter("worker")
    assert following(ROWS, 0, 1, wanted, set()) == 1
    assert following(ROWS, 1, 1, wanted, set()) == 0
    assert following(ROWS, 0, -1, wanted, set()) == 1
    assert following(ROWS, 0, 1, Filter("zzz"), set()) is None
    assert following((), 0, 1, wanted, set()) is None


def typed(*keys: str) -> Typed:
    line = Typed()
    for key in keys:
        line = line.press(key, key if len(key) == 1 else None) or line
    return line


@pytest.mark.parametrize(
    ("keys", "text", "at"),
    [
        ("abc", "abc", 3),
        (["a", "b", "left", "c"], "acb", 2),
        (["a", "b", "backspace"], "a", 1),
        (["a", "b", "home", "delete"], "b", 0),
        (["a", "b", "home", "right", "ctrl+u"], "b", 0),
        (["a", " ", "b", "c", "ctrl+w"], "a ", 2),
        (["backspace", "left", "delete"], "", 0),
        (["a", "home", "b", "end", "c"], "bac", 3),
        (["f1", "ctrl+x", "a"], "a", 1),
    ],
)
def test_a_line_is_edited_as_everywhere(keys, text, at):
    assert typed(*keys) == Typed(text, at)


def test_what_is_pasted_is_one_clean_line_of_bounded_length():
    pasted = Typed().put("a\x1b[31mb\nsecond")
    assert "\x1b" not in pasted.text
    assert "second" not in pasted.text
    assert len(Typed().put("x" * 9_999).text) == 200
    assert Typed.of("ab").put("\n").text == "ab"


def test_the_last_word_goes_and_its_blank_stays():
    assert without_last_word("restart mail") == "restart "
    assert without_last_word("restart ") == ""
    assert without_last_word("") == ""


def run(scenario, *, size=(120, 36), past=None, **options):
    link = ScriptedLink(world() if past is None else past)

    async def whole():
        async with open_screen(link, size, **options) as screen:
            await scenario(screen)

    asyncio.run(whole())
    return link


slow = pytest.mark.slow


def names(screen):
    panel = screen.app.overview._panels[screen.app.overview.panel]
    return [one.component for one in panel.view.rows]


@slow
def test_it_is_typed_in_the_last_line_and_works_at_once():
    async def scenario(screen):
        everything = names(screen)
        height = screen.app.overview._panels["workers"].size.height
        await screen.press("slash", "m", "a", "i", "l")
        assert names(screen) == ["mail_worker"]
        assert screen.lines()[-1].startswith(" /mail│  1 of")
        assert "esc clear" in screen.lines()[-1]
        assert f"/mail 1 of {len(everything)}" in screen.line_of("WORKERS")
        await screen.press("r")  # is typed, and restarts nothing
        assert screen.link.asked == []
        assert names(screen) == []
        assert "no row is like this" in screen.text()
        await screen.press("backspace", "enter")
        assert names(screen) == ["mail_worker"]
        assert "? help" in screen.lines()[-1]
        # what is hidden needs no room
        assert screen.app.overview._panels["workers"].size.height < height
        await screen.press("escape")
        assert names(screen) == everything

        assert screen.app.overview._panels["workers"].size.height == height

    run(scenario)


@slow
def test_an_exclamation_mark_keeps_the_others_and_each_panel_has_its_own():
    async def scenario(screen):
        before = names(screen)
        await screen.press("slash", "exclamation_mark", *"mail", "enter")
        assert names(screen) == [name for name in before if name != "mail_worker"]
        await screen.press("2")
        assert "session:claude_architect" in names(screen)
        await screen.press("slash", *"codex", "enter")
        assert names(screen) == ["session:codex_review"]
        await screen.press("1")
        assert "mail_worker" not in names(screen)

    run(scenario)


@slow
def test_esc_while_typing_shows_all_and_the_cursor_is_back_on_its_row():
    async def scenario(screen):
        await screen.press("j", "j")
        mine = screen.app.overview.row().component
        await screen.press("slash", *"mail")
        assert screen.app.overview.row().component == "mail_worker" != mine
        await screen.press("escape")
        assert screen.app.overview.row().component == mine

    run(scenario)


@slow
def test_it_survives_redraws_and_the_cursor_stays_on_its_row():
    async def scenario(screen):
        await screen.press("slash", *"worker", "enter", "j", "j")
        mine = screen.app.overview.row().component
        screen.link.emit(ev.Observed("workers", "aa_worker", "critical", "down", "t", "v",
                                     {"state": "down"}))  # fmt: skip
        screen.link.emit(ev.Observed("workers", "other", "critical", "down", "t", "v",
                                     {"state": "down"}))  # fmt: skip
        screen.idle()
        await screen.settle()
        assert "aa_worker" in names(screen)
        assert "other" not in names(screen)
        assert screen.app.overview.row().component == mine

    run(scenario)


@slow
def test_n_goes_over_matches_also_without_hiding():
    async def scenario(screen):
        await screen.press("n")
        assert "nothing is sought here" in screen.answer
        await screen.press("slash", *"er_", "backspace", "enter")
        count = len(names(screen))
        seen = set()
        for _ in range(count):
            seen.add(screen.app.overview.row().component)
            await screen.press("n")
        assert len(seen) == count
        await screen.press("escape", "g", "slash", *"mail", "escape")
        # what was sought last is still found, though nothing is hidden
        await screen.press("n")
        assert screen.app.overview.row().component == "mail_worker"
        await screen.press("N")
        assert screen.app.overview.row().component == "mail_worker"

    run(scenario)


@slow
def test_marks_of_hidden_rows_never_act_and_that_is_said():
    async def scenario(screen):
        screen.link.answers["offer"] = lambda target, _: Answer(
            ok=True, text="", plan=restart_plan(target, id=target)
        )
        await screen.press("slash", *"_worker", "enter")
        await screen.press("space", "space", "space")
        marked = screen.app.overview._panels["workers"].marked
        kept = marked[0].component
        await screen.press("slash", "ctrl+u", *kept, "enter")
        assert "3 marked, 2 hidden" in screen.line_of("WORKERS")
        await screen.press("r")
        assert [target for verb, target, _ in screen.link.asked] == [kept]
        assert "2 marked rows are hidden by the filter and left alone" in screen.text()
        await screen.press("y", "escape")
        assert "2 marked" in screen.line_of("WORKERS")

    run(scenario)


@slow
def test_what_is_pasted_is_sought():
    async def scenario(screen):
        from textual import events

        await screen.press("slash")
        screen.app.post_message(events.Paste("mail\nworker"))
        await screen.settle()
        assert names(screen) == ["mail_worker"]

    run(scenario)


@slow
@pytest.mark.parametrize("size", first_fast((80, 24), (60, 15), (40, 10)))
def test_it_can_be_seen_at_every_size(size):
    async def scenario(screen):
        await screen.press("slash", *"mail")
        assert screen.lines()[-1].startswith(" /mail│")
        assert all(len(line) <= size[0] for line in screen.lines())
        assert "mail_worker" in screen.text()

    run(scenario, size=size)
