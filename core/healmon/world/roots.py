"""The directories of a rule, opened, and what no walk below them enters."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from healmon.text import clean
from healmon.world import farmounts, filecalls
from healmon.world.filedata import Key, Selection
from healmon.world.filematch import OPT_OUT
from healmon.world.filewalk import is_there

_WORDS: Final = {
    errno.ELOOP: "goes through a symbolic link: name the real directory",
    errno.ENOENT: "does not exist",
    errno.ENOTDIR: "is no directory",
}


@dataclass(frozen=True, slots=True)
class Root:
    """An open directory of a rule."""

    fd: int
    path: str
    kind: str


@dataclass(slots=True)
class Roots:
    """The directories of a rule that can be had, and why others cannot."""

    roots: list[Root] = field(default_factory=list[Root])
    troubles: list[str] = field(default_factory=list[str])
    refused: list[str] = field(default_factory=list[str])


@contextmanager
def opened(selection: Selection) -> Generator[Roots]:
    """Give a rule's directories, each opened once; those on another device are left out."""
    found = Roots()
    mounts = farmounts.mounts()
    with ExitStack() as held:
        for path in selection.roots:
            if _elsewhere(mounts, path, selection):
                continue
            try:
                fd = filecalls.open_root(path)
            except OSError as error:
                words = _WORDS.get(error.errno or 0, error.strerror)
                found.troubles.append(f"{clean(path)} {words}")
                if error.errno == errno.ELOOP:
                    found.refused.append(found.troubles[-1])
                continue
            held.callback(os.close, fd)
            if selection.device not in {None, os.fstat(fd).st_dev}:
                continue
            if os.path.samestat(os.fstat(fd), Path("/").stat()):
                found.troubles.append(f"{clean(path)} is the root of the file system")
                continue
            if any(path.startswith(f"{root.path}/") for root in found.roots):
                continue
            found.roots.append(Root(fd, path, filecalls.kind_of(fd)))
        yield found


def shut(
    root: Root, selection: Selection, enters: Callable[[str, str], str], avoid: frozenset[Key]
) -> str:
    """Return why no walk begins at a root, by what is above it; empty: one may.

    Args:
        root: one of the selection's.
        selection: the rule.
        enters: says of a directory below one that the rule names why it is not entered.
        avoid: directories that are never entered.
    """
    if selection.ours:
        return ""
    return shut_between(root.path, selection.named, enters) or _shut_above(root.fd, avoid)


def shut_between(path: str, named: tuple[str, ...], enters: Callable[[str, str], str]) -> str:
    """Return why a walk from a directory that a rule names would not come to this one; or empty.

    With several that it lies below, one way down to it is enough.
    """
    reason = ""
    for above in named:
        if path == above:
            return ""
        if not path.startswith(f"{above.rstrip('/')}/"):
            continue
        parts = path[len(above) :].strip("/").split("/")
        ways = [enters(name, "/".join(parts[: n + 1])) for n, name in enumerate(parts)]
        reason = next(filter(None, ways), "")
        if not reason:
            return ""
    return reason


def _shut_above(fd: int, avoid: frozenset[Key]) -> str:
    """Return why one of the directories above keeps all below it from every rule; or empty.

    Asked of what is really above it: a protected path may be another name of one of them.
    """
    here, last = os.dup(fd), None
    try:
        while True:
            try:
                up = os.open("..", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=here)
            except OSError:
                return "unknown"
            os.close(here)
            here = up
            st = os.fstat(here)
            key = st.st_dev, st.st_ino
            if key == last:
                return ""
            if key in avoid:
                return "protected"
            if is_there(here, OPT_OUT):
                return "opted out"
            last = key
    finally:
        os.close(here)


def _elsewhere(mounts: farmounts.Mounts, path: str, selection: Selection) -> bool:
    """Return whether a path is on a far mount that is not meant: it is not even looked at."""
    return selection.device is not None and mounts.far(path) not in {None, selection.device}


def avoided(selection: Selection) -> frozenset[Key]:
    """Return what no walk enters: what is protected, and where files are put aside."""
    keys: set[Key] = set()
    mounts = farmounts.mounts()
    for path in (*selection.protected, selection.trash):
        if _elsewhere(mounts, path, selection):
            continue  # no walk leaves its mount
        with suppress(OSError):
            st = Path(path).stat()
            keys.add((st.st_dev, st.st_ino))
    return frozenset(keys)
