"""The push: whoever looks on is told that there is more in the store, and reads it there.

A viewer connects to a local socket in the state directory and gets one byte for each time that
something was stored or answered; the byte says "look", nothing else, so one that is lost (a viewer
too slow to read, a healer that just ended) costs a few seconds and no truth. While nobody is
connected the healer does nothing at all. Only the owner of the healer and root are let in.

The socket's address may be longer than the 107 bytes that the kernel takes: it is named through a
descriptor of its directory then.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import select
import socket
import stat
import struct
import threading
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from healmon.text import clean

if TYPE_CHECKING:
    import asyncio

_log = logging.getLogger(__name__)

NAME: Final = "healmon.sock"
VIEWERS: Final = 256
"""Connections at most; whoever comes later looks by himself, once a second."""
BACKLOG: Final = 128
LONGEST: Final = 107
"""Bytes of an address that the kernel takes."""
TIRED: Final = 5.0
"""Seconds without accepting when the process has no descriptor left."""
FALLBACK: Final = 5.0
"""Seconds after which a viewer looks although nothing was pushed."""
ALONE: Final = 1.0
"""The same where nobody pushes; every time the connection is tried anew."""
_CREDENTIALS: Final = struct.Struct("iII")
"""struct ucred: pid, uid, gid."""
_NO_ROOM: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)


class Push:
    """The healer's end. `ring` is safe from any thread, all else belongs to the event loop.

    Args:
        server: a listening socket; None: there is none, and nobody is told.
        place: which file its name is.
    """

    def __init__(self, state_dir: Path, server: socket.socket | None) -> None:
        self._path = state_dir / NAME
        self._server = server
        self._viewers: set[socket.socket] = set()
        self._lock = threading.Lock()
        import asyncio  # noqa: PLC0415 - viewers need none

        self._loop = asyncio.get_running_loop()
        self._again: asyncio.TimerHandle | None = None
        self._listen()

    @classmethod
    def open(cls, state_dir: Path) -> Push:
        """Listen in a state directory that this process holds; never raises.

        A socket that a healer before us left is replaced; something else by its name is renamed to
        `healmon.sock.strayN`. Where none can be made, viewers look by themselves.
        """
        try:
            server = _served(state_dir)
        except OSError as error:
            _log.warning("nobody can be told of news at once: %s", error.strerror)
            server = None
        return cls(state_dir, server)

    def ring(self) -> None:
        """Tell all viewers that there is more to read. Never waits."""
        if not self._viewers:
            return
        with self._lock:
            for viewer in self._viewers:
                # a full pipe rings already; one that is gone is seen by the loop
                with contextlib.suppress(OSError):
                    viewer.send(b".", socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)

    def close(self) -> None:
        """Let all viewers go and take the socket away."""
        if self._again is not None:
            self._again.cancel()
        for viewer in list(self._viewers):
            self._drop(viewer)
        if self._server is None:
            return
        self._loop.remove_reader(self._server)
        self._server.close()
        self._server = None
        with contextlib.suppress(OSError):  # left over, it is replaced by the next healer
            self._path.unlink()

    def _listen(self) -> None:
        if self._server is not None:
            self._loop.add_reader(self._server, self._accept)

    def _accept(self) -> None:
        if self._server is None:
            return
        try:
            viewer, _ = self._server.accept()
        except OSError as error:
            if error.errno in _NO_ROOM:  # it stays readable: do not spin
                self._loop.remove_reader(self._server)
                self._again = self._loop.call_later(TIRED, self._listen)
            return
        if len(self._viewers) >= VIEWERS or not _let_in(viewer):
            viewer.close()
            return
        viewer.settimeout(0.0)
        with self._lock:
            self._viewers.add(viewer)
        self._loop.add_reader(viewer, self._heard, viewer)
        # what was stored between its connecting and now was told to nobody
        with contextlib.suppress(OSError):
            viewer.send(b".", socket.MSG_NOSIGNAL)

    def _heard(self, viewer: socket.socket) -> None:
        """Let go of a viewer that left; it has nothing to say otherwise."""
        with contextlib.suppress(BlockingIOError, InterruptedError):
            with contextlib.suppress(ConnectionError):
                viewer.recv(1)
            self._drop(viewer)

    def _drop(self, viewer: socket.socket) -> None:
        self._loop.remove_reader(viewer)
        with self._lock:
            self._viewers.discard(viewer)
            viewer.close()


class Ear:
    """A viewer's end; belongs to one thread, but for `interrupt`.

    Args:
        state_dir: of the healer that is listened to; it need not run (yet).
    """

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._viewer: socket.socket | None = None
        self._interrupt = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._connect()

    @property
    def connected(self) -> bool:
        """Whether a healer is there that rings."""
        return self._viewer is not None

    def wait(self, alone: float = ALONE, fallback: float = FALLBACK) -> None:
        """Return when it is time to look.

        Args:
            alone: seconds at most where nobody rings.
            fallback: seconds at most where somebody does.
        """
        viewer = self._viewer
        poll = select.poll()
        poll.register(self._interrupt, select.POLLIN)
        if viewer is not None:
            poll.register(viewer, select.POLLIN)
        ready = dict(poll.poll((alone if viewer is None else fallback) * 1000))
        if viewer is None:
            self._connect()  # after the pause: who is sent away does not come back at once
        elif viewer.fileno() in ready:
            self._drain(viewer)

    def interrupt(self) -> None:
        """Have `wait` return at once, now and ever after. Safe from any thread."""
        os.eventfd_write(self._interrupt, 1)

    def close(self) -> None:
        """Let go."""
        self._hang_up()
        if self._interrupt >= 0:
            os.close(self._interrupt)
            self._interrupt = -1

    def _connect(self) -> None:
        with contextlib.ExitStack() as undo, contextlib.suppress(OSError):
            # no descriptor left: whoever listens looks by himself for as long
            viewer = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            viewer.settimeout(0.0)  # a backlog that is full says so at once
            with _address(self._state_dir) as address:
                viewer.connect(address)
            undo.pop_all()
            self._viewer = viewer

    def _drain(self, viewer: socket.socket) -> None:
        try:
            while viewer.recv(4096):
                pass
        except BlockingIOError:
            return
        except OSError:
            pass
        self._hang_up()

    def _hang_up(self) -> None:
        viewer, self._viewer = self._viewer, None
        if viewer is not None:
            viewer.close()


@contextlib.contextmanager
def _address(state_dir: Path) -> Generator[str, None, None]:
    """Give an address of the socket that is short enough."""
    path = str(state_dir / NAME)
    if len(os.fsencode(path)) <= LONGEST:
        yield path
        return
    directory = os.open(state_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{NAME}"
    finally:
        os.close(directory)


def _served(state_dir: Path) -> socket.socket:
    """Return a listening socket by the name.

    Raises:
        OSError: it cannot be made.
    """
    _make_way(state_dir / NAME)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _address(state_dir) as address:
            server.bind(address)
        (state_dir / NAME).chmod(0o600)
        server.listen(BACKLOG)
        server.settimeout(0.0)
    except BaseException:
        server.close()
        raise
    return server


def _make_way(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISSOCK(found.st_mode):
        path.unlink()  # whoever made it is gone: the state directory is ours
        return
    number = 1
    while os.path.lexists(stray := path.with_name(f"{path.name}.stray{number}")):
        number += 1
    path.rename(stray)


def _let_in(viewer: socket.socket) -> bool:
    """Return whether this process's owner or root connected."""
    told = viewer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(told)
    if uid in (0, os.geteuid()):
        return True
    _log.warning("uid %s wanted to look on and was not let in", clean(str(uid)))
    return False
