"""Judges what was seen of the databases. Pure: no clock, no process, no SQL, no file.

Three signs of life end every suspicion: a commit, a growing file, CPU time of the holder. Only a
lock of one holder that shows none of them for `busy_for` is an incident. A holder that is merely
stopped is continued; one that healmon is answerable for is ended after `act_after` (`policy`); all
others are named, with the command that a person may type. What a crash left beside a database is
taken over by SQLite itself, once nobody has been there for `busy_for`.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from healmon.clock import Reading
from healmon.config.settings import Database
from healmon.databases import wording
from healmon.databases.classify import classify
from healmon.databases.facts import HELD, LEFT, facts_of
from healmon.databases.hazards import deleted, hazards, ripens
from healmon.databases.model import (
    ENDING,
    HEALER,
    DatabaseSeen,
    Deed,
    Facts,
    Memory,
    Order,
    Seen,
    VerdictWord,
)
from healmon.databases.planning import plan_for
from healmon.databases.remember import (
    deeds_told,
    only_pin,
    packed,
    recall,
    remember,
    remember_left,
    still_for,
    with_deeds,
    with_pause,
    with_pin,
    without_refusal,
)
from healmon.plans import (
    Diagnosis,
    Finding,
    Plan,
    Severity,
    Status,
    Verdict,
    pack,
    unpack,
)
from healmon.state import Snapshot, of_healer
from healmon.text import clean

LONG = 600.0
"""Seconds that one transaction may work before it is worth a warning."""
TO_AGREE = ENDING | {"rollback"}
"""Deeds for which two looks must agree: one sees a transaction of the moment."""
OPEN_LOOK = 5.0
"""Seconds between looks at an incident."""


def diagnose(
    seen: Seen, databases: tuple[Database, ...], known: Snapshot, now: Reading
) -> Diagnosis:
    """Return the verdicts on all databases."""
    settings = {database.name: database for database in databases}
    judged = [
        _judge(settings[one.name], one, known, now)
        for one in seen.databases
        if one.name in settings
    ]
    judged = _one_end_at_a_time(judged, known)
    present = {verdict.component for verdict, _ in judged}
    again = [seconds for _, seconds in judged if seconds is not None]
    return Diagnosis(
        verdicts=tuple(verdict for verdict, _ in judged),
        gone=tuple(name for name in of_healer(known, HEALER) if name not in present),
        look_again=min(again, default=None),
        hold=tuple(verdict.component for verdict, _ in judged if verdict.plan is None),
    )


def _one_end_at_a_time(
    judged: list[tuple[Verdict, float | None]], known: Snapshot
) -> list[tuple[Verdict, float | None]]:
    """Whoever is ended may free other databases, too: the others are judged anew afterwards."""
    ends = [v.component for v, _ in judged if v.plan is not None and _deed(v.plan) in ENDING]
    acting = (name for name, view in known.plans.items() if view.acting and _ends(view.plan))
    first = next(acting, ends[0] if ends else "")
    others = {name for name in ends if name != first}
    return [
        (replace(v, plan=None) if v.component in others else v, seconds) for v, seconds in judged
    ]


def _ends(plan: Plan) -> bool:
    try:
        return plan.healer == HEALER and _deed(plan) in ENDING
    except msgspec.ValidationError:
        return False  # another version's, which has ended


def _deed(plan: Plan) -> Deed:
    return unpack(plan.order, Order).deed


def component_of(name: str) -> str:
    """Return a database's component name."""
    return f"database:{name}"


def _judge(
    database: Database, seen: DatabaseSeen, known: Snapshot, now: Reading
) -> tuple[Verdict, float | None]:
    component = component_of(database.name)
    before, word = with_pause(recall(known, component), seen, now), classify(seen)
    told = deeds_told(known, component, before, now)
    if not seen.samples:
        if word == "missing":
            before = without_refusal(before, now, told)
        return _unseen(database, seen, word, before), None
    memory = with_deeds(before, seen, now, told)
    memory = with_pin(memory, seen, now)
    if word in HELD:
        word, memory = remember(seen, word, memory, now)
        verdict = _verdict(database, seen, word, memory, now)
        return verdict, _look_again(database, verdict, memory, now)
    if word in LEFT:
        memory = remember_left(seen, memory, now)
        verdict = _verdict(database, seen, word, memory, now)
        again = database.busy_for if verdict.plan is not None and memory.left_since else None
        return verdict, again
    memory = only_pin(memory)
    if memory.pin is not None and now.steady - memory.pin_since >= max(database.busy_for, 1.0):
        word = "reader-pins-wal"
    ripe = ripens(database, seen, now)
    again = ripe + 0.1 if ripe else None
    return _verdict(database, seen, word, memory, now), again


def _unseen(database: Database, seen: DatabaseSeen, word: VerdictWord, before: Memory) -> Verdict:
    """Nothing is concluded and nothing forgotten: the clock of a hold runs on unseen."""
    facts = Facts(verdict=word, path=clean(database.path), reason=seen.reason)
    missing = word == "missing"
    findings: tuple[Finding, ...] = (
        Finding(
            word,
            "WARNING" if missing else "INFO",
            wording.unseen(database, seen),
            {"path": facts.path, "reason": seen.reason, "word": seen.word},
        ),
    )
    gone = deleted(database, seen)
    findings += (gone,) if gone is not None else ()
    return Verdict(
        component=component_of(database.name),
        status="critical" if gone else "warning" if missing else "unknown",
        summary=wording.summary(facts),
        metric_type="database_lock",
        metric_value=word,
        facts=pack(facts),
        findings=findings,
        memory=packed(before),
    )


def _verdict(
    database: Database, seen: DatabaseSeen, word: VerdictWord, memory: Memory, now: Reading
) -> Verdict:
    facts = facts_of(database, seen, word, memory)
    level = _level(database, word, memory, now)
    findings = hazards(database, seen, facts, word, now)
    if level is not None:
        condition = "long-transaction" if word == "working" else "locked"
        message = wording.incident(database, facts, level)
        evidence = wording.evidence(facts)
        incident = Finding(condition, level, message, evidence, confirmed=True)
        findings = (incident, *findings)
    if memory.refused is not None:
        findings = (wording.refused(database, facts, memory.refused), *findings)
    return Verdict(
        component=component_of(database.name),
        status=_status(findings),
        summary=wording.summary(facts),
        metric_type="database_lock",
        metric_value=word,
        facts=pack(facts),
        findings=findings,
        plan=None if memory.paused and _is_rash(facts) else _plan(database, facts, memory, now),
        memory=packed(memory),
    )


def _status(findings: tuple[Finding, ...]) -> Status:
    levels = {finding.severity for finding in findings}
    if "CRITICAL" in levels:
        return "critical"
    return "warning" if "WARNING" in levels else "healthy"


def _is_rash(facts: Facts) -> bool:
    return facts.order is not None and facts.order.deed != "continue"


def _plan(database: Database, facts: Facts, memory: Memory, now: Reading) -> Plan | None:
    """Return what healmon does by itself: never what only a person may decide."""
    order = facts.order
    if order is None or database.on_stale != "heal" or order.deed == "rmdir":
        return None
    if order.deed == "heal":
        since, limit = memory.left_since, database.busy_for
    elif order.deed == "unpin":
        since, limit = memory.pin_idle, database.act_after
    else:
        since = memory.still.since if memory.still is not None else now.steady
        limit = database.busy_for if order.deed == "continue" else database.act_after
    if order.deed in TO_AGREE and not 0 < now.steady - since >= database.busy_for:
        return None
    return plan_for(order, wait=max(0.0, limit - (now.steady - since)))


def _level(database: Database, word: VerdictWord, memory: Memory, now: Reading) -> Severity | None:
    if word == "dotfile-lock":
        stays = now.steady - memory.left_since
        return "WARNING" if 0 < stays >= database.busy_for else None
    if word == "working":
        # in exclusive locking mode commits cannot be told apart: no transaction, no length
        alone = memory.hold is not None and "EXCLUSIVE" in memory.hold.locks
        return "WARNING" if now.steady - memory.since >= LONG and not alone else None
    if word not in HELD or memory.still is None:
        return None
    still = still_for(memory, now)
    # one look proves no duration, however short the limit
    if still <= 0 or still < database.busy_for:
        return None
    return "CRITICAL" if still >= max(database.act_after, database.busy_for) else "WARNING"


def _look_again(database: Database, verdict: Verdict, memory: Memory, now: Reading) -> float | None:
    if verdict.findings:
        return OPEN_LOOK
    if memory.still is None:
        return None
    remaining = max(0.0, database.busy_for - still_for(memory, now))
    # the plan acts when its delay is over and looks by itself
    return remaining + (1.0 if verdict.plan is not None else 0.1)
