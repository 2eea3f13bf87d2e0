"""The instance lock of a worker, looked at from outside: is it held, and by whom.

It is an open-file-description lock: it stays as long as one process has the descriptor that the
shim opened, and F_OFD_GETLK tells whether it is held without taking it, so that a look can never
turn away a shim that starts. (Trying `flock` just to see would, for that moment; `/proc/locks` is
not read at one instant, and names a file by device numbers that not every file system has.)
"""

from __future__ import annotations

import fcntl
import os
import struct
from typing import Final

from healmon.errors import ProbeError
from healmon.text import clean

NAME: Final = "instance.lock"
_FLOCK: Final = struct.Struct("hhqqi4x")
"""struct flock of 64-bit Linux: type, whence, start, length, pid (0 for these locks)."""


def held(path: str) -> bool:
    """Return whether somebody holds a lock on a file now; False when there is no such file.

    Raises:
        ProbeError: it cannot be told.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            found = _FLOCK.unpack(fcntl.fcntl(fd, fcntl.F_OFD_GETLK, asked))
        finally:
            os.close(fd)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ProbeError(f"{clean(path)}: {error.strerror}") from error
    return bool(found[0] != fcntl.F_UNLCK)
