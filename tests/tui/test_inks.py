"""Colours of other programs, fitted to a theme."""

from __future__ import annotations

from itertools import product

import pytest
from rich.color import Color

from healmon_tui import inks, themes
from healmon_tui.paint import Ink, Line, Span


def shown(ink, name=themes.DARK, **options):
    look = themes.palette(name, **options)
    (segment, *_) = look.strip(Line((Span("x", "text", ink),)), 1)
    return segment.style


INKS = ["", *map(str, range(0, 256, 5)), "#000000", "#ffffff", "#010203"]
PAPERS = ["", "0", "7", "15", "#ffff00", "21"]


@pytest.mark.parametrize("name", [themes.DARK, themes.LIGHT])
def test_every_colour_can_be_read(name):
    faint = []
    for fg, bg in product(INKS, PAPERS):
        style = shown(Ink(fg, bg), name)
        ink, paper = style.color.get_truecolor(), style.bgcolor.get_truecolor()
        if inks.contrast(ink, paper) < inks.READABLE - 0.01:
            faint.append((fg, bg))
    assert faint == []


def test_colours_that_can_be_read_stay_and_named_ones_are_the_themes():
    assert shown(Ink("#7fd88f")).color.get_truecolor() == (0x7F, 0xD8, 0x8F)
    red = themes.palette(themes.DARK).tones["bad"]
    assert shown(Ink("1")).color.get_truecolor() == Color.parse(red).get_truecolor()


def test_weights_are_kept_and_without_colours_nothing_else():
    style = shown(Ink("1", "4", "bur"), plain=True)
    assert style.bold
    assert style.underline
    assert style.reverse
    assert style.color.is_default
    assert style.bgcolor.is_default


def test_the_terminals_own_theme_takes_its_own_colours():
    style = shown(Ink("9", "#010203"), themes.TERMINAL)
    assert style.color.number == 9
    assert style.bgcolor.get_truecolor() == (1, 2, 3)
