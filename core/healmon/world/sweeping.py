"""Surveys and sweeps of the machine's directories for one rule.

A survey walks and reads stats only. A sweep walks again, judges each file anew and takes the
chosen ones. Roots are opened first and held, so that both speak of the same directories.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from healmon.text import clean
from healmon.world import farmounts, filecalls, quarantine
from healmon.world.fileages import Add, Allowance, choose
from healmon.world.filedata import (
    Choice,
    Deed,
    Key,
    Limits,
    Need,
    Selection,
    Survey,
    Swept,
    Tally,
)
from healmon.world.filekeep import Newest
from healmon.world.filematch import OPT_OUT, Matcher
from healmon.world.fileuse import Users
from healmon.world.filewalk import Found, Walk
from healmon.world.removal import ElsewhereError, Remover

NAMES: Final = 20
"""How many names a report gives."""
OVER: Final = "over the limit of one run"
"""Why files stay that were chosen, but are more than may go at once."""
_TOLD: Final = ("locked", "unknown", "unreadable", "mount", "deep", "swapped", "opted out")
_PASSED: Final = 100_000
"""How many files that stayed are remembered within one run."""
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


def survey(
    selection: Selection,
    when: float,
    limits: Limits,
    need: Need | None,
    passed: frozenset[Key],
) -> Survey:
    """Return what a rule would take now; see `Files.survey`."""
    matcher = Matcher(selection, when)
    avoid = _avoided(selection)
    counts: list[Counter[str]] = []
    stopped: list[str] = []

    with opened(selection) as at:

        def walk(add: Add) -> None:
            kept: Counter[str] = Counter()
            spared = Newest(selection.keep_newest, matcher.wants)
            for root in at.roots:
                way = _way(root, matcher, limits, avoid)
                for found in _due(way, matcher, kept, avoid, spared, passed):
                    add(found.inode.newest, found.inode.held)
                kept.update(way.skipped)
                stopped.append(way.stopped)
            counts.append(kept)

        chosen = choose(walk, need)
    return Survey(
        rule=selection.rule,
        roots=len(at.roots),
        due=chosen.due,
        chosen=chosen.chosen,
        choice=chosen.choice,
        kept=dict(counts[0]),
        troubles=tuple(at.troubles),
        refused=tuple(at.refused),
        partial=next(filter(None, stopped), ""),
    )


def _way(
    root: Root,
    matcher: Matcher,
    limits: Limits,
    avoid: frozenset[Key],
    stop: Callable[[], bool] | None = None,
    *,
    locking: bool = False,
) -> Walk:
    return Walk(
        root.fd,
        limits,
        wants=matcher.wants,
        enters=matcher.enters,
        avoid=avoid,
        locking=locking,
        stop=stop,
        optout=OPT_OUT,
    )


def _due(
    walk: Walk,
    matcher: Matcher,
    kept: Counter[str],
    avoid: frozenset[Key],
    spared: Newest,
    passed: frozenset[Key] = frozenset(),
) -> Generator[Found]:
    with closing(iter(walk)) as files:
        for found in files:
            if found.inode.key in passed:
                continue
            reason = matcher.keeps(found.name, found.path, found.inode)
            if not reason and found.inode.key in avoid:
                reason = "protected"
            if not reason and spared.has(found):
                reason = "newest"
            if reason:
                kept[reason] += 1
            else:
                yield found


def _avoided(selection: Selection) -> frozenset[Key]:
    keys: set[Key] = set()
    mounts = farmounts.mounts()
    for path in (*selection.protected, selection.trash):
        if _elsewhere(mounts, path, selection):
            continue  # no walk leaves its mount
        with suppress(OSError):
            st = Path(path).stat()
            keys.add((st.st_dev, st.st_ino))
    return frozenset(keys)


class Sweep:
    """One sweep of a rule: takes the chosen files of all its directories.

    Args:
        selection: the rule.
        choice: which of the due files go.
        deed: what becomes of them.
        when: wall seconds that count as now.
        limits: how far each walk may go.
        stop: asked before each file; True ends the sweep.
        users: who tells whether a file is in use.
        passed: files that stayed in this run already: not asked again.
    """

    def __init__(
        self,
        selection: Selection,
        choice: Choice,
        deed: Deed,
        when: float,
        limits: Limits,
        stop: Callable[[], bool],
        users: Users,
        passed: frozenset[Key],
    ) -> None:
        self._already = passed
        self._selection = selection
        self._deed: Deed = deed
        self._when = when
        self._limits = limits
        self._stop = stop
        self._users = users
        self._matcher = Matcher(selection, when)
        self._allowance = Allowance(choice)
        self._taken = Tally()
        self._kept: Counter[str] = Counter()
        self._names: list[str] = []
        self._passed: set[Key] = set()
        self._troubles: list[str] = []
        self._partial = ""

    def run(self) -> Swept:
        """Take the files; returns what was taken and what stayed."""
        with opened(self._selection) as at:
            self._troubles += at.troubles
            for root in at.roots:
                self._sweep(root)
        if self._allowance.over:
            self._kept[OVER] += self._allowance.over
        return Swept(
            rule=self._selection.rule,
            taken=self._taken,
            kept=dict(self._kept),
            names=tuple(self._names),
            passed=frozenset(self._passed),
            troubles=tuple(self._troubles),
            partial=self._partial,
        )

    def _sweep(self, root: Root) -> None:
        with ExitStack() as held:
            remover = self._remover(root, self._selection.trash, held)
            avoid = _avoided(self._selection)
            walk = _way(root, self._matcher, self._limits, avoid, self._stop, locking=True)
            not_due: Counter[str] = Counter()
            spared = Newest(self._selection.keep_newest, self._matcher.wants)
            files = held.enter_context(
                closing(_due(walk, self._matcher, not_due, avoid, spared, self._already))
            )
            for found in files:
                if remover is None or not self._allowance.takes(
                    found.inode.newest, found.inode.held
                ):
                    continue
                try:
                    reason = remover.take(found)
                except ElsewhereError:
                    self._troubles += remover.troubles
                    remover = self._remover(root, "", held)
                    reason = remover.take(found) if remover is not None else "refused"
                self._note(found, reason, 0 if remover is None else remover.left)
            self._partial = self._partial or walk.stopped
            if remover is not None:
                self._troubles += remover.troubles
            for reason in _TOLD:
                if walk.skipped[reason]:
                    self._kept[reason] += walk.skipped[reason]

    def _remover(self, root: Root, preferred: str, held: ExitStack) -> Remover | None:
        try:
            place = quarantine.open_preferred(root.fd, preferred) or quarantine.open_local(
                root.fd, root.path, make=True
            )
            assert place is not None
            held.callback(place.close)
            place.prepare()
        except BlockingIOError:
            self._troubles.append(f"{clean(root.path)}: another cleaner is at work there")
            return None
        except OSError as error:
            self._troubles.append(
                f"{clean(root.path)}: no place to set files aside in ({error.strerror})"
            )
            return None
        return Remover(
            place,
            self._users,
            kind=root.kind,
            deed=self._deed,
            rule=self._selection.rule,
            root=root.path,
            when=self._when,
            backup=self._selection.backup,
        )

    def _note(self, found: Found, reason: str, left: int) -> None:
        if reason:
            self._kept[reason] += 1
            if len(self._passed) < _PASSED:
                self._passed.add(found.inode.key)
            return
        freed = max(0, found.inode.held - left)
        self._allowance.went(found.inode.newest, freed)
        self._taken = self._taken.plus(freed)
        if len(self._names) < NAMES:
            self._names.append(clean(found.path, limit=200))
