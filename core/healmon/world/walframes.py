"""Walks the frames of a SQLite -wal without SQLite: what it would keep and what it would drop.

SQLite takes over the frames up to the first that does not fit and forgets the rest without a word.
After a crash that is right: the rest was never committed. If commits follow the first bad frame,
the file is damaged, and opening the database would drop them; but for one whose writer was killed
before it told the index (-shm) of it, and over whose first frames another wrote since: nobody was
told that it is committed. Standard library only.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

HEADER: Final = 32
FRAME: Final = 24
_INDEX: Final = 48
_MAGIC: Final = {0x377F0682: "<", 0x377F0683: ">"}
_MASK: Final = 0xFFFFFFFF

Read = Callable[[int, int], bytes]
"""Length and offset to bytes, as `os.pread`."""


class Frames(NamedTuple):
    """What stands in a -wal.

    Attributes:
        valid: frames that fit, from the first on.
        kept: those of them that belong to a commit.
        lost: commits of the same generation at or behind the first frame that does not fit, but
            for the last one, if the index does not know it.
        header: the header is whole; without it SQLite takes over nothing.
    """

    valid: int
    kept: int
    lost: int
    header: bool = True


def walk(read: Read, size: int, index: bytes = b"") -> Frames:
    """Return what stands in a -wal of so many bytes.

    Args:
        read: reads it.
        size: of it.
        index: the -shm, if the machine has not been down since it was written; empty: not known.
    """
    head = read(HEADER, 0) if size >= HEADER else b""
    if len(head) < HEADER:
        return Frames(0, 0, 0)
    magic, _, page = struct.unpack_from(">III", head)
    order = _MAGIC.get(magic, "")
    sound = order and _plausible(page)
    if not sound or _checksum(head[:24], (0, 0), order) != struct.unpack_from(">II", head, 24):
        # nothing can be told from frames whose size and order are not known: is there any?
        return Frames(0, 0, int(size > HEADER + FRAME), header=False)
    return _walk(_frames(read, size, page), order, head, _committed(index, head[16:24]))


def pages(read: Read, size: int, count: int) -> Iterator[tuple[int, int]]:
    """Pass over the first frames of a -wal: the page of each, and where its content stands.

    Args:
        read: as for `walk`.
        size: of the file.
        count: how many frames; `walk` has found them whole.
    """
    (page,) = struct.unpack(">I", read(4, 8)) if count else (0,)
    step = FRAME + page
    for offset in range(HEADER, min(size - step + 1, HEADER + count * step), step):
        yield int.from_bytes(read(4, offset), "big"), offset + FRAME


def _plausible(page: int) -> bool:
    return 512 <= page <= 65536 and not page & (page - 1)


def _frames(read: Read, size: int, page: int) -> Iterator[bytes]:
    step = FRAME + page
    for offset in range(HEADER, size - step + 1, step):
        frame = read(step, offset)
        if len(frame) < step:
            return
        yield frame


def _committed(index: bytes, salts: bytes) -> int | None:
    """Return how many frames of this generation are committed by an index; None: it is no proof.

    One that was made anew out of the -wal, and has seen no commit since, tells of that only.
    """
    if len(index) < 2 * _INDEX or index[:_INDEX] != index[_INDEX : 2 * _INDEX]:
        return None
    change, initialized, frames = struct.unpack_from("=8xIB3xI", index)
    if _checksum(index[:40], (0, 0), "=") != struct.unpack_from("=II", index, 40):
        return None
    return frames if change and initialized and index[32:40] == salts else None


def _walk(frames: Iterator[bytes], order: str, head: bytes, committed: int | None) -> Frames:
    salts = head[16:24]
    running: tuple[int, int] = struct.unpack_from(">II", head, 24)
    valid = kept = lost = last = 0
    fits = True
    for number, frame in enumerate(frames, 1):
        commit = frame[4:8] != b"\0\0\0\0"
        ours = frame[8:16] == salts
        if fits and ours:
            running = _checksum(frame[FRAME:], _checksum(frame[:8], running, order), order)
            fits = running == struct.unpack_from(">II", frame, 16) and frame[:4] != b"\0\0\0\0"
        else:
            fits = False
        if fits:
            valid += 1
            kept = valid if commit else kept
        elif ours:
            lost += commit
            last = number if commit else 0  # no commit, if anything of the same comes behind it
    if committed is not None and lost == 1 and last > committed and kept >= committed:
        lost = 0
    return Frames(valid, kept, lost)


def _checksum(data: bytes, start: tuple[int, int], order: str) -> tuple[int, int]:
    first, second = start
    for one, other in struct.iter_unpack(f"{order}II", data):
        first = (first + one + second) & _MASK
        second = (second + other + first) & _MASK
    return first, second
