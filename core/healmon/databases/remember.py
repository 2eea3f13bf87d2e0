"""What is kept in mind of a lock between looks: since when, and what must not move. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from healmon.clock import Reading
from healmon.databases.classify import hold_of
from healmon.databases.model import (
    MOVING,
    Acted,
    Baseline,
    DatabaseSeen,
    Deeds,
    Memory,
    Order,
    Pin,
    Refusal,
    Sample,
    Still,
    VerdictWord,
)
from healmon.plans import Packed, pack, unpack
from healmon.state import Snapshot, finished_on

CPU_SHARE = 0.02
"""Share of a CPU that counts as work over a longer time: waiters that poll use far less."""
CPU_SLACK = 0.02
"""CPU seconds that never count."""
DEEDS = "deeds"
"""What the details of an action hold them under."""
PAUSE = 60.0
"""Seconds between two tries of an act that came to nothing."""
NOT_TWICE = 600.0
"""Seconds within which healmon does not act again on the same process: somebody means it."""


def recall(known: Snapshot, component: str) -> Memory:
    """Return what is remembered of a database; nothing, if another healmon wrote it."""
    try:
        return unpack(known.memory.get(component, {}), Memory)
    except msgspec.ValidationError:
        return Memory()


def packed(memory: Memory) -> Packed:
    """Return a memory as events carry it; nothing to remember is an empty object."""
    return pack(memory) if memory != Memory() else {}


def still_for(memory: Memory, now: Reading) -> float:
    """Return the seconds for which a hold has made no progress."""
    return now.steady - memory.still.since if memory.still is not None else 0.0


def deeds_told(
    known: Snapshot, component: str, before: Memory, now: Reading
) -> tuple[tuple[float, Deeds], ...]:
    """Return what acts that have just finished said of themselves, oldest first, and when.

    The healer that acted may have ended before anybody looked. What an earlier look took in is no
    news: a file that was exchanged since may look like the one that it was about.
    """
    found: list[tuple[float, Deeds]] = []
    for action in finished_on(known, component):
        if action.at <= before.heard or abs(now.wall - action.at) >= NOT_TWICE:
            continue
        try:
            deeds = unpack(action.details.get(DEEDS, {}), Deeds)
        except msgspec.ValidationError:  # another healmon's
            continue
        if deeds != Deeds():
            found.append((action.at, deeds))
    return tuple(found)


def with_deeds(
    before: Memory, seen: DatabaseSeen, now: Reading, told: Sequence[tuple[float, Deeds]] = ()
) -> Memory:
    """Return a memory that knows on whom healmon acted lately, and what it could not heal.

    Args:
        before: the memory.
        seen: the look; it may be one in the midst of an act.
        now: this moment.
        told: what finished acts said of themselves.
    """
    who = seen.holder.identity if seen.holder is not None else None
    acts = (before.acted, *(deeds.acted for _, deeds in told), seen.acted)
    young = [one for one in acts if one is not None and now.steady - one.at < NOT_TWICE]
    # who is there now matters most
    done = max(young, key=lambda one: (one.identity == who, one.at), default=None)
    refusals = (seen.refused, *(deeds.refused for _, deeds in reversed(told)), before.refused)
    refused = next((one for one in refusals if one is not None and _holds(one, seen)), None)
    return replace(before, acted=done, refused=refused, heard=_heard(before, told, now))


def with_pause(before: Memory, seen: DatabaseSeen, now: Reading) -> Memory:
    """Return a memory that knows until when nothing is tried again, while that is to come."""
    until = max(before.paused, seen.paused)
    return replace(before, paused=until if 0 < until - now.steady <= PAUSE else 0.0)


def without_refusal(
    before: Memory, now: Reading, told: Sequence[tuple[float, Deeds]] = ()
) -> Memory:
    """Return the memory of a database that is missing: whatever comes in its place is another."""
    return replace(before, refused=None, heard=_heard(before, told, now))


def _heard(before: Memory, told: Sequence[tuple[float, Deeds]], now: Reading) -> float:
    newest = max((at for at, _ in told), default=before.heard)
    return newest if abs(now.wall - newest) < NOT_TWICE else 0.0


def _holds(refused: Refusal, seen: DatabaseSeen) -> bool:
    reading = seen.samples[-1].reading
    if refused.word == "corrupt":
        # no look can tell that it is well again; another file in its place is, by number or size
        same = refused.mark[:2] == (reading.device, reading.inode)
        return same and reading.db.size >= refused.mark[2]
    return refused.mark == reading.leftover


def remember_left(seen: DatabaseSeen, before: Memory, now: Reading) -> Memory:
    """Return the memory of a database beside which something was left: since when it is so."""
    kept = Memory(
        acted=before.acted, refused=before.refused, heard=before.heard, paused=before.paused
    )
    reading = seen.samples[-1].reading
    left = reading.leftover or ()
    if not left and reading.dotfile is not None:
        left = (reading.device, reading.inode, reading.dotfile.mtime_ns)
    since = before.left_since if before.left == left else now.steady
    return replace(kept, left=left, left_since=since)


def remember(
    seen: DatabaseSeen, word: VerdictWord, before: Memory, now: Reading
) -> tuple[VerdictWord, Memory]:
    """Return the word in the light of earlier looks, and what to remember of this one."""
    last = seen.samples[-1]
    hold = hold_of(last)
    memory = before
    if before.hold != hold:
        started = seen.holder.started if seen.holder is not None else 0.0
        memory = Memory(
            hold=hold,
            since=now.steady,
            since_wall=now.wall,
            started=started,
            acted=before.acted,
            refused=before.refused,
            heard=before.heard,
            paused=before.paused,
            pin=before.pin,
            pin_since=before.pin_since,
            pin_idle=before.pin_idle,
        )
    if word == "working":
        return word, replace(memory, still=None)
    baseline = baseline_of(last)
    still = memory.still
    if still is not None and _worked(still, baseline, now):
        word = "working"
    if still is None or word == "working" or _begins_anew(still, baseline, memory.acted):
        still = Still(now.steady, now.wall, baseline)
    return word, replace(memory, still=still)


def with_pin(before: Memory, seen: DatabaseSeen, now: Reading) -> Memory:
    """Return a memory that knows who pins the -wal, since when, and since when without life."""
    pin, was = seen.pin, before.pin
    if pin is None:
        return replace(before, pin=None, pin_since=0.0, pin_idle=0.0)
    if was is None or not _same_pin(was, pin):
        return replace(before, pin=pin, pin_since=now.steady, pin_idle=now.steady)
    idle = now.steady - before.pin_idle
    if pin.state in MOVING and pin.cpu - was.cpu <= allowance(idle):
        # the first sight is kept, so that the memory does not change with every frame
        return before
    return replace(before, pin=pin, pin_idle=now.steady)


def only_pin(before: Memory) -> Memory:
    """Return the memory of a database that nobody locks for long: who pins its -wal, and deeds."""
    return replace(before, hold=None, since=0.0, since_wall=0.0, started=0.0, still=None, left=(),
                   left_since=0.0)  # fmt: skip


def _same_pin(was: Pin, pin: Pin) -> bool:
    held, holds = (was.pid, was.mark, was.copied), (pin.pid, pin.mark, pin.copied)
    return held == holds and was.identity == pin.identity and was.frames <= pin.frames


def allowance(seconds: float) -> float:
    """Return the CPU seconds that are no work over so long a time."""
    return CPU_SLACK + CPU_SHARE * seconds


def baseline_of(sample: Sample) -> Baseline:
    """Return what must not move while a lock stands still."""
    return Baseline(sample.reading.growth, sample.cpu, sample.state in {"T", "t"})


def _worked(still: Still, current: Baseline, now: Reading) -> bool:
    if current.growth != still.baseline.growth:
        return True
    return current.cpu - still.baseline.cpu > allowance(now.steady - still.since)


def _begins_anew(still: Still, current: Baseline, acted: Acted | None) -> bool:
    """Stopping and continuing start a new clock, and so does any life of a stopped process."""
    if current.stopped != still.baseline.stopped:
        return True
    if current.stopped and current != still.baseline:
        return True
    return acted is not None and acted.at > still.since


def changed_since(order: Order, sample: Sample) -> str:
    """Return what has changed since an order was given; empty: all is as it was."""
    hold, was = hold_of(sample), order.hold
    if was is None:
        return "the order names no lock"
    if hold is None:
        return "the lock is free now"
    changes = (
        ((hold.device, hold.inode) != (was.device, was.inode), "the file is another one now"),
        (hold.pid != was.pid, f"pid {hold.pid} holds the lock now"),
        ((hold.boot, hold.ticks) != (was.boot, was.ticks), f"pid {was.pid} is another process"),
        (not _state_fits(order, sample), _state_said(order, sample)),
        (hold != was, f"pid {was.pid} has moved on since"),
        (_lives(order, sample), f"pid {was.pid} has worked since"),
    )
    return next((text for changed, text in changes if changed), "")


def _state_fits(order: Order, sample: Sample) -> bool:
    return (sample.state == "T") if order.deed == "continue" else sample.state in MOVING


def _state_said(order: Order, sample: Sample) -> str:
    pid = order.hold.pid if order.hold is not None else 0
    if order.deed == "continue":
        return f"pid {pid} is no longer stopped"
    return f"pid {pid} is in state {sample.state or '?'} now"


def _lives(order: Order, sample: Sample) -> bool:
    """A stopped process must not have moved at all; one that idles may look at its clock."""
    current, was = baseline_of(sample), order.baseline
    if was is None or order.deed == "continue":
        return current != was
    return current.growth != was.growth or current.cpu - was.cpu > order.slack
