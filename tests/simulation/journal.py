"""A journal that can be slow, full and cut off, and what must be true of all that is in it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from healmon import events as ev
from healmon.events import Event, Recorded, decode, encode
from healmon.state import Snapshot, apply
from tests.simulation.virtual import Lease

ENDS = (ev.ActionVerified, ev.ActionFailed, ev.PlanAbandoned, ev.PlanVetoed)


class CutOffJournal:
    """Keeps events as the store would; of those that have not reached the disk a kill loses some.

    Attributes:
        full: nothing reaches the disk.
        snapshot: what the next run begins with.
        lease: of the run that writes.
        lost: how many events the end before lost.
    """

    def __init__(self, heard: Callable[[Event], None]) -> None:
        self.records: list[Recorded] = []
        self.snapshot = Snapshot()
        self.full = False
        self.lost = 0
        self.lease = Lease()
        self._heard = heard
        self._pending: list[Recorded] = []

    @property
    def last_id(self) -> int:
        return self.records[-1].id if self.records else 0

    def append(self, record: Recorded) -> None:
        if self.lease.alive:
            self._pending.append(Recorded(record.id, record.wall, record.event, record.cause))
            self._heard(record.event)

    async def flush(self, patience: float, /) -> bool:
        lease = self.lease
        if self.full:
            await asyncio.sleep(patience)
        else:
            await asyncio.sleep(0.001)
        if not lease.alive or self.full:
            return False
        self.keep(len(self._pending))
        return True

    def keep(self, count: int) -> None:
        """Let so many of those that wait reach the disk."""
        for record in self._pending[:count]:
            kept = replace(record, event=decode(encode(record.event)))
            self.records.append(kept)
            self.snapshot = apply(self.snapshot, kept)
        del self._pending[:count]

    def cut(self, chance: random.Random) -> None:
        """Lose what a kill loses."""
        self.keep(0 if self.full else chance.randint(0, len(self._pending)))
        self.lost = len(self._pending)
        self._pending.clear()


def audit(records: Sequence[Recorded]) -> None:
    """See to what must be true of a whole story: each act has one end, with a reason, and its own.

    Raises:
        AssertionError: it is not.
    """
    made: dict[str, str] = {}
    acting: dict[str, str] = {}
    over: set[str] = set()
    for record in records:
        event = record.event
        match event:
            case ev.PlanMade(plan=plan):
                assert plan.id not in made, f"made twice: {plan.id}"
                made[plan.id] = plan.component
            case ev.ActionStarted():
                assert event.plan_id in made, f"{record.id}: began unplanned"
                assert event.plan_id not in over, f"{record.id}: began after its end"
                assert event.component not in acting, f"{record.id}: two acts on {event.component}"
                acting[event.component] = event.plan_id
            case ev.StepTaken():
                assert acting.get(event.component) == event.plan_id, f"{record.id}: a stray step"
            case _ if isinstance(event, ENDS):
                assert event.plan_id in made, f"{record.id}: an end of nothing"
                assert event.plan_id not in over, f"{record.id}: a second end of {event.plan_id}"
                over.add(event.plan_id)
                if isinstance(event, ev.PlanVetoed | ev.PlanAbandoned | ev.ActionFailed):
                    assert event.reason, f"{record.id}: an end without a reason"
                if isinstance(event, ev.ActionVerified):
                    assert acting.get(event.component) == event.plan_id, f"{record.id}: no act"
                    assert event.proof, f"{record.id}: no proof"
                if acting.get(event.component) == event.plan_id:
                    del acting[event.component]
            case _:
                pass
    assert not acting, f"without an end: {acting}"
    assert made.keys() == over, f"without an end: {made.keys() - over}"


def told_of_something(records: Sequence[Recorded]) -> list[Recorded]:
    """Return a story without what a person asked for and found that there was nothing to do."""
    begun = {r.event.plan_id for r in records if isinstance(r.event, ev.ActionStarted)}
    proved = {r.event.plan_id for r in records if isinstance(r.event, ev.ActionVerified)}
    return [r for r in records if _plan_of(r.event) not in proved - begun]


def _plan_of(event: Event) -> str:
    if isinstance(event, ev.PlanMade):
        return event.plan.id
    return str(getattr(event, "plan_id", ""))
