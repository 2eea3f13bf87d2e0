"""What a shim does from its birth to its end; `nursery` forks it.

It takes the instance lock, starts the program with it as an open descriptor, so that it is held as
long as anything of either lives, writes down that it runs, and answers. Then it waits, without
polling, until nothing lives below it, and writes down how the program ended and whatever ended
after it. A shim that is killed harms no worker: only its end will not be written down.
"""

from __future__ import annotations

import _socket  # socket.py brings a megabyte of Python along
import ctypes
import os
import sys
import time

from healmon.world.programs import signals
from healmon.world.programs.begin import Failed, Order, start
from healmon.world.programs.records import ENDS, START, Ends, Folder, identity, ticks_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

RETRY = 5.0
"""Seconds until a record is tried again that the disk refused."""
LINGER = 12
"""How often a shim tries so that has nothing left below it."""
REHEARSAL = b"\0".join(
    [b"0", b"0", b"", b"/", b"/dev/null", b"/", b"-1", b"0", b"0", b"1", b"/", b"1", b"x", b"24"]
    + [b"NAME%d=value" % number for number in range(24)]
)
"""An order to run the root directory, which no kernel does."""

_SUBREAPER, _NAME = 36, 15
_ENDED = os.WEXITED | os.WNOWAIT
_prctl = ctypes.CDLL(None).prctl


def name_us(name: bytes) -> None:
    """Be called so in lists of processes; up to 15 bytes."""
    _prctl(_NAME, name, 0, 0, 0)


# Talking to healmon.


def receive(line: _socket.socket) -> _socket.socket | None:
    """Return the desk of the next order; None when healmon hung up."""
    while True:
        message, extra, _, _ = line.recvmsg(1, 64, _socket.MSG_CMSG_CLOEXEC)
        if extra:
            fd = int.from_bytes(extra[0][2][:4], sys.byteorder)
            return _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, fd)
        if not message:
            return None


def read_order(desk: _socket.socket) -> Order:
    """Return the order that is sent to a desk: eight bytes of length, then the rest.

    Raises:
        EOFError: it was cut short.
    """
    raw = b""
    while len(raw) < 8 or len(raw) < 8 + int.from_bytes(raw[:8], "big"):
        part = desk.recv(1 << 20)
        if not part:
            raise EOFError
        raw += part
    return Order(raw[8:])


def hung_up(line: _socket.socket) -> bool:
    """Return whether the other end of a socket is closed."""
    try:
        return not line.recv(1, _socket.MSG_PEEK | _socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _waiting(line: _socket.socket) -> bool:
    """Return whether an order waits to be taken, or healmon hung up."""
    try:
        line.recv(1, _socket.MSG_PEEK | _socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    return True


def answer(desk: _socket.socket, text: bytes) -> None:
    """Say how it went; whoever asked may be gone."""
    try:
        desk.sendall(text)
    except OSError:
        return


# The life of a shim.


def shim(line: _socket.socket, taken: int, desk: _socket.socket | None = None) -> None:
    """Wait for an order, carry it out, stay until nothing is left below.

    Args:
        line: where orders come from.
        taken: a pipe; a byte in it tells the nursery that an order was taken.
        desk: the order, when one was taken already.
    """
    signals.restore(signals.CHILD)
    os.setsid()
    _prctl(_SUBREAPER, 1, 0, 0, 0)
    name_us(b"healmon-shim")
    own = ticks_of(os.getpid())
    if desk is None and not _waiting(line):
        _rehearse()
    desk = desk or receive(line)
    if desk is None:
        return
    asked = desk
    order = read_order(desk)
    try:
        folder, lock, pid = _begin(order, lambda: hung_up(asked))
    except Failed as failed:
        answer(desk, b"no %s %d\n" % (failed.step, failed.number))
        _tell(taken)
        return
    # while nobody else waits, the next fork must not take the time of this start
    crowd = _waiting(line)
    line.close()
    if crowd:
        _tell(taken)
    record = _record(order, own, pid)
    kept = folder.keep(START, record)
    answer(desk, record)
    desk.close()
    if not crowd:
        _tell(taken)
    _watch(order, folder, lock, pid, None if kept else record)


def _tell(taken: int) -> None:
    try:
        os.write(taken, b"t")
    except OSError:
        return  # the nursery is gone: another will be had, and this start goes on
    finally:
        os.close(taken)


def _record(order: Order, own: int, pid: int) -> bytes:
    """Return what is written of a start: who runs now."""
    return b'{"number":%d,"shim":%s,"worker":%s,"wall":%.3f}\n' % (
        order.number,
        identity(order.boot, os.getpid(), own),
        identity(order.boot, pid, ticks_of(pid)),
        time.time(),
    )


def _rehearse() -> None:
    """Go through a start that fails: the first touch of a page after a fork costs a copy of it."""
    order = Order(REHEARSAL)
    try:
        start(order, 0, lambda: False)
    except Failed:
        _record(order, 0, os.getpid())


def _begin(order: Order, late: Callable[[], bool]) -> tuple[Folder, int, int]:
    """Return the folder, the held lock and the pid of the program, which runs.

    Raises:
        Failed: it does not, and nothing is left of it.
    """
    try:
        folder = Folder(order.folder)
        lock = folder.lock(order.patience)
    except OSError as error:
        raise Failed(b"lock", error.errno) from error
    try:
        return folder, lock, start(order, lock, late)
    except Failed:
        os.close(lock)
        raise
    finally:
        os.chdir("/")
        os.umask(0o077)


def _watch(order: Order, folder: Folder, lock: int, main: int, record: bytes | None) -> None:
    """Write down the program's end and each end below it that follows, until nothing lives there.

    Args:
        order: what was started.
        folder: where to write.
        lock: is let go when all is written.
        main: pid of the program.
        record: of the start, when the disk has refused it.
    """
    ends = Ends(order.boot, folder)
    over = False
    while True:
        try:
            if os.waitid(os.P_ALL, 0, _ENDED | os.WNOHANG) is None:
                folder.reserve(START)
                folder.reserve(ENDS)
                if record is not None or ends.pending:
                    signals.wait_for(signals.CHILD, RETRY)
                    record = None if record is None or folder.keep(START, record) else record
                    ends.flush()
                    continue
            found = os.waitid(os.P_ALL, 0, _ENDED)
        except ChildProcessError:
            break
        assert found is not None
        ticks = ticks_of(found.si_pid)  # it is still there until it is reaped
        pid, status, usage = os.wait4(found.si_pid, 0)
        over = over or pid == main
        if over:
            ends.add(pid, ticks, status, usage, main=pid == main)
    os.close(lock)
    _linger(ends)


def _linger(ends: Ends) -> None:
    """Try for a while to bring to disk what it refused; the next worker may run by now."""
    for _ in range(LINGER):
        if ends.flush(beside=True):
            return
        time.sleep(RETRY)
