"""The typed structs behind what this healer sees, says, remembers and orders."""

from __future__ import annotations

from typing import Literal

import msgspec

from healmon.world.processes import Identity
from healmon.world.sqlite import DatabaseReading

HEALER = "databases"
ACTION = "clear_database_lock"

VerdictWord = Literal[
    "free",
    "busy",
    "working",
    "idle-in-transaction",
    "stopped",
    "io-wait",
    "reader-pins-wal",
    "cannot-look",
    "missing",
    "other-namespace",
    "ofd-lock",
]


class Sample(msgspec.Struct, frozen=True):
    """One look at a database and at the process that F_GETLK named as its writer.

    Attributes:
        identity: the writer; None when nobody writes or it cannot be read.
        state: the kernel's letter for it, or empty.
        cpu: its CPU seconds so far.
    """

    reading: DatabaseReading
    identity: Identity | None = None
    state: str = ""
    cpu: float = 0.0


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A process that holds a lock, for people and for finding it again.

    Attributes:
        pid: as the kernel named it; 0 or negative when it cannot be named.
        identity: None when it cannot be read.
        barred: why healmon never touches it; empty: it may.
    """

    pid: int
    identity: Identity | None = None
    name: str = ""
    command: str = ""
    user: str = ""
    tty: str = ""
    cwd: str = ""
    started: float = 0.0
    barred: str = ""

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.name})" if self.name else f"pid {self.pid}"


class Pin(msgspec.Struct, frozen=True):
    """A reader that keeps frames of the -wal from being copied into the database.

    Attributes:
        mark: the last frame that it reads; later ones must wait for it.
        copied: frames copied so far.
        frames: all frames.
    """

    pid: int
    mark: int
    copied: int
    frames: int

    @property
    def held_back(self) -> int:
        """How many frames wait for this reader."""
        return self.frames - max(self.mark, self.copied)


class DatabaseSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One database in one look.

    Attributes:
        samples: oldest first; more than one only while a lock stands still.
        holder: who holds the write lock at the end, or else who pins the wal.
        pin: the reader that holds back most frames of a large -wal.
        word: why it could not be looked at, or empty.
        reason: the same for people.
        continued: steady seconds at which healmon last continued this holder, or None.
    """

    name: str
    samples: tuple[Sample, ...] = ()
    holder: Holder | None = None
    pin: Pin | None = None
    word: str = ""
    reason: str = ""
    continued: float | None = None


class Seen(msgspec.Struct, frozen=True):
    """All databases in one look."""

    databases: tuple[DatabaseSeen, ...]


class Baseline(msgspec.Struct, frozen=True):
    """What must not move while a lock stands still: files grow, CPU time passes."""

    growth: tuple[int, ...]
    cpu: float
    stopped: bool


class Hold(msgspec.Struct, frozen=True):
    """One lock held by one process since the last commit: equal holds are the same hold."""

    pid: int
    boot: str
    ticks: int
    device: int
    inode: int
    locks: tuple[str, ...]
    marker: tuple[int, ...]


class Still(msgspec.Struct, frozen=True):
    """Since when a hold makes no progress, in steady and in wall seconds."""

    since: float
    since_wall: float
    baseline: Baseline


class Continued(msgspec.Struct, frozen=True):
    """Which process healmon continued last, and when in steady seconds."""

    identity: Identity
    at: float


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of a database between looks; times are steady unless called wall."""

    hold: Hold | None = None
    since: float = 0.0
    since_wall: float = 0.0
    started: float = 0.0
    still: Still | None = None
    pin: Pin | None = None
    pin_since: float = 0.0
    continued: Continued | None = None


class Order(msgspec.Struct, frozen=True):
    """What `carry_out` must find again before it sends SIGCONT."""

    name: str
    path: str
    hold: Hold
    holder: Holder
    baseline: Baseline


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a screen shows of a database. Times are wall seconds, sizes bytes.

    Attributes:
        reason: why it cannot be looked at.
        locks: what the holder holds.
        waits_for: readers that keep the holder's commit waiting.
        since: when this hold was first seen.
        still_since: since when it makes no progress.
        why_not: why healmon does not act on the holder, for people; empty: it may, or need not.
        pinned: bytes of the -wal that a reader keeps from being copied.
        order: what `unlock` would do now, or None.
    """

    verdict: VerdictWord
    path: str
    reason: str = ""
    mode: str = ""
    size: int = 0
    wal_size: int = 0
    locks: tuple[str, ...] = ()
    holder: Holder | None = None
    waits_for: tuple[int, ...] = ()
    since: float | None = None
    still_since: float | None = None
    why_not: str = ""
    pinned: int = 0
    order: Order | None = None
