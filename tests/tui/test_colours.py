"""Numbers of colours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import Color

from healmon_tui import colours as c

COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@given(COLOURS)
def test_there_and_back(colour):
    assert c.from_linear(*c.linear(colour)) == colour
    for one, other in zip(c.rgb(c.from_oklab(*c.oklab(colour))), c.rgb(colour), strict=True):
        assert abs(one - other) <= 1


def test_known_contrasts():
    assert c.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert c.contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.01)


@given(COLOURS, COLOURS)
def test_what_can_be_made_readable_is(ink, paper):
    found = c.readable(ink, (paper,))
    # on a ground of middle lightness one of the two ways may not be enough
    best = max(c.contrast("#ffffff", paper), c.contrast("#000000", paper))
    assert c.contrast(found, paper) >= min(c.AA, best) - 0.6
    if c.contrast(ink, paper) >= c.AA:
        assert found == ink


def test_what_a_terminal_of_256_colours_shows_is_what_was_wanted():
    for shown, asked in c.steps256().items():
        assert c.shown256(asked) == shown
        number = Color.parse(asked).downgrade(c.ColorSystem.EIGHT_BIT).number
        assert number >= 16
    assert len(c.steps256()) >= 230


@given(COLOURS)
def test_the_nearest_is_one_of_them(colour):
    assert c.nearest256(colour) in c.steps256()
    assert c.contrast(c.nearest256(colour, ("#121212",)), "#121212") >= c.AA


def test_a_grey_gets_no_tint():
    for grey in ("#d3dae3", "#e9ecef", "#92a0b1"):
        assert len(set(c.rgb(c.nearest256(grey)))) == 1
