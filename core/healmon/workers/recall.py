"""What the workers' healer remembers from look to look, and over restarts of healmon. Data only."""

from __future__ import annotations

import msgspec

from healmon.workers.words import Desired, How, Level, State
from healmon.world.processes import Identity


class Memory(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is remembered of a worker from look to look, and over restarts of healmon.

    Attributes:
        state: what it was doing at the last look.
        boot: the boot that the steady times belong to.
        at, at_wall: steady and wall time of the newest change of this memory: what keeps the
            ages of failures right over a boot.
        identity, how, since, up_since: the process that is the worker, or was until it ended;
            `up_since` is its start on the steady clock.
        proved: how far its start was proved.
        attempt: number of the newest act whose outcome was taken in.
        newest: number of the newest act that there is a record of.
        goes_on: steady time at which an act that was left half done is gone on with.
        wish: number of the newest wish of a person that was taken in.
        down_since: steady time of the end that began this time of being down.
        down_wall: the same for people.
        starts: steady times of the newest attempts to start it, for the host's budget.
        failures: steady times of all failures of the last hours, oldest first.
        fell: steady time of its newest failure, whoever was to blame, that no storm has claimed.
        began: steady time of the failure that its newest trouble began with: it had been up for a
            while before, or has failed again and again ever since.
        storm: steady time at which the storm began that it is in.
        sick: why it is to be replaced although it lives.
        chance: that opens the breaker: what replaces it is the one trial after the cool-down.
        row: failures in a row since it was last stable.
        absent: it was never seen up since this row began, with a worker that was not there.
        hosts: starts in a row that the host was to blame for; they cost no budget.
        cuts: starts in a row that healmon's own end cut short; they cost none either.
        longest: seconds of its longest life in this row.
        retry_at, retry_wall: when the next start is due.
        opened: the breaker has opened, and not been calm since.
        level: how often it opened again: the cool-down doubles with it.
        trials: failed trials in a row.
        quarantined: the breaker is open until `retry_at`; without that, until it is released.
        trial: the breaker is half open: up on one trial, not yet stable.
        completed: the boot in which it ended as it should; it need not come back in that one.
        why: what is wrong, in words.
        cause: all that was known of the newest failure, in one line.
        last_end: how it ended last, in words.
        restarts: verified starts ever.
        run, run_restarts: the healmon run that `run_restarts` were counted in.
        configured: a digest of what is run; another one closes the breaker.
        well: digests of each setting when it last was healthy.
    """

    state: State = "unknown"
    boot: str = ""
    at: float = 0.0
    at_wall: float = 0.0
    identity: Identity | None = None
    how: How = ""
    since: float = 0.0
    up_since: float = 0.0
    proved: Level = ""
    attempt: int = 0
    newest: int = 0
    goes_on: float | None = None
    wish: int = 0
    desired: Desired = "up"
    down_since: float | None = None
    down_wall: float = 0.0
    starts: tuple[float, ...] = ()
    failures: tuple[float, ...] = ()
    fell: float | None = None
    began: float | None = None
    storm: float | None = None
    sick: str = ""
    chance: bool = False
    row: int = 0
    absent: bool = False
    hosts: int = 0
    cuts: int = 0
    longest: float = 0.0
    retry_at: float | None = None
    retry_wall: float = 0.0
    opened: bool = False
    level: int = 0
    trials: int = 0
    quarantined: bool = False
    trial: bool = False
    completed: str = ""
    why: str = ""
    cause: str = ""
    last_end: str = ""
    restarts: int = 0
    run: float = 0.0
    run_restarts: int = 0
    configured: int = 0
    well: dict[str, int] = {}
