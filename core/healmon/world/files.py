"""The door to file systems: how full they are, what lies there, and taking files away.

Files are taken through directory descriptors only, never by path; each is judged by its inode,
asked whether it is in use, set aside under a private name and looked at again before it goes. No
step needs free space, so all of it works on a disk that has not one block left.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import closing
from typing import Final, Protocol

from healmon.clock import process_seconds
from healmon.errors import ProbeError
from healmon.text import clean
from healmon.world import asides, filecalls, quarantine, saving, sweeping
from healmon.world.farmounts import Changes, mounts
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
    Trashed,
    Usage,
)
from healmon.world.fileuse import Users
from healmon.world.filewalk import Walk
from healmon.world.pacing import Pacing

NOTHING_PASSED: Final[frozenset[Key]] = frozenset()


def spares_none(_path: str) -> bool:
    """Spare no file: nobody has changed the rules."""
    return False


class Files(Protocol):
    """Everything healmon does with file systems. Calls may block: make them in Hands."""

    def space(self, path: str) -> Space:
        """Return how full the file system of a directory is.

        Raises:
            ProbeError: it cannot be told.
        """
        ...

    def usage(self, path: str, limits: Limits) -> Usage:
        """Return what a directory tree occupies, as `du -x` counts it.

        Raises:
            ProbeError: it cannot be told.
        """
        ...

    def mounted(self, point: str) -> bool:
        """Return whether anything is mounted at a path; True where it cannot be told."""
        ...

    def survey(
        self,
        selection: Selection,
        when: float,
        limits: Limits,
        *,
        need: Need | None = None,
        passed: frozenset[Key] = NOTHING_PASSED,
    ) -> Survey:
        """Return what a rule would take now. Touches nothing, opens no file.

        Args:
            selection: the rule.
            when: wall seconds that count as now.
            limits: how far each walk may go.
            need: choose the oldest that meet it; None: all that is due.
            passed: files not to choose again.
        """
        ...

    def sweep(
        self,
        selection: Selection,
        choice: Choice,
        deed: Deed,
        when: float,
        limits: Limits,
        stop: Callable[[], bool],
        *,
        passed: frozenset[Key] = NOTHING_PASSED,
    ) -> Swept:
        """Take the chosen files: remove them, or put them aside.

        Args:
            selection: the rule.
            choice: of a survey made right before.
            deed: what becomes of them.
            when: wall seconds that count as now.
            limits: how far each walk may go.
            stop: asked before each file; True ends the sweep.
            passed: files that stayed in this run already: not asked again.
        """
        ...

    def asides(self, selection: Selection) -> Asides:
        """Return what lies where a rule's files are put aside. Touches nothing."""
        ...

    def finish(self, selection: Selection, spares: Callable[[str], bool] = spares_none) -> Finished:
        """Finish what a killed run had begun: remove what was judged, put back the rest.

        Args:
            selection: the rule.
            spares: whether the rules of today leave a file at this path alone: it is put back.
        """
        ...

    def empty(
        self,
        selection: Selection,
        need: Need,
        stop: Callable[[], bool],
        *,
        before: float | None = None,
        per_second: int = 0,
    ) -> Swept:
        """Remove what a rule put aside, oldest first, until the need is met.

        Args:
            selection: the rule.
            need: what is to be freed.
            stop: asked before each file; True ends it.
            before: only what was put aside before this wall second; None: all of it.
            per_second: how many may go in a second; 0: any number.
        """
        ...

    def trashed(self, selection: Selection, most: int) -> tuple[Trashed, ...]:
        """Return what a rule put aside and can be taken back, the newest first; at most so many."""
        ...

    def restore(self, selection: Selection, wanted: str) -> Restored:
        """Take back what was put aside, never over anything that stands there now.

        Args:
            selection: the rule.
            wanted: the id of a file, or of a run: all that one sweep put aside.
        """
        ...

    def make_trash(self, path: str) -> None:
        """Make healmon's own directory to put files aside in, while there is room for it.

        Raises:
            OSError: it cannot be made.
        """
        ...

    def settle(self, path: str) -> None:
        """Let a file system finish freeing what was removed (xfs and btrfs put it off)."""
        ...


class SystemFiles:
    """The machine's file systems. Safe from any thread."""

    def __init__(self) -> None:
        self._users = Users()
        self._mounted = Changes()
        self._seats: dict[tuple[str, int], tuple[str, str]] = {}

    def space(self, path: str) -> Space:
        """Return how full the file system of a directory is.

        Raises:
            ProbeError: it cannot be told.
        """
        try:
            # O_DIRECTORY lets an automounter mount what is asked for
            fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise ProbeError(f"{clean(path)}: {error.strerror}") from error
        try:
            st, told = os.fstat(fd), os.statvfs(fd)
            kind, mount = self._seat(path, st.st_dev, fd)
            real = filecalls.real_of(fd)
        except OSError as error:
            raise ProbeError(f"{clean(path)}: {error.strerror}") from error
        finally:
            os.close(fd)
        return Space(
            device=st.st_dev,
            fsid=told.f_fsid,
            kind=clean(kind),
            mount=mount,
            real=real,
            readonly=bool(told.f_flag & os.ST_RDONLY),
            size=told.f_blocks * told.f_frsize,
            used=(told.f_blocks - told.f_bfree) * told.f_frsize,
            available=told.f_bavail * told.f_frsize,
            inodes=told.f_files,
            inodes_free=told.f_ffree,
        )

    def _seat(self, path: str, device: int, fd: int) -> tuple[str, str]:
        """Return the type of a file system, and where it is mounted; read again once any was."""
        if self._mounted.any():
            self._seats.clear()
        known = self._seats.get((path, device), ("", ""))
        if not all(known):
            known = self._seats[path, device] = filecalls.seat_of(fd)
        return known

    def mounted(self, point: str) -> bool:
        """Return whether anything is mounted at a path; True where it cannot be told."""
        return mounts().has(point)

    def usage(self, path: str, limits: Limits) -> Usage:
        """Return what a directory tree occupies, as `du -x` counts it.

        Raises:
            ProbeError: it cannot be told.
        """
        began = process_seconds()
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise ProbeError(f"{clean(path)}: {error.strerror}") from error
        try:
            device = os.fstat(fd).st_dev
            _, mount = self._seat(path, device, fd)
            real = filecalls.real_of(fd)
            walk = Walk(fd, limits)
            held = _held(walk)
        finally:
            os.close(fd)
        partial = walk.stopped
        unseen = walk.skipped["unreadable"] + walk.skipped["deep"]
        if unseen and not partial:
            partial = f"{unseen} of its directories could not be read"
        return Usage(
            device=device,
            held=held + walk.held,
            entries=walk.entries,
            partial=partial,
            seconds=process_seconds() - began,
            mount=mount,
            real=real,
        )

    def survey(
        self,
        selection: Selection,
        when: float,
        limits: Limits,
        *,
        need: Need | None = None,
        passed: frozenset[Key] = NOTHING_PASSED,
    ) -> Survey:
        """Return what a rule would take now. Touches nothing, opens no file."""
        return sweeping.survey(selection, when, limits, need, passed)

    def sweep(
        self,
        selection: Selection,
        choice: Choice,
        deed: Deed,
        when: float,
        limits: Limits,
        stop: Callable[[], bool],
        *,
        passed: frozenset[Key] = NOTHING_PASSED,
    ) -> Swept:
        """Take the chosen files: remove them, or put them aside."""
        try:
            return sweeping.Sweep(
                selection, choice, deed, when, limits, stop, self._users, passed
            ).run()
        finally:
            saving.DEPOTS.rest()

    def asides(self, selection: Selection) -> Asides:
        """Return what lies where a rule's files are put aside. Touches nothing."""
        return asides.asides(selection)

    def finish(self, selection: Selection, spares: Callable[[str], bool] = spares_none) -> Finished:
        """Finish what a killed run had begun: remove what was judged, put back the rest."""
        return asides.finish_all(selection, self._users, spares)

    def empty(
        self,
        selection: Selection,
        need: Need,
        stop: Callable[[], bool],
        *,
        before: float | None = None,
        per_second: int = 0,
    ) -> Swept:
        """Remove what a rule put aside, oldest first, until the need is met."""
        pacing = Pacing(per_second, stop)
        return asides.empty(selection, need, self._users, before, pacing)

    def trashed(self, selection: Selection, most: int) -> tuple[Trashed, ...]:
        """Return what a rule put aside and can be taken back, the newest first."""
        return asides.trashed(selection, most)

    def restore(self, selection: Selection, wanted: str) -> Restored:
        """Take back what was put aside, never over anything that stands there now."""
        return asides.restore(selection, wanted)

    def make_trash(self, path: str) -> None:
        """Make healmon's own directory to put files aside in.

        Raises:
            OSError: it cannot be made.
        """
        quarantine.make_private(path)

    def settle(self, path: str) -> None:
        """Let a file system finish freeing what was removed."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise ProbeError(f"{clean(path)}: {error.strerror}") from error
        try:
            filecalls.sync(fd)
        finally:
            os.close(fd)


def _held(walk: Walk) -> int:
    """Return the bytes of all files of a walk; a file with several names counts once."""
    held = 0
    seen: set[Key] = set()
    with closing(iter(walk)) as files:
        for found in files:
            if found.st.st_nlink > 1 and not stat.S_ISDIR(found.st.st_mode):
                if found.key in seen:
                    continue
                seen.add(found.key)
            held += found.held
    return held
