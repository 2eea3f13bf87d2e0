"""The healer of tmux sessions: ties look, judgement and remedy to the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from healmon.clock import Clock, Reading, gap
from healmon.config.settings import Sessions, Tasks
from healmon.healer import Hand, Instead
from healmon.plans import Diagnosis, Packed, Plan, Proof
from healmon.sessions import aftermath, lost
from healmon.sessions.calm import Calm
from healmon.sessions.diagnose import diagnose
from healmon.sessions.facts import HEALER
from healmon.sessions.offers import offered
from healmon.sessions.packs import Packs
from healmon.sessions.probe import Probe, Seen
from healmon.sessions.remedy import Remedy
from healmon.sessions.reporting import report
from healmon.state import Snapshot
from healmon.world.evidencefiles import EvidenceFiles
from healmon.world.processes import Processes
from healmon.world.taskdb import TaskDatabases
from healmon.world.tmux import Tmux

DEADLINE: Final = 15.0
"""Seconds that a look may take."""
SPARE: Final = 5.0
"""Seconds that it has beyond the slowest command that tells tasks."""
TIDY_EVERY: Final = 3600.0
"""Seconds between two removals of evidence that is too old."""


class SessionsHealer:
    """Watches the sessions of all configured tmux sockets and clears those that are stuck.

    Args:
        settings: `[sessions]`.
        tasks: every `[tasks.NAME]`.
        tmux: the door to tmux.
        taskdb: the door to task databases.
        processes: the door to processes.
        clock: all time.
        evidence: where screens before and after an act are kept; None: nowhere.
        packs: what reads screens; default: those that come with healmon.
    """

    def __init__(
        self,
        settings: Sessions,
        tasks: Sequence[Tasks],
        tmux: Tmux,
        taskdb: TaskDatabases,
        processes: Processes,
        clock: Clock,
        evidence: EvidenceFiles | None = None,
        packs: Packs | None = None,
    ) -> None:
        self.name = HEALER
        self.title = "sessions"
        # a command may take as long as it was given, and everything else its time beside it
        self.deadline = max(DEADLINE, *(t.command_timeout + SPARE for t in tasks if t.command), 0.0)
        self.lasting = True
        self._settings = settings
        self._clock = clock
        self._probe = Probe(settings, tasks, tmux, taskdb, processes, clock, packs)
        self._remedy = Remedy(self._probe, clock, evidence)
        self._calm = Calm()
        self._last: Reading | None = None
        self._tidied: float | None = None

    def start(self, wake: Callable[[], None]) -> None:
        """Begin watching; nothing here wakes the engine between looks."""

    async def look(self) -> Seen:
        """Return what all sockets and task databases show now. Touches nothing.

        Raises:
            ProbeError: not one socket could be looked at.
        """
        now = self._clock.read()
        jumped = self._last is not None and bool(gap(self._last, now))
        self._last = now
        if self._tidied is None or now.steady - self._tidied > TIDY_EVERY:
            self._tidied = now.steady
            await self._remedy.tidy()
        seen = await self._probe.look()
        return replace(seen, jumped=True) if jumped else seen

    def diagnose(self, seen: Seen, known: Snapshot, now: Reading) -> Diagnosis:
        """Judge. Pure, but for whom the next look must look after."""
        found = diagnose(self._settings, seen, known, now, self._probe.packs, self._calm)
        self._probe.lost = lost.watched(found)
        self._probe.held = aftermath.held(found)
        return found

    def offer(
        self,
        verb: str,
        component: str,
        known: Snapshot,
        now: Reading,
        arguments: Packed | None = None,
    ) -> Plan:
        """Return the plan for what a person asks (see `offers`). Pure.

        Raises:
            DataError: no such session, nothing to do there, or it must not be touched.
        """
        del now  # the newest look says how long it has been quiet
        return offered(verb, component, known, self._settings, arguments or {})

    async def carry_out(self, plan: Plan, hand: Hand) -> Proof:
        """Look again, interrupt, prove, settle the tasks.

        Raises:
            VetoError: the session is not as planned; nothing (more) was touched.
            RemedyError: it ignored its interrupt, or its tasks could not be settled.
        """
        return await self._remedy.carry_out(plan, hand)

    async def pause(self, component: str) -> None:
        """Nothing is done here without the engine."""

    def give_way(self, component: str, reason: str, instead: Instead) -> bool:  # noqa: ARG002 - the protocol's
        """Return that no act ends before its time here: none of them waits for long."""
        return False

    def report(self, known: Snapshot) -> list[str]:
        """Return the sessions' lines of the cycle report."""
        return report(known)

    async def close(self) -> None:
        """Stop watching; the sessions stay as they are."""
        self._remedy.close()
        self._probe.close()
