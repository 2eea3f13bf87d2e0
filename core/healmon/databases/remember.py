"""What is kept in mind of a lock between looks: since when, and what must not move. Pure."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from healmon.clock import Reading
from healmon.databases.classify import hold_of
from healmon.databases.model import (
    Baseline,
    Continued,
    DatabaseSeen,
    Memory,
    Order,
    Sample,
    Still,
    VerdictWord,
)
from healmon.plans import Packed, pack, unpack
from healmon.state import Snapshot

CPU_SHARE = 0.02
"""Share of a CPU that counts as work over a longer time: waiters that poll use far less."""
CPU_SLACK = 0.02
"""CPU seconds that never count."""
NOT_TWICE = 600.0
"""Seconds within which the same process is not continued again: somebody means it."""


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


def with_continued(before: Memory, seen: DatabaseSeen, now: Reading) -> Memory:
    """Return a memory that knows whom healmon continued lately."""
    done, holder = before.continued, seen.holder
    if seen.continued is not None and holder is not None and holder.identity is not None:
        done = Continued(holder.identity, seen.continued)
    if done is not None and now.steady - done.at >= NOT_TWICE:
        done = None
    return replace(before, continued=done)


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
            continued=before.continued,
        )
    if word == "working":
        return word, replace(memory, still=None)
    baseline = baseline_of(last)
    still = memory.still
    if still is not None and _worked(still, baseline, now):
        word = "working"
    if still is None or word == "working" or _begins_anew(still, baseline, memory.continued):
        still = Still(now.steady, now.wall, baseline)
    return word, replace(memory, still=still)


def remember_pin(seen: DatabaseSeen, before: Memory, now: Reading) -> Memory:
    """Return the memory of a database that nobody locks for long: only who pins its -wal."""
    pin, was = seen.pin, before.pin
    if pin is None:
        return Memory(continued=before.continued)
    same = (
        was is not None
        and (was.pid, was.mark, was.copied) == (pin.pid, pin.mark, pin.copied)
        and was.frames <= pin.frames
    )
    since = before.pin_since if same else now.steady
    # the first sight is kept, so that the memory does not change with every frame
    return Memory(pin=was if same else pin, pin_since=since, continued=before.continued)


def baseline_of(sample: Sample) -> Baseline:
    """Return what must not move while a lock stands still."""
    return Baseline(sample.reading.growth, sample.cpu, sample.state in {"T", "t"})


def _worked(still: Still, current: Baseline, now: Reading) -> bool:
    if current.growth != still.baseline.growth:
        return True
    allowed = CPU_SLACK + CPU_SHARE * (now.steady - still.since)
    return current.cpu - still.baseline.cpu > allowed


def _begins_anew(still: Still, current: Baseline, continued: Continued | None) -> bool:
    """Stopping and continuing start a new clock, and so does any life of a stopped process."""
    if current.stopped != still.baseline.stopped:
        return True
    if current.stopped and current != still.baseline:
        return True
    return continued is not None and continued.at > still.since


def changed_since(order: Order, sample: Sample) -> str:
    """Return what has changed since an order was given; empty: all is as it was."""
    hold, was = hold_of(sample), order.hold
    if hold is None:
        return "the lock is free now"
    changes = (
        ((hold.device, hold.inode) != (was.device, was.inode), "the file is another one now"),
        (hold.pid != was.pid, f"pid {hold.pid} holds the lock now"),
        ((hold.boot, hold.ticks) != (was.boot, was.ticks), f"pid {was.pid} is another process"),
        (sample.state != "T", f"pid {was.pid} is no longer stopped"),
        (hold != was, f"pid {was.pid} has moved on since"),
        (baseline_of(sample) != order.baseline, f"pid {was.pid} has worked since"),
    )
    return next((text for changed, text in changes if changed), "")
