"""Ends a reader that keeps a large -wal from shrinking, where the configuration says so.

It keeps nobody from writing, so nothing is urgent: only one that healmon is answerable for, that
does nothing, and that pins the very frames that it pinned when it was judged. Nobody checkpoints
for it: whoever writes next does, and if it was the last that had the database open, what it leaves
is taken over as after a crash.
"""

from __future__ import annotations

from dataclasses import dataclass

from healmon.config.settings import Database
from healmon.databases.acting import Book, keep_looking, nobodys, seen_off, send, standing, went
from healmon.databases.classify import CPU_TICKS, pins_of
from healmon.databases.healing import heal_after
from healmon.databases.model import MOVING, Holder, Order, Pin
from healmon.databases.planning import KILL_WAIT, TERM_WAIT
from healmon.databases.policy import writers
from healmon.databases.probe import GAP, SAMPLES, Doors, facts_of, holder_of
from healmon.errors import ProbeError, RemedyError, VetoError
from healmon.healer import Hand
from healmon.plans import Packed, Proof
from healmon.world.dbreading import DatabaseReading
from healmon.world.processes import KILL, TERM, Identity


@dataclass(frozen=True, slots=True)
class Reader:
    """The one reader that an order is about."""

    order: Order
    pin: Pin
    identity: Identity
    holder: Holder


@dataclass(frozen=True, slots=True)
class After:
    """What one look after a signal shows: whether it let go, lives, and who pins frames now."""

    gone: bool
    alive: bool
    next: Pin | None


async def end_reader(
    order: Order, database: Database, doors: Doors, hand: Hand, book: Book
) -> Proof:
    """End a reader: SIGTERM, and SIGKILL if it still pins the same frames; then heal.

    Raises:
        VetoError: it is not as ordered; no signal was sent.
        RemedyError: it still pins them, or what it left could not be taken over.
    """
    reader = _reader_of(order)
    try:
        await _stays_still(reader, database, doors)
        await hand.about_to(f"send SIGTERM to {reader.holder}")
        await doors.hands.call(lambda: _signal(reader, TERM, database, doors))
    except ProbeError as error:
        raise VetoError(f"{order.name} cannot be looked at again: {error}") from error
    book.acted(reader.identity, "unpin")
    after, took = await _watch(reader, doors, TERM_WAIT)
    sent: Packed = {"sigterm": 0.0}
    if not after.gone:
        sent["sigkill"] = round(took, 2)
        after, more = await _kill(reader, database, doors, hand)
        took += more
    after = await seen_off(after, lambda: _look(reader, doors), str(reader.holder), doors)
    did = went(reader.holder, alive=after.alive)
    freed = f"{did}; {reader.pin.held_back} frames free {took:.1f} s after SIGTERM"
    if "sigkill" in sent:
        freed += f", with SIGKILL after {sent['sigkill']:g} s"
    healed, details = await heal_after(order, doors, hand, book)
    text = f"{freed}; {_now(after.next, reader)}; {healed}"
    facts: Packed = {"pid": reader.pin.pid, "ended": not after.alive, "seconds": round(took, 2)}
    facts |= sent
    return Proof(
        text,
        message=f"{order.name}: {reader.holder} idled in a read transaction and kept the -wal from"
        f" shrinking; {text}",
        details={**facts, "pinned_by": after.next.pid if after.next else 0, **details},
    )


def _now(pin: Pin | None, reader: Reader) -> str:
    if pin is None:
        return "nobody pins the -wal: it shrinks at the next checkpoint of its users"
    if pin.pid == reader.pin.pid:
        return f"it reads anew and pins {pin.held_back} frames"
    return f"pid {pin.pid} pins {pin.held_back} frames still"


def _reader_of(order: Order) -> Reader:
    pin, holder = order.pin, order.holder
    if pin is None or pin.identity is None or holder is None:
        raise VetoError("the order names nobody")
    return Reader(order, pin, pin.identity, holder)


async def _stays_still(reader: Reader, database: Database, doors: Doors) -> None:
    """Watch it for a moment; return only when it is as ordered and does nothing at all.

    Raises:
        VetoError: it is not.
        ProbeError: it cannot be seen.
    """
    first = await doors.hands.call(lambda: _insist(reader, database, doors))
    for _ in range(SAMPLES - 1):
        await doors.clock.sleep(GAP)
        used = await doors.hands.call(lambda: _insist(reader, database, doors)) - first
        if used >= CPU_TICKS:
            raise VetoError(f"{reader.holder} is at work again")


def _insist(reader: Reader, database: Database, doors: Doors) -> float:
    """Look again; return its CPU seconds, only when everything is as it was ordered. Blocks.

    Raises:
        VetoError: it is not.
        ProbeError: it cannot be seen.
    """
    reading, pid = doors.locks.look(reader.order.path), reader.pin.pid
    facts, holder = facts_of(pid, doors), holder_of(pid, doors)
    if facts is None or holder.identity != reader.identity:
        raise VetoError(f"{reader.holder} has ended")
    used = facts.cpu_seconds - reader.pin.cpu
    against = (
        (not database.end_readers, "end_readers is not set any more"),
        (bool(reading.network), f"it is on a network file system ({reading.network})"),
        ((reading.device, reading.inode) != reader.order.mark, "the file is another one now"),
        (not _pins(reader, reading), f"pid {pid} does not pin these frames any more"),
        (pid in writers(reading), f"pid {pid} writes now"),
        (facts.state not in MOVING, f"pid {pid} is in state {facts.state} now"),
        (used > reader.order.slack, f"pid {pid} has worked since"),
        (bool(holder.barred), holder.barred),
    )
    why = next((text for applies, text in against if applies), "") or nobodys(database)(holder)
    if why:
        raise VetoError(why)
    return facts.cpu_seconds


def _pins(reader: Reader, reading: DatabaseReading) -> bool:
    pin = reader.pin
    return any(
        (now.pid, now.mark) == (pin.pid, pin.mark) and now.frames >= pin.frames
        for now in pins_of(reading)
    )


def _signal(reader: Reader, number: int, database: Database, doors: Doors) -> None:
    # writing the journal may have taken a while
    _insist(reader, database, doors)
    send(reader.identity, reader.holder, number, doors)


async def _watch(reader: Reader, doors: Doors, seconds: float) -> tuple[After, float]:
    return await keep_looking(
        lambda: _look(reader, doors), str(reader.holder), doors, seconds, lambda now: now.gone
    )


def _look(reader: Reader, doors: Doors) -> After:
    reading = doors.locks.look(reader.order.path)
    alive = standing(reader.identity, doors) is not None
    # the locks were read first: who has ended since holds none of them any more
    nobody = not alive and doors.processes.identify(reader.pin.pid) is None
    left = (pin for pin in pins_of(reading) if not nobody or pin.pid != reader.pin.pid)
    return After(not alive or not _pins(reader, reading), alive, next(left, None))


async def _kill(
    reader: Reader, database: Database, doors: Doors, hand: Hand
) -> tuple[After, float]:
    """Send SIGKILL to one that did not let go after SIGTERM.

    Raises:
        RemedyError: it is alive and at work, or cannot be ended.
    """
    await hand.about_to(f"send SIGKILL to {reader.holder}")
    try:
        await doors.hands.call(lambda: _signal(reader, KILL, database, doors))
    except (VetoError, ProbeError) as error:
        after, took = await _watch(reader, doors, 0.0)
        if after.gone:
            return after, took
        raise RemedyError(f"{reader.holder} did not let go after SIGTERM, but {error}") from error
    after, took = await _watch(reader, doors, KILL_WAIT)
    if not after.gone:
        raise RemedyError(f"{reader.holder} still pins frames {KILL_WAIT:g} s after SIGKILL")
    return after, took
