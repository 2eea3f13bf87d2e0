"""What is said of files and file systems: measurements, selections, tallies. Data only."""

from __future__ import annotations

import sys
from typing import Final, Literal, NamedTuple

import msgspec

FOREVER: Final = sys.maxsize
"""Nanoseconds since the epoch that no file will ever reach."""
BLOCK: Final = 512
"""Bytes in which `st_blocks` counts (stat(2))."""

Key = tuple[int, int]
"""Device and inode number: which file it is, whatever its name."""


class Inode(NamedTuple):
    """What one stat said; sizes in bytes, times in nanoseconds since the epoch.

    Attributes:
        held: bytes that it occupies on the disk (sparse files: less than `size`).
        owner: number of its user.
    """

    device: int
    number: int
    mode: int
    links: int
    held: int
    size: int
    modified: int
    changed: int
    accessed: int
    owner: int = 0

    @property
    def key(self) -> Key:
        """Which file it is."""
        return self.device, self.number

    @property
    def newest(self) -> int:
        """The latest of its times: a file is as old as the last thing that happened to it."""
        return max(self.modified, self.changed, self.accessed)


class Limits(msgspec.Struct, frozen=True):
    """How far one walk may go before it stops and says so.

    Attributes:
        per_second: how many files it may take in a second; 0: any number.
    """

    entries: int = 200_000
    seconds: float = 10.0
    per_second: int = 0


class Need(msgspec.Struct, frozen=True):
    """What is to be freed: bytes, and inodes."""

    held: int = 0
    files: int = 0

    @property
    def met(self) -> bool:
        """Whether nothing is missing any more."""
        return self.held <= 0 and self.files <= 0

    def less(self, held: int, files: int) -> Need:
        """Return what is left to be freed."""
        return Need(max(0, self.held - held), max(0, self.files - files))


class Tally(msgspec.Struct, frozen=True):
    """So many files, so many bytes on the disk."""

    files: int = 0
    held: int = 0

    def plus(self, held: int, files: int = 1) -> Tally:
        """Return the tally with more counted in."""
        return Tally(self.files + files, self.held + held)


class Space(msgspec.Struct, frozen=True, kw_only=True):
    """One file system as statvfs(3) tells it, in bytes and inodes.

    Attributes:
        kind: its type (`ext4`), or empty when the kernel does not name it.
        size: all blocks; `used` and `available` do not add up to it where blocks are reserved.
        inodes: 0 where there is no such limit (btrfs).
        mount: where it is mounted, or empty when the kernel does not tell; surrogates for what is
            not UTF-8, so it is for this run only.
        real: the path that was asked, without links; likewise.
    """

    device: int
    fsid: int
    kind: str = ""
    mount: str = ""
    real: str = ""
    readonly: bool = False
    size: int
    used: int
    available: int
    inodes: int = 0
    inodes_free: int = 0


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a directory tree occupies, as `du -x` counts it.

    Attributes:
        partial: why this is only what was seen so far (a lower bound); empty: all was seen.
        seconds: how long the walk took.
        mount, real: where the file system is mounted that it begins on, as in `Space`.
    """

    device: int
    held: int
    entries: int
    partial: str = ""
    seconds: float = 0.0
    mount: str = ""
    real: str = ""


Compression = Literal["gzip", "zstd"]
"""How files are compressed."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which files a rule may take from where.

    Attributes:
        rule: its name.
        roots: absolute directories; none of their parts may be a symbolic link.
        named: the directories that the rule names, where a root may be one further below: what
            keeps a walk out is asked of each directory on the way down to it. None: the roots.
        patterns: globs over names; with a slash in it, over the path below the root.
        exclude: globs of what stays, files and whole directories.
        older_than: seconds since the last thing that happened to a file.
        larger_than, smaller_than: bytes, as `ls -l` has them; 0: any.
        owners: numbers of the users whose files they are; none: anybody's.
        device: only files there; None: wherever the roots are.
        protected: directories that are never entered.
        trash: the directory to put files aside in, where it is on the same mount as a root.
        keep_newest: how many of the files that match stay in each directory, the newest.
        compress: files that are compressed already stay.
        compression: how the others are compressed.
        live: they may be in use and just written: age does not count, and size is what they hold.
        ours: the directories are healmon's own, and may be locked by itself.
        copies: how many copies of a file that is cut stay beside it, the newest; 0: all.
        backup: the target where a verified copy must be before a file goes; empty: none.
    """

    rule: str
    roots: tuple[str, ...]
    patterns: tuple[str, ...]
    older_than: float
    named: tuple[str, ...] = ()
    larger_than: int = 0
    smaller_than: int = 0
    owners: tuple[int, ...] = ()
    exclude: tuple[str, ...] = ()
    recursive: bool = True
    device: int | None = None
    protected: tuple[str, ...] = ()
    trash: str = ""
    keep_newest: int = 0
    compress: bool = False
    compression: Compression = "gzip"
    live: bool = False
    copies: int = 0
    ours: bool = False
    backup: str = ""


class Choice(msgspec.Struct, frozen=True):
    """Which of the due files go, oldest first, by the time of the last thing that happened.

    All that happened before `sure` go; of those from `sure` up to `edge` only until `held` bytes
    and `files` files of them are gone. Never more than `most_files` and `most_held` in all.
    """

    sure: int = FOREVER
    edge: int = FOREVER
    held: int = 0
    files: int = 0
    most_files: int = FOREVER
    most_held: int = FOREVER


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule would take now; nothing was touched or opened.

    Attributes:
        roots: how many of its directories there are on the asked device.
        due: all files that match and are old enough.
        chosen: those of them that are needed, oldest first; at most, as some may be in use.
        choice: how `sweep` finds the chosen ones again; None: nothing is due.
        oldest: wall seconds of the last thing that happened to the oldest, to the hour; 0: none.
        kept: matching files that are not due, by reason.
        troubles: why a root was left out, in words.
        refused: those of them that a person must mend: it is there, but may not be had as it is.
        partial: why not everything was seen; empty: all was.
    """

    rule: str
    roots: int = 0
    due: Tally = Tally()
    chosen: Tally = Tally()
    choice: Choice | None = None
    oldest: float = 0.0
    kept: dict[str, int] = {}
    troubles: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    partial: str = ""


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken.

    Attributes:
        taken: files gone from their places, and the bytes they held.
        kept: chosen files that stayed, by reason.
        names: the first of them, cleaned for display.
        passed: files that stayed; not to be chosen again in this run.
        troubles: what went wrong, in words.
        partial: why it stopped before its end; empty: it did not.
    """

    rule: str
    taken: Tally = Tally()
    kept: dict[str, int] = {}
    names: tuple[str, ...] = ()
    passed: frozenset[Key] = frozenset()
    troubles: tuple[str, ...] = ()
    partial: str = ""


class Asides(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in the place where a rule's files are put aside.

    Attributes:
        place: that directory; empty when it cannot be had, and `trouble` says why.
        leftovers: files that a run which was killed had set aside and not finished.
        trash: files that `trash` rules put aside there.
        oldest: wall seconds at which the first of these was put there; None: there are none.
    """

    place: str = ""
    leftovers: int = 0
    trash: Tally = Tally()
    oldest: float | None = None
    trouble: str = ""


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the leftovers of a run that was killed."""

    removed: int = 0
    restored: int = 0
    troubles: tuple[str, ...] = ()


class Trashed(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was put aside and can be taken back.

    Attributes:
        id: names it; `run` names all of the same sweep.
        path: where it was, cleaned for display; empty: it is not written down.
        place: the directory where it lies.
        held: bytes that it occupies there.
        modified, when: wall seconds of its last change, and of its being put aside.
    """

    id: str
    run: str
    path: str
    place: str
    rule: str = ""
    held: int = 0
    modified: float = 0.0
    when: float = 0.0


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken back: `paths` are cleaned for display, `troubles` say what stays and why."""

    back: Tally = Tally()
    paths: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()


Deed = Literal["delete", "trash", "compress", "truncate"]
"""What is done to a file: gone for good, put aside, gone once a verified twin stands there, or made
shorter by what a verified copy has."""
