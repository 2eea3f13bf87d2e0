"""A host whose disks fill and are cleaned: what there is, and what must be true of each file's end.

Who may say that a file was old, in use, protected or spared is the host itself, by what happened
to it; nothing of that is asked of healmon.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from healmon import events as ev
from healmon.config.settings import Budget, Disk, Rule
from healmon.disks.healer import DisksHealer
from healmon.disks.model import ALONE, CLEAN, EMPTY, Order
from healmon.plans import unpack
from healmon.world.filedata import Deed, Selection
from healmon.world.simulated.parts.files import File
from tests.simulation.journal import CutOffJournal
from tests.simulation.living import Living
from tests.simulation.stepped import SteppedFiles
from tests.simulation.virtual import KilledError, VirtualLoop

MB, MINUTE, HOUR, DAY = 1_000_000, 60.0, 3600.0, 86_400.0
SIZE = 1000 * MB
LATE = 15.0
"""Seconds after which nothing is done by a configuration that is in force no more."""


@dataclass(slots=True)
class Deeds:
    """What one act has taken."""

    files: int = 0
    held: int = 0
    plan: str = ""


@dataclass(slots=True)
class Law:
    """A configuration, and since when it is in force (boot seconds)."""

    disk: Disk
    since: float
    until: float = float("inf")


@dataclass(slots=True)
class Taken:
    """What counts against a ceiling."""

    at: float
    held: int
    files: int = 1


class Cleaner(Living):
    """Disks, their world, and all that healmon has done to them.

    Args:
        seed: of everything.
        loop: whose time it lives in.

    Attributes:
        dies_in: files until healmon is killed before one; 0: it is not.
        slow: seconds that a file may take.
    """

    def __init__(self, seed: str, loop: VirtualLoop) -> None:
        super().__init__(seed, loop)
        self.slow = self.random.choice([0.0, 0.0, 0.0, 1.0, 4.0])
        self.journal = CutOffJournal(self.hear)
        self.files = SteppedFiles()
        self.files.watcher = self
        self.born: dict[int, float] = {}  # when something last happened to a file, in boot seconds
        self.set_by: list[tuple[float, float]] = []
        self.budgets = self.random.choice([(), (Budget(path="/data/cache", limit=100 * MB),)])
        self.laws: list[Law] = [Law(self.a_disk(), 0.0)]
        self.spent: dict[str, list[Taken]] = {}
        self.deeds: dict[str, Deeds] = {}
        self.counts = False
        self.healer: DisksHealer
        self._populate()

    @property
    def disk(self) -> Disk:
        return self.laws[-1].disk

    # What there is.

    def a_disk(self) -> Disk:
        pick = self.random.choice
        logs = Rule(
            name="logs", paths=("/data/logs",), patterns=("*.log",),
            older_than=pick([HOUR, DAY]), keep_newest=pick([0, 0, 2]),
            action=pick(["delete", "delete", "trash", "compress"]),
            exclude=pick([(), (), ("*1.log",), ("old",)]),
        )  # fmt: skip
        cache = Rule(
            name="cache", paths=("/data/cache",), patterns=("*",), older_than=HOUR,
            action=pick(["delete", "trash"]),
        )  # fmt: skip
        rules = pick([(logs, cache), (logs, cache), (cache, logs), (logs,), (cache,)])
        files, held = pick([(0, 0), (0, 0), (4, 0), (10, 0), (0, 60 * MB)])
        return Disk(
            paths=("/data",), budgets=self.budgets, rules=rules, horizon=0.0,
            protect=pick([(), (), ("/data/logs/old",), ("/data/cache",), ("/data/logs/3.log",)]),
            max_files=files, max_bytes=held, max_within=pick([HOUR, 6 * HOUR, DAY]),
            trash_for=pick([2 * HOUR, 7 * DAY]),
        )  # fmt: skip

    def _populate(self) -> None:
        self.files.add_disk("/", 10**13)
        self.files.add_disk("/data", SIZE, lazy=self.random.random() < 0.3)
        self.files.fill("/data", self.random.randint(300, 700) * MB)
        for _ in range(self.random.randint(10, 40)):
            self.write(old=True)

    def between(self) -> float:
        """Return how long a file takes."""
        return self.slow if self.random.random() < 0.3 else self.pace.pause()

    def a_path(self) -> str:
        where = self.random.choice(["/data/logs/", "/data/logs/old/", "/data/cache/"])
        return f"{where}{self.random.randint(0, 25)}.log"

    def write(self, *, old: bool) -> None:
        """Let somebody write a file, or one that was written long ago be found."""
        path = self.a_path()
        if path in self.files._files:
            return
        age = self.random.choice([0.5 * HOUR, 2 * HOUR, 2 * DAY, 30 * DAY]) if old else 0.0
        now = self.clock.read()
        then = now.boot - age
        ahead = sum(
            by for at, by in self.set_by if at > then
        )  # it was stamped by the clock of then
        self.files.write(path, self.random.randint(1, 30) * MB, now.wall - age - ahead)
        self.born[self.files._files[path].number] = then

    def touch(self, path: str) -> None:
        """Let something happen to a file."""
        file, now = self.files._files[path], self.clock.read()
        file.newest = int(now.wall * 1e9)
        self.born[file.number] = now.boot

    def used(self) -> float:
        """Return how full the disk is, in percent, whatever is mounted."""
        space = self.files.space("/data")
        return 100 * space.used / (space.used + space.available)

    # What healmon does is seen to.

    def about_to_judge(self) -> None:
        if self.lease.alive:
            if self.dies_in:
                self.dies_in -= 1
                if not self.dies_in:
                    self.lease.alive, self.lease.killed = False, True
                    self._leaves_one_aside()
                    self.killed.set()
                    self.loop.call_soon(self.cut_off)
                    raise KilledError
            return
        if not self.lease.killed:
            self.wrong("a file is judged by a healmon that has ended")
        raise KilledError

    def _leaves_one_aside(self) -> None:
        """Let a file be where one is that had just left its place as healmon was killed."""
        selection = self.files.sweeping
        going = [
            (root, at)
            for root in (selection.roots if selection is not None else ())
            for at, file in self.files._files.items()
            if at.startswith(f"{root}/") and not file.use and file.links == 1
            and not self._why_not(self.disk, selection.rule if selection else "", at, file)
        ]  # fmt: skip
        if going and selection is not None and self.random.random() < 0.5:
            _, at = self.random.choice(going)
            self.tell(f"   set aside, and killed: {at}")
            swapped = self.random.random() < 0.3
            self.files.interrupt(selection, at, swapped=swapped)

    def cut_off(self) -> None:
        """Let nothing of a healmon that was killed run any further."""
        for task in asyncio.all_tasks(self.loop) - self.mine:
            task.cancel()

    def component(self, selection: Selection) -> str:
        return "disk:/data" if selection.device is not None else "disk:/data/cache"

    def takes(self, selection: Selection, at: str, file: File, deed: Deed) -> None:
        """See to a file, right before it goes."""
        if not self.lease.alive:
            return
        name = self.component(selection)
        self.tell(f"   {deed} {at} ({file.number}, {file.held // MB} MB) for {name}")
        view = self.engine.snapshot.plans.get(name)
        self.must(view and view.acting and view.plan.why, f"{at}: nobody planned it")
        step = view.steps[-1] if view and view.steps else ""
        self.must(f"rule {selection.rule}: " in step, f"{at}: not journaled: {step}")
        kept = self.journal.snapshot.plans.get(name)
        self.must(self.unkept or (kept and kept.steps and kept.steps[-1] == step),
                  f"{at}: the step is not on disk: {step}")  # fmt: skip
        known = self.engine.snapshot.maintenance
        paused = [p for p, end in self.off.items() if p in known and self.boot < end]
        self.must(not [p for p in paused if p in ("*", name)], f"{at} after a pause was answered")
        order = unpack(view.plan.order, Order) if view else None
        if order is not None and order.device:
            mounted = self.files._disks.get("/data", self.files._disks["/"])
            self.must(order.device == mounted.number, f"{at}: of a file system that was not judged")
        self._lawful(selection, at, file)
        self.counts = order is not None and not order.by_hand

    def _lawful(self, selection: Selection, at: str, file: File) -> None:
        self.must(not file.use, f"{at} is {file.use}")
        self.must(file.links == 1, f"{at} has another name")
        whys = [
            self._why_not(law.disk, selection.rule, at, file)
            for law in self.laws
            if law.until > self.boot - LATE
        ]
        self.must(not all(whys), f"{at}: {whys}")

    def _why_not(self, disk: Disk, name: str, at: str, file: File) -> str:  # noqa: PLR0911 - one reason each
        rule = next((r for r in disk.rules if r.name == name), None)
        if rule is None:
            return "there is no such rule"
        if any(at == p or at.startswith(f"{p}/") for p in disk.protect):
            return "it is protected"
        if not at.startswith(f"{rule.paths[0]}/"):
            return "it is elsewhere"
        age = self.boot - self.born.get(file.number, 0.0)  # what healmon wrote is as old as it says
        if age < rule.older_than - 1.0:
            return f"it is {age:.0f} s old"
        if "*1.log" in rule.exclude and at.endswith("1.log"):
            return "it is excluded"
        if "old" in rule.exclude and "/old/" in at:
            return "its directory is excluded"
        return ""

    def _within(self, name: str, held: int) -> None:
        """See that automatic cleaning stays below its ceiling, over all runs."""
        now = self.boot
        spent = self.spent.setdefault(name, [])
        spent.append(Taken(now, held))
        for limit, what in (("max_files", "files"), ("max_bytes", "held")):
            most = [getattr(law.disk, limit) for law in self.laws if law.until > now - LATE]
            span = min(law.disk.max_within for law in self.laws if law.until > now - LATE)
            total = sum(getattr(one, what) for one in spent if one.at > now - span + 1.0)
            if all(most):
                self.must(total <= max(most), f"{total} {what} of {max(most)} in {span:.0f}")

    def taken(self, held: int) -> None:
        if not self.lease.alive:
            return
        name = self.component(self.files.sweeping) if self.files.sweeping else ""
        deeds = self.deeds.setdefault(name, Deeds())
        deeds.files += 1
        deeds.held += held
        if self.counts:
            self._within(name, held)

    def empties(self, held: int) -> None:
        pass

    def hear(self, event: ev.Event) -> None:
        """See to an event when it is told."""
        if not isinstance(event, ev.Observed | ev.Remembered | ev.CycleStarted | ev.CycleFinished):
            self.tell(repr(event))
        match event:
            case ev.ActionStarted():
                self.deeds[event.component] = Deeds(plan=event.plan_id)
                view = self.engine.snapshot.plans[event.component]
                by_hand = view.plan.origin != "healmon" and ALONE not in view.plan.subject
                if by_hand and view.plan.action == CLEAN:
                    self.spent.pop(event.component, None)
            case ev.StepTaken():
                self.unkept = self.journal.full
            case ev.ActionVerified():
                self._told(event.component, event.action, event.details, event.proof)
                if event.action == CLEAN:
                    self._proved(event)
            case ev.ActionFailed():
                self.must("crashed" not in event.reason, f"crashed: {event.reason}")
                self._told(event.component, event.action, event.details, event.reason)
            case ev.PlanAbandoned():
                deeds = self.deeds.pop(event.component, Deeds())
                mine = deeds.plan == event.plan_id and "healmon ended" not in event.reason
                self.must(not (mine and deeds.files), f"{deeds.files} files went, and: {event}")
            case ev.PlanVetoed():
                deeds = self.deeds.pop(event.component, Deeds())
                mine = deeds.plan == event.plan_id
                self.must(not (mine and deeds.files), f"{deeds.files} files went, and: {event}")
            case ev.HealerFailed():
                self.must("crashed" not in event.reason, f"crashed: {event.reason}")
            case ev.AlertResolved() if event.key.endswith("/full"):
                view = self.engine.snapshot.components.get(event.key.split("/", 2)[2][:-5])
                gone = "exists no more" in event.reason
                self.must(gone or (view and view.status != "critical"), f"not over: {event}")
            case _:
                pass

    def _told(self, name: str, action: str, details: dict[str, Any], said: str) -> None:
        deeds = self.deeds.pop(name, Deeds())
        if action in (CLEAN, EMPTY) and deeds.files:
            told = details.get("by_rule", [0])[0]
            self.must(told == deeds.files, f"{deeds.files} files went, told are {told}: {said}")

    def _proved(self, event: ev.ActionVerified) -> None:
        if event.component != "disk:/data":
            return
        view = self.engine.snapshot.plans.get(event.component)
        kept = unpack(view.plan.order, Order) if view is not None else None
        mounted = self.files._disks.get("/data", self.files._disks["/"]).number
        stays = self.remounted is None or self.boot - self.remounted > 5.0
        if kept is not None and stays:
            self.must(mounted == kept.device, f"proved on another file system: {event.proof}")

    remounted: float | None = None

    def check(self) -> None:
        """See to what must hold at any moment."""
        super().check()
