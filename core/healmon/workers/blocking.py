"""Who holds what a worker needs: its port, its instance lock. Touches nothing.

Left over from an earlier run of the same worker (an orphan, that may be stopped) is only what the
kernel shows to be its own: below it, below its shim, in the session it led, or holding its very
instance lock by an inherited descriptor. Everybody else is a stranger.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from healmon.config.settings import Worker
from healmon.errors import ProbeError
from healmon.redact import command_line
from healmon.workers.model import Blocker, StartRecord, WorkerSeen
from healmon.workers.tree import Family
from healmon.world.ports import Listener, Ports
from healmon.world.processes import Identity, ProcessFacts
from healmon.world.shims import Shim

Inspect = Callable[[Identity], ProcessFacts | None]


def needed_ports(worker: Worker) -> tuple[int, ...]:
    """Return the TCP ports that a worker is known to listen on."""
    probes = (worker.ready, worker.liveness)
    return tuple(dict.fromkeys(p.tcp for p in probes if p is not None and p.tcp is not None))


def roots(record: StartRecord | None, shim: Shim | None) -> tuple[Identity, ...]:
    """Return every process that is on record as the worker's, living or not."""
    on_record: list[Identity | None] = []
    if shim is not None:
        on_record.append(shim.worker)
        on_record += [end.identity for end in shim.ends]
    if record is not None:
        on_record += [record.worker, record.launched, record.old, *record.tree, *record.former]
    return tuple(dict.fromkeys(identity for identity in on_record if identity is not None))


class Blocking:
    """Looks for blockers.

    Args:
        ports: the door.
        inspect: one look at a process.
    """

    def __init__(self, ports: Ports, inspect: Inspect) -> None:
        self._ports = ports
        self._inspect = inspect

    def lock_holders(self, lock_path: str) -> frozenset[Identity]:
        """Return who holds an instance lock; slow.

        Raises:
            ProbeError: it cannot be told.
        """
        return self._ports.lock_holders(lock_path)

    def blockers(
        self,
        worker: Worker,
        one: WorkerSeen,
        family: Family,
        lock_path: str,
        still_locked: Callable[[], bool],
    ) -> tuple[Blocker, ...]:
        """Return who holds what a worker needs that is not up; may block for a moment.

        Args:
            worker: its settings.
            one: the look at it.
            family: all processes.
            lock_path: of its instance lock.
            still_locked: whether somebody holds that now; a shim that ends holds it for a moment.

        Raises:
            ProbeError: it cannot be told.
        """
        shim = one.shim.shim if one.shim is not None else None
        kin = {f.identity for f in family.tree(roots(one.record, one.shim), shim)}
        found: list[Blocker] = []
        if shim is not None and one.shim is not None and one.shim.locked:
            found += self._of_lock(lock_path, frozenset(kin), shim, family, still_locked)
        for port in needed_ports(worker):
            found += self._of_port(port, kin)
        return tuple(found)

    def _of_lock(
        self,
        lock_path: str,
        kin: frozenset[Identity],
        shim: Identity,
        family: Family,
        still_locked: Callable[[], bool],
    ) -> Iterator[Blocker]:
        """Yield who holds an instance lock, and whatever else is left below its shim."""
        holders = self._ports.lock_holders(lock_path)
        facts = {who: family.find(who) for who in holders}
        apart = {who for who, one in facts.items() if one is not None and family.apart(one)}
        # whoever else holds it by descriptor got it from the shim, on record or not
        own = (holders | kin) - {shim} - apart
        yield from self._named("instance lock", own, orphan=True)
        yield from self._named("instance lock", apart, orphan=False)
        if not own and not apart and still_locked():
            yield from self._named("instance lock", holders, orphan=False)
            if not holders:
                yield Blocker(what="instance lock")

    def _of_port(self, port: int, kin: Collection[Identity]) -> Iterator[Blocker]:
        listeners = [one for one in self._ports.listeners(port) if one.local]
        for listener in listeners:
            own = own_of(self._ports, listener, kin)
            yield from self._named(f"port {port}", own, orphan=True)
            if not own:
                strangers = sorted(self._ports.search([listener.inode]), key=lambda s: s.ticks)
                yield from self._named(f"port {port}", strangers[:1], orphan=False)
                if not strangers:
                    said = f"somebody who cannot be seen (user id {listener.uid})"
                    yield Blocker(what=f"port {port}", command=said)

    def _named(
        self, what: str, holders: Collection[Identity], *, orphan: bool
    ) -> Iterator[Blocker]:
        for identity in sorted(holders, key=lambda one: one.ticks):
            facts = self._inspect(identity)
            words = command_line(facts.command) if facts is not None else ""
            said = words or (facts.name if facts is not None else "")
            yield Blocker(what=what, identity=identity, command=said, orphan=orphan)


def own_of(ports: Ports, listener: Listener, kin: Collection[Identity]) -> frozenset[Identity]:
    """Return which of these have a listening socket open; those who cannot be read have not."""
    try:
        return ports.owners([listener.inode], kin)
    except ProbeError:
        return frozenset()


def said(blocker: Blocker) -> str:
    """Return a blocker in words: `port 8080 is held by pid 12: nginx`."""
    if blocker.identity is None:
        return f"{blocker.what} is held by {blocker.command or 'somebody who cannot be seen'}"
    kind = ", left over from an earlier run" if blocker.orphan else ""
    return f"{blocker.what} is held by pid {blocker.identity.pid}: {blocker.command}{kind}"
