"""Starting a worker: on clean ground only, exactly one, and written down before and after.

Clean ground (V0) means: the old process is gone, nobody holds its port, its instance lock is free.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from healmon.clock import process_seconds
from healmon.config.settings import Worker
from healmon.errors import ProbeError, SpawnError, VetoError
from healmon.text import clean
from healmon.workers import blocking
from healmon.workers.acting import STEP, Act, alive_in
from healmon.workers.model import Fault, WorkerSeen
from healmon.workers.places import far
from healmon.workers.records import Records
from healmon.workers.refusal import pids
from healmon.world import farfiles, notes
from healmon.world.processes import Identity, Launch, Processes
from healmon.world.shims import Shim, ShimOrder, Shims

LOG_LIMIT: Final = 10_000_000
"""Bytes of an output log above which the next start sets it aside."""
FRESH: Final = 0.5
"""Seconds that a look is good for; what came in between may have taken longer."""
LOCK_PATIENCE: Final = 5.0
"""Seconds that a shim may take to end after the last below it."""


class PlainStarter:
    """Starts programs as our own children.

    Args:
        processes: the door.
    """

    def __init__(self, processes: Processes) -> None:
        self._processes = processes

    def start(self, launch: Launch, folder: Path, number: int, *, forks: bool = False) -> Identity:  # noqa: ARG002 - the protocol's
        """Start a program and return who it is."""
        return self._processes.spawn(launch)


class ShimStarter:
    """Starts programs below shims.

    Args:
        shims: the door.
    """

    def __init__(self, shims: Shims) -> None:
        self._shims = shims

    def start(self, launch: Launch, folder: Path, number: int, *, forks: bool = False) -> Identity:
        """Start a program and return who it is.

        Raises:
            SpawnError: it could not be started, and whose fault that is.
            VetoError: the instance lock is held.
        """
        return self._shims.start(_order(launch, folder, number, forks=forks)).worker


async def clean_ground(act: Act, one: WorkerSeen) -> None:
    """Return when nothing is in the way of a start.

    Args:
        act: the act that this is a part of.
        one: the newest look.

    Raises:
        RemedyError: somebody holds what the worker needs; nothing is started.
    """
    if one.shim is not None and one.shim.locked:
        one = replace(one, shim=await _unlocked(act, one.shim.shim))
    if not act.tools.probe.may_be_blocked(act.worker, one):
        return
    family = await act.family()
    blockers = await act.call(partial(act.tools.probe.blockers, act.worker, one, family))
    if blockers:
        words = "; ".join(map(blocking.said, blockers))
        raise await act.failure("blocked", f"not started: {words}")


async def _unlocked(act: Act, shim: Identity) -> Shim | None:
    """Return what the shim wrote down, once it has ended with the last below it, or will not.

    One that lives with nothing below it only takes leave of its worker: it begins nothing any more,
    and whatever starts the next one waits for its lock.
    """
    deadline = act.tools.clock.read().steady + LOCK_PATIENCE
    while (now := await act.shim()) is not None and now.locked:
        family = await act.family()
        if family.below(shim) or act.tools.clock.read().steady >= deadline:
            break
        if now.alive and family.childless(shim):
            return replace(now, locked=False)
        await act.unless_called_off(act.tools.clock.sleep(STEP))
    return now


async def spawn(act: Act, looked: float) -> Identity:
    """Start the program and return who it is; it is on record before anything else can happen.

    Args:
        act: the act that this is a part of.
        looked: steady time of the look that showed nobody.

    Raises:
        RemedyError: it could not be started, and whose fault that is.
    """
    try:
        return await act.call(partial(_spawn, act, looked))
    except SpawnError as error:
        fault: Fault = "host" if error.host_fault else "command"
        raise await act.failure(fault, str(error)) from error
    except VetoError as error:
        raise await act.failure("blocked", f"not started: {error}") from error


def _spawn(act: Act, looked: float) -> Identity:
    worker, tools, folder = act.worker, act.tools, act.tools.records.folder(act.worker.name)
    log = tools.records.log_path(worker.name)
    _must_answer(worker)
    if worker.script and not far(worker.script) and not notes.is_file(worker.script):
        raise SpawnError(f"there is no script {clean(worker.script)}")
    with suppress(OSError):
        notes.rotate(log, LOG_LIMIT)
    now = tools.clock.read()
    if now.steady - looked > FRESH:  # another call hung before this one
        others = alive_in(tools.probe.look_at(worker, None, now)[0])
        if others:
            raise VetoError(f"already up as pid {pids(others)}: started by somebody else")
    act.record = replace(
        act.record,
        phase="spawning",
        level="V0",
        wall=now.wall,
        steady=now.steady,
        log_offset=notes.size_of(log),
        beat=_beat(worker),
    )
    tools.records.put_start(worker.name, act.record)
    launch, number = launch_of(worker, str(log)), act.record.number
    launched = tools.starter.start(launch, folder, number, forks=bool(worker.forks))
    # in the same call: nothing may come between the process and the note of it
    act.record = replace(act.record, phase="spawned", level="V1", launched=launched)
    tools.records.put_start(worker.name, act.record)
    act.touched = process_seconds()
    return launched


def _must_answer(worker: Worker) -> None:
    """Return when what a start needs can be reached: a start that hangs would keep all others."""
    for path in (worker.cwd, worker.script, worker.argv[0]):
        if path.startswith("/"):
            try:
                farfiles.answers(path)
            except ProbeError as error:
                raise SpawnError(str(error), host_fault=True) from error


def order_of(worker: Worker, records: Records, number: int) -> ShimOrder:
    """Return what a shim is asked for when a worker is started."""
    launch = launch_of(worker, str(records.log_path(worker.name)))
    folder = records.folder(worker.name)
    return _order(launch, folder, number, forks=bool(worker.forks))


def _order(launch: Launch, folder: Path, number: int, *, forks: bool) -> ShimOrder:
    return ShimOrder(launch=launch, folder=str(folder), number=number, sole=True, forks=forks)


def launch_of(worker: Worker, log: str) -> Launch:
    """Return how a worker is started."""
    return Launch(
        argv=worker.argv,
        log_path=log,
        cwd=worker.cwd,
        env=worker.env,
        user=worker.user,
        umask=worker.umask,
        limits=worker.limits,
    )


def _beat(worker: Worker) -> float | None:
    if worker.heartbeat_file:
        with suppress(ProbeError):
            return farfiles.changed_at(worker.heartbeat_file)
    return None
