"""Taking files, and only those: hold, compare, set aside, compare again, remove.

At no step is a name trusted. What comes along instead of a file that was judged is put back.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import zip_longest
from typing import Final

import msgspec

from healmon.clock import process_seconds
from healmon.text import clean
from healmon.world import filecalls, filecontent, packing, saving
from healmon.world.depots import Going
from healmon.world.filedata import Compression, Deed, Selection
from healmon.world.fileuse import REASONS, Users, alone
from healmon.world.filewalk import Found
from healmon.world.manifest import Origin, Record, record_of
from healmon.world.quarantine import Quarantine
from healmon.world.slots import SIZE, Slots, facts_of

ELSEWHERE: Final = "elsewhere"
"""The quarantine is on another file system (btrfs subvolumes, quota trees): nothing was touched."""
_CONTENT: Final = 1 << 20
"""Bytes of content that are read while further files are held."""


class Claim(msgspec.Struct, frozen=True, gc=False):
    """A file that is held: nobody else has it open, and it is the one that was judged.

    Attributes:
        fd: closed when it is settled what becomes of it.
        leased: whoever opens it meanwhile waits for us, and is seen.
        freed: bytes on the disk that its going frees.
    """

    found: Found
    fd: int
    leased: bool
    freed: int


class Remover:
    """Takes files into a quarantine and, unless they are only put aside, out of it for good.

    Args:
        quarantine: open and prepared.
        users: who tells whether a file is in use.
        kind: type of the file system.
        deed: what becomes of the files.
        selection: the rule: whose files they are, what must be done before they go.
        root: absolute path of the rule's directory.
        when: wall seconds that count as now.

    Attributes:
        troubles: what a person should know of, in words.
    """

    def __init__(
        self,
        quarantine: Quarantine,
        users: Users,
        *,
        kind: str,
        deed: Deed,
        selection: Selection,
        root: str,
        when: float,
    ) -> None:
        self.troubles: list[str] = []
        self._backup = selection.backup
        self._apart = selection.device is not None
        self._compression: Compression = selection.compression
        self._made_safe = bool(selection.backup) or deed == "compress"
        self._quarantine = quarantine
        self._fd = quarantine.fd
        self._users = users
        self._kind = kind
        self._deed: Deed = deed
        self._rule = selection.rule
        self._root = root.rstrip("/")
        self._when = when
        self._slots: Slots | None = None
        self._asked = False

    def close(self) -> None:
        """Remove what is still in the quarantine of what was taken."""
        slots, self._slots = self._slots, None
        if slots is not None:
            self._tidied(slots.close)

    def room(self) -> int:
        """Return how many files that are deleted are settled at once, at most."""
        return SIZE

    def full(self, claims: Sequence[Claim]) -> bool:
        """Return whether so many files are to be settled before a further one is claimed."""
        if self._made_safe or len(claims) == SIZE:
            return True
        # whoever wants one of them waits while the others are read
        return self._deed == "trash" and sum(claim.found.st.st_size for claim in claims) >= _CONTENT

    def take(self, found: Found) -> str:
        """Take one file by itself; returns why it stays, or empty."""
        claim = self.claim(found)
        if isinstance(claim, str):
            return claim
        reason = self.settle([claim])[0]
        if reason == ELSEWHERE:
            os.close(claim.fd)
        return reason

    def claim(self, found: Found, fd: int = -1) -> Claim | str:
        """Hold a file, with a copy and a twin made where they are wanted; or say why it stays.

        Args:
            found: the file.
            fd: a descriptor by which it is leased and was judged; closed with the claim.
        """
        use = "leased"
        if fd < 0:
            fd, use = self._users.hold(found.directory, found.name, found.st, self._kind)
            if fd < 0:
                return use
        if not self._made_safe:
            return Claim(found, fd, use == "leased", found.held)
        reason, left = "refused", 0
        try:
            reason, left = self._kept_safe(
                found, fd, partial(alone, fd) if use == "leased" else _undisturbed
            )
        finally:
            if reason:
                os.close(fd)
        return reason or Claim(found, fd, use == "leased", max(0, found.held - left))

    def _kept_safe(self, found: Found, fd: int, undisturbed: Callable[[], bool]) -> tuple[str, int]:
        """Save a copy where one is wanted, compress; returns why the file must stay, and bytes."""
        reason, left = "", 0
        if self._backup:
            path, run = f"{self._root}/{found.path}", f"{int(self._when * 1e9):x}"
            going = Going(path, fd, found.inode, undisturbed, self._rule, run)
            reason = saving.save(self._backup, going, self.troubles, apart=self._apart)
        if not reason and self._deed == "compress":
            reason, left = packing.pack(found, fd, undisturbed, self._compression)
        if not reason:
            filecontent.untouch(fd, found.inode)
            if not _same_content(found, os.fstat(fd)):
                reason = "changed"
        return reason, left

    def settle(self, claims: Sequence[Claim]) -> list[str]:
        """Take files of one directory that are held; returns of each why it stays, or empty.

        Those that stay since they are "elsewhere" are still held, the others are not.
        """
        reasons: list[str] = []
        try:
            if self._deed == "trash":
                reasons = self._put_aside(claims)
            elif (slots := self._opened()) is not None and self._intended(slots, claims):
                reasons = self._through(slots, claims)
            else:
                reasons = [self._alone_through(claim) for claim in claims]
        finally:
            for claim, reason in zip_longest(claims, reasons):
                if reason != ELSEWHERE:
                    os.close(claim.fd)
        return reasons

    def _opened(self) -> Slots | None:
        # most sweeps find nothing to take: nothing is prepared for those
        if not self._asked:
            self._asked = True
            self._slots = self._quarantine.open_slots()
        return self._slots

    def _intended(self, slots: Slots, claims: Sequence[Claim]) -> bool:
        facts = facts_of([claim.found for claim in claims])
        try:
            return slots.intend(f"{self._root}/{claims[0].found.above}", facts)
        except OSError as error:
            self._stuck(error)
            return False

    def _through(self, slots: Slots, claims: Sequence[Claim]) -> list[str]:
        """Move files into the slots, over those that are there, and look at them there."""
        names = slots.names[: len(claims)]
        reasons = list(map(self._move, claims, names))
        slots.moved(number for number, reason in enumerate(reasons) if not reason)
        listed, moved = self._quarantine.numbers(self._kind), process_seconds()
        for number, claim in enumerate(claims):
            if reasons[number]:
                continue
            name = names[number]
            if listed.get(name) == claim.found.st.st_ino and claim.leased and alone(claim.fd):
                continue
            reasons[number] = self._looked_at(claim, name, moved)
            if reasons[number]:
                slots.vacate(number)
                self._put_back(name, claim.found)
        self._tidied(partial(slots.took, [not reason for reason in reasons]))
        return reasons

    def _alone_through(self, claim: Claim) -> str:
        """Take one file under a name of its own, where the slots cannot be had."""
        found, quarantine = claim.found, self._quarantine
        entry = quarantine.name_for("delete", found.inode, self._when)
        quarantine.intend(Origin(entry, f"{self._root}/{found.path}"))
        reason = self._move(claim, entry)
        if reason:
            return reason
        reason = self._looked_at(claim, entry, process_seconds())
        if reason:
            self._put_back(entry, found)
        else:
            quarantine.remove(entry)
        return reason

    def _put_aside(self, claims: Sequence[Claim]) -> list[str]:
        """Write down what the files are, durably, before the first of them moves."""
        records = [self._record(claim) for claim in claims]
        try:
            self._quarantine.record(one for one in records if isinstance(one, Record))
        except OSError:
            return [one if isinstance(one, str) else "not recorded" for one in records]
        reasons: list[str] = []
        for claim, record in zip(claims, records, strict=True):
            if isinstance(record, str):
                reasons.append(record)
                continue
            reason = self._move(claim, record.entry)
            if not reason:
                reason = self._looked_at(claim, record.entry)
                if reason:
                    self._put_back(record.entry, claim.found)
            reasons.append(reason)
        return reasons

    def _record(self, claim: Claim) -> Record | str:
        """Return what is to be written down of a file, or why it must stay."""
        found, fd = claim.found, claim.fd
        entry = self._quarantine.name_for("trash", found.inode, self._when)
        try:
            digest = filecontent.digest_of(fd, partial(alone, fd) if claim.leased else _undisturbed)
            filecontent.untouch(fd, found.inode)
            st = os.fstat(fd)
        except filecontent.WantedError:
            return "open"
        except OSError:
            return "not recorded"
        if not _same_content(found, st):
            return "changed"
        origin = Origin(entry, f"{self._root}/{found.path}")
        return record_of(origin, self._rule, found.inode, (st.st_uid, st.st_gid), digest)

    def _move(self, claim: Claim, entry: str) -> str:
        found = claim.found
        try:
            os.rename(found.name, entry, src_dir_fd=found.directory, dst_dir_fd=self._fd)
        except OSError as error:
            if error.errno == errno.EXDEV:
                return ELSEWHERE
            return REASONS.get(error.errno or 0, "refused")
        return ""

    def _looked_at(self, claim: Claim, entry: str, moved: float | None = None) -> str:
        """Return why what was moved must go back: it is another file, or somebody wants it.

        Args:
            claim: the file that was meant.
            entry: what was moved.
            moved: process seconds at which it had left its place for good; None: it can come back.
        """
        judged = claim.found.st
        try:
            st = os.stat(entry, dir_fd=self._fd, follow_symlinks=False)
        except FileNotFoundError:
            return "swapped"
        if st.st_ino != judged.st_ino or st.st_dev != judged.st_dev:
            return "swapped"
        if claim.leased:
            return "" if alone(claim.fd) else "open"
        # the list that it was not on may be a second old: whoever came meanwhile is on the next
        gone = moved is None or self._users.unused_since(claim.fd, moved)
        return "" if gone else "open"

    def _put_back(self, entry: str, found: Found) -> None:
        quarantine = self._quarantine
        try:
            filecalls.put_back(quarantine.fd, entry, found.directory, found.name)
        except OSError as error:
            kept = quarantine.retire(entry, found.inode, self._when)
            what = clean(f"{self._root}/{found.path}", limit=300)
            self.troubles.append(
                f"{what} could not be put back ({error.strerror}); "
                f"it is kept as {clean(quarantine.path)}/{kept}"
            )

    def _tidied(self, tidy: Callable[[], None]) -> None:
        try:
            tidy()
        except OSError as error:
            self._stuck(error)

    def _stuck(self, error: OSError) -> None:
        """Use the slots no more: what lies there cannot be removed, and is told of."""
        slots, self._slots = self._slots, None
        if slots is not None:
            with suppress(OSError):
                slots.close()
        place = clean(self._quarantine.path)
        self.troubles.append(f"{place}: what lies there cannot be removed ({error.strerror})")


def _same_content(found: Found, st: os.stat_result) -> bool:
    return (st.st_size, st.st_mtime_ns) == (found.st.st_size, found.st.st_mtime_ns)


def _undisturbed() -> bool:
    return True
