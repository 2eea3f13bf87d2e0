"""What shims wrote into the folder of a worker, read by whoever comes later."""

from __future__ import annotations

from typing import Final

import msgspec

from healmon.errors import ProbeError
from healmon.text import clean
from healmon.world import notes
from healmon.world.processes import Identity
from healmon.world.shims import Grant, ShimEnd

START: Final = "shim.json"
ENDS: Final = "ends.jsonl"
GRANT: Final = "grant"


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


def begun(folder: str) -> Begun | None:
    """Return the newest start in a folder; None when there was none.

    Raises:
        ProbeError: there is a record, and it cannot be read.
    """
    path = f"{folder}/{START}"
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
    found: list[ShimEnd] = []
    for line in (notes.read_small(f"{folder}/{ENDS}") or b"").splitlines():
        try:
            found.append(msgspec.json.decode(line, type=ShimEnd))
        except msgspec.DecodeError:
            continue  # another version's
    return tuple(found)
