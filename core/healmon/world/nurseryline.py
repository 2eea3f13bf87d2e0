"""The line to the nursery: have a shim started, and never wait for it too long."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from healmon.clock import process_seconds
from healmon.errors import SpawnError
from healmon.world.standing import Standing

PROGRAM: Final = Path(__file__).parent / "programs" / "nursery.py"
DEADLINE: Final = 10.0
"""Seconds that one start may take; a program on a slow disk takes its time to be loaded."""
TRIES: Final = 3
"""How many nurseries an order is given to that nobody took."""
DYING: Final = 0.1
"""Seconds until a nursery counts as alive of which a shim in waiting died."""
GRACE: Final = 1.0
"""Seconds that a nursery may take to be gone."""


def frame(fields: Iterable[str | int | Iterable[str | int]]) -> bytes:
    """Return an order as it is sent: its length, then all parts; lists are counted.

    Args:
        fields: as `healmon.world.programs.begin.Order` reads them; without NUL characters.
    """
    parts: list[bytes] = []
    for one in fields:
        if isinstance(one, str | int):
            parts.append(os.fsencode(str(one)))
        else:
            several = [os.fsencode(str(part)) for part in one]
            parts += [b"%d" % len(several), *several]
    raw = b"\0".join(parts)
    return len(raw).to_bytes(8, "big") + raw


class _Nursery(Standing):
    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            super().__init__(PROGRAM, stdin=theirs.fileno())
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._line = ours

    def hand_over(self, desk: socket.socket, seconds: float) -> None:
        """Pass a desk on to the shim in waiting.

        Raises:
            OSError: nobody is there, or nobody takes it in time.
        """
        self._line.settimeout(max(0.001, seconds))
        socket.send_fds(self._line, [b"o"], [desk.fileno()])

    def hang_up(self) -> None:
        """Close the line, upon which it ends."""
        self._line.close()

    def kill(self) -> None:
        """End it at once; it may take a while to be gone when the kernel holds it."""
        self._line.close()
        super().kill()

    def gone(self, patience: float = 0.0) -> bool:
        """Return whether it has ended, waiting a little; then nothing of it is left."""
        ended = super().gone(patience)
        if ended:
            self._line.close()
        return ended


class NurseryLine:
    """Hands orders to one nursery, and replaces it when it dies or hangs. Safe from any thread.

    Args:
        deadline: seconds that one start may take.
    """

    def __init__(self, deadline: float = DEADLINE) -> None:
        self._deadline = deadline
        self._lock = threading.Lock()
        self._nursery: _Nursery | None = None
        self._leaving: list[_Nursery] = []
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The nursery's pid, for people; None while there is none."""
        nursery = self._nursery
        return None if nursery is None else nursery.pid

    def reap(self) -> None:
        """Take leave of a nursery that has died, so that it does not stay a zombie."""
        if self._lock.acquire(blocking=False):
            try:
                if self._nursery is not None and self._nursery.gone():
                    self._nursery = None
            finally:
                self._lock.release()

    def ask(self, order: bytes) -> bytes:
        """Return what the shim answers to an order from `frame`.

        An order that nobody has read was not begun, and goes to another nursery. One that was read
        and not answered may have been: it is not tried again.

        Raises:
            SpawnError: no answer; the host is to blame.
        """
        until = process_seconds() + self._deadline
        for _ in range(TRIES):
            try:
                return self._ask_once(order, until)
            except ConnectionError:
                self._take_leave()
            except TimeoutError:
                message = f"no shim has started it within {self._deadline:g} s"
                raise SpawnError(message, host_fault=True) from None
            except OSError as error:
                message = f"no shim can be had: {error.strerror}"
                raise SpawnError(message, host_fault=True) from error
        raise SpawnError("the nursery dies instead of starting shims", host_fault=True)

    def _ask_once(self, order: bytes, until: float) -> bytes:
        desk, theirs = socket.socketpair()
        with desk:
            with theirs:
                desk.settimeout(0.0)
                # what is there already needs no second wait for it
                sent = desk.send(order)
                nursery = self._hand_over(theirs, until)
            try:
                return _served(desk, order[sent:], until)
            except TimeoutError:
                with self._lock:
                    self._drop(nursery)
                raise

    def _hand_over(self, desk: socket.socket, until: float) -> _Nursery:
        with self._lock:
            if self._closed:
                raise SpawnError("the nursery has been sent away", host_fault=True)
            self._leaving = [one for one in self._leaving if not one.gone()]
            if self._nursery is not None and self._nursery.gone():
                self._nursery = None
            nursery = self._nursery = self._nursery or _Nursery()
            try:
                nursery.hand_over(desk, _left(until))
            except TimeoutError:
                self._drop(nursery)
                raise
            return nursery

    def _take_leave(self) -> None:
        """Give a nursery that is dying the moment it needs: the next order must not get it."""
        with self._lock:
            if self._nursery is not None and self._nursery.gone(DYING):
                self._nursery = None

    def _drop(self, nursery: _Nursery) -> None:
        """Have done with a nursery that hangs, unless somebody else had."""
        if nursery is self._nursery:
            self._nursery = None
            if not nursery.end(GRACE):
                self._leaving.append(nursery)

    def close(self) -> None:
        """Send the nursery away; returns when it is gone, or cannot be made to go."""
        with self._lock:
            self._closed = True
            nursery, self._nursery = self._nursery, None
            if nursery is not None:
                nursery.send_away(GRACE, GRACE)


def _served(desk: socket.socket, rest: bytes, until: float) -> bytes:
    """Return the answer to an order, the rest of which is still to be sent.

    Raises:
        ConnectionError: nobody has read the order, or not all of it.
        SpawnError: somebody has, and ended without an answer.
    """
    if rest:
        desk.settimeout(_left(until))
        desk.sendall(rest)
    answer = b""
    while not answer.endswith(b"\n"):
        desk.settimeout(_left(until))
        part = desk.recv(4096)  # a reset when what we sent was not read
        if not part:
            message = "the shim ended before it said whether the program runs"
            raise SpawnError(message, host_fault=True)
        answer += part
    return answer


def _left(until: float) -> float:
    # 0 would mean: do not wait at all
    return max(0.001, until - process_seconds())
