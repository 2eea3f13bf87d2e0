import os
import unicodedata
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.text import clean, cut, pad, quoted, width

# hypothesis leaves surrogates out unless asked
any_text = st.text(st.characters(exclude_categories=()), max_size=200)
foreign = any_text | st.binary(max_size=200)
CONTROLS = {"Cc", "Cs", "Zl", "Zp"}
BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def dangerous(text, allowed=""):
    return [
        char
        for char in text
        if char not in allowed and (unicodedata.category(char) in CONTROLS or char in BIDI)
    ]


@given(foreign)
def test_no_control_character_ever_comes_out(text):
    assert not dangerous(clean(text))
    assert not dangerous(clean(text, lines=True), allowed="\n")


def test_no_dangerous_character_of_all_unicode_is_forgotten():
    hidden = {*map(chr, range(0x2060, 0x2070)), *map(chr, range(0xE0000, 0xE0080))}
    hidden |= set("\xad\u180e\u200b\ufeff\ufff9\ufffa\ufffb")
    for start in range(0, 0x110000, 0x1000):
        shown = clean("".join(map(chr, range(start, start + 0x1000))), limit=100_000)
        assert not dangerous(shown)
        assert not hidden & set(shown)


@given(foreign)
def test_what_comes_out_can_be_written_as_utf8(text):
    clean(text).encode()
    clean(text, lines=True).encode()


@given(foreign, st.booleans(), st.integers(-5, 50))
def test_cleaning_twice_changes_nothing(text, lines, limit):
    once = clean(text, lines=lines, limit=limit)
    assert clean(once, lines=lines, limit=limit) == once


@given(foreign, st.integers(-5, 50))
def test_no_more_characters_than_the_limit(text, limit):
    for lines in (False, True):
        assert len(clean(text, lines=lines, limit=limit)) <= max(limit, 0)


@given(st.text(st.characters(exclude_categories=("C", "Z", "M")), max_size=50))
def test_harmless_text_stays_as_it_is(text):
    assert clean(text) == text
    assert clean(text.encode()) == text


@given(st.characters(exclude_categories=()), st.characters(exclude_categories=()))
def test_two_unsafe_characters_never_look_the_same(one, other):
    if one != other and dangerous(one) and dangerous(other):
        assert clean(one) != clean(other)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("a\nb\tc\rd", "a␊b␉c␍d"),
        ("\0\x7f", "␀␡"),
        ("\x85\x9b31m", "\\u0085\\u009b31m"),
        ("user\u202etxt.exe", "user\\u202etxt.exe"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\u200f\u061c\u2066", "\\u200f\\u061c\\u2066"),
        ("in\u200bvisible\ufeff", "in\\u200bvisible\\ufeff"),
        ("\udcff.log", "\\xff.log"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("ünï ✓ 日本 👩‍💻", "ünï ✓ 日本 👩‍💻"),
    ],
)
def test_what_acts_on_a_terminal_is_shown_instead(text, shown):
    assert clean(text) == shown


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"plain", "plain"),
        (b"bad\xff\xfe.log", "bad\\xff\\xfe.log"),
        (b"\xc2\x9b31m", "\\u009b31m"),
        (b"\x9b31m", "\\x9b31m"),
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),
        ("日本".encode(), "日本"),
        (b"cut \xe6\x97", "cut \\xe6\\x97"),
    ],
)
def test_bytes_that_are_no_text_are_shown_as_bytes(data, shown):
    assert clean(data) == shown


def test_a_file_name_looks_the_same_as_bytes_and_as_the_system_decodes_it():
    name = b"a\xff\xc3\xa4\x1b"
    assert clean(name) == clean(name.decode("utf-8", "surrogateescape"))


def test_lines_keep_line_ends_and_expand_tabs():
    assert clean("a\tb\r\nlonger than it\tc\n\x1b[K", lines=True) == (
        "a       b\nlonger than it  c\n␛[K"
    )
    assert clean("日本\tx", lines=True) == "日本    x"
    assert clean("progress 1%\rprogress 2%", lines=True) == "progress 1%␍progress 2%"


def test_a_long_text_ends_in_an_ellipsis():
    assert clean("x" * 10, limit=10) == "x" * 10
    assert clean("x" * 11, limit=10) == "x" * 9 + "…"
    assert clean(b"x" * 11, limit=10) == "x" * 9 + "…"
    assert clean("\r\n" * 11, lines=True, limit=10) == "\n" * 9 + "…"
    assert clean("x", limit=0) == ""


def test_a_huge_text_costs_no_more_than_its_limit():
    assert len(clean("\x1b" * 50_000_000)) == 10_000
    assert len(clean(b"\xff" * 50_000_000)) == 10_000


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("", 0),
        ("abc", 3),
        ("日本", 4),
        ("ｆｕｌｌ", 8),
        ("e\u0301", 1),
        ("\u1112\u1161\u11ab", 2),
        ("a\u200db", 2),
        ("🚨", 2),
        ("\x1b\n", 0),
    ],
)
def test_width_counts_terminal_cells(text, cells):
    assert width(text) == cells


def test_cut_never_splits_a_wide_character():
    assert cut("日本語", 6) == "日本語"
    assert cut("日本語", 5) == "日本…"
    assert cut("日本語", 4) == "日…"
    assert cut("日本語", 1) == "…"
    assert cut("日本語", 0) == ""
    assert cut("abcdef", 4, end="") == "abcd"
    assert cut("abcdef", 4, end="...") == "a..."
    assert cut("abcdef", 2, end="...") == ".."


def test_cut_keeps_accents_with_their_letter():
    assert cut("e\u0301e\u0301e\u0301", 2, end="") == "e\u0301e\u0301"


@given(any_text, st.integers(-3, 60), st.sampled_from(["…", "", "...", "日"]))
def test_cut_keeps_to_its_cells(text, cells, end):
    short = cut(text, cells, end=end)
    assert width(short) <= max(cells, 0)
    assert short == text or not end or cells < width(end) or short.endswith(end)


@given(any_text, st.integers(0, 60))
def test_pad_fills_exactly(text, cells):
    assert width(pad(text, cells)) == cells


@given(st.text(max_size=50), st.sampled_from(["/", "", " "]))
def test_what_stands_in_a_uri_is_quoted_as_urllib_does(text, safe):
    assert quoted(text, safe) == quote(text, safe)


@given(st.binary(max_size=50))
def test_a_name_that_is_no_utf8_is_quoted_too(raw):
    assert unquote_to_bytes(quoted(os.fsdecode(raw))) == raw
