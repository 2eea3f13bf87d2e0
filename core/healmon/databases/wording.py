"""What people read about databases: pure words, one place."""

from __future__ import annotations

import shlex

from healmon.clock import format_utc
from healmon.config.settings import Database
from healmon.databases.model import DatabaseSeen, Facts, Refusal, VerdictWord
from healmon.plans import Finding, Packed, Severity
from healmon.text import as_typed, clean
from healmon.units import format_duration, format_size
from healmon.world.sqliteversion import wal_reset_bug

LEFT_WAL = (
    "a -wal was left behind; it holds committed rows, SQLite takes them over when opened next"
)

LEFT_JOURNAL = "a hot journal was left behind; SQLite rolls its transaction back when opened next"

PHRASES: dict[VerdictWord, str] = {
    "free": "free",
    "busy": "in use; writers take turns",
    "working": "working in one transaction",
    "idle-in-transaction": "idle in a transaction",
    "stopped": "stopped",
    "io-wait": "waiting for its storage",
    "other-namespace": "a process of another container or host, which cannot be named here",
    "ofd-lock": "an open-file lock (OFD), which has no process to name",
    "reader-pins-wal": "a reader keeps the -wal from shrinking",
    "dotfile-lock": "locked by a directory (unix-dotfile)",
    "leftover": "left by a crash",
    "missing": "missing",
    "cannot-look": "cannot look",
}
_MEND = {
    "missing": "check databases.{name}.path",
    "not-a-file": "check databases.{name}.path",
    "not-sqlite": "check databases.{name}.path",
    "empty": "an application that opens it will fill it",
    "not-permitted": "let the user that healmon runs as read it",
    "hangs": "check the file system it is on",
    "unreadable": "check the file system it is on",
    "no-child": "check that healmon's Python can be run",
}


def duration(seconds: float) -> str:
    """Return seconds as `42 s`, longer times as `3m12s`."""
    return f"{max(seconds, 0.0):.0f} s" if seconds < 100 else format_duration(seconds)


def who(facts: Facts) -> str:
    """Return the holder in a few words."""
    holder = facts.holder
    if holder is None:
        return "somebody"
    if holder.pid <= 0:
        return PHRASES[facts.verdict]
    return str(holder)


def summary(facts: Facts) -> str:
    """Return the line for the WHY column: steady words, so that it changes only when things do."""
    word = facts.verdict
    if facts.since is not None and facts.holder is not None:
        if facts.holder.pid <= 0:
            return f"locked by {who(facts)}"
        return f"locked by {who(facts)}, {_phrase(facts)}"
    told = {
        "missing": f"missing: {facts.reason}",
        "cannot-look": f"cannot look: {facts.reason}",
        "free": f"free; {facts.reason}" if facts.reason else "free",
        "leftover": f"free; {facts.reason}",
        "dotfile-lock": f"{PHRASES[word]}; {_dotfile(facts)}",
        "reader-pins-wal": f"{who(facts)} reads and pins {format_size(facts.pinned)} of the -wal",
    }
    return told.get(word, PHRASES[word])


def _dotfile(facts: Facts) -> str:
    if facts.others:
        return f"pid {facts.others[0]} has it open"
    return "nobody has it open: stale" if facts.order is not None else facts.why_not


def _phrase(facts: Facts) -> str:
    if facts.waits_for and facts.verdict == "idle-in-transaction":
        return f"its commit waits for {_readers(facts)}"
    if "EXCLUSIVE" in facts.locks and facts.verdict == "idle-in-transaction":
        # a service with locking_mode=EXCLUSIVE looks the same, and is meant to
        return "idle in a transaction or in exclusive locking mode"
    return PHRASES[facts.verdict]


def _readers(facts: Facts) -> str:
    shown = ", ".join(str(pid) for pid in facts.waits_for[:3])
    more = f" and {len(facts.waits_for) - 3} more" if len(facts.waits_for) > 3 else ""
    return f"reader pid {shown}{more}"


def standing(facts: Facts, at: float) -> str:
    """Return how long whose lock has been seen: `locked 42 s by pid 4711 (sqlite3), stopped`."""
    since = facts.since if facts.since is not None else at
    if facts.holder is not None and facts.holder.pid <= 0:
        return f"locked {duration(at - since)} by {who(facts)}"
    return f"locked {duration(at - since)} by {who(facts)}, {_phrase(facts)}"


def unseen(database: Database, seen: DatabaseSeen) -> str:
    """Return the alert's line for a database that cannot be looked at."""
    mend = _MEND.get(seen.word, "").format(name=database.name)
    text = f"{database.name}: {clean(database.path)}: {seen.reason}"
    return f"{text}; {mend}" if mend else text


def library(version: str) -> str:
    """Return the warning about the SQLite that a process uses; empty: none is due."""
    if not wal_reset_bug(version):
        return ""
    return f"SQLite {version} can lose commits when two connections checkpoint and write at once"


def refused(database: Database, facts: Facts, why: Refusal) -> Finding:
    """Return the finding about leftovers that must not be taken over, or a database that is ill."""
    copy = f"; all of it is copied to {why.kept}" if why.kept else ""
    if why.word == "full":
        help_ = "free space; then it goes on by itself"
    elif why.word == "failed":
        help_ = "it is tried again; SQLite takes it over when opened next"
    elif why.word == "corrupt":
        help_ = "restore a backup, or salvage with: sqlite3 FILE .recover"
    elif why.word == "mispaired":
        help_ = "before it is opened, move its -wal and -journal away if they are another one's"
    else:
        help_ = "do not open it: work on the copy, or restore a backup"
    message = f"{database.name}: {why.text}{copy}; {help_}"
    evidence: Packed = {"path": facts.path, "copy": why.kept, "wal_size": facts.wal_size}
    level: Severity = "WARNING" if why.word in {"full", "failed"} else "CRITICAL"
    return Finding(f"left-{why.word}", level, message, evidence, urgent=True)


def incident(database: Database, facts: Facts, level: Severity) -> str:
    """Return the alert's line for a lock that stands still, with what a person may type."""
    name, word = database.name, facts.verdict
    unlock = f"type: healmon unlock {as_typed(name)}"
    if word == "dotfile-lock":
        advice = unlock if facts.order is not None else facts.why_not
        return f"{name}: {summary(facts)}; {advice}"
    if word == "working":
        return f"{name}: {who(facts)} has been working in one transaction for over 10 min"
    limit = database.act_after if level == "CRITICAL" else database.busy_for
    text = f"{name}: {summary(facts)}, no progress for over {duration(limit)}"
    why_not = f" ({facts.why_not})" if facts.why_not else ""
    advice = advise(facts)
    if facts.order is not None and database.on_stale == "alert" and not advice:
        advice = unlock
    return f"{text}{why_not}; {advice}" if advice else f"{text}{why_not}"


def advise(facts: Facts) -> str:
    """Return what a person can do about the holder; empty when healmon is about to do it."""
    holder, word = facts.holder, facts.verdict
    if holder is None or holder.pid <= 0:
        return f"type: lsof {shlex.quote(facts.path)}, here and on the hosts that share it"
    pid = holder.pid
    if facts.order is not None:
        return ""
    where = holder.pane or holder.tty
    advice = (
        (word == "stopped", f"type: kill -CONT {pid}" if facts.why_not else ""),
        (bool(facts.waits_for), f"{_readers(facts)} must end its transaction, not the writer"),
        (word == "io-wait", "no signal helps before its storage answers: check the disk"),
        (
            bool(where) and holder.name == "sqlite3",
            f"type ROLLBACK; or COMMIT; at its prompt on {where}",
        ),
        (bool(holder.barred), "let it commit or roll back"),
        (
            word == "reader-pins-wal",
            f"let it end its transaction, or type: kill -TERM {pid} (no row is lost)",
        ),
        (True, f"let it commit or roll back, or type: kill -TERM {pid} (SQLite rolls back)"),
    )
    return next(text for applies, text in advice if applies)


def evidence(facts: Facts) -> Packed:
    """Return what an alert shows beside its line."""
    found: Packed = {
        "path": facts.path,
        "verdict": facts.verdict,
        "journal_mode": facts.mode,
        "locks": list(facts.locks),
        "wal_size": facts.wal_size,
    }
    lists = {
        "waits_for": facts.waits_for, "waiting": facts.waiting, "open_too": facts.others,
        "deleted": facts.deleted,
    }  # fmt: skip
    found |= {key: list(pids) for key, pids in lists.items() if pids}
    if facts.since is not None:
        found["since"] = format_utc(facts.since)
    if facts.warning:
        found["sqlite"] = facts.warning
    if facts.why_not:
        found["left_alone"] = facts.why_not
    holder = facts.holder
    if holder is None:
        return found
    found |= {"pid": holder.pid, "command": holder.command or holder.name, "user": holder.user}
    found |= {"tty": holder.tty, "cwd": holder.cwd}
    more = {"pane": holder.pane, "worker": holder.worker}
    found |= {key: text for key, text in more.items() if text}
    if holder.started:
        found["started"] = format_utc(holder.started)
    return found
