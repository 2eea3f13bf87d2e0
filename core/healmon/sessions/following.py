"""What is remembered of a session from look to look. Pure.

What may have changed the screen or the clocks without any work (resize, attach, suspend, a clock
that was set, looks that are missing) begins the count of quiet anew: never backwards, so never too
soon.
"""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec.structs import replace

from healmon.clock import Reading, Steps, age, shown
from healmon.sessions import novelty
from healmon.sessions.facts import Memory
from healmon.sessions.novelty import Known
from healmon.sessions.probe import SessionSeen
from healmon.sessions.progress import FUTURE, MINUTE, beat_of, file_of, noted, progress_made
from healmon.sessions.signs import Sign
from healmon.world.taskdb import Task

CPU_WINDOW: Final = 120.0
"""Seconds over which CPU time and I/O are measured."""
SETTLE: Final = 15.0
"""Seconds after a resize or an attach in which a screen may be drawn anew."""
LOST: Final = 180.0
"""Seconds without a look, at least three cycles, after which nothing is known of what went on."""


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """What one look has in common for all sessions.

    Attributes:
        now: this moment.
        jumped: the host slept, or a clock was set, since the look before.
        run_wall: wall seconds when this run of healmon began.
        lasting: each run is a look of its own (`--once`), so that looks agree across runs.
        interval: seconds between two cycles.
        steps: when the clock was set.
    """

    now: Reading
    jumped: bool = False
    run_wall: float = 0.0
    lasting: bool = False
    interval: float = 60.0
    steps: Steps = ()


def pane_key(seen: SessionSeen) -> str:
    """Return who the pane is, its process's start included."""
    ticks = 0 if seen.family is None else seen.family.ticks
    return f"{seen.pane.key}.{ticks}"


def tasks_key(tasks: Collection[Task]) -> str:
    """Return a short name for tasks and their attempts."""
    rows = sorted(f"{t.source}\0{t.id}\0{t.token}\0{t.attempt}" for t in tasks)
    return blake2b("\1".join(rows).encode("utf-8", "replace"), digest_size=6).hexdigest()


def begin(seen: SessionSeen, moment: Moment, old: Memory | None = None) -> Memory:
    """Return what is remembered of a pane at first sight; being there counts as progress.

    Args:
        seen: the session now.
        moment: the look.
        old: what was remembered of another pane of this session.
    """
    now = moment.now.steady
    old = old or Memory()
    activity = seen.pane.window_activity
    memory = Memory(
        key=pane_key(seen),
        size=(seen.pane.width, seen.pane.height),
        known=novelty.absorb(Known(), seen.screen, now),
        progress_at=now,
        by="seen for the first time",
        # a boot may tell an earlier time: what is to come began now
        tasks_at=min(old.tasks_at or now, now) if seen.tasks else 0.0,
        tasks=tasks_key(seen.tasks),
        cpu={} if seen.family is None else seen.family.cpu,
        io={} if seen.family is None else seen.family.io,
        cpu_at=now,
        file=file_of(seen),
        beat_wall=beat_of(seen.tasks),
        beat_of=tasks_key(seen.tasks),
        first_at=now,
        seen_at=now,
        run_wall=moment.run_wall,
        attached_wall=seen.pane.last_attached,
        hand_wall=old.hand_wall,
        painted=(activity, now - max(moment.now.wall - activity, 0.0) if activity else now),
        minute=int(now // MINUTE),
        turns=old.turns,
        trouble=old.trouble,
        attempt_wall=old.attempt_wall,
    )
    return _handed(memory, seen, moment)


def follow(old: Memory, seen: SessionSeen, sign: Sign, moment: Moment) -> Memory:
    """Return what is remembered after one more look."""
    now = moment.now
    # a terminal or process table that could not be read does not make it another pane
    same = old.key == pane_key(seen) or (seen.family is None and old.key.startswith(seen.pane.key))
    if not same:
        return begin(seen, moment, old)
    size = (seen.pane.width, seen.pane.height)
    missing = now.steady - old.seen_at > max(LOST, 3 * moment.interval)
    anew = size != old.size or moment.jumped or missing or old.progress_at > now.steady
    memory = _looked(old, seen, moment)
    if anew:
        settled = now.steady + SETTLE if size != old.size else old.settled_at
        memory = replace(memory, size=size, settled_at=settled, lines=())
        return unconfirmed(restarted(memory, seen, now, "counted anew", mends=False))
    if seen.pane.last_attached > old.attached_wall:
        settled = now.steady + SETTLE
        memory = replace(memory, settled_at=settled, attached_wall=float(seen.pane.last_attached))
    if now.steady < memory.settled_at:
        # the screen may be drawn anew: that is neither progress nor the want of it
        return replace(memory, known=novelty.absorb(memory.known, seen.screen, now.steady))
    return _judged(memory, seen, sign, now)


def _judged(memory: Memory, seen: SessionSeen, sign: Sign, now: Reading) -> Memory:
    """Return what is remembered after a look that says something."""
    found = novelty.novel(memory.known, seen.screen, now.steady) if seen.fresh else ()
    counted = any(novelty.counts(memory.known, line) for line in found)
    private = seen.terminal is not None and seen.terminal.secret
    memory = noted(memory, found, now, private=private)
    if found:
        memory = replace(memory, known=novelty.absorb(memory.known, seen.screen, now.steady))
    agent = bool(seen.family is not None and seen.family.agent)
    by = progress_made(memory, seen, found, counted=counted, agent=agent, now=now)
    file = file_of(seen) if seen.agent_file is not None else memory.file
    beat = beat_of(seen.tasks)
    memory = replace(memory, file=file, beat_wall=beat, beat_of=memory.tasks)
    if by:
        return restarted(memory, seen, now, by)
    memory = replace(memory, samples=memory.samples + 1)
    if sign.kind == "retrying" and not memory.retry_at:
        memory = replace(memory, retry_at=now.steady)
    if seen.family is not None and now.steady - memory.cpu_at >= CPU_WINDOW:
        kin = seen.family
        return replace(memory, cpu=kin.cpu, io=kin.io, cpu_at=now.steady)
    return memory


def _looked(old: Memory, seen: SessionSeen, moment: Moment) -> Memory:
    """Return the memory of the same pane with what needs no judgement."""
    now = moment.now
    activity = seen.pane.window_activity
    tasks = tasks_key(seen.tasks)
    memory = replace(
        old,
        tasks_at=min(old.tasks_at or now.steady, now.steady) if seen.tasks else 0.0,
        tasks=tasks,
        since=min(old.since, now.steady) if tasks == old.tasks else now.steady,
        seen_at=now.steady,
        run_wall=moment.run_wall,
        lost_at=0.0,
        painted=old.painted if activity == old.painted[0] else (activity, now.steady),
    )
    if old.run_wall != moment.run_wall and not moment.lasting:
        memory = unconfirmed(memory)
    return _handed(memory, seen, moment)


def _handed(memory: Memory, seen: SessionSeen, moment: Moment) -> Memory:
    """Remember when somebody who could type last did anything."""
    typed, now, steps = float(seen.pane.client_activity), moment.now.wall, moment.steps
    if not seen.pane.attached or not shown(steps, typed - FUTURE, now):
        return memory
    # after a clock was set back the newer stamp may be the smaller one
    older = memory.hand_wall and age(steps, typed, now) > age(steps, memory.hand_wall, now)
    return memory if older else replace(memory, hand_wall=typed)


def restarted(
    memory: Memory, seen: SessionSeen, now: Reading, by: str, *, mends: bool = True
) -> Memory:
    """Return what is remembered when the count begins now.

    Args:
        memory: what was remembered.
        seen: the session now.
        now: this moment.
        by: why, in words.
        mends: there was progress: what failed before is over.
    """
    kin = seen.family
    return replace(
        memory,
        known=novelty.absorb(memory.known, seen.screen, now.steady),
        progress_at=now.steady,
        by=by,
        cpu=memory.cpu if kin is None else kin.cpu,
        io=memory.io if kin is None else kin.io,
        cpu_at=now.steady,
        trickle=0,
        trickle_at=0.0,
        retry_at=0.0,
        stirs=memory.stirs + mends,
        agreed="",
        agree=0,
        agree_at=0.0,
        samples=0,
        failure="" if mends else memory.failure,
    )


def unconfirmed(memory: Memory) -> Memory:
    """Return the memory with nothing that looks have agreed on."""
    return replace(memory, agreed="", agree=0, agree_at=0.0, samples=0)
