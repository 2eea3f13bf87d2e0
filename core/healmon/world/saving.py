"""A copy of a file elsewhere, verified before the file may go.

In a directory it is made here; how it comes to other targets, `depots` knows.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from typing import Final

from healmon.config.depot import is_remote
from healmon.text import clean, quoted
from healmon.world import filecalls, filecontent, packing
from healmon.world.depots import Depots, Going
from healmon.world.filedata import Inode
from healmon.world.manifest import Origin, line_of, record_of

MANIFEST: Final = "healmon-manifest"
"""Says of each copy where its file was, whose, and its digest: a JSON array a line."""
_LONGEST: Final = 200
"""Bytes of a path that stand in the name of a copy."""
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_APPEND: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


DEPOTS: Final = Depots()
"""What this process knows of the backup targets that are no directories."""


def save(place: str, going: Going, troubles: list[str], *, apart: bool = False) -> str:
    """Copy a file; returns why there is no verified copy, or empty.

    Args:
        place: the backup target. A directory must be there, and no part of its path a link.
        going: the file.
        troubles: gets what a person should know of, in words, once.
        apart: the copy must be on another file system, as this one is full.
    """
    if is_remote(place):
        reason = DEPOTS.save(place, going)
        trouble = DEPOTS.trouble(place)
    else:
        reason, trouble = _in_directory(place, going, apart=apart)
    if reason and trouble and trouble not in troubles:
        troubles.append(trouble)
    return reason


def _in_directory(place: str, going: Going, *, apart: bool) -> tuple[str, str]:
    try:
        directory = filecalls.open_root(place)
    except OSError:
        return "unsaved", ""
    try:
        if apart and os.fstat(directory).st_dev == going.inode.device:
            # most often the mount point of what is not mounted now: copies would be hidden there
            where = f"backup {clean(place)} is on the file system that is full"
            return "unsaved", f"{where}: a copy there frees nothing (is it mounted?)"
        return _saved(directory, going.path, going.fd, going.inode, going.undisturbed), ""
    except filecontent.WantedError:
        return "open", ""
    except OSError:
        return "unsaved", ""
    finally:
        os.close(directory)


def name_of(path: str, digest: str) -> str:
    """Return the name of a copy: the path, and enough digits to tell contents apart.

    Of a long path it has the end, and digits that tell it from others with the same end: what
    they hold may be the same, but each has to be written down.
    """
    told = quoted(path, safe="")
    if len(told) > _LONGEST:
        told = f"{told[-_LONGEST:]}.{hashlib.sha256(os.fsencode(path)).hexdigest()[:16]}"
    return f"{told}.{digest[:16]}"


def _saved(
    directory: int, path: str, fd: int, inode: Inode, undisturbed: Callable[[], bool]
) -> str:
    digest = filecontent.digest_of(fd, undisturbed)
    name = name_of(path, digest)
    if _verified(directory, name, digest):
        os.fsync(directory)
        return ""  # a run that was killed had saved it, maybe not onto the disk
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
        size = os.fstat(manifest).st_size
        # a full disk cut the last line short: it spoils only itself
        begin = b"\n" if size and os.pread(manifest, 1, size - 1) != b"\n" else b""
        filecontent.write(manifest, begin + line_of(record))
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
