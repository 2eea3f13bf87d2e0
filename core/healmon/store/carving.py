"""Rows out of a damaged database file, page by page, without SQLite.

A lost root or header hides every row from SQLite, while the leaves that hold them are still there.
Each page that looks like the leaf of a table is read for itself; what does not parse is passed
over. Whether a row is one of ours is told by its shape (`shape_of`): wrong rows are rarer than one
in ten thousand, so they are good enough for history and for nothing else. Pages of a -wal that
belong to a commit stand in for those of the database.

Format: sqlite.org/fileformat2.html, "B-tree Pages" and "Record Format".
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, NamedTuple, Self

from healmon.world.walframes import FRAME, HEADER, walk

Value = str | int | float | bytes | None
Table = Literal["events", "health_metrics", "health_alerts", "checkpoints"]

PAGE: Final = 4096
"""Bytes of a page where the header does not say."""
LONGEST: Final = 16 << 20
"""Bytes of one row; more is no row of ours."""
_LEAF: Final = 13
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}")
_EPOCH: Final = re.compile(rb"epoch([0-9a-f]{16})")
"""Key and value of `meta` as they stand in a page."""
_EARLY: Final = 64
"""Pages of a database among which the first rows of `meta` are."""
_SEVERITIES: Final = frozenset({"CRITICAL", "WARNING", "INFO"})


class Row(NamedTuple):
    """One row: `values[0]` is the id."""

    table: Table
    values: tuple[Value, ...]


class Carver:
    """A damaged database file with its -wal. Opens files by hand: no SQLite may have them open.

    Raises:
        OSError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._wal = -1
        self._newer: dict[int, int] = {}
        self._older: list[int] = []
        self._left: dict[int, int] = {}
        try:
            self._size = _page_size(os.pread(self._fd, 32, 0))
            self._open_wal(Path(f"{path}-wal"))
            held = os.fstat(self._fd).st_size
        except OSError:
            self.close()
            raise
        self._last = max([-(-held // self._size), *self._newer])
        self.pages = self._last + len(self._older)

    def _open_wal(self, path: Path) -> None:
        with suppress(FileNotFoundError):
            self._wal = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        if self._wal < 0:
            return
        size = os.fstat(self._wal).st_size
        if not os.fstat(self._fd).st_size:
            self._size = _page_size(bytes(16) + os.pread(self._wal, 4, 8)[2:])
        kept = walk(lambda length, offset: os.pread(self._wal, length, offset), size).kept
        for number in range(max(0, size - HEADER) // (FRAME + self._size)):
            offset = HEADER + number * (FRAME + self._size)
            (page,) = struct.unpack(">I", os.pread(self._wal, 4, offset))
            if number < kept:
                self._newer[page] = offset + FRAME
            else:
                self._older.append(offset + FRAME)
                self._left[page] = offset + FRAME

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files."""
        for fd in (self._fd, self._wal):
            if fd >= 0:
                os.close(fd)
        self._fd = self._wal = -1

    def page(self, number: int) -> bytes:
        """Return a page, from 1 on; shorter, or empty, where the file ends.

        Behind those of the database come what the -wal has left of the time before it was last
        begun anew: where the database was overwritten, nobody else has that.
        """
        if number > self._last:
            older = number - self._last
            if older > len(self._older):
                return b""
            return os.pread(self._wal, self._size, self._older[-older])
        if number in self._newer:
            return os.pread(self._wal, self._size, self._newer[number])
        found = os.pread(self._fd, self._size, (number - 1) * self._size)
        if len(found) < self._size and number in self._left:
            return os.pread(self._wal, self._size, self._left[number])
        return found

    def epochs(self) -> tuple[str, str]:
        """Return which stores the database and the -wal say that they are of; empty: none."""
        return (
            _epoch(os.pread(self._fd, self._size, n * self._size) for n in range(_EARLY)),
            _epoch(os.pread(self._wal, self._size, at) for at in self._newer.values()),
        )

    def rows(self, first: int, last: int) -> Iterator[Row]:
        """Pass over the rows of ours on some pages, `last` among them."""
        for number in range(first, min(last, self.pages) + 1):
            page = self.page(number)
            for rowid, record in self._cells(page, 100 if number == 1 else 0):
                values = _decoded(record)
                table = shape_of(values) if values else None
                if table is not None:
                    yield Row(table, (rowid, *values[1:]))

    def _cells(self, page: bytes, start: int) -> Iterator[tuple[int, bytes]]:
        if len(page) < self._size or page[start] != _LEAF:
            return
        (count,) = struct.unpack_from(">H", page, start + 3)
        if start + 8 + 2 * count > len(page):
            return
        for place in struct.unpack_from(f">{count}H", page, start + 8):
            with suppress(IndexError, struct.error, ValueError):
                length, at = _varint(page, place)
                rowid, at = _varint(page, at)
                if 0 < length <= LONGEST:
                    yield rowid, self._payload(page, at, length)

    def _payload(self, page: bytes, at: int, length: int) -> bytes:
        """Return a row's bytes, its overflow pages among them."""
        local = _local(length, self._size)
        found = bytearray(page[at : at + local])
        if local == length:
            return bytes(found)
        (following,) = struct.unpack_from(">I", page, at + local)
        while following and len(found) < length:
            more = self.page(following)
            (following,) = struct.unpack_from(">I", more, 0)
            found += more[4 : 4 + length - len(found)]
        if len(found) < length:
            raise ValueError("its overflow pages are lost")
        return bytes(found)


def _epoch(pages: Iterable[bytes]) -> str:
    return next((found[1].decode() for page in pages if (found := _EPOCH.search(page))), "")


def _page_size(header: bytes) -> int:
    if len(header) >= 18:
        (size,) = struct.unpack_from(">H", header, 16)
        size = 65536 if size == 1 else size
        if 512 <= size <= 65536 and not size & (size - 1):
            return size
    return PAGE


def _local(length: int, usable: int) -> int:
    """Return how many bytes of a row stand on its leaf itself."""
    if length <= usable - 35:
        return length
    least = (usable - 12) * 32 // 255 - 23
    most = least + (length - least) % (usable - 4)
    return most if most <= usable - 35 else least


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for number in range(9):
        byte = data[at + number]
        if number == 8:
            value = value << 8 | byte
            return value - (1 << 64) if value >> 63 else value, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + number + 1
    raise ValueError("no number")


def _decoded(record: bytes) -> tuple[Value, ...]:
    """Return the values of a record; none where it is no record."""
    values: list[Value] = []
    try:
        header, at = _varint(record, 0)
        place = header
        while at < header:
            kind, at = _varint(record, at)
            value, place = _value(record, kind, place)
            values.append(value)
    except (IndexError, struct.error, ValueError):
        return ()
    return tuple(values) if place == len(record) else ()


_WHOLE: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


def _value(record: bytes, kind: int, at: int) -> tuple[Value, int]:
    if kind == 0:
        return None, at
    if kind in {8, 9}:
        return kind - 8, at
    if kind == 7:
        return struct.unpack_from(">d", record, at)[0], at + 8
    length = _WHOLE.get(kind, (kind - 12) // 2 if kind >= 12 else -1)
    part = record[at : at + length] if length >= 0 else b""
    if length < 0 or len(part) < length:
        raise ValueError("no value")
    if kind < 12:
        return int.from_bytes(part, "big", signed=True), at + length
    return (part.decode() if kind & 1 else part), at + length


def shape_of(values: tuple[Value, ...]) -> Table | None:
    """Return the table that a row is of, by number, sorts and looks of its values; None: none."""
    kinds = "".join(
        "-" if value is None else "t" if isinstance(value, str) else "i" if isinstance(value, int)
        else "?"
        for value in values
    )  # fmt: skip
    for table, shape in _SHAPES:
        if len(kinds) == len(shape) and all(map(_fits, kinds, shape)) and _looks(table, values):
            return table
    return None


_SHAPES: Final[tuple[tuple[Table, str], ...]] = (
    # "-": the id, which stands beside the row; T, I: a text, a number; lower case: or nothing
    ("events", "-TTTTTi"),
    ("health_metrics", "-TTTttTti"),
    ("health_alerts", "-TTTTItTTITTtTTttttTIt"),
    ("health_alerts", "-TTTTItTTITTtTTttt"),  # as layout 1 wrote it: new columns touch no old row
    ("checkpoints", "-T"),
)


def _fits(kind: str, wanted: str) -> bool:
    return kind == wanted.lower() or (kind == "-" and wanted.islower()) or kind == wanted


def _looks(table: Table, values: tuple[Value, ...]) -> bool:
    first = values[1]
    if not isinstance(first, str):
        return False
    if table == "checkpoints":
        return first.startswith("{") and first.endswith("}")
    if not _TIME.fullmatch(first):
        return False
    if table == "events":
        payload = values[5]
        return values[4] in _SEVERITIES and isinstance(payload, str) and payload[:1] == "{"
    return table != "health_alerts" or values[2] in _SEVERITIES
