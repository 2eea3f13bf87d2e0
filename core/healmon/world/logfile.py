"""A log that is set aside by size: what `logging.handlers` does, without loading all of them."""

from __future__ import annotations

import logging
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from io import TextIOWrapper


def _at_once(path: str, flags: int) -> int:
    """Open a file, or fail: nobody need read a pipe by that name, nor go on reading it."""
    return os.open(path, flags | os.O_NONBLOCK, 0o600)


class SetAside(logging.FileHandler):
    """Writes lines to a file; a full one becomes `NAME.1`, that one `NAME.2`, and so on.

    Its owner alone can read it, whatever the umask.

    Args:
        path: the file; it is made with the first line.
        size: bytes that it has at most; 0: it is never set aside.
        keep: how many of those set aside are kept; 0: it is never set aside.
    """

    def __init__(self, path: str, size: int, keep: int) -> None:
        super().__init__(path, encoding="utf-8", delay=True)
        self._size = size
        self._keep = keep

    def _open(self) -> TextIOWrapper:
        stream = open(self.baseFilename, "a", encoding="utf-8", opener=_at_once)  # noqa: SIM115 - as logging does
        os.fchmod(stream.fileno(), 0o600)
        return stream

    def close(self) -> None:
        """Close the file; what a pipe's reader left there is lost."""
        with suppress(OSError):
            super().close()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, to a new file if the old one has no room for it."""
        try:
            if self.stream is not None and not self._bears_the_name(self.stream):
                self._let_go()
            stream = self.stream = self.stream or self._open()
            if self._full(stream, record):
                self._set_aside()
        except Exception:  # noqa: BLE001 - as all handlers do: a log must stop nobody
            self.handleError(record)
            return
        super().emit(record)

    def _bears_the_name(self, stream: TextIOWrapper) -> bool:
        """Whether it is still the file of this name: somebody may rotate it, too, or remove it."""
        try:
            there, ours = os.stat(self.baseFilename), os.fstat(stream.fileno())  # noqa: PTH116 - two numbers
        except FileNotFoundError:
            return False
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)

    def _let_go(self) -> None:
        if self.stream is not None:
            self.stream.close()
        self.stream = None  # pyright: ignore[reportAttributeAccessIssue] - the next line opens it

    def _full(self, stream: TextIOWrapper, record: logging.LogRecord) -> bool:
        if not self._size or not self._keep:
            return False
        found = os.fstat(stream.fileno())
        line = f"{self.format(record)}{self.terminator}".encode("utf-8", "backslashreplace")
        # a pipe or a terminal by that name is not to be renamed
        return stat.S_ISREG(found.st_mode) and found.st_size + len(line) >= self._size

    def _set_aside(self) -> None:
        self._let_go()
        for number in range(self._keep - 1, 0, -1):
            with suppress(FileNotFoundError):
                self._rename(f".{number}", f".{number + 1}")
        with suppress(FileNotFoundError):
            self._rename("", ".1")

    def _rename(self, old: str, new: str) -> None:
        os.replace(self.baseFilename + old, self.baseFilename + new)  # noqa: PTH105 - names, not paths
