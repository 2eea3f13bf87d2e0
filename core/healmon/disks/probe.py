"""Looks at file systems and budgets. Touches nothing.

Each target has threads of its own: a mount that hangs (a dead network share) leaves only itself
unknown. Full walks are dear, so what rules would free is counted only where it begins to matter,
and not more often than every quarter of an hour.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from msgspec.structs import replace

from healmon.clock import Clock
from healmon.config.paths import Place, home_of, never_cleaned, user_number
from healmon.config.settings import Disk
from healmon.disks import gauge as gauges
from healmon.disks.backups import Watch
from healmon.disks.cover import Cover, aged, cover_of, targets_of, within
from healmon.disks.culprits import Culprits, culprits
from healmon.disks.forecast import KEPT
from healmon.disks.history import History, ring_path
from healmon.disks.lines import disk_of
from healmon.disks.model import Count, DiskSeen, Gauge, Outlook, Seen, Target
from healmon.errors import ProbeError
from healmon.text import clean
from healmon.world.filedata import Asides, Limits, Tally
from healmon.world.files import Files
from healmon.world.hands import Hands
from healmon.world.samples import Ring
from healmon.world.spaceuse import breakdown, opened

MEASURING: Final = 5.0
"""Seconds that one statvfs may take."""
WALKING: Final = 10.0
"""Seconds that walks of one look may take in one target."""
PATIENCE: Final = 5.0
"""Seconds that a walk gets beyond its own limit before it counts as hanging."""
DUTY: Final = 0.05
"""Share of the time that may go into measuring one budget."""
RECOUNT: Final = 900.0
"""Seconds for which a count of what rules would free is believed."""
ASIDE: Final = 3600.0
"""Seconds for which a look at the trash is believed while nothing is full."""
EXPLAINING: Final = 4.0
"""Seconds that a search for the biggest directories may take."""
STEP: Final = 300.0
"""Seconds by which the wall clock must be set for nothing to be cleaned for a while."""
STEP_HOLDS: Final = 60.0
"""Seconds for which nothing is; ages are those that were lived (`cover.aged`) all the same."""


@dataclass(slots=True)
class _Station:
    """One target's threads, and what was found out about it.

    Attributes:
        there: its gauge when what is to be mounted there was seen last.
    """

    measuring: Hands
    walking: Hands
    gauge: Gauge | None = None
    measured_at: float = 0.0
    there: Gauge | None = None
    took: float = 0.0
    count: Count | None = None
    counted_at: float = 0.0
    leftovers: int | None = None
    earlier: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()
    oldest: float | None = None
    asides_at: float = 0.0
    history: History | None = None
    culprits: Culprits | None = None
    explained_at: float = 0.0


@dataclass(slots=True)
class Probe:
    """Looks at all targets of the configuration.

    Attributes:
        disk: what to watch.
        state_dir: healmon's own directory.
        files: the door.
        clock: all time.
        measuring: seconds that one statvfs may take.
        backups: watches the backup targets of rules; None: there are none.
    """

    disk: Disk
    state_dir: str
    files: Files
    clock: Clock
    measuring: float = MEASURING
    backups: Watch | None = None
    _keeping: Hands = field(default_factory=lambda: Hands("keep samples"))
    _stations: dict[str, _Station] = field(default_factory=dict[str, _Station])
    _offset: float | None = None
    _stepped: float = 0.0
    _stepped_at: float = 0.0

    async def look(self) -> Seen:
        """Return what is there now; a target that cannot be seen says so, the others go on."""
        targets = targets_of(self.disk)
        stepped = self._note_clock()
        if self.backups is not None:
            self.backups.ask()
        looks = await asyncio.gather(*(self._look_at(target) for target in targets))
        return Seen(self._each_once(looks), stepped)

    def cover(self, target: Target, gauge: Gauge) -> Cover:
        """Return what the rules may do in a target. Asks the user database: may block."""
        device = gauge.device if target.kind == "filesystem" else None
        place = Place("/", home_of(os.environ))
        barred = partial(never_cleaned, place=place)
        disk = replace(self.disk, protect=(*self.disk.protect, *self._unmounted()))
        earlier = self._station(target).earlier
        cover = cover_of(disk, target, device, self.state_dir, barred, user_number, earlier)
        return aged(cover, self.clock.steps, self.clock.read().wall)

    def measure(self, target: Target) -> Gauge:
        """Return how full a target is now. Blocks.

        Raises:
            ProbeError: it cannot be told.
        """
        if target.kind == "filesystem":
            return gauges.of_space(self.files.space(target.path))
        return gauges.of_usage(self.files.usage(target.path, Limits(seconds=WALKING)), target.limit)

    def expect(self, target: Target, places: tuple[str, ...]) -> None:
        """Take in what an earlier run knew, before anything is looked at.

        Args:
            target: of what.
            places: directories of rules that are gone, where a killed run may have set files aside.
        """
        self._station(target).earlier = places

    def unmounted(self, target: Target, gauge: Gauge) -> str:
        """Return where it was mounted when this run saw it, and nothing is now; else empty.

        Mounted anew it may have another number (a loop device, an overlay), so that says nothing.
        Nor does what an earlier run saw: in another boot or namespace anything may be mounted.
        """
        station = self._station(target)
        before = "" if station.there is None else station.there.mount
        # what lies below it; where a link leads by now is another place
        below = gauge.mount != before and within(before, gauge.mount) and within(gauge.real, before)
        if before and below and not self.files.mounted(before):
            return before
        # a mount that is on its way out has no place any more
        station.there = gauge if gauge.mount or not before else replace(gauge, mount=before)
        return ""

    def _unmounted(self) -> Iterator[str]:
        """Pass over mount points that lost what was mounted there: what lies below is not that."""
        known = [station.there for station in list(self._stations.values())]
        points = {gauge.mount for gauge in known if gauge is not None and gauge.mount}
        return (point for point in sorted(points) if not self.files.mounted(point))

    def forget(self) -> None:
        """Look anew at everything: something was cleaned."""
        for station in self._stations.values():
            station.took = 0.0
            station.count = None
            station.leftovers = None
            if station.history is not None:
                station.history.cleaned()

    async def close(self) -> None:
        """Write down the samples that are not yet, and let the threads end."""
        kept = [station.history for station in self._stations.values()]
        owing = [history for history in kept if history is not None and history.unwritten]

        def write() -> None:
            for history in owing:
                history.write()

        if owing:
            with suppress(ProbeError):  # the state directory hangs: they are lost
                await self._keeping.call(write, within=PATIENCE)
        self._keeping.close()
        if self.backups is not None:
            self.backups.close()
        for station in self._stations.values():
            station.measuring.close()
            station.walking.close()

    def _note_clock(self) -> float:
        now = self.clock.read()
        offset = now.wall - now.boot
        if self._offset is not None and abs(offset - self._offset) > STEP:
            self._stepped = offset - self._offset
            self._stepped_at = now.steady
        self._offset = offset
        if self._stepped and now.steady - self._stepped_at >= STEP_HOLDS:
            self._stepped = 0.0
        return self._stepped

    def _station(self, target: Target) -> _Station:
        known = self._stations.get(target.component)
        if known is None:
            name = target.component
            known = _Station(Hands(f"measure {name}"), Hands(f"walk {name}"))
            self._stations[target.component] = known
        return known

    async def _look_at(self, target: Target) -> DiskSeen:
        station = self._station(target)
        try:
            gauge = await self._gauge(target, station)
        except ProbeError as error:
            return DiskSeen(target=target, trouble=clean(str(error), limit=300))
        if point := self.unmounted(target, gauge):
            trouble = f"what was mounted at {clean(point)} is not mounted any more"
            return DiskSeen(target=target, trouble=trouble, unmounted=point)
        if gauge.skip:
            return DiskSeen(target=target, gauge=gauge)
        outlook = await self._outlook(target, station, gauge)
        matters = self._matters(target, gauge)
        if not self.disk.rules and not station.earlier:
            found = await self._culprits(target, station, gauge) if matters else None
            return DiskSeen(target=target, gauge=gauge, outlook=outlook, culprits=found)
        backups = () if self.backups is None else self.backups.troubles(target)
        try:
            await self._count(target, station, gauge)
        except (ProbeError, OSError) as error:
            station.count = Count(trouble=clean(str(error), limit=300))
            station.counted_at = self.clock.read().steady
        found = await self._culprits(target, station, gauge) if matters else None
        return DiskSeen(
            target=target,
            gauge=gauge,
            count=station.count if matters and self.disk.rules else None,
            leftovers=station.leftovers or 0,
            oldest=station.oldest,
            outlook=outlook,
            culprits=found,
            backups=backups,
            emptied=station.emptied,
        )

    async def _culprits(self, target: Target, station: _Station, gauge: Gauge) -> Culprits | None:
        """Return who holds the space, asked anew now and then; the last answer, when it hangs."""
        now = self.clock.read()
        if now.steady < station.explained_at + RECOUNT and station.culprits is not None:
            return station.culprits
        call = partial(self._explain, target, gauge, now.wall, station.culprits)
        try:
            station.culprits = await station.walking.call(call, within=WALKING + PATIENCE)
            station.explained_at = now.steady
        except (ProbeError, OSError):
            return station.culprits
        return station.culprits

    def _explain(
        self, target: Target, gauge: Gauge, when: float, before: Culprits | None
    ) -> Culprits:
        seen = breakdown(target.path, Limits(seconds=EXPLAINING))
        holders = opened(seen.device, frozenset(part.key for part in seen.files), EXPLAINING / 2)
        # only from the top of a file system is everything in use below what is walked
        below = "" if target.kind == "filesystem" else clean(target.path)
        whole = target.kind == "filesystem" and os.path.ismount(target.path)
        return culprits(seen, holders, gauge.used if whole else 0, when, before, below)

    async def _outlook(self, target: Target, station: _Station, gauge: Gauge) -> Outlook | None:
        """Return when it will be full; None, when that cannot be told in time."""
        if gauge.partial:
            return None
        if station.history is None:
            path = ring_path(self.state_dir, target, gauge.capacity)
            station.history = History(Ring(path, KEPT), lambda: self.clock.steps)
        now = self.clock.read().wall
        told = station.history.glance(gauge, now)
        if told is not None:
            return told  # without waking a thread
        call = partial(station.history.note, gauge, now)
        try:
            return await self._keeping.call(call, patient=True, within=PATIENCE)
        except ProbeError:
            return None

    async def _gauge(self, target: Target, station: _Station) -> Gauge:
        now = self.clock.read().steady
        if station.gauge is not None and now - station.measured_at < station.took / DUTY:
            return station.gauge
        patience = self.measuring if target.kind == "filesystem" else WALKING + PATIENCE
        measure = partial(self._timed, target)
        gauge, took = await station.measuring.call(measure, patient=True, within=patience)
        station.gauge, station.measured_at, station.took = gauge, now, took
        return gauge

    def _timed(self, target: Target) -> tuple[Gauge, float]:
        if target.kind == "filesystem":
            return self.measure(target), 0.0
        usage = self.files.usage(target.path, Limits(seconds=WALKING))
        return gauges.of_usage(usage, target.limit), usage.seconds

    def _matters(self, target: Target, gauge: Gauge) -> bool:
        lines = disk_of(self.disk, target.path)
        return gauge.worst >= lines.warning - lines.hysteresis

    async def _count(self, target: Target, station: _Station, gauge: Gauge) -> None:
        now = self.clock.read()
        stale = station.count is None or now.steady - station.counted_at >= RECOUNT
        due = stale and self._matters(target, gauge)
        known = station.leftovers is not None and now.steady - station.asides_at < ASIDE
        if known and not due:
            return
        call = partial(self._walk, target, gauge, now.wall, due=due)
        count, asides = await station.walking.call(call, within=WALKING + PATIENCE)
        station.leftovers = sum(aside.leftovers for aside in asides)
        station.oldest = min((a.oldest for a in asides if a.oldest is not None), default=None)
        station.asides_at = now.steady
        if count is not None:
            station.count, station.counted_at = count, now.steady

    def _walk(
        self, target: Target, gauge: Gauge, when: float, *, due: bool
    ) -> tuple[Count | None, tuple[Asides, ...]]:
        cover = self.cover(target, gauge)
        asides: dict[str, Asides] = {}
        for job in cover.jobs:
            aside = self.files.asides(job.selection)
            asides[aside.place] = aside
        found = (*asides.values(), *self._left_in(cover, asides, self._station(target)))
        if not due:
            return None, found
        trash = Tally()
        for place, aside in asides.items():
            if target.kind == "filesystem" or within(place, target.path):
                trash = trash.plus(aside.trash.held, aside.trash.files)
        limits = Limits(seconds=WALKING / (3 * max(1, len(cover.jobs))))
        surveys = [self.files.survey(job.selection, when, limits) for job in cover.jobs]
        troubles = [f"rule {s.rule}: {t}" for s in surveys for t in s.troubles]
        reached = tuple(survey for survey in surveys if survey.roots)
        idle = (*cover.idle, *troubles)
        refused = tuple(f"rule {s.rule}: {t}" for s in surveys for t in s.refused)
        own = Tally() if cover.own is None else self.files.survey(cover.own, when, limits).due
        count = Count(surveys=reached, idle=idle, trash=trash, own=own, refused=refused)
        return count, found

    def _left_in(
        self, cover: Cover, counted: dict[str, Asides], station: _Station
    ) -> Iterator[Asides]:
        """Pass over what was set aside where nothing is taken any more; trash there stays."""
        known = {place: aside.leftovers for place, aside in counted.items()}
        empty: list[str] = []
        for selection in cover.closed:
            aside = self.files.asides(selection)
            leftovers = aside.leftovers - known.get(aside.place, 0)
            if leftovers > 0:
                known[aside.place] = aside.leftovers
                yield Asides(place=aside.place, leftovers=leftovers)
            elif not aside.leftovers and not aside.trouble:
                empty += selection.roots
        station.emptied = tuple(dict.fromkeys((*station.emptied, *empty)))
        station.earlier = tuple(root for root in station.earlier if root not in empty)

    def _each_once(self, looks: list[DiskSeen]) -> tuple[DiskSeen, ...]:
        """Leave out file systems that an earlier path stands for already."""
        found: list[DiskSeen] = []
        known: list[Gauge] = []
        gone: dict[str, list[Gauge]] = {}
        for seen in looks:
            # one that hangs or is gone now is still the one that it was
            gauge = seen.gauge or self._station(seen.target).there
            if seen.target.kind == "filesystem" and gauge is not None and not gauge.skip:
                told = known
                if seen.unmounted:  # numbers are given anew: that of one place alone says anything
                    told = gone.setdefault(seen.unmounted, [])
                if any(gauges.same_disk(gauge, other) for other in told):
                    continue
                told.append(gauge)
            found.append(seen)
        return tuple(found)
