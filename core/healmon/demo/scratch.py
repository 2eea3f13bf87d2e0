"""The demo's directory with a budget: old logs, hostile names, a link, an open log.

Sizes are whole blocks of made-up bytes that do not compress, so that what a file says it has and
what it takes on the disk agree.
"""

from __future__ import annotations

import os
import random
from itertools import count
from pathlib import Path

from healmon.demo.layout import BUDGET

PIECE = 64 * 1024
AT_FIRST = 0.60
"""Share of the budget that is in use when a demo begins."""
FULL = 0.97
DAY = 86400.0
HOSTILE_NAMES = (
    b"new\nline.log.1",
    b"\x1b[31mred\x1b[0m.log.1",
    b"not-utf8-\xff\xfe.log.1",
    b"-rf.log.1",
    b"[bold red]markup[.log.1",
    "turned\u202egol.log.1".encode(),
    b"$(touch pwned);`id`.log.1",
    b" .log.1",
    b"x" * 240 + b".log.1",
)
PRECIOUS = "precious.txt"
"""What the symlink in the log directory points to, outside of it: it must outlive cleaning."""


def build(logs: Path, now_wall: float) -> None:
    """Fill a fresh log directory.

    Args:
        logs: the directory; it and its parents are made.
        now_wall: the wall clock; most files look weeks older.
    """
    logs.mkdir(parents=True)
    noise = random.Random(7)  # noqa: S311 - made-up bytes
    precious = logs.parent / PRECIOUS
    precious.write_text("what a link points to is not the link's to give\n")
    (logs / "link.log.1").symlink_to(Path("..") / PRECIOUS)
    (logs / "app.log").write_bytes(noise.randbytes(PIECE))
    _old(os.fsencode(logs / "still-open.log.1"), noise.randbytes(4 * PIECE), now_wall - 40 * DAY)
    for name in HOSTILE_NAMES:
        _old(os.fsencode(logs) + b"/" + name, noise.randbytes(4096), now_wall - 30 * DAY)
    (logs / "deep" / "er").mkdir(parents=True)
    for number in count(1):
        if used(logs) >= AT_FIRST * BUDGET:
            break
        folder = logs / "deep" / "er" if number % 5 == 0 else logs
        path = folder / f"app.log.{number}"
        _old(os.fsencode(path), noise.randbytes(PIECE), now_wall - (8 + number) * DAY)
    _old(os.fsencode(logs / "upload.tmp"), noise.randbytes(2 * PIECE), now_wall - 3 * DAY)


def fill(logs: Path, now_wall: float) -> int:
    """Write rotated logs until the budget is nearly used up; return how many bytes were written."""
    noise = random.Random(now_wall)  # noqa: S311 - made-up bytes
    written = 0
    goal = int(FULL * BUDGET)
    for number in count(1):
        missing = goal - used(logs)
        if missing < 4096:
            return written
        path = logs / f"burst-{int(now_wall * 1000)}.log.{number}"
        size = min(PIECE, missing // 4096 * 4096)
        _old(os.fsencode(path), noise.randbytes(size), now_wall - 10 * DAY)
        written += size
    return written


def used(logs: Path) -> int:
    """Return the bytes that a directory takes with everything below it."""
    total = 0
    for folder, _, names in os.walk(os.fsencode(logs)):
        for name in (b"", *names):
            try:
                status = os.lstat(folder + b"/" + name)
            except OSError:
                continue
            total += max(status.st_size, status.st_blocks * 512)
    return total


def _old(path: bytes, content: bytes, mtime: float) -> None:
    """Write a file and make it look old; names that this file system cannot hold are left out."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError:
        return
    with open(handle, "wb") as file:  # noqa: PTH123 - the name need not be text
        file.write(content)
    os.utime(path, (mtime, mtime))
