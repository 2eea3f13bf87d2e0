"""What shims wrote into the folder of a worker, read by whoever comes later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, NamedTuple, TypeVar

import msgspec

from healmon.clock import process_seconds
from healmon.errors import ProbeError
from healmon.text import clean
from healmon.world import notes
from healmon.world.processes import Identity
from healmon.world.shims import Grant, ShimEnd

_T = TypeVar("_T")
START: Final = "shim.json"
ENDS: Final = "ends.jsonl"
GRANT: Final = "grant"
SETTLED: Final = 2.0
"""Seconds after which whatever is written to a file gives it another mark."""


class Begun(msgspec.Struct, frozen=True):
    """`shim.json`: the newest start under a shim.

    Attributes:
        number: of the attempt.
        shim, worker: who they are.
        wall: when, in wall seconds.
        log_offset, former: see `healmon.world.shims.Shim`.
    """

    number: int
    shim: Identity
    worker: Identity
    wall: float
    log_offset: int = 0
    former: ShimEnd | None = None


class _Read(NamedTuple, Generic[_T]):
    """A file as it was read last.

    Attributes:
        mark: its, right before.
        since: process seconds since when it has had that mark, as far as is known.
        at: process seconds of the reading.
    """

    mark: notes.Mark
    since: float
    at: float
    said: _T


_STARTS: Final[dict[str, _Read[Begun | None]]] = {}
_ENDS: Final[dict[str, _Read[tuple[ShimEnd, ...]]]] = {}


def _same(path: str, known: dict[str, _Read[_T]], read: Callable[[str], _T], none: _T) -> _T:
    """Return what a file says, `none` where there is none; not read again while it is the same.

    What was read when its mark was young may have been written again under that mark.
    """
    mark = notes.mark_of(path)
    if mark == notes.ABSENT:
        known.pop(path, None)
        return none
    now = process_seconds()
    before = known.get(path)
    if mark is None:
        known.pop(path, None)
        return read(path)
    if before is None or before.mark != mark:
        since = now
    elif before.at - before.since >= SETTLED:
        return before.said
    else:
        since = before.since
    said = read(path)
    known[path] = _Read(mark, since, now, said)
    return said


def begun(folder: str) -> Begun | None:
    """Return the newest start in a folder; None when there was none.

    Raises:
        ProbeError: there is a record, and it cannot be read.
    """
    return _same(f"{folder}/{START}", _STARTS, _begun, None)


def _begun(path: str) -> Begun | None:
    data = notes.read_small(path)
    if data is None:
        return None
    try:
        return msgspec.json.decode(data, type=Begun)
    except msgspec.DecodeError as error:
        raise ProbeError(f"{clean(path)}: {error}") from error


def grant(folder: str, giver: Identity, given: Grant, digest: str) -> None:
    """Write down what a shim may do by itself, as `healmon.world.programs.again` reads it.

    Raises:
        OSError: it cannot be written.
    """
    but = ",".join(map(str, given.but)) or "-"
    who = (giver.pid, giver.ticks, given.worker.pid, given.worker.ticks)
    words = (*who, given.order.number, digest, but)
    notes.write_record(f"{folder}/{GRANT}", " ".join(map(str, words)).encode("ascii"))


def ends(folder: str) -> tuple[ShimEnd, ...]:
    """Return the newest ends in a folder, oldest first; lines that cannot be read are left out.

    Raises:
        ProbeError: there is a record, and it cannot be read.
    """
    return _same(f"{folder}/{ENDS}", _ENDS, _ends, ())


def _ends(path: str) -> tuple[ShimEnd, ...]:
    found: list[ShimEnd] = []
    for line in (notes.read_small(path) or b"").splitlines():
        try:
            found.append(msgspec.json.decode(line, type=ShimEnd))
        except msgspec.DecodeError:
            continue  # another version's
    return tuple(found)
