"""What is told of a database, and what may be done about it. Pure."""

from __future__ import annotations

import shlex

from msgspec.structs import replace

from healmon.config.settings import Database
from healmon.databases import wording
from healmon.databases.classify import waited_for
from healmon.databases.model import DatabaseSeen, Facts, Memory, Order, VerdictWord
from healmon.databases.policy import deed_for, why_not, why_reader_stays
from healmon.databases.remember import allowance
from healmon.text import clean

HELD = {"working", "stopped", "io-wait", "idle-in-transaction", "other-namespace", "ofd-lock"}
"""Verdicts under which one holder keeps the lock."""
LEFT = {"leftover", "dotfile-lock"}
"""Verdicts under which nobody holds a lock and something is there all the same."""
FOR_GOOD = {"damaged", "mispaired", "corrupt"}
"""What came of healing that no other try makes better."""


def facts_of(database: Database, seen: DatabaseSeen, word: VerdictWord, memory: Memory) -> Facts:
    """Return what a screen shows of a database that could be looked at, and what may be done."""
    reading = seen.samples[-1].reading
    wal = reading.wal.size if reading.wal is not None else 0
    facts = Facts(
        verdict=word,
        path=clean(database.path),
        device=reading.device,
        mode=reading.mode,
        size=reading.db.size,
        wal_size=wal,
        waiting=reading.waiting,
        deleted=seen.deleted,
        kept=memory.refused.kept if memory.refused is not None else "",
    )
    if word == "reader-pins-wal" and seen.pin is not None:
        frame = reading.page_size + 24
        held = seen.pin.held_back
        facts = replace(facts, holder=seen.holder, pinned=held * frame, pinned_frames=held)
        return _pin_facts(database, seen, memory, facts)
    if word in LEFT:
        return _left_facts(database, seen, word, memory, facts)
    if word not in HELD or seen.holder is None or memory.hold is None:
        return facts
    return _held_facts(database, seen, word, memory, facts)


def _left_facts(
    database: Database, seen: DatabaseSeen, word: VerdictWord, memory: Memory, facts: Facts
) -> Facts:
    others = seen.others
    reading = seen.samples[-1].reading
    if word == "leftover":
        reason = wording.LEFT_WAL if reading.wal is not None and reading.wal.size else ""
        facts = replace(facts, reason=reason or wording.LEFT_JOURNAL)
        for_good = memory.refused is not None and memory.refused.word in FOR_GOOD
        if for_good or reading.network or reading.links > 1:
            return facts
        order = Order(name=database.name, path=database.path, deed="heal", mark=memory.left)
        return replace(facts, order=order)
    facts = replace(facts, others=others)
    if others or not seen.all_seen or reading.network:
        unsure = f"if nobody uses it, type: rmdir {shlex.quote(facts.path + '.lock')}"
        return replace(facts, why_not="somebody has it open" if others else unsure)
    order = Order(name=database.name, path=database.path, deed="rmdir", mark=memory.left)
    return replace(facts, order=order)


def _held_facts(
    database: Database, seen: DatabaseSeen, word: VerdictWord, memory: Memory, facts: Facts
) -> Facts:
    holder, still, reading = seen.holder, memory.still, seen.samples[-1].reading
    assert holder is not None
    facts = replace(
        facts,
        holder=replace(holder, started=memory.started),
        locks=reading.held_by(holder.pid),
        waits_for=waited_for(seen.samples),
        since=memory.since_wall,
        still_since=still.since_wall if still is not None and word != "working" else None,
        others=seen.others,
        warning=wording.library(holder.sqlite),
    )
    deed = deed_for(database, seen, word)
    hands_off = why_not(database, seen, word, memory, deed)
    if not hands_off and deed != "continue" and facts.waits_for:
        hands_off = "its commit waits for a reader"
    if hands_off or still is None or deed is None:
        return replace(facts, why_not=hands_off)
    order = Order(
        name=database.name,
        path=database.path,
        deed=deed,
        hold=memory.hold,
        holder=facts.holder,
        baseline=still.baseline,
        slack=allowance(database.act_after),
    )
    return replace(facts, order=order)


def _pin_facts(database: Database, seen: DatabaseSeen, memory: Memory, facts: Facts) -> Facts:
    hands_off = why_reader_stays(database, seen, memory)
    if hands_off or memory.pin is None:
        return replace(facts, why_not=hands_off)
    reading = seen.samples[-1].reading
    order = Order(
        name=database.name,
        path=database.path,
        deed="unpin",
        holder=seen.holder,
        pin=memory.pin,
        slack=allowance(database.act_after),
        mark=(reading.device, reading.inode),
    )
    return replace(facts, order=order)
