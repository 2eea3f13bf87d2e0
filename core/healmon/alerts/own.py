"""healmon's alerts about itself, as findings of the component `healmon`.

The engine collects them with `engine_findings` and hands the verdict to `judge` like any healer's.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from healmon.alerts.judge import key_of
from healmon.clock import Gap
from healmon.events import AlertNoted
from healmon.plans import RANK, Finding, Severity, Status, Verdict

ENGINE: Final = "healmon"
"""Component and healer name of the engine itself."""


def healer_failed(name: str, reason: str) -> Finding:
    """A healer crashed or does not answer: what it looks after is unseen.

    One that does not answer may answer in a moment; a crash is a fault of healmon itself.
    """
    crashed = reason.startswith("crashed")
    level: Severity = "CRITICAL" if crashed else "WARNING"
    text = f"cannot look at {name}: {reason}"
    return Finding(f"healer-{name}", level, text, {"reason": reason}, confirmed=crashed)


def store_fault(reason: str) -> Finding:
    """The health store cannot be written; healing goes on."""
    message = f"health store cannot be written: {reason}"
    return Finding("store", "CRITICAL", message, {"reason": reason}, urgent=True)


def store_repaired(what: str) -> Finding:
    """The health store was damaged or replaced, and a new file begun."""
    return Finding("store-repaired", "WARNING", what, {"what": what}, urgent=True)


def config_rejected(reason: str) -> Finding:
    """A changed configuration was not taken; the one before stays in force."""
    message = f"the new configuration is wrong, the old one stays in force: {reason}"
    return Finding("configuration", "WARNING", message, {"reason": reason}, confirmed=True)


def checker_silent(reason: str) -> Finding:
    """The checker outside does not hear us: our own death would not be told, or falsely."""
    message = f"the checker outside cannot be pinged: {reason}"
    return Finding("heartbeat", "WARNING", message, {"reason": reason})


def side_fails(name: str, reason: str) -> Finding:
    """A program that is to run beside the healer does not; healing goes on without it."""
    what = {
        "web": "the web page cannot be served",
        "metrics": "metrics cannot be served",
        "textfile": "the textfile of metrics cannot be written",
        "overrides": "what people ask for is not done",
        "engine": "the engine failed and began again",
        "housekeeping": "the health store is not tidied up",
        "store-wal": "the health store's -wal cannot shrink",
    }.get(name, f"{name} does not run")
    return Finding(name, "WARNING", f"{what}: {reason}", {"reason": reason})


def engine_findings(
    failing: Mapping[str, str],
    *,
    sides: Mapping[str, str] = MappingProxyType({}),
    store: str = "",
    repaired: str = "",
    config: str = "",
    checker: str = "",
) -> tuple[Finding, ...]:
    """Return all that is wrong with healmon itself now; empty texts mean nothing is.

    Args:
        failing: reasons by healer name (`snapshot.failing`).
        store: why the store cannot be written.
        repaired: what the store set aside in this run.
        config: why a reload was refused.
        checker: why the checker outside cannot be pinged.
        sides: what is wrong with programs that are to run beside the healer, by name.
    """
    findings = [healer_failed(name, failing[name]) for name in sorted(failing)]
    if store:
        findings.append(store_fault(store))
    if repaired:
        findings.append(store_repaired(repaired))
    if config:
        findings.append(config_rejected(config))
    if checker:
        findings.append(checker_silent(checker))
    findings += [side_fails(name, sides[name]) for name in sorted(sides) if sides[name]]
    return tuple(findings)


def engine_verdict(findings: tuple[Finding, ...]) -> Verdict:
    """Return the judgement on healmon itself; `judge` resolves what is no longer found."""
    worst = max((RANK[f.severity] for f in findings), default=0)
    status: Status = ("healthy", "warning", "critical")[worst]
    summary = findings[0].message if findings else "all healers answer, the store is written"
    return Verdict(
        ENGINE, status, summary, "engine", str(len(findings)), {"findings": len(findings)}, findings
    )


def clock_note(host: str, gap: Gap) -> AlertNoted:
    """A suspend or a clock step, as a note: good to know, nothing to do."""
    parts: list[str] = []
    if gap.suspended:
        parts.append(f"the host slept for {gap.suspended:.0f} s")
    if gap.stepped:
        parts.append(f"the wall clock was set by {gap.stepped:+.0f} s")
    message = " and ".join(parts) or "the clocks are as they were"
    evidence = {"suspended": gap.suspended, "stepped": gap.stepped}
    return AlertNoted(key_of(host, ENGINE, ENGINE, "clock"), ENGINE, message, evidence)
