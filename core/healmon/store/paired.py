"""Whether the files that bear a store's names are together the ones that its healer has open.

SQLite finds a -wal and a -shm by their names. Who opens a database that was put there beside the
-wal of the healer's own writes that into it, and what is queued in it, too, and deletes it in the
end. Asked of /proc: nothing is opened, and no lock taken.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from healmon.store.asides import FAMILY, size


def usable(path: Path, pid: int) -> bool:
    """Return whether a store may be opened: its healer has all of it open, or none.

    If it has none, nothing must lie beside the database: whose that is cannot be told.

    Args:
        path: the database.
        pid: of the healer; 0: there is none.
    """
    count = _count(path, pid)
    if count == 0:
        return size(path) >= 0 >= size(path, "-wal")
    return count in {None, len(FAMILY)}


def whole(path: Path, pid: int) -> bool:
    """Return whether a process has all three files open that bear the names of a store.

    Also where that cannot be told.
    """
    return _count(path, pid) in {None, len(FAMILY)}


def _count(path: Path, pid: int) -> int | None:
    """Return how many of the files that bear a store's names a process has open.

    None: it has ended, is another user's, or another container's; or it is this one, where what is
    open may be who asks.
    """
    if pid == os.getpid():
        return None
    try:
        table = os.listdir(f"/proc/{pid}/fd")  # noqa: PTH208 - names
    except OSError:
        return None
    names = {f"{path.name}{end}": f"{path}{end}" for end in FAMILY}
    return len({name for fd in table if (name := _named(f"/proc/{pid}/fd/{fd}", names))})


def _named(link: str, names: dict[str, str]) -> str:
    """Return which of the names a descriptor's file bears; empty: none."""
    with contextlib.suppress(OSError):
        # by its text first: other files may be on a mount that hangs
        name = os.readlink(link).rpartition("/")[2]  # noqa: PTH115 - a link that is no path
        if name in names and os.path.samestat(os.stat(link), os.stat(names[name])):  # noqa: PTH116 - likewise
            return name
    return ""
