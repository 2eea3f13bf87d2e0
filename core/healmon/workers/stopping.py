"""Ending a worker with everything that belongs to it, and nobody else.

    SIGTERM to each member ──▶ stop_timeout ──▶ SIGKILL to whoever is left ──▶ 5 s ──▶ stop failed

Who belongs to it is looked at anew in each round: a member may have forked in between, or left its
group or session. Each signal goes through a pidfd that was compared with who was seen, so it cannot
reach anybody else; the shim is never signalled, it ends with the last below it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial
from typing import Final, NamedTuple

from healmon.errors import RemedyError
from healmon.workers.acting import Act
from healmon.workers.tree import Family, named
from healmon.world.processes import ASK, CONT, KILL, TERM, Identity, ProcessFacts

KILL_TIMEOUT: Final = 5.0
"""Seconds a process may take to end after SIGKILL."""
SHOWN: Final = 8
"""Members that are named; of more, how many they are."""


class Asked(NamedTuple):
    """Who was asked to end by SIGTERM: a program may take a second one for impatience.

    Attributes:
        until: steady time until when they have leave to.
    """

    who: frozenset[Identity]
    until: float


class Stopping:
    """Ends what belongs to one worker.

    Args:
        act: the act that this is a part of.
        roots: processes that are known to be the worker's, the main one first; those that are gone
            still tell which session is its own.
        shim: what lives above them.
        asked: what another act, which gave way to this one, had asked of them.
    """

    def __init__(
        self,
        act: Act,
        roots: Collection[Identity],
        shim: Identity | None,
        asked: Asked | None = None,
    ) -> None:
        self._act = act
        self._roots = tuple(roots)
        self._shim = shim
        self._until = asked.until if asked is not None else None
        told = set(asked.who) if asked is not None else set[Identity]()
        self._told: dict[int, set[Identity]] = {TERM: told, KILL: set()}
        self._known: dict[Identity, ProcessFacts] = {}

    @property
    def known(self) -> tuple[Identity, ...]:
        """Everybody who was seen to belong to the worker."""
        return tuple(self._known)

    @property
    def asked(self) -> Asked | None:
        """Who was asked to end, and has time for that; None: nobody."""
        if self._until is None or not self._told[TERM]:
            return None
        return Asked(frozenset(self._told[TERM]), self._until)

    async def all(self) -> None:
        """Return once nothing that belongs to the worker is left.

        Raises:
            RemedyError: something survived, or may not be signalled. Nothing is started then.
        """
        if self._until is not None:
            await self._go_on()
        for number, word, patience in (
            (TERM, "SIGTERM", self._act.worker.stop_timeout),
            (KILL, "SIGKILL", KILL_TIMEOUT),
        ):
            left = await self._round(number, word, patience)
            if not left:
                return
        who = named(left)
        raise await self._act.failure(
            "stop",
            f"{who} survived SIGKILL for {KILL_TIMEOUT:g} s; no second copy is started"
            + ("; it hangs in the kernel" if any(f.state == "D" for f in left) else ""),
        )

    async def _go_on(self) -> None:
        """Journal that what another act had asked for is waited for."""
        members = self._members(await self._act.family())
        if members:
            await self._act.about_to(f"wait for {_pids(members)}: SIGTERM was sent already")
            tree = tuple(dict.fromkeys((*self._act.record.tree, *self._known)))
            await self._act.keep(phase="stopping", tree=tree)

    async def _round(self, number: int, word: str, patience: float) -> tuple[ProcessFacts, ...]:
        """Signal each member once and wait; return who is left of the tree."""
        clock, deadline = self._act.tools.clock, self._until if number == TERM else None
        while True:
            members = self._members(await self._act.family())
            if not members:
                return ()
            fresh = [facts for facts in members if facts.identity not in self._told[number]]
            if fresh:
                await self._signal(fresh, number, word)
            now = clock.read().steady
            deadline = now + patience if deadline is None else deadline
            self._until = deadline if number == TERM else None
            if now >= deadline:
                return members
            who = [facts.identity for facts in members]
            await self._act.left_after(who, deadline - now)

    def _members(self, family: Family) -> tuple[ProcessFacts, ...]:
        members = family.tree((*self._roots, *self._known), self._shim)
        self._known.update((facts.identity, facts) for facts in members)
        return members

    async def _signal(self, members: list[ProcessFacts], number: int, word: str) -> None:
        act = self._act
        for facts in members:
            await self._send(facts, ASK, word)  # nobody is signalled if not all may be
        await act.about_to(f"send {word} to {_pids(members)} ({act.worker.name})")
        tree = tuple(dict.fromkeys((*act.record.tree, *self._known)))
        if (act.record.phase, act.record.tree) != ("stopping", tree):
            await act.keep(phase="stopping", tree=tree)
        for facts in members:
            self._told[number].add(facts.identity)
            await self._send(facts, number, word)
            if number == TERM and facts.state == "T":
                # one that stands still cannot hear it
                await self._send(facts, CONT, word)

    async def _send(self, facts: ProcessFacts, number: int, word: str) -> None:
        act = self._act
        try:
            await act.call(partial(act.tools.processes.signal, facts.identity, number))
        except PermissionError:
            reason = f"pid {facts.identity.pid} is somebody else's: {word} is not permitted"
            if act.record.phase != "decided" or act.order.verb == "stop":
                await act.failure("blocked", reason)  # something was begun, and is on record
            raise RemedyError(reason, remedy="run healmon as that user or as root") from None


def _pids(members: Iterable[ProcessFacts]) -> str:
    pids = [str(facts.identity.pid) for facts in members]
    more = f" and {len(pids) - SHOWN} more" if len(pids) > SHOWN else ""
    return f"pid {', '.join(pids[:SHOWN])}{more}"
