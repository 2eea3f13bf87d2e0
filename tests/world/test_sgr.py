"""Screens in their colours: what is read, and that nothing else gets through."""

from __future__ import annotations

import pytest

from healmon.text import clean
from healmon.world.sgr import Run, parse, plain


def test_colours_and_weights_are_kept_and_go_on_over_the_line():
    (first, second) = parse(b"a\x1b[31mred\x1b[1;4mloud\n  more\x1b[0m end")
    assert first == (Run("a"), Run("red", "1"), Run("loud", "1", "", "bu"))
    assert second == (Run("  more", "1", "", "bu"), Run(" end"))


@pytest.mark.parametrize(
    ("codes", "wanted"),
    [
        ("38;5;208", Run("x", "208")),
        ("38;2;1;2;3", Run("x", "#010203")),
        ("38:2:1:2:3", Run("x", "#010203")),
        ("38:2::1:2:3", Run("x", "#010203")),
        ("48;5;17;93", Run("x", "11", "17")),
        ("97;104", Run("x", "15", "12")),
        ("1;2;3;7;22", Run("x", "", "", "ir")),
        ("31;39;49", Run("x")),
        ("31;", Run("x")),
        ("4:0", Run("x")),
        ("999;38;5", Run("x")),
        ("38;2;999;0;0", Run("x", "#ff0000")),
        ("9" * 60, Run("x")),
    ],
)
def test_every_way_to_say_a_colour(codes, wanted):
    assert parse(f"\x1b[{codes}mx") == ((wanted,),)


def test_what_is_no_colour_is_seen_and_never_acts():
    hostile = (
        "\x1b[2J\x1b]0;title\x07\x1b]52;c;aGk=\x1b\\\x9b31m\x1b[31\x07m\u202e\x1bP+q\x1b\\ok\x7f"
    )
    ((run,),) = parse(hostile)
    assert run.text == clean(hostile)
    assert run.text.isprintable()


def test_links_are_left_out_and_boxes_are_drawn():
    shown = parse(b"\x1b]8;id=1;http://evil\x1b\\here\x1b]8;;\x07 \x0elqk\x0f lqk")
    assert plain(shown) == "here ┌─┐ lqk"


def test_blank_ends_are_left_out_and_the_rest_stands():
    shown = parse("  two  \x1b[44m   \x1b[0m\n\n x\t|\n\n  \n")
    assert plain(shown) == "  two\n\n x      |"
    assert parse("") == ()


def test_a_screen_without_end_is_bounded():
    assert len(plain(parse("\x1b[1m" * 100_000 + "x"))) == 0
