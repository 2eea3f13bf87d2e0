"""A copy of a file elsewhere, verified before the file may go.

In a directory it is made here; how it comes to other targets, `depots` knows.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Final

from healmon.config.depot import is_remote
from healmon.text import quoted
from healmon.world import filecalls, filecontent, packing
from healmon.world.depots import Depots, Going
from healmon.world.filedata import Inode
from healmon.world.manifest import Origin, line_of, record_of

MANIFEST: Final = "healmon-manifest"
"""Says of each copy where its file was, whose, and its digest: a JSON array a line."""
_LONGEST: Final = 200
"""Bytes of a path that stand in the name of a copy."""
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_APPEND: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


DEPOTS: Final = Depots()
"""What this process knows of the backup targets that are no directories."""


def save(place: str, going: Going, troubles: list[str]) -> str:
    """Copy a file; returns why there is no verified copy, or empty.

    Args:
        place: the backup target. A directory must be there, and no part of its path a link.
        going: the file.
        troubles: gets what a person should know of, in words, once.
    """
    if not is_remote(place):
        return _in_directory(place, going)
    reason = DEPOTS.save(place, going)
    trouble = DEPOTS.trouble(place)
    if reason and trouble and trouble not in troubles:
        troubles.append(trouble)
    return reason


def _in_directory(place: str, going: Going) -> str:
    try:
        directory = filecalls.open_root(place)
    except OSError:
        return "unsaved"
    try:
        return _saved(directory, going.path, going.fd, going.inode, going.undisturbed)
    except filecontent.WantedError:
        return "open"
    except OSError:
        return "unsaved"
    finally:
        os.close(directory)


def name_of(path: str, digest: str) -> str:
    """Return the name of a copy: the end of the path, and enough digits to tell contents apart."""
    return f"{quoted(path, safe='')[-_LONGEST:]}.{digest[:16]}"


def _saved(
    directory: int, path: str, fd: int, inode: Inode, undisturbed: Callable[[], bool]
) -> str:
    digest = filecontent.digest_of(fd, undisturbed)
    name = name_of(path, digest)
    if _verified(directory, name, digest):
        return ""  # a run that was killed had saved it
    out = os.open(".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=directory)
    try:
        for chunk in filecontent.chunks(fd, undisturbed):
            filecontent.write(out, chunk)
        packing.dress(out, os.fstat(fd))
        os.fsync(out)
        if filecontent.digest_of(out, lambda: True) != digest:
            return "unsaved"
        _listed(directory, name, path, fd, inode, digest)
        os.link(f"/proc/self/fd/{out}", name, dst_dir_fd=directory, follow_symlinks=True)
    finally:
        os.close(out)
    os.fsync(directory)
    return "" if _verified(directory, name, digest) else "unsaved"


def _listed(directory: int, name: str, path: str, fd: int, inode: Inode, digest: str) -> None:
    st = os.fstat(fd)
    record = record_of(Origin(name, path), "", inode, (st.st_uid, st.st_gid), digest)
    manifest = os.open(MANIFEST, _APPEND, 0o600, dir_fd=directory)
    try:
        filecontent.write(manifest, line_of(record))
        os.fsync(manifest)
    finally:
        os.close(manifest)


def _verified(directory: int, name: str, digest: str) -> bool:
    try:
        fd = os.open(name, _READ, dir_fd=directory)
    except OSError:
        return False
    try:
        regular = stat.S_ISREG(os.fstat(fd).st_mode)
        return regular and filecontent.digest_of(fd, lambda: True) == digest
    finally:
        os.close(fd)
