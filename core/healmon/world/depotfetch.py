"""Takes files back from backup targets: whole, compared, to their places, never over anything."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Final, NamedTuple

import msgspec

from healmon.config.depot import is_remote
from healmon.text import clean
from healmon.world import filecalls, filecontent, saving
from healmon.world.depotline import Line
from healmon.world.depotrecord import SUFFIX, Record, decoded, id_of, key_of, path_in
from healmon.world.depots import PATIENCE
from healmon.world.depotwords import DepotError, sentence
from healmon.world.manifest import read_line

_LONGEST: Final = 1 << 20
"""Bytes of a record at most."""
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_WORDS: Final = {
    errno.EEXIST: "something else stands there now: move it away first",
    errno.ENOENT: "its directory is gone: make it first",
    errno.ENOTDIR: "its directory is gone: make it first",
    errno.ELOOP: "its directory is reached through a symbolic link now",
}


class Kept(NamedTuple):
    """A file that can be had back.

    Attributes:
        id: names it.
        path: where it was, cleaned for display; a long one's end only.
        size: bytes.
        when: wall seconds at which it was saved.
    """

    id: str
    key: str
    target: str
    path: str
    size: int
    when: float


class FetchError(Exception):
    """A file was not taken back; says why, in words."""


def kept(target: str, host: str) -> list[Kept]:
    """Return what a target keeps of a host, the newest first; only what is complete.

    A directory keeps only files of this host.

    Raises:
        FetchError: it cannot be listed.
    """
    found = _kept_there(target, host) if is_remote(target) else list(_kept_here(target))
    return sorted(found, key=lambda one: (-one.when, one.path))


def _kept_there(url: str, host: str) -> list[Kept]:
    found: dict[str, Kept] = {}
    complete: set[str] = set()
    try:
        with closing(Line(url, PATIENCE)) as line:
            line.begin()
            line.order(verb="list", under=host)
            while (answer := line.answer())["word"] == "entry":
                key = str(answer["key"])
                if key.endswith(SUFFIX):
                    complete.add(key.removesuffix(SUFFIX))
                elif mark := id_of(key):
                    path = clean(path_in(key), limit=1000)
                    found[key] = Kept(mark, key, url, path, answer["size"], answer["when"])
    except DepotError as error:
        raise FetchError(sentence(url, error.fault, error.text)) from error
    return [one for key, one in found.items() if key in complete]


def _kept_here(place: str) -> Iterator[Kept]:
    with _directory(place) as directory:
        for name, record in _manifest(directory).items():
            with suppress(OSError):
                st = os.stat(name, dir_fd=directory, follow_symlinks=False)
                path = clean(record.path, limit=1000)
                yield Kept(id_of(name), name, place, path, st.st_size, st.st_ctime)


def _manifest(directory: int) -> dict[str, Record]:
    """Return what is written down of each copy in a directory, by its name."""
    found: dict[str, Record] = {}
    try:
        fd = os.open(saving.MANIFEST, _READ, dir_fd=directory)
    except FileNotFoundError:
        return found
    with os.fdopen(fd, "rb") as file:
        for line in file:
            one = read_line(line)
            if one is not None and one.digest and "/" not in one.entry:
                found[one.entry] = Record(
                    path=one.path,
                    key=one.entry,
                    host="",
                    rule=one.rule,
                    run="",
                    user=one.user,
                    group=one.group,
                    mode=one.mode,
                    modified=one.modified,
                    size=one.size,
                    sha256=one.digest,
                )
    return found


@contextmanager
def _directory(place: str) -> Generator[int]:
    try:
        directory = filecalls.open_root(place)
    except OSError as error:
        raise FetchError(f"backup target {clean(place)}: {error.strerror}") from error
    try:
        yield directory
    except OSError as error:
        raise FetchError(f"backup target {clean(place)}: {error.strerror}") from error
    finally:
        os.close(directory)


def fetch(one: Kept) -> Record:
    """Take a file back to its place; returns what is known of it.

    Raises:
        FetchError: it is not there; whatever stands there was not touched.
    """
    if not is_remote(one.target):
        return _fetched_here(one)
    try:
        with closing(Line(one.target, PATIENCE)) as line:
            line.begin()
            record = _record(line, one.key)

            def content() -> Iterator[bytes]:
                line.order(verb="fetch", key=record.key)
                return line.content()

            _laid(record, content)
    except DepotError as error:
        raise FetchError(sentence(one.target, error.fault, error.text)) from error
    return record


def _fetched_here(one: Kept) -> Record:
    with _directory(one.target) as directory:
        record = _manifest(directory).get(one.key)
        if record is None:
            raise FetchError(f"{one.path}: it is written down no more")
        fd = os.open(one.key, _READ, dir_fd=directory)
        try:
            _laid(record, lambda: filecontent.chunks(fd, lambda: True))
        finally:
            os.close(fd)
    return record


def _record(line: Line, key: str) -> Record:
    told = b""
    line.order(verb="fetch", key=f"{key}{SUFFIX}")
    for chunk in line.content():
        told += chunk
        if len(told) > _LONGEST:
            raise FetchError("its record is damaged")
    try:
        record = decoded(told)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise FetchError("its record is damaged") from error
    # the key was shown; a record that speaks of another file is not believed
    if key_of(record.host, record.path, record.sha256) != key or not record.path.startswith("/"):
        raise FetchError("its record speaks of another file")
    return record


def _laid(record: Record, content: Callable[[], Iterator[bytes]]) -> None:
    """Lay a file down in its place; its content is asked for when it can go there."""
    above, _, name = record.path.rpartition("/")
    try:
        directory = filecalls.open_root(above or "/")
    except OSError as error:
        raise _refused(record.path, error) from error
    try:
        # told before it is fetched; link() tells it again
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        _written(record, content, directory, name)
    except OSError as error:
        raise _refused(record.path, error) from error
    else:
        raise FetchError(f"{clean(record.path, limit=300)}: {_WORDS[errno.EEXIST]}")
    finally:
        os.close(directory)


def _written(
    record: Record, content: Callable[[], Iterator[bytes]], directory: int, name: str
) -> None:
    path = record.path
    try:
        out = os.open(".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=directory)
    except OSError as error:
        raise _refused(path, error) from error
    try:
        if _poured(content(), out) != record.sha256:
            raise FetchError(f"{clean(path, limit=300)}: what is kept is not what was saved")
        _dress(out, record)
        os.fsync(out)
        os.link(f"/proc/self/fd/{out}", name, dst_dir_fd=directory, follow_symlinks=True)
        with suppress(OSError):
            os.fsync(directory)
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        os.close(out)


def _poured(content: Iterator[bytes], out: int) -> str:
    seen = hashlib.sha256()
    for chunk in content:
        filecontent.write(out, chunk)
        seen.update(chunk)
    return seen.hexdigest()


def _dress(out: int, record: Record) -> None:
    here = os.fstat(out)
    if (here.st_uid, here.st_gid) != (record.user, record.group):
        # who is not root gets it as their own
        with suppress(PermissionError):
            os.fchown(out, record.user, record.group)
    # rights of a program that runs as its owner are not given back from elsewhere
    os.fchmod(out, record.mode & 0o777)
    os.utime(out, ns=(record.modified, record.modified))


def _refused(path: str, error: OSError) -> FetchError:
    why = _WORDS.get(error.errno or 0, error.strerror)
    return FetchError(f"{clean(path, limit=300)}: {why}")
