"""Has SQLite take over what a crash left beside a database, in a child, and proves it."""

from __future__ import annotations

from healmon.clock import format_utc
from healmon.databases.acting import Book
from healmon.databases.model import Order, Refusal
from healmon.databases.probe import Doors
from healmon.errors import ProbeError, RemedyError, VetoError
from healmon.healer import Hand
from healmon.plans import Packed, Proof
from healmon.world.mending import Mended

LEFT_TO_OTHERS = "what it left beside it is taken over by whoever opens it next"


async def heal_leftovers(order: Order, doors: Doors, hand: Hand, book: Book) -> Proof:
    """Take over what was left beside a database that nobody has open.

    Raises:
        VetoError: it is not as ordered, or somebody is there, or a disk is full; nothing was done.
        RemedyError: it is damaged, or it failed; its files are as they were.
    """
    try:
        await doors.hands.call(lambda: _insist(order, doors))
        await hand.about_to(f"take over what a crash left beside {order.name}")
        await doors.hands.call(lambda: _insist(order, doors))
        mended = await _mend(order, doors)
    except ProbeError as error:
        raise VetoError(f"{order.name}: {error}") from error
    if mended.word == "full":
        why = f"the disk is full: free space first ({mended.text})"
        book.refused(Refusal(order.mark, "full", why, mended.kept))
        raise VetoError(why)
    if mended.word == "live":
        raise VetoError(f"it is in use ({mended.text})")
    text = _told(order, mended, book)
    return Proof(text, message=f"{order.name}: {text}", details=_details(mended))


async def heal_after(order: Order, doors: Doors, hand: Hand, book: Book) -> tuple[str, Packed]:
    """Take over what the holder left that has just been ended; returns it in words and as facts.

    Whoever else has the database open does it at the next access: then nothing is done here.

    Raises:
        RemedyError: it is damaged, or it failed; its files are as they were.
    """
    try:
        reading = await doors.hands.call(lambda: doors.locks.look(order.path))
        users = await doors.hands.call(lambda: doors.locks.users(order.path))
        if reading.leftover is None:
            return "nothing was left beside it", {}
        if any(not user.deleted for user in users.found) or doors.mender is None:
            return LEFT_TO_OTHERS, {}
        await hand.about_to(f"take over what a crash left beside {order.name}")
        now = Order(name=order.name, path=order.path, deed="heal", mark=reading.leftover)
        mended = await _mend(now, doors)
    except ProbeError as error:
        return f"{LEFT_TO_OTHERS} ({error})", {}
    if mended.word in {"live", "full"}:
        return f"{LEFT_TO_OTHERS} ({mended.text})", {}
    return _told(now, mended, book), _details(mended)


def _insist(order: Order, doors: Doors) -> None:
    """Look again; return only when the same leftovers are there and nobody has them open.

    Raises:
        VetoError: it is not so.
        ProbeError: it cannot be seen.
    """
    reading = doors.locks.look(order.path)
    if reading.network:
        raise VetoError(f"it is on a network file system ({reading.network})")
    if reading.dotfile is not None:
        raise VetoError("a lock directory (unix-dotfile) is there")
    if reading.leftover != order.mark:
        raise VetoError("what was left has changed, or is in use")
    users = [user.pid for user in doors.locks.users(order.path).found if not user.deleted]
    if users:
        raise VetoError(f"pid {users[0]} has it open")


async def _mend(order: Order, doors: Doors) -> Mended:
    mender = doors.mender
    if mender is None:
        raise VetoError("healmon has nothing to heal with here")
    wall = doors.clock.read().wall
    stamp = format_utc(wall)[:19].replace("-", "").replace(":", "").replace(" ", "T") + "Z"
    mended = await doors.hands.call(lambda: mender.heal(order.name, order.path, order.mark, stamp))
    await doors.hands.call(lambda: mender.prune(wall, doors.clock.steps))
    return mended


def _told(order: Order, mended: Mended, book: Book) -> str:
    if mended.word in {"damaged", "mispaired", "corrupt"}:
        found = "; ".join(mended.check[:3]) or mended.text
        text = f"SQLite finds it damaged: {found}" if mended.word == "corrupt" else mended.text
        mark = order.mark
        book.refused(Refusal(mark, mended.word, text, mended.kept))
        raise RemedyError(f"{text}; all of it is copied to {mended.kept}")
    if mended.word != "healed":
        kept = f"; all of it is copied to {mended.kept}" if mended.kept else ""
        why = f"SQLite could not take it over: {mended.text}"
        book.refused(Refusal(order.mark, "failed", why, mended.kept))
        raise RemedyError(f"SQLite could not take it over: {mended.text}{kept}")
    what = "its hot journal rolled back" if mended.hot else f"{mended.frames} frames taken over"
    return f"{what}, quick_check ok, copy in {mended.kept}"


def _details(mended: Mended) -> Packed:
    return {
        "healed": True, "frames": mended.frames, "hot_journal": mended.hot,
        "quick_check": list(mended.check), "copy": mended.kept,
    }  # fmt: skip
