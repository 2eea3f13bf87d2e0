"""Storms: many workers that fail within a minute are one incident with one cause. Pure.

A storm begins when `storm_failures` workers, or half of them if that is fewer (two at least), have
failed within `storm_window`. What counts is news: one that has failed again and again for longer is
no sign of a shared cause, and one that was never up (its program is missing, say) counts only among
others of which that is true, as when a host begins and nothing can be started.

While it lasts there is one alert, which names what they may have in common; the workers in it have
none of their own, but those that are open already stay so. Nothing is started for `HOLD` seconds;
then one worker after the other, those first that others build on.

It ends when all its workers are well, or when for `CALM` seconds nothing has fallen and nothing
stood up any more: what is down then is told as itself. As long as that is more than one of its
workers, its alert goes on for them: they still are one incident.

All there is to a storm stands in the memories of its workers: when it began, in each of them. So
it outlives healmon, and a replay has it too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from healmon.config.settings import Monitor, Worker
from healmon.plans import Finding, Packed, Severity, worse
from healmon.state import ComponentView, Snapshot
from healmon.text import clean
from healmon.units import format_duration
from healmon.workers.model import NAME, HostSeen, Memory

CONDITION: Final = "storm"
HOLD: Final = 30.0
"""Seconds for which nothing is started, so that a shared cause may show."""
CALM: Final = 300.0
"""Seconds without any motion after which a storm is over."""
SCARCE: Final = 0.05
"""Part of the memory that is available: below it the host has none."""
NAMED: Final = 8
"""Workers that the alert names; of more it tells how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """A storm.

    Attributes:
        since: steady time at which it began.
        motion: steady time at which something last fell or stood up.
        members: the workers in it.
    """

    since: float
    motion: float
    members: frozenset[str]

    @property
    def held_until(self) -> float:
        """Steady time before which nothing is started."""
        return self.since + HOLD

    @property
    def calm_at(self) -> float:
        """Steady time at which it is over unless something moves."""
        return self.motion + CALM


def threshold(limits: Monitor, workers: int) -> int:
    """Return how many failing workers are a storm; 0: however many there are, it is none."""
    if not limits.storm_failures or workers < 2:
        return 0
    return max(2, min(limits.storm_failures, (workers + 1) // 2))


def weather(
    limits: Monitor, memories: Mapping[str, Memory], well: Collection[str], now: float
) -> Storm | None:
    """Return the storm that lasts or begins now, if there is one.

    Args:
        limits: when failures are a storm.
        memories: of all workers.
        well: those that are as they should be.
        now: steady time.
    """
    begun = {name: m.storm for name, m in memories.items() if m.storm is not None}
    if not begun:
        fresh = _fallen(memories, now - limits.storm_window)
        unborn = sum(1 for name in fresh if _unborn(memories[name]))
        least = threshold(limits, len(memories))
        if not least or max(unborn, len(fresh) - unborn) < least:
            return None
        return _storm(memories, now, fresh)
    since = min(begun.values())
    joined = _fallen(memories, since)
    storm = _storm(memories, since, {*begun, *joined})
    return None if storm.members <= set(well) or now >= storm.calm_at else storm


def _fallen(memories: Mapping[str, Memory], since: float) -> set[str]:
    """Return of whom it is news since a steady time that they failed."""
    return {
        name
        for name, memory in memories.items()
        if memory.fell is not None and memory.fell >= since
        if memory.began is None or memory.began >= since  # None: an older healmon wrote it
    }


def _unborn(memory: Memory) -> bool:
    """Return whether a worker was never up, and that is not the host's fault."""
    return memory.absent and not memory.hosts


def _storm(memories: Mapping[str, Memory], since: float, members: set[str]) -> Storm:
    moves = [since]
    for name in members:
        memory = memories[name]
        moves.append(memory.fell if memory.fell is not None else since)
        moves.append(memory.up_since if memory.identity is not None else since)
    return Storm(since=since, motion=max(moves), members=frozenset(members))


def marked(memory: Memory, name: str, storm: Storm | None) -> Memory:
    """Return the memory of a worker in a storm, or after one."""
    if storm is not None and name in storm.members:
        return replace(memory, storm=storm.since) if memory.storm is None else memory
    if memory.storm is not None:
        # what it fell in is over; those that fall together once more are one incident again
        return replace(memory, storm=None, fell=None, began=None)
    return memory


def shared(known: Snapshot, host: HostSeen) -> tuple[str, ...]:
    """Return what may be the cause of many failures at once, in words."""
    total, available = host.memory_total, host.memory_available
    causes = ["the host is out of memory"] if total and available < SCARCE * total else []
    causes += [told for view in known.components.values() if (told := _ails(view))]
    return tuple(causes)


def _ails(view: ComponentView) -> str:
    if view.healer == "disks" and view.status == "critical":
        return f"{view.name} is full: {view.summary}"
    locked = view.status in {"critical", "warning"}
    if view.healer == "databases" and locked and view.facts.get("verdict") != "reader-pins-wal":
        return f"{view.name}: {view.summary}"
    return ""


def finding(
    storm: Storm, workers: Collection[Worker], causes: tuple[str, ...], limits: Monitor
) -> Finding:
    """Return the one finding of a storm."""
    members = [worker for worker in workers if worker.name in storm.members]
    names = [worker.name for worker in members]
    listed = _listed(names)
    cause = "; ".join(causes) or "none is to be seen (disk, memory and databases are well)"
    text = (
        f"{len(names)} of {len(workers)} workers failed within "
        f"{format_duration(limits.storm_window)}: {listed}; shared cause: {cause}; they are "
        "started one after the other"
    )
    severity: Severity = "CRITICAL" if any(worker.critical for worker in members) else "WARNING"
    evidence = {"workers": names, "causes": list(causes)}
    return Finding(CONDITION, severity, clean(text), evidence, confirmed=True)


def told_of(known: Snapshot) -> tuple[str, ...]:
    """Return the workers that the open alert of a storm names; none is open: nobody."""
    alert = known.alerts.get(f"{known.engine.host}/{NAME}/healmon/{CONDITION}")
    if alert is None or alert.pending:
        return ()
    return tuple(str(name) for name in alert.evidence.get("workers", ()))


def aftermath(left: Mapping[str, Finding]) -> tuple[Finding, ...]:
    """Return what remains of a storm that is over.

    Args:
        left: who is still down since, and what is found of each.
    """
    if len(left) < 2:
        return ()
    severity: Severity = "WARNING"
    for found in left.values():
        severity = worse(severity, found.severity)
    text = f"{len(left)} workers that failed together are still down: {_listed([*left])}"
    evidence: Packed = {"workers": [*left], "causes": []}
    return (Finding(CONDITION, severity, clean(text), evidence, confirmed=True),)


def joined(finding: Finding, left: Mapping[str, Finding]) -> Finding:
    """Return the finding of a storm with who is still down since the one before."""
    older = [name for name in left if name not in finding.evidence["workers"]]
    if not older:
        return finding
    severity = finding.severity
    for name in older:
        severity = worse(severity, left[name].severity)
    workers = [*finding.evidence["workers"], *older]
    return replace(
        finding,
        severity=severity,
        message=f"{finding.message}; still down from before: {clean(_listed(older))}",
        evidence={**finding.evidence, "workers": workers},
    )


def _listed(names: Sequence[str]) -> str:
    listed = ", ".join(names[:NAMED])
    return f"{listed} and {len(names) - NAMED} more" if len(names) > NAMED else listed
