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
import signal
import sys
import time
from collections.abc import Callable

from healmon.world.programs.begin import Failed, Order, start
from healmon.world.programs.records import ENDS, START, Ends, Folder, identity, ticks_of

RETRY = 5.0
"""Seconds until a record is tried again that the disk refused."""
LINGER = 12
"""How often a shim tries so that has nothing left below it."""

_SUBREAPER, _NAME = 36, 15
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
        taken: a pipe that tells the nursery that an order was taken.
        desk: the order, when one was taken already.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    _prctl(_SUBREAPER, 1, 0, 0, 0)
    name_us(b"healmon-shim")
    own = ticks_of(os.getpid())
    desk = desk or receive(line)
    if desk is None:
        return
    line.close()
    order = read_order(desk)
    asked = desk
    try:
        folder, lock, pid = _begin(order, lambda: hung_up(asked))
    except Failed as failed:
        answer(desk, b"no %s %d\n" % (failed.step, failed.number))
        return
    finally:
        # only now, so that two processes at a time suffice for a start
        os.write(taken, b"t")
        os.close(taken)
    who = (identity(order.boot, os.getpid(), own), identity(order.boot, pid, ticks_of(pid)))
    record = b'{"number":%d,"shim":%s,"worker":%s,"wall":%.3f}\n'
    record %= (order.number, *who, time.time())
    kept = folder.keep(START, record)
    answer(desk, record)
    desk.close()
    _watch(order, folder, lock, pid, None if kept else record)


def _begin(order: Order, late: Callable[[], bool]) -> tuple[Folder, int, int]:
    """Return the folder, the held lock and the pid of the program, which runs.

    Raises:
        Failed: it does not, and nothing is left of it.
    """
    try:
        folder = Folder(order.folder)
        lock = folder.lock()
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
    if record is None:
        folder.reserve(START)
    folder.reserve(ENDS)
    over = False
    while True:
        patient = record is None and not ends.pending
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | (0 if patient else os.WNOHANG))
        except ChildProcessError:
            break
        if found is None:
            signal.sigtimedwait({signal.SIGCHLD}, RETRY)
            if record is not None and folder.keep(START, record):
                record = None
            ends.flush()
            continue
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
