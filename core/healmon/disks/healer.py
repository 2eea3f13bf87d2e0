"""The healer of file systems and budgets, as the engine sees it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from healmon.clock import Clock, Reading
from healmon.config.settings import Disk
from healmon.disks import places, words
from healmon.disks.backups import Watch
from healmon.disks.cover import TRASH, targets_of
from healmon.disks.diagnose import diagnose, recall
from healmon.disks.halting import Halt
from healmon.disks.lines import disk_of
from healmon.disks.model import HEALER, RESTORE, DiskFacts, Order, Seen
from healmon.disks.planning import clean_plan
from healmon.disks.probe import Probe
from healmon.disks.remedy import Remedy
from healmon.disks.undo import restore_plan
from healmon.errors import DataError, VetoError
from healmon.healer import Hand, Instead
from healmon.plans import Diagnosis, Packed, Plan, Proof, unpack
from healmon.state import ComponentView, Snapshot, of_healer
from healmon.world.depots import Backups
from healmon.world.farmounts import mounts
from healmon.world.files import Files
from healmon.world.hands import Hands
from healmon.world.saving import DEPOTS

DEADLINE: Final = 45.0
"""Seconds for one look; each target has its own, shorter limits, so none delays the others."""


class DisksHealer:
    """Watches file systems and budgets, and cleans them by rule when they are critical.

    Args:
        disk: what to watch and what may go.
        state_dir: healmon's own directory; never cleaned.
        files: the door to file systems.
        clock: all time.
        backups: what is known of backup targets.
        known: what earlier runs left.
    """

    name: str = HEALER
    title: str = "disk space"
    deadline: float = DEADLINE
    lasting: bool = True

    def __init__(
        self,
        disk: Disk,
        state_dir: Path,
        files: Files,
        clock: Clock,
        backups: Backups = DEPOTS,
        known: Snapshot | None = None,
    ) -> None:
        self._disk = disk
        self._trash = str(state_dir / TRASH)
        self._files = files
        watch = Watch(disk, backups, clock)
        self._probe = Probe(disk, str(state_dir), files, clock, backups=watch)
        for target in targets_of(disk):
            memory = recall(known or Snapshot(), target.component)
            self._probe.expect(target, places.earlier(memory, disk, target))
        self._hands = Hands("clean disks")
        self._remedies: dict[str, Remedy] = {}
        self._acting: dict[str, tuple[Order, Halt]] = {}
        self._clock = clock

    def start(self, wake: Callable[[], None]) -> None:  # noqa: ARG002 - no file system tells
        """Begin watching; the trash is made now, while there is room for it."""
        if any(rule.action == "trash" for rule in self._disk.rules):
            with suppress(OSError):
                self._files.make_trash(self._trash)

    async def look(self) -> Seen:
        """Return how full everything is. Touches nothing."""
        return await self._probe.look()

    def diagnose(self, seen: Seen, known: Snapshot, now: Reading) -> Diagnosis:
        """Judge; pure."""
        return diagnose(seen, self._disk, known, now)

    def offer(
        self,
        verb: str,
        component: str,
        known: Snapshot,
        now: Reading,
        arguments: Packed | None = None,
    ) -> Plan:
        """Return the plan that cleans one target by its rules, or takes back what it did.

        Raises:
            DataError: no such target or rule, or nothing is known of it.
        """
        if verb not in {"clean", "restore"}:
            raise DataError(f"disks cannot {verb}", remedy="they can clean and restore")
        targets = {target.component: target for target in targets_of(self._disk)}
        view = of_healer(known, HEALER).get(component)
        if view is None or component not in targets:
            there = ", ".join(sorted(targets)) or "none"
            raise DataError(f"no disk {component!r}", remedy=f"there is: {there}")
        if verb == "restore":
            wanted = str((arguments or {}).get("id", ""))
            if not wanted.isalnum():
                raise DataError("nothing is named to take back", remedy="see: healmon restore")
            return restore_plan(targets[component], wanted, self._disk, now)
        if not self._disk.rules:
            raise DataError(
                f"{component}: no cleaning rule is configured", remedy="add [[disk.rules]]"
            )
        target, rule = targets[component], str((arguments or {}).get("rule", ""))
        names = [one.name for one in self._disk.rules]
        if rule and rule not in names:
            raise DataError(f"no rule {rule!r}", remedy=f"there is: {', '.join(names)}")
        lines = disk_of(self._disk, target.path)
        return clean_plan(target, facts_in(view), lines, now, by_hand=True, rule=rule)

    async def carry_out(self, plan: Plan, hand: Hand) -> Proof:
        """Look again, clean, measure.

        Raises:
            VetoError: it is not as planned; nothing was touched.
            RemedyError: it is still critical afterwards, or it ended before its time.
            CalledOffError: it ended before it touched anything.
        """
        try:
            order = unpack(plan.order, Order)
        except msgspec.ValidationError as error:
            raise VetoError("the plan was made by another version of healmon") from error
        halt = Halt()
        self._acting[plan.component] = (order, halt)
        try:
            return await self._remedy_of(order.target.path).carry_out(order, hand, halt)
        finally:
            del self._acting[plan.component]

    def _remedy_of(self, path: str) -> Remedy:
        """Return who cleans by the lines of this path; all share one thread, but what may hang."""
        if path not in self._remedies:
            lines = disk_of(self._disk, path)
            hands = self._hands if mounts().far(path) is None else Hands(f"clean {path}")
            self._remedies[path] = Remedy(lines, self._probe, self._files, self._clock, hands)
        return self._remedies[path]

    async def pause(self, component: str) -> None:
        """Nothing is done here without the engine."""

    def give_way(self, component: str, reason: str, instead: Instead) -> bool:
        """Have a cleaning end after the file in hand, since something else is wanted.

        One that a person asked for goes on, whoever else wants to clean.
        """
        doing = self._acting.get(component)
        if doing is None:
            return False
        order, halt = doing
        if order.finish or order.restore:
            return False  # soon over
        if isinstance(instead, Plan) and order.by_hand and instead.action != RESTORE:
            return False
        halt.end(reason)
        return True

    def report(self, known: Snapshot) -> list[str]:
        """Return the lines under "Checking disk space"."""
        views = of_healer(known, HEALER)
        if not views:
            return ["   No disks to watch"]
        return [
            f"   {words.line(view.name, facts_in(view), view.status, view.summary)}"
            for view in views.values()
        ]

    async def close(self) -> None:
        """Stop after the file in hand and let the threads end."""
        for _, halt in self._acting.values():
            halt.end("healmon stopped")
        for remedy in self._remedies.values():
            remedy.hands.close()
        self._hands.close()
        await self._probe.close()


def facts_in(view: ComponentView) -> DiskFacts:
    """Return what is known of a target; only its path, if another healmon wrote it."""
    try:
        return unpack(view.facts, DiskFacts)
    except msgspec.ValidationError:
        return DiskFacts(kind="filesystem", path=view.name.removeprefix("disk:"))
