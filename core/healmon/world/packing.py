"""A compressed twin beside a file, complete and verified before the file may go.

It is written without a name, read back, given the owner, mode and times of the file, and only then
named. A kill leaves the file, or both; the next run finds that the twin is right and goes on.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable
from typing import Final

from healmon.world import filecontent, squeezing
from healmon.world.filedata import BLOCK, Compression
from healmon.world.filewalk import Found
from healmon.world.squeezing import SUFFIXES

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def pack(
    found: Found, fd: int, undisturbed: Callable[[], bool], how: Compression = "gzip"
) -> tuple[str, int]:
    """Make the twin of a file; returns why there is none or empty, and the bytes that it holds.

    Args:
        found: the file.
        fd: its descriptor, claimed.
        undisturbed: says whether nobody else has asked for it meanwhile.
        how: gzip or zstd.
    """
    name = f"{found.name}{SUFFIXES[how]}"
    try:
        out = os.open(".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=found.directory)
    except OSError as error:
        return ("no room" if error.errno in _FULL else "not compressed"), 0
    try:
        digest = written(filecontent.chunks(fd, undisturbed), out, how)
        if content_of(out, how) != digest:
            return "not verified", 0
        held = os.fstat(out).st_blocks * BLOCK
        if held >= found.held:
            return "does not shrink", 0
        dress(out, os.fstat(fd))
        os.fsync(out)
        return _named(found, out, name, digest, how), held
    except filecontent.WantedError:
        return "open", 0
    except OSError as error:
        return ("no room" if error.errno in _FULL else "not compressed"), 0
    finally:
        os.close(out)


def written(plain: Iterable[bytes], out: int, how: Compression) -> str:
    """Write content compressed to a file, down to the disk; returns the digest of the plain one.

    Raises:
        WantedError: somebody else has asked for the file.
        OSError: it cannot be read or written.
    """
    digest, squeeze = hashlib.sha256(), squeezing.squeezer(how)
    for chunk in plain:
        digest.update(chunk)
        filecontent.write(out, squeeze.compress(chunk))
    filecontent.write(out, squeeze.flush())
    os.fsync(out)
    return digest.hexdigest()


def _named(found: Found, out: int, name: str, digest: str, how: Compression) -> str:
    try:
        os.link(f"/proc/self/fd/{out}", name, dst_dir_fd=found.directory, follow_symlinks=True)
    except FileExistsError:
        # a run that was killed here had made it; anything else of that name is not ours
        return "" if _same(found.directory, name, digest, how) else "name taken"
    os.fsync(found.directory)
    return ""


def _same(directory: int, name: str, digest: str, how: Compression) -> bool:
    try:
        fd = os.open(name, _READ, dir_fd=directory)
    except OSError:
        return False
    try:
        return stat.S_ISREG(os.fstat(fd).st_mode) and content_of(fd, how) == digest
    except OSError:
        return False
    finally:
        os.close(fd)


def content_of(fd: int, how: Compression = "gzip") -> str:
    """Return the SHA-256 of what a compressed file holds; empty when it is damaged or goes on."""
    digest = hashlib.sha256()
    try:
        for part in squeezing.expanded(filecontent.chunks(fd, lambda: True), how):
            digest.update(part)
    except filecontent.DamagedError:
        return ""
    return digest.hexdigest()


def dress(out: int, st: os.stat_result) -> None:
    """Give a new file the owner, mode and times of another.

    Raises:
        OSError: it may not be given away: then the other must stay.
    """
    here = os.fstat(out)
    if (here.st_uid, here.st_gid) != (st.st_uid, st.st_gid):
        os.fchown(out, st.st_uid, st.st_gid)
    os.fchmod(out, stat.S_IMODE(st.st_mode) & 0o777)
    os.utime(out, ns=(st.st_atime_ns, st.st_mtime_ns))
