"""Ends the one holder of a lock that healmon is answerable for, and heals what it leaves.

SIGTERM lets most programs roll back by themselves; SIGKILL costs no committed row either, because
SQLite's own recovery is made for it. What it leaves must then be taken over by SQLite, not removed.
"""

from __future__ import annotations

from healmon.config.settings import Database
from healmon.databases.acting import (
    After,
    Book,
    Target,
    insist,
    look_after,
    nobodys,
    seen_off,
    send,
    stays_still,
    target_of,
    watch_until,
    went,
)
from healmon.databases.healing import heal_after
from healmon.databases.model import Order
from healmon.databases.planning import KILL_WAIT, TERM_WAIT
from healmon.databases.probe import Doors
from healmon.errors import ProbeError, RemedyError, VetoError
from healmon.healer import Hand
from healmon.plans import Packed, Proof
from healmon.world.processes import KILL, TERM


async def end_holder(
    order: Order, database: Database, doors: Doors, hand: Hand, book: Book
) -> Proof:
    """End the holder of a lock: SIGTERM, and SIGKILL if it still holds it; then heal.

    Raises:
        VetoError: it is not as ordered; no signal was sent.
        RemedyError: it still holds the lock, or what it left could not be taken over.
    """
    target = target_of(order)
    may = nobodys(database)
    try:
        await stays_still(target, doors)
        await doors.hands.call(lambda: insist(target, doors, may))
        await hand.about_to(f"send SIGTERM to {target.holder}")
        await doors.hands.call(lambda: _signal(target, TERM, doors, database))
    except ProbeError as error:
        raise VetoError(f"{order.name} cannot be looked at again: {error}") from error
    book.acted(target.identity, "end")
    after, took = await watch_until(target, doors, TERM_WAIT, lambda now: now.released)
    sent: Packed = {"sigterm": 0.0}
    if not after.released:
        sent["sigkill"] = round(took, 2)
        after, more = await _kill(target, database, doors, hand)
        took += more
    after = await seen_off(after, lambda: look_after(target, doors), str(target.holder), doors)
    did = went(target.holder, alive=after.alive)
    freed = f"{did}; lock released {took:.1f} s after SIGTERM"
    if "sigkill" in sent:
        freed += f", with SIGKILL after {sent['sigkill']:g} s"
    healed, details = await heal_after(order, doors, hand, book)
    facts: Packed = {"pid": target.hold.pid, "released": True, "ended": not after.alive}
    facts |= {"seconds": round(took, 2), **sent}
    return Proof(
        f"{freed}; {healed}",
        message=f"{order.name}: {target.holder} idled in a transaction and held the lock; {freed}; "
        f"{healed}",
        details={**facts, **details},
    )


def _signal(target: Target, number: int, doors: Doors, database: Database) -> None:
    insist(target, doors, nobodys(database))
    send(target.identity, target.holder, number, doors)


async def _kill(
    target: Target, database: Database, doors: Doors, hand: Hand
) -> tuple[After, float]:
    """Send SIGKILL to whoever did not let go; returns the last look and the seconds it took.

    Raises:
        RemedyError: it is alive and at work, or cannot be ended.
    """
    await hand.about_to(f"send SIGKILL to {target.holder}")
    try:
        await doors.hands.call(lambda: _signal(target, KILL, doors, database))
    except (VetoError, ProbeError) as error:
        after, took = await watch_until(target, doors, 0.0, lambda now: now.released)
        if after.released:
            return after, took
        raise RemedyError(f"{target.holder} did not let go after SIGTERM, but {error}") from error
    after, took = await watch_until(target, doors, KILL_WAIT, lambda now: now.released)
    if not after.released:
        late = f"{KILL_WAIT:g} s after SIGKILL"
        raise RemedyError(f"{target.holder} still holds {target.held} {late}")
    return after, took
