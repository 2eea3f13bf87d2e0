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
from healmon.world import filecalls
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


@contextmanager
def opened(selection: Selection) -> Generator[Roots]:
    """Give a rule's directories, each opened once; those on another device are left out."""
    found = Roots()
    with ExitStack() as held:
        for path in selection.roots:
            try:
                fd = filecalls.open_root(path)
            except OSError as error:
                words = _WORDS.get(error.errno or 0, error.strerror)
                found.troubles.append(f"{clean(path)} {words}")
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


def avoided(selection: Selection) -> frozenset[Key]:
    """Return what no walk enters: what is protected, and where files are put aside."""
    keys: set[Key] = set()
    for path in (*selection.protected, selection.trash):
        with suppress(OSError):
            st = Path(path).stat()
            keys.add((st.st_dev, st.st_ino))
    return frozenset(keys)
