"""The healer of SQLite locks: ties looking, judging and acting to the engine."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from healmon.clock import Clock, Reading
from healmon.config.settings import Database
from healmon.databases import wording
from healmon.databases.diagnose import diagnose
from healmon.databases.dotfile import remove_dotfile
from healmon.databases.ending import end_holder
from healmon.databases.equipment import Equipment
from healmon.databases.healing import heal_leftovers
from healmon.databases.model import (
    HEALER,
    Acted,
    DatabaseSeen,
    Deed,
    Deeds,
    Facts,
    Order,
    Refusal,
    Seen,
)
from healmon.databases.planning import plan_for
from healmon.databases.probe import Doors, look
from healmon.databases.remedy import continue_holder
from healmon.databases.remember import DEEDS, NOT_TWICE, PAUSE
from healmon.databases.shells import roll_back
from healmon.databases.unpinning import end_reader
from healmon.errors import DataError, ProbeError, RemedyError, VetoError
from healmon.healer import Hand, Instead
from healmon.plans import STANDS, Diagnosis, Packed, Plan, Proof, pack, unpack
from healmon.state import ComponentView, Rest, Snapshot, of_healer
from healmon.text import clean
from healmon.world.hands import Hands
from healmon.world.processes import Identity, Processes
from healmon.world.sqlite import Locks

BLIND = {"missing", "cannot-look"}
"""Verdicts that know nothing of locks."""
TOLD = {"reader-pins-wal", "leftover", "dotfile-lock"}
"""Verdicts without a holder that are worth a line all the same."""
ICONS = {"critical": "🚨", "warning": "⚠️ ", "unknown": "❓"}


class DatabasesHealer:
    """Watches the locks of the configured databases; frees what may be freed, names the others.

    Args:
        databases: what to watch.
        locks: the door to databases; closed with this healer.
        processes: the door to processes.
        clock: all time.
        own_pid: the process that stands for healmon itself; 0: this one.
        equipment: what only some acts need.
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
        equipment: Equipment | None = None,
    ) -> None:
        self._databases = databases
        more = equipment or Equipment()
        self._doors = Doors(
            locks,
            processes,
            clock,
            Hands("databases"),
            own_pid,
            mender=more.mender,
            supervised=more.supervised,
            tmux=more.tmux,
            sockets=more.sockets,
        )
        self._acted: dict[Identity, Acted] = {}
        self._refused: dict[str, Refusal] = {}
        self._paused: dict[str, float] = {}
        self._rest = Rest(HEALER)
        # one hanging file system each, twice: at the first look and while a lock stands still
        self.deadline: float = 10.0 + 4.5 * len(databases)

    def start(self, wake: Callable[[], None]) -> None:
        """Begin watching: there is nothing that tells of a lock, so nothing to wait on."""

    async def look(self) -> Seen:
        """Return what the databases are like now. Touches nothing."""
        seen = await look(self._databases, self._doors)
        return Seen(tuple(self._with_deeds(one) for one in seen.databases))

    def _with_deeds(self, seen: DatabaseSeen) -> DatabaseSeen:
        identity = seen.holder.identity if seen.holder is not None else None
        acted = self._acted.get(identity) if identity is not None else None
        until = self._paused.get(seen.name, 0.0)
        paused = until if self._doors.clock.read().steady < until else 0.0
        # a look that saw nothing takes in nothing
        heard = bool(seen.samples) or seen.word == "missing"
        refused = self._refused.get(seen.name) if heard else None
        return replace(seen, acted=acted, refused=refused, paused=paused)

    def diagnose(self, seen: Seen, known: Snapshot, now: Reading) -> Diagnosis:
        """Judge; pure, but for what stands."""
        if self._rest.stands(seen, known):
            return STANDS
        found = diagnose(seen, self._databases, known, now)
        self._rest.keep(seen, found, known)
        for one in seen.databases:  # it is remembered; what a look has seen that is not heard stays
            if one.refused is not None and self._refused.get(one.name) is one.refused:
                del self._refused[one.name]
        return found

    def offer(
        self,
        verb: str,
        component: str,
        known: Snapshot,
        now: Reading,
        arguments: Packed | None = None,  # noqa: ARG002 - the protocol's
    ) -> Plan:
        """Return the plan that unlocks a database: what healmon may do about it, at once.

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
        if facts.order is not None:
            return plan_for(facts.order)
        if facts.verdict == "reader-pins-wal":
            advice = f"{facts.why_not}; {wording.advise(facts)}"
            raise DataError(f"{component} is not locked; {view.summary}", remedy=advice)
        if facts.verdict == "dotfile-lock":
            raise DataError(f"{component} is {view.summary}", remedy=facts.why_not)
        if facts.since is None or facts.holder is None:
            raise DataError(f"{component} is not locked", remedy=f"it is {view.summary}")
        why = f" ({facts.why_not})" if facts.why_not else ""
        state = wording.standing(facts, known.at)
        raise DataError(f"{component} is {state}{why}", remedy=wording.advise(facts))

    async def carry_out(self, plan: Plan, hand: Hand) -> Proof:
        """Look again, do what is ordered to exactly that process or those files, prove it.

        Raises:
            VetoError: it is not as planned; nothing was touched.
            RemedyError: it was refused or did not help.
        """
        try:
            order = unpack(plan.order, Order)
        except msgspec.ValidationError as error:
            raise VetoError("the plan was made by another version of healmon") from error
        database = next((one for one in self._databases if one.name == order.name), None)
        if database is None or database.path != order.path:
            raise VetoError(f"{order.name} is not configured like that any more")
        book = _Book(self, order)
        try:
            proof = await self._do(order, database, hand, book)
        except (VetoError, RemedyError) as error:
            # what stands against it may stand for long: a full disk, somebody who cannot be seen
            self._paused[order.name] = self._doors.clock.read().steady + PAUSE
            if isinstance(error, RemedyError):
                error.details |= book.told
            raise
        return replace(proof, details=proof.details | book.told)

    async def _do(self, order: Order, database: Database, hand: Hand, book: _Book) -> Proof:
        doors = self._doors
        if order.deed == "continue":
            return await continue_holder(order, doors, hand, book)
        if order.deed == "end":
            return await end_holder(order, database, doors, hand, book)
        if order.deed == "unpin":
            return await end_reader(order, database, doors, hand, book)
        if order.deed == "rollback":
            return await roll_back(order, database, doors, hand, book)
        if order.deed == "heal":
            return await heal_leftovers(order, doors, hand, book)
        return await remove_dotfile(order, doors, hand)

    def keep_acted(self, identity: Identity, deed: Deed) -> Acted:
        """Keep in mind on whom it was acted, so that it is not done again and again."""
        at = self._doors.clock.read().steady
        young = {who: done for who, done in self._acted.items() if at - done.at < NOT_TWICE}
        self._acted = {**young, identity: Acted(identity, at, deed)}
        return self._acted[identity]

    def keep_refused(self, name: str, refusal: Refusal) -> None:
        """Keep in mind what must not be taken over; the next look tells it."""
        self._refused[name] = refusal

    async def pause(self, component: str) -> None:
        """Nothing is done here without the engine."""

    def give_way(self, component: str, reason: str, instead: Instead) -> bool:  # noqa: ARG002 - the protocol's
        """Return that no act ends before its time here: none of them waits for long."""
        return False

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


class _Book:
    """What one act notes down: for looks in its midst, and told with its end for those after."""

    def __init__(self, healer: DatabasesHealer, order: Order) -> None:
        self._healer = healer
        self._order = order
        self._deeds = Deeds()

    @property
    def told(self) -> Packed:
        """The details of an action that carry it."""
        return {DEEDS: pack(self._deeds)} if self._deeds != Deeds() else {}

    def acted(self, identity: Identity, deed: Deed) -> None:
        self._deeds = replace(self._deeds, acted=self._healer.keep_acted(identity, deed))

    def refused(self, refusal: Refusal) -> None:
        self._deeds = replace(self._deeds, refused=refusal)
        self._healer.keep_refused(self._order.name, refusal)


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
    return f"ℹ️  {name}: {view.summary}" if facts.verdict in TOLD else ""
