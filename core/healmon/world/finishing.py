"""What a run that was killed had begun: what was judged is removed, what was not goes back."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

from healmon.text import clean
from healmon.world import filecalls, slots
from healmon.world.filedata import Finished, Inode
from healmon.world.fileuse import Users
from healmon.world.manifest import Origin
from healmon.world.quarantine import Entry, Quarantine


def finish(
    quarantine: Quarantine, users: Users, kind: str, spares: Callable[[str], bool]
) -> Finished:
    """Remove what was judged, put back what was not, or would not be taken any more.

    Args:
        quarantine: open and prepared.
        users: who tells whether a file is in use.
        kind: type of the file system.
        spares: whether the rules of today leave a file at this path alone.
    """
    done: Counter[str] = Counter()
    troubles: list[str] = []
    alone = _alone(quarantine, users, kind, spares)
    for name, became in (*alone, *_in_slots(quarantine, users, kind, spares)):
        done[became] += 1
        if became == "kept":
            place = f"{clean(quarantine.path)}/{name}"
            troubles.append(f"{place} is not the file that was to go, or is in use: it is kept")
    return Finished(removed=done["removed"], restored=done["restored"], troubles=tuple(troubles))


def judged(quarantine: Quarantine, entry: Entry, users: Users, kind: str) -> bool:
    """Return whether an entry is the file that its name says, and nobody uses it."""
    here = quarantine.stat(entry.name)
    return (
        here is not None
        and _as_named(filecalls.inode_of(here), entry)
        and _unused(quarantine, entry.name, here, users, kind)
    )


def _alone(
    quarantine: Quarantine, users: Users, kind: str, spares: Callable[[str], bool]
) -> list[tuple[str, str]]:
    """Finish entries with names of their own; returns what became of each."""
    intended = quarantine.intended()
    found: list[tuple[str, str]] = []
    for entry in list(quarantine.entries()):
        if entry.deed != "delete":
            continue
        became = "kept"
        origin = intended if intended is not None and intended.entry == entry.name else None
        spared = origin is not None and spares(origin.path)
        if not spared and judged(quarantine, entry, users, kind):
            quarantine.remove(entry.name)
            became = "removed"
        elif origin is not None:
            became = "restored" if _returned(quarantine, origin) else "kept"
        found.append((entry.name, became))
    return found


def _in_slots(
    quarantine: Quarantine, users: Users, kind: str, spares: Callable[[str], bool]
) -> list[tuple[str, str]]:
    """Finish what lies in slots; returns what became of each."""
    names = quarantine.slots()
    if not names:
        return []
    batches = slots.written(quarantine.fd)
    found: list[tuple[str, str]] = []
    for name in names:
        here = quarantine.stat(name)
        if here is None:
            continue
        became = "kept"
        origin = slots.origin(batches, name)
        is_judged = slots.judged(batches, name, filecalls.inode_of(here))
        if origin is not None and spares(origin.path):
            is_judged = False
        if is_judged and _unused(quarantine, name, here, users, kind):
            quarantine.remove(name)
            became = "removed"
        elif origin is not None and _returned(quarantine, origin):
            became = "restored"
        found.append((name, became))
    slots.forget(quarantine.fd)
    return found


def _unused(
    quarantine: Quarantine, name: str, here: os.stat_result, users: Users, kind: str
) -> bool:
    fd, _ = users.hold(quarantine.fd, name, here, kind)
    if fd >= 0:
        os.close(fd)
    return fd >= 0


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
