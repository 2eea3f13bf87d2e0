"""A real pseudo terminal with a program in it, and all that the program wrote."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.cells import cell_len

from tests.helpers.wait import until

ROOT = Path(__file__).parents[2]
TAKE_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
"""
"""What a program runs first, to have the pseudo terminal as its own."""

OURS = re.compile(
    r"\x1b\[[0-9;:]*[mHJK]|\x1b\[[?>=<][0-9;]*\$?[a-zA-Z]|\x1b\[[0-9;]*[tnc]|\x1b[=>78]"
    r"|\x1b\]22;default\x07|\r|\n"
)
"""All that Textual itself tells a terminal."""
ALT_SCREEN_OFF, MOUSE_OFF = b"\x1b[?1049l", b"\x1b[?1003l"
CURSOR_ON, PASTE_OFF = b"\x1b[?25h", b"\x1b[?2004l"


def driving(written: bytes) -> list[str]:
    """Return what of the bytes written drives a terminal and is not Textual's own."""
    rest = OURS.sub("", written.decode("utf-8"))
    return [c for c in rest if ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2066"]


_DRAWN = re.compile(r"\x1b\[(\d+);(\d+)H|\x1b\[[0-9;:?<=>]*[a-zA-Z]|\x1b.|([^\x1b])")


def on_glass(written: bytes) -> str:
    """Return the lines that a terminal shows after these bytes; a drawing may be of few cells."""
    cells: dict[tuple[int, int], str] = {}
    row = column = 0
    for found in _DRAWN.finditer(written.decode("utf-8", "replace")):
        to_row, to_column, char = found.groups()
        if to_row:
            row, column = int(to_row) - 1, int(to_column) - 1
        elif char == "\n":
            row, column = row + 1, 0
        elif char and char.isprintable():
            cells[row, column] = char
            column += cell_len(char)
    height = 1 + max((row for row, _ in cells), default=0)
    width = 1 + max((column for _, column in cells), default=0)
    lines = ("".join(cells.get((y, x), "") for x in range(width)) for y in range(height))
    return "\n".join(lines)


@dataclass
class Terminal:
    """A program on a pseudo terminal of its own."""

    process: subprocess.Popen[bytes]
    master: int
    slave: int
    before: list[object]
    written: bytearray = field(default_factory=bytearray)
    reading: threading.Event = field(default_factory=threading.Event)
    gone: threading.Event = field(default_factory=threading.Event)
    reader: threading.Thread = field(default_factory=threading.Thread)
    open: list[int] = field(default_factory=list)

    def read_all(self) -> None:
        """Read whatever comes, until there is nobody to write or to read."""
        while self.master >= 0 and not self.gone.is_set():
            self.reading.wait()
            if not select.select([self.master], [], [], 0.05)[0]:
                continue
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            if not data:
                return
            self.written += data

    def hang_up(self) -> None:
        """Let the terminal vanish."""
        self.gone.set()
        self.reading.set()
        self.reader.join(60)
        while self.open:
            os.close(self.open.pop())

    def type(self, keys: str) -> None:
        """Type keys."""
        os.write(self.master, keys.encode())

    def shows(self, text: str, limit: float = 60.0) -> None:
        """Wait until a text was written."""
        until(lambda: text.encode() in self.written, limit, f"{text!r} on the terminal")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program."""
        self.process.send_signal(number)

    def is_stopped(self) -> bool:
        """Return whether all of the program stands still, and what it had drawn was read."""
        state = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state == "T" and not select.select([self.master], [], [], 0.2)[0]

    def ends(self, limit: float = 60.0) -> int:
        """Wait for the end of the program and return its exit code."""
        code = self.process.wait(limit)
        self.reading.set()
        return code

    def resize(self, columns: int, lines: int) -> None:
        """Make the terminal larger or smaller; its program is told."""
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def restored(self) -> None:
        """Make sure that the terminal is as it was before the program."""
        for sequence in (ALT_SCREEN_OFF, MOUSE_OFF, CURSOR_ON, PASTE_OFF):
            # what a program wrote last is read a moment after its end
            until(lambda s=sequence: self._after_all(s), 60, f"{sequence!r} on the terminal")
        assert self.attributes() == self.before

    def _after_all(self, sequence: bytes) -> bool:
        return self.written.rfind(sequence) > self.written.rfind(b"\x1b[?1049h")

    def attributes(self) -> list[object]:
        """Return the terminal's settings now."""
        return termios.tcgetattr(self.slave)


@contextmanager
def terminal(
    program: str, *arguments: str, size: tuple[int, int] = (80, 24), **environ: str | None
) -> Iterator[Terminal]:
    """Run a Python program on a pseudo terminal; it is ended on the way out.

    Of the environment, what is None is taken away.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    wanted = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8", **environ}
    env = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "COLUMNS", "LINES"}}
    env = {k: v for k, v in {**env, **wanted}.items() if v is not None}
    process = subprocess.Popen(
        [sys.executable, "-c", TAKE_TERMINAL + program, *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=ROOT,
        env=env,
    )
    there = Terminal(process, master, slave, termios.tcgetattr(slave))
    there.open = [slave, master]
    there.reading.set()
    there.reader = threading.Thread(target=there.read_all, daemon=True)
    there.reader.start()
    try:
        yield there
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(60)
        there.hang_up()
