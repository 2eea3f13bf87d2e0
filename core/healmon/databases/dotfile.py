"""Removes the lock directory that a dead user of SQLite's `unix-dotfile` left, when asked to.

It is the only lock that outlives its process. Healmon never does it by itself: any script may have
made a directory of that name for reasons of its own.
"""

from __future__ import annotations

from healmon.databases.model import Order
from healmon.databases.probe import Doors
from healmon.errors import ProbeError, RemedyError, VetoError
from healmon.healer import Hand
from healmon.plans import Proof


async def remove_dotfile(order: Order, doors: Doors, hand: Hand) -> Proof:
    """Remove the lock directory of a database that nobody has open.

    Raises:
        VetoError: it is not as ordered; nothing was removed.
        RemedyError: it cannot be removed, or is there again.
    """
    mender = doors.mender
    if mender is None or len(order.mark) < 3:
        raise VetoError("the order names no lock directory")

    def insist() -> None:
        reading = doors.locks.look(order.path)
        lock = reading.dotfile
        mark = (reading.device, reading.inode, lock.mtime_ns if lock is not None else -1)
        if reading.network or reading.locks or mark != order.mark:
            raise VetoError("it is not as it was any more")
        users = doors.locks.users(order.path)
        if users.found or not users.complete:
            whose = f"pid {users.found[0].pid} has" if users.found else "somebody may have"
            raise VetoError(f"{whose} the database open")

    def remove() -> bool:
        insist()
        return mender.remove_dotfile(order.path, order.mark[2])

    try:
        await doors.hands.call(insist)
        await hand.about_to(f"remove the lock directory of {order.name}")
        removed = await doors.hands.call(remove)
        reading = await doors.hands.call(lambda: doors.locks.look(order.path))
    except ProbeError as error:
        raise VetoError(f"{order.name} cannot be looked at again: {error}") from error
    except OSError as error:
        raise RemedyError(f"the lock directory cannot be removed: {error.strerror}") from error
    if not removed:
        raise VetoError("it is another directory now")
    if reading.dotfile is not None:
        raise RemedyError("the lock directory is there again")
    text = "the stale lock directory is gone"
    return Proof(text, message=f"{order.name}: {text}", details={"released": True})
