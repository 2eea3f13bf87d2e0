"""The rungs beyond keys, each only where a person allowed it (`sessions.escalate`).

    tool    SIGTERM to the processes that a hung agent runs as its tools
    group   SIGTERM to the processes of a job's foreground group
    resume  a program that has ended is started again, as it said how, in its pane that is left

Never a signal to an agent itself, never SIGKILL. Each is looked at again right before, written
down, and proved.
"""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from msgspec.structs import replace

from healmon.clock import Clock, age
from healmon.errors import ProbeError, RemedyError, VetoError
from healmon.sessions import family, novelty
from healmon.sessions.dossier import Dossier
from healmon.sessions.family import Table
from healmon.sessions.novelty import Known
from healmon.sessions.probe import Probe, SessionSeen
from healmon.sessions.verdict import Verdict
from healmon.sessions.verifying import LET_GO, Effect, ended
from healmon.sessions.viewing import View, view
from healmon.text import clean
from healmon.world.processes import TERM, ProcessFacts
from healmon.world.tmux import TmuxAbsentError

POLL: Final = 0.25
GOES_ON: Final = 5.0
"""Seconds that an agent has to go on once its tool has ended."""


class Rungs:
    """Climbs the rungs that are allowed, until one is seen to work.

    Args:
        probe: what looks, and the doors.
        clock: all time.
        one: the session as it was last seen.
        dossier: where each step is written down.
        check: looks again; raises VetoError unless the session may still be touched.
    """

    def __init__(
        self,
        probe: Probe,
        clock: Clock,
        one: SessionSeen,
        dossier: Dossier,
        check: Callable[[], Awaitable[None]],
    ) -> None:
        self._probe = probe
        self._clock = clock
        self._one = one
        self._dossier = dossier
        self._check = check
        self._allowed = probe.settings.escalate
        self._within = probe.settings.verify_within

    async def climb(self, verdict: Verdict) -> Verdict:
        """Return the verdict after all rungs that are allowed and fit."""
        for rung, act in (("tool", self._tool), ("group", self._group), ("resume", self._resume)):
            fits = verdict.result == "exited" if rung == "resume" else _holds(verdict)
            if rung not in self._allowed or not fits:
                continue
            try:
                effect = await act(verdict)
            except (VetoError, RemedyError, ProbeError, TmuxAbsentError) as error:
                verdict = replace(verdict, how=f"{verdict.how}; {rung}: {error.args[0]}")
                continue
            how = f"{verdict.how}; {effect.how}"
            verdict = replace(
                verdict, result=effect.result, how=how, status=effect.status or verdict.status
            )
            if effect.result not in {"ignored", "frozen"}:
                verdict = replace(verdict, rung=rung)
        return verdict

    async def _tool(self, verdict: Verdict) -> Effect:
        """End the tools of a hung agent: it goes on, lets go, or is what it was."""
        kin, terminal = self._one.family, self._one.terminal
        if kin is None or terminal is None or not kin.agent:
            return Effect(verdict.result, "it is no agent: it has no tools")
        table = await self._probe_table()
        ages = [t.assigned_at for t in self._one.tasks if t.assigned_at is not None]
        now, steps = self._clock.read().wall, self._clock.steps
        # whoever lived before the task is no tool of it
        tasked = max(age(steps, at, now) for at in ages) if ages else None
        packs = self._probe.packs
        some = family.tools(table, terminal.foreground, kin.agent, tasked, packs)
        if not some:
            return Effect(verdict.result, "it runs no tool")
        before = await self._see()
        await self._signal(some, f"a tool of {kin.agent}")
        words = ", ".join(f"{clean(f.name, limit=40)} ({f.identity.pid})" for f in some)
        if not await self._gone(some):
            return Effect(verdict.result, f"its tool {words} ignored SIGTERM")
        return await self._goes_on(before, verdict, words)

    async def _goes_on(self, before: View | None, verdict: Verdict, words: str) -> Effect:
        known = Known()
        if before is not None:
            known = novelty.absorb(known, before.screen, self._clock.read().steady)
        until = self._clock.read().steady + GOES_ON
        while True:
            after = await self._see()
            self._dossier.after(after)
            if after is None or after.pane.dead:
                return Effect("exited", f"its tool {words} was ended, and it ended too")
            if after.sign.kind in LET_GO:
                return Effect("cleared", f"its tool {words} was ended, and it is idle")
            if novelty.novel(known, after.screen, self._clock.read().steady):
                return Effect("unblocked", f"its tool {words} was ended, and it goes on")
            if self._clock.read().steady > until:
                return Effect(verdict.result, f"its tool {words} was ended, and it hangs on")
            await self._clock.sleep(POLL)

    async def _group(self, verdict: Verdict) -> Effect:
        """End the foreground group of a job; never that of an agent, or of a shell."""
        before, kin = await self._see(), self._one.family
        if before is None or before.terminal is None or kin is None:
            return Effect(verdict.result, "its terminal cannot be read")
        if kin.agent or not before.terminal.signals:
            return Effect(verdict.result, "a program in raw mode gets no signal")
        if before.shell or before.foreground <= 1:
            return Effect(verdict.result, "no job is in the foreground")
        table = await self._probe_table()
        some = [f for f in table.under(before.pane.pid) if f.group == before.foreground]
        await self._signal(some, "in the foreground")
        until = self._clock.read().steady + self._within
        while True:
            after = await self._see()
            self._dossier.after(after)
            effect = ended(before, after)
            if effect is not None:
                return effect._replace(how=f"SIGTERM: {effect.how}")
            if self._clock.read().steady > until:
                return Effect(verdict.result, "it ignored SIGTERM too")
            await self._clock.sleep(POLL)

    async def _resume(self, verdict: Verdict) -> Effect:
        """Start the program again in its pane, if that is left."""
        after = await self._see()
        if after is None or not after.pane.dead or not verdict.resume:
            raise VetoError("it cannot be started again: no pane is left, or no command")
        pane, argv = after.pane, tuple(shlex.split(verdict.resume))
        await self._dossier.about_to("respawn", f"start {shlex.join(argv)} in pane {pane.id}")
        try:
            call = partial(self._probe.tmux.respawn, pane, argv)
            await self._probe.on(f"tmux {pane.socket}", call)
        except ValueError as error:
            await self._dossier.not_done(str(error))
            raise VetoError("its command has words that no shell should see") from error
        except VetoError as error:
            await self._dossier.not_done(str(error.args[0]))
            raise
        until, alive = self._clock.read().steady + self._within, 0
        while True:
            panes = await self._probe.panes(pane.socket)
            now = next((p for p in panes if p.id == pane.id), None)
            lives = now is not None and not now.dead and now.pid != pane.pid
            alive = alive + 1 if lives else 0
            if alive >= 3:  # one that fails at once lives for a moment, too
                return Effect("exited", f"started again: {shlex.join(argv)}")
            if self._clock.read().steady > until:
                raise RemedyError(f"{shlex.join(argv)} did not start")
            await self._clock.sleep(POLL)

    async def _signal(self, some: Sequence[ProcessFacts], what: str) -> None:
        """Send SIGTERM to processes, after one more look at everything."""
        names = ", ".join(f"{clean(f.name, limit=40)} ({f.identity.pid})" for f in some)
        await self._dossier.about_to("signal", f"send SIGTERM to {names}, {what}")
        try:
            await self._check()
        except VetoError as error:
            await self._dossier.not_done(str(error.args[0]))
            raise
        for facts in some:
            call = partial(self._probe.processes.signal, facts.identity, TERM)
            try:
                await self._probe.on("processes", call)
            except PermissionError as error:
                raise RemedyError(f"{names}: belongs to somebody else") from error

    async def _gone(self, some: Sequence[ProcessFacts]) -> bool:
        """Return whether processes are gone within the time that a key has to show."""
        until = self._clock.read().steady + self._within
        while True:
            table = await self._probe_table()
            left = [f for f in some if (now := table.get(f.identity.pid)) is not None
                    and now.identity == f.identity]  # fmt: skip
            if not left or self._clock.read().steady > until:
                return not left
            await self._clock.sleep(POLL)

    async def _probe_table(self) -> Table:
        processes = self._probe.processes
        return await self._probe.on("processes", lambda: Table(processes.everyone()))

    async def _see(self) -> View | None:
        agent = "" if self._one.family is None else self._one.family.agent
        return await view(self._probe, self._one.pane, agent)


def _holds(verdict: Verdict) -> bool:
    return verdict.result in {"ignored", "frozen"}
