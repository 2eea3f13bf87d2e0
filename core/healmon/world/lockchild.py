"""A standing program that looks at SQLite files without SQLite, for `healmon.world.sqlite`.

Run as `python -I -S lockchild.py`: standard library only, imports nothing of healmon. It says
`ready`, then answers each line of JSON on stdin with one on stdout, and ends when stdin closes.

It is a process of its own because closing any descriptor of a file drops all POSIX locks that the
process has on it: in the monitor that would be the locks of every SQLite connection there. It
holds no lock, so it has none to drop. It opens for reading only and asks the kernel who holds a
range (F_GETLK), which takes nothing and changes nothing.

Paths travel as bytes in the guise of Latin-1, so that every file name survives JSON.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import struct
import sys
from typing import TypeAlias

Answer: TypeAlias = "dict[str, object]"
Held: TypeAlias = "list[tuple[str, int, bool]]"
"""Name of the lock, pid of its holder, whether it is exclusive."""

MAGIC = b"SQLite format 3\x00"
JOURNAL = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
PENDING = 0x40000000
SHARED, SHARED_SIZE = PENDING + 2, 510
WAL_BYTES = {
    "WAL_WRITE": 120, "WAL_CKPT": 121, "WAL_RECOVER": 122,
    "WAL_READ0": 123, "WAL_READ1": 124, "WAL_READ2": 125, "WAL_READ3": 126, "WAL_READ4": 127,
    "WAL_DMS": 128,
}  # fmt: skip

_FLOCK = struct.Struct("hhqqi4x")  # struct flock of 64-bit Linux
_WORDS = {
    errno.ENOENT: "missing",
    errno.ENOTDIR: "missing",
    errno.EACCES: "not-permitted",
    errno.EPERM: "not-permitted",
}


class Unfit(Exception):  # noqa: N818 - an answer, not a fault
    """The file is no database that can be looked at: a word for programs and a text for people."""


def open_quietly(path: bytes) -> int:
    """Return a descriptor for reading that leaves the access time alone where that is allowed."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    try:
        return os.open(path, flags | os.O_NOATIME)
    except PermissionError:
        # O_NOATIME is for owners only
        return os.open(path, flags)


def blocker(fd: int, kind: int, start: int, length: int = 1) -> tuple[int, bool] | None:
    """Return who would block such a lock: pid and whether it is exclusive; None when nobody."""
    asked = _FLOCK.pack(kind, os.SEEK_SET, start, length, 0)
    found, _, _, _, pid = _FLOCK.unpack(fcntl.fcntl(fd, fcntl.F_GETLK, asked))
    return None if found == fcntl.F_UNLCK else (pid, found == fcntl.F_WRLCK)


def database_locks(fd: int) -> Held:
    """Return the locks on the database file itself, one holder for each range."""
    # asking as a reader finds exclusive locks only: readers touch PENDING for an instant
    asks = (
        ("PENDING", fcntl.F_RDLCK, PENDING, 1),
        ("RESERVED", fcntl.F_RDLCK, PENDING + 1, 1),
        ("EXCLUSIVE", fcntl.F_RDLCK, SHARED, SHARED_SIZE),
    )
    held: Held = []
    for name, kind, start, length in asks:
        found = blocker(fd, kind, start, length)
        if found:
            held.append((name, *found))
    reader = blocker(fd, fcntl.F_WRLCK, SHARED, SHARED_SIZE)
    if reader and not reader[1]:
        held.append(("SHARED", *reader))
    return held


def wal_locks(fd: int) -> Held:
    """Return the locks on the bytes of the -shm file, one holder for each."""
    held: Held = []
    for name, byte in WAL_BYTES.items():
        found = blocker(fd, fcntl.F_WRLCK, byte)
        if found:
            held.append((name, *found))
    return held


def size_of(path: bytes) -> tuple[int, int] | None:
    """Return size and mtime in nanoseconds; None where there is no such file."""
    try:
        status = os.stat(path)  # noqa: PTH116 - pathlib knows no bytes
    except FileNotFoundError:
        return None
    return status.st_size, status.st_mtime_ns


def inode_of(path: bytes) -> int:
    """Return which file bears a name; 0 where there is none."""
    try:
        return os.stat(path).st_ino  # noqa: PTH116 - pathlib knows no bytes
    except FileNotFoundError:
        return 0


def directory_at(path: bytes) -> tuple[int, int] | None:
    """Return size and mtime of a directory; None where there is none."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    return (0, status.st_mtime_ns) if stat.S_ISDIR(status.st_mode) else None


def is_hot(path: bytes) -> bool:
    """Return whether a journal has a header: without one its transaction is over."""
    try:
        fd = open_quietly(path)
    except FileNotFoundError:
        return False
    try:
        return os.pread(fd, 8, 0) == JOURNAL
    finally:
        os.close(fd)


def filesystem_of(device: int) -> str:
    """Return the type of the mounted file system with this device number, or empty."""
    token = b"%d:%d" % (os.major(device), os.minor(device))
    with open("/proc/self/mountinfo", "rb") as mounts:  # noqa: PTH123 - a light program
        for line in mounts:
            fields = line.split()
            if fields[2] == token:
                return fields[fields.index(b"-") + 1].decode("latin-1")
    return ""


def look_inside(fd: int) -> Answer:
    """Return what the database file's header and locks say."""
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise Unfit("not-a-file", "it is no regular file")
    header = os.pread(fd, 100, 0)
    if not status.st_size:
        raise Unfit("empty", "it has 0 bytes: no database has been written to it yet")
    if not header.startswith(MAGIC) or len(header) < 100:
        raise Unfit("not-sqlite", "it is no SQLite database (its header says otherwise)")
    page = int.from_bytes(header[16:18], "big")
    return {
        "device": status.st_dev,
        "inode": status.st_ino,
        "links": status.st_nlink,
        "filesystem": filesystem_of(status.st_dev),
        "mode": "wal" if header[18] == 2 or header[19] == 2 else "rollback",
        "page_size": 65536 if page == 1 else page,
        "db": (status.st_size, status.st_mtime_ns),
        "change": int.from_bytes(header[24:28], "big"),
    }


def look_at_index(path: bytes) -> tuple[Answer, Held]:
    """Return what the wal-index (-shm) says, and its locks; nothing where there is none."""
    try:
        fd = open_quietly(path)
    except FileNotFoundError:
        return {}, []
    try:
        status = os.fstat(fd)
        raw = os.pread(fd, 120, 0).ljust(120, b"\0")
        found: Answer = {
            "shm": (status.st_size, status.st_mtime_ns),
            "shm_device": status.st_dev,
            "shm_inode": status.st_ino,
            "wal_change": int.from_bytes(raw[8:12], sys.byteorder),
            "frames": int.from_bytes(raw[16:20], sys.byteorder),
            "copied": int.from_bytes(raw[96:100], sys.byteorder),
            "marks": [int.from_bytes(raw[n : n + 4], sys.byteorder) for n in range(100, 120, 4)],
        }
        return found, wal_locks(fd)
    finally:
        os.close(fd)


def look(path: bytes) -> Answer:
    """Return everything that can be known of a database without opening it with SQLite.

    Raises:
        OSError: a file cannot be reached or read.
        Unfit: it is no SQLite database, or not yet one.
    """
    real = os.path.realpath(path)
    if not stat.S_ISREG(os.stat(real).st_mode):  # noqa: PTH116 - pathlib knows no bytes
        # opening a device or a pipe can do things; stat cannot
        raise Unfit("not-a-file", "it is no regular file")
    fd = open_quietly(real)
    try:
        answer = look_inside(fd)
        held = database_locks(fd)
    finally:
        os.close(fd)
    index, wal_held = look_at_index(real + b"-shm")
    return {
        **answer,
        **index,
        "path": real.decode("latin-1"),
        "wal": size_of(real + b"-wal"),
        "wal_inode": inode_of(real + b"-wal"),
        "journal": size_of(real + b"-journal"),
        "hot": is_hot(real + b"-journal"),
        "dotfile": directory_at(real + b".lock"),
        "locks": held + wal_held,
    }


def reply(line: bytes) -> Answer:
    """Return the answer to one question; a fault is an answer, too."""
    try:
        return look(json.loads(line)["path"].encode("latin-1"))
    except Unfit as unfit:
        word, text = unfit.args
        return {"error": word, "text": text}
    except OSError as error:
        word = _WORDS.get(error.errno or 0, "unreadable")
        beside = os.fsencode(error.filename or b"").rpartition(b"/")[2]
        where = f" ({beside.decode('utf-8', 'replace')})" if beside.endswith(b"-shm") else ""
        return {"error": word, "text": f"{error.strerror}{where}"}


def main() -> None:
    """Answer until nobody asks any more."""
    sys.stdout.buffer.write(b"ready\n")
    sys.stdout.buffer.flush()
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(json.dumps(reply(line)).encode("ascii") + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    try:
        main()
    except (BrokenPipeError, KeyboardInterrupt):
        os._exit(0)
