"""The thread that hears what is typed: it sleeps until something comes, and misses nothing."""

from __future__ import annotations

import os
import pty
import threading
import tty
from contextlib import contextmanager

from textual._xterm_parser import XTermParser

from healmon_tui.listening import Bell, Listener, _wait
from tests.helpers.wait import until


class Ear(Listener):
    """A listener without an app."""

    def __init__(self, fileno):
        self.fileno = fileno
        self._bell = self.exit_event = Bell()
        self._debug = False
        self.heard = []
        self.fell = None

    def process_message(self, message):
        self.heard.append(getattr(message, "key", type(message).__name__))

    def listen(self):
        try:
            self.run_input_thread()
        except OSError as error:
            self.fell = error


@contextmanager
def listening():
    master, slave = pty.openpty()
    tty.setraw(slave)
    ear = Ear(slave)
    thread = threading.Thread(target=ear.listen, daemon=True)
    thread.start()
    try:
        yield ear, master
    finally:
        ear.exit_event.set()
        thread.join(60)
        for fd in (master, slave, ear.exit_event._ear, ear.exit_event._hammer):
            os.close(fd)
        assert not thread.is_alive()


def test_keys_come_one_by_one_and_in_pieces():
    with listening() as (ear, master):
        os.write(master, b"jk")
        until(lambda: ear.heard == ["j", "k"])
        os.write(master, "é\x1b[B".encode())
        until(lambda: len(ear.heard) == 4)
        assert ear.heard[3] == "down"
        for piece in (b"\xc3", b"\xa9"):
            os.write(master, piece)
        until(lambda: len(ear.heard) == 5)
        assert ear.heard[4] == ear.heard[2]


def test_an_escape_that_nothing_follows_is_a_key():
    with listening() as (ear, master):
        os.write(master, b"\x1b")
        until(lambda: ear.heard == ["escape"])
        os.write(master, b"q")
        until(lambda: ear.heard == ["escape", "q"])


def test_the_clock_counts_only_while_an_escape_may_begin_something():
    parser = XTermParser()
    assert _wait(parser) is None
    assert list(parser.feed("j"))
    assert _wait(parser) is None
    assert not list(parser.feed("\x1b"))
    left = _wait(parser)
    assert left is not None
    assert 0 < left <= 1000


def test_the_bell_ends_it_at_once_and_what_was_typed_is_heard():
    with listening() as (ear, master):
        os.write(master, b"z")
        ear.exit_event.set()
    assert ear.heard == ["z"]


def test_a_bell_that_is_silent_again_can_be_rung_again():
    bell = Bell()
    for _ in range(3):
        bell.set()
        assert bell.is_set()
        bell.clear()
        assert not bell.is_set()
    with listening() as (ear, master):
        ear.exit_event.clear()
        os.write(master, b"j")
        until(lambda: ear.heard == ["j"])
    os.close(bell._ear)
    os.close(bell._hammer)


def test_what_has_ended_is_not_read_again_and_again():
    read, write = os.pipe()
    ear = Ear(read)
    reads = []
    ear._read = lambda *how: reads.append(1) or Listener._read(ear, *how)
    os.close(write)
    thread = threading.Thread(target=ear.listen, daemon=True)
    thread.start()
    until(lambda: reads)
    ear.exit_event.set()
    thread.join(60)
    assert not thread.is_alive()
    assert len(reads) <= 2
    for fd in (read, ear.exit_event._ear, ear.exit_event._hammer):
        os.close(fd)
