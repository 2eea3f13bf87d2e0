"""Making a log shorter that others hold open: a verified copy beside it, then the front taken out.

    NAME.20260131-235959.gz    what was taken out, up to the end of a line; named when it is whole

Nothing that is appended meanwhile is lost, at no step and however healmon ends: what is not in the
copy stays in the log, as it is the file system that takes the front out (`fileranges`). Only blocks
as a whole can be, so the log begins with less than a block of what the copy has, too. A log that
nobody holds open is copied and emptied as a whole, while a lease keeps everybody else waiting.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Final, NamedTuple

from healmon.clock import format_utc
from healmon.world import filecalls, filecontent, fileholders, fileranges, packing
from healmon.world.filedata import BLOCK, Selection
from healmon.world.fileholders import Holders
from healmon.world.fileuse import Users, alone, opened_here
from healmon.world.filewalk import Found, found_of
from healmon.world.removal import Remover
from healmon.world.squeezing import SUFFIXES

_OPEN: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_REASONS: Final = {
    errno.ENOENT: "vanished",
    errno.ELOOP: "swapped",
    errno.ETXTBSY: "open",
    errno.EWOULDBLOCK: "open",
}
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_COPY: Final = r"\.\d{8}-\d{6}\.(gz|zst)"


class Front(NamedTuple):
    """What is copied, and what of it is taken out: byte offsets.

    Attributes:
        begin: where the text begins, behind the hole that an earlier cut may have left.
        line: end of the copy, where a line ends.
        cut: what lies before it is taken out.
    """

    begin: int
    line: int
    cut: int


class Cutter:
    """Cuts files, one at a time.

    Args:
        users: who tells whether a file is in use.
        selection: the rule.
        kind: type of the file system.
        when: wall seconds that name the copies.
        remover: takes older copies, more than are to stay.

    Attributes:
        left: bytes that the file that was cut last holds now, with its copy.
    """

    def __init__(
        self, users: Users, selection: Selection, *, kind: str, when: float, remover: Remover
    ) -> None:
        self.left = 0
        self._users = users
        self._selection = selection
        self._kind = kind
        self._remover = remover
        self._stamp = stamp(when)

    def take(self, found: Found) -> str:
        """Cut a file; returns why it stayed as it is, or empty."""
        self.left = 0
        if opened_here(found.key):
            return "open"
        try:
            fd = os.open(found.name, _OPEN, dir_fd=found.directory)
        except OSError as error:
            return _REASONS.get(error.errno or 0, "refused")
        try:
            reason = self._cut(found, fd)
        except filecontent.WantedError:
            return "open"
        except OSError as error:
            return "no room" if error.errno in _FULL else "not copied"
        finally:
            self._users.put_down(fd)
        if not reason and self._selection.copies:
            self._prune(found)
        return reason

    def _cut(self, found: Found, fd: int) -> str:
        use = self._users.claim(fd, found.inode, self._kind)
        if use in {"locked", "unknown"}:
            return use
        leased = use == "leased"
        if not leased:
            # whoever writes under this lock must not wait for the copy
            fcntl.flock(fd, fcntl.LOCK_UN)
            if opened_here(found.key, (fd,)):
                return "open"
            reason = _unfit(fileholders.holders(found.key))
            if reason:
                return reason
        if not _is_judged(found, fd):
            return "changed"
        front = _whole(fd) if leased else _front(fd)
        if front is None:
            return "small"
        out = os.open(".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=found.directory)
        try:
            return self._copied_first(found, fd, front, out, leased=leased)
        finally:
            os.close(out)

    def _copied_first(self, found: Found, fd: int, front: Front, out: int, *, leased: bool) -> str:
        how = self._selection.compression
        undisturbed: Callable[[], bool] = partial(alone, fd) if leased else _undisturbed
        plain = filecontent.chunks(fd, undisturbed, front.begin, front.line)
        digest = packing.written(plain, out, how)
        if packing.content_of(out, how) != digest:
            return "not verified"
        copy = os.fstat(out).st_blocks * BLOCK
        if copy >= front.cut - front.begin:
            return "does not shrink"
        packing.dress(out, os.fstat(fd))
        os.fsync(out)
        name = f"{found.name}.{self._stamp}{SUFFIXES[how]}"
        try:
            os.link(f"/proc/self/fd/{out}", name, dst_dir_fd=found.directory, follow_symlinks=True)
        except FileExistsError:
            return "name taken"
        os.fsync(found.directory)
        try:
            reason = _emptied(fd) if leased else _taken_out(found, fd, front, digest)
        except OSError:
            reason = "refused"
        if reason:
            _forget(found.directory, name, out)
        else:
            self.left = os.fstat(fd).st_blocks * BLOCK + copy
        return reason

    def _prune(self, found: Found) -> None:
        """Take the oldest copies of a log that are more than are to stay."""
        copy = re.compile(re.escape(found.name) + _COPY)
        fd = filecalls.again(found.directory)
        try:
            names = [name for name in os.listdir(fd) if copy.fullmatch(name)]  # noqa: PTH208 - fd
        finally:
            os.close(fd)
        for name in oldest_first(names, found.name, self._stamp)[: -self._selection.copies]:
            try:
                st = os.stat(name, dir_fd=found.directory, follow_symlinks=False)
                if stat.S_ISREG(st.st_mode) and st.st_nlink == 1:
                    self._remover.take(found_of(found.directory, name, found.above, st))
            except OSError:
                continue


def stamp(when: float) -> str:
    """Return `20260131-235959`, UTC: a name by which copies are sorted by age."""
    digits = re.sub(r"\D", "", format_utc(when))
    return f"{digits[:8]}-{digits[8:14]}"


def oldest_first(names: Iterable[str], log: str, newest: str) -> list[str]:
    """Return the copies of a log by age; `newest` is the stamp of the one that was just made.

    One with a later stamp was made while the clock was ahead, so before it was set right: what was
    taken out of the log a moment ago is never the oldest.
    """
    begin = len(log) + 1
    return sorted(names, key=lambda name: (name[begin : begin + len(newest)] <= newest, name))


def _undisturbed() -> bool:
    return True


def _is_judged(found: Found, fd: int) -> bool:
    """Return whether an open file is the one that was judged; it may have grown."""
    here, judged = filecalls.inode_of(os.fstat(fd)), found.inode
    same = (here.key, here.mode, here.owner) == (judged.key, judged.mode, judged.owner)
    return same and here.links == 1 and here.size >= judged.size


def _whole(fd: int) -> Front | None:
    size = os.fstat(fd).st_size
    begin = fileranges.data_from(fd)
    return Front(begin, size, size) if begin < size else None


def _front(fd: int) -> Front | None:
    """Return as much as can be taken out of a file that grows; None: less than a block."""
    size, block = os.fstat(fd).st_size, os.fstatvfs(fd).f_bsize
    begin = fileranges.data_from(fd)
    cut = (size - 1) // block * block
    return Front(begin, fileranges.line_end(fd, cut, size), cut) if cut > begin else None


def _emptied(fd: int) -> str:
    """Empty a file that is leased to us; returns why not, or empty."""
    if not alone(fd):
        return "open"
    os.ftruncate(fd, 0)
    return ""


def _taken_out(found: Found, fd: int, front: Front, digest: str) -> str:
    """Take out what has been copied, if it still is what it was; returns why not, or empty."""
    seen = fileholders.holders(found.key)
    reason = _unfit(seen)
    if reason:
        return reason
    again = filecontent.chunks(fd, _undisturbed, front.begin, front.line)
    if filecontent.digest_of_chunks(again) != digest:
        return "changed"
    # one that was emptied meanwhile by somebody else has to have this size again to be hit
    if os.fstat(fd).st_size < front.line:
        return "changed"
    # whom we cannot see, a file of the same size with its front freed does not hurt
    rest = fileranges.take_out(fd, front.cut, shorten=seen.all_seen)
    return "" if rest is not None else "cannot be cut"


def _unfit(seen: Holders) -> str:
    """Return why a file that others hold must not be cut; empty: it may.

    Where not everybody can be seen, there has to be one at least who appends: then it is a log.
    """
    return seen.unfit or ("" if seen.appends or seen.all_seen else "unknown")


def _forget(directory: int, name: str, out: int) -> None:
    """Remove the name of a copy whose content is still in the log."""
    with suppress(OSError):
        if os.path.samestat(os.stat(name, dir_fd=directory, follow_symlinks=False), os.fstat(out)):
            os.unlink(name, dir_fd=directory)
