"""Taking one file, and only that one: open, compare, claim, set aside, compare again, remove.

At no step is a name trusted. What comes along instead of the file that was judged is put back.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final

from healmon.text import clean
from healmon.world import filecalls, filecontent, packing, saving
from healmon.world.depots import Going
from healmon.world.filedata import Deed, Finished, Inode
from healmon.world.fileuse import Users, alone, opened_here
from healmon.world.filewalk import Found
from healmon.world.manifest import Origin, record_of
from healmon.world.quarantine import Entry, Quarantine

_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_REASONS: Final = {
    errno.ENOENT: "vanished",
    errno.ELOOP: "swapped",
    errno.EBUSY: "mount",
    errno.EWOULDBLOCK: "open",
    errno.ETXTBSY: "open",
}


class ElsewhereError(Exception):
    """The quarantine turned out to be on another file system (btrfs subvolumes, quota trees)."""


class Remover:
    """Takes files into a quarantine and, unless they are only put aside, out of it for good.

    Args:
        quarantine: open and prepared.
        users: who tells whether a file is in use.
        kind: type of the file system.
        deed: what becomes of the files.
        rule: whose files they are.
        root: absolute path of the rule's directory.
        when: wall seconds that count as now.
        backup: target where a verified copy must be before a file goes; empty: none.

    Attributes:
        left: bytes that stand there instead of the file that was taken last (compressed).
        troubles: what a person should know of, in words.
    """

    def __init__(
        self,
        quarantine: Quarantine,
        users: Users,
        *,
        kind: str,
        deed: Deed,
        rule: str,
        root: str,
        when: float,
        backup: str = "",
    ) -> None:
        self.troubles: list[str] = []
        self.left = 0
        self._backup = backup
        self._quarantine = quarantine
        self._users = users
        self._kind = kind
        self._deed: Deed = deed
        self._rule = rule
        self._root = root
        self._when = when

    def take(self, found: Found) -> str:
        """Take a file; returns why it stayed, or empty when it is gone from its place.

        Raises:
            ElsewhereError: the quarantine is on another file system; nothing was touched.
        """
        if opened_here(found.inode.key):
            return "open"
        try:
            fd = os.open(found.name, _OPEN, dir_fd=found.directory)
        except OSError as error:
            return _REASONS.get(error.errno or 0, "refused")
        try:
            use = self._users.claim(fd, found.inode, self._kind)
            if use not in {"leased", "unlisted"}:
                return use
            if filecalls.inode_of(os.fstat(fd)) != found.inode:
                return "changed"
            undisturbed = partial(alone, fd) if use == "leased" else _undisturbed
            reason = self._kept_safe(found, fd, undisturbed)
            if reason:
                return reason
            return self._set_aside(found, fd, leased=use == "leased")
        finally:
            os.close(fd)

    def _kept_safe(self, found: Found, fd: int, undisturbed: Callable[[], bool]) -> str:
        """Save a copy where one is wanted, compress; returns why the file must stay, or empty."""
        self.left = 0
        reason = ""
        if self._backup:
            path = f"{self._root.rstrip('/')}/{found.path}"
            run = f"{int(self._when * 1e9):x}"
            going = Going(path, fd, found.inode, undisturbed, self._rule, run)
            reason = saving.save(self._backup, going, self.troubles)
        if not reason and self._deed == "compress":
            reason, self.left = packing.pack(found, fd, undisturbed)
        if not reason and (self._backup or self._deed == "compress"):
            filecontent.untouch(fd, found.inode)
            st = os.fstat(fd)
            if (st.st_size, st.st_mtime_ns) != (found.inode.size, found.inode.modified):
                return "changed"
        return reason

    def _set_aside(self, found: Found, fd: int, *, leased: bool) -> str:
        quarantine = self._quarantine
        deed: Deed = "trash" if self._deed == "trash" else "delete"
        entry = quarantine.name_for(deed, found.inode, self._when)
        origin = Origin(entry, f"{self._root.rstrip('/')}/{found.path}")
        if self._deed == "trash":
            reason = self._record(origin, found.inode, fd, leased=leased)
            if reason:
                return reason
        else:
            quarantine.intend(origin)
        try:
            os.rename(found.name, entry, src_dir_fd=found.directory, dst_dir_fd=quarantine.fd)
        except OSError as error:
            if error.errno == errno.EXDEV:
                raise ElsewhereError(quarantine.path) from error
            return _REASONS.get(error.errno or 0, "refused")
        here = quarantine.look(entry)
        if here is None or here.key != found.inode.key:
            return self._put_back(entry, found, "swapped")
        if leased and not alone(fd):
            return self._put_back(entry, found, "open")
        if deed == "delete":
            quarantine.remove(entry)
        return ""

    def _record(self, origin: Origin, inode: Inode, fd: int, *, leased: bool) -> str:
        """Write down what is put aside; returns why it must stay, or empty."""
        try:
            digest = filecontent.digest_of(fd, partial(alone, fd) if leased else _undisturbed)
            filecontent.untouch(fd, inode)
            st = os.fstat(fd)
            if (st.st_size, st.st_mtime_ns) != (inode.size, inode.modified):
                return "changed"
            owner = st.st_uid, st.st_gid
            self._quarantine.record(record_of(origin, self._rule, inode, owner, digest))
        except filecontent.WantedError:
            return "open"
        except OSError:
            return "not recorded"
        return ""

    def _put_back(self, entry: str, found: Found, reason: str) -> str:
        try:
            filecalls.put_back(self._quarantine.fd, entry, found.directory, found.name)
        except OSError as error:
            what = clean(f"{self._root}/{found.path}", limit=300)
            self.troubles.append(
                f"{what} could not be put back ({error.strerror}); "
                f"it is kept as {clean(self._quarantine.path)}/{entry}"
            )
        return reason


def _undisturbed() -> bool:
    return True


def finish(quarantine: Quarantine, users: Users, kind: str) -> Finished:
    """Finish what a killed run had begun: remove what was judged, put back what was not.

    Args:
        quarantine: open and prepared.
        users: who tells whether a file is in use.
        kind: type of the file system.
    """
    intended = quarantine.intended()
    done: Counter[str] = Counter()
    troubles: list[str] = []
    for entry in list(quarantine.entries()):
        if entry.deed != "delete":
            continue
        if judged(quarantine, entry, users, kind):
            quarantine.remove(entry.name)
            done["removed"] += 1
        elif (
            intended is not None
            and intended.entry == entry.name
            and _returned(quarantine, intended)
        ):
            done["restored"] += 1
        else:
            place = f"{clean(quarantine.path)}/{entry.name}"
            troubles.append(f"{place} is not the file that was to go, or is in use: it is kept")
    return Finished(removed=done["removed"], restored=done["restored"], troubles=tuple(troubles))


def judged(quarantine: Quarantine, entry: Entry, users: Users, kind: str) -> bool:
    """Return whether an entry is the file that its name says, and nobody uses it."""
    here = quarantine.look(entry.name)
    if here is None or not _as_named(here, entry) or opened_here(here.key):
        return False
    try:
        fd = os.open(entry.name, _OPEN, dir_fd=quarantine.fd)
    except OSError:
        return False
    try:
        return users.claim(fd, here, kind) in {"leased", "unlisted"}
    finally:
        os.close(fd)


def _as_named(here: Inode, entry: Entry) -> bool:
    # the device number may be another one after a restart of the machine
    named = entry.number, entry.modified, entry.size
    return named == (here.number, here.modified, here.size) and here.links == 1


def _returned(quarantine: Quarantine, origin: Origin) -> bool:
    directory, _, name = origin.path.rpartition("/")
    try:
        fd = filecalls.open_root(directory or "/")
    except OSError:
        return False
    try:
        filecalls.put_back(quarantine.fd, origin.entry, fd, name)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True
