"""Surveys and sweeps of the machine's directories for one rule.

A survey walks and reads stats only. A sweep walks again, judges each file anew and takes the
chosen ones. Roots are opened first and held, so that both speak of the same directories.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from itertools import islice
from typing import Final

from healmon.text import clean
from healmon.world import quarantine
from healmon.world.cutting import Cutter
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
from healmon.world.filematch import OPT_OUT, Matcher
from healmon.world.fileuse import Users
from healmon.world.filewalk import CALLED_OFF, Chunk, Found, Walk
from healmon.world.holding import Grip
from healmon.world.judging import Judge
from healmon.world.pacing import Pacing
from healmon.world.removal import ELSEWHERE, Claim, Remover
from healmon.world.roots import Root, avoided, opened, shut

NAMES: Final = 20
"""How many names a report gives."""
OVER: Final = "over the limit of one run"
"""Why files stay that were chosen, but are more than may go at once."""
_TOLD: Final = ("locked", "unknown", "unreadable", "mount", "deep", "swapped", "moved", "opted out")
_PASSED: Final = 100_000
"""How many files that stayed are remembered within one run."""


def survey(
    selection: Selection,
    when: float,
    limits: Limits,
    need: Need | None,
    passed: frozenset[Key],
) -> Survey:
    """Return what a rule would take now; see `Files.survey`."""
    matcher = Matcher(selection, when)
    avoid = avoided(selection)
    counts: list[Counter[str]] = []
    stopped: list[str] = []

    with opened(selection) as at:

        def walk(add: Add) -> None:
            kept: Counter[str] = Counter()
            judge = Judge(selection, matcher, kept, avoid, passed)
            for root in at.roots:
                if reason := shut(root, selection, matcher.enters, avoid):
                    kept[reason] += 1
                    continue
                way = _way(root, matcher, limits, avoid)
                with closing(way.chunks()) as chunks:
                    for chunk in chunks:
                        for found in judge.due(way, chunk):
                            add(found.newest, found.held)
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
        oldest=chosen.oldest / 1e9,
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
        wants=matcher.wanted,
        enters=matcher.enters,
        avoid=avoid,
        locking=locking,
        stop=stop,
        optout=OPT_OUT,
    )


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
        self._pacing = Pacing(limits.per_second, stop)
        self._matcher = Matcher(selection, when)
        self._allowance = Allowance(choice)
        self._files = self._freed = 0
        self._kept: Counter[str] = Counter()
        self._names: list[str] = []
        self._passed: set[Key] = set()
        self._troubles: list[str] = []
        self._partial = ""
        self._alike = False

    def run(self) -> Swept:
        """Take the files; returns what was taken and what stayed."""
        self._users.release()
        with opened(self._selection) as at:
            self._troubles += at.troubles
            for root in at.roots:
                try:
                    self._sweep(root)
                except OSError as error:
                    # a file system that fails meanwhile: what has gone is told all the same
                    self._troubles.append(f"{clean(root.path)}: {error.strerror}")
                    self._partial = f"ended by an error: {error.strerror}"
        if self._allowance.over:
            self._kept[OVER] += self._allowance.over
        return Swept(
            rule=self._selection.rule,
            taken=Tally(self._files, self._freed),
            kept=dict(self._kept),
            names=tuple(self._names),
            passed=frozenset(self._passed),
            troubles=tuple(self._troubles),
            partial=self._partial,
        )

    def _sweep(self, root: Root) -> None:
        avoid = avoided(self._selection)
        if reason := shut(root, self._selection, self._matcher.enters, avoid):
            self._kept[reason] += 1
            return
        with ExitStack() as held:
            remover = self._remover(root, self._selection.trash, held)
            locking = not self._selection.ours
            walk = _way(root, self._matcher, self._limits, avoid, self._stop, locking=locking)
            judge = Judge(self._selection, self._matcher, Counter(), avoid, self._already)
            cutter = self._cutter(root, remover)
            if remover is not None:
                chunks = held.enter_context(closing(walk.chunks()))
                for chunk in chunks:
                    if cutter is not None:
                        self._cut(cutter, judge.due(walk, chunk))
                    else:
                        remover = self._take(root, remover, walk, judge, chunk, held)
                    if remover is None:
                        break
            self._partial = walk.stopped or self._partial
            for reason in _TOLD:
                if walk.skipped[reason]:
                    self._kept[reason] += walk.skipped[reason]

    def _take(
        self,
        root: Root,
        remover: Remover,
        walk: Walk,
        judge: Judge,
        chunk: Chunk,
        held: ExitStack,
    ) -> Remover | None:
        """Take the chosen ones of a few files of one directory; returns who takes the next."""
        before = self._files
        with closing(Grip(self._users, chunk.directory)) as grip:
            due = judge.due(walk, chunk, grip.look if self._alike else None)
            if len(due) < len(chunk.entries):
                grip.keep({found.name for found in due})
            claims = self._at_once(remover, due, grip)
            if claims:
                taker = self._settle(root, remover, claims, held)
            else:
                taker = self._take_due(root, remover, self._there(walk, due), grip, held)
        # nobody is to wait while files are read, or while others have their turn
        quick = self._deed == "delete" and not self._selection.backup
        alike = self._files - before == len(chunk.entries)
        self._alike = alike and quick and not self._limits.per_second
        return taker

    def _at_once(self, remover: Remover, due: list[Found], grip: Grip) -> list[Claim]:
        """Return claims of all due files, if every one is held already and goes; else none."""
        many = len(due)
        if not many or many != len(grip) or many > remover.room() or self._stop():
            return []
        freed = sum([found.held for found in due])
        if not self._allowance.spares_none(max([found.newest for found in due]), many, freed):
            return []
        self._files += many
        self._freed += freed
        fds, leased = grip.take_all(due), True
        return [Claim(found, fd, leased, found.held) for found, fd in zip(due, fds, strict=True)]

    def _take_due(
        self, root: Root, remover: Remover, due: Iterable[Found], grip: Grip, held: ExitStack
    ) -> Remover | None:
        claims: list[Claim] = []
        taker: Remover | None = remover
        allowance, stop = self._allowance, self._stop
        try:
            for found in due:
                if taker is None:
                    break
                if stop():
                    self._partial = CALLED_OFF
                    break
                newest = found.newest
                if not allowance.takes(newest, found.held):
                    continue
                claim = taker.claim(found, grip.take(found.name))
                if isinstance(claim, str):
                    self._stays(found, claim)
                    continue
                allowance.went(newest, claim.freed)
                self._files += 1
                self._freed += claim.freed
                claims.append(claim)
                if self._limits.per_second or taker.full(claims):
                    now, claims = claims, []
                    taker = self._settle(root, taker, now, held)
                    self._pacing.rest()
            if claims and taker is not None:
                now, claims = claims, []
                taker = self._settle(root, taker, now, held)
        finally:
            for claim in claims:
                os.close(claim.fd)
        return taker

    def _there(self, walk: Walk, due: list[Found]) -> Iterator[Found]:
        """Pass over due files as long as their directory stays where it is; it may take long."""
        slow = self._limits.per_second or self._deed == "compress" or self._selection.backup
        for found in due:
            if slow and not walk.in_place():
                self._kept["moved"] += 1
                break
            yield found

    def _settle(
        self, root: Root, remover: Remover, claims: list[Claim], held: ExitStack
    ) -> Remover | None:
        reasons = remover.settle(claims)
        left: list[Claim] = []
        if not any(reasons):
            self._name(claim.found for claim in claims)
            return remover
        for claim, reason in zip(claims, reasons, strict=True):
            if reason == ELSEWHERE:
                left.append(claim)
            elif reason:
                self._stays(claim.found, reason, claim)
            else:
                self._name([claim.found])
        if not left:
            return remover
        local = self._remover(root, "", held)
        again = local.settle(left) if local is not None else [ELSEWHERE] * len(left)
        for claim, reason in zip(left, again, strict=True):
            if reason == ELSEWHERE:
                os.close(claim.fd)
            if reason:
                self._stays(claim.found, reason.replace(ELSEWHERE, "refused"), claim)
        return local

    def _cut(self, cutter: Cutter, due: Iterable[Found]) -> None:
        """Cut the chosen ones of a few due logs."""
        for found in due:
            if self._stop():
                self._partial = CALLED_OFF
                break
            newest, held = found.newest, found.held
            if not self._allowance.takes(newest, held):
                continue
            reason = cutter.take(found)
            if reason:
                self._stays(found, reason)
                continue
            freed = max(0, held - cutter.left)
            self._allowance.went(newest, freed)
            self._files += 1
            self._freed += freed
            self._name([found])
            self._pacing.rest()

    def _name(self, gone: Iterable[Found]) -> None:
        for found in islice(gone, NAMES - len(self._names)):
            self._names.append(clean(found.path, limit=200))

    def _stays(self, found: Found, reason: str, claim: Claim | None = None) -> None:
        """Count a file that stays; `claim`: though it was counted as gone."""
        self._kept[reason] += 1
        if len(self._passed) < _PASSED:
            self._passed.add(found.key)
        if claim is not None:
            self._allowance.stayed(found.newest, claim.freed)
            self._files -= 1
            self._freed -= claim.freed

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
        remover = Remover(
            place,
            self._users,
            kind=root.kind,
            deed="delete" if self._deed == "truncate" else self._deed,
            selection=self._selection,
            root=root.path,
            when=self._when,
        )
        held.callback(self._done, remover)
        return remover

    def _cutter(self, root: Root, remover: Remover | None) -> Cutter | None:
        if remover is None or self._deed != "truncate":
            return None
        selection, kind, when = self._selection, root.kind, self._when
        return Cutter(self._users, selection, kind=kind, when=when, remover=remover)

    def _done(self, remover: Remover) -> None:
        remover.close()
        self._troubles += remover.troubles
