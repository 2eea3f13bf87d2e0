"""Writes down one attempt while it is made: before each touch, and how it ended.

The file is written before the key is pressed, so that the healmon after one that was killed knows
how often a program was interrupted already. Where nothing can be stored the attempt goes on, and
says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, TypeVar

from msgspec.structs import replace

from healmon.attempts import UNKEPT
from healmon.clock import Clock, age, cutoff
from healmon.errors import ProbeError, VetoError
from healmon.healer import Hand
from healmon.plans import Packed, Plan
from healmon.sessions import evidence as ev
from healmon.sessions import viewing
from healmon.sessions.facts import Order
from healmon.sessions.probe import SessionSeen
from healmon.sessions.verdict import Verdict
from healmon.sessions.viewing import View
from healmon.text import clean
from healmon.world.evidencefiles import EvidenceError, EvidenceFiles
from healmon.world.taskdb import Task

T = TypeVar("T")
On = Callable[[str, Callable[[], T]], Awaitable[T]]
PATIENCE: Final = 3.0
"""Seconds that an attempt waits for its evidence; then it goes on without."""
BACK: Final = 12 * 3600.0
"""Seconds back in which the files of killed healmons are looked through."""
_UNFIT: Final = re.compile(r"[^A-Za-z0-9._-]")


class Archive:
    """Stored evidence, off the event loop.

    Args:
        files: where it is stored; None: nowhere, and every attempt says so.
        on: runs a blocking call on a thread of its own.
        clock: all time.
        keep: seconds that evidence is kept.
    """

    def __init__(
        self, files: EvidenceFiles | None, on: On[None], clock: Clock, keep: float
    ) -> None:
        self._files = files
        self._on = on
        self._clock = clock
        self._keep = keep

    async def open(self, plan: Plan, order: Order) -> list[ev.Evidence]:
        """Return what killed healmons left open about this program, and remove what is old.

        Raises:
            VetoError: that cannot be told.
        """
        found: list[ev.Evidence] = []
        if self._files is not None:
            sweep = self._on("evidence", partial(self._sweep, order.key, found))
            try:
                await asyncio.wait_for(sweep, PATIENCE)
            except (TimeoutError, ProbeError):
                # what was pressed before cannot be told
                raise VetoError("stored evidence cannot be read: no answer from its disk") from None
        return [one for one in found if one.action == plan.action]

    async def tidy(self) -> None:
        """Remove what is older than it is to be kept."""
        with contextlib.suppress(TimeoutError, ProbeError):
            await asyncio.wait_for(self._on("evidence", partial(self._sweep, "", [])), PATIENCE)

    async def write(self, one: ev.Evidence) -> str:
        """Store an evidence; return why it could not be stored, or empty."""
        if self._files is None:
            return "no evidence is kept here"
        failures: list[str] = []
        write = self._on("evidence", partial(self._write, self._files, one, failures))
        try:
            await asyncio.wait_for(write, PATIENCE)
        except (TimeoutError, ProbeError):  # the second: it still hangs since the last time
            return "its disk does not answer"
        return failures[0] if failures else ""

    def _write(self, files: EvidenceFiles, one: ev.Evidence, failures: list[str]) -> None:
        try:
            files.write(one.id, ev.encode(one))
        except EvidenceError as error:
            failures.append(clean(str(error.args[0]), limit=300))

    def _sweep(self, key: str, found: list[ev.Evidence]) -> None:
        files, now = self._files, self._clock.read().wall
        if files is None:
            return
        files.prune(cutoff(self._clock.steps, self._keep, now))
        if key:
            found += [one for one in self._stored(files, now) if one.key == key]

    def _stored(self, files: EvidenceFiles, now: float) -> list[ev.Evidence]:
        """Return what was begun lately and has no verdict."""
        some: list[ev.Evidence] = []
        for ident in files.idents():
            try:
                one = ev.decode(files.read(ident) or b"")
            except EvidenceError:
                continue
            if one is None:
                continue
            if age(self._clock.steps, one.opened, now) > BACK:
                if not self._clock.steps:
                    break
                continue  # a clock that was set has put them out of their order
            if one.verdict is None:
                some.append(one)
        return some


class Dossier:
    """The evidence of one attempt, kept as it is made; every touch is announced through it."""

    def __init__(self, archive: Archive, hand: Hand, clock: Clock, evidence: ev.Evidence) -> None:
        self._archive = archive
        self._hand = hand
        self._clock = clock
        self.evidence = evidence
        self.lost = ""

    @classmethod
    async def begin(
        cls, archive: Archive, hand: Hand, clock: Clock, plan: Plan, order: Order
    ) -> Dossier:
        """Return a dossier that continues what killed healmons began on the same program."""
        ident = _UNFIT.sub("-", plan.id)[:80] or f"e{os.urandom(6).hex()}"
        mine = ev.begin(plan, order, ident, clock.read().wall)
        left = await archive.open(plan, order)
        same = [one for one in left if not order.by_hand and ev.same_tasks(one, order)]
        if same:
            last = max(same, key=lambda one: one.last_press)
            begun = max(one.begun for one in same)
            marks = [t for t in last.touches if t.at == last.last_press]
            mine = replace(
                mine,
                pressed_before=begun,
                before=last.before,
                touches=tuple(marks),
                tasks=last.tasks,
            )
        made = cls(archive, hand, clock, mine)
        if left:
            await made.save()
            for one in left:  # only now: this file knows what they knew
                over = Verdict(result="unknown", how="healmon ended; another one went on with it")
                await archive.write(replace(one, verdict=over, closed=clock.read().wall))
        return made

    @property
    def begun(self) -> int:
        """How many steps of keys were begun on this program."""
        return self.evidence.begun

    @property
    def ident(self) -> str:
        """The id of the stored evidence; empty where it could not be stored."""
        return "" if self.lost else self.evidence.id

    async def saw(self, seen: SessionSeen, tasks: Sequence[Task]) -> None:
        """Note what the last look before acting showed."""
        self.evidence = replace(
            self.evidence,
            world=ev.world_of(seen, self._clock.read().wall),
            tasks=ev.tasks_of(list(tasks)),
        )

    async def announce(self, text: str) -> None:
        """Write into the journal what begins now."""
        await self._hand.about_to(text)

    async def about_to(self, work: ev.Work, text: str, step: int = 0) -> None:
        """Write a touch down, in the file and in the journal, before it happens."""
        touch = ev.Touch(work=work, text=text, at=round(self._clock.read().wall, 3), step=step)
        self.evidence = replace(self.evidence, touches=(*self.evidence.touches, touch))
        await self.save()
        await self._hand.about_to(f"{text} [{self.name}]")

    async def not_done(self, why: str) -> None:
        """Note that the newest touch was not done after all."""
        *others, last = self.evidence.touches
        self.evidence = replace(self.evidence, touches=(*others, replace(last, held=why)))
        await self.save()

    def before(self, view: View | None) -> None:
        """Note how the pane was before anything was pressed; the first look is kept."""
        if view is not None and self.evidence.before is None:
            self.evidence = replace(self.evidence, before=viewing.shown(view))

    def after(self, view: View | None) -> None:
        """Note how the pane was at the newest look."""
        self.evidence = replace(self.evidence, after=None if view is None else viewing.shown(view))

    def sample(self, seconds: float, view: View | None) -> None:
        """Note one look while an effect is waited for."""
        one = ev.Sample(seconds=round(seconds, 2), gone=True)
        if view is not None:
            one = ev.Sample(
                seconds=round(seconds, 2),
                kind=view.sign.kind,
                foreground=view.foreground,
                unread=view.unread,
                mode=view.pane.mode,
            )
        self.evidence = replace(self.evidence, samples=(*self.evidence.samples, one)[-ev.SAMPLES :])

    async def close(self, verdict: Verdict) -> Verdict:
        """Store how it ended; return the verdict with where that is kept, or why it is not."""
        kept = replace(verdict, evidence=self.evidence.id)
        self.evidence = replace(
            self.evidence, verdict=kept, closed=round(self._clock.read().wall, 3)
        )
        await self.save()
        if self.lost:
            return replace(kept, evidence="", lost=self.lost)
        return kept

    async def called_off(self, why: str) -> None:
        """Store that nothing was pressed, and why; what a killed healmon pressed stays open."""
        if self.evidence.touches and not self.begun:
            await self.close(Verdict(result="unknown", how=f"called off: {why}"))

    async def afterwards(self, told: Packed) -> None:
        """Add what became of the session later."""
        self.evidence = replace(self.evidence, afterwards=told)
        await self.save()

    async def save(self) -> None:
        """Store it as it is now."""
        self.lost = await self._archive.write(self.evidence)

    @property
    def name(self) -> str:
        """The evidence for people: its id, or why there is none."""
        kept = f"evidence {self.evidence.id}"
        return f"{UNKEPT.removeprefix('[')} {self.lost}" if self.lost else kept
