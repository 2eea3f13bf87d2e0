"""How many colours a real terminal is asked for: all, 256 of its own, or its 16."""

from __future__ import annotations

import re

import pytest

from healmon_tui import themes
from healmon_tui.colours import Color, ColorSystem
from tests.helpers.terminal import ALT_SCREEN_OFF, terminal

pytestmark = pytest.mark.slow

PROGRAM = """
import sys
from tests.helpers.scripted import ScriptedLink, world
from healmon.service.screenlook import ScreenLook
from healmon_tui.app import run
sys.exit(run(ScriptedLink(world()), look=ScreenLook(theme=sys.argv[1], mouse="mouse" in sys.argv)))
"""


def written(name, **environ):
    with terminal(PROGRAM, name, **environ) as there:
        there.shows("mail_worker")
        there.type("j")
        there.type("q")
        assert there.ends() == 0
        there.shows(ALT_SCREEN_OFF.decode())  # all of it is read
        codes = re.findall(rb"\x1b\[([0-9;]*)m", bytes(there.written))
        return b";".join(codes).decode(), bytes(there.written)


def number(colour):
    return Color.parse(colour).downgrade(ColorSystem.EIGHT_BIT).number


def test_all_of_them():
    codes, _ = written("dark")
    red, green, blue = Color.parse(themes.palette("dark").tones["bad"]).triplet
    assert f"38;2;{red};{green};{blue}" in codes


@pytest.mark.parametrize("name", ["screen-256color", "tmux-256color"])
def test_256_as_in_tmux(name):
    codes, _ = written("dark", TERM=name, COLORTERM="")
    look = themes.palette("dark", depth="256")
    assert ";2;" not in re.sub(r"[34]8;5;\d+", "", codes)
    for tone in ("bad", "warn", "ok", "text"):
        assert f"38;5;{number(look.tones[tone])};48;5;" in codes, tone
    for ground in ("base", "bar", "cursor"):
        assert f"48;5;{number(look.grounds[ground])}" in codes, ground


def test_16_are_the_terminals_own():
    codes, _ = written("dark", TERM="screen", COLORTERM="")
    assert "38;" not in codes
    assert "48;" not in codes
    assert {"31", "32", "33"} <= set(codes.split(";"))


def test_the_mouse_stays_with_the_terminal_unless_it_is_wanted():
    _, without = written("safe")
    assert b"\x1b[?1003h" not in without
    with terminal(PROGRAM, "safe", "mouse") as there:
        there.shows("mail_worker")
        there.type("q")
        assert there.ends() == 0
        assert b"\x1b[?1003h" in there.written
