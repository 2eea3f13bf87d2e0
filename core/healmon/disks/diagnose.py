"""Judges how full file systems and budgets are. Pure.

A level is reached at its line and left a few points below it, so one crossing is one finding for
as long as it lasts. Cleaning is planned at critical only, when a rule has something to free, the
clock can be trusted, and the last try has not just failed.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from healmon.clock import Reading
from healmon.config.settings import Disk
from healmon.disks import filling, oddities, undo, words
from healmon.disks.cover import digest_of, idle_reason, roots_in
from healmon.disks.gauge import level_of
from healmon.disks.lines import disk_of
from healmon.disks.model import (
    CLEAN,
    FINISH,
    HEALER,
    DiskFacts,
    DiskSeen,
    Gauge,
    Level,
    Memory,
    Order,
    RuleFacts,
    Seen,
    Target,
)
from healmon.plans import Diagnosis, Finding, Plan, Severity, Status, Step, Verdict, pack, unpack
from healmon.state import Snapshot, of_healer
from healmon.units import duration_text, format_percent, format_size

TELL: float = 0.5
"""Percentage points that a level must move for the open alert to speak of it."""
BACKOFF: float = 900.0
"""Seconds after a cleaning that was not enough before it is tried again."""
NOTABLE: float = 1.0
"""Percentage points by which it must have moved to be tried again earlier."""
ON_FAILURE = "the alert stays; tried again in 15 min, or when it has moved by a point"

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
        findings.append(Finding("read-only", "WARNING", text))
    if gauge.skip:
        return _verdict(seen, gauge, memory, findings, "warning" if findings else "healthy")
    obstacle = _obstacle(seen, gauge, memory, stepped, disk, now)
    if memory.level != "ok":
        hope = memory.pinned
        if memory.level == "critical":
            hope = "; ".join(filter(None, (obstacle or "cleaning by rule", memory.pinned)))
        findings.append(_full(seen.target, memory, disk, hope))
    if memory.filling_told and memory.level != "critical":
        findings.append(filling.finding(seen.target, memory))
    findings += oddities.findings(seen, memory, now)
    verdict = _verdict(seen, gauge, memory, findings, _STATUS[memory.level])
    if verdict.status == "healthy" and findings:
        verdict = replace(verdict, status="warning")
    if memory.level == "critical" and not obstacle:
        return replace(verdict, plan=clean_plan(seen.target, facts_of(seen, memory), disk, now))
    return replace(verdict, plan=_upkeep(seen, stepped, disk, now))


def _upkeep(seen: DiskSeen, stepped: float, disk: Disk, now: Reading) -> Plan | None:
    """Return what is to be done where nothing has to be freed at once."""
    if seen.leftovers:
        return finish_plan(seen, disk, now)
    if undo.is_old(seen, disk, now) and not stepped:
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
    text = f"{words.title(target)} cannot be measured: {seen.trouble}"
    findings = [Finding("unreadable", "WARNING", text)]
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
    return Finding("full", _SEVERITY[memory.level], text, evidence)


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
    return replace(memory, level=level)


def _rank(level: Level) -> int:
    return ("ok", "warning", "critical").index(level)


def _with_deeds(
    component: str, gauge: Gauge, before: Memory, known: Snapshot, now: Reading
) -> Memory:
    """Return the memory with what the newest cleaning came to."""
    memory = before
    for action in known.recent:
        if action.component != component or action.action != CLEAN:
            continue
        if action.at > memory.swapped_at:
            memory = oddities.after(memory, action)
        if action.ok and action.at > memory.cleaned_at:
            memory = replace(
                memory, cleaned_at=action.at, cleaned=action.outcome, backoff_since=None
            )
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
    if count is None or count.trouble or not count.surveys:
        return words.no_hope(count)
    if not count.due.files and not count.trash.files:
        return words.no_hope(count)
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
    )


def order_for(target: Target, device: int, disk: Disk, now: Reading) -> Order:
    """Return the order of a plan made now."""
    return Order(
        target=target,
        device=device if target.kind == "filesystem" else 0,
        rules=digest_of(disk),
        clock=now.wall - now.boot,
    )


def clean_plan(
    target: Target, facts: DiskFacts, disk: Disk, now: Reading, *, by_hand: bool = False
) -> Plan:
    """Return the plan that cleans a target by its rules.

    Args:
        target: what to clean.
        facts: what is known of it.
        disk: rules and lines.
        now: when the plan is made.
        by_hand: a person asks: everything that is due goes.
    """
    order = replace(order_for(target, facts.device, disk, now), by_hand=by_hand)
    percent = max(facts.percent or 0.0, facts.inode_percent or 0.0)
    used = f"{words.title(target)} is {format_percent(percent)} full"
    why = f"{used}, asked for by hand" if by_hand else f"{used}, critical from {disk.critical:g}%"
    goal = "the freed bytes are counted and measured" if by_hand else f"below {disk.critical:g}%"
    return Plan(
        healer=HEALER,
        component=target.component,
        action=CLEAN,
        subject=f"{target.path} by rules {order.rules}" + (" by hand" if by_hand else ""),
        why=why,
        steps=tuple(Step(text) for text in _steps(target, facts, disk, by_hand=by_hand)),
        proof=f"measured again afterwards: {goal}",
        on_failure=ON_FAILURE,
        order=pack(order),
        cooldown=0.0,
        tier=2,
    )


def _steps(target: Target, facts: DiskFacts, disk: Disk, *, by_hand: bool) -> list[str]:
    steps: list[str] = []
    if facts.trash and not by_hand:
        steps.append(f"empty the trash, oldest first: {format_size(facts.trash)}")
    counted = {rule.rule: rule for rule in facts.rules if rule.rule}
    for rule in disk.rules:
        if not roots_in(rule, target):
            continue
        ages = f"files older than {duration_text(rule.older_than)}"
        idle = idle_reason(rule)
        if idle:
            steps.append(f"rule {rule.name}: {idle}")
            continue
        deed: str = "move to the trash" if rule.action == "trash" else rule.action
        if rule.backup:
            deed = f"copy to {rule.backup}, verify, {deed}"
        if rule.action == "trash" and not by_hand:
            deed = "move to the trash (delete, where the trash is on the full disk itself)"
        known = counted.get(rule.name)
        if facts.candidates is not None and known is None:
            continue
        amount = "counted at the moment of acting"
        if known is not None:
            amount = f"at most {known.files} files ({format_size(known.held)})"
            kept = words.kept_text(known.kept)
            amount += f"; stays: {kept}" if kept else ""
        until = "" if by_hand else f", oldest first, until below {disk.target:g}%"
        steps.append(f"rule {rule.name}: {deed} {ages}{until}: {amount}")
    return steps


def finish_plan(seen: DiskSeen, disk: Disk, now: Reading) -> Plan:
    """Return the plan that finishes what a killed run had begun."""
    target, gauge = seen.target, seen.gauge
    device = gauge.device if gauge is not None else 0
    order = replace(order_for(target, device, disk, now), finish=True)
    files = "1 file" if seen.leftovers == 1 else f"{seen.leftovers} files"
    return Plan(
        healer=HEALER,
        component=target.component,
        action=FINISH,
        subject=f"{target.path}: {files}",
        why=f"a cleaning was killed after it had set aside {files} below {target.path}",
        steps=(
            Step(f"remove what had been judged and nobody uses, put back what had not: {files}"),
        ),
        proof="nothing is left where files are set aside",
        on_failure="what cannot be decided is kept there and named",
        order=pack(order),
        tier=1,
    )
