"""What healmon did to the world, touch by touch with its proof, and whom it told of what.

Folds the same events as the chronicle; bounded in every direction.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Literal, NamedTuple, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from healmon import events as ev

TOUCHES: Final = 1000
"""Touches kept: the oldest go first."""
ALERTS: Final = 300
"""Alerts of which it is known who was told."""
ENDS: Final = 200
"""Outcomes kept of plans whose touches are not known."""
NOTICES: Final = 20
"""Notices kept of each of them, and of those that are under way ten times as many."""

Result: TypeAlias = Literal["", "verified", "failed", "abandoned"]


class Entry(Struct, frozen=True):
    """One touch of the world: a command, a key, a signal, a deletion.

    Attributes:
        id: of its event.
        result: what became of the plan that it belongs to; empty: that is under way.
        proof: what showed it, or why it failed; on the last touch of a plan only.
        seconds: how long the plan took.
        last: it is the last touch of its plan, as far as is known.
    """

    id: int
    at: float
    component: str
    text: str
    plan: str
    result: Result = ""
    proof: str = ""
    seconds: float = 0.0
    last: bool = True


class Notice(NamedTuple):
    """What became of one notice of an alert."""

    at: float
    channel: str
    topic: str
    reason: str
    """Why it was not taken; empty: it was."""


class Ledger:
    """The newest touches and notices."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}
        self._plans: dict[str, list[int]] = {}
        self._notices: dict[str, deque[Notice]] = {}
        self._waiting: dict[int, ev.NoticeMade] = {}
        self._ends: dict[str, tuple[Result, str, float]] = {}

    def touches(self) -> tuple[Entry, ...]:
        """Return the newest touches of the world, oldest first."""
        return tuple(self._entries.values())

    def notices(self, key: str) -> tuple[Notice, ...]:
        """Return what became of the notices of an alert, oldest first."""
        return tuple(self._notices.get(key, ()))

    def add(self, record: ev.Recorded) -> None:
        """Fold one more event."""
        match record.event:
            case ev.StepTaken() as event:
                self._touch(record, event)
            case ev.ActionVerified() as event:
                self._close(event.plan_id, "verified", event.proof, event.seconds)
            case ev.ActionFailed() as event:
                self._close(event.plan_id, "failed", event.reason, event.seconds)
            case ev.PlanAbandoned() | ev.PlanVetoed() as event:
                self._close(event.plan_id, "abandoned", event.reason, 0.0)
            case ev.NoticeMade() as event:
                self._waiting[record.id] = event
                if len(self._waiting) > 10 * NOTICES:
                    del self._waiting[next(iter(self._waiting))]
            case ev.NoticeSent() as event:
                self._told(self._waiting.pop(event.notice, None), record.wall, "")
            case ev.NoticeFailed() as event:
                self._told(self._waiting.get(event.notice), record.wall, event.reason)
            case ev.NoticeDropped() as event:
                self._waiting.pop(event.notice, None)
            case _:
                return

    def before(self, older: Ledger) -> None:
        """Put in front what older events tell; what they left open is closed by what is known."""
        going = {entry.plan: entry for entry in self._entries.values()}
        for entry in list(older._entries.values()):
            later = going.get(entry.plan)
            if later is not None:
                older._entries[entry.id] = replace(
                    entry, result=later.result, seconds=later.seconds, last=False
                )
        for plan, end in self._ends.items():
            older._close(plan, *end)
        self._ends = {**older._ends, **self._ends}
        self._entries = {**older._entries, **self._entries}
        self._plans = {**older._plans, **self._plans}
        for key, notices in older._notices.items():
            mine = self._notices.get(key, ())
            self._notices[key] = deque([*notices, *mine], maxlen=NOTICES)
        self._bound()

    def _touch(self, record: ev.Recorded, event: ev.StepTaken) -> None:
        same = self._plans.setdefault(event.plan_id, [])
        if same and same[-1] in self._entries:
            self._entries[same[-1]] = replace(self._entries[same[-1]], last=False)
        same.append(record.id)
        self._entries[record.id] = Entry(
            record.id, record.wall, event.component, event.text, event.plan_id
        )
        self._bound()

    def _close(self, plan: str, result: Result, proof: str, seconds: float) -> None:
        if plan not in self._plans:
            # its touches may be read later than its end
            self._ends[plan] = (result, proof, seconds)
            if len(self._ends) > ENDS:
                del self._ends[next(iter(self._ends))]
        for number in self._plans.pop(plan, ()):
            entry = self._entries.get(number)
            if entry is not None:
                said = proof if entry.last else ""
                self._entries[number] = replace(entry, result=result, proof=said, seconds=seconds)

    def _told(self, made: ev.NoticeMade | None, at: float, reason: str) -> None:
        for key in made.keys if made is not None else ():
            known = self._notices.get(key)
            if known is None:
                if len(self._notices) >= ALERTS:
                    del self._notices[next(iter(self._notices))]
                known = self._notices[key] = deque(maxlen=NOTICES)
            assert made is not None
            known.append(Notice(at, made.channel, made.topic, reason))

    def _bound(self) -> None:
        while len(self._entries) > TOUCHES:
            gone = self._entries.pop(next(iter(self._entries)))
            left = self._plans.get(gone.plan)
            if left is not None and gone.id in left:
                left.remove(gone.id)
                if not left:
                    del self._plans[gone.plan]
