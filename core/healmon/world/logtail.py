"""The end of a log that somebody else writes, without following any link. Touches nothing."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final, NamedTuple

from healmon.errors import ProbeError
from healmon.world import fileranges

BYTES: Final = 64 * 1024
"""What is read at most: enough for the lines that anybody looks at."""
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class LogEnd(NamedTuple):
    """The newest bytes of a log.

    Attributes:
        size: bytes that it has in all, what a trim has freed apart.
        written: wall seconds at which it was last written to.
        whole: the bytes are all there is; else the first line may be cut.
    """

    data: bytes
    size: int
    written: float
    whole: bool


def end_of(path: Path, most: int = BYTES) -> LogEnd | None:
    """Return the newest bytes of a log, `most` of them at most; None: there is none.

    Raises:
        ProbeError: it cannot be read, or is no plain file.
    """
    try:
        fd = os.open(path, _FLAGS)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ProbeError(f"the log cannot be read: {error.strerror}") from error
    try:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode):
            raise ProbeError("the log is no plain file: it is not read")
        begin = fileranges.data_from(fd) if facts.st_size else 0
        start = max(begin, facts.st_size - most)
        data = os.pread(fd, most, start)
        return LogEnd(data, facts.st_size - begin, facts.st_mtime, start == begin)
    except OSError as error:
        raise ProbeError(f"the log cannot be read: {error.strerror}") from error
    finally:
        os.close(fd)
