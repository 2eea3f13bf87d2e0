"""A screen's parts: what stands where, and what cannot be told."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from healmon.sessions.packs import bundled
from healmon.sessions.packs.costs import LINE
from healmon.sessions.packs.model import Layout
from healmon.sessions.packs.regions import FOOTER, LINES, TAIL, divide

BOX = Layout(
    composer=re.compile("^>(?: |$)"), top=re.compile("^---"), bottom=re.compile("^---"),
    user=re.compile("^> "),
)  # fmt: skip
OPEN = Layout(composer=re.compile("^>(?: |$)"), user=re.compile("^> "))


def test_a_framed_composer() -> None:
    parts = divide("banner\n> ask\none\ntwo\n---\n> typed\n  more\n---\nfoot\n", "t", BOX)
    assert parts.title == ("t",)
    assert parts.above == ("one", "two")
    assert parts.composer == ("> typed", "more")
    assert parts.footer == ("foot",)
    assert parts.last == ("foot",)


def test_an_open_composer() -> None:
    parts = divide("> ask\none\n\n> \n\nfoot 1\nfoot 2", "", OPEN)
    assert (parts.above, parts.composer, parts.footer) == (("one",), (">",), ("foot 1", "foot 2"))
    assert parts.title == ()


def test_what_a_person_wrote_is_no_composer() -> None:
    assert divide("> ask\none\ntwo\n---\nfoot", "", BOX).composer == ()
    assert divide("---\nold\n---\n> ask\none\ntwo\n---\na dialog", "", BOX).composer == ()


def test_too_much_below_is_no_footer() -> None:
    long = "\n".join(f"line {i}" for i in range(FOOTER + 1))
    for layout, text in ((BOX, f"---\n> \n---\n{long}"), (OPEN, f"> \n{long}")):
        parts = divide(text, "", layout)
        assert (parts.composer, parts.footer) == ((), ())
        assert parts.above[-FOOTER - 1 :] == tuple(long.split("\n"))


def test_long_lines_lose_their_middle_and_long_screens_their_beginning() -> None:
    parts = divide("a" * 5000 + " [y/N] ", "", Layout())
    assert len(parts.last[0]) == LINE
    assert parts.last[0].startswith("aaa")
    assert parts.last[0].endswith("[y/N]")
    many = divide("\n".join(f"line {i}" for i in range(1000)), "", Layout())
    assert len(many.screen) == LINES
    assert many.screen[-1] == "line 999"
    assert len(many.tail) == TAIL


def test_borders_and_hard_blanks_fall_away() -> None:
    parts = divide("│ one\u00a0two  │\n┃\n│    │\n  ┃ three", "", Layout())
    assert parts.screen == ("one two", "three")


@given(st.text(st.sampled_from("\n> -ab│┃─❯›╹▀"), max_size=300))
def test_parts_are_lines_of_the_screen(screen: str) -> None:
    for layout in (BOX, OPEN, *(pack.layout for pack in bundled())):
        parts = divide(screen, "", layout)
        assert len(parts.footer) <= FOOTER
        assert set(parts.footer) | set(parts.above) | set(parts.composer) <= set(parts.screen)
        assert parts.tail == parts.screen[-TAIL:]
