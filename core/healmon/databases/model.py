"""The typed structs behind what this healer sees, says, remembers and orders."""

from __future__ import annotations

from typing import Literal

import msgspec

from healmon.world.dbreading import DatabaseReading, User
from healmon.world.processes import Identity

HEALER = "databases"
ACTION = "clear_database_lock"
HEAL = "heal_database"
UNPIN = "end_database_reader"
"""Taking over what a crash left, or ending a reader, clears no lock: neither counts as one."""

MOVING = frozenset("SRI")
"""States of a process that nothing keeps from moving: not stopped, not waiting for its storage."""

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
    "dotfile-lock",
    "leftover",
]
Deed = Literal["continue", "end", "unpin", "heal", "rollback", "rmdir"]
"""What an order is about: SIGCONT; SIGTERM and SIGKILL to a writer, or to a reader that pins the
-wal; taking over what a crash left; typing ROLLBACK into a shell; removing the lock directory of a
dead `unix-dotfile` user."""
ENDING: frozenset[Deed] = frozenset({"end", "unpin"})
"""What ends a process."""


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
        pane: the tmux pane it runs in, for people.
        sqlite: version of its SQLite library; empty: unknown.
        worker: the worker of healmon's that it is, or belongs to; empty: none.
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
    pane: str = ""
    sqlite: str = ""
    worker: str = ""
    barred: str = ""

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.name})" if self.name else f"pid {self.pid}"


class Pin(msgspec.Struct, frozen=True):
    """A reader that keeps frames of the -wal from being copied into the database.

    Attributes:
        mark: the last frame that it reads; later ones must wait for it.
        copied: frames copied so far.
        frames: all frames.
        identity: None when it cannot be read.
        state: the kernel's letter for it, or empty.
        cpu: its CPU seconds so far.
    """

    pid: int
    mark: int
    copied: int
    frames: int
    identity: Identity | None = None
    state: str = ""
    cpu: float = 0.0

    @property
    def held_back(self) -> int:
        """How many frames wait for this reader."""
        return self.frames - max(self.mark, self.copied)


class Refusal(msgspec.Struct, frozen=True):
    """Leftovers that were not taken over, or a database that is ill.

    Attributes:
        mark: what its files were like; it holds as long as they stay so.
        word: `damaged`, `mispaired` or `corrupt`: never again; `full` or `failed`: later again.
        text: why, for people.
        kept: where everything was copied to.
    """

    mark: tuple[int, ...]
    word: str
    text: str
    kept: str = ""


class Acted(msgspec.Struct, frozen=True):
    """On which process healmon acted last, and when in steady seconds."""

    identity: Identity
    at: float
    deed: Deed = "continue"


class Deeds(msgspec.Struct, frozen=True):
    """What an act says of itself, for the looks after it: the details of a finished action.

    Attributes:
        acted: on whom it acted.
        refused: what it did not take over.
    """

    acted: Acted | None = None
    refused: Refusal | None = None


class DatabaseSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One database in one look.

    Attributes:
        samples: oldest first; more than one only while a lock stands still.
        holder: who holds the write lock at the end, or else who pins the wal.
        pin: the reader that holds back most frames of a large -wal.
        word: why it could not be looked at, or empty.
        reason: the same for people.
        users: who else has its files open; looked for only when something is wrong.
        all_seen: every process could be looked into for that.
        acted: what healmon last did to this holder, or None.
        refused: what came of the last try to take over leftovers, if they were left.
        paused: steady moment until which nothing is tried again there: an act has just come to
            nothing; 0.0: none has, or that is over.
    """

    name: str
    samples: tuple[Sample, ...] = ()
    holder: Holder | None = None
    pin: Pin | None = None
    word: str = ""
    reason: str = ""
    users: tuple[User, ...] = ()
    all_seen: bool = False
    acted: Acted | None = None
    refused: Refusal | None = None
    paused: float = 0.0

    @property
    def deleted(self) -> tuple[int, ...]:
        """Who writes into a file of this name that was deleted: that is lost."""
        gone = [user for user in self.users if user.deleted and user.writes]
        pids = {user.pid for user in gone if user.file in {"", "-wal"}}
        return tuple(sorted(pids))

    @property
    def others(self) -> tuple[int, ...]:
        """Who else has the database itself open: some of them may wait for the lock."""
        holder = self.holder.pid if self.holder is not None else 0
        pids = {user.pid for user in self.users if not user.deleted and user.file != "-shm"}
        return tuple(sorted(pids - {holder}))


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


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of a database between looks; times are steady unless called wall.

    Attributes:
        pin: the reader as it was when it pinned first, or showed life last.
        pin_idle: since when it shows none.
        heard: wall seconds of the newest finished act whose deeds were taken in, while it is young.
        paused: until when nothing is tried again, as in `DatabaseSeen`: whoever follows waits, too.
    """

    hold: Hold | None = None
    since: float = 0.0
    since_wall: float = 0.0
    started: float = 0.0
    still: Still | None = None
    pin: Pin | None = None
    pin_since: float = 0.0
    pin_idle: float = 0.0
    acted: Acted | None = None
    left: tuple[int, ...] = ()
    left_since: float = 0.0
    refused: Refusal | None = None
    heard: float = 0.0
    paused: float = 0.0


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What `carry_out` must find again before it acts.

    Attributes:
        slack: CPU seconds that may have passed since the baseline without being work.
        mark: for leftovers what their files must be like, for a lock directory its mtime, for a
            reader which file it is about.
        pin: the reader, and what it pins.
    """

    name: str
    path: str
    deed: Deed = "continue"
    hold: Hold | None = None
    holder: Holder | None = None
    baseline: Baseline | None = None
    slack: float = 0.0
    mark: tuple[int, ...] = ()
    pin: Pin | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a screen shows of a database. Times are wall seconds, sizes bytes.

    Attributes:
        reason: why it cannot be looked at.
        device: number of the file system that it is on; 0: not known.
        locks: what the holder holds.
        waits_for: readers that keep the holder's commit waiting.
        since: when this hold was first seen.
        still_since: since when it makes no progress.
        why_not: why healmon does not act on the holder, for people; empty: it may, or need not.
        pinned: bytes of the -wal that a reader keeps from being copied.
        pinned_frames: the same in frames.
        waiting: who waits in the kernel for the lock.
        others: who else has it open; those that sleep between two tries cannot be told from idle.
        deleted: who writes into a deleted file of this name.
        kept: where what a crash left was copied to.
        warning: about the SQLite that the holder uses.
        order: what `unlock` would do now, or None.
    """

    verdict: VerdictWord
    path: str
    reason: str = ""
    device: int = 0
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
    pinned_frames: int = 0
    waiting: tuple[int, ...] = ()
    others: tuple[int, ...] = ()
    deleted: tuple[int, ...] = ()
    kept: str = ""
    warning: str = ""
    order: Order | None = None
