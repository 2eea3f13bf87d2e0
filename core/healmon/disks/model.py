"""The typed structs behind what this healer sees, says, remembers and orders."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from healmon.disks.culprits import Culprits
from healmon.world.filedata import Survey, Tally

HEALER: Final = "disks"
CLEAN: Final = "clean_disk"
ALONE: Final = ", rule "
"""Stands in the subject of a cleaning by one rule, before its name."""
FINISH: Final = "finish_cleaning"
RESTORE: Final = "restore_files"
EMPTY: Final = "empty_trash"

Kind = Literal["filesystem", "budget"]
Level = Literal["ok", "warning", "critical"]
Cause = Literal["space", "inodes"]


class Target(msgspec.Struct, frozen=True):
    """A file system or a directory with a budget; `limit` is its ceiling in bytes."""

    component: str
    kind: Kind
    path: str
    limit: int = 0


class Gauge(msgspec.Struct, frozen=True, kw_only=True):
    """How full something is. Bytes, inodes, percent; nothing is rounded.

    Attributes:
        capacity: what 100 % is: used and available, as df has it, or the budget's limit.
        size: what people call its size.
        inode_percent: None where there is no such limit.
        partial: why `used` is only a lower bound; empty: it is exact.
        skip: why it is not judged; empty: it is.
        device, fsid: which file system it is, to count one only once.
        kind: its type.
        mount: where it is mounted; empty: not known.
        real: its path without links; empty: not known. Both are for this run alone (`Space`).
    """

    used: int
    free: int
    size: int
    capacity: int
    percent: float
    inodes: int = 0
    inodes_used: int = 0
    inode_percent: float | None = None
    device: int = 0
    fsid: int = 0
    kind: str = ""
    mount: str = ""
    real: str = ""
    readonly: bool = False
    partial: str = ""
    skip: str = ""

    @property
    def worst(self) -> float:
        """The higher of both percentages."""
        return max(self.percent, self.inode_percent or 0.0)

    @property
    def cause(self) -> Cause:
        """Which of both is the higher one."""
        return "inodes" if (self.inode_percent or 0.0) > self.percent else "space"


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """When something will be full; seconds from `at` (wall), percentage points an hour.

    Attributes:
        eta: None: not within ten days, as far as can be told.
        soonest, latest: the band around it.
        way: `trend` from day to day, `rise` that goes on now, or `young`: too little history.
        inodes: whether it is inodes that run out.
        past: the highest percentage of space in each of the last 24 hours, oldest first; -1.0 for
            an hour in which nobody looked.
    """

    at: float
    eta: float | None = None
    soonest: float | None = None
    latest: float | None = None
    rate: float = 0.0
    way: str = "young"
    inodes: bool = False
    past: tuple[float, ...] = ()


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules would free there, when it was counted last.

    Attributes:
        surveys: one per rule and place; empty: no rule reaches there.
        idle: rules that reach there and free nothing, and why, in words.
        trash: what lies in the trash there.
        own: healmon's own older logs there.
        trouble: why it could not be counted, in words.
        refused: rules that may not have their place as it is now, and why, in words.
    """

    surveys: tuple[Survey, ...] = ()
    idle: tuple[str, ...] = ()
    trash: Tally = Tally()
    own: Tally = Tally()
    trouble: str = ""
    refused: tuple[str, ...] = ()

    @property
    def due(self) -> Tally:
        """All files that are old enough, of all rules."""
        total = Tally()
        for survey in self.surveys:
            total = total.plus(survey.due.held, survey.due.files)
        return total


class DiskSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One look at one target.

    Attributes:
        gauge: None when it could not be measured; `trouble` says why.
        count: None while it is not full enough to count what would be freed.
        leftovers: files that a killed run had set aside and not finished.
        oldest: wall seconds at which the oldest file in the trash was put there; None: none is.
        outlook: when it will be full; None: not asked.
        culprits: who holds the space; None: it is not full enough to be asked.
        backups: what is wrong with the backup targets of rules that reach there, in words.
        emptied: directories of rules that are gone in which nothing of a killed run was found.
        unmounted: where it was mounted when this run saw it, and nothing is now; else empty.
    """

    target: Target
    gauge: Gauge | None = None
    trouble: str = ""
    count: Count | None = None
    leftovers: int = 0
    oldest: float | None = None
    outlook: Outlook | None = None
    culprits: Culprits | None = None
    backups: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()
    unmounted: str = ""


class Seen(msgspec.Struct, frozen=True):
    """One look at all targets; `stepped`: by how much the wall clock was set just before."""

    disks: tuple[DiskSeen, ...]
    stepped: float = 0.0


class Spent(msgspec.Struct, frozen=True):
    """What one automatic cleaning took by its rules.

    Attributes:
        due: steady seconds at which it began.
        stopped: it took all that it might, and more would have gone.
    """

    due: float
    files: int
    held: int
    stopped: bool = False


class More(msgspec.Struct, frozen=True):
    """What would have gone beyond the ceiling; `oldest`: wall seconds. No files: not known."""

    files: int = 0
    held: int = 0
    oldest: float = 0.0


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of a target between looks.

    Attributes:
        told: the percentage and the free bytes that the open alert speaks of: they follow the
            real ones only when those have moved, so that the alert does not chatter.
        failure: wall time of the newest failed cleaning that was noticed.
        backoff_since: steady time at which it was noticed; None: none, or it is over.
        backoff_percent: how full it was then.
        writable: it was seen writable before.
        cleaned_at: wall time of the newest cleaning that worked, with its outcome.
        filling: how many outlooks in a row (two at most) said that it is full within the horizon.
        filling_at: wall time of the newest outlook that was counted.
        filling_told: what the open warning says of it; empty: there is none.
        spent: automatic cleanings that count against the ceiling.
        approved: steady time at which a person last cleaned; what went before counts no more.
        more: what would have gone beyond the ceiling; None: it was not reached.
        swapped, swapped_at: how many files the newest cleaning found exchanged, and when.
        pinned, pinned_by: what is told of deleted files that are open, and who has them.
        places: directories of rules, also of those gone by now, that were not seen empty since.
    """

    level: Level = "ok"
    cause: Cause = "space"
    told: float = 0.0
    told_free: int = 0
    failure: float = 0.0
    backoff_since: float | None = None
    backoff_percent: float = 0.0
    writable: bool = False
    cleaned_at: float = 0.0
    cleaned: str = ""
    filling: int = 0
    filling_at: float = 0.0
    filling_told: str = ""
    spent: tuple[Spent, ...] = ()
    approved: float = 0.0
    more: More | None = None
    swapped: int = 0
    swapped_at: float = 0.0
    pinned: str = ""
    pinned_by: str = ""
    places: tuple[str, ...] = ()


class RuleFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule would free."""

    rule: str
    files: int
    held: int
    kept: dict[str, int] = {}
    note: str = ""


class DiskFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a screen shows of a target. Bytes, percent, wall seconds.

    Attributes:
        candidates: files that rules would take; None: not counted (it is not full enough).
        why: one remark, or empty.
    """

    kind: Kind
    path: str
    level: Level | Literal[""] = ""
    percent: float | None = None
    used: int = 0
    free: int = 0
    size: int = 0
    capacity: int = 0
    inode_percent: float | None = None
    device: int = 0
    filesystem: str = ""
    readonly: bool = False
    partial: str = ""
    candidates: int | None = None
    candidate_bytes: int | None = None
    rules: tuple[RuleFacts, ...] = ()
    trash: int = 0
    own: int = 0
    leftovers: int = 0
    cleaned_at: float | None = None
    cleaned: str = ""
    outlook: Outlook | None = None
    culprits: Culprits | None = None
    why: str = ""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What `carry_out` is told.

    Attributes:
        device: the file system that was judged; 0 for a budget.
        rules: digest of the rules that were shown; others are never applied.
        clock: wall minus boot seconds when it was made; a step since then stops it.
        by_hand: a person asked: everything that is due goes, however full it is.
        rule: by this rule alone; empty: by all.
        most: how much may go without a person; None: there is no ceiling.
        finish: only finish what a killed run had begun.
        restore: only take back what was put aside under this id.
        empty: only empty the trash of what has been there too long.
    """

    target: Target
    device: int
    rules: str
    clock: float
    by_hand: bool = False
    rule: str = ""
    most: Tally | None = None
    finish: bool = False
    restore: str = ""
    empty: bool = False
