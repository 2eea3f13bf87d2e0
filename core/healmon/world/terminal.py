"""What the terminal of a pane tells: its modes, who is in the foreground, who waits for input.

Nothing is read from the terminal and nothing written to it.
"""

from __future__ import annotations

import array
import fcntl
import os
import re
import select
import stat
import termios
from contextlib import suppress
from typing import Final

import msgspec

_TTY: Final = re.compile(r"/dev/(?:pts/[0-9]{1,9}|ttys?[0-9]{1,9})")
_READING: Final = frozenset({b"wait_woken", b"n_tty_read"})
"""Where in the kernel a process stands that waits for a line from its terminal."""


class Terminal(msgspec.Struct, frozen=True):
    """One look at a terminal.

    Attributes:
        signals: Ctrl-C is a SIGINT here; False: a program reads it as a key (raw mode).
        canonical: input comes line by line.
        echo: what is typed is shown.
        foreground: the process group that keys go to, 0 when unknown.
        reading: the foreground process waits for a line from this terminal.
        unread: bytes typed that nobody has read yet.
    writable: it takes output. Not so while Ctrl-S stops it, or while nobody draws what was written.
    """

    signals: bool
    canonical: bool
    echo: bool
    foreground: int
    reading: bool = False
    unread: int = 0
    writable: bool = True

    @property
    def secret(self) -> bool:
        """Whether it asks for a password: whole lines, and none of them shown."""
        return self.canonical and not self.echo


def look(tty: str, pid: int) -> Terminal | None:
    """Return what the terminal `tty` of process `pid` tells; None when it cannot be read."""
    if not _TTY.fullmatch(tty):
        return None
    group, device = _foreground(pid)
    flags = os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(tty, flags)
    except OSError:
        return None
    try:
        found = os.fstat(fd)
        if not stat.S_ISCHR(found.st_mode) or found.st_rdev != device:
            return None
        local = int(termios.tcgetattr(fd)[3])
        unread = array.array("i", [0])
        fcntl.ioctl(fd, termios.FIONREAD, unread)
        writable = _takes_output(fd)
    except (OSError, termios.error):
        return None
    finally:
        os.close(fd)
    return Terminal(
        signals=bool(local & termios.ISIG),
        canonical=bool(local & termios.ICANON),
        echo=bool(local & termios.ECHO),
        foreground=group,
        reading=_reads(group, tty),
        unread=unread[0],
        writable=writable,
    )


def _takes_output(fd: int) -> bool:
    """Return whether a terminal has room for output; one that was stopped has none."""
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return any(events & select.POLLOUT for _, events in poll.poll(0))


def _foreground(pid: int) -> tuple[int, int]:
    """Return the foreground process group and the device number of a process's terminal."""
    try:
        fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        return max(int(fields[5]), 0), _device(int(fields[4]))
    except (OSError, ValueError, IndexError):
        return 0, -1


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 4096)
    finally:
        os.close(fd)


def _device(packed: int) -> int:
    """Return the device number as stat(2) writes it, from how proc(5) packs it."""
    minor = (packed & 0xFF) | ((packed >> 12) & 0xFFF00)
    return os.makedev((packed >> 8) & 0xFFF, minor)


def _reads(pid: int, tty: str) -> bool:
    """Return whether this process waits for its terminal, and not for a socket."""
    with suppress(OSError):
        if _read(f"/proc/{pid}/wchan") not in _READING:
            return False
        if os.readlink(f"/proc/{pid}/fd/0") != tty:  # noqa: PTH115 - a link that is no path
            return False
        # a blocking recv() waits at the same place
        return not any(
            os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:")  # noqa: PTH115 - likewise
            for fd in os.listdir(f"/proc/{pid}/fd")  # noqa: PTH208 - likewise
        )
    return False
