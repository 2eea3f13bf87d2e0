"""What a shim does from its birth to its end; `nursery` forks it.

It takes the worker's mark (`mark`) and the instance lock, starts the program with the lock as an
open descriptor, so that it is held as long as anything of either lives, writes down that it runs,
and answers. Then it waits, without polling, until nothing lives below it, and writes down how the
program ended and whatever ended after it. When healmon has granted it (`again`), it starts the
program once more instead, at once. A shim that is killed harms no worker: only its end will not be
written down.
"""

from __future__ import annotations

import _socket  # socket.py brings a megabyte of Python along
import ctypes
import os
import sys
import time

from healmon.world.programs import mark, signals
from healmon.world.programs.again import taken
from healmon.world.programs.begin import Failed, Order, start
from healmon.world.programs.records import (
    ENDS,
    START,
    Ends,
    Folder,
    identity,
    size_of,
    ticks_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

RETRY = 5.0
"""Seconds until a record is tried again that the disk refused."""
LINGER = 12
"""How often a shim tries so that has nothing left below it."""
REHEARSAL = b"\0".join(
    [
        b"0",
        b"0",
        b"",
        b"",
        b"/",
        b"/dev/null",
        b"/",
        b"-1",
        b"0",
        b"0",
        b"1",
        b"/",
        b"1",
        b"x",
        b"24",
    ]
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


def shim(line: _socket.socket, told: int, desk: _socket.socket | None = None) -> None:
    """Wait for an order, carry it out, stay until nothing is left below.

    Args:
        line: where orders come from.
        told: a pipe; a byte in it tells the nursery that an order was taken.
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
        place, pid = _begin(order, lambda: hung_up(asked))
    except Failed as failed:
        answer(desk, b"no %s %d\n" % (failed.step, failed.number))
        _tell(told)
        return
    # while nobody else waits, the next fork must not take the time of this start
    crowd = _waiting(line)
    line.close()
    if crowd:
        _tell(told)
    record = _record(order, own, pid)
    kept = place.folder.keep(START, record)
    answer(desk, record)
    desk.close()
    if not crowd:
        _tell(told)
    _Watch(order, place, own).watch(pid, None if kept else record)


def _tell(told: int) -> None:
    try:
        os.write(told, b"t")
    except OSError:
        return  # the nursery is gone: another will be had, and this start goes on
    finally:
        os.close(told)


def _record(order: Order, own: int, pid: int, more: bytes = b"") -> bytes:
    """Return what is written of a start: who runs now."""
    return b'{"number":%d,"shim":%s,"worker":%s,"wall":%.3f%s}\n' % (
        order.number,
        identity(order.boot, os.getpid(), own),
        identity(order.boot, pid, ticks_of(pid)),
        time.time(),
        more,
    )


def _rehearse() -> None:
    """Go through a start that fails: the first touch of a page after a fork costs a copy of it."""
    order = Order(REHEARSAL)
    try:
        start(order, 0, lambda: False)
    except Failed:
        _record(order, 0, os.getpid())


class _Place:
    """What is a worker's own: its folder, the lock in it, its mark on the host.

    Raises:
        Failed: another copy has one of them.
    """

    def __init__(self, order: Order) -> None:
        try:
            self.folder = Folder(order.folder)
            self.lock = self.folder.lock(order.patience)
        except OSError as error:
            raise Failed(b"lock", error.errno) from error
        try:
            self._mark = mark.hold(order.mark, order.user[0] if order.user else os.geteuid())
        except Failed:
            os.close(self.lock)
            raise

    def unmark(self) -> None:
        """Let the mark go: what is left below is not the worker any more."""
        if self._mark is not None:
            self._mark.close()
            self._mark = None

    def leave(self) -> None:
        """Let everything go."""
        self.unmark()
        os.close(self.lock)


def _begin(order: Order, late: Callable[[], bool]) -> tuple[_Place, int]:
    """Return its place, held, and the pid of the program, which runs.

    Raises:
        Failed: it does not, and nothing is left of it.
    """
    place = _Place(order)
    try:
        return place, _started(order, place.lock, late)
    except Failed:
        place.leave()
        raise


def _started(order: Order, lock: int, late: Callable[[], bool]) -> int:
    """Return the pid of the program, which runs; we are at home again.

    Raises:
        Failed: it does not, and nothing is left of it.
    """
    try:
        return start(order, lock, late)
    finally:
        os.chdir("/")
        os.umask(0o077)


class _Watch:
    """Writes down each end below a shim from its program's on, until nothing lives there.

    Args:
        order: what was started.
        place: where to write; is left when all is written.
        own: the shim's ticks.
    """

    def __init__(self, order: Order, place: _Place, own: int) -> None:
        self._order = order
        self._place = place
        self._folder = place.folder
        self._own = own
        self._ends = Ends(order.boot, place.folder)
        self._log = 0

    def watch(self, main: int, record: bytes | None) -> None:
        """Wait for ends.

        Args:
            main: pid of the program.
            record: of the start, when the disk has refused it.
        """
        ends, folder, over = self._ends, self._folder, False
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
            first = pid == main and not over
            again = self._again(pid, ticks, status) if first else 0
            over = not again and (over or pid == main)
            if again:
                line = ends.line(pid, ticks, status, usage, main=True)
                main, record = again, self._begun(again, line)
                ends.add(line)
                ends.renew()
            elif over:
                if not self._order.forks:
                    self._place.unmark()
                ends.add(ends.line(pid, ticks, status, usage, main=pid == main))
        self._place.leave()
        _linger(ends)

    def _again(self, pid: int, ticks: int, status: int) -> int:
        """Return the pid of the program, started again if that is granted; 0: it is not."""
        number = taken(self._folder, self._order, pid, ticks, status)
        if not number:
            return 0
        self._log = size_of(self._order.log)
        try:
            again = _started(self._order, self._place.lock, lambda: False)
        except Failed:
            return 0  # healmon will try, and tell why
        self._order.number = number
        return again

    def _begun(self, pid: int, former: bytes) -> bytes | None:
        """Write down that the program was started again; returns what the disk has refused."""
        # the end before it in the same breath: whoever sees the new one must know why
        more = b',"log_offset":%d,"former":%s' % (self._log, former)
        record = _record(self._order, self._own, pid, more)
        return None if self._folder.keep(START, record) else record


def _linger(ends: Ends) -> None:
    """Try for a while to bring to disk what it refused; the next worker may run by now."""
    for _ in range(LINGER):
        if ends.flush(beside=True):
            return
        time.sleep(RETRY)
