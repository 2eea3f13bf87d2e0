"""The doorbell: a FIFO by which a command tells the healer that something waits for it.

It carries no data; what is wanted stands in the `commands` table. A FIFO needs no polling on the
healer's side and tells the client at once whether anybody listens.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from healmon.errors import StateDirError
from healmon.text import clean

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Generator

NAME: Final = "healmon.wake"


class WakePipe:
    """The healer's end.

    Attributes:
        fd: readable when somebody knocked; for `loop.add_reader`.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @classmethod
    def open(cls, state_dir: Path) -> WakePipe:
        """Make the FIFO, or take over the one a healer before us left.

        Something else by that name is renamed to `healmon.wake.strayN`.

        Raises:
            StateDirError: it can be neither made nor opened.
        """
        path = state_dir / NAME
        try:
            _make(path)
            # for reading and writing: with readers only, the end of the last client would leave
            # the pipe "readable" for ever
            fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise StateDirError(
                f"{clean(str(path))} cannot be made: {error.strerror}",
                remedy="check the state directory's permissions and its file system",
            ) from error
        os.fchmod(fd, 0o600)
        pipe = cls(fd)
        pipe.drain()  # knocks meant for the healer before us: what they announced is in the table
        return pipe

    def drain(self) -> bool:
        """Take all knocks; True when there were any."""
        knocked = False
        with contextlib.suppress(BlockingIOError):
            while os.read(self.fd, 4096):
                knocked = True
        return knocked

    def close(self) -> None:
        """Stop listening; the FIFO stays for the next healer."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


@contextlib.contextmanager
def listening(
    state_dir: Path, loop: AbstractEventLoop, knocked: Callable[[], None]
) -> Generator[None]:
    """Call `knocked` in a loop, whenever somebody knocks.

    Raises:
        StateDirError: as `WakePipe.open`.
    """
    pipe = WakePipe.open(state_dir)

    def heard() -> None:
        pipe.drain()
        knocked()

    loop.add_reader(pipe.fd, heard)
    try:
        yield
    finally:
        loop.remove_reader(pipe.fd)
        pipe.close()


def knock(state_dir: Path) -> bool:
    """Wake the healer; False when nobody listens. Never waits."""
    try:
        fd = os.open(state_dir / NAME, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False  # no FIFO, or (ENXIO) nobody at the other end
    try:
        if not stat.S_ISFIFO(os.fstat(fd).st_mode):
            return False
        os.write(fd, b"!")
    except OSError as error:
        return error.errno == errno.EAGAIN  # a full pipe: it rings already
    finally:
        os.close(fd)
    return True


def _make(path: Path) -> None:
    try:
        os.mkfifo(path, 0o600)
    except FileExistsError:
        if stat.S_ISFIFO(path.lstat().st_mode):
            return
        number = 1
        while os.path.lexists(stray := path.with_name(f"{path.name}.stray{number}")):
            number += 1
        path.rename(stray)
        os.mkfifo(path, 0o600)
