"""Judges sessions: who works, who waits for a person, who is stuck. Pure.

    dead ─ protected ─ attached ─ typing ─ mode ─ waiting ─ idle ─ stuck ─ working ─ quiet

The first that fits is the state of a session. The states before `stuck` are those in which a
person is near or a key could do harm: there healmon may raise an alert and never presses anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec.structs import replace

from healmon.clock import Reading
from healmon.config.settings import Sessions
from healmon.plans import Diagnosis, Finding, Status, Verdict, pack, unpack
from healmon.sessions import agents
from healmon.sessions.agents import Cues
from healmon.sessions.facts import ACTION, HEALER, Memory, Row, SessionFacts, State
from healmon.sessions.planning import make_plan, minutes, task_words
from healmon.sessions.probe import Fault, Seen, SessionSeen
from healmon.sessions.progress import begin, follow, limit_for, overdue, pane_key
from healmon.state import ActionView, Snapshot, of_healer
from healmon.text import clean
from healmon.units import format_duration
from healmon.world.taskdb import Task

WORKING: Final = 120.0
"""Seconds after progress in which a session counts as working, at most half its limit."""
CONFIRM: Final = 10.0
"""Seconds between two looks that must both find a session dead or gone."""
SOON: Final = 60.0
"""Seconds before a limit from which on the next look is asked for in time."""
LINE_LIMIT: Final = 160
STATUSES: Final[dict[State, Status]] = {
    "stuck": "unhealthy", "gone": "unhealthy", "dead": "unhealthy", "waiting": "warning",
    "unknown": "unknown",
}  # fmt: skip


def component_of(label: str) -> str:
    """Return the component of a session."""
    return f"session:{label}"


def diagnose(settings: Sessions, seen: Seen, known: Snapshot, now: Reading) -> Diagnosis:
    """Return the judgement on every session, and on what could not be looked at."""
    judge = _Judge(settings, seen, known, now)
    verdicts = [judge.session(one) for one in seen.sessions]
    verdicts += [judge.missing(name, tasks) for name, tasks in seen.missing.items()]
    verdicts += [judge.fault(fault) for fault in seen.faults]
    said = {verdict.component for verdict in verdicts}
    verdicts += judge.unseen(said)
    said |= {verdict.component for verdict in verdicts}
    gone = tuple(name for name in of_healer(known, HEALER) if name not in said)
    return Diagnosis(tuple(verdicts), gone, judge.look_again)


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
        self.look_again: float | None = None

    def session(self, seen: SessionSeen) -> Verdict:
        """Judge a session that is there."""
        component = component_of(seen.label)
        before = facts_of(self._known, component)
        if before is not None and any(row.source in self._blind for row in before.rows):
            return self._not_seen(component, before, "its task database cannot be read")
        last = self._last_attempt(component)
        memory = self._remember(component, seen, last)
        cues = agents.read(seen.screen, seen.pane.title, seen.terminal)
        facts = self._facts(seen, memory, cues)
        findings: tuple[Finding, ...] = ()
        plan = None
        if facts.state == "dead":
            memory, findings = self._lost(facts, memory)
        elif memory is not None:
            findings = self._findings(facts, memory, self._is_overdue(seen, memory))
        if findings and facts.state in {"stuck", "dead"} and self._may_act(facts):
            plan = make_plan(component, facts, memory or Memory(), self._settings)
        return self._verdict(component, facts, findings, plan=plan, memory=memory)

    def _last_attempt(self, component: str) -> ActionView | None:
        return next(
            (
                action
                for action in reversed(self._known.recent)
                if (action.component, action.action) == (component, ACTION)
            ),
            None,
        )

    def _remember(
        self, component: str, seen: SessionSeen, last: ActionView | None
    ) -> Memory | None:
        """Return the memory of a session with tasks, or of one that ignored its interrupt."""
        old = memory_of(self._known, component)
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

    def _is_overdue(self, seen: SessionSeen, memory: Memory) -> bool:
        limit = limit_for(seen.tasks, self._settings.stuck_after)
        return bool(seen.tasks) and overdue(seen.tasks, memory, limit, self._now)

    def _facts(self, seen: SessionSeen, memory: Memory | None, cues: Cues) -> SessionFacts:
        pane = seen.pane
        limit = limit_for(seen.tasks, self._settings.stuck_after)
        state, rule = self._state(seen, memory, cues, limit)
        keys, hands_off = self._hands(seen, cues, state, rule)
        private = state in {"typing", "attached"} or (seen.terminal and seen.terminal.secret)
        quiet = 0.0 if memory is None else self._now.steady - memory.progress_at
        return SessionFacts(
            state=state,
            session=clean(pane.name, limit=LINE_LIMIT),
            socket=pane.socket,
            tasks=tuple(task.id for task in seen.tasks),
            rows=tuple(Row(task.source, task.id, task.status) for task in seen.tasks),
            quiet=round(quiet, 1),
            quiet_since=0.0 if memory is None else round(memory.progress_at, 1),
            limit=limit,
            pane=pane.id,
            window=pane.window_index,
            pane_index=pane.pane_index,
            command=pane.command,
            last_line="" if private else clean(cues.last_line, limit=LINE_LIMIT),
            attached=pane.attached,
            rule=rule,
            question=clean(cues.question, limit=LINE_LIMIT) if state == "waiting" else "",
            hands_off=hands_off,
            keys=keys,
            mode=pane.mode,
            key=pane_key(seen) if memory is None else memory.key,
        )

    def _state(
        self, seen: SessionSeen, memory: Memory | None, cues: Cues, limit: float
    ) -> tuple[State, str]:
        near = _person_near(seen, self._settings, self._now)
        if near is not None:
            return near
        if cues.question and seen.tasks:
            return "waiting", "it asks a person"
        if memory is None:
            return "idle", "no active task"
        if memory.failure:
            return "stuck", "an attempt to clear it failed"
        if self._is_overdue(seen, memory):
            return "stuck", f"nothing new for {format_duration(limit)}"
        age = self._now.steady - memory.progress_at
        left = limit - (self._now.steady - max(memory.progress_at, memory.tasks_at))
        if 0.0 < left <= SOON:
            self._look_in(left)
        recent = min(WORKING, limit / 2)
        if age < recent:
            return "working", f"something new within {format_duration(recent)}"
        return "quiet", f"nothing new, less than {format_duration(limit)}"

    def _hands(
        self, seen: SessionSeen, cues: Cues, state: State, rule: str
    ) -> tuple[tuple[tuple[str, ...], ...], str]:
        """Return what would be pressed, and why nothing may be."""
        pane = seen.pane
        reasons = (
            (state in {"protected", "attached", "typing", "mode"}, rule),
            (state == "waiting", "it waits for a person's answer"),
            (seen.twins, "another socket has a session of this name too"),
            (not seen.sure, "it has several panes: which one works on the task is unknown"),
        )
        for applies, reason in reasons:
            if applies:
                return (), reason
        if not seen.tasks or state == "dead":
            return (), ""
        if cues.idle or (seen.family is not None and seen.family.prompt):
            return (), ""  # nothing runs that could be interrupted
        unfit = (
            (pane.command == "tmux", "another tmux runs in it: its keys go to somebody else"),
            (pane.synchronized, "its panes are synchronised: a key would go to all of them"),
            (pane.input_off, "its pane takes no keys"),
            (seen.family is None or not seen.family.ticks, "its processes cannot be seen"),
        )
        for applies, reason in unfit:
            if applies:
                return (), reason
        agent = "" if seen.family is None else seen.family.agent
        return agents.chords(self._settings.interrupt, seen.terminal, agent)

    def _may_act(self, facts: SessionFacts) -> bool:
        return bool(facts.tasks) and not facts.hands_off and self._settings.on_stuck != "alert"

    def _findings(
        self, facts: SessionFacts, memory: Memory, is_overdue: bool
    ) -> tuple[Finding, ...]:
        evidence = {
            "pane": facts.pane, "command": facts.command, "tasks": list(facts.tasks),
            "quiet_since": facts.quiet_since, "rule": facts.rule, "last_line": facts.last_line,
        }  # fmt: skip
        tasks = f" with {task_words(facts.tasks)}" if facts.tasks else ""
        if facts.state == "waiting":
            said = f"{facts.session} waits for an answer{tasks}: {facts.question}"
            return (Finding("waiting", "WARNING", said, evidence),)
        if memory.failure:
            said = f"{facts.session} is stuck and could not be cleared: {memory.failure}"
            return (Finding("stuck", "CRITICAL", said, evidence),)
        if not is_overdue:
            return ()
        said = f"{facts.session} is stuck: nothing new for {minutes(facts.quiet)}{tasks}"
        if facts.hands_off:
            said += f"; not touched: {facts.hands_off}"
        return (Finding("stuck", "WARNING", said, evidence),)

    def _lost(
        self, facts: SessionFacts, memory: Memory | None
    ) -> tuple[Memory | None, tuple[Finding, ...]]:
        """Return memory and finding of a session that is dead or gone, once two looks agree."""
        if not facts.tasks:
            return None, ()
        memory = memory or Memory()
        memory = replace(memory, lost_at=memory.lost_at or self._now.steady)
        left = memory.lost_at + CONFIRM - self._now.steady
        if left > 0:
            self._look_in(left)
            return memory, ()
        said = f"{facts.session} {facts.rule}, with {task_words(facts.tasks)} assigned"
        evidence = {"pane": facts.pane, "tasks": list(facts.tasks), "rule": facts.rule}
        return memory, (Finding(facts.state, "WARNING", said, evidence),)

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
            rule="does not exist on any watched tmux socket",
        )
        blind = any(fault.kind == "tmux" for fault in self._seen.faults)
        if blind or not (self._seen.answered or before is not None and before.state != "unknown"):
            why = "a tmux socket cannot be read" if blind else "there is no tmux server to be asked"
            return self._not_seen(component, replace(facts, state="unknown"), why)
        memory = memory_of(self._known, component)
        if memory is not None and memory.key:
            memory = Memory(lost_at=memory.lost_at)
        memory, findings = self._lost(facts, memory)
        plan = None
        if findings and self._may_act(facts):
            plan = make_plan(component, facts, Memory(), self._settings)
        return self._verdict(component, facts, findings, plan=plan, memory=memory)

    def fault(self, fault: Fault) -> Verdict:
        """Say what could not be looked at; the component goes when it can be again."""
        name = f"{fault.kind}:{clean(fault.name, limit=LINE_LIMIT)}"
        facts = SessionFacts(state="unknown", session=name, rule=clean(fault.reason, limit=500))
        finding = Finding("unreadable", "WARNING", facts.rule, {"name": facts.session})
        return self._verdict(name, facts, (finding,), plan=None, memory=None)

    def unseen(self, said: Iterable[str]) -> list[Verdict]:
        """Return `unknown` for sessions whose socket or task database could not be read."""
        said = set(said)
        sockets = {fault.name for fault in self._seen.faults if fault.kind == "tmux"}
        verdicts: list[Verdict] = []
        for component in of_healer(self._known, HEALER):
            before = facts_of(self._known, component)
            if component in said or before is None or not component.startswith("session:"):
                continue
            if before.socket in sockets:
                verdicts.append(self._not_seen(component, before, "its tmux server does not answer"))
            elif not before.socket and any(row.source in self._blind for row in before.rows):
                why = "its task database cannot be read"
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
        *,
        plan: Plan | None,
        memory: Memory | None,
    ) -> Verdict:
        stuck = any(finding.condition == "stuck" for finding in findings)
        status = STATUSES.get(facts.state, "healthy")
        if status == "unhealthy" and not findings:
            status = "healthy"
        if stuck and status == "healthy":
            status = "warning"
        return Verdict(
            component=component,
            status=status,
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
