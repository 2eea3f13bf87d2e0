"""A program that speaks with one backup target, for `world.depotline`.

It gets orders on stdin, a line of JSON each, and answers on stdout, a line of JSON each. Content
follows as frames, each with its length before it. It is a process of its own so that a target that
hangs can be ended, so that its libraries cost the healer nothing, and because they must not be
used in a forked process. It touches no file of this machine but the keys that they read.

It ends when stdin does: an upload that is not complete then is given up, and is nowhere seen. The
kernel ends it when it has been silent for too long, so that it outlives nobody.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from healmon.config.depot import Depot, depot_of
from healmon.world.depotrecord import SUFFIX
from healmon.world.depotwords import DepotError, told

FRAME: Final = 4
"""Bytes of the length before a frame, the highest first; a length of 0 ends the content."""
PIECE: Final = 1 << 20
"""Bytes of content that one answer brings at most."""
SILENCE: Final = 3
"""So many times the patience may pass within one step before the kernel ends this."""

Order = dict[str, Any]


class Target(Protocol):
    """A backup target, open. Everything may raise `DepotError`."""

    def begun(self, key: str, size: int) -> int:
        """Return how many bytes of an object need not be sent again."""
        ...

    def find(self, key: str) -> tuple[int, str] | None:
        """Return the size of an object and what may be its MD5; None: it is not there."""
        ...

    def write(self, key: str, size: int, chunks: Iterator[bytes]) -> str:
        """Send an object, or the rest of it; returns what may be its MD5 as it was taken."""
        ...

    def staged(self, key: str) -> str:
        """Return the name under which an object stands before it is published."""
        ...

    def publish(self, key: str) -> None:
        """Give an object that was compared its name, where it does not have it yet."""
        ...

    def read(self, key: str) -> Iterator[bytes]:
        """Pass over the content of an object."""
        ...

    def remove(self, key: str) -> None:
        """Remove an object that is not what it should be, if that is allowed."""
        ...

    def listed(self, under: str) -> Iterator[tuple[str, int, float]]:
        """Pass over keys, sizes and the wall seconds of their coming."""
        ...

    def check(self) -> None:
        """Return when the target answers and knows us."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Whole(NamedTuple):
    """What an object must be: bytes, and digests in hexadecimal digits."""

    size: int
    md5: str
    sha256: str


class GivenUpError(Exception):
    """Whoever ordered it is gone, or wants it no more."""


class Child:
    """Carries out orders with one target.

    Args:
        target: what it speaks with.
        into: where orders come from.
        out: where answers go.
        patience: seconds after which a silent step is taken for dead.
    """

    def __init__(self, target: Target, into: int, out: int, patience: float) -> None:
        self._target = target
        self._into = os.fdopen(into, "rb", buffering=1 << 16)
        self._out = out
        self._alarm = max(1, round(patience * SILENCE))
        self._verbs: dict[str, Callable[[Order], None]] = {
            "save": self._save,
            "check": self._check,
            "list": self._list,
            "fetch": self._fetch,
        }

    def serve(self) -> None:
        """Carry out orders until there are no more."""
        while True:
            signal.alarm(0)
            line = self._into.readline()
            if not line:
                return
            self._stir()
            order = json.loads(line)
            try:
                self._verbs[order["verb"]](order)
            except DepotError as error:
                self.say("fault", fault=error.fault, text=error.text)
                if order["verb"] == "save":
                    # what was on its way of the file lies in the pipe still
                    return

    def say(self, word: str, **more: object) -> None:
        """Give an answer."""
        self._write(json.dumps({"word": word, **more}).encode() + b"\n")

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._out, left) :]
            self._stir()

    def _stir(self) -> None:
        signal.alarm(self._alarm)

    def _save(self, order: Order) -> None:
        key, size = order["key"], order["size"]
        whole = Whole(size, order["md5"], order["sha256"])
        if not self._holds(key, whole):
            begun = self._target.begun(key, size)
            self.say("send", at=begun)
            self._put(key, whole, self._chunks(size - begun))
        record = order["record"].encode()
        marks = hashlib.md5(record, usedforsecurity=False), hashlib.sha256(record)
        known = Whole(len(record), *(mark.hexdigest() for mark in marks))
        self._put(f"{key}{SUFFIX}", known, iter((record,)))
        self.say("saved")

    def _holds(self, key: str, whole: Whole) -> bool:
        """Return whether an object is there, whole and right."""
        found = self._target.find(key)
        if found is None or found[0] != whole.size:
            return False
        return found[1] == whole.md5 or self._digest(key) == whole.sha256

    def _put(self, key: str, whole: Whole, chunks: Iterator[bytes]) -> None:
        mark = self._target.write(key, whole.size, chunks)
        staged = self._target.staged(key)
        # a digest that the store made of all that it has is proof; anything else is read back
        if mark != whole.md5 and self._digest(staged) != whole.sha256:
            self._target.remove(staged)
            raise DepotError("damaged", "what was read back differs")
        self._target.publish(key)

    def _digest(self, key: str) -> str:
        seen = hashlib.sha256()
        for chunk in self._target.read(key):
            seen.update(chunk)
            self.say("busy")
        return seen.hexdigest()

    def _chunks(self, size: int) -> Iterator[bytes]:
        """Pass over the content that comes now; it must be exactly so long."""
        came = 0
        while True:
            self._stir()
            length = int.from_bytes(self._exactly(FRAME), "big")
            if not length:
                break
            came += length
            yield self._exactly(length)
        if came != size:
            raise GivenUpError

    def _exactly(self, length: int) -> bytes:
        data = self._into.read(length)
        if len(data) != length:
            raise GivenUpError
        return data

    def _check(self, _order: Order) -> None:
        self._target.check()
        self.say("fine")

    def _list(self, order: Order) -> None:
        for key, size, when in self._target.listed(order["under"]):
            self.say("entry", key=key, size=size, when=when)
        self.say("end")

    def _fetch(self, order: Order) -> None:
        for chunk in self._target.read(order["key"]):
            for at in range(0, len(chunk), PIECE):
                piece = chunk[at : at + PIECE]
                self.say("chunk", size=len(piece))
                self._write(piece)
        self.say("end")


def open_target(depot: Depot, patience: float) -> Target:
    """Return a target, open.

    Raises:
        DepotError: it cannot be opened.
    """
    try:
        if depot.scheme == "sftp":
            from healmon.world.depotsftp import SftpTarget  # noqa: PLC0415 - heavy

            return SftpTarget(depot, patience)
        from healmon.world.depotstore import StoreTarget  # noqa: PLC0415 - heavy

        return StoreTarget(depot, patience)
    except ImportError as error:
        raise DepotError("library", told(str(error))) from error


def main() -> None:
    """Open the target that the first line names, and serve."""
    into, out = os.dup(0), os.dup(1)
    # what libraries print is no answer
    os.dup2(2, 1)
    first = b""
    while not first.endswith(b"\n"):
        byte = os.read(into, 1)
        if not byte:
            return
        first += byte
    order = msgspec.json.decode(first, type=dict[str, Any])
    patience = float(order["patience"])
    signal.alarm(max(1, round(patience * SILENCE)))
    try:
        target = open_target(depot_of(order["url"]), patience)
    except (DepotError, ValueError) as error:
        fault, text = (
            (error.fault, error.text) if isinstance(error, DepotError) else ("failed", str(error))
        )
        os.write(out, json.dumps({"word": "fault", "fault": fault, "text": text}).encode() + b"\n")
        return
    child = Child(target, into, out, patience)
    child.say("ready")
    try:
        child.serve()
    except (GivenUpError, BrokenPipeError):
        sys.exit(1)
    finally:
        target.close()
