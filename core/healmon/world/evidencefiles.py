"""The door to stored evidence: small files of our own, for the eyes of one user only.

Each appears whole or not at all, and outlives a power cut. A disk that is full refuses the
evidence and nothing else: whoever asks is told, and goes on without.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from healmon.errors import HealmonError
from healmon.text import clean
from healmon.world import notes

FILE_LIMIT: Final = 512 * 1024
"""Bytes that one evidence may have."""
COUNT_LIMIT: Final = 500
TOTAL_LIMIT: Final = 64 * 1024 * 1024
"""How many are kept, and how many bytes of them: the oldest go first."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SUFFIX: Final = ".json"


class EvidenceError(HealmonError):
    """Evidence cannot be stored or read: the disk is full, the folder is somebody else's."""


class EvidenceFiles(Protocol):
    """Everything healmon does with stored evidence. Calls block for a moment."""

    def write(self, ident: str, data: bytes) -> None:
        """Store one evidence, instead of what was stored of it before.

        Raises:
            EvidenceError: it cannot be stored; what was stored before is still there.
        """
        ...

    def read(self, ident: str) -> bytes | None:
        """Return one stored evidence; None when there is none.

        Raises:
            EvidenceError: it is there and cannot be read.
        """
        ...

    def idents(self) -> tuple[str, ...]:
        """Return the ids of all stored evidence, the newest first; none when there is no folder."""
        ...

    def prune(self, before: float) -> None:
        """Remove what was last written before `before` (wall seconds), and what is too much."""
        ...


class SystemEvidenceFiles:
    """Evidence in a folder of its own.

    Args:
        folder: where; it is made when the first evidence is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, ident: str, data: bytes) -> None:
        """Store one evidence, whole or not at all, readable by this user only."""
        name = file_name(ident)
        if len(data) > FILE_LIMIT:
            raise EvidenceError(f"evidence {ident} has {len(data)} bytes, more than {FILE_LIMIT}")
        try:
            folder = self._open(make=True)
            try:
                _write(folder, name, data)
            finally:
                os.close(folder)
        except OSError as error:
            where = clean(str(self._folder), limit=300)
            raise EvidenceError(
                f"evidence cannot be stored in {where}: {error.strerror or error}",
                remedy="is the disk full, or the folder not healmon's own? its mode must be 0700",
            ) from error

    def read(self, ident: str) -> bytes | None:
        """Return one stored evidence; None when there is none."""
        name = file_name(ident)
        try:
            folder = self._open(make=False)
            try:
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                fd = os.open(name, flags, dir_fd=folder)
            finally:
                os.close(folder)
            with os.fdopen(fd, "rb") as file:
                return file.read(FILE_LIMIT)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise EvidenceError(f"evidence {ident} cannot be read: {error.strerror}") from error

    def idents(self) -> tuple[str, ...]:
        """Return the ids of all stored evidence, the newest first."""
        return tuple(name.removesuffix(_SUFFIX) for _, _, name in self._stored())

    def prune(self, before: float) -> None:
        """Remove what is too old, and the oldest of what is too much."""
        total = 0
        for number, (at, size, name) in enumerate(self._stored()):
            total += size
            if at < before or number >= COUNT_LIMIT or total > TOTAL_LIMIT:
                with suppress(OSError):
                    os.unlink(self._folder / name)  # noqa: PTH108 - the doors' own word for it

    def _stored(self) -> list[tuple[float, int, str]]:
        """Return when each file was written, its bytes and its name, the newest first."""
        found: list[tuple[float, int, str]] = []
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if not entry.name.endswith(_SUFFIX) or not entry.is_file(follow_symlinks=False):
                    continue
                with suppress(OSError):
                    facts = entry.stat(follow_symlinks=False)
                    found.append((facts.st_mtime, facts.st_size, entry.name))
        return sorted(found, reverse=True)

    def _open(self, *, make: bool) -> int:
        """Return a descriptor of the folder, which is ours alone.

        Raises:
            OSError: there is none, or it is not ours.
        """
        if make:
            notes.make_folder(self._folder)
        fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        facts = os.fstat(fd)
        if facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & 0o077:
            os.close(fd)
            raise PermissionError(0, "the folder is open to others")
        return fd


def _write(folder: int, name: str, data: bytes) -> None:
    fresh = f".{name}.new"
    with suppress(FileNotFoundError):
        os.unlink(fresh, dir_fd=folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(fresh, flags, 0o600, dir_fd=folder)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with suppress(OSError):
            os.unlink(fresh, dir_fd=folder)
        raise
    os.fsync(folder)


def file_name(ident: str) -> str:
    """Return the name of an evidence's file.

    Raises:
        EvidenceError: it is no id.
    """
    if not _NAME.fullmatch(ident):
        raise EvidenceError(f"{clean(ident, limit=80)} is no id of evidence")
    return f"{ident}{_SUFFIX}"
