"""A private directory on the same mount, where a file waits for its second look.

Linux has no "unlink if it is this inode". So a file is renamed into a directory that nobody else
can write in, looked at there, and only then removed, kept, or put back. The entry's name says
which inode was meant, so that a run that was killed can be finished by the next one.

    .healmon-trash-0/                         0700, ours
        d.INODE.DEVICE.MODIFIED.SIZE.WHEN.N   on its way to be removed
        t.INODE.DEVICE.MODIFIED.SIZE.WHEN.N   put aside by a `trash` rule
        intent                                where the newest such `d` entry came from
        d.TOKEN.N, batch                      many on their way to be removed: see `slots`
        manifest                              what each `t` entry was and where, a line each
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from healmon.world import filecalls, slots
from healmon.world.filedata import Deed, Inode
from healmon.world.filematch import OURS
from healmon.world.manifest import Origin, Record, line_of, origin_of, read_line
from healmon.world.slots import Slots

_INTENT: Final = "intent"
_INTENT_SIZE: Final = 16_384
"""Bytes reserved for it: a path may be long, and a full disk gives no more."""
_MANIFEST: Final = "manifest"
_MARKS: Final[dict[str, Deed]] = {"d": "delete", "t": "trash"}
_LISTING: Final = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs"})
"""File systems whose directories tell the same numbers as a stat (an overlay's may not)."""
_SHORT: Final = 16_384
"""Bytes of a directory above which looking at single files is the faster way."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class Entry(NamedTuple):
    """A file in quarantine: what its name says of it.

    Attributes:
        when: wall nanoseconds at which it was put there; the same for all of one sweep.
        token: what tells it from all others.
    """

    name: str
    deed: Deed
    number: int
    device: int
    modified: int
    size: int
    when: int
    token: str


class Quarantine:
    """An open quarantine; close it.

    Args:
        fd: descriptor of the directory; owned by this object.
        path: what people call it.
        prefix: begins every entry's name; set only where the directory is not private, because
            the disk was too full to make one.
    """

    def __init__(self, fd: int, path: str, prefix: str = "") -> None:
        self.fd = fd
        self.path = path
        self.private = not prefix
        self._prefix = prefix
        self._intent: int | None = None

    def close(self) -> None:
        """Let go of the directory and of its lock."""
        if self._intent is not None:
            os.close(self._intent)
        os.close(self.fd)

    def name_for(self, deed: Deed, inode: Inode, when: float) -> str:
        """Return a name nobody can guess that says which inode is meant."""
        numbers = (inode.number, inode.device, inode.modified, inode.size, int(when * 1e9))
        fields = (deed[0], *(f"{number:x}" for number in numbers), os.urandom(8).hex())
        return self._prefix + ".".join(fields)

    def entries(self) -> Iterator[Entry]:
        """Pass over everything that was put here."""
        fd = filecalls.again(self.fd)
        try:
            with os.scandir(fd) as found:
                for one in found:
                    entry = self._parsed(one.name)
                    if entry is not None:
                        yield entry
        finally:
            os.close(fd)

    def _parsed(self, name: str) -> Entry | None:
        if not name.startswith(self._prefix):
            return None
        mark, *fields = name[len(self._prefix) :].split(".")
        if mark not in _MARKS or len(fields) != 6:
            return None
        try:
            number, device, modified, size, when = (int(field, 16) for field in fields[:5])
        except ValueError:
            return None
        return Entry(name, _MARKS[mark], number, device, modified, size, when, fields[5])

    def numbers(self, kind: str) -> dict[str, int]:
        """Return the inodes that lie here, by name; none where a listing is no proof, or is long.

        Args:
            kind: type of the file system.
        """
        if kind not in _LISTING or os.fstat(self.fd).st_size > _SHORT:
            return {}
        fd = filecalls.again(self.fd)
        try:
            with os.scandir(fd) as found:
                return {one.name: one.inode() for one in found}
        finally:
            os.close(fd)

    def slots(self) -> list[str]:
        """Return the slots that are not empty; none where others can write."""
        if not self.private:
            return []
        fd = filecalls.again(self.fd)
        try:
            with os.scandir(fd) as found:
                return sorted(one.name for one in found if slots.place_of(one.name))
        finally:
            os.close(fd)

    def open_slots(self) -> Slots | None:
        """Return slots for one sweep; None where files can only leave one by one."""
        if not self.private:
            return None
        try:
            return Slots(self.fd, os.urandom(8).hex())
        except OSError:
            return None

    def look(self, entry: str) -> Inode | None:
        """Return what an entry is now; None when it is gone."""
        st = self.stat(entry)
        return None if st is None else filecalls.inode_of(st)

    def stat(self, entry: str) -> os.stat_result | None:
        """Return the same as the kernel says it."""
        try:
            return os.stat(entry, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def retire(self, entry: str, inode: Inode, when: float) -> str:
        """Keep what cannot go back under a name of its own; returns the name it has then.

        No file is so small as that name says: what was judged, and turned out to be wanted, is not
        taken by the next run for one that is on its way out.
        """
        name = self.name_for("delete", inode._replace(size=-1), when)
        here = self.look(entry)
        meant = here is not None and here.number == inode.number
        if slots.place_of(entry) is None and not meant:
            return entry
        try:
            os.rename(entry, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        except OSError:
            return entry
        return name

    def remove(self, entry: str) -> None:
        """Remove an entry for good."""
        os.unlink(entry, dir_fd=self.fd)

    def intend(self, origin: Origin) -> None:
        """Write down where the next entry comes from, as far as the disk has room for it."""
        line = json.dumps([origin.entry, origin.path]).encode() + b"\n"
        if self._intent is None or len(line) > _INTENT_SIZE:
            return
        with suppress(OSError):
            os.pwrite(self._intent, line, 0)

    def intended(self) -> Origin | None:
        """Return what was written down last; nothing where others can write."""
        if not self.private:
            return None
        try:
            with _opened(self.fd, _INTENT, os.O_RDONLY) as file:
                return origin_of(os.read(file, _INTENT_SIZE).partition(b"\n")[0])
        except OSError:
            return None

    def record(self, records: Iterable[Record]) -> None:
        """Write durably down what files to be put aside are and where they come from.

        Raises:
            OSError: it cannot be, or the directory is not ours; the files must stay where they are.
        """
        if not self.private:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), _MANIFEST)
        lines = b"".join(line_of(record) for record in records)
        with _opened(self.fd, _MANIFEST, os.O_RDWR | os.O_APPEND | os.O_CREAT) as file:
            size = os.fstat(file).st_size
            if size and os.pread(file, 1, size - 1) != b"\n":
                lines = b"\n" + lines  # a kill cut the last line short: it spoils only itself
            written = os.write(file, lines)
            if written != len(lines):
                os.ftruncate(file, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), _MANIFEST)
            os.fdatasync(file)

    def records(self, wanted: Container[str]) -> dict[str, Record]:
        """Return what is written down of the wanted entries."""
        found: dict[str, Record] = {}
        if not self.private:
            return found
        with (
            suppress(FileNotFoundError),
            _opened(self.fd, _MANIFEST, os.O_RDONLY) as file,
            os.fdopen(os.dup(file), "rb") as lines,
        ):
            for line in lines:
                record = read_line(line)
                if record is not None and record.entry in wanted:
                    found[record.entry] = record
        return found

    def tidy(self) -> None:
        """Forget where entries came from that exist no more, as far as the disk has room for it.

        Where others can write nothing was written down: a file of that name is somebody's own.
        """
        if not self.private:
            return
        new = f"{_MANIFEST}.new"
        alive = {entry.name for entry in self.entries()}
        try:
            with (
                _opened(self.fd, _MANIFEST, os.O_RDONLY) as file,
                os.fdopen(os.dup(file), "rb") as old,
            ):
                lines = [line for line in old if (at := origin_of(line)) and at.entry in alive]
            with _opened(self.fd, new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as file:
                with os.fdopen(os.dup(file), "wb") as out:
                    out.writelines(lines)
                os.fsync(file)
            os.rename(new, _MANIFEST, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        except OSError:
            with suppress(OSError):
                os.unlink(new, dir_fd=self.fd)

    def prepare(self) -> None:
        """Make room for the intent while there is some, and keep other cleaners out.

        Raises:
            BlockingIOError: another healmon is at work here.
        """
        if not self.private:
            return
        fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with suppress(OSError):
            self._intent = os.open(_INTENT, flags, 0o600, dir_fd=self.fd)
            os.posix_fallocate(self._intent, 0, _INTENT_SIZE)


class _opened:  # noqa: N801 - used as a function
    def __init__(self, directory: int, name: str, flags: int) -> None:
        self._fd = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=directory)

    def __enter__(self) -> int:
        return self._fd

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def local_name() -> str:
    """Return the name of this user's quarantine within a rule's directory."""
    return f"{OURS}{os.geteuid()}"


def make_private(path: str) -> None:
    """Make a quarantine at a path of our own, if it is not there.

    Raises:
        OSError: it cannot be made.
    """
    with suppress(FileExistsError):
        Path(path).mkdir(0o700)


def open_preferred(root: int, path: str) -> Quarantine | None:
    """Return the quarantine at a path of our own; None when it is not on the mount of `root`."""
    if not path:
        return None
    try:
        fd = filecalls.open_root(path)
    except OSError:
        return None
    if _is_private(fd) and _same_mount(fd, root):
        return Quarantine(fd, path)
    os.close(fd)
    return None


def open_local(root: int, path: str, *, make: bool) -> Quarantine | None:
    """Return the quarantine within a rule's own directory.

    Args:
        root: descriptor of that directory.
        path: what people call it.
        make: make it when it is missing. When the disk is too full for that, entries get hidden
            names in the directory itself.

    Returns:
        None when it is missing and was not to be made.

    Raises:
        OSError: it cannot be made, or somebody else has made it.
    """
    name = local_name()
    if make:
        try:
            os.mkdir(name, 0o700, dir_fd=root)
        except FileExistsError:
            pass
        except OSError as error:
            if error.errno not in _FULL:
                raise
            return Quarantine(filecalls.again(root), path, f"{name}.")
    try:
        fd = filecalls.open_directory(root, name)
    except FileNotFoundError:
        return None
    if _is_private(fd):
        return Quarantine(fd, f"{path}/{name}")
    os.close(fd)
    raise PermissionError(errno.EPERM, "belongs to somebody else", f"{path}/{name}")


def in_the_open(root: int, path: str) -> Quarantine:
    """Return the entries that lie in a rule's directory itself since its disk was full."""
    return Quarantine(filecalls.again(root), path, f"{local_name()}.")


def _is_private(fd: int) -> bool:
    st = os.fstat(fd)
    return st.st_uid == os.geteuid() and not stat.S_IMODE(st.st_mode) & 0o077


def _same_mount(one: int, other: int) -> bool:
    return filecalls.mount_of(one) == filecalls.mount_of(other)
