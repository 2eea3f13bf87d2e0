"""What the workers' healer sees, remembers, records and orders. Data only.

Times: `wall` is for people, `steady` for every age and window (see `healmon.clock`).
"""

from __future__ import annotations

import msgspec

from healmon.workers.recall import Memory
from healmon.workers.words import (
    Desired,
    Fault,
    Goal,
    How,
    Level,
    Outcome,
    Phase,
    State,
    Verb,
)
from healmon.world.processes import Ended, Identity, ProcessFacts
from healmon.world.shims import Shim

__all__ = [
    "NAME", "UNTOLD", "UNTOLD_END", "Asked", "Blocker", "Check", "Desired", "EndRecord", "Fault",
    "Goal", "HostSeen", "How", "Level", "Match", "Memory", "Order", "Outcome", "Phase", "Seen",
    "StartRecord", "State", "Use", "Verb", "Wish", "WorkerFacts", "WorkerSeen",
]  # fmt: skip

NAME = "workers"
"""The healer's name."""
UNTOLD = "its shim has started it again and has yet to say so"
"""The trouble with a worker that is up, and nobody has written down since when."""
UNTOLD_END = "its shim has yet to say how it ended"
"""The trouble with a worker that is down, and nobody has written down why."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What a liveness check says.

    Attributes:
        ok: whether the newest one passed; None: none was made yet.
        failures: how many in a row failed.
        text: what it showed, for people.
        hard: so many failed in a row that the worker is unhealthy.
        blind: as many in a row could not be made: whether it works cannot be told.
    """

    ok: bool | None = None
    failures: int = 0
    text: str = ""
    hard: bool = False
    blind: bool = False


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker and everything below it uses.

    Attributes:
        processes: how many they are.
        rss: resident bytes of all.
        over: looks in a row that it was above `memory_limit`.
        slope: bytes an hour that it grows; None: not known yet.
    """

    processes: int = 1
    rss: int = 0
    over: int = 0
    slope: float | None = None


class Blocker(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who holds what a worker needs.

    Attributes:
        what: `port 8080`, or `instance lock`.
        identity, command: who it is; None and empty when it cannot be told.
        orphan: it is left over from an earlier run of the same worker, not a stranger.
    """

    what: str
    identity: Identity | None = None
    command: str = ""
    orphan: bool = False


class WorkerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a screen shows of a worker.

    Attributes:
        state: what the worker is doing.
        pid, identity: the process that is the worker; None while there is none.
        since: wall seconds since when it is up, or since when it is not.
        rss: resident bytes, rounded to MiB.
        cpu: percent of one core since the last look, rounded.
        restarts: verified starts by healmon in this run.
        restarts_total: the same, ever.
        failures: within `failure_window` seconds, of `max_failures` that are let pass.
        slow: within `slow_window` seconds, of `max_slow` that are let pass.
        delay: seconds from its next failure to the start after it, without their spread.
        level: how often the breaker opened again: the cool-down doubles with it.
        trials: failed trials in a row, of `max_trials`; 0: there is no limit.
        next_at: wall seconds of the next try, when one is due.
        why: what ails it, or empty.
        cause: all that is known of why it failed last, in one line.
        last_end: how it ended last.
        log_path: where its output goes when healmon starts it.
        command: what is run.
        how: how it was found: `spawned` by healmon, by `pid file`, by `command line`.
        others: pids of further live copies.
        desired: what is wanted of it.
        proved: how far its start was proved.
        use: what it and everything below it uses, rounded.
        liveness: what its liveness check says.
        devices: numbers of the file systems that it writes to.
        blockers: who holds what it needs.
        waits_for: the worker that must be healthy first.
    """

    state: State
    pid: int | None = None
    identity: Identity | None = None
    since: float | None = None
    rss: int | None = None
    cpu: int | None = None
    restarts: int = 0
    restarts_total: int = 0
    failures: int = 0
    max_failures: int = 0
    failure_window: float = 0.0
    slow: int = 0
    max_slow: int = 0
    slow_window: float = 0.0
    delay: float = 0.0
    level: int = 0
    trials: int = 0
    max_trials: int = 0
    next_at: float | None = None
    why: str = ""
    cause: str = ""
    last_end: str = ""
    log_path: str = ""
    devices: tuple[int, ...] = ()
    command: tuple[str, ...] = ()
    how: How = ""
    others: tuple[int, ...] = ()
    critical: bool = False
    desired: Goal = "up"
    proved: Level = ""
    use: Use | None = None
    liveness: Check | None = None
    blockers: tuple[Blocker, ...] = ()
    waits_for: str = ""


class Asked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who was asked to end by SIGTERM: a program may take a second one for impatience.

    Attributes:
        who: each of them.
        at: steady moment when that began.
        surely: it was written down afterwards, too: nobody was killed in between.
    """

    who: tuple[Identity, ...]
    at: float
    surely: bool = False


class StartRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`workers/NAME/started.json`: the newest attempt to start a worker.

    Attributes:
        number: of the attempt; grows by one.
        wall, steady: when it began.
        launched: what was spawned; None until then.
        worker: the process that turned out to be the worker.
        outcome: what came of it; `begun` while it is under way, or was cut short.
        fault: whose fault a failure was.
        reason: in words.
        trial: it was the one trial of a quarantine.
        fresh: a person asked for it: the failures before it are forgotten.
        origin: who asked.
        verb: what was ordered.
        phase: how far it has come.
        old: the process that is to be replaced or stopped.
        level: how far the start was proved.
        wish: number of the wish of a person that comes with it; 0: none.
        tree: all that belongs to `old`, as it was seen before it was stopped.
        asked: who was sent SIGTERM: they have time for it, whoever goes on.
        former: who the worker was in the runs before, newest first: what they left is its own.
        log_offset: bytes that its output log had before.
        beat: wall seconds of the newest sign of life before.
        granted: its shim made it by itself, when `old` had ended: it was granted beforehand.
        unproved: why its readiness could not be told: it is alive only; empty: it could.
        unproved_by: the check that this was, or that failed, to tell it from one corrected since.
        called_off: steady moment when it gave way to something else; 0.0: it has not.
    """

    number: int
    wall: float
    steady: float
    launched: Identity | None = None
    worker: Identity | None = None
    how: How = ""
    outcome: Outcome = "begun"
    fault: Fault = ""
    reason: str = ""
    trial: bool = False
    fresh: bool = False
    origin: str = ""
    verb: Verb = "restart"
    phase: Phase = "decided"
    old: Identity | None = None
    level: Level = ""
    wish: int = 0
    tree: tuple[Identity, ...] = ()
    asked: Asked | None = None
    former: tuple[Identity, ...] = ()
    log_offset: int = 0
    beat: float | None = None
    granted: bool = False
    unproved: str = ""
    unproved_by: str = ""
    called_off: float = 0.0


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """`workers/NAME/wanted.json`: whether a person wants the worker up or down."""

    number: int
    desired: Desired
    wall: float
    origin: str


class EndRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`workers/NAME/ended.json`: how the newest process of a worker ended."""

    identity: Identity
    ended: Ended
    wall: float


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan orders.

    Attributes:
        number: of the attempt that this starts.
        wish: number of the wish of a person that comes with it; 0: none.
        identity: the process that is to be replaced or stopped; None: there was none.
        trial: the one trial of a quarantine.
        sick: it is replaced because it is unhealthy; once it is well again nothing is done.
        orphans: who is left over from an earlier run and must be stopped first.
        proves: what was started is proved, and nothing is started in its place: that would take a
            start which the host's budget has not given.
        again: it has failed again and again: one of the host's places is left to others.
    """

    verb: Verb
    number: int
    wish: int = 0
    identity: Identity | None = None
    trial: bool = False
    sick: bool = False
    orphans: tuple[Identity, ...] = ()
    proves: bool = False
    again: bool = False


class Match(msgspec.Struct, frozen=True):
    """A live process whose arguments are the worker's; `line` are the pids of its ancestors."""

    facts: ProcessFacts
    how: How
    line: tuple[int, ...] = ()


class HostSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What the host lacks, to tell a shared cause from a worker's own fault.

    Attributes:
        memory_total, memory_available: bytes; 0: not known.
    """

    memory_total: int = 0
    memory_available: int = 0


class WorkerSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a worker.

    Attributes:
        known: live processes that were asked for by identity.
        matches: live processes found by their arguments.
        record, wish: the newest of each.
        ends: how processes that were asked for have ended.
        beat: wall seconds of the newest sign of life, None when there is none.
        beat_age: its age in seconds; None when no heartbeat is configured.
        unheard: why its heartbeat cannot be told; empty: it can.
        cpu: percent of one core since the last look, by identity's pid.
        output: the last lines of its output, when it is not up.
        trouble: why nothing can be said, or empty.
        acting: a plan for it is being carried out right now.
        shim: what its shim wrote down.
        liveness: what its liveness check says; None: there is none.
        use: what it and everything below it uses; None when it is not up.
        blockers: who holds what it needs, when it is not up.
        changed: what was changed on disk since it was started, in words; empty: nothing.
        left: who lives of those that a stop, which was cut short or gave up, has yet to end.
    """

    known: tuple[ProcessFacts, ...] = ()
    matches: tuple[Match, ...] = ()
    record: StartRecord | None = None
    wish: Wish | None = None
    ends: tuple[EndRecord, ...] = ()
    beat: float | None = None
    beat_age: float | None = None
    unheard: str = ""
    cpu: dict[int, int] = {}
    output: str = ""
    trouble: str = ""
    acting: bool = False
    shim: Shim | None = None
    liveness: Check | None = None
    use: Use | None = None
    blockers: tuple[Blocker, ...] = ()
    changed: str = ""
    left: tuple[Identity, ...] = ()


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One look at all workers.

    Attributes:
        boot: id of this boot.
        everyone: every process, when all were looked at.
        veiled: /proc does not show all processes: absence proves nothing.
        host: what the host has.
        fresh: who was looked at; all others are as they were seen last. None: all were.
        alike: the looks before of those workers of which this one shows nothing new.
    """

    boot: str
    workers: dict[str, WorkerSeen]
    everyone: dict[Identity, ProcessFacts] | None = None
    veiled: bool = False
    host: HostSeen = HostSeen()
    fresh: frozenset[str] | None = None
    alike: dict[str, WorkerSeen] = {}
