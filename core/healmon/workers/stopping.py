"""Ending a worker with everything that belongs to it, and nobody else.

    SIGTERM to each member ──▶ stop_timeout ──▶ SIGKILL to whoever is left ──▶ 5 s ──▶ stop failed

Who belongs to it is looked at anew in each round: a member may have forked in between, or left its
group or session. Each signal goes through a pidfd that was compared with who was seen, so it cannot
reach anybody else; the shim is never signalled, it ends with the last below it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Final

from msgspec.structs import replace

from healmon.errors import RemedyError
from healmon.workers.acting import Act
from healmon.workers.model import Asked
from healmon.workers.tree import Family, named
from healmon.world.processes import ASK, CONT, KILL, TERM, Identity, ProcessFacts

KILL_TIMEOUT: Final = 5.0
"""Seconds a process may take to end after SIGKILL."""
SHOWN: Final = 8
"""Members that are named; of more, how many they are."""


class Stopping:
    """Ends what belongs to one worker.

    Args:
        act: the act that this is a part of. Whom another act, or a healmon that was killed, had
            asked to end is on its record.
        roots: processes that are known to be the worker's, the main one first; those that are gone
            still tell which session is its own.
        shim: what lives above them.
    """

    def __init__(self, act: Act, roots: Collection[Identity], shim: Identity | None) -> None:
        self._act = act
        self._roots = tuple(roots)
        self._shim = shim
        self._told: dict[int, set[Identity]] = {TERM: set(), KILL: set()}
        self._known: dict[Identity, ProcessFacts] = {}

    @property
    def known(self) -> tuple[Identity, ...]:
        """Everybody who was seen to belong to the worker."""
        return tuple(self._known)

    async def all(self) -> None:
        """Return once nothing that belongs to the worker is left.

        Raises:
            RemedyError: something survived, or may not be signalled. Nothing is started then.
        """
        await self._go_on()
        if not await self._round(TERM) or not (left := await self._round(KILL)):
            return
        who = named(left)
        raise await self._act.failure(
            "stop",
            f"{who} survived SIGKILL for {KILL_TIMEOUT:g} s; no second copy is started"
            + ("; it hangs in the kernel" if any(f.state == "D" for f in left) else ""),
        )

    async def _go_on(self) -> None:
        """Have those who were asked already be given their time for it."""
        act, asked = self._act, self._act.record.asked
        if asked is None or self._time_of(asked) <= 0:
            return  # they are asked anew
        members = self._members(await act.family())
        who = [facts for facts in members if facts.identity in asked.who]
        if not who:
            return
        was = "was" if asked.surely else "may have been"
        await act.about_to(f"wait for {_pids(who)}: SIGTERM {was} sent already")
        await act.keep(phase="stopping", tree=self._tree())
        self._told[TERM].update(asked.who)
        if not asked.surely:
            await self._round(TERM)
            self._told[TERM].difference_update(asked.who)

    def _time_of(self, asked: Asked) -> float:
        """Return the seconds that are left to those who were asked."""
        now = self._act.tools.clock.read().steady
        return min(asked.at, now) + self._act.worker.stop_timeout - now

    async def _round(self, number: int) -> tuple[ProcessFacts, ...]:
        """Signal each member once and wait; return who is left of the tree."""
        clock, deadline = self._act.tools.clock, None
        while True:
            members = self._members(await self._act.family())
            if not members:
                return ()
            fresh = [facts for facts in members if facts.identity not in self._told[number]]
            if fresh:
                await self._signal(fresh, number)
            now = clock.read().steady
            if deadline is None:
                deadline = now + self._patience(number)
            if now >= deadline:
                return members
            who = [facts.identity for facts in members]
            await self._act.left_after(who, deadline - now)

    def _patience(self, number: int) -> float:
        asked = self._act.record.asked
        return self._time_of(asked) if number == TERM and asked is not None else KILL_TIMEOUT

    def _members(self, family: Family) -> tuple[ProcessFacts, ...]:
        members = family.tree((*self._roots, *self._known), self._shim)
        self._known.update((facts.identity, facts) for facts in members)
        return members

    def _tree(self) -> tuple[Identity, ...]:
        return tuple(dict.fromkeys((*self._act.record.tree, *self._known)))

    # Signals.

    async def _signal(self, members: list[ProcessFacts], number: int) -> None:
        act, tree = self._act, self._tree()
        word = "SIGTERM" if number == TERM else "SIGKILL"
        # nobody is signalled if not all may be
        await self._permitted(partial(self._send, members, ASK), word)
        await act.about_to(f"send {word} to {_pids(members)} ({act.worker.name})")
        self._told[number].update(facts.identity for facts in members)
        if number == TERM:
            await self._permitted(partial(self._ask, members), word)
            return
        if (act.record.phase, act.record.tree) != ("stopping", tree):
            await act.keep(phase="stopping", tree=tree)
        await self._permitted(partial(self._send, members, number), word)

    async def _permitted(self, send: Callable[[], ProcessFacts | None], word: str) -> None:
        """Make a call that signals.

        Raises:
            RemedyError: somebody may not be signalled.
        """
        act, refused = self._act, await self._act.call(send)
        if refused is not None:
            reason = f"pid {refused.identity.pid} is somebody else's: {word} is not permitted"
            if act.record.phase != "decided" or act.order.verb == "stop":
                await act.failure("blocked", reason)  # something was begun, and is on record
            raise RemedyError(reason, remedy="run healmon as that user or as root")

    def _ask(self, members: list[ProcessFacts]) -> ProcessFacts | None:
        """Send SIGTERM: in one call, as nothing may come between that and the note of it."""
        who = tuple(one for one in self._known if one in self._told[TERM])
        asked = Asked(who=who, at=self._act.tools.clock.read().steady)
        self._note(asked)
        refused = self._send(members, TERM)
        self._note(replace(asked, surely=refused is None))
        return refused

    def _note(self, asked: Asked) -> None:
        act = self._act
        act.record = replace(act.record, phase="stopping", tree=self._tree(), asked=asked)
        act.tools.records.put_start(act.worker.name, act.record)

    def _send(self, members: list[ProcessFacts], number: int) -> ProcessFacts | None:
        """Signal each member; return who may not be signalled."""
        signal = self._act.tools.processes.signal
        for facts in members:
            try:
                signal(facts.identity, number)
                if number == TERM:
                    # one that stands still cannot hear it, and may have come to since the look
                    signal(facts.identity, CONT)
            except PermissionError:
                return facts
        return None


def _pids(members: Iterable[ProcessFacts]) -> str:
    pids = [str(facts.identity.pid) for facts in members]
    more = f" and {len(pids) - SHOWN} more" if len(pids) > SHOWN else ""
    return f"pid {', '.join(pids[:SHOWN])}{more}"
