"""What the judge knows of a session, as data for the stored evidence. Pure."""

from __future__ import annotations

from healmon.clock import format_utc
from healmon.plans import Packed
from healmon.sessions.confirm import needed, samples
from healmon.sessions.facts import SessionFacts
from healmon.sessions.states import Case
from healmon.sessions.troubles import Trouble

PROCESSES = 12
"""Processes that are named."""


def proof_of(case: Case, facts: SessionFacts, trouble: Trouble | None) -> Packed:
    """Return ages, samples, counts, terminal, processes, clients and tasks at this look."""
    memory, pane, sign = case.memory, case.seen.pane, case.sign
    return {
        "at": format_utc(case.now.wall),
        "session": facts.session,
        "pane": {"id": pane.id, "key": facts.key, "pid": pane.pid, "tty": pane.tty},
        "state": facts.state,
        "rule": facts.rule,
        "agent": case.agent,
        "pack": {"name": sign.pack, "version": sign.version, "rule": sign.rule,
                 "where": sign.where, "text": facts.text, "also": list(sign.also)},
        "ages": {
            "progress": round(case.quiet, 1), "repaint": round(case.painted, 1),
            "state": round(max(case.now.steady - memory.since, 0.0), 1),
            "received": case.seen.received,
            "client": _age(case, memory.hand_wall), "attach": _age(case, pane.last_attached),
        },
        "limits": {} if trouble is None else {
            "warn": trouble.warn, "act": trouble.act, "age": round(trouble.age, 1)},
        "progress": memory.by,
        "samples": {"quiet": memory.samples, "agree": memory.agree, "wanted": needed(case.settings),
                    "wanted_quiet": samples(case.settings)},
        "new_lines": {"by_minute": list(memory.minutes), "last": list(memory.lines)},
        "terminal": _terminal(case),
        "processes": _processes(case),
        "agent_file": _file(case),
        "clients": pane.attached,
        "tasks": [
            {"source": t.source, "id": t.id, "status": t.status, "attempt": t.attempt,
             "token": t.token}
            for t in case.seen.tasks
        ],
    }  # fmt: skip


def _age(case: Case, wall: float) -> float | None:
    return round(max(case.now.wall - wall, 0.0), 1) if wall else None


def _terminal(case: Case) -> Packed:
    terminal = case.seen.terminal
    if terminal is None:
        return {}
    return {
        "foreground": terminal.foreground, "signals": terminal.signals,
        "canonical": terminal.canonical, "echo": terminal.echo, "reading": terminal.reading,
        "unread": terminal.unread,
    }  # fmt: skip


def _processes(case: Case) -> Packed:
    kin = case.seen.family
    if kin is None:
        return {}
    names = sorted(kin.cpu, key=lambda name: -kin.cpu[name])[:PROCESSES]
    return {
        "tools": list(kin.tool),
        "each": {
            name: {
                "cpu": kin.cpu[name], "cpu_before": case.memory.cpu.get(name),
                "bytes": kin.io.get(name), "bytes_before": case.memory.io.get(name),
                "waits": kin.waits.get(name, ""), "paints": name in kin.painters,
            }
            for name in names
        },
    }  # fmt: skip


def _file(case: Case) -> Packed:
    file = case.seen.agent_file
    if file is None:
        return {}
    return {
        "status": file.status, "size": file.size, "changed": format_utc(file.changed),
        "waiting_for": file.waiting_for,
    }  # fmt: skip
