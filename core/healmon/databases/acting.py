"""What every act on a holder shares: its target, the last look before, the look after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from healmon.config.settings import Database
from healmon.databases.classify import CPU_TICKS, stands_still
from healmon.databases.model import Baseline, Deed, Hold, Holder, Order, Refusal
from healmon.databases.policy import matches
from healmon.databases.probe import GAP, SAMPLES, Doors, holder_of, take_sample
from healmon.databases.remember import changed_since
from healmon.errors import ProbeError, RemedyError, VetoError
from healmon.world.processes import DEAD, Identity, ProcessFacts


class _Living(Protocol):
    """A look at a process, among other things."""

    @property
    def alive(self) -> bool: ...


Seen = TypeVar("Seen")
Leaving = TypeVar("Leaving", bound=_Living)
EVERY = 0.1
"""Seconds between looks for a proof."""
MOMENT = 1.0
"""Seconds after which one that let go lives on."""


class Book(Protocol):
    """What the healer keeps in mind of an act."""

    def acted(self, identity: Identity, deed: Deed) -> None:
        """Keep on whom it was acted, so that it is not done again and again."""
        ...

    def refused(self, refusal: Refusal) -> None:
        """Keep what must not be taken over."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """The one process that an order is about."""

    order: Order
    hold: Hold
    holder: Holder
    baseline: Baseline

    @property
    def identity(self) -> Identity:
        """Who it is."""
        return Identity(self.hold.boot, self.hold.pid, self.hold.ticks)

    @property
    def held(self) -> str:
        """Its locks, for people."""
        return " + ".join(self.hold.locks)


@dataclass(frozen=True, slots=True)
class After:
    """What one look after a signal shows.

    Attributes:
        alive, stopped: the process.
        released: the kernel does not name it any more.
        marker: what moves with every commit.
        worked: CPU seconds since the order.
    """

    alive: bool
    stopped: bool
    released: bool
    marker: tuple[int, ...]
    worked: float


def target_of(order: Order) -> Target:
    """Return whom an order is about.

    Raises:
        VetoError: it names nobody.
    """
    if order.hold is None or order.holder is None or order.baseline is None:
        raise VetoError("the order names nobody")
    return Target(order, order.hold, order.holder, order.baseline)


def insist(target: Target, doors: Doors, also: Callable[[Holder], str] = lambda _: "") -> None:
    """Look again; return only when everything is as it was when the order was given. Blocks.

    Args:
        target: whom.
        doors: what looking goes through.
        also: tells what else is against it; empty: nothing.

    Raises:
        VetoError: it is not.
        ProbeError: it cannot be seen.
    """
    sample = take_sample(target.order.path, doors)
    changed = changed_since(target.order, sample)
    if changed:
        raise VetoError(changed)
    if sample.reading.network:
        raise VetoError(f"it is on a network file system ({sample.reading.network})")
    holder = holder_of(target.hold.pid, doors)
    if holder.barred or holder.identity != target.identity:
        raise VetoError(holder.barred or f"pid {target.hold.pid} is another process now")
    against = also(holder)
    if against:
        raise VetoError(against)


def nobodys(database: Database) -> Callable[[Holder], str]:
    """Return what tells why a process must not be ended for this database; empty: it may be."""

    def against(holder: Holder) -> str:
        if matches(holder, database.keep):
            return "it is on the keep list"
        if not holder.worker and not matches(holder, database.may_kill):
            return "it belongs to no worker of healmon's"
        return ""

    return against


async def stays_still(target: Target, doors: Doors) -> None:
    """Watch a holder for a moment; return only when it does nothing at all.

    Over two minutes a little CPU time is no work; in the moment before its end it is.

    Raises:
        VetoError: it is at work.
        ProbeError: it cannot be seen.
    """
    samples = [await doors.hands.call(lambda: take_sample(target.order.path, doors))]
    for _ in range(SAMPLES - 1):
        await doors.clock.sleep(GAP)
        samples.append(await doors.hands.call(lambda: take_sample(target.order.path, doors)))
    used = samples[-1].cpu - samples[0].cpu
    if not stands_still(tuple(samples)) or used >= CPU_TICKS:
        raise VetoError(f"{target.holder} is at work again")


def send(identity: Identity, holder: Holder, number: int, doors: Doors) -> None:
    """Send a signal through a pidfd.

    Raises:
        VetoError: it has just ended.
        RemedyError: it was refused.
    """
    try:
        sent = doors.processes.signal(identity, number)
    except PermissionError as error:
        raise RemedyError(f"healmon may not signal {holder}") from error
    if not sent:
        raise VetoError(f"{holder} has just ended")


def standing(identity: Identity, doors: Doors) -> ProcessFacts | None:
    """Return one look at a process; None: it has ended. Blocks.

    Raises:
        ProbeError: it cannot be told.
    """
    facts = doors.processes.inspect(identity)
    return None if facts is None or facts.state in DEAD else facts


async def seen_off(after: Leaving, look: Callable[[], Leaving], who: str, doors: Doors) -> Leaving:
    """Return the last look at one that let go: most end a moment later."""
    if not after.alive:
        return after
    try:
        last, _ = await keep_looking(look, who, doors, MOMENT, lambda now: not now.alive)
    except RemedyError:
        return after
    return last


def went(holder: Holder, *, alive: bool) -> str:
    """Return what one that was asked to end has done, as the begin of a sentence."""
    return f"{holder} let go and lives on" if alive else f"{holder} ended"


def look_after(target: Target, doors: Doors) -> After:
    """Look at a lock and its holder after a signal. Blocks.

    Raises:
        ProbeError: it cannot be seen.
    """
    sample = take_sample(target.order.path, doors)
    ours = standing(target.identity, doors)
    writer = sample.reading.writer
    return After(
        alive=ours is not None,
        stopped=ours is not None and ours.state in "Tt",
        released=writer is None or writer.pid != target.hold.pid or ours is None,
        marker=sample.reading.marker,
        worked=ours.cpu_seconds - target.baseline.cpu if ours is not None else 0.0,
    )


async def watch_until(
    target: Target, doors: Doors, seconds: float, done: Callable[[After], bool]
) -> tuple[After, float]:
    """Look again and again; returns the last look and how long it took.

    Raises:
        RemedyError: nothing could be seen in that time.
    """
    return await keep_looking(
        lambda: look_after(target, doors), str(target.holder), doors, seconds, done
    )


async def keep_looking(
    look: Callable[[], Seen], who: str, doors: Doors, seconds: float, done: Callable[[Seen], bool]
) -> tuple[Seen, float]:
    """Look until it is `done` or so many seconds have passed; returns the last look and its time.

    Raises:
        RemedyError: nothing could be seen in that time.
    """
    began = doors.clock.read().steady
    blind = ""
    after: Seen | None = None
    while True:
        try:
            after = await doors.hands.call(look)
        except ProbeError as error:
            blind = str(error)
        took = doors.clock.read().steady - began
        if after is not None and done(after):
            return after, took
        if took >= seconds:
            break
        await doors.clock.sleep(EVERY)
    if after is None:
        raise RemedyError(f"{who} was signalled, but nothing can be seen: {blind}")
    return after, took
