"""Who belongs to a worker: below it, below its shim, or left behind in the session it led. Pure.

What a worker started is its own as long as the kernel says so: by parent, or by session. A session
keeps the pid of the process that began it, and the kernel gives that pid to nobody while one of its
processes lives, so a session that the worker led holds nothing but what came from it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from healmon.world.apart import APART
from healmon.world.processes import DEAD, Identity, ProcessFacts

LINE_LIMIT: Final = 64


class Family:
    """All processes of one look, by pid and by parent.

    Args:
        everyone: one look at all processes.
        own_pid: of healmon: neither it nor what it lives below belongs to a worker.
    """

    def __init__(self, everyone: Iterable[ProcessFacts], own_pid: int = 0) -> None:
        self._by_pid = {facts.identity.pid: facts for facts in everyone}
        self._children: dict[int, list[ProcessFacts]] = {}
        self._sessions: dict[int, list[ProcessFacts]] = {}
        for facts in self._by_pid.values():
            self._children.setdefault(facts.parent, []).append(facts)
            self._sessions.setdefault(facts.session, []).append(facts)
        self._ours = frozenset((own_pid, *self.line(own_pid))) if own_pid else frozenset[int]()
        self._trees: dict[tuple[Identity | None, ...], tuple[ProcessFacts, ...]] = {}

    def find(self, identity: Identity) -> ProcessFacts | None:
        """Return who that is now; None when it is gone or only a zombie."""
        facts = self._by_pid.get(identity.pid)
        if facts is None or facts.identity != identity or facts.state in DEAD:
            return None
        return facts

    def line(self, pid: int) -> tuple[int, ...]:
        """Return the pids of the ancestors of a process, nearest first, without process 1."""
        line: list[int] = []
        facts = self._by_pid.get(pid)
        while facts is not None and facts.parent > 1 and len(line) < LINE_LIMIT:
            line.append(facts.parent)
            facts = self._by_pid.get(facts.parent)
        return tuple(line)

    def apart(self, facts: ProcessFacts) -> bool:
        """Return whether a process belongs to no worker, whoever started it."""
        return facts.name in APART or facts.identity.pid in self._ours

    def below(self, identity: Identity) -> tuple[ProcessFacts, ...]:
        """Return everything below a process, parents before their children, elder ones first."""
        if self.find(identity) is None:
            return ()
        found: dict[int, ProcessFacts] = {}
        level = self._offspring(identity.pid)
        while level:
            found.update((facts.identity.pid, facts) for facts in level)
            level = [
                child
                for facts in level
                for child in self._offspring(facts.identity.pid)
                if child.identity.pid not in found
            ]
        return tuple(facts for facts in found.values() if facts.state not in DEAD)

    def _offspring(self, pid: int) -> list[ProcessFacts]:
        """Return the children of a process that are its own, eldest first."""
        mine = [facts for facts in self._children.get(pid, ()) if not self.apart(facts)]
        return sorted(mine, key=lambda facts: facts.identity.ticks)

    def childless(self, identity: Identity) -> bool:
        """Return whether nothing at all lives right below a process, be it its own or not."""
        return all(facts.state in DEAD for facts in self._children.get(identity.pid, ()))

    def session(self, leader: Identity) -> tuple[ProcessFacts, ...]:
        """Return who is in the session that a process leads, or led until it ended."""
        now = self._by_pid.get(leader.pid)
        if now is not None and now.identity != leader:
            return ()  # somebody else has its pid: what is in a session of that number is his
        return tuple(
            facts
            for facts in self._sessions.get(leader.pid, ())
            if facts.identity.boot == leader.boot
            and facts.identity.ticks >= leader.ticks
            and facts.state not in DEAD
            and not self.apart(facts)
        )

    def tree(
        self, roots: Collection[Identity], shim: Identity | None = None
    ) -> tuple[ProcessFacts, ...]:
        """Return all that belongs to a worker, parents before their children.

        Args:
            roots: processes that are known to be the worker's; those that are gone still tell
                which session is its own.
            shim: what lives above it; it is no member itself.
        """
        asked = (shim, *roots)
        if asked not in self._trees:
            alone = self._alone(roots, shim)
            self._trees[asked] = (alone,) if alone is not None else self._tree(roots, shim)
        return self._trees[asked]

    def _alone(self, roots: Collection[Identity], shim: Identity | None) -> ProcessFacts | None:
        """Return the one process that is all of a worker, as most are; None: look closer."""
        if len(roots) != 1:
            return None
        (root,) = roots
        main = self.find(root)
        if main is None or self._children.get(root.pid) or self.apart(main) or root == shim:
            return None
        for kin in (self._sessions.get(root.pid), self._children.get(shim.pid) if shim else None):
            if kin and (len(kin) != 1 or kin[0] is not main):
                return None
        return main

    def _tree(self, roots: Collection[Identity], shim: Identity | None) -> tuple[ProcessFacts, ...]:
        heads = [*filter(None, map(self.find, roots))]
        heads += [stray for root in roots for stray in self.session(root)]
        found = {one.identity: one for one in (self.below(shim) if shim is not None else ())}
        for head in heads:
            if not self.apart(head) and head.identity != shim:
                found[head.identity] = head
                found.update((one.identity, one) for one in self.below(head.identity))
        members = {identity.pid for identity in found}

        def place(facts: ProcessFacts) -> tuple[int, int]:
            depth = sum(1 for pid in self.line(facts.identity.pid) if pid in members)
            return depth, facts.identity.ticks

        return tuple(sorted(found.values(), key=place))

    def strays(self, worker: Identity, shim: Identity | None = None) -> tuple[ProcessFacts, ...]:
        """Return what is a worker's own and no longer below it."""
        below = {worker, *(facts.identity for facts in self.below(worker))}
        return tuple(f for f in self.tree([worker], shim) if f.identity not in below)


def heir(family: Family, shim: Identity) -> ProcessFacts | None:
    """Return the daemon that a program left behind: the eldest child of its shim; None: none."""
    children = [facts for facts in family.below(shim) if facts.parent == shim.pid]
    return min(children, key=lambda facts: facts.identity.ticks, default=None)


def named(members: Iterable[ProcessFacts]) -> str:
    """Return processes in words: `pid 12 (python3, state D)`."""
    return ", ".join(f"pid {f.identity.pid} ({f.name}, state {f.state})" for f in members)
