"""From words to cells."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from healmon_tui.glyphs import to_ascii
from healmon_tui.paint import (
    Line,
    Span,
    between,
    breadth,
    clip,
    cut,
    dump,
    fill,
    fit,
    printable,
    width,
    wrap,
)
from healmon_tui.themes import DARK, palette

TEXTS = st.text(st.characters(), max_size=80)
"""Any characters, lone surrogates among them."""
ACTING = {"Cc", "Cs", "Zl", "Zp"}
BIDI = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")


def harmless(text):
    return not any(unicodedata.category(c) in ACTING or c in BIDI for c in text)


@given(TEXTS)
def test_nothing_printable_acts_on_a_terminal(text):
    assert harmless(printable(text))


@pytest.mark.parametrize(
    ("text", "shown"),
    [("⚠\ufe0f", "⚠"), ("👍🏽", "👍"), ("👨\u200d👩", "👨👩"), ("🏴\u200d☠\ufe0f", "🏴☠")],
)
def test_no_sign_is_as_wide_as_only_some_terminals_think(text, shown):
    assert printable(text) == shown
    assert printable("क्\u200dष") == "क्\u200dष", "scripts need it"


@pytest.mark.parametrize("mark", ["\u093e", "\u302e"])
def test_marks_that_fill_a_cell_on_some_terminals_leave_their_place_on_none(mark):
    spoof = mark * 30 + "all is well"
    assert len(fit(spoof, 20).rstrip()) <= 20, "no further sign is drawn beyond it"
    assert fit("पाठ", 6) == "पाठ" + 3 * " "


@given(TEXTS, st.integers(0, 60))
def test_cutting_and_fitting_keep_to_the_cells(text, cells):
    assert cell_len(cut(text, cells)) <= breadth(cut(text, cells)) <= cells
    assert breadth(fit(text, cells)) == cells
    assert breadth(fit(text, cells, right=True)) == cells
    assert len(cut(text, cells)) <= 4 * cells + 1


@given(st.lists(TEXTS, max_size=4), st.integers(0, 60))
def test_spans_keep_to_the_cells(texts, cells):
    spans = [Span(text) for text in texts]
    assert width(clip(spans, cells)) <= cells
    assert width(fill(spans, cells)) == cells


@given(TEXTS, st.integers(1, 40))
def test_wrapped_lines_keep_to_the_cells_and_end(text, cells):
    lines = wrap(text, cells, most=5)
    assert 1 <= len(lines) <= 5
    assert all(breadth(line) <= max(cells, 2) for line in lines)


@given(TEXTS)
def test_ascii_fills_as_many_cells(text):
    shown = to_ascii(printable(text))
    assert shown.isascii()
    assert cell_len(shown) >= 0


def test_every_sign_has_an_ascii_sign_of_one_cell():
    for sign in "●▲✗✓○◐▸─│·…→━┄╭╮╰╯├┤":
        assert len(to_ascii(sign)) == 1
        assert to_ascii(sign) != "?"


@given(st.lists(TEXTS, max_size=4), st.integers(1, 60))
def test_a_strip_is_harmless_and_exactly_as_wide_as_asked(texts, cells):
    for look in (palette(DARK), palette(DARK, plain=True), palette(DARK, ascii_only=True)):
        strip = look.strip(Line(tuple(Span(text) for text in texts)), cells)
        assert strip.cell_length == cells
        assert harmless(strip.text)


def test_words_are_wrapped_at_spaces():
    assert wrap("one two three", 7) == ["one two", "three"]
    assert wrap("abcdefghij", 4) == ["abcd", "efgh", "ij"]
    assert wrap("", 4) == [""]


def test_the_left_end_gives_way_to_the_right_end():
    spans = between((Span("a long beginning"),), (Span("end"),), 10)
    assert "".join(span.text for span in spans) == "a long…end"
    assert dump([Line(spans)], 10) == "a long…end"


def test_a_flood_of_combining_characters_is_cut():
    assert len(fit("e" + "\u0301" * 10_000, 10)) < 60
