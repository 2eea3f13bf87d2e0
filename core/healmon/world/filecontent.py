"""The content of one open file: its digest, taken only as long as nobody else wants it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from healmon.world.filedata import Inode

CHUNK: Final = 1 << 20
"""Bytes that are read at once."""


class WantedError(Exception):
    """Somebody else has asked for the file meanwhile; it is left to them."""


def chunks(fd: int, undisturbed: Callable[[], bool], at: int = 0) -> Iterator[bytes]:
    """Pass over a file from a byte on, whatever the position of the descriptor.

    Raises:
        WantedError: it is wanted by somebody else.
        OSError: it cannot be read.
    """
    while chunk := os.pread(fd, CHUNK, at):
        if not undisturbed():
            raise WantedError
        at += len(chunk)
        yield chunk


def digest_of(fd: int, undisturbed: Callable[[], bool]) -> str:
    """Return the SHA-256 of a file in hexadecimal digits.

    Raises:
        WantedError: it is wanted by somebody else.
        OSError: it cannot be read.
    """
    found = hashlib.sha256()
    for chunk in chunks(fd, undisturbed):
        found.update(chunk)
    return found.hexdigest()


def untouch(fd: int, inode: Inode) -> None:
    """Give a file the times back that it had before it was read, as far as that is allowed."""
    with suppress(OSError):
        os.utime(fd, ns=(inode.accessed, inode.modified))


def write(fd: int, data: bytes) -> None:
    """Write all of it at the descriptor's position.

    Raises:
        OSError: it cannot be.
    """
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]
