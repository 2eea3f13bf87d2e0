"""Few names in a quarantine, through which all files leave that are removed.

The next file is renamed over the last one, which was looked at meanwhile: that one rename removes
the one and sets the other aside. Before a batch of files moves, it is written down which slot gets
which; what the batch before put there stays written down until every slot of it is used again. So
whenever a run is killed, what lies in a slot is either a file that was judged, or one that came
along instead of it, and then it is known from where.

    d.TOKEN.N    slot N of one sweep
    batch        the last two batches, each in a half of its own: CHECKSUM JSON
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import compress
from typing import Final, NamedTuple, cast

import msgspec

from healmon.clock import boot_id
from healmon.world.filedata import Inode
from healmon.world.filewalk import Found
from healmon.world.manifest import Origin

SIZE: Final = 32
"""How many files leave at once."""
NAME: Final = "batch"
_HALF: Final = 32_768
"""Bytes reserved for a batch: a full disk gives no more later."""
_MARK: Final = "d"


Facts = tuple[str, int, int, int]
"""The fields of a `Row`."""


class Row(NamedTuple):
    """The file that a slot gets: its name, and which file it is."""

    name: str
    number: int
    modified: int
    size: int

    def means(self, here: Inode) -> bool:
        """Return whether this is that file, and no other name of it is left."""
        facts = (here.number, here.modified, here.size)
        return facts == (self.number, self.modified, self.size) and here.links == 1


def facts_of(files: Iterable[Found]) -> list[Facts]:
    """Return the rows of files, as they are written down."""
    return [(one.name, (st := one.st).st_ino, st.st_mtime_ns, st.st_size) for one in files]


@dataclass(frozen=True, slots=True)
class Batch:
    """Files of one directory on their way out; the place in `rows` is the slot.

    Attributes:
        boot: the start of the machine within which it was written; after a loss of power, what
            was written down may be older than what was moved.
        token: names the slots.
        serial: which batch of its sweep it is.
        directory: absolute path, undecodable bytes as surrogates.
    """

    boot: str
    token: str
    serial: int
    directory: str
    rows: tuple[Row, ...]


def line_of(batch: Batch) -> bytes:
    """Return what is written down of a batch."""
    return _line(batch.boot, batch.token, batch.serial, batch.directory, batch.rows)


def _line(boot: str, token: str, serial: int, directory: str, rows: Sequence[Facts]) -> bytes:
    fields = (boot, token, serial, directory, rows)
    try:
        said = msgspec.json.encode(fields)
    except UnicodeEncodeError:  # a name that is no text: only the other one writes surrogates
        said = json.dumps(fields, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(said), said)


def read_line(line: bytes) -> Batch | None:
    """Return the batch that is written down; None when it is none, or not whole."""
    checksum, _, said = line.partition(b"\n")[0].partition(b" ")
    if checksum != b"%08x" % zlib.crc32(said):
        return None
    try:
        boot, token, serial, directory, rows = cast("tuple[str, str, int, str, list[list[object]]]",
                                                    json.loads(said))  # fmt: skip
        found = tuple(Row(*cast("tuple[str, int, int, int]", tuple(row))) for row in rows)
    except (ValueError, TypeError):
        return None
    return Batch(boot, token, serial, directory, found)


def place_of(name: str) -> tuple[str, int] | None:
    """Return the token and the number of a slot by its name; None: it is no slot."""
    mark, *fields = name.split(".")
    if mark != _MARK or len(fields) != 2 or not fields[1].isdecimal():
        return None
    return fields[0], int(fields[1])


def written(directory: int) -> list[Batch]:
    """Return what is written down in a quarantine, the newest batch first."""
    try:
        file = os.open(NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return []
    try:
        halves = [os.pread(file, _HALF, at) for at in (0, _HALF)]
    except OSError:
        return []
    finally:
        os.close(file)
    found = [batch for half in halves if (batch := read_line(half)) is not None]
    return sorted(found, key=lambda batch: batch.serial, reverse=True)


def forget(directory: int) -> None:
    """Forget what is written down in a quarantine."""
    with suppress(OSError):
        file = os.open(NAME, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        try:
            _wipe(file)
        finally:
            os.close(file)


def _wipe(file: int) -> None:
    with suppress(OSError):
        os.pwrite(file, b"\n", 0)
        os.pwrite(file, b"\n", _HALF)


def judged(batches: Sequence[Batch], name: str, here: Inode) -> bool:
    """Return whether what lies in a slot is a file that was to be removed."""
    token, number = place_of(name) or ("", 0)
    return any(
        batch.token == token and number < len(batch.rows) and batch.rows[number].means(here)
        for batch in batches
    )


def origin(batches: Sequence[Batch], name: str) -> Origin | None:
    """Return where what lies in a slot came from; None: it cannot be told."""
    token, number = place_of(name) or ("", 0)
    for batch in batches:
        if batch.token == token and batch.boot == boot_id() and number < len(batch.rows):
            return Origin(name, f"{batch.directory.rstrip('/')}/{batch.rows[number].name}")
    return None


class Slots:
    """The slots of one sweep.

    Args:
        directory: descriptor of a quarantine that is private; stays open.
        token: names them.

    Raises:
        OSError: there is no room to write batches down, or a run that was killed has left some.
    """

    def __init__(self, directory: int, token: str) -> None:
        if any(_left(directory, batch) for batch in written(directory)):
            raise FileExistsError(NAME)
        self._directory = directory
        self._token = token
        self._boot = boot_id()
        self._serial = 0
        self._used: set[int] = set()
        self._moved: set[int] = set()
        self.names = tuple(f"{_MARK}.{token}.{number}" for number in range(SIZE))
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(NAME, flags, 0o600, dir_fd=directory)
        try:
            os.posix_fallocate(self._file, 0, 2 * _HALF)
        except OSError:
            os.close(self._file)
            raise

    def intend(self, directory: str, rows: Sequence[Facts]) -> bool:
        """Write down what goes into the first slots next; returns whether it could be.

        Raises:
            OSError: what lies in a slot cannot be removed.
        """
        # a slot that this batch does not use would be forgotten by the next
        self._empty([number for number in self._used if number >= len(rows)])
        self._serial += 1
        line = _line(self._boot, self._token, self._serial, directory, rows)
        if len(line) > _HALF:
            return False
        try:
            return os.pwrite(self._file, line, self._serial % 2 * _HALF) == len(line)
        except OSError:
            return False

    def moved(self, numbers: Iterable[int]) -> None:
        """Say which slots have got files of the batch that nobody has looked at yet."""
        self._moved.update(numbers)
        self._used -= self._moved

    def took(self, filled: Sequence[bool]) -> None:
        """Say of each row of the batch whether its file lies in its slot now, looked at.

        Raises:
            OSError: what lies in a slot cannot be removed.
        """
        if not all(filled):
            self._empty([n for n in self._used if n < len(filled) and not filled[n]])
        self._used.update(compress(range(len(filled)), filled))
        self._moved.clear()

    def vacate(self, number: int) -> None:
        """Say that what lay in a slot is no longer there."""
        self._used.discard(number)
        self._moved.discard(number)

    def close(self) -> None:
        """Remove what lies in the slots and was looked at.

        What an error kept from being looked at stays, and stays written down for the next run.

        Raises:
            OSError: some of it cannot be.
        """
        try:
            self._empty(list(self._used))
            if not self._moved:
                _wipe(self._file)
        finally:
            os.close(self._file)

    def _empty(self, numbers: list[int]) -> None:
        for number in numbers:
            with suppress(FileNotFoundError):
                os.unlink(self.names[number], dir_fd=self._directory)
            self._used.discard(number)


def _left(directory: int, batch: Batch) -> bool:
    for number in range(len(batch.rows)):
        with suppress(OSError):
            name = f"{_MARK}.{batch.token}.{number}"
            os.stat(name, dir_fd=directory, follow_symlinks=False)
            return True
    return False
