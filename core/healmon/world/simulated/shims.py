"""Shims in memory, above the processes of `SimulatedProcesses`.

What a shim starts behaves as `processes.behave` says; what that leaves behind stays below the shim
(`Program.leaves`), and so does whatever a test adds below the worker.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from posixpath import basename

from msgspec.structs import replace

from healmon.clock import Clock
from healmon.errors import SpawnError, VetoError
from healmon.world.apart import APART
from healmon.world.processes import Ended, Identity, Launch, ProcessFacts
from healmon.world.shims import Grant, Shim, ShimEnd, ShimOrder
from healmon.world.simulated.processes import SimulatedProcesses

ENDS_KEPT = 12
TITLE = ("/usr/bin/python3", "-I", "-S", "-E", "/opt/healmon/nursery.py")


@dataclass(slots=True)
class _Box:
    """A folder: who runs there, and everybody who has ever lived below its shim."""

    number: int
    shim: Identity
    worker: Identity
    wall: float
    below: set[Identity]
    launch: Launch
    over: bool = False
    ends: list[ShimEnd] = field(default_factory=list[ShimEnd])
    grant: Grant | None = None
    former: ShimEnd | None = None


class SimulatedShims:
    """Everything healmon does with shims, against a world that a test writes.

    Args:
        processes: where shims and workers live.
        clock: when they start and end.

    Attributes:
        refuses: no shim can be had, and why.
        oom: whether the kernel kills for want of memory now.
        logs: bytes of each output log.
    """

    def __init__(self, processes: SimulatedProcesses, clock: Clock) -> None:
        self.refuses: SpawnError | None = None
        self.oom = False
        self.logs: dict[str, int] = {}
        self._processes = processes
        self._clock = clock
        self._boxes: dict[str, _Box] = {}
        self._by_shim: dict[int, _Box] = {}
        processes.reports.append(self._ended)

    def start(self, order: ShimOrder) -> Shim:
        """Start a worker under a new shim.

        Raises:
            SpawnError: there is no shim, or the program cannot be started.
            VetoError: one copy lives already.
        """
        self._processes.settle()
        box = self._boxes.get(order.folder)
        if box is not None and self._locked(box):
            holders = set(self._alive_in(box)) - {box.shim}
            holder = box.worker if box.worker in holders else min(holders, key=_age)
            raise VetoError(f"one copy lives already: pid {holder.pid}")
        if order.sole and (rival := self._rival(order)) is not None:
            raise VetoError(f"one copy lives already: pid {rival.pid}")
        if self.refuses is not None:
            raise self.refuses
        shim = self._processes.add(TITLE)
        self._processes.lead(shim)
        self._processes.reapers.add(shim.pid)
        try:
            worker = self._processes.spawn_below(shim.pid, order.launch)
        except SpawnError:
            self._processes.end(shim, Ended(code=0))
            raise
        ends = box.ends if box is not None else []
        wall = self._clock.read().wall
        grant = box.grant if box is not None else None
        box = _Box(order.number, shim, worker, wall, {worker}, order.launch, ends=ends, grant=grant)
        self._boxes[order.folder] = self._by_shim[shim.pid] = box
        return Shim(
            number=order.number, shim=shim, worker=worker, wall=wall, alive=True, locked=True
        )

    def _rival(self, order: ShimOrder) -> Identity | None:
        """Return the worker that was started as the same one in another folder, and lives."""
        wanted = (basename(order.folder), replace(order.launch, log_path=""))
        for folder, box in self._boxes.items():
            same = (basename(folder), replace(box.launch, log_path="")) == wanted
            if not same or not self._lives(box.shim):
                continue
            if self._lives(box.worker):
                return box.worker
            left = set(self._alive_in(box)) - {box.shim}
            if order.forks and left:
                return min(left, key=_age)
        return None

    def look(self, folder: str) -> Shim | None:
        """Return what stands in a folder; None when nothing was ever started there."""
        self._processes.settle()
        box = self._boxes.get(folder)
        if box is None:
            return None
        locked = self._locked(box)
        return Shim(
            number=box.number,
            shim=box.shim,
            worker=box.worker,
            wall=box.wall,
            alive=locked and self._lives(box.shim),
            locked=locked,
            ends=tuple(box.ends),
            former=box.former,
        )

    def grant(self, grant: Grant) -> None:
        """Let the shim of a worker start it again as soon as it ends, in place of any leave before.

        Raises:
            SpawnError: such an order cannot be carried out.
        """
        if not grant.order.launch.argv:
            raise SpawnError("nothing to run: the command is empty")
        self._processes.settle()
        box = self._boxes.get(grant.order.folder)
        if box is not None:
            box.grant = grant

    def revoke(self, folder: str) -> bool:
        """Take back what was granted; False when there was nothing to take back."""
        self._processes.settle()
        box = self._boxes.get(folder)
        if box is None or box.grant is None:
            return False
        box.grant = None
        return True

    def trim(self, log_path: str, limit: int) -> int:
        """Free the older part of an output log above `limit` bytes; returns how many were freed."""
        size = self.logs.get(log_path, 0)
        if size <= limit:
            return 0
        self.logs[log_path] = limit // 2
        return size - limit // 2

    def close(self) -> None:
        """End what helps to start shims; shims and workers stay."""

    # What happens by itself.

    def _ended(self, facts: ProcessFacts, how: Ended) -> None:
        box = self._by_shim.get(facts.parent)
        if box is not None and self._lives(box.shim):
            self._reap(box, facts, how)
        own = self._by_shim.pop(facts.identity.pid, None)
        if own is not None:
            self._processes.reapers.discard(own.shim.pid)
        for one in (box, own):
            if one is not None:
                self._alive_in(one)  # its descendants are known before they lose their parent

    def _reap(self, box: _Box, facts: ProcessFacts, how: Ended) -> None:
        main = facts.identity == box.worker
        box.over = box.over or main
        if box.over:
            end = ShimEnd(
                identity=facts.identity,
                ended=how,
                wall=self._clock.read().wall,
                main=main,
                max_rss=facts.rss,
                oom=self.oom,
            )
            box.ends = [*box.ends, end][-ENDS_KEPT:]
            if main and self._again(box, end):
                return
        if not any(f.parent == box.shim.pid for f in self._living()):
            self._processes.end(box.shim, Ended(code=0))

    def _again(self, box: _Box, end: ShimEnd) -> bool:
        """Return whether the program was started again, as it was granted."""
        grant = box.grant
        if grant is None or grant.worker != end.identity or end.ended.code in grant.but:
            return False
        left = any(f.parent == box.shim.pid for f in self._living())
        if left or grant.order.launch != box.launch:
            return False
        box.grant = None
        try:
            worker = self._processes.spawn_below(box.shim.pid, box.launch)
        except SpawnError:
            return False
        box.number, box.worker, box.former, box.over = grant.order.number, worker, end, False
        box.wall = self._clock.read().wall
        box.below.add(worker)
        return True

    def _living(self) -> list[ProcessFacts]:
        alive = set(self._processes.alive())
        return [f for f in self._processes.everyone() if f.identity in alive]

    def _alive_in(self, box: _Box) -> list[Identity]:
        """Return who of those that ever were below a shim lives, with the shim."""
        living = self._living()
        while True:
            pids = {f.identity.pid for f in living if f.identity in box.below | {box.shim}}
            more = {f.identity for f in living if f.parent in pids} - box.below
            if not more:
                break
            box.below |= more
        return [f.identity for f in living if f.identity in box.below | {box.shim}]

    def _locked(self, box: _Box) -> bool:
        alive = set(self._alive_in(box))
        if box.worker in alive or not alive - {box.shim}:
            return bool(alive)
        return not alive - {box.shim} <= self._apart()

    def _apart(self) -> set[Identity]:
        """Return who lives that holds other people's work, with all that is below."""
        living = self._living()
        found = {f.identity for f in living if f.name in APART}
        while True:
            pids = {identity.pid for identity in found}
            more = {f.identity for f in living if f.parent in pids} - found
            if not more:
                return found
            found |= more

    def _lives(self, identity: Identity) -> bool:
        return identity in self._processes.alive()


def _age(identity: Identity) -> int:
    return identity.ticks
