"""Cleans a target by its rules and proves it by measuring again.

Everything is looked at anew first: the rules that were shown, the file system, the clock, how full
it is. Then rule by rule the oldest files go, until the bytes counted reach the target; then the
file system is let finish and measured again, as counting and measuring differ where unlinking is
put off, files have several names, or snapshots hold them.

Whoever wants it to end (a pause, other rules, the end of healmon) has that after the file in hand;
what went by then is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from msgspec.structs import replace

from healmon.clock import Clock, cutoff
from healmon.config.settings import Disk
from healmon.disks import words
from healmon.disks.cover import OWN, Cover, Job, digest_of, within
from healmon.disks.gauge import need_of
from healmon.disks.halting import Halt
from healmon.disks.ledger import Ledger, cut_short, prove
from healmon.disks.model import Gauge, More, Order
from healmon.disks.probe import STEP, Probe
from healmon.disks.undo import selections
from healmon.errors import CalledOffError, ProbeError, RemedyError, VetoError
from healmon.healer import Hand
from healmon.plans import Proof
from healmon.text import clean
from healmon.units import format_percent
from healmon.world.filedata import FOREVER, Choice, Deed, Limits, Need, Survey, Swept, Tally
from healmon.world.files import Files
from healmon.world.hands import Hands
from healmon.world.sweeping import OVER

ROUNDS: Final = 8
"""How often it is measured and cleaned again before the rest is left to a person."""
ALL: Final = Need(held=2**62, files=0)
SWEEP: Final = Limits(entries=1_000_000, seconds=60.0)

T = TypeVar("T")


@dataclass(slots=True)
class Remedy:
    """Carries out the orders of this healer; one at a time."""

    disk: Disk
    probe: Probe
    files: Files
    clock: Clock
    hands: Hands

    async def carry_out(self, order: Order, hand: Hand, halt: Halt) -> Proof:
        """Look again, clean or finish, measure, prove.

        Args:
            order: what is to be done.
            hand: what it is written down with.
            halt: tells when it is to end before its time.

        Raises:
            VetoError: it is not as planned; nothing was touched.
            RemedyError: it is still critical afterwards, or it ended before its time; says what
                was freed.
            CalledOffError: it ended before it began to touch anything.
        """
        if order.restore:
            return await self._restore(order.restore, hand)
        gauge, cover = await self._look_again(order)
        if halt.asked():
            raise CalledOffError(halt.reason)
        try:
            if order.empty:
                return await self._empty_old(order, cover, hand, halt)
            if order.finish:
                return await self._finish(order, cover, hand)
            return await self._clean(order, gauge, cover, hand, halt)
        finally:
            self.probe.forget()

    async def _clean(
        self, order: Order, gauge: Gauge, cover: Cover, hand: Hand, halt: Halt
    ) -> Proof:
        ledger = Ledger(self.clock.read().wall, order.most, halt)
        try:
            after = await self._rounds(order, gauge, cover, ledger, hand)
            if ledger.kept[OVER] and not halt.asked():
                ledger.more = await self._more(cover, after, ledger)
        except (OSError, ProbeError) as error:
            # what went by then is told, and counted, all the same
            raise cut_short(gauge, ledger, f"ended by an error: {error}") from error
        if halt.asked() and not halt.begun:
            raise CalledOffError(halt.reason)
        return prove(order, gauge, after, ledger, self.disk.critical)

    async def _rounds(
        self, order: Order, gauge: Gauge, cover: Cover, ledger: Ledger, hand: Hand
    ) -> Gauge:
        """Clean until enough is freed; returns how full it is then."""
        after = gauge
        for _ in range(ROUNDS):
            before = ledger.taken.files, len(ledger.passed)
            need = ALL if order.by_hand else need_of(after, self.disk.target)
            if need.met or ledger.halt.asked():
                break
            await self._round(order, cover, need, ledger, hand)
            # when the oldest are all in use, the next round asks for those after them
            if (ledger.taken.files, len(ledger.passed)) == before:
                break
            after = await self._measured(order, gauge, ledger)
            if order.by_hand or ledger.kept[OVER]:
                break
        return after

    async def _look_again(self, order: Order) -> tuple[Gauge, Cover]:
        if order.rules != digest_of(self.disk):
            raise VetoError("the rules are not those that the plan showed")
        now = self.clock.read()
        if abs((now.wall - now.boot) - order.clock) > STEP:
            raise VetoError("the clock was set meanwhile: ages are not trusted")
        try:
            gauge = await self._call(partial(self.probe.measure, order.target))
            cover = await self._call(partial(self.probe.cover, order.target, gauge))
        except ProbeError as error:
            raise VetoError(f"it cannot be measured: {error}") from error
        if order.rule:
            jobs = tuple(job for job in cover.jobs if job.selection.rule == order.rule)
            cover = replace(cover, jobs=jobs)
        if point := self.probe.unmounted(order.target, gauge):
            raise VetoError(f"what was mounted at {clean(point)} is not mounted any more")
        if gauge.skip:
            raise VetoError(f"it is not judged: {gauge.skip}")
        if order.device and gauge.device != order.device:
            raise VetoError("another file system is mounted there now")
        if not (order.by_hand or order.finish or order.empty) and gauge.worst < self.disk.critical:
            raise VetoError(f"it is at {format_percent(gauge.worst)} now, below critical")
        return gauge, cover

    async def _round(
        self, order: Order, cover: Cover, need: Need, ledger: Ledger, hand: Hand
    ) -> None:
        if not order.by_hand and not ledger.taken.files:
            need = await self._own_logs(cover, need, ledger, hand)
            need = await self._empty_trash(order, cover, need, ledger, hand)
        for job in cover.jobs:
            if need.met or ledger.halt.asked():
                return
            deed: Deed = job.deed if order.by_hand else await self._deed(order, job)
            swept = await self._sweep(order, job, deed, need, ledger, hand)
            if swept is not None:
                need = need.less(swept.taken.held, swept.taken.files)

    async def _sweep(
        self, order: Order, job: Job, deed: Deed, need: Need, ledger: Ledger, hand: Hand
    ) -> Swept | None:
        survey = await self._survey(job, None if order.by_hand else need, ledger)
        if survey.choice is None or not survey.chosen.files:
            return None
        wanted, cap = survey.chosen.files, ledger.cap(survey.chosen)
        if cap is not None:
            survey = await self._survey(job, cap, ledger)
            if survey.choice is None or not survey.chosen.files:
                ledger.kept[OVER] += wanted
                return None
        if deed == "truncate":
            # a live log has no age to be chosen by: in the order of the directory, while needed
            survey = replace(survey, choice=Choice(0, FOREVER, need.held))
        if ledger.halt.asked():
            return None  # asked for while it was counted: nothing is begun any more
        ledger.halt.begun = True
        trash_counts = deed != job.deed
        does = words.deed_text("trash" if trash_counts else deed, trash_counts=trash_counts)
        await hand.about_to(
            f"rule {survey.rule}: {does} {words.count_text(survey.chosen)}"
            f"{words.order(deed)}, in {', '.join(job.selection.roots)}"
        )
        swept = await self._call(
            partial(
                self.files.sweep,
                job.selection,
                ledger.limited(survey),
                deed,
                ledger.when,
                self._limits,
                ledger.halt.asked,
                passed=frozenset(ledger.passed),
            )
        )
        ledger.add(swept, deed)
        if cap is not None:
            stayed = sum(swept.kept.values())
            ledger.kept[OVER] += max(0, wanted - swept.taken.files - stayed)
        return swept

    async def _survey(self, job: Job, need: Need | None, ledger: Ledger) -> Survey:
        look = partial(self.files.survey, job.selection, ledger.when, SWEEP, need=need)
        survey = await self._call(partial(look, passed=frozenset(ledger.passed)))
        ledger.add_troubles(survey.troubles)
        return survey

    async def _own_logs(self, cover: Cover, need: Need, ledger: Ledger, hand: Hand) -> Need:
        """Remove healmon's own older logs, where they lie on what is full, before anything else."""
        if cover.own is None:
            return need
        look = partial(self.files.survey, cover.own, ledger.when, SWEEP, need=need)
        survey = await self._call(look)
        if survey.choice is None or not survey.chosen.files:
            return need
        ledger.halt.begun = True
        await hand.about_to(f"remove {OWN}: {words.count_text(survey.chosen)}, oldest first")
        choice, limits, when = survey.choice, self._limits, ledger.when
        asked = ledger.halt.asked
        sweep = partial(self.files.sweep, cover.own, choice, "delete", when, limits, asked)
        swept = await self._call(sweep)
        ledger.add_emptied(swept)
        return need.less(swept.taken.held, swept.taken.files)

    async def _empty_trash(
        self, order: Order, cover: Cover, need: Need, ledger: Ledger, hand: Hand
    ) -> Need:
        """Empty a trash that lies on what is full; never what this very action put aside."""
        emptied: set[str] = set()
        for job in cover.jobs:
            aside = await self._call(partial(self.files.asides, job.selection))
            here = order.target.kind == "filesystem" or within(aside.place, order.target.path)
            if need.met or not here or not aside.trash.files or aside.place in emptied:
                continue
            if ledger.halt.asked():
                break
            emptied.add(aside.place)
            ledger.halt.begun = True
            await hand.about_to(f"empty the trash {aside.place}, oldest first")
            swept = await self._call(self._emptying(job, need, ledger.halt))
            ledger.add_emptied(swept)
            need = need.less(swept.taken.held, swept.taken.files)
        return need

    def _emptying(
        self, job: Job, need: Need, halt: Halt, before: float | None = None
    ) -> Callable[[], Swept]:
        call = partial(self.files.empty, job.selection, need, halt.asked, before=before)
        return partial(call, per_second=self.disk.max_per_second)

    async def _deed(self, order: Order, job: Job) -> Deed:
        """Return what frees space here: a trash that lies on the full disk itself frees none."""
        if job.deed != "trash":
            return job.deed
        if order.target.kind == "filesystem":
            return "delete"
        aside = await self._call(partial(self.files.asides, job.selection))
        return "delete" if within(aside.place, order.target.path) else job.deed

    async def _finish(self, order: Order, cover: Cover, hand: Hand) -> Proof:
        await hand.about_to(f"finish what a killed run had set aside below {order.target.path}")
        removed = restored = 0
        troubles: list[str] = []
        for selection in cover.places:
            # not what the rules were when it was set aside, but what they are, decides
            done = await self._call(partial(self.files.finish, selection, cover.spares))
            removed += done.removed
            restored += done.restored
            troubles += done.troubles
        left = [await self._call(partial(self.files.asides, place)) for place in cover.places]
        if not troubles and any(aside.leftovers for aside in left):
            troubles.append("something is still set aside there")
        if troubles:
            raise RemedyError(f"not finished: {'; '.join(troubles[:3])}")
        return Proof(f"{removed} removed, {restored} put back, nothing is left aside")

    async def _restore(self, wanted: str, hand: Hand) -> Proof:
        await hand.about_to(f"move what was put aside as {wanted} back to its place")
        back, paths, troubles = Tally(), list[str](), list[str]()
        for selection in selections(self.disk, self.probe.state_dir):
            done = await self._call(partial(self.files.restore, selection, wanted))
            back = back.plus(done.back.held, done.back.files)
            paths += done.paths
            troubles += [t for t in done.troubles if t not in troubles]
        self.probe.forget()
        done_text = words.restored_text(back, paths)
        if troubles:
            raise RemedyError(f"{done_text}; stays in the trash: {'; '.join(troubles[:3])}")
        if not back.files:
            raise RemedyError(f"nothing lies in the trash as {wanted}; see: healmon restore")
        details = {"files": back.files, "bytes": back.held, "names": paths[:20]}
        return Proof(done_text, f"Taken back from the trash: {done_text}", details)

    async def _empty_old(self, order: Order, cover: Cover, hand: Hand, halt: Halt) -> Proof:
        before = cutoff(self.clock.steps, self.disk.trash_for, self.clock.read().wall)
        await hand.about_to(f"empty the trash of {order.target.path} of what is too old")
        taken, kept = Tally(), Counter[str]()
        for job in cover.jobs:
            swept = await self._call(self._emptying(job, ALL, halt, before))
            taken = taken.plus(swept.taken.held, swept.taken.files)
            kept.update(swept.kept)
        if halt.asked():
            raise RemedyError(f"{halt.reason}; {words.count_text(taken)} removed from the trash")
        if kept:
            raise RemedyError(
                f"{words.count_text(taken)} removed from the trash; stays: {words.kept_text(kept)}"
            )
        return Proof(f"{words.count_text(taken)} removed from the trash")

    async def _more(self, cover: Cover, after: Gauge, ledger: Ledger) -> More:
        """Return what else would go down to the target, if it might."""
        need, total, oldest = need_of(after, self.disk.target), Tally(), float("inf")
        for job in cover.jobs:
            if need.met:
                break
            survey = await self._survey(job, need, ledger)
            need = need.less(survey.chosen.held, survey.chosen.files)
            total = total.plus(survey.chosen.held, survey.chosen.files)
            oldest = min(oldest, survey.oldest) if survey.chosen.files else oldest
        return More(total.files, total.held, oldest) if total.files else More()

    async def _measured(self, order: Order, before: Gauge, ledger: Ledger) -> Gauge:
        try:
            await self._call(partial(self.files.settle, order.target.path))
            after = await self._call(partial(self.probe.measure, order.target))
        except ProbeError as error:
            why = f"it cannot be measured after cleaning: {error}"
            raise cut_short(before, ledger, why) from error
        if after.device != before.device:
            raise cut_short(before, ledger, "another file system is mounted there by now")
        return after

    @property
    def _limits(self) -> Limits:
        return replace(SWEEP, per_second=self.disk.max_per_second)

    async def _call(self, call: Callable[[], T]) -> T:
        return await self.hands.call(call)
