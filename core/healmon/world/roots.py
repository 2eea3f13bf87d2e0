"""The directories of a rule, opened, and what no walk below them enters."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from healmon.text import clean
from healmon.world import farmounts, filecalls
from healmon.world.filedata import Key, Selection

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
