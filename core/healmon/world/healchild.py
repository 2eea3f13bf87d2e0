"""A short-lived program that takes over what a crash left beside a SQLite database.

Run by `healmon.world.mending`, one for one database: it reads an order (one line of JSON) on stdin
and answers with one line. Standard library only. It is a process of its own because it opens a
watched database, because that may hang or, on a full disk, kill the process that does it.

The order of its steps is the remedy: fence off everybody, look whether the -wal is whole and was
written for this database, copy all that is there aside and onto the disk, and only then let SQLite
do what it would do anyway, while nobody can join. It may be killed at any point: what was committed
is there, or in the -wal still.
Nothing is ever removed here; SQLite itself removes what it has taken over.

Paths travel as bytes in the guise of Latin-1, so that every file name survives JSON.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sqlite3
import stat
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from functools import partial
from typing import Final, TypeAlias
from urllib.parse import quote

from healmon.world.dbpairing import misfit
from healmon.world.lockchild import PENDING, is_hot
from healmon.world.walframes import Frames, walk

Answer: TypeAlias = "dict[str, object]"

FENCE: Final = 512
"""PENDING, RESERVED and the SHARED range: SQLite's own EXCLUSIVE."""
SMALL: Final = 64 << 20
"""Bytes up to which the database itself is copied aside, too."""
MARGIN: Final = 4 << 20
"""Bytes that must stay free beside what is written."""
PATIENCE: Final = 2.0
"""Seconds for which SQLite waits for somebody who came meanwhile."""
FAULTS: Final = 20
"""Lines of a failed check that are told."""
_BESIDE: Final = (b"-wal", b"-shm", b"-journal")


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """Nothing was done to the database: a word for programs and a text for people."""


@contextmanager
def fenced(path: bytes) -> Generator[int]:
    """Keep everybody from the database; gives the one descriptor that may be read meanwhile.

    Granted only while nobody has a transaction or, in WAL mode, even a connection. Closing any
    other descriptor of the file in this process would end it.

    Raises:
        Refusal: somebody is there.
    """
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise Refusal("live", "it is no regular file any more")
        if status.st_nlink > 1:
            # taking over one -wal would leave the other to be mixed in
            raise Refusal("live", "it has several names: each may have a -wal of its own")
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, FENCE, PENDING)
        except (BlockingIOError, PermissionError) as error:
            raise Refusal("live", "somebody uses it") from error
        if os.path.lexists(path + b".lock"):
            raise Refusal("live", "it is locked by a directory (unix-dotfile)")
        yield fd
    finally:
        os.close(fd)


def print_of(path: bytes) -> list[int]:
    """Return what must stay the same: which file, and sizes and times of all that hold rows."""
    marks: list[int] = []
    for name in (path, path + b"-wal", path + b"-journal"):
        try:
            status = os.lstat(name)
        except FileNotFoundError:
            marks += [-1, -1]
            continue
        if name == path:
            marks += [status.st_dev, status.st_ino]
        marks += [status.st_size, status.st_mtime_ns]
    return marks


def insist(path: bytes, wanted: list[int]) -> None:
    """Return if everything is as it was.

    Raises:
        Refusal: it is not.
    """
    if print_of(path) != wanted:
        raise Refusal("live", "its files have changed since")


def inspect(path: bytes) -> Frames:
    """Return what stands in the -wal; nothing, where there is none."""
    try:
        fd = os.open(path + b"-wal", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return Frames(0, 0, 0)
    try:
        status = os.fstat(fd)
        read = partial(_pread, fd)
        frames = walk(read, status.st_size)
        if not frames.lost:
            return frames
        return walk(read, status.st_size, _index(path, status.st_mtime))
    finally:
        os.close(fd)


def _pread(fd: int, length: int, offset: int) -> bytes:
    return os.pread(fd, length, offset)


def _index(path: bytes, written: float) -> bytes:
    """Return the index of a -wal; nothing, where it may be older than that, or there is none.

    It is never brought onto the disk: what a machine that went down had of it in memory is lost.
    """
    from healmon.clock import SystemClock  # noqa: PLC0415 - what is whole does without it

    now = SystemClock().read()
    if written <= now.wall - now.boot:
        return b""
    try:
        fd = os.open(path + b"-shm", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return b""
    try:
        return os.pread(fd, 128, 0)
    finally:
        os.close(fd)


def must_fit(path: bytes, keep: bytes, *, copies: int) -> None:
    """Return if the disks have room for the copies, and for what SQLite will write.

    Raises:
        Refusal: one has not.
    """
    written = _size(path + b"-wal")
    needs = [(os.path.dirname(path), written + MARGIN), (keep, copies + MARGIN)]  # noqa: PTH120 - bytes
    if os.stat(needs[0][0]).st_dev == os.stat(keep).st_dev:  # noqa: PTH116 - bytes
        needs = [(keep, written + copies + MARGIN)]
    for folder, need in needs:
        room = os.statvfs(folder)
        free = room.f_bavail * room.f_frsize
        if free < need:
            where = folder.decode("utf-8", "replace")
            raise Refusal("full", f"{need} bytes are needed in {where}, {free} are free")


def _size(path: bytes) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - bytes
    except FileNotFoundError:
        return 0


def copy_aside(fd: int, path: bytes, folder: bytes) -> None:
    """Copy everything that is there, each file and then the folder onto the disk itself.

    Args:
        fd: the fence: a second descriptor of the database, closed, would end it.
        path: the database.
        folder: a new one.
    """
    name = path.rpartition(b"/")[2]
    if os.fstat(fd).st_size <= SMALL:
        _copy(fd, folder + b"/" + name)
    for end in _BESIDE:
        try:
            source = os.open(path + end, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue
        try:
            _copy(source, folder + b"/" + name + end)
        finally:
            os.close(source)
    _sync(folder)
    _sync(os.path.dirname(folder))  # noqa: PTH120 - bytes


def _copy(source: int, target: bytes) -> None:
    into = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        offset = 0
        while block := os.pread(source, 1 << 20, offset):
            written = 0
            while written < len(block):
                written += os.write(into, block[written:])
            offset += len(block)
        os.fsync(into)
    finally:
        os.close(into)


def _sync(folder: bytes) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def take_over(path: bytes) -> list[str]:
    """Let SQLite recover, roll back and checkpoint with nobody else there; returns its check.

    Exclusive mode before the first read keeps everybody out until the end, and the index of the
    -wal in this process's own memory: no full disk can kill it there.

    Raises:
        Refusal: somebody came meanwhile.
        sqlite3.Error: it cannot be done.
    """
    uri = f"file:{quote(path)}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None)) as conn:
        try:
            conn.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
            (mode,) = conn.execute("PRAGMA journal_mode").fetchone()
            conn.execute("SELECT count(*) FROM sqlite_master").fetchall()
            if mode == "wal":
                (busy, _, _) = conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                if busy:
                    raise Refusal("live", "somebody came while it was taken over")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise Refusal("live", "somebody came while it was taken over") from error
            raise
        rows = conn.execute(f"PRAGMA quick_check({FAULTS})").fetchall()
        return [str(row[0]) for row in rows]


def heal(path: bytes, folder: bytes, wanted: list[int]) -> Answer:
    """Take over what was left beside a database.

    Args:
        path: the database, all links followed.
        folder: where copies go; made here, its parent is there.
        wanted: what `print_of` must return; empty: whatever it is now.

    Raises:
        Refusal: nothing was done, and why.
        OSError: it failed; what was there is there still.
    """
    with fenced(path):
        found = print_of(path)
        if wanted and found != wanted:
            raise Refusal("live", "its files have changed since")
    # without the fence: a large one takes seconds, and an application may start meanwhile
    frames = inspect(path)
    size = _size(path)
    copies = sum(_size(path + end) for end in _BESIDE) + (size if size <= SMALL else 0)
    must_fit(path, os.path.dirname(folder), copies=copies)  # noqa: PTH120 - bytes
    hot = is_hot(path + b"-journal")
    why = misfit(path, frames, hot=hot)
    with fenced(path) as fd:
        insist(path, found)
        os.mkdir(folder, 0o700)  # noqa: PTH102 - bytes
        copy_aside(fd, path, folder)
    answer: Answer = {"frames": frames.kept, "hot": hot, "kept": folder.decode("latin-1")}
    if frames.lost:
        what = "its header is damaged" if not frames.header else f"frame {frames.valid + 1} is"
        text = f"the -wal is damaged ({what}): opening it would drop {frames.lost} commits or more"
        return {**answer, "word": "damaged", "text": text}
    if why:
        text = f"what lies beside it was not written for it ({why}): opening it would mix both"
        return {**answer, "word": "mispaired", "text": text}
    try:
        rows = take_over(path)
    except sqlite3.Error as error:
        return {**answer, "word": _word(error), "text": _told(error)}
    return {**answer, "word": "healed" if rows == ["ok"] else "corrupt", "check": rows}


def _word(error: sqlite3.Error) -> str:
    """Only these two say anything about the data; a full or failing disk does not."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return "full"
    return "corrupt" if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB} else "failed"


def _told(error: sqlite3.Error) -> str:
    return f"{error} ({getattr(error, 'sqlite_errorname', type(error).__name__)})"


def main() -> None:
    """Do what stdin orders and tell what came of it."""
    order = json.loads(sys.stdin.buffer.readline())
    path, folder = (order[key].encode("latin-1") for key in ("path", "folder"))
    try:
        answer = heal(path, folder, order.get("print", []))
    except Refusal as refusal:
        word, text = refusal.args
        answer = {"word": word, "text": text}
    except OSError as error:
        word = "full" if error.errno == errno.ENOSPC else "failed"
        answer = {"word": word, "text": str(error.strerror)}
    sys.stdout.buffer.write(json.dumps(answer).encode("ascii") + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
