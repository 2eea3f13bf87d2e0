"""A new file that gets its name only when it is whole, and never takes another one's."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path


def write_new(path: Path, text: str) -> None:
    """Write a file for its owner's eyes; its directory is made if it is missing.

    Raises:
        FileExistsError: something bears the name; that stays as it is.
        OSError: it cannot be written; nothing is left.
    """
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from error
    hidden = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(hidden, flags, 0o600)
    try:
        with open(fd, "wb") as file:  # noqa: PTH123 - a descriptor
            file.write(text.encode("utf-8", "replace"))
            file.flush()
            os.fsync(file.fileno())
        # a link, unlike a rename, never takes the place of what is there
        os.link(hidden, path, follow_symlinks=False)
    finally:
        with suppress(OSError):
            hidden.unlink()
