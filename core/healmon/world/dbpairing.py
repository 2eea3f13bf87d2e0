"""Was this -wal or journal written for this database? SQLite does not ask.

A database that was put in the place of another one (a backup that was restored) may find the -wal
or the hot journal of the other beside it. SQLite takes it over all the same, and writes old pages
into it without a word. What tells is the counter in the header of a database, of which page 1 in
the -wal or in the journal has the next value; and that only a checkpoint, which leaves pages as
they stand in the -wal, writes to a database later than to its -wal. Standard library only.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import Final

from healmon.world.walframes import Frames, Read, pages

COUNTER: Final = 24
"""Where the counter stands in page 1: it grows with every transaction that changes that page."""
TOGETHER: Final = 1_000_000_000
"""Nanoseconds within which files that are copied together are made."""
JOURNAL: Final = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
_ALL: Final = 0xFFFFFFFF
"""Count of a journal that says: as many as there are."""


def misfit(path: bytes, frames: Frames, *, hot: bool, together: int = TOGETHER) -> str:
    """Return why what lies beside a database was not written for it; empty: nothing says so.

    Args:
        path: the database. It must not be locked by this process: it is opened and closed.
        frames: what stands in its -wal.
        hot: its journal is hot.
        together: nanoseconds within which no order of times says anything.
    """
    ends = [end for end, there in ((b"-wal", frames.kept), (b"-journal", hot)) if there]
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        for end in ends:
            beside = os.open(path + end, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                why = _wal(fd, beside, frames, together) if end == b"-wal" else _journal(fd, beside)
            finally:
                os.close(beside)
            if why:
                return why
        return ""
    finally:
        os.close(fd)


def _reader(fd: int) -> Read:
    return lambda length, offset: os.pread(fd, length, offset)


def _counter(page: bytes) -> int:
    return int.from_bytes(page[COUNTER : COUNTER + 4], "big")


def _wal(database: int, wal: int, frames: Frames, together: int) -> str:
    firsts: list[int] = []
    latest: dict[int, int] = {}
    for number, offset in pages(_reader(wal), os.fstat(wal).st_size, frames.kept):
        if number == 1:
            firsts.append(offset)
        latest[number] = offset
    if firsts and not _goes_on(database, wal, firsts):
        return "the counter in its header is not the one that its -wal goes on from"
    copied = (_is_copied(database, wal, *page) for page in sorted(latest.items()))
    if latest and _is_later(database, wal, together) and not any(copied):
        return "the database was written or moved there after its -wal, and not by a checkpoint"
    return ""


def _goes_on(database: int, wal: int, firsts: list[int]) -> bool:
    """Return whether page 1 is the one before the -wal, or one that a checkpoint took from it.

    A connection that writes twice without reading it anew gives the same number twice.
    """
    ours = _counter(os.pread(database, COUNTER + 4, 0))
    begun = _counter(os.pread(wal, COUNTER + 4, firsts[0]))
    if ours in {begun - 1, begun}:
        return True
    return any(_is_copied(database, wal, 1, offset) for offset in firsts)


def _is_copied(database: int, wal: int, number: int, offset: int) -> bool:
    """Return whether a page stands in the database as in a frame of the -wal."""
    (page,) = struct.unpack(">I", os.pread(wal, 4, 8))
    return os.pread(database, page, (number - 1) * page) == os.pread(wal, page, offset)


def _is_later(database: int, wal: int, together: int) -> bool:
    """Return whether a database was written, moved or named after the last that befell its -wal."""
    ours, beside = os.fstat(database), os.fstat(wal)
    written = ours.st_mtime_ns - beside.st_mtime_ns
    return max(written, ours.st_ctime_ns - beside.st_ctime_ns) > together


def _journal(database: int, journal: int) -> str:
    ours = _counter(os.pread(database, COUNTER + 4, 0))
    was = next((_counter(page) for number, page in _saved(journal) if number == 1), None)
    # the counter is written with the rest of the transaction, or has not been yet
    if was is None or ours in {was, was + 1}:
        return ""
    return f"its journal goes back to change {was}, the database is at {ours}"


def _saved(journal: int) -> Iterator[tuple[int, bytes]]:
    """Pass over the pages that the first part of a journal has saved."""
    head = os.pread(journal, 28, 0)
    if len(head) < 28 or not head.startswith(JOURNAL):
        return
    count, nonce, _, sector, page = struct.unpack_from(">5I", head, 8)
    if not 512 <= page <= 65536 or not 32 <= sector <= 65536:
        return
    size = os.fstat(journal).st_size
    step = page + 8
    count = min(count or _ALL, max(0, size - sector) // step)
    for n in range(count):
        record = os.pread(journal, step, sector + n * step)
        if len(record) < step:
            return
        number, content = int.from_bytes(record[:4], "big"), record[4:-4]
        said = int.from_bytes(record[-4:], "big")
        if (nonce + sum(content[page - 200 : 0 : -200])) & _ALL != said:
            return
        yield number, content
