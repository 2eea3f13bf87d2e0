"""What lies aside for a rule: told, finished, emptied, taken back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial

from healmon.text import clean
from healmon.world import quarantine, restoring
from healmon.world.filedata import (
    FOREVER,
    Asides,
    Finished,
    Need,
    Restored,
    Selection,
    Swept,
    Tally,
    Trashed,
)
from healmon.world.fileuse import Users
from healmon.world.finishing import finish, judged
from healmon.world.pacing import Pacing
from healmon.world.quarantine import Quarantine
from healmon.world.roots import Root, opened


def _places(root: Root, selection: Selection) -> Iterator[Quarantine]:
    """Pass over the quarantines of a root that exist; each is closed when the next is asked for."""
    gives: tuple[Callable[[], Quarantine | None], ...] = (
        partial(quarantine.open_preferred, root.fd, selection.trash),
        partial(quarantine.open_local, root.fd, root.path, make=False),
        partial(quarantine.in_the_open, root.fd, root.path),
    )
    for give in gives:
        try:
            place = give()
        except OSError:
            continue
        if place is not None:
            with closing(place):
                yield place


def asides(selection: Selection) -> Asides:
    """Return what lies in quarantine for a rule; see `Files.asides`."""
    place, trouble = "", ""
    leftovers, trash, oldest = 0, Tally(), FOREVER
    with opened(selection) as at:
        for root in at.roots:
            for one in _places(root, selection):
                if one.private:
                    place = place or one.path
                leftovers += len(one.slots())
                for entry in one.entries():
                    inode = one.look(entry.name)
                    if entry.deed == "delete":
                        leftovers += 1
                    elif inode is not None:
                        trash = trash.plus(inode.held)
                        oldest = min(oldest, entry.when)
            place = place or f"{root.path}/{quarantine.local_name()}"
        trouble = next(iter(at.troubles), "")
    return Asides(
        place=place,
        leftovers=leftovers,
        trash=trash,
        oldest=None if oldest == FOREVER else oldest / 1e9,
        trouble=trouble,
    )


def finish_all(selection: Selection, users: Users, spares: Callable[[str], bool]) -> Finished:
    """Finish what a killed run had begun for a rule; see `Files.finish`."""
    removed = restored = 0
    troubles: list[str] = []
    with opened(selection) as at:
        for root in at.roots:
            for place in _places(root, selection):
                try:
                    place.prepare()
                except BlockingIOError:
                    troubles.append(f"{clean(place.path)}: another cleaner is at work there")
                    continue
                done = finish(place, users, root.kind, spares)
                removed += done.removed
                restored += done.restored
                troubles += done.troubles
    return Finished(removed=removed, restored=restored, troubles=tuple(troubles))


def empty(
    selection: Selection,
    need: Need,
    users: Users,
    before: float | None,
    pacing: Pacing,
) -> Swept:
    """Remove what was put aside, oldest first, until the need is met; see `Files.empty`."""
    taken, kept = Tally(), Counter[str]()
    with opened(selection) as at:
        for root in at.roots:
            for place in _places(root, selection):
                with suppress(BlockingIOError):
                    place.prepare()
                    taken = _emptied(place, root.kind, need, taken, kept, users, before, pacing)
    return Swept(rule=selection.rule, taken=taken, kept=dict(kept))


def _emptied(
    place: Quarantine,
    kind: str,
    need: Need,
    taken: Tally,
    kept: Counter[str],
    users: Users,
    before: float | None,
    pacing: Pacing,
) -> Tally:
    line = FOREVER if before is None else int(before * 1e9)
    trash = [e for e in place.entries() if e.deed == "trash" and e.when < line]
    for entry in sorted(trash, key=lambda entry: (entry.when, entry.modified)):
        if need.less(taken.held, taken.files).met or pacing.stop():
            break
        inode = place.look(entry.name)
        if inode is None or not judged(place, entry, users, kind):
            kept["open"] += 1
            continue
        place.remove(entry.name)
        pacing.rest()
        taken = taken.plus(inode.held)
    if trash and place.private:
        place.tidy()
    return taken


def trashed(selection: Selection, most: int) -> tuple[Trashed, ...]:
    """Return what can be taken back, the newest first; see `Files.trashed`."""
    found: dict[tuple[str, str], Trashed] = {}
    with opened(selection) as at:
        for root in at.roots:
            for place in _places(root, selection):
                for one in restoring.listed(place):
                    found[one.place, one.id] = one
    return tuple(sorted(found.values(), key=lambda one: (-one.when, one.path))[:most])


def restore(selection: Selection, wanted: str) -> Restored:
    """Take back one file or all of one sweep; see `Files.restore`."""
    back, paths, troubles = Tally(), list[str](), list[str]()
    with opened(selection) as at:
        for root in at.roots:
            for place in _places(root, selection):
                done = restoring.restore(place, wanted)
                back = back.plus(done.back.held, done.back.files)
                paths += done.paths
                troubles += done.troubles
    return Restored(back=back, paths=tuple(paths), troubles=tuple(troubles))
