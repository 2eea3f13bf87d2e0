"""One session, judged by itself: memory, state, trouble, and what holds healmon back. Pure."""

from __future__ import annotations

from dataclasses import replace as case_with
from typing import Final

import msgspec
from msgspec.structs import replace

from healmon.clock import Reading
from healmon.config.settings import Sessions
from healmon.plans import Finding, Packed, Plan, Verdict, pack
from healmon.sessions import aftermath, caps, confirm, findings, outage
from healmon.sessions.facts import Memory, SessionFacts
from healmon.sessions.following import Moment, begin, follow, restarted
from healmon.sessions.outage import Suspect
from healmon.sessions.packs import Packs
from healmon.sessions.planning import make_plan, minutes
from healmon.sessions.probe import SessionSeen
from healmon.sessions.proving import proof_of
from healmon.sessions.recall import memory_of, never
from healmon.sessions.showing import LINE_LIMIT, facts_seen
from healmon.sessions.signs import Sign
from healmon.sessions.standing import Standing, of_case
from healmon.sessions.states import KEYLESS, PAUSED, Case
from healmon.sessions.troubles import Trouble, trouble_of
from healmon.state import Snapshot
from healmon.text import clean

SOON: Final = 60.0
"""Seconds before a limit from which on the next look is asked for in time."""
OUTAGE: Final = "too many sessions stand still together: an outage"


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """The judgement on one session before the others are heard.

    Attributes:
        acts: healmon acts on it, unless it is held.
        held: why it does not although it is time.
        look_in: seconds until the next look is wanted.
        suspect: what it adds to an outage.
        subject: what a plan would be bound to.
        proof: what is known, for the evidence.
    """

    component: str
    facts: SessionFacts
    memory: Memory | None = None
    findings: tuple[Finding, ...] = ()
    trouble: Trouble | None = None
    acts: bool = False
    held: str = ""
    look_in: float | None = None
    suspect: Suspect | None = None
    subject: str = ""
    proof: Packed = {}

    def barred(self, why: str) -> Draft:
        """Return the same, held back."""
        return replace(self, acts=False, held=why, facts=replace(self.facts, held=why))

    def planned(self, now: Reading) -> Draft:
        """Return the same, whose turn it is."""
        if self.memory is None:
            return self
        return replace(self, memory=replace(self.memory, planned_at=now.steady))

    def braked(self, known: Snapshot, *, told: bool) -> Draft:
        """Return the same in an outage: it agrees anew on being stuck once that is over."""
        held = self.barred(OUTAGE) if self.trouble is not None and self.trouble.due else self
        found = self.findings
        if told:
            found = findings.of_outage(known, self.component, found)
        memory = None if self.memory is None else replace(self.memory, agree=0, samples=0)
        return replace(held, memory=memory, findings=found)


def draft(
    component: str,
    seen: SessionSeen,
    known: Snapshot,
    settings: Sessions,
    moment: Moment,
    packs: Packs,
) -> Draft:
    """Return the judgement on a session that is there."""
    now, sign = moment.now, seen.sign
    memory = remember(component, seen, sign, known, moment)
    forbidden = never(known, component)
    case = Case(seen, sign, memory or Memory(), settings, now, forbidden, packs, known.steps)
    stands = of_case(case)
    if memory is not None and memory.state in PAUSED and stands.state not in PAUSED:
        memory = restarted(memory, seen, now, "a person was here", mends=False)
        case = case_with(case, memory=memory)
        stands = of_case(case)
    if memory is None or seen.pane.dead:
        return _plain(component, case, stands, memory, known)
    memory = _entered(case, stands)
    case = case_with(case, memory=memory)
    trouble = trouble_of(case, stands.state)
    memory = _agreed(case, stands, trouble, acting=_acting(component, known))
    case = case_with(case, memory=memory)
    return _drafted(component, case, stands, trouble, known)


def remember(
    component: str, seen: SessionSeen, sign: Sign, known: Snapshot, moment: Moment
) -> Memory | None:
    """Return the memory of a session with tasks, or of one that could not be cleared."""
    old, last = memory_of(known, component), aftermath.last_attempt(known, component)
    if old is not None:
        old = aftermath.noticed(old, last, seen, moment.now)
    if not seen.tasks and (old is None or not _owes(component, old, known)):
        return None
    if old is not None and seen.pane.dead:
        return old
    if old is None or not old.progress_at:
        return replace(begin(seen, moment), attempt_wall=0.0 if last is None else last.at)
    memory = follow(old, seen, sign, moment)
    if aftermath.is_other_program(memory, seen):
        return restarted(aftermath.released(memory), seen, moment.now, "another program")
    return aftermath.watched(memory, seen)


def _owes(component: str, old: Memory, known: Snapshot) -> bool:
    """Return whether a session without tasks is not done with: what became of it is to be told."""
    # its tasks are taken away before an attempt has ended: how it ends is not known yet
    return bool(old.failure or old.quarantine or _acting(component, known))


def _acting(component: str, known: Snapshot) -> bool:
    """Return whether something is being done to a session at this moment."""
    view = known.plans.get(component)
    return view is not None and view.acting


def _plain(
    component: str, case: Case, stands: Standing, memory: Memory | None, known: Snapshot
) -> Draft:
    """Return the judgement on a session without tasks, or of a dead one."""
    facts = facts_seen(component, case, stands, None, memory, known)
    held = facts.hands_off
    if stands.state == "dead":
        held = held or may_settle(component, known, case.settings, case.now)
    return Draft(component=component, facts=facts, memory=memory, held=held, subject="dead ")


def may_settle(component: str, known: Snapshot, settings: Sessions, now: Reading) -> str:
    """Return why the tasks of a session that is dead or gone are not settled, or empty."""
    if settings.on_stuck == "alert":
        return "sessions.on_stuck is alert"
    return caps.cooling(known, component, settings, now)


def _entered(case: Case, stands: Standing) -> Memory:
    """Return the memory with this look's state in it."""
    memory, sign, now = case.memory, case.sign, case.now
    window = confirm.window_for(case.warn)
    memory = confirm.entered(memory, stands.state, now, window)
    if stands.state != "rate_limited":
        return replace(memory, reset_at=0.0, reset_by="") if memory.reset_at else memory
    text = clean(sign.text, limit=LINE_LIMIT)
    if sign.seconds is None or (text == memory.reset_by and memory.reset_at):
        return memory
    return replace(memory, reset_at=now.steady + max(sign.seconds, 0.0), reset_by=text)


def _agreed(case: Case, stands: Standing, trouble: Trouble | None, *, acting: bool) -> Memory:
    """Return the memory with what this look agrees on, and what is still told."""
    word = trouble.state if trouble is not None and trouble.act else ""
    memory = confirm.agreed(case.memory, word, case.now)
    told = trouble.condition if trouble is not None and trouble.told else ""
    if acting and not told:
        return memory  # our keys leave marks: what they did is known once the attempt has ended
    # what a person must end is over as soon as that person did
    lasting = told if told in {"stuck", "retrying"} else ""
    return confirm.lingers(memory, lasting, stands.state)


def _drafted(
    component: str, case: Case, stands: Standing, trouble: Trouble | None, known: Snapshot
) -> Draft:
    memory = case.memory
    flaps = confirm.flapping(memory)
    due = trouble is not None and trouble.due
    facts = facts_seen(component, case, stands, trouble, memory, known)
    elsewhere = memory.quarantine and stands.state not in KEYLESS
    subject = f"{'quarantined ' if elsewhere else ''}{facts.key}"
    held = _held(component, case, stands, known, free=caps.free(subject)) if due else ""
    if trouble is not None and trouble.told and not trouble.act:
        held = trouble.why_not or stands.hands_off
    facts = replace(facts, held=held)
    return Draft(
        component=component,
        facts=facts,
        memory=memory,
        findings=findings.told(
            facts, memory, trouble, flaps=flaps, acting=_acting(component, known)
        ),
        trouble=trouble,
        acts=due and not held,
        held=held,
        look_in=_look_in(case, stands, trouble),
        suspect=outage.suspect(case, stands.state, trouble),
        subject=subject,
        proof=proof_of(case, facts, trouble) if due else {},
    )


def _held(component: str, case: Case, stands: Standing, known: Snapshot, *, free: bool) -> str:
    """Return why healmon does not act although it is time, or empty."""
    if case.settings.on_stuck == "alert":
        return "sessions.on_stuck is alert"
    if stands.hands_off:
        return stands.hands_off
    if confirm.flapping(case.memory):
        return "it gets stuck and goes on again and again"
    unsure = confirm.missing(case.memory, case.settings, case.now)
    if unsure or free:
        return unsure or caps.cooling(known, component, case.settings, case.now)
    return stands.doubt or caps.holds(known, component, case.settings, case.now)


def _look_in(case: Case, stands: Standing, trouble: Trouble | None) -> float | None:
    """Return the seconds until the judgement may be another one; None: a cycle is soon enough."""
    memory, now = case.memory, case.now.steady
    ahead: list[float] = []
    if trouble is None:
        if stands.state in {"working", "quiet"}:
            ahead.append(case.warn - (now - memory.progress_at))
    elif trouble.left is not None:
        ahead.append(trouble.left)
    if now < memory.settled_at:
        ahead.append(memory.settled_at - now)
    near = trouble is not None and trouble.act and trouble.act - trouble.age <= SOON
    if near and confirm.missing(memory, case.settings, case.now) and not stands.hands_off:
        ahead.append(confirm.look_in(memory, case.settings, case.now))
    soon = [seconds for seconds in ahead if 0 < seconds <= SOON]
    return min(soon, default=None)


def verdict_of(one: Draft, settings: Sessions) -> Verdict:
    """Return what is said of a session."""
    facts, memory = one.facts, one.memory
    plan: Plan | None = None
    if one.acts and facts.tasks:
        known = memory or Memory()
        was = known.key if facts.state == "gone" else ""
        plan = make_plan(one.component, facts, known, settings, proof=one.proof, was=was)
    stuck = any(finding.condition == "stuck" for finding in one.findings)
    return Verdict(
        component=one.component,
        status=findings.status_of(facts, one.trouble, one.findings),
        summary=findings.summary_of(facts, one.trouble),
        metric_type="stuck_detected" if stuck else "session",
        metric_value=minutes(facts.quiet) if stuck else facts.state,
        facts=pack(facts),
        findings=one.findings,
        plan=plan,
        memory={} if memory is None else pack(memory),
    )
