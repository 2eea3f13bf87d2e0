"""The system calls that the standard library lacks, with what stands in where they are missing.

`openat2` (Linux 5.6) is the only call that refuses links and mounts, bind mounts included, while
it opens; renameat2 the only rename that never replaces.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import struct
import threading
from pathlib import Path
from typing import Final

from healmon.world.farmounts import plain
from healmon.world.filedata import BLOCK, Inode

_OPENAT2: Final = 437
"""Its number; the same on every architecture but alpha."""
_NO_XDEV, _NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x01, 0x02, 0x04, 0x08
_NOREPLACE: Final = 1
_AT_FDCWD: Final = -100
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LATE: Final = frozenset({"xfs"})
"""File systems that free in the background what was removed, and syncfs(2) does not wait for it."""
_PAUSE, _LOOKS, _SAME = 0.05, 60, 4
"""It is waited until so many looks in a row, so many seconds apart, say the same; and how often."""
_TRIES: Final = 16
"""How often openat2 is asked again when renames elsewhere made it unsure (EAGAIN)."""

_HOW: Final = struct.Struct("=QQQ")
"""flags, mode and resolve of `struct open_how`."""


@functools.cache
def _libc() -> ctypes.CDLL:
    # a healer that cleans nothing does without ctypes
    return ctypes.CDLL(None, use_errno=True)


def _failed(name: str = "") -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), name)


def _openat2(directory: int, path: str, resolve: int) -> int:
    # without O_NOFOLLOW a link is told apart from what is no directory: ELOOP, not ENOTDIR
    how = _HOW.pack(_DIRECTORY & ~os.O_NOFOLLOW, 0, resolve)
    for _ in range(_TRIES):
        fd = _libc().syscall(
            ctypes.c_long(_OPENAT2),
            ctypes.c_int(directory),
            ctypes.c_char_p(os.fsencode(path)),
            ctypes.c_char_p(how),
            ctypes.c_size_t(_HOW.size),
        )
        if fd >= 0:
            return int(fd)
        if ctypes.get_errno() != errno.EAGAIN:
            break
    raise _failed(path)


@functools.cache
def has_openat2() -> bool:
    """Return whether this kernel has openat2 and lets us call it (old sandboxes do not)."""
    try:
        os.close(_openat2(_AT_FDCWD, "/", _NO_MAGICLINKS))
    except OSError:
        return False
    return True


def open_root(path: str) -> int:
    """Return a descriptor of a directory, no part of whose absolute path is a symbolic link.

    Raises:
        OSError: there is none (ENOENT, ENOTDIR), or a part of it is a link (ELOOP).
    """
    if has_openat2():
        return _openat2(_AT_FDCWD, path, _NO_SYMLINKS | _NO_MAGICLINKS)
    fd = os.open("/", _DIRECTORY)
    for part in (part for part in path.split("/") if part):
        above = fd
        try:
            fd = _not_a_link(part, above)
        finally:
            os.close(above)
    return fd


def open_directory(parent: int, name: str) -> int:
    """Return a descriptor of a directory right below another, on the same mount.

    Raises:
        OSError: it is a link (ELOOP), another mount (EXDEV), gone, or may not be read.
    """
    if has_openat2():
        return _openat2(parent, name, _BENEATH | _NO_SYMLINKS | _NO_MAGICLINKS | _NO_XDEV)
    fd = _not_a_link(name, parent)
    if mount_of(fd) != mount_of(parent):
        os.close(fd)
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)
    return fd


def _not_a_link(name: str, directory: int) -> int:
    if name in {".", ".."} or "/" in name:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), name)
    try:
        return os.open(name, _DIRECTORY, dir_fd=directory)
    except NotADirectoryError as error:
        # O_DIRECTORY is asked before O_NOFOLLOW: a link is "no directory" here
        try:
            os.readlink(name, dir_fd=directory)
        except OSError:
            raise error from None
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name) from error


def again(fd: int) -> int:
    """Return a new descriptor of the same directory, with a position and locks of its own."""
    return os.open(".", _DIRECTORY, dir_fd=fd)


def mount_of(fd: int) -> int:
    """Return the kernel's id of the mount that a descriptor is on (proc(5), fdinfo).

    Where /proc does not tell, every descriptor is on a mount of its own: a negative number.
    """
    try:
        told = Path(f"/proc/self/fdinfo/{fd}").read_text("ascii")
    except OSError:
        return -fd - 1
    for line in told.splitlines():
        key, _, value = line.partition(":")
        if key == "mnt_id":
            return int(value)
    return -fd - 1


def real_of(fd: int) -> str:
    """Return the path that a descriptor was opened by, without links; empty: it is not told."""
    try:
        return str(Path(f"/proc/self/fd/{fd}").readlink())
    except OSError:
        return ""


def kind_of(fd: int) -> str:
    """Return the type of file system below a descriptor (`ext4`, `nfs4`); empty: not known."""
    return seat_of(fd)[0]


def seat_of(fd: int) -> tuple[str, str]:
    """Return the type of file system below a descriptor, and where that is mounted.

    A byte that is not UTF-8 is a surrogate, as in all paths: no store takes that.
    """
    mount = mount_of(fd)
    try:
        table = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
    except OSError:
        return "", ""
    for line in table.splitlines():
        if line.startswith(f"{mount} "):
            return line.partition(" - ")[2].partition(" ")[0], plain(line.split(" ")[4])
    return "", ""


def put_back(source: int, name: str, target: int, old: str) -> None:
    """Rename a file out of a directory that only we can write in, never over anything.

    Raises:
        FileExistsError: the name is taken again.
        OSError: whatever else rename(2) says.
    """
    if hasattr(_libc(), "renameat2"):
        encoded = os.fsencode(name), os.fsencode(old)
        if not _libc().renameat2(source, encoded[0], target, encoded[1], _NOREPLACE):
            return
        error = _failed(name)
        if error.errno not in {errno.EINVAL, errno.ENOSYS}:
            raise error
    # where a file system cannot promise it: a second name is never made over an existing one
    os.link(name, old, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    os.unlink(name, dir_fd=source)


def sync(fd: int) -> None:
    """Let a file system finish what it has put off, the freeing of blocks among it."""
    _sync(fd)
    if kind_of(fd) not in _LATE:
        return
    # each question also urges it to go on
    free, same, pause = os.fstatvfs(fd).f_bfree, 0, threading.Event()
    for _ in range(_LOOKS):
        pause.wait(_PAUSE)
        before, free = free, os.fstatvfs(fd).f_bfree
        same = same + 1 if free == before else 0
        if same == _SAME:
            break


def _sync(fd: int) -> None:
    if not hasattr(_libc(), "syncfs") or _libc().syncfs(fd):
        os.sync()


def inode_of(st: os.stat_result) -> Inode:
    """Return what a stat said, as this program speaks of it."""
    return Inode(
        st.st_dev,
        st.st_ino,
        st.st_mode,
        st.st_nlink,
        st.st_blocks * BLOCK,
        st.st_size,
        st.st_mtime_ns,
        st.st_ctime_ns,
        st.st_atime_ns,
        st.st_uid,
    )


def unchanged(before: os.stat_result, now: os.stat_result) -> bool:
    """Return whether two stats are of the same file, to which nothing happened between them."""
    # as tuples they have what and whose it is, its size, and its times to the second (os.stat)
    return (
        before == now
        and before.st_ctime_ns == now.st_ctime_ns
        and before.st_mtime_ns == now.st_mtime_ns
        and before.st_atime_ns == now.st_atime_ns
        and before.st_blocks == now.st_blocks
    )
