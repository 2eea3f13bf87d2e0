"""What the workers' healer sees, remembers, records and orders. Data only.

Times: `wall` is for people, `steady` for every age and window (see `healmon.clock`).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from healmon.world.processes import Ended, Identity, ProcessFacts
from healmon.world.shims import Shim

NAME = "workers"
"""The healer's name."""

State = Literal[
    "up", "starting", "backoff", "quarantined", "down", "stopped", "unknown", "completed"
]
Phase = Literal["decided", "stopping", "stopped", "spawning", "spawned", "verified"]
"""How far an act has come, as its journal row says."""
Level = Literal["", "V0", "V1", "V2", "V3", "V4"]
"""How far a start was proved: old one gone, new identity, alive, ready, progressing."""
How = Literal["", "spawned", "pid file", "command line"]
Verb = Literal["start", "restart", "stop", "release"]
Outcome = Literal["begun", "verified", "completed", "failed"]
Desired = Literal["up", "down"]
Fault = Literal["", "host", "command", "worker", "blocked", "stop"]
"""Whose fault a failed act is: `blocked`: a stranger holds what it needs; `stop`: it survived."""


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
        failures: within the window, of `max_failures` that are let pass.
        next_at: wall seconds of the next try, when one is due.
        why: what ails it, or empty.
        last_end: how it ended last.
        log_path: where its output goes when healmon starts it.
        command: what is run.
        how: how it was found: `spawned` by healmon, by `pid file`, by `command line`.
        others: pids of further live copies.
        desired: `down` after a person stopped it.
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
    next_at: float | None = None
    why: str = ""
    last_end: str = ""
    log_path: str = ""
    command: tuple[str, ...] = ()
    how: How = ""
    others: tuple[int, ...] = ()
    critical: bool = False
    desired: Desired = "up"


class Memory(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is remembered of a worker from look to look, and over restarts of healmon.

    Attributes:
        identity, how, since, up_since: the process that is the worker, or was until it ended;
            `up_since` is its start on the steady clock.
        attempt: number of the newest start that was taken in.
        wish: number of the newest wish of a person that was taken in.
        down_since: steady time of the end that began this time of being down.
        down_wall: the same for people.
        failures: steady times of all failures of the last hours, oldest first.
        row: failures in a row since it was last stable.
        absent: it was never seen up since this row began, with a worker that was not there.
        hosts: starts in a row that the host was to blame for; they cost no budget.
        longest: seconds of its longest life in this row.
        retry_at, retry_wall: when the next start is due.
        level: how often the breaker opened in a row: the cool-down doubles with it.
        quarantined: the breaker is open until `retry_at`.
        trial: the breaker is half open: up on one trial, not yet stable.
        completed: the boot in which it ended as it should; it need not come back in that one.
        why: what is wrong, in words.
        last_end: how it ended last, in words.
        restarts: verified starts ever.
        run, run_restarts: the healmon run that `run_restarts` were counted in.
        configured: a digest of what is run; another one closes the breaker.
    """

    identity: Identity | None = None
    how: How = ""
    since: float = 0.0
    up_since: float = 0.0
    attempt: int = 0
    wish: int = 0
    desired: Desired = "up"
    down_since: float | None = None
    down_wall: float = 0.0
    failures: tuple[float, ...] = ()
    row: int = 0
    absent: bool = False
    hosts: int = 0
    longest: float = 0.0
    retry_at: float | None = None
    retry_wall: float = 0.0
    level: int = 0
    quarantined: bool = False
    trial: bool = False
    completed: str = ""
    why: str = ""
    last_end: str = ""
    restarts: int = 0
    run: float = 0.0
    run_restarts: int = 0
    configured: int = 0


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
        former: who the worker was in the runs before, newest first: what they left is its own.
        log_offset: bytes that its output log had before.
        beat: wall seconds of the newest sign of life before.
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
    former: tuple[Identity, ...] = ()
    log_offset: int = 0
    beat: float | None = None


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
    """

    verb: Verb
    number: int
    wish: int = 0
    identity: Identity | None = None
    trial: bool = False
    sick: bool = False
    orphans: tuple[Identity, ...] = ()


class Match(msgspec.Struct, frozen=True):
    """A live process whose arguments are the worker's; `line` are the pids of its ancestors."""

    facts: ProcessFacts
    how: How
    line: tuple[int, ...] = ()


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What a liveness check says.

    Attributes:
        ok: whether the newest one passed; None: none was made yet.
        failures: how many in a row failed.
        text: what it showed, for people.
        hard: so many failed in a row that the worker is unhealthy.
    """

    ok: bool | None = None
    failures: int = 0
    text: str = ""
    hard: bool = False


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
    """

    boot: str
    workers: dict[str, WorkerSeen]
    everyone: dict[Identity, ProcessFacts] | None = None
    veiled: bool = False
    host: HostSeen = HostSeen()
