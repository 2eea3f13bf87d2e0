"""Judges how full file systems and budgets are. Pure.

A level is reached at its line and left a few points below it, so one crossing is one finding for
as long as it lasts. Cleaning is planned at critical only, when a rule has something to free, the
clock can be trusted, and the last try has not just failed.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from healmon.clock import Reading, Steps
from healmon.config.settings import Disk
from healmon.disks import ceiling, filling, oddities, places, undo, words
from healmon.disks.gauge import level_of
from healmon.disks.lines import disk_of
from healmon.disks.model import (
    CLEAN,
    HEALER,
    DiskFacts,
    DiskSeen,
    Gauge,
    Level,
    Memory,
    RuleFacts,
    Seen,
    Target,
)
from healmon.disks.planning import clean_plan, finish_plan
from healmon.plans import Diagnosis, Finding, Plan, Severity, Status, Verdict, pack, unpack
from healmon.state import Snapshot, finished_on, of_healer
from healmon.units import duration_text

TELL: float = 0.5
"""Percentage points that a level must move for the open alert to speak of it."""
BACKOFF: float = 900.0
"""Seconds after a cleaning that was not enough before it is tried again."""
NOTABLE: float = 1.0
"""Percentage points by which it must have moved to be tried again earlier."""

_SEVERITY: dict[Level, Severity] = {"warning": "WARNING", "critical": "CRITICAL"}
_STATUS: dict[Level, Status] = {"ok": "healthy", "warning": "warning", "critical": "critical"}


def diagnose(seen: Seen, disk: Disk, known: Snapshot, now: Reading) -> Diagnosis:
    """Return the verdicts of one look; targets that are watched no more are gone."""
    verdicts = tuple(
        judge(one, seen.stepped, disk_of(disk, one.target.path), known, now) for one in seen.disks
    )
    here = {verdict.component for verdict in verdicts}
    gone = tuple(name for name in of_healer(known, HEALER) if name not in here)
    return Diagnosis(verdicts, gone)


def judge(seen: DiskSeen, stepped: float, disk: Disk, known: Snapshot, now: Reading) -> Verdict:
    """Return the verdict on one target."""
    before = recall(known, seen.target.component)
    if seen.gauge is None:
        return _unseen(seen, before, disk)
    gauge = seen.gauge
    memory = _remember(seen, gauge, before, disk, known, now)
    findings: list[Finding] = []
    if gauge.readonly and before.writable:
        text = f"{words.title(seen.target)} has become read-only: nothing can be written to it"
        findings.append(Finding("read-only", "WARNING", text, urgent=True))
    if gauge.skip:
        return _verdict(seen, gauge, memory, findings, "warning" if findings else "healthy")
    obstacle = _obstacle(seen, gauge, memory, stepped, disk, now)
    if memory.level != "ok":
        hope = memory.pinned
        if memory.level == "critical":
            hope = "; ".join(filter(None, (obstacle or "cleaning by rule", memory.pinned)))
        findings.append(_full(seen.target, memory, disk, hope))
    findings += _warnings(seen, memory, disk)
    findings += oddities.findings(seen, memory, known.steps, now)
    verdict = _verdict(seen, gauge, memory, findings, _STATUS[memory.level])
    if verdict.status == "healthy" and findings:
        verdict = replace(verdict, status="warning")
    if memory.level == "critical" and not obstacle:
        facts, most = facts_of(seen, memory), ceiling.left(memory, disk)
        return replace(verdict, plan=clean_plan(seen.target, facts, disk, now, most=most))
    return replace(verdict, plan=_upkeep(seen, stepped, disk, known.steps, now))


def _warnings(seen: DiskSeen, memory: Memory, disk: Disk) -> list[Finding]:
    """Return what is told beside how full a target is."""
    findings: list[Finding] = []
    if memory.filling_told and memory.level != "critical":
        findings.append(filling.finding(seen.target, memory))
    beyond = ceiling.finding(seen.target, memory, disk)
    if beyond is not None:
        findings.append(beyond)
    if seen.backups:
        text = f"{words.title(seen.target)}: {'; '.join(seen.backups)}"
        findings.append(Finding("backup", "WARNING", text))
    return findings


def _upkeep(seen: DiskSeen, stepped: float, disk: Disk, steps: Steps, now: Reading) -> Plan | None:
    """Return what is to be done where nothing has to be freed at once."""
    if seen.leftovers:
        return finish_plan(seen, disk, now)
    if undo.is_old(seen, disk, steps, now) and not stepped:
        return undo.empty_plan(seen, disk, now)
    return None


def recall(known: Snapshot, component: str) -> Memory:
    """Return what is remembered of a target; nothing, if another healmon wrote it."""
    try:
        return unpack(known.memory.get(component, {}), Memory)
    except msgspec.ValidationError:
        return Memory()


def _unseen(seen: DiskSeen, before: Memory, disk: Disk) -> Verdict:
    target = seen.target
    text, condition = f"{words.title(target)} cannot be measured: {seen.trouble}", "unreadable"
    if seen.unmounted:
        text = f"{words.title(target)}: {seen.trouble}; nothing is cleaned there until it is again"
        condition = "unmounted"
    findings = [Finding(condition, "WARNING", text)]
    if before.level != "ok":
        findings.append(_full(target, before, disk, "not seen now"))
    return Verdict(
        target.component,
        "unknown",
        seen.trouble,
        "disk_usage",
        "",
        pack(DiskFacts(kind=target.kind, path=target.path, why=seen.trouble)),
        tuple(findings),
        None,
        pack(before) if before != Memory() else {},
    )


def _full(target: Target, memory: Memory, disk: Disk, hope: str) -> Finding:
    evidence = {
        "cause": memory.cause,
        "percent": round(memory.told, 1),
        "free": memory.told_free,
        "warning": disk.warning,
        "critical": disk.critical,
    }
    text = words.full(target, memory, disk, hope)
    urgent = memory.level == "critical"  # what cannot be written is lost
    return Finding("full", _SEVERITY[memory.level], text, evidence, urgent=urgent)


def _verdict(
    seen: DiskSeen, gauge: Gauge, memory: Memory, findings: list[Finding], status: Status
) -> Verdict:
    return Verdict(
        seen.target.component,
        status,
        words.summary(gauge),
        "disk_usage",
        "" if gauge.skip else f"{gauge.percent:.1f}",
        pack(facts_of(seen, memory)),
        tuple(findings),
        None,
        pack(memory),
    )


def _remember(
    seen: DiskSeen, gauge: Gauge, before: Memory, disk: Disk, known: Snapshot, now: Reading
) -> Memory:
    memory = _with_deeds(seen.target.component, gauge, before, known, now)
    memory = replace(memory, writable=before.writable or not gauge.readonly)
    memory = places.remember(memory, seen, disk)
    if gauge.skip:
        return replace(memory, level="ok")
    level = level_of(gauge.worst, before.level, disk)
    if gauge.partial and _rank(level) < _rank(before.level):
        level = before.level  # a lower bound never ends an alarm
    moved = abs(gauge.worst - memory.told) >= TELL
    moved = moved or level != before.level or gauge.cause != before.cause
    if moved:
        memory = replace(memory, told=gauge.worst, told_free=gauge.free, cause=gauge.cause)
    memory = oddities.pinned(memory, seen, gauge, moved=moved)
    memory = filling.remember(memory, seen, disk)
    memory = ceiling.remember(memory, seen.target.component, gauge, disk, known, now)
    return replace(memory, level=level)


def _rank(level: Level) -> int:
    return ("ok", "warning", "critical").index(level)


def _with_deeds(
    component: str, gauge: Gauge, before: Memory, known: Snapshot, now: Reading
) -> Memory:
    """Return the memory with what the newest cleaning came to."""
    memory = before
    for action in finished_on(known, component):
        if action.action != CLEAN:
            continue
        if action.at > memory.swapped_at:
            memory = oddities.after(memory, action)
        if action.ok and action.at > memory.cleaned_at:
            memory = replace(
                memory, cleaned_at=action.at, cleaned=action.outcome, backoff_since=None
            )
        elif action.details.get("called_off"):
            continue  # that says nothing of what cleaning is worth
        elif not action.ok and action.at > memory.failure:
            memory = replace(
                memory,
                failure=action.at,
                backoff_since=now.steady,
                backoff_percent=gauge.worst,
            )
    since = memory.backoff_since
    moved = abs(gauge.worst - memory.backoff_percent) >= NOTABLE
    if since is not None and (moved or not 0 <= now.steady - since < BACKOFF):
        memory = replace(memory, backoff_since=None)
    return memory


def _obstacle(  # noqa: PLR0911 - one answer per obstacle
    seen: DiskSeen, gauge: Gauge, memory: Memory, stepped: float, disk: Disk, now: Reading
) -> str:
    """Return why nothing is cleaned now, in words; empty: there is something to clean."""
    del now
    count = seen.count
    if stepped:
        way = "forward" if stepped > 0 else "back"
        far = duration_text(float(round(abs(stepped))))
        return f"the clock was just set {way} by {far}: ages are not trusted, nothing is cleaned"
    if not disk.rules:
        return words.no_hope(None)
    if count is None or count.trouble:
        return words.no_hope(count)
    leavings = count.trash.files + count.own.files
    if not count.due.files and not leavings:
        return words.no_hope(count)
    if ceiling.reached(memory, disk) and not leavings:
        return ceiling.obstacle(seen.target)
    if memory.backoff_since is not None:
        return "the last cleaning was not enough; tried again within 15 min"
    if gauge.worst < disk.critical:
        return f"leaves this level below {disk.critical - disk.hysteresis:g}%"
    return ""


def facts_of(seen: DiskSeen, memory: Memory) -> DiskFacts:
    """Return what a screen shows of a target that was measured."""
    gauge, count, target = seen.gauge, seen.count, seen.target
    assert gauge is not None
    why = words.summary(gauge) if gauge.skip else gauge.partial
    facts = DiskFacts(
        kind=target.kind,
        path=target.path,
        level="" if gauge.skip else memory.level,
        percent=round(gauge.percent, 3) if gauge.capacity else None,
        used=gauge.used,
        free=gauge.free,
        size=gauge.size,
        capacity=gauge.capacity,
        inode_percent=None if gauge.inode_percent is None else round(gauge.inode_percent, 3),
        device=gauge.device,
        filesystem=gauge.kind,
        readonly=gauge.readonly,
        partial=gauge.partial,
        leftovers=seen.leftovers,
        cleaned_at=memory.cleaned_at or None,
        cleaned=memory.cleaned,
        outlook=seen.outlook,
        culprits=seen.culprits,
        why=why,
    )
    if count is None or count.trouble:
        return facts if count is None else replace(facts, why=why or count.trouble)
    rules = tuple(
        RuleFacts(
            rule=survey.rule,
            files=survey.due.files,
            held=survey.due.held,
            kept=survey.kept,
            note=survey.partial,
        )
        for survey in count.surveys
    )
    return replace(
        facts,
        candidates=count.due.files,
        candidate_bytes=count.due.held,
        rules=(*rules, *(RuleFacts(rule="", files=0, held=0, note=text) for text in count.idle)),
        trash=count.trash.held,
        own=count.own.held,
    )
