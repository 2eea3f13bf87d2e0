"""Continues a stopped process that holds a database's lock, and proves what came of it.

It is the only remedy: SIGCONT loses nothing, and the process's own COMMIT or ROLLBACK frees the
lock. Files are never touched: a -wal or -journal belongs to the data, and SQLite alone may use it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass

from healmon.databases.model import Order, Sample
from healmon.databases.probe import Doors, facts_of, holder_of, take_sample
from healmon.databases.remember import changed_since
from healmon.errors import ProbeError, RemedyError, VetoError
from healmon.healer import Hand
from healmon.plans import Proof
from healmon.world.processes import Identity

WITHIN = 5.0
"""Seconds within which the proof must come."""
EVERY = 0.1
"""Seconds between looks for it."""


@dataclass(frozen=True, slots=True)
class _After:
    """What one look after the signal shows."""

    alive: bool
    stopped: bool
    released: bool
    committed: bool
    worked: float


async def continue_holder(
    order: Order, doors: Doors, hand: Hand, sent: Callable[[], None]
) -> Proof:
    """Send SIGCONT to the stopped holder of a lock and tell what it did then.

    Args:
        order: whom, and what must still be true of it.
        doors: what looking and acting go through.
        hand: journals the signal before it is sent.
        sent: called once the signal is sent.

    Raises:
        VetoError: it is not as ordered; no signal was sent.
        RemedyError: the signal was refused, or the process stayed stopped, or cannot be seen.
    """
    try:
        await doors.hands.call(lambda: _insist(order, doors))
        await hand.about_to(f"send SIGCONT to {order.holder}")
        await doors.hands.call(lambda: _send(order, doors))
    except ProbeError as error:
        raise VetoError(f"{order.name} cannot be looked at again: {error}") from error
    sent()
    return await _prove(order, doors)


def _insist(order: Order, doors: Doors) -> None:
    """Look again; return only when everything is as it was when the order was given."""
    sample = take_sample(order.path, doors)
    changed = changed_since(order, sample)
    if changed:
        raise VetoError(changed)
    if sample.reading.network:
        raise VetoError(f"it is on a network file system ({sample.reading.network})")
    holder = holder_of(order.hold.pid, doors)
    if holder.barred or holder.identity != _identity(order):
        raise VetoError(holder.barred or f"pid {order.hold.pid} is another process now")


def _send(order: Order, doors: Doors) -> None:
    # writing the journal may have taken a while
    _insist(order, doors)
    try:
        sent = doors.processes.signal(_identity(order), signal.SIGCONT)
    except PermissionError as error:
        raise RemedyError(f"healmon may not signal {order.holder}") from error
    if not sent:
        raise VetoError(f"{order.holder} has just ended")


async def _prove(order: Order, doors: Doors) -> Proof:
    began = doors.clock.read().steady
    blind = ""
    after: _After | None = None
    while True:
        try:
            after = await doors.hands.call(lambda: _look_after(order, doors))
        except ProbeError as error:
            blind = str(error)
        took = doors.clock.read().steady - began
        if after is not None and (after.released or after.committed):
            return _freed(order, after, took)
        if took >= WITHIN:
            break
        await doors.clock.sleep(EVERY)
    if after is None:
        raise RemedyError(f"SIGCONT sent to {order.holder}, but nothing can be seen: {blind}")
    if after.stopped:
        raise RemedyError(
            f"{order.holder} is still stopped {WITHIN:g} s after SIGCONT (a job that wants its "
            "terminal needs `fg` there)"
        )
    life = f"it used {after.worked:.2f} s of CPU" if after.worked > 0 else "it has not moved on yet"
    held = " + ".join(order.hold.locks)
    text = f"{order.holder} runs again but still holds {held} after {WITHIN:g} s, alive; {life}"
    return Proof(text, details={"pid": order.hold.pid, "released": False})


def _look_after(order: Order, doors: Doors) -> _After:
    sample: Sample = take_sample(order.path, doors)
    facts = facts_of(order.hold.pid, doors)
    ours = facts is not None and facts.identity == _identity(order) and facts.state not in "ZX"
    writer = sample.reading.writer
    return _After(
        alive=ours,
        stopped=ours and facts is not None and facts.state in "Tt",
        released=writer is None or writer.pid != order.hold.pid or not ours,
        committed=sample.reading.marker != order.hold.marker,
        worked=facts.cpu_seconds - order.baseline.cpu if ours and facts is not None else 0.0,
    )


def _freed(order: Order, after: _After, took: float) -> Proof:
    if not after.alive:
        what = f"ended after SIGCONT; lock released after {took:.1f} s"
    elif after.released:
        what = f"runs again; lock released after {took:.1f} s"
    else:
        what = f"runs again; it committed after {took:.1f} s and has the lock anew"
    return Proof(
        f"{order.holder} {what}",
        message=f"{order.name}: {order.holder} was stopped and held the lock; it {what}",
        details={"pid": order.hold.pid, "released": True, "seconds": round(took, 2)},
    )


def _identity(order: Order) -> Identity:
    return Identity(order.hold.boot, order.hold.pid, order.hold.ticks)
