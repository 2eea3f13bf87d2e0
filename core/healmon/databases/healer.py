"""The healer of SQLite locks: ties looking, judging and acting to the engine."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from healmon.clock import Clock, Reading
from healmon.config.settings import Database
from healmon.databases import wording
from healmon.databases.diagnose import component_of, diagnose, plan_for
from healmon.databases.model import HEALER, Continued, DatabaseSeen, Facts, Order, Seen
from healmon.databases.probe import Doors, look
from healmon.databases.remedy import continue_holder
from healmon.errors import DataError, ProbeError, VetoError
from healmon.healer import Hand
from healmon.plans import Diagnosis, Packed, Plan, Proof, unpack
from healmon.state import ComponentView, Snapshot, of_healer
from healmon.text import clean
from healmon.world.hands import Hands
from healmon.world.processes import Processes
from healmon.world.sqlite import Locks

BLIND = {"missing", "cannot-look"}
"""Verdicts that know nothing of locks."""
ICONS = {"critical": "🚨", "warning": "⚠️ ", "unknown": "❓"}


class DatabasesHealer:
    """Watches the locks of the configured databases; continues a stopped holder, names others.

    Args:
        databases: what to watch.
        locks: the door to databases; closed with this healer.
        processes: the door to processes.
        clock: all time.
        own_pid: the process that stands for healmon itself; 0: this one.
    """

    name: str = HEALER
    title: str = "database locks"
    lasting: bool = True

    def __init__(
        self,
        databases: tuple[Database, ...],
        locks: Locks,
        processes: Processes,
        clock: Clock,
        *,
        own_pid: int = 0,
    ) -> None:
        self._databases = databases
        self._doors = Doors(locks, processes, clock, Hands("databases"), own_pid)
        self._continued: dict[str, Continued] = {}
        # one hanging file system each, twice: at the first look and while a lock stands still
        self.deadline: float = 10.0 + 4.5 * len(databases)

    def start(self, wake: Callable[[], None]) -> None:
        """Begin watching: there is nothing that tells of a lock, so nothing to wait on."""

    async def look(self) -> Seen:
        """Return what the databases are like now. Touches nothing."""
        seen = await look(self._databases, self._doors)
        return Seen(tuple(self._with_continued(one) for one in seen.databases))

    def _with_continued(self, seen: DatabaseSeen) -> DatabaseSeen:
        done = self._continued.get(component_of(seen.name))
        if done is None or seen.holder is None or seen.holder.identity != done.identity:
            return seen
        return replace(seen, continued=done.at)

    def diagnose(self, seen: Seen, known: Snapshot, now: Reading) -> Diagnosis:
        """Judge; pure."""
        return diagnose(seen, self._databases, known, now)

    def offer(
        self,
        verb: str,
        component: str,
        known: Snapshot,
        now: Reading,
        arguments: Packed | None = None,  # noqa: ARG002 - the protocol's
    ) -> Plan:
        """Return the plan that unlocks a database: its stopped holder is continued.

        Raises:
            DataError: there is nothing to unlock, or only a person can.
        """
        del now  # the plan is as new as the look it was made from
        if verb != "unlock":
            raise DataError(f"databases cannot {verb}", remedy="they can only unlock")
        view = of_healer(known, HEALER).get(component)
        if view is None:
            there = ", ".join(sorted(of_healer(known, HEALER))) or "none"
            raise DataError(f"no database {component!r}", remedy=f"there is: {there}")
        facts = facts_in(view)
        if facts.verdict in BLIND:
            raise DataError(f"{component}: {view.summary}", remedy="nothing is known of its locks")
        if facts.since is None or facts.holder is None:
            raise DataError(f"{component} is not locked", remedy=f"it is {view.summary}")
        if facts.order is None:
            why = f" ({facts.why_not})" if facts.why_not else ""
            state = wording.standing(facts, known.at)
            raise DataError(f"{component} is {state}{why}", remedy=wording.advise(facts))
        return plan_for(facts.order)

    async def carry_out(self, plan: Plan, hand: Hand) -> Proof:
        """Look again, continue the stopped holder, prove it.

        Raises:
            VetoError: it is not as planned; no signal was sent.
            RemedyError: the signal was refused or did not help.
        """
        try:
            order = unpack(plan.order, Order)
        except msgspec.ValidationError as error:
            raise VetoError("the plan was made by another version of healmon") from error
        return await continue_holder(order, self._doors, hand, lambda: self._sent(plan, order))

    def _sent(self, plan: Plan, order: Order) -> None:
        """Keep in mind who was continued, so that it is not done again and again."""
        if order.holder.identity is not None:
            at = self._doors.clock.read().steady
            self._continued[plan.component] = Continued(order.holder.identity, at)

    def report(self, known: Snapshot) -> list[str]:
        """Return the lines under "Checking database locks"."""
        views = of_healer(known, HEALER)
        if not views:
            return ["   No databases to watch"]
        told: list[str] = []
        locked = looked = False
        for component in sorted(views):
            line, facts = line_for(views[component], known.at), facts_in(views[component])
            told += [f"   {line}"] if line else []
            locked |= bool(line) and facts.since is not None
            looked |= facts.verdict not in BLIND
        return told if locked or not looked else ["   ✅ No database locks", *told]

    async def close(self) -> None:
        """Stop watching and send the standing child away."""
        try:
            await self._doors.hands.call(self._doors.locks.close)
        except ProbeError:
            return  # a call hangs; its thread is a daemon, and the child ends with our pipe to it
        self._doors.hands.close()


def facts_in(view: ComponentView) -> Facts:
    """Return what is known of a database; only its path, if another healmon wrote it."""
    try:
        return unpack(view.facts, Facts)
    except msgspec.ValidationError:
        return Facts(verdict="cannot-look", path="", reason=view.summary)


def line_for(view: ComponentView, at: float) -> str:
    """Return a database's line in the report; empty when there is nothing to say.

    Args:
        view: the database.
        at: now, in wall seconds.
    """
    name, facts = clean(view.name.removeprefix("database:")), facts_in(view)
    if facts.since is not None:
        calm = "⏳" if facts.verdict != "working" else ""
        icon = ICONS.get(view.status, calm)
        return f"{icon} {name}: {wording.standing(facts, at)}" if icon else ""
    if view.status in ICONS or facts.verdict in BLIND:
        return f"{ICONS.get(view.status, '❓')} {name}: {view.summary}"
    return f"ℹ️  {name}: {view.summary}" if facts.verdict == "reader-pins-wal" else ""
