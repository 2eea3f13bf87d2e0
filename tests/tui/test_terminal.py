"""The screen on a real pseudo terminal: what it leaves behind, and what it writes."""

from __future__ import annotations

import re
import signal

import pytest

from tests.helpers.terminal import ALT_SCREEN_OFF, driving, terminal
from tests.helpers.wait import until

pytestmark = pytest.mark.slow

PROGRAM = """
import sys
from tests.helpers.scripted import ScriptedLink, world
from healmon_tui.app import run
class Link(ScriptedLink):
    broken = False
    async def close(self):
        await super().close()
        open(sys.argv[1], "a").write("closed ")
    def trouble(self):
        if self.broken:
            raise RuntimeError("the link fell over")
        return ""
    async def ask(self, verb, target, arguments):
        Link.broken = "break" in sys.argv
        return await super().ask(verb, target, arguments)
past = world()
if "hostile" in sys.argv:
    from tests.tui.test_hostile import HOSTILE, past as make
    past = make("".join(text[:60] for text in HOSTILE))
code = run(Link(past))
open(sys.argv[1], "a").write(f"ended {code}")
sys.exit(code)
"""


@pytest.fixture
def note(tmp_path):
    return tmp_path / "note"


def test_q_leaves_the_terminal_as_it_was(note):
    with terminal(PROGRAM, str(note)) as there:
        there.shows("mail_worker")
        assert there.attributes() != there.before
        there.type("q")
        assert there.ends() == 0
        there.restored()
    assert note.read_text() == "closed ended 0"


def test_sigterm_ends_in_order_and_leaves_the_terminal_as_it_was(note):
    with terminal(PROGRAM, str(note)) as there:
        there.shows("mail_worker")
        there.signal(signal.SIGTERM)
        assert there.ends() == 0
        there.restored()
    assert note.read_text() == "closed ended 0"


def test_sighup_does_too(note):
    with terminal(PROGRAM, str(note)) as there:
        there.shows("mail_worker")
        there.signal(signal.SIGHUP)
        assert there.ends() == 0
        assert there.attributes() == there.before
        there.shows(ALT_SCREEN_OFF.decode())
    assert note.read_text() == "closed ended 0"


@pytest.mark.parametrize("_again", range(3))
def test_a_terminal_that_vanishes_ends_it_in_order(note, _again):
    with terminal(PROGRAM, str(note)) as there:
        there.shows("mail_worker")
        there.hang_up()
        assert there.ends() == 0
    assert note.read_text() == "closed ended 0"


def test_a_crash_gives_the_terminal_back_and_closes_the_link(note):
    with terminal(PROGRAM, str(note), "break") as there:
        there.shows("mail_worker")
        there.type("\x12")
        assert there.ends() == 1
        there.restored()
        there.shows("the link fell over")
    assert note.read_text() == "closed ended 1"


@pytest.mark.parametrize("name", ["dumb", "", None])
def test_a_dumb_terminal_is_refused(note, name):
    with terminal(PROGRAM, str(note), TERM=name) as there:
        assert there.ends() == 64
        there.shows("--no-ui")
        assert b"\x1b" not in there.written
    assert note.read_text() == "closed ended 64"


@pytest.mark.parametrize("name", ["vt100", "linux", "screen", "tmux-256color"])
def test_an_old_terminal_is_drawn_on_and_given_back(note, name):
    with terminal(PROGRAM, str(note), TERM=name, COLORTERM="") as there:
        there.shows("mail_worker")
        there.type("jq")
        assert there.ends() == 0
        there.restored()
        assert driving(bytes(there.written)) == []


def test_no_color_writes_no_colour(note):
    with terminal(PROGRAM, str(note), NO_COLOR="1") as there:
        there.shows("mail_worker")
        there.type("j")
        there.type("q")
        assert there.ends() == 0
        there.restored()
        codes = {
            code
            for found in re.findall(rb"\x1b\[([0-9;]*)m", bytes(there.written))
            for code in re.split(rb";", found)
        }
    coloured = {b"38", b"48", *(str(n).encode() for n in (*range(30, 38), *range(40, 48)))}
    assert codes & coloured == set()


def test_an_ascii_locale_gets_ascii(note):
    with terminal(PROGRAM, str(note), LC_ALL="C") as there:
        there.shows("mail_worker")
        there.type("q")
        assert there.ends() == 0
        there.restored()
        assert bytes(there.written).isascii()


def test_hostile_text_writes_nothing_that_drives_the_terminal(note):
    with terminal(PROGRAM, str(note), "hostile", size=(120, 36)) as there:
        there.shows("WORKERS")
        for key in ("2", "3", "4", "5", "\r", "?", "q"):
            there.type(key)
        there.signal(signal.SIGTERM)
        assert there.ends() == 0
        there.restored()  # all of it is read: half a character is none
        assert driving(bytes(there.written)) == []


def test_ctrl_z_and_ctrl_c_do_not_end_it(note):
    with terminal(PROGRAM, str(note)) as there:
        there.shows("mail_worker")
        there.type("\x1a\x03")
        there.shows("q quits")
        assert there.process.poll() is None
        there.type("q")
        assert there.ends() == 0


def test_a_terminal_that_stops_reading_and_goes_on(note):
    with terminal(PROGRAM, str(note)) as there:
        there.shows("mail_worker")
        there.reading.clear()
        there.type("tttttttttttttttttttttttttttttt")
        there.reading.set()
        there.type("q")
        assert there.ends() == 0
        there.restored()


def test_stopped_from_outside_and_let_go_on_it_gives_the_terminal_back_as_it_was(note):
    with terminal(PROGRAM, str(note)) as there:
        there.shows("mail_worker")
        there.signal(signal.SIGSTOP)
        # a SIGCONT that overtakes it is none; and what is typed before it is drawn anew is lost
        until(there.is_stopped, 60.0, "its stop")
        there.written.clear()
        there.signal(signal.SIGCONT)
        there.shows("mail_worker")
        there.type("q")
        assert there.ends() == 0
        there.restored()
    assert note.read_text() == "closed ended 0"


def test_a_terminal_without_a_size_is_drawn_once_and_can_be_left(note):
    with terminal(PROGRAM, str(note), size=(0, 0)) as there:
        there.shows("mail_worker")
        there.type("q")
        assert there.ends() == 0
        assert len(there.written) < 1_000_000
