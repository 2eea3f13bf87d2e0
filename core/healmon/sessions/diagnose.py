"""Judges sessions: who works, who waits for a person, who is stuck, dead or gone. Pure.

Each session is judged by itself first (`judging`); then what concerns all of them is added: an
outage, the caps, whose turn it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from healmon.clock import Reading
from healmon.config.settings import Sessions
from healmon.plans import STANDS, Diagnosis, Finding, Severity, Verdict, pack, unpack
from healmon.sessions import caps, lost, outage
from healmon.sessions.calm import Calm
from healmon.sessions.facts import HEALER, Memory, Row, SessionFacts
from healmon.sessions.following import Moment
from healmon.sessions.judging import Draft, draft, may_settle, verdict_of
from healmon.sessions.lost import Loss
from healmon.sessions.packs import Packs, bundled
from healmon.sessions.places import NAME_LIMIT
from healmon.sessions.planning import task_words
from healmon.sessions.probe import Fault, Seen, SessionSeen
from healmon.sessions.recall import component_of, facts_of, is_session, memory_of
from healmon.sessions.settling import verdicts
from healmon.sessions.showing import LINE_LIMIT, unaged
from healmon.state import Snapshot, of_healer
from healmon.text import as_typed, clean
from healmon.world.taskdb import Task

__all__ = ["component_of", "diagnose", "facts_of", "memory_of"]

CONFIRM: Final = 10.0
"""Seconds between two looks that must both find a session dead or gone."""
BLIND: Final = 300.0
"""Seconds for which a socket or task database may be unseen before that is critical."""
SOONEST: Final = 0.5
SILENT: Final = "its tmux server does not answer"
RESCUE: Final = "SIGUSR1 makes a tmux server put a socket back that was removed"
NAMED: Final = 8
"""Sessions that an alert about many names; of more it tells how many."""
ONCE: Final = "once"
"""How the engine calls a run of one cycle only."""


def diagnose(
    settings: Sessions,
    seen: Seen,
    known: Snapshot,
    now: Reading,
    packs: Packs | None = None,
    calm: Calm | None = None,
) -> Diagnosis:
    """Return the judgement on every session, on what is owed, and on what is not to be seen.

    Args:
        settings: `[sessions]`.
        seen: this look.
        known: everything known before.
        now: this moment.
        packs: know which keys interrupt which program; default: those that come with healmon.
        calm: the verdicts that stand, of those for whom all this was the same; default: none does.
    """
    calm = calm or Calm()
    if calm.rest.stands(seen, known):
        return STANDS
    judge = _Judge(settings, seen, known, now, packs or bundled(), calm)
    said = [*judge.sessions(), *judge.missing_ones(), *(judge.fault(f) for f in seen.faults)]
    said += judge.unseen({verdict.component for verdict in said})
    told = {verdict.component for verdict in said}
    owed, soon = verdicts(seen, known, now, told)
    said += owed
    judge.look_in(soon)
    told |= {verdict.component for verdict in owed}
    gone = tuple(name for name in of_healer(known, HEALER) if name not in told)
    found = Diagnosis(tuple(said), gone, judge.look_again, judge.systemic, judge.hold)
    if judge.stood == len(said):
        calm.rest.keep(seen, found, known)
    return found


class _Judge:
    """One diagnosis: its inputs, and the soonest moment at which it could say something else."""

    def __init__(
        self,
        settings: Sessions,
        seen: Seen,
        known: Snapshot,
        now: Reading,
        packs: Packs,
        calm: Calm,
    ) -> None:
        self._settings = settings
        self._packs = packs
        self._seen = seen
        self._known = known
        self._now = now
        self._blind = {fault.name for fault in seen.faults if fault.kind == "tasks"}
        self._deaf = {fault.name for fault in seen.faults if fault.kind == "tmux"}
        self._calm = calm
        if seen.jumped or seen.faults:
            calm.forget()
        self._hidden = {one.session: one.socket for one in self._silent()}
        engine = known.engine
        self._moment = Moment(
            now=now,
            jumped=seen.jumped,
            run_wall=engine.started_at,
            lasting=engine.mode == ONCE,
            interval=engine.interval,
            steps=known.steps,
        )
        self.look_again: float | None = None
        self.systemic: tuple[Finding, ...] = ()
        self.hold: tuple[str, ...] = ()
        self.stood = 0

    def look_in(self, seconds: float | None) -> None:
        """Ask for a look in so many seconds; None: none is wanted."""
        if seconds is None:
            return
        soon = max(seconds, SOONEST) + 0.05
        self.look_again = soon if self.look_again is None else min(self.look_again, soon)

    def sessions(self) -> list[Verdict]:
        """Judge all sessions that are there."""
        said: list[Verdict] = []
        looks: dict[str, SessionSeen] = {}
        drafts: list[Draft] = []
        for one in self._seen.sessions:
            component = component_of(one.label)
            stands = self._calm.stands(component, one, self._known)
            if stands is not None:
                said.append(stands)
                self.stood += 1
                continue
            looks[component] = one
            before = facts_of(self._known, component)
            if before is not None and self._lacks(before):
                why = "its task database cannot be read"
                said.append(self._not_seen(component, before, why))
            elif before is not None and before.socket in self._deaf - {one.pane.socket}:
                # another session of this name was seen there, and may be the one that works
                said.append(self._not_seen(component, before, SILENT))
            else:
                drafts.append(self._draft(component, self._doubted(one)))
        self._brake(drafts)
        self._give_turn(drafts)
        waiting = {n for n, view in self._known.plans.items() if not view.acting}
        self.hold = tuple(d.component for d in drafts if d.component in waiting and not d.acts)
        for each in drafts:
            verdict = self._verdict(each)
            look = looks[each.component]
            self._calm.keep(each.facts.state, verdict, look, self._known, self._now)
            said.append(verdict)
        return said

    def _silent(self) -> list[SessionFacts]:
        """Return what was known of the sessions whose servers do not answer now."""
        if not self._deaf:
            return []
        facts = (facts_of(self._known, name) for name in of_healer(self._known, HEALER))
        return [one for one in facts if one is not None and one.socket in self._deaf]

    def _doubted(self, seen: SessionSeen) -> SessionSeen:
        """Return a session; which one a name means is unknown while another one is not seen."""
        other = self._hidden.get(clean(seen.pane.name, limit=LINE_LIMIT), seen.pane.socket)
        return seen if other == seen.pane.socket else replace(seen, twins=True)

    def _draft(self, component: str, seen: SessionSeen) -> Draft:
        one = draft(component, seen, self._known, self._settings, self._moment, self._packs)
        self.look_in(one.look_in)
        if one.facts.state == "dead":
            memory, found = self._lost(one.facts, one.memory)
            one = replace(one, memory=memory, findings=found, acts=bool(found) and not one.held)
        return one

    def _brake(self, drafts: list[Draft]) -> None:
        """Hold all that stand still together."""
        suspects = {d.component: d.suspect for d in drafts if d.suspect is not None}
        tasked = sum(bool(d.facts.tasks) for d in drafts)
        members = outage.together(suspects, tasked, self._settings)
        if not members:
            return
        found = {name: suspects[name] for name in members}
        one = outage.finding(found, tasked, self._settings, self._now)
        self.systemic += () if one is None else (one,)
        for i, each in enumerate(drafts):
            if each.component in members:
                drafts[i] = each.braked(self._known, told=one is not None)

    def _give_turn(self, drafts: list[Draft]) -> None:
        """Let one session be acted on: the one that was not for longest."""
        busy = caps.busy(self._known)
        due = [d for d in drafts if d.acts and not caps.free(d.subject) and d.component != busy]
        due.sort(key=lambda d: (d.memory.planned_at if d.memory else 0.0, -d.facts.quiet))
        first = due[0].component if due and not busy else ""
        names = {d.component for d in due}
        for i, each in enumerate(drafts):
            if each.component not in names:
                continue
            if each.component == first:
                drafts[i] = each.planned(self._now)
            else:
                drafts[i] = each.barred(f"one at a time: {busy or first} comes first")

    def _verdict(self, one: Draft) -> Verdict:
        view = self._known.components.get(one.component)
        return unaged(verdict_of(one, self._settings), view, self._now.wall)

    def _lacks(self, facts: SessionFacts) -> bool:
        return any(row.source in self._blind for row in facts.rows)

    def missing_ones(self) -> list[Verdict]:
        """Judge sessions that tasks name and that are on no socket that answered."""
        found = [self._missing(name, tasks) for name, tasks in self._seen.missing.items()]
        homes = {one.component: unpack(one.memory, Memory).home for one in found if one.findings}
        absent, answered = self._seen.absent, self._seen.answered
        away = [name for name, home in homes.items() if home in absent or not (home or answered)]
        if away:
            # not those that nobody was on, but where that is not known
            theirs = {home: absent[home] for home in homes.values() if home in absent} or absent
            run_on = any(self._seen.runs.values())
            self.systemic += (_server_gone(away, theirs, run_on=run_on),)
        return found

    def _missing(self, name: str, tasks: tuple[Task, ...]) -> Verdict:
        label = clean(name, limit=LINE_LIMIT)
        component = component_of(clean(name, limit=NAME_LIMIT))  # as it was when it was there
        before, memory = facts_of(self._known, component), memory_of(self._known, component)
        loss = lost.loss_of(before, memory, self._seen)
        facts = SessionFacts(
            state="gone",
            session=label,
            tasks=tuple(task.id for task in tasks),
            rows=tuple(Row(task.source, task.id, task.status, task.token) for task in tasks),
            rule=" ".join(filter(None, (lost.GONE, loss.doubt))),
        )
        if self._deaf:
            return self._not_seen(component, before or facts, "a tmux socket cannot be read")
        if not self._seen.answered and not loss.seen:
            # perhaps the tasks are those of another user's server
            return self._not_seen(component, facts, "no tmux server on the watched sockets")
        memory, found = self._lost(facts, memory, loss)
        if memory is not None and before is not None and before.socket:
            memory = replace(memory, home=before.socket)
        settles = may_settle(component, self._known, self._settings, self._now)
        held = f"it {facts.rule}" if loss.doubt else settles
        acts = bool(found) and not held
        facts = replace(facts, held=held) if found else facts
        return self._verdict(
            Draft(component=component, facts=facts, memory=memory, findings=found, acts=acts)
        )

    def _lost(
        self, facts: SessionFacts, memory: Memory | None, loss: Loss | None = None
    ) -> tuple[Memory | None, tuple[Finding, ...]]:
        """Return memory and finding of a session that is dead or gone, once two looks agree."""
        if not facts.tasks:
            return None, ()
        now = self._now.steady
        since = min(memory.lost_at, now) if memory is not None and memory.lost_at else now
        key, home = (memory.key, memory.home) if memory is not None else ("", "")
        key = loss.was if loss is not None else key
        memory = Memory(key=key, lost_at=since, home=home)
        left = since + (CONFIRM if loss is None or loss.seen else BLIND) - now
        if left > 0:
            self.look_in(left)
            return memory, ()
        said = f"session {facts.session} {facts.rule}; {task_words(facts.tasks)} assigned to it"
        if loss is not None and loss.doubt:
            said += f"; not taken away: `healmon clear {as_typed(facts.session)}` does"
        evidence = {"pane": facts.pane, "tasks": list(facts.tasks), "rule": facts.rule}
        return memory, (Finding(facts.state, "WARNING", said, evidence, confirmed=True),)

    def unseen(self, said: Iterable[str]) -> list[Verdict]:
        """Return `unknown` for sessions whose socket or task database could not be read."""
        found: list[Verdict] = []
        for component in sorted(set(of_healer(self._known, HEALER)).difference(said)):
            before = facts_of(self._known, component)
            if before is None or not is_session(component):
                continue
            if before.socket in self._deaf:
                why = SILENT
            elif not before.socket and self._lacks(before):
                why = "its task database cannot be read"
            else:
                continue
            found.append(self._not_seen(component, before, why))
        return found

    def _not_seen(self, component: str, facts: SessionFacts, why: str) -> Verdict:
        """Return that nothing is known now; what was remembered stays."""
        facts = replace(facts, state="unknown", rule=why, hands_off=why, held="", keys=())
        memory = self._known.memory.get(component, {})
        return Verdict(component, "unknown", why, "session", "unknown", pack(facts), memory=memory)

    def fault(self, fault: Fault) -> Verdict:
        """Say what could not be looked at; the component goes when it can be again."""
        component = f"{fault.kind}:{clean(fault.name, limit=LINE_LIMIT)}"
        reason = clean(fault.reason.partition("\n")[0], limit=500)
        facts = SessionFacts(state="unknown", session=component, rule=reason, hands_off=reason)
        before = memory_of(self._known, component)
        since = before.since if before is not None and before.since else self._now.steady
        since = min(since, self._now.steady)
        lasting = self._now.steady - since >= BLIND
        said = (
            f"healmon has been blind here for {BLIND / 60:.0f} min: {reason}" if lasting else reason
        )
        evidence = {"reason": clean(fault.reason, limit=800)}
        level: Severity = "CRITICAL" if lasting else "WARNING"
        finding = Finding("unreadable", level, said, evidence, confirmed=lasting)
        return Verdict(
            component, "unknown", reason, "check_error", "unknown", pack(facts), (finding,),
            memory=pack(Memory(state="unknown", since=since)),
        )  # fmt: skip


def _server_gone(away: Sequence[str], absent: Mapping[str, str], *, run_on: bool) -> Finding:
    """Return the one finding about sessions that are gone with the server that they were on."""
    names = sorted(name.partition(":")[2] for name in away)
    listed = ", ".join(names[:NAMED])
    if len(names) > NAMED:
        listed += f" and {len(names) - NAMED} more"
    why = clean("; ".join(absent.values()).partition("\n")[0], limit=300)
    text = f"no tmux server answers any more ({why}); gone with their tasks: {listed}"
    if run_on:
        text += f"; programs of theirs run on, their tasks stay: {RESCUE}"
    evidence = {"sessions": names, "sockets": sorted(clean(socket) for socket in absent)}
    return Finding("server-gone", "CRITICAL", text, evidence, confirmed=True)
