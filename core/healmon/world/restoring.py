"""Takes files back out of a quarantine: the same inode, to the same path, over nothing.

A file goes back by one rename, so a kill leaves it in the one place or in the other. What is no
longer what was written down of it stays where it is, and is named.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from healmon.text import clean
from healmon.world import filecalls, filecontent
from healmon.world.filedata import Restored, Tally, Trashed
from healmon.world.manifest import Record
from healmon.world.quarantine import Entry, Quarantine

NAMES: Final = 20
"""How many paths and troubles are told."""
_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_WORDS: Final = {
    errno.EEXIST: "something else stands there now: move it away first",
    errno.ENOENT: "its directory is gone: make it first",
    errno.ENOTDIR: "its directory is gone: make it first",
    errno.ELOOP: "its directory is reached through a symbolic link now",
    errno.EXDEV: "its directory is on another file system now",
}


def run_of(entry: Entry) -> str:
    """Return what names the sweep that put an entry aside."""
    return f"{entry.when:x}"


def listed(place: Quarantine) -> Iterator[Trashed]:
    """Pass over what can be taken back from a quarantine."""
    entries = {entry.name: entry for entry in place.entries() if entry.deed == "trash"}
    records = place.records(entries.keys())
    for name, entry in entries.items():
        inode = place.look(name)
        if inode is None:
            continue
        record = records.get(name)
        yield Trashed(
            id=entry.token,
            run=run_of(entry),
            path="" if record is None else clean(record.path, limit=1000),
            place=clean(place.path),
            rule="" if record is None else clean(record.rule),
            held=inode.held,
            modified=entry.modified / 1e9,
            when=entry.when / 1e9,
        )


def restore(place: Quarantine, wanted: str) -> Restored:
    """Take back one entry by its id, or all entries of one run by its."""
    entries = {
        entry.name: entry
        for entry in place.entries()
        if entry.deed == "trash" and wanted in {entry.token, run_of(entry)}
    }
    if not entries:
        return Restored()
    try:
        place.prepare()
    except BlockingIOError:
        return Restored(troubles=(f"{clean(place.path)}: a cleaner is at work there",))
    records = place.records(entries.keys())
    back, paths, troubles = Tally(), list[str](), list[str]()
    for name, entry in entries.items():
        held, trouble = _taken_back(place, entry, records.get(name))
        if trouble:
            troubles.append(trouble)
        else:
            back = back.plus(held)
            paths.append(clean(records[name].path, limit=300))
    place.tidy()
    return Restored(back=back, paths=tuple(paths[:NAMES]), troubles=tuple(troubles[:NAMES]))


def _taken_back(place: Quarantine, entry: Entry, record: Record | None) -> tuple[int, str]:
    """Take one back; returns the bytes it holds, and why it stays or empty."""
    here = f"{clean(place.path)}/{entry.name}"
    if record is None:
        return 0, f"{here}: where it came from is not written down; move it by hand"
    path = clean(record.path, limit=300)
    inode = place.look(entry.name)
    if inode is None:
        return 0, f"{path}: it is no longer in the trash"
    if not _is_what_it_was(place, entry, record):
        return 0, f"{path}: {here} is not the file that was put aside; it is kept there"
    directory, _, name = record.path.rpartition("/")
    try:
        fd = filecalls.open_root(directory or "/")
    except OSError as error:
        return 0, f"{path}: {_WORDS.get(error.errno or 0, error.strerror)}"
    try:
        filecalls.put_back(place.fd, entry.name, fd, name)
        with suppress(OSError):
            os.fsync(fd)
    except OSError as error:
        return 0, f"{path}: {_WORDS.get(error.errno or 0, error.strerror)}"
    finally:
        os.close(fd)
    return inode.held, ""


def _is_what_it_was(place: Quarantine, entry: Entry, record: Record) -> bool:
    try:
        fd = os.open(entry.name, _OPEN, dir_fd=place.fd)
    except OSError:
        return False
    try:
        inode = filecalls.inode_of(os.fstat(fd))
        if (inode.number, inode.size) != (entry.number, entry.size):
            return False
        if not record.digest:
            return True
        same = filecontent.digest_of(fd, lambda: True) == record.digest
        filecontent.untouch(fd, inode)
    except OSError:
        return False
    else:
        return same
    finally:
        os.close(fd)
