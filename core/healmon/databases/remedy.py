"""Continues a stopped process that holds a database's lock, and proves what came of it.

It is the gentlest remedy: SIGCONT loses nothing, and the process's own COMMIT or ROLLBACK frees the
lock.
"""

from __future__ import annotations

from healmon.databases.acting import After, Book, Target, insist, send, target_of, watch_until
from healmon.databases.model import Order
from healmon.databases.probe import Doors
from healmon.errors import ProbeError, RemedyError, VetoError
from healmon.healer import Hand
from healmon.plans import Proof
from healmon.world.processes import CONT

WITHIN = 5.0
"""Seconds within which the proof must come."""


async def continue_holder(order: Order, doors: Doors, hand: Hand, book: Book) -> Proof:
    """Send SIGCONT to the stopped holder of a lock and tell what it did then.

    Args:
        order: whom, and what must still be true of it.
        doors: what looking and acting go through.
        hand: journals the signal before it is sent.
        book: keeps in mind who was continued.

    Raises:
        VetoError: it is not as ordered; no signal was sent.
        RemedyError: the signal was refused, or the process stayed stopped, or cannot be seen.
    """
    target = target_of(order)

    def signal_it() -> None:
        # writing the journal may have taken a while
        insist(target, doors)
        send(target.identity, target.holder, CONT, doors)

    try:
        await doors.hands.call(lambda: insist(target, doors))
        await hand.about_to(f"send SIGCONT to {target.holder}")
        await doors.hands.call(signal_it)
    except ProbeError as error:
        raise VetoError(f"{order.name} cannot be looked at again: {error}") from error
    book.acted(target.identity, "continue")
    return await _prove(target, doors)


async def _prove(target: Target, doors: Doors) -> Proof:
    commits = _Commits(target.hold.marker)
    after, took = await watch_until(
        target, doors, WITHIN, lambda now: now.released or commits.twice(now.marker)
    )
    if after.released or commits.count > 1:
        return _freed(target, after, took)
    if after.stopped:
        raise RemedyError(
            f"{target.holder} is still stopped {WITHIN:g} s after SIGCONT (a job that wants its "
            "terminal needs `fg` there)"
        )
    if commits.count:
        life = "something of it was committed meanwhile, or is being committed"
    elif after.worked > 0:
        life = f"it used {after.worked:.2f} s of CPU"
    else:
        life = "it has not moved on yet"
    text = (
        f"{target.holder} runs again but still holds {target.held} after {WITHIN:g} s, alive; "
        f"{life}"
    )
    return Proof(text, details={"pid": target.hold.pid, "released": False})


class _Commits:
    """Counts how often the commit marker moved.

    Once proves little: it moves before the lock is let go, and a writer may be caught in between.
    Twice under one lock means that it was let go and taken anew.
    """

    def __init__(self, marker: tuple[int, ...]) -> None:
        self._marker = marker
        self.count = 0

    def twice(self, marker: tuple[int, ...]) -> bool:
        """Take note of what a look shows; True from the second move on."""
        self.count += marker != self._marker
        self._marker = marker
        return self.count > 1


def _freed(target: Target, after: After, took: float) -> Proof:
    if not after.alive:
        what = f"ended after SIGCONT; lock released after {took:.1f} s"
    elif after.released:
        what = f"runs again; lock released after {took:.1f} s"
    else:
        what = f"runs again and commits again and again; seen after {took:.1f} s"
    return Proof(
        f"{target.holder} {what}",
        message=f"{target.order.name}: {target.holder} was stopped and held the lock; it {what}",
        details={"pid": target.hold.pid, "released": True, "seconds": round(took, 2)},
    )
