"""The door to shims: the tiny process above each worker that healmon starts.

A shim leads a session and process group of its own, holds the worker's instance lock, is the
reaper of everything its worker leaves behind, and writes down how it started and how each process
ended. It needs no healmon: whoever comes later reads what it wrote. Its folder is `workers/NAME` in
the state directory:

* `instance.lock`: held (an open-file-description lock) by the shim and, by an open descriptor, by
  all it started that has not closed it. The file stays; only the lock counts.
* `shim.json`: the newest start. It is written once the program runs, so for a moment, or when the
  shim is killed in it, the lock is held and no record tells by whom.
* `ends.jsonl`: the newest ends, those of earlier starts among them, known by their identities.
* `grant`: what the shim may do by itself, once: start its program again as soon as it has ended.
  Whoever unlinks it has it, the shim or healmon; when that healmon is gone it says nothing.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from healmon.world.processes import Ended, Identity, Launch


class ShimOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What to start under a shim.

    Attributes:
        launch: the worker's program.
        folder: where the shim keeps its lock and its records.
        number: of the attempt, so that a record is known to belong to it.
        sole: no other copy may run on this host either, whatever folder it was started in: one of
            the same name, program, directory, environment and user.
        forks: the program ends once what it leaves behind is the worker.
    """

    launch: Launch
    folder: str
    number: int
    sole: bool = False
    forks: bool = False


class ShimEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How one process below a shim ended.

    Attributes:
        identity: who it was.
        ended: how.
        wall: when, in wall seconds.
        main: it was the program that was started, not something that it left behind.
        cpu_seconds: user and system time of it and of its reaped children.
        max_rss: bytes, of the largest of them; never less than what a shim has before exec (10 MB).
        oom: the kernel killed something for want of memory while it ran, in its cgroup, or on the
            host; with SIGKILL that is the cause.
    """

    identity: Identity
    ended: Ended
    wall: float
    main: bool = True
    cpu_seconds: float = 0.0
    max_rss: int = 0
    oom: bool = False


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """Leave to start a worker again without being asked, once.

    Attributes:
        order: the start: its number is new, all else must be as the shim was ordered before.
        worker: whose end it is for.
        but: exit codes after which nothing is started.
    """

    order: ShimOrder
    worker: Identity
    but: tuple[int, ...] = ()


class Shim(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in a worker's folder about its newest start under a shim.

    Attributes:
        number: of the attempt.
        shim: the shim itself.
        worker: the program that was started.
        wall: when, in wall seconds.
        alive: the shim lives and holds the lock: something below it lives, too.
        locked: somebody holds the instance lock: the shim, or what it started. With a number that
            is not the newest order's, that one is being started. What holds other people's work
            (`healmon.world.apart`) does not count once the worker has ended.
        ends: the newest ends, oldest first.
        former: how the program before it ended, when the shim has started it by itself.
        log_offset: bytes that its output log had before, likewise.
    """

    number: int
    shim: Identity
    worker: Identity
    wall: float
    alive: bool
    locked: bool
    ends: tuple[ShimEnd, ...] = ()
    former: ShimEnd | None = None
    log_offset: int = 0


class Shims(Protocol):
    """Everything healmon does with shims. Calls may block for a moment; safe from any thread."""

    def start(self, order: ShimOrder) -> Shim:
        """Start a worker under a new shim; returns once its program runs and is written down.

        Raises:
            SpawnError: it could not be started; `host_fault` tells whether the host, not the
                command, is to blame.
            VetoError: one copy lives already: it holds the instance lock, or is the worker of the
                newest record; says who it is. A shim that only takes leave of its dead worker is
                waited for.
        """
        ...

    def look(self, folder: str) -> Shim | None:
        """Return what stands in a folder; None when nothing was ever started there.

        A shim that is about to write down its worker's end, or that it has started it again, is
        given a moment to do so.

        Raises:
            ProbeError: it cannot be read, or somebody holds the instance lock without a record.
        """
        ...

    def grant(self, grant: Grant) -> None:
        """Let the shim of a worker start it again as soon as it ends, in place of any leave before.

        It does so only when nothing of the worker is left below it, and as long as we live.

        Raises:
            OSError: it cannot be written down.
            SpawnError: such an order cannot be carried out.
        """
        ...

    def revoke(self, folder: str) -> bool:
        """Take back what was granted; from then on the shim starts nothing.

        Returns:
            False when there was nothing to take back: `look` tells whether the shim has used it.

        Raises:
            OSError: it cannot be taken back.
        """
        ...

    def trim(self, log_path: str, limit: int) -> int:
        """Free the older part of an output log above `limit` bytes, without losing a new line.

        Its newest `limit / 2` bytes stay; what went before them, up to `limit`, is in `NAME.1`.
        Offsets into the log change (or, where it has a hole now, do not).

        Returns:
            How many bytes were freed; 0 where the file system has no way to.

        Raises:
            OSError: the older part cannot be kept; nothing was freed.
        """
        ...

    def close(self) -> None:
        """End what helps to start shims; shims and workers stay."""
        ...
