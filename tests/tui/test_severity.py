"""Severity is never a colour alone: a sign, a word and a colour, wherever it is shown."""

from __future__ import annotations

import asyncio
from typing import get_args

import pytest

from healmon.clock import ManualClock
from healmon.state import replay
from healmon_tui import glyphs
from healmon_tui.chronicle import Chronicle
from healmon_tui.glyphs import to_ascii
from healmon_tui.paint import Line, Tone
from healmon_tui.rows.scene import Scene
from healmon_tui.viewmodel import PANELS, ViewModel
from tests.helpers.screen import open_screen
from tests.helpers.scripted import NOW, ScriptedLink, world

SIGNS: dict[Tone, set[str]] = {
    "bad": {glyphs.BAD},
    "warn": {glyphs.WARN, glyphs.UNKNOWN},
    "ok": {glyphs.OK, glyphs.DONE},
}
"""Which signs each tone of a row may have: none that another one has."""
FREE = set(get_args(Tone)) - SIGNS.keys()


def panels():
    chronicle = Chronicle()
    past = world()
    for record in past:
        chronicle.add(record)
    snapshot = replay(past)
    chronicle.seed(snapshot)
    return ViewModel().panels(Scene.of(snapshot, NOW), chronicle, settled=True), snapshot


def test_each_row_has_a_sign_of_its_own_and_a_word_beside_it():
    found, _ = panels()
    seen = set()
    for panel in PANELS:
        for row in found[panel].rows:
            seen.add(row.mark.tone)
            assert row.mark.tone in FREE or row.mark.glyph in SIGNS[row.mark.tone], row.key
            words = " ".join(span.text for key, cell in row.cells.items() for span in cell)
            assert any(letter.isalpha() for letter in words), row.key
            state = row.cells.get("state", row.cells.get("chain", row.cells.get("why", ())))
            if row.mark.tone in ("bad", "warn"):
                assert "".join(span.text for span in state).strip(" -"), row.key
    assert {"bad", "warn", "ok", "heal"} <= seen


def test_no_sign_means_two_severities_in_ascii_either():
    signs = [glyphs.BAD, glyphs.WARN, glyphs.OK, glyphs.DONE, glyphs.UNKNOWN, glyphs.ACKED]
    assert len({to_ascii(sign) for sign in signs}) == len(signs)


@pytest.mark.parametrize(("width", "words"), [(80, False), (100, True), (200, True)])
def test_the_count_of_each_severity_has_its_sign_and_a_word_where_there_is_room(width, words):
    async def scenario():
        async with open_screen(ScriptedLink(world()), (width, 30)) as screen:
            return screen.lines()[0]

    line = asyncio.run(scenario())
    assert f"{glyphs.BAD}2" in line
    assert f"{glyphs.WARN}2" in line
    assert ("2 critical" in line and "2 warning" in line) is words


@pytest.mark.parametrize("plain", [True, False])
def test_the_detail_of_an_alert_says_its_severity(plain):
    async def scenario():
        async with open_screen(ScriptedLink(world()), (80, 40), plain=plain) as screen:
            await screen.press("enter")
            return screen.text()

    text = asyncio.run(scenario())
    assert "CRITICAL" in text
    assert glyphs.BAD in text


def test_without_colours_the_worst_is_still_bold():
    from healmon_tui import themes
    from healmon_tui.paint import Span

    look = themes.palette("dark", plain=True)
    strip = look.strip(Line((Span("a", "bad"), Span("b", "warn"), Span("c", "ok"))), 3)
    assert [bool(segment.style.bold) for segment in strip] == [True, True, False]
    assert ManualClock(NOW).read().wall == NOW
