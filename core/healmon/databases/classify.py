"""What kind of thing a lock is, from the samples of one look. Pure.

| word | what was seen |
|---|---|
| `free` | nobody holds a lock that keeps others from writing |
| `busy` | somebody does, but holder, lock or commit marker change all the time |
| `working` | one holder, no commit, yet files grow or it uses CPU time |
| `stopped` | one holder, nothing moves, and it is stopped (SIGSTOP, Ctrl-Z) or traced |
| `io-wait` | nothing moves, and it waits in the kernel for a device |
| `idle-in-transaction` | nothing moves, and nothing keeps it from moving |
| `other-namespace`, `ofd-lock` | nothing moves, and the holder has no pid that can be named here |
| `dotfile-lock` | no lock of the kernel's, but the lock directory of SQLite's `unix-dotfile` |
| `leftover` | nobody has it open, and a -wal or hot journal of a crash is there |
| `reader-pins-wal` | `free` or `busy`, but one reader has kept a large -wal from shrinking |
"""

from __future__ import annotations

from healmon.databases.model import DatabaseSeen, Hold, Pin, Sample, VerdictWord
from healmon.world.dbreading import DatabaseReading

CPU_TICKS = 0.02
"""CPU seconds between two samples that count as work: two ticks; one may be chance."""
PINNED_FRAMES = 1000
"""Frames behind a reader from which it is worth a line: SQLite's own automatic checkpoint."""
WAL_LARGE = 64 << 20
WAL_FACTOR = 4
"""A -wal is large beyond so many bytes, or so many times its database."""


def hold_of(sample: Sample) -> Hold | None:
    """Return the write lock in this sample and what must stay the same for it to be the same."""
    reading = sample.reading
    if reading.writer is None:
        return None
    identity = sample.identity
    return Hold(
        pid=reading.writer.pid,
        boot=identity.boot if identity is not None else "",
        ticks=identity.ticks if identity is not None else 0,
        device=reading.device,
        inode=reading.inode,
        locks=reading.write_locks,
        marker=reading.marker,
    )


def same_hold(samples: tuple[Sample, ...]) -> bool:
    """Return whether one writer has held the same lock in all samples without a commit."""
    if not samples or samples[-1].reading.writer is None:
        return False
    return len({hold_of(sample) for sample in samples}) == 1


def stands_still(samples: tuple[Sample, ...]) -> bool:
    """Return whether one writer has held the same lock in all samples and no file has grown."""
    return same_hold(samples) and len({sample.reading.growth for sample in samples}) == 1


def waited_for(samples: tuple[Sample, ...]) -> tuple[int, ...]:
    """Return the readers that a commit waits for: with PENDING it has all but them behind it.

    Only the kernel's list tells them from the writer, so they must stand in it every time.
    """
    writer = samples[-1].reading.writer
    if writer is None or writer.name != "PENDING":
        return ()
    readers = [
        {lock.pid for lock in sample.reading.locks if lock.name == "SHARED"} for sample in samples
    ]
    return tuple(sorted(readers[0].intersection(*readers) - {writer.pid}))


def pins_of(reading: DatabaseReading) -> list[Pin]:
    """Return all readers that hold frames of a large -wal back, the worst first.

    They are those that F_GETLK named. One look proves little: readers that come and go have old
    marks, too.
    """
    if not is_large(reading):
        return []
    pins = [
        Pin(lock.pid, reading.marks[slot] if slot else 0, reading.copied, reading.frames)
        for lock in reading.locks
        for slot in range(len(reading.marks))
        if lock.exact and lock.name == f"WAL_READ{slot}"
    ]
    found = [pin for pin in pins if pin.held_back >= PINNED_FRAMES]
    return sorted(found, key=lambda pin: -pin.held_back)


def is_large(reading: DatabaseReading) -> bool:
    """Return whether a -wal has outgrown its database."""
    size = reading.wal.size if reading.wal is not None else 0
    return size > WAL_LARGE or size > WAL_FACTOR * reading.db.size


def classify(seen: DatabaseSeen) -> VerdictWord:
    """Return the word for one look at a database."""
    if seen.word:
        return "missing" if seen.word == "missing" else "cannot-look"
    if not same_hold(seen.samples):
        if any(sample.reading.writer for sample in seen.samples):
            return "busy"
        return _without_lock(seen)
    if not stands_still(seen.samples) or _cpu(seen.samples) >= CPU_TICKS:
        return "working"
    return _kind_of_stillness(seen.samples)


def _without_lock(seen: DatabaseSeen) -> VerdictWord:
    reading = seen.samples[-1].reading
    if reading.dotfile is not None and not reading.locks:
        return "dotfile-lock"
    # whoever has it open takes it over, or has just begun to write
    return "leftover" if reading.leftover is not None and not seen.others else "free"


def _kind_of_stillness(samples: tuple[Sample, ...]) -> VerdictWord:
    writer = samples[-1].reading.writer
    if writer is not None and writer.pid <= 0:
        # -1 is the kernel's word for an OFD lock; other negatives are other hosts' (NFS)
        return "ofd-lock" if writer.pid == -1 else "other-namespace"
    states = {sample.state for sample in samples}
    if states <= {"T", "t"}:
        return "stopped"
    return "io-wait" if states == {"D"} else "idle-in-transaction"


def _cpu(samples: tuple[Sample, ...]) -> float:
    return samples[-1].cpu - samples[0].cpu
