"""File systems that live in memory, for tests and made-up worlds.

The same rules judge names, ages and choices as on the real ones; what a kernel would answer about
a file (in use, locked) is told by verbs.
"""

from __future__ import annotations

import stat
import threading
from collections import Counter
from collections.abc import Callable, Iterator

from healmon.errors import ProbeError
from healmon.world.cutting import oldest_first, stamp
from healmon.world.fileages import Add, Allowance, choose
from healmon.world.filedata import (
    Asides,
    Choice,
    Deed,
    Finished,
    Key,
    Limits,
    Need,
    Restored,
    Selection,
    Space,
    Survey,
    Swept,
    Tally,
    Trashed,
    Usage,
)
from healmon.world.filematch import Matcher
from healmon.world.files import NOTHING_PASSED, spares_none
from healmon.world.simulated.parts.files import Aside, Disk, File, Run, matching, staying
from healmon.world.squeezing import SUFFIXES


class SimulatedFiles:
    """The twin of `SystemFiles`, with verbs for what others do to disks and files."""

    def __init__(self) -> None:
        self._disks: dict[str, Disk] = {}
        self._directories: set[str] = set()
        self._files: dict[str, File] = {}
        self._asides: list[Aside] = []
        self._hanging: dict[str, threading.Event] = {}
        self._refused: dict[str, str] = {}
        self._number = 0

    # what healmon asks

    def space(self, path: str) -> Space:
        """Return how full the disk of a directory is.

        Raises:
            ProbeError: there is none, or it was told to refuse.
        """
        self._ask(path)
        mount = self._mount_of(path)
        disk = self._disks[mount]
        held = disk.others + disk.unsettled
        held += sum(file.held for at, file in self._files.items() if self._mount_of(at) == mount)
        held += sum(aside.file.held for aside in self._asides if aside.disk == mount)
        files = sum(self._mount_of(at) == mount for at in self._files)
        files += sum(aside.disk == mount for aside in self._asides)
        return disk.space(mount, path, held, files)  # there are no links

    def usage(self, path: str, limits: Limits) -> Usage:
        """Return what a directory tree occupies.

        Raises:
            ProbeError: there is none, or it was told to refuse.
        """
        self._ask(path)
        if not self._exists(path):
            raise ProbeError(f"{path}: No such file or directory")
        below = [file for at, file in self._files.items() if at.startswith(f"{path}/")]
        below += [aside.file for aside in self._asides if aside.place.startswith(f"{path}/")]
        seen = below[: limits.entries]
        partial = f"stopped after {limits.entries} entries" if len(seen) < len(below) else ""
        held = sum({file.number: file.held for file in seen}.values())
        at = self._mount_of(path)
        device, count = self._disks[at].number, len(seen)
        return Usage(device=device, held=held, entries=count, partial=partial, mount=at, real=path)

    def mounted(self, point: str) -> bool:
        """Return whether a disk is mounted at a path."""
        return point in self._disks

    def survey(
        self,
        selection: Selection,
        when: float,
        limits: Limits,
        *,
        need: Need | None = None,
        passed: frozenset[Key] = NOTHING_PASSED,
    ) -> Survey:
        """Return what a rule would take now."""
        del limits
        kept: Counter[str] = Counter()

        def walk(add: Add) -> None:
            kept.clear()
            for root, at, file in self._matching(selection, when):
                inode = file.inode(self._disks[self._mount_of(at)].number)
                reason = staying(self._files, selection, when, root, at, inode)
                if inode.key in passed:
                    continue
                if reason:
                    kept[reason] += 1
                else:
                    add(inode.newest, inode.held)

        chosen = choose(walk, need)
        return Survey(
            rule=selection.rule,
            roots=len(self._roots(selection)),
            due=chosen.due,
            chosen=chosen.chosen,
            choice=chosen.choice,
            oldest=chosen.oldest / 1e9,
            kept=dict(kept),
            troubles=tuple(f"{r} does not exist" for r in selection.roots if not self._exists(r)),
        )

    def sweep(
        self,
        selection: Selection,
        choice: Choice,
        deed: Deed,
        when: float,
        limits: Limits,  # noqa: ARG002 - no time passes here
        stop: Callable[[], bool],
        *,
        passed: frozenset[Key] = NOTHING_PASSED,
    ) -> Swept:
        """Take the chosen files."""
        allowance, run, partial = Allowance(choice), Run(), ""
        for root, at, file in list(self._matching(selection, when)):
            inode = file.inode(self._disks[self._mount_of(at)].number)
            due = not staying(self._files, selection, when, root, at, inode)
            if not due or inode.key in passed or not allowance.takes(inode.newest, inode.held):
                continue
            if stop():
                partial = "called off"
                break
            if file.use and (deed, file.use) != ("truncate", "open"):
                run.kept[file.use] += 1
                run.passed.add(inode.key)
                continue
            freed = inode.held - self._take(selection, root, at, deed, when)
            allowance.went(inode.newest, freed)
            run.taken = run.taken.plus(freed)
            run.names.append(at.removeprefix(f"{root}/"))
        if allowance.over:
            run.kept["over the limit of one run"] = allowance.over
        return run.told(selection.rule, partial)

    def asides(self, selection: Selection) -> Asides:
        """Return what lies where a rule's files are put aside."""
        found: list[Aside] = []
        place = ""
        for root in self._roots(selection):
            place = place or self._place(selection, root)
            here = {self._place(selection, root), f"{root}/.healmon-trash-0"}
            found += [aside for aside in self._asides if aside.place in here]
        trash = Tally()
        for aside in found:
            if aside.deed == "trash":
                trash = trash.plus(aside.file.held)
        leftovers = sum(aside.deed == "delete" for aside in found)
        oldest = min((a.when for a in found if a.deed == "trash"), default=None)
        return Asides(place=place, leftovers=leftovers, trash=trash, oldest=oldest)

    def finish(self, selection: Selection, spares: Callable[[str], bool] = spares_none) -> Finished:
        """Finish what a killed run had begun."""
        places = {self._place(selection, root) for root in self._roots(selection)}
        places |= {f"{root}/.healmon-trash-0" for root in self._roots(selection)}
        mine = [a for a in self._asides if a.place in places and a.deed == "delete"]
        back = [a for a in mine if a.swapped or spares(a.origin)]
        for aside in mine:
            self._asides.remove(aside)
            if aside in back:
                self._files[aside.origin] = aside.file
            else:
                self._free(aside.disk, aside.file.held)
        return Finished(removed=len(mine) - len(back), restored=len(back))

    def empty(
        self,
        selection: Selection,
        need: Need,
        stop: Callable[[], bool],
        *,
        before: float | None = None,
        per_second: int = 0,  # noqa: ARG002 - no time passes here
    ) -> Swept:
        """Remove what a rule put aside, oldest first, until the need is met."""
        taken = Tally()
        mine = [a for a in self._trash(selection) if before is None or a.when < before]
        for aside in mine:
            if need.less(taken.held, taken.files).met or stop():
                break
            self._asides.remove(aside)
            self._free(aside.disk, aside.file.held)
            taken = taken.plus(aside.file.held)
        return Swept(rule=selection.rule, taken=taken)

    def trashed(self, selection: Selection, most: int) -> tuple[Trashed, ...]:
        """Return what a rule put aside and can be taken back, the newest first."""
        mine = sorted(self._trash(selection), key=lambda aside: (-aside.when, aside.origin))
        return tuple(aside.told(selection.rule) for aside in mine[:most])

    def restore(self, selection: Selection, wanted: str) -> Restored:
        """Take back what was put aside, never over anything that stands there now."""
        back, paths, troubles = Tally(), list[str](), list[str]()
        for aside in self._trash(selection):
            if wanted not in aside.names:
                continue
            if aside.origin in self._files:
                troubles.append(f"{aside.origin}: something else stands there now")
                continue
            self._asides.remove(aside)
            self._files[aside.origin] = aside.file
            back = back.plus(aside.file.held)
            paths.append(aside.origin)
        return Restored(back=back, paths=tuple(paths), troubles=tuple(troubles))

    def _trash(self, selection: Selection) -> list[Aside]:
        places = {self._place(selection, root) for root in self._roots(selection)}
        mine = [a for a in self._asides if a.place in places and a.deed == "trash"]
        return sorted(mine, key=lambda aside: (aside.when, aside.file.newest))

    def make_trash(self, path: str) -> None:
        """Make healmon's own directory to put files aside in."""
        self._directories.add(path)

    def settle(self, path: str) -> None:
        """Let a disk finish freeing what was removed."""
        self._disks[self._mount_of(path)].unsettled = 0

    # what happens to disks and files

    def add_disk(
        self, mount: str, size: int, *, reserved: int = 0, inodes: int = 0, lazy: bool = False
    ) -> None:
        """Mount a disk; a lazy one frees nothing before it is settled."""
        self._disks[mount] = Disk(len(self._disks) + 1, size, reserved, inodes, lazy)

    def fill(self, mount: str, held: int) -> None:
        """Let others hold so many bytes of a disk, out of everybody's reach."""
        self._disks[mount].others = held

    def unmount(self, mount: str) -> None:
        """Take a disk away; the same files lie in the directory below it."""
        del self._disks[mount]

    def make_readonly(self, mount: str) -> None:
        """Remount a disk read-only."""
        self._disks[mount].readonly = True

    def write(self, path: str, held: int, newest: float) -> None:
        """Make a file that was touched last at this wall second, or change it."""
        self._number += 1
        self._files[path] = File(self._number, held, int(newest * 1e9))
        self._directories.add(path.rpartition("/")[0])

    def remove(self, path: str) -> None:
        """Delete a file."""
        self._free(self._mount_of(path), self._files.pop(path).held)

    def use(self, path: str, how: str) -> None:
        """Let a file be in use: `open`, `locked`; empty: no more."""
        self._files[path].use = how

    def own(self, path: str, user: int) -> None:
        """Give a file to a user, by number."""
        self._files[path].owner = user

    def link(self, path: str, other: str) -> None:
        """Give a file a second name."""
        file = self._files[path]
        file.links += 1
        self._files[other] = file

    def make_special(self, path: str) -> None:
        """Turn a file into a FIFO."""
        self._files[path].mode = stat.S_IFIFO | 0o644

    def interrupt(self, selection: Selection, path: str, *, swapped: bool = False) -> None:
        """Leave a file where a run that was killed right after setting it aside leaves it."""
        root = next(root for root in selection.roots if path.startswith(f"{root}/"))
        self._take(selection, root, path, "delete", 0.0, swapped=swapped, killed=True)

    def hang(self, path: str) -> threading.Event:
        """Let every question about a path hang until the returned event is set."""
        self._hanging[path] = threading.Event()
        return self._hanging[path]

    def refuse(self, path: str, reason: str) -> None:
        """Let every question about a path fail; an empty reason: no more."""
        self._refused[path] = reason

    @property
    def paths(self) -> list[str]:
        """Every file that is in its place."""
        return sorted(self._files)

    # how it works

    def _ask(self, path: str) -> None:
        event = self._hanging.get(path)
        if event is not None:
            event.wait()
        if self._refused.get(path):
            raise ProbeError(f"{path}: {self._refused[path]}")

    def _mount_of(self, path: str) -> str:
        mounts = [m for m in self._disks if path == m or path.startswith(f"{m.rstrip('/')}/")]
        if not mounts:
            raise ProbeError(f"{path}: No such file or directory")
        return max(mounts, key=len)

    def _exists(self, path: str) -> bool:
        return path in self._disks or any(
            at == path or at.startswith(f"{path}/") for at in (*self._files, *self._directories)
        )

    def _roots(self, selection: Selection) -> list[str]:
        return [
            root
            for root in selection.roots
            if self._exists(root)
            and selection.device in {None, self._disks[self._mount_of(root)].number}
        ]

    def _matching(self, selection: Selection, when: float) -> Iterator[tuple[str, str, File]]:
        for root in self._roots(selection):
            here = {
                at: file
                for at, file in self._files.items()
                if at.startswith(f"{root}/") and self._mount_of(at) == self._mount_of(root)
            }
            for at in matching(here, self._files, root, selection, Matcher(selection, when)):
                yield root, at, self._files[at]

    def _place(self, selection: Selection, root: str) -> str:
        own = selection.trash
        if own in self._directories and self._mount_of(own) == self._mount_of(root):
            return own
        return f"{root}/.healmon-trash-0"

    def _take(
        self,
        selection: Selection,
        root: str,
        path: str,
        deed: Deed,
        when: float,
        *,
        swapped: bool = False,
        killed: bool = False,
    ) -> int:
        """Take a file; returns what stands there instead of it (compressed, cut)."""
        mount = self._mount_of(path)
        if deed == "truncate":
            return self._cut(selection, mount, path, when)
        file = self._files.pop(path)
        if deed == "compress":
            self.write(f"{path}{SUFFIXES[selection.compression]}", file.held // 4, when)
        if deed != "trash" and not killed:
            left = file.held // 4 if deed == "compress" else 0
            self._free(mount, file.held - left)
            return left
        place = self._place(selection, root)
        self._asides.append(Aside(file, path, mount, place, deed, when, swapped))
        return 0

    def _cut(self, selection: Selection, mount: str, path: str, when: float) -> int:
        file = self._files[path]
        held, file.held = file.held, 0
        self.write(f"{path}.{stamp(when)}{SUFFIXES[selection.compression]}", held // 4, when)
        self._free(mount, held - held // 4)
        copies = [at for at in self._files if at.startswith(f"{path}.2")]
        keep = selection.copies or len(copies)
        for old in oldest_first(copies, path, stamp(when))[:-keep]:
            self.remove(old)
        return held // 4

    def _free(self, mount: str, held: int) -> None:
        if self._disks[mount].lazy:
            self._disks[mount].unsettled += held
