"""Judges what was seen of the databases. Pure: no clock, no process, no SQL, no file.

Three signs of life end every suspicion: a commit, a growing file, CPU time of the holder. Only a
lock of one holder that shows none of them for `busy_for` is an incident. A holder that is merely
stopped is continued; all others are named, with the command that a person may type: nobody is
ended here, and no -wal, -shm or -journal is ever touched, because they hold committed data.
"""

from __future__ import annotations

from msgspec.structs import replace

from healmon.clock import Reading
from healmon.config.settings import Database
from healmon.databases import wording
from healmon.databases.classify import classify, waited_for
from healmon.databases.model import (
    ACTION,
    HEALER,
    DatabaseSeen,
    Facts,
    Memory,
    Order,
    Seen,
    VerdictWord,
)
from healmon.databases.remember import (
    packed,
    recall,
    remember,
    remember_pin,
    still_for,
    with_continued,
)
from healmon.plans import (
    Diagnosis,
    Finding,
    Plan,
    Severity,
    Status,
    Step,
    Verdict,
    pack,
)
from healmon.state import Snapshot, of_healer
from healmon.text import clean

HELD = {"working", "stopped", "io-wait", "idle-in-transaction", "other-namespace", "ofd-lock"}
"""Verdicts under which one holder keeps the lock."""
LONG = 600.0
"""Seconds that one transaction may work before it is worth a warning."""
OPEN_LOOK = 5.0
"""Seconds between looks at an incident."""


def diagnose(
    seen: Seen, databases: tuple[Database, ...], known: Snapshot, now: Reading
) -> Diagnosis:
    """Return the verdicts on all databases."""
    settings = {database.name: database for database in databases}
    judged = [
        _judge(settings[one.name], one, recall(known, component_of(one.name)), now)
        for one in seen.databases
        if one.name in settings
    ]
    present = {verdict.component for verdict, _ in judged}
    again = [seconds for _, seconds in judged if seconds is not None]
    return Diagnosis(
        verdicts=tuple(verdict for verdict, _ in judged),
        gone=tuple(name for name in of_healer(known, HEALER) if name not in present),
        look_again=min(again, default=None),
    )


def component_of(name: str) -> str:
    """Return a database's component name."""
    return f"database:{name}"


def _judge(
    database: Database, seen: DatabaseSeen, before: Memory, now: Reading
) -> tuple[Verdict, float | None]:
    word = classify(seen)
    if not seen.samples:
        return _unseen(database, seen, word, before), None
    memory = with_continued(before, seen, now)
    if word not in HELD:
        memory = remember_pin(seen, memory, now)
        if memory.pin is not None and now.steady - memory.pin_since >= max(database.busy_for, 1.0):
            word = "reader-pins-wal"
        return _verdict(database, seen, word, memory, now), None
    word, memory = remember(seen, word, memory, now)
    verdict = _verdict(database, seen, word, memory, now)
    return verdict, _look_again(database, verdict, memory, now)


def _unseen(database: Database, seen: DatabaseSeen, word: VerdictWord, before: Memory) -> Verdict:
    """Nothing is concluded and nothing forgotten: the clock of a hold runs on unseen."""
    facts = Facts(verdict=word, path=clean(database.path), reason=seen.reason)
    missing = word == "missing"
    findings = (
        Finding(
            word,
            "WARNING" if missing else "INFO",
            wording.unseen(database, seen),
            {"path": facts.path, "reason": seen.reason, "word": seen.word},
        ),
    )
    return Verdict(
        component=component_of(database.name),
        status="warning" if missing else "unknown",
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
    facts = _facts(database, seen, word, memory)
    level = _level(database, word, memory, now)
    statuses: dict[Severity | None, Status] = {"CRITICAL": "critical", "WARNING": "warning"}
    findings: tuple[Finding, ...] = ()
    if level is not None:
        condition = "long-transaction" if word == "working" else "locked"
        message = wording.incident(database, facts, level)
        findings = (Finding(condition, level, message, wording.evidence(facts)),)
    plan = None
    if facts.order is not None and database.on_stale == "heal":
        plan = plan_for(facts.order, wait=max(0.0, database.busy_for - still_for(memory, now)))
    return Verdict(
        component=component_of(database.name),
        status=statuses.get(level, "healthy"),
        summary=wording.summary(facts),
        metric_type="database_lock",
        metric_value=word,
        facts=pack(facts),
        findings=findings,
        plan=plan,
        memory=packed(memory),
    )


def _level(database: Database, word: VerdictWord, memory: Memory, now: Reading) -> Severity | None:
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


def _facts(database: Database, seen: DatabaseSeen, word: VerdictWord, memory: Memory) -> Facts:
    reading = seen.samples[-1].reading
    wal = reading.wal.size if reading.wal is not None else 0
    facts = Facts(
        verdict=word,
        path=clean(database.path),
        mode=reading.mode,
        size=reading.db.size,
        wal_size=wal,
    )
    if word == "reader-pins-wal" and seen.pin is not None:
        frame = reading.page_size + 24
        holder = seen.holder
        return replace(facts, holder=holder, pinned=seen.pin.held_back * frame)
    if word == "free" and not reading.locks and wal:
        return replace(facts, reason=wording.LEFT_WAL)
    if word not in HELD or seen.holder is None or memory.hold is None:
        return facts
    still = memory.still
    facts = replace(
        facts,
        holder=replace(seen.holder, started=memory.started),
        locks=reading.held_by(seen.holder.pid),
        waits_for=waited_for(seen.samples),
        since=memory.since_wall,
        still_since=still.since_wall if still is not None and word != "working" else None,
    )
    why_not = _why_not(seen, word, memory)
    if why_not or still is None or word != "stopped" or facts.holder is None:
        return replace(facts, why_not=why_not)
    order = Order(database.name, database.path, memory.hold, facts.holder, still.baseline)
    return replace(facts, order=order)


def _why_not(seen: DatabaseSeen, word: VerdictWord, memory: Memory) -> str:
    """Return why the holder is left alone; empty: a stopped one may be continued."""
    last, holder, done = seen.samples[-1], seen.holder, memory.continued
    if word == "working" or holder is None:
        return ""
    network = last.reading.network
    again = done is not None and done.identity == holder.identity
    reasons = (
        (word != "stopped", "healmon ends nobody for a lock"),
        (last.state == "t", "a debugger has stopped it"),
        (bool(network), f"on {network} the locks of other hosts look like ours"),
        (bool(holder.barred), holder.barred),
        (again, "healmon has continued it once and it was stopped again: somebody means it"),
    )
    return next((text for applies, text in reasons if applies), "")


def _look_again(database: Database, verdict: Verdict, memory: Memory, now: Reading) -> float | None:
    if verdict.findings:
        return OPEN_LOOK
    if memory.still is None:
        return None
    remaining = max(0.0, database.busy_for - still_for(memory, now))
    # the plan acts when its delay is over and looks by itself
    return remaining + (1.0 if verdict.plan is not None else 0.1)


def plan_for(order: Order, wait: float = 0.0) -> Plan:
    """Return the plan that continues a stopped holder."""
    holder = order.holder
    held = " + ".join(order.hold.locks)
    return Plan(
        healer=HEALER,
        component=component_of(order.name),
        action=ACTION,
        subject=f"pid {order.hold.pid} started {order.hold.ticks} boot {order.hold.boot}",
        why=f"{holder} is stopped and holds {held} of {order.name}: nobody else can write",
        steps=(Step(f"send SIGCONT to {holder}", f"kill -CONT {holder.pid}"),),
        proof=f"{holder} is no longer stopped; it commits or lets go, else it is told as it is",
        on_failure="nothing else is done: nobody is ended, no file is touched, the alert stays",
        order=pack(order),
        delay=round(wait, 1),
    )
