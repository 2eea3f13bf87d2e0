"""Judges sessions: who works, who waits for a person, who is stuck, dead or gone. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec.structs import replace

from healmon.clock import Reading
from healmon.config.settings import Sessions
from healmon.plans import Diagnosis, Finding, Plan, Status, Verdict, pack, unpack
from healmon.sessions import agents
from healmon.sessions.agents import Cues
from healmon.sessions.facts import ACTION, HEALER, Memory, Row, SessionFacts, State
from healmon.sessions.planning import make_plan, minutes, task_words
from healmon.sessions.probe import Fault, Seen, SessionSeen
from healmon.sessions.progress import begin, follow, limit_for, pane_key, restarted
from healmon.sessions.standing import Standing, standing
from healmon.state import ActionView, Snapshot, of_healer
from healmon.text import clean
from healmon.world.taskdb import Task

CONFIRM: Final = 10.0
"""Seconds between two looks that must both find a session dead or gone."""
SOON: Final = 60.0
"""Seconds before a limit from which on the next look is asked for in time."""
LINE_LIMIT: Final = 160
HEALTH: Final[dict[State, Status]] = {
    "stuck": "unhealthy", "gone": "unhealthy", "dead": "unhealthy", "waiting": "warning",
    "unknown": "unknown",
}  # fmt: skip
PERSON: Final = frozenset[State](("waiting", "attached", "typing", "mode"))
"""States in which a person has the session in hand; the clock begins anew when they end."""


def diagnose(settings: Sessions, seen: Seen, known: Snapshot, now: Reading) -> Diagnosis:
    """Return the judgement on every session, and on what could not be looked at."""
    judge = _Judge(settings, seen, known, now)
    verdicts = [judge.session(one) for one in seen.sessions]
    verdicts += [judge.missing(name, tasks) for name, tasks in seen.missing.items()]
    verdicts += [_fault(fault) for fault in seen.faults]
    verdicts += judge.unseen({verdict.component for verdict in verdicts})
    said = {verdict.component for verdict in verdicts}
    gone = tuple(name for name in of_healer(known, HEALER) if name not in said)
    return Diagnosis(tuple(verdicts), gone, judge.look_again)


def component_of(label: str) -> str:
    """Return the component of a session."""
    return f"session:{label}"


def facts_of(known: Snapshot, component: str) -> SessionFacts | None:
    """Return what was last seen of a session; None: nothing, or by another version of healmon."""
    view = known.components.get(component)
    try:
        return None if view is None else unpack(view.facts, SessionFacts)
    except msgspec.ValidationError:
        return None


def memory_of(known: Snapshot, component: str) -> Memory | None:
    """Return what is remembered of a session; None: nothing, or by another version of healmon."""
    packed = known.memory.get(component)
    try:
        return unpack(packed, Memory) if packed else None
    except msgspec.ValidationError:
        return None


class _Judge:
    """One diagnosis: its inputs, and the soonest moment at which it could say something else."""

    def __init__(self, settings: Sessions, seen: Seen, known: Snapshot, now: Reading) -> None:
        self._settings = settings
        self._seen = seen
        self._known = known
        self._now = now
        self._blind = {fault.name for fault in seen.faults if fault.kind == "tasks"}
        self._deaf = {fault.name for fault in seen.faults if fault.kind == "tmux"}
        self.look_again: float | None = None

    def session(self, seen: SessionSeen) -> Verdict:
        """Judge a session that is there."""
        component = component_of(seen.label)
        before = facts_of(self._known, component)
        if before is not None and self._lacks(before):
            return self._not_seen(component, before, "its task database cannot be read")
        cues = agents.read(seen.screen, seen.pane.title, seen.terminal)
        memory = self._remember(component, seen)
        stands = standing(seen, memory, cues, self._settings, self._now)
        if memory is not None and before is not None and _person_left(before.state, stands.state):
            memory = restarted(memory, seen, self._now)
            stands = standing(seen, memory, cues, self._settings, self._now)
        facts = self._facts(seen, memory, cues, stands)
        if stands.left is not None and 0 < stands.left <= SOON:
            self._look_in(stands.left)
        findings: tuple[Finding, ...] = ()
        if facts.state == "dead":
            memory, findings = self._lost(facts, memory)
        elif memory is not None:
            findings = _findings(facts, memory, stands)
        return self._verdict(component, facts, findings, memory)

    def _lacks(self, facts: SessionFacts) -> bool:
        return any(row.source in self._blind for row in facts.rows)

    def _remember(self, component: str, seen: SessionSeen) -> Memory | None:
        """Return the memory of a session with tasks, or of one that could not be cleared."""
        old, last = memory_of(self._known, component), self._last_attempt(component)
        failed = last is not None and not last.ok
        if not seen.tasks and (old is None or not (old.failure or failed)):
            return None
        if old is None:
            failed_wall = last.at if last is not None else 0.0
            return begin(seen, self._now, tasks_at=self._now.steady, failed_wall=failed_wall)
        if seen.pane.dead:
            return old
        memory = follow(old, seen, self._now, last, jumped=self._seen.jumped)
        return memory if seen.tasks or memory.failure else None

    def _last_attempt(self, component: str) -> ActionView | None:
        mine = (a for a in reversed(self._known.recent) if a.component == component)
        return next((action for action in mine if action.action == ACTION), None)

    def _facts(
        self, seen: SessionSeen, memory: Memory | None, cues: Cues, stands: Standing
    ) -> SessionFacts:
        pane = seen.pane
        secret = seen.terminal is not None and seen.terminal.secret
        private = secret or stands.state in {"typing", "attached"}
        return SessionFacts(
            state=stands.state,
            session=clean(pane.name, limit=LINE_LIMIT),
            socket=pane.socket,
            tasks=tuple(task.id for task in seen.tasks),
            rows=tuple(Row(task.source, task.id, task.status) for task in seen.tasks),
            quiet=0.0 if memory is None else round(self._now.steady - memory.progress_at, 1),
            quiet_since=0.0 if memory is None else round(memory.progress_at, 1),
            limit=limit_for(seen.tasks, self._settings.stuck_after),
            pane=pane.id,
            window=pane.window_index,
            pane_index=pane.pane_index,
            command=pane.command,
            last_line="" if private else clean(cues.last_line, limit=LINE_LIMIT),
            attached=pane.attached,
            rule=stands.rule,
            question=clean(cues.question, limit=LINE_LIMIT) if stands.state == "waiting" else "",
            hands_off=stands.hands_off,
            keys=stands.keys,
            mode=pane.mode,
            key=pane_key(seen) if memory is None else memory.key,
        )

    def missing(self, name: str, tasks: tuple[Task, ...]) -> Verdict:
        """Judge a session that tasks name and that is on no socket that answered."""
        label = clean(name, limit=LINE_LIMIT)
        component = component_of(label)
        before = facts_of(self._known, component)
        facts = SessionFacts(
            state="gone",
            session=label,
            tasks=tuple(task.id for task in tasks),
            rows=tuple(Row(task.source, task.id, task.status) for task in tasks),
            rule="is on no watched tmux socket",
        )
        if self._deaf:
            return self._not_seen(component, before or facts, "a tmux socket cannot be read")
        was_there = before is not None and (before.pane or before.state == "gone")
        if not self._seen.answered and not was_there:
            # perhaps the tasks are those of another user's server
            return self._not_seen(component, facts, "no tmux server on the watched sockets")
        memory, findings = self._lost(facts, memory_of(self._known, component))
        return self._verdict(component, facts, findings, memory)

    def _lost(
        self, facts: SessionFacts, memory: Memory | None
    ) -> tuple[Memory | None, tuple[Finding, ...]]:
        """Return memory and finding of a session that is dead or gone, once two looks agree."""
        if not facts.tasks:
            return None, ()
        since = memory.lost_at if memory is not None and memory.lost_at else self._now.steady
        memory = Memory(key=memory.key if memory is not None else "", lost_at=since)
        left = since + CONFIRM - self._now.steady
        if left > 0:
            self._look_in(left)
            return memory, ()
        said = f"session {facts.session} {facts.rule}; {task_words(facts.tasks)} assigned to it"
        evidence = {"pane": facts.pane, "tasks": list(facts.tasks), "rule": facts.rule}
        return memory, (Finding(facts.state, "WARNING", said, evidence),)

    def unseen(self, said: Iterable[str]) -> list[Verdict]:
        """Return `unknown` for sessions whose socket or task database could not be read."""
        verdicts: list[Verdict] = []
        for component in set(of_healer(self._known, HEALER)).difference(said):
            before = facts_of(self._known, component)
            if before is None or not component.startswith(component_of("")):
                continue
            if before.socket in self._deaf:
                why = "its tmux server does not answer"
            elif not before.socket and self._lacks(before):
                why = "its task database cannot be read"
            else:
                continue
            verdicts.append(self._not_seen(component, before, why))
        return verdicts

    def _not_seen(self, component: str, facts: SessionFacts, why: str) -> Verdict:
        """Return that nothing is known now; what was remembered stays."""
        facts = replace(facts, state="unknown", rule=why, hands_off=why)
        memory = self._known.memory.get(component, {})
        return Verdict(component, "unknown", why, "session", "unknown", pack(facts), memory=memory)

    def _verdict(
        self,
        component: str,
        facts: SessionFacts,
        findings: tuple[Finding, ...],
        memory: Memory | None,
    ) -> Verdict:
        stuck = any(finding.condition == "stuck" for finding in findings)
        may = facts.tasks and not facts.hands_off and self._settings.on_stuck != "alert"
        plan: Plan | None = None
        if findings and facts.state in {"stuck", "dead", "gone"} and may:
            plan = make_plan(component, facts, memory or Memory(), self._settings)
        return Verdict(
            component=component,
            status=_status(facts, stuck=stuck, sure=bool(findings)),
            summary=_summary(facts),
            metric_type="stuck_detected" if stuck else "session",
            metric_value=minutes(facts.quiet) if stuck else facts.state,
            facts=pack(facts),
            findings=findings,
            plan=plan,
            memory={} if memory is None else pack(memory),
        )

    def _look_in(self, seconds: float) -> None:
        soon = max(seconds, 0.5) + 0.05
        self.look_again = soon if self.look_again is None else min(self.look_again, soon)


def _findings(facts: SessionFacts, memory: Memory, stands: Standing) -> tuple[Finding, ...]:
    evidence = {
        "pane": facts.pane, "command": facts.command, "tasks": list(facts.tasks),
        "quiet_since": facts.quiet_since, "rule": facts.rule, "last_line": facts.last_line,
    }  # fmt: skip
    found: list[Finding] = []
    tasks = f" with {task_words(facts.tasks)}" if facts.tasks else ""
    if facts.state == "waiting":
        said = f"{facts.session} waits for an answer{tasks}: {facts.question}"
        found.append(Finding("waiting", "WARNING", said, evidence))
    if memory.failure:
        said = f"{facts.session} is stuck and could not be cleared: {memory.failure}"
        found.append(Finding("stuck", "CRITICAL", said, evidence))
    elif stands.overdue and facts.state != "waiting":
        said = f"{facts.session} is stuck: nothing new for {minutes(facts.quiet)}{tasks}"
        said += f"; not touched: {facts.hands_off}" if facts.hands_off else ""
        found.append(Finding("stuck", "WARNING", said, evidence))
    return tuple(found)


def _fault(fault: Fault) -> Verdict:
    """Say what could not be looked at; the component goes when it can be again."""
    component = f"{fault.kind}:{clean(fault.name, limit=LINE_LIMIT)}"
    reason = clean(fault.reason.partition("\n")[0], limit=500)
    facts = SessionFacts(state="unknown", session=component, rule=reason, hands_off=reason)
    finding = Finding("unreadable", "WARNING", reason, {"reason": clean(fault.reason, limit=800)})
    return Verdict(
        component, "unknown", reason, "check_error", "unknown", pack(facts), (finding,)
    )  # fmt: skip


def _person_left(before: State, now: State) -> bool:
    return before in PERSON and now not in PERSON


def _status(facts: SessionFacts, *, stuck: bool, sure: bool) -> Status:
    status = HEALTH.get(facts.state, "healthy")
    if status == "unhealthy" and not sure:
        return "unknown" if facts.tasks else "healthy"
    return "warning" if stuck and status == "healthy" else status


def _summary(facts: SessionFacts) -> str:
    said = facts.question or facts.rule
    if facts.state == "stuck":
        said = f"{said}; quiet for {facts.quiet / 60:.0f} min"
    return f"{said}; {task_words(facts.tasks)}" if facts.tasks else said
