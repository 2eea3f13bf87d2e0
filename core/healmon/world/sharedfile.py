"""A file that others read while we write it anew, again and again: it is always a whole one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_shared(path: Path, text: str) -> None:
    """Write a file that everybody may read, in the place of the one before it.

    Its directory is not made: a missing one is a wrong path, or a mount that is not there. What is
    being written has a hidden name, which a kill leaves behind and the next write takes over.

    Raises:
        OSError: it cannot be written; the one before stays.
    """
    hidden = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        hidden.unlink()
    fd = os.open(hidden, _FLAGS, 0o644)
    try:
        with open(fd, "wb") as file:  # noqa: PTH123 - a descriptor
            os.fchmod(fd, 0o644)  # whatever our umask is: node_exporter is another user
            file.write(text.encode("utf-8", "replace"))
        hidden.replace(path)
    except BaseException:
        with suppress(OSError):
            hidden.unlink()
        raise
