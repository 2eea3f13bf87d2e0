"""The content of one open file: its digest, taken only as long as nobody else wants it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final

from healmon.world.filedata import FOREVER, Inode

CHUNK: Final = 1 << 20
"""Bytes that are read at once."""


class WantedError(Exception):
    """Somebody else has asked for the file meanwhile; it is left to them."""


class DamagedError(OSError):
    """What was to be a compressed stream is damaged, cut short, or goes on behind its end."""


def chunks(
    fd: int, undisturbed: Callable[[], bool], start: int = 0, end: int = FOREVER
) -> Iterator[bytes]:
    """Pass over a file or a part of it, whatever the position of the descriptor.

    Args:
        fd: its descriptor.
        undisturbed: asked before each part is given.
        start: the first byte that is wanted.
        end: the first that is not.

    Raises:
        WantedError: it is wanted by somebody else.
        OSError: it cannot be read.
    """
    at = start
    while chunk := os.pread(fd, min(CHUNK, end - at), at):
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
    return digest_of_chunks(chunks(fd, undisturbed))


def digest_of_chunks(parts: Iterable[bytes]) -> str:
    """Return the SHA-256 of a content in hexadecimal digits."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
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
