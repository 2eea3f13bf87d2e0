"""What a look shows, read in the order of evidence. Pure."""

from __future__ import annotations

from healmon.config.settings import Worker
from healmon.workers.model import EndRecord, StartRecord, WorkerSeen
from healmon.world.processes import Ended, ProcessFacts
from healmon.world.shims import Shim


def main_of(one: WorkerSeen) -> ProcessFacts | None:
    """Return the process that is a worker, by the best evidence; None when it is not up."""
    if one.known:
        return one.known[0]
    return one.matches[0].facts if one.matches else None


def may_have_left_a_daemon(worker: Worker, record: StartRecord | None, shim: Shim | None) -> bool:
    """Return whether what lives below a shim may be the worker, and not only its orphans.

    It may when its program ended well and nobody was ever proved to be the worker: a start that
    leaves a daemon looks like that, and so does one that a killed healmon did not see to its end.
    What a shim that was killed, too, could not write down is given the benefit of the doubt: the
    lock is held, so something of it lives, and no second copy can be started.
    """
    if shim is None or not (shim.alive or shim.locked) or worker.forks is False:
        return False
    if record is not None and record.number == shim.number and record.worker is not None:
        return False
    ends = [end.ended for end in shim.ends if end.main]
    return ends[-1] == Ended(code=0) if ends else not shim.alive


def ends_of(shim: Shim | None) -> list[EndRecord]:
    """Return what a shim saw: how processes ended that nobody else could take leave of."""
    ends = shim.ends if shim is not None else ()
    return [EndRecord(identity=e.identity, ended=e.ended, wall=e.wall) for e in ends]
