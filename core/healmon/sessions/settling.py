"""Tasks that healmon owes back, and results that came too late. Pure.

The row is the ledger: what is owed, and when, stands in the task database itself. So nothing here
is remembered, and nothing can be given back twice: a row is changed only if it still is owed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from healmon.clock import Reading, Steps, age
from healmon.plans import Finding, Plan, Step, Verdict, pack
from healmon.sessions.facts import HEALER, REQUEUE, Order, Row, SessionFacts
from healmon.sessions.planning import task_words
from healmon.sessions.probe import Seen
from healmon.state import Snapshot
from healmon.text import clean
from healmon.units import format_duration
from healmon.world.taskdb import Late, Owed

SOON: Final = 60.0
NAMED: Final = 5
DAY: Final = 86_400.0
"""Seconds after which a late result is no news any more."""
COOLDOWN: Final = 60.0
LINE_LIMIT: Final = 160


def verdicts(
    seen: Seen, known: Snapshot, now: Reading, said: Collection[str]
) -> tuple[list[Verdict], float | None]:
    """Return the judgement on every source that owes tasks, and when to look again.

    Args:
        seen: this look.
        known: everything known before.
        now: this moment.
        said: components that are judged already: a source that cannot be read is no more than that.
    """
    found: list[Verdict] = []
    soonest: list[float] = []
    for source in sorted({*seen.owed, *seen.late}):
        component = f"tasks:{clean(source, limit=LINE_LIMIT)}"
        owed = seen.owed.get(source, ())
        late = [one for one in seen.late.get(source, ()) if _is_news(one, known.steps, now)]
        if component in said or not (owed or late):
            continue
        moments = [due_of(one, known.steps, now) - now.wall for one in owed]
        due = [one for one, left in zip(owed, moments, strict=True) if left <= 0]
        found.append(_verdict(component, source, owed, late, due))
        if component not in known.plans:
            soonest += [left for left in moments if 0 < left <= SOON]
    return found, min(soonest, default=None)


def due_of(one: Owed, steps: Steps, now: Reading) -> float:
    """Return when a task is to be given back: as much later as was said, whatever the clock did.

    The row tells a moment of the clock as it was when the task failed. One that lies before the
    clock was set forward, or a day beyond where it was set back to, is of before.
    """
    due = one.due
    for start, by, _ in reversed(steps):
        if (by > 0 and due < start) or (by < 0 and due > max(start, now.wall) + DAY):
            due += by
    return due


def _is_news(one: Late, steps: Steps, now: Reading) -> bool:
    return one.at is None or age(steps, one.at, now.wall) < DAY


def _verdict(
    component: str, source: str, owed: Sequence[Owed], late: Sequence[Late], due: Sequence[Owed]
) -> Verdict:
    rule = f"{len(owed)} task(s) wait to be given back" if owed else "results came too late"
    facts = SessionFacts(
        state="idle",
        session=component,
        tasks=tuple(one.id for one in owed),
        rows=tuple(_row(source, one) for one in owed),
        rule=rule,
    )
    return Verdict(
        component=component,
        status="warning" if late else "healthy",
        summary=rule,
        metric_type="owed",
        metric_value=str(len(owed)),
        facts=pack(facts),
        findings=(_late(source, late),) if late else (),
        plan=_plan(component, source, due) if due else None,
    )


def _row(source: str, one: Owed) -> Row:
    return Row(source, one.id, "failed", str(one.attempt))


def _late(source: str, late: Sequence[Late]) -> Finding:
    texts = [
        f"task {one.id} of {one.session or 'a former session'}: {one.text}" for one in late[:NAMED]
    ]
    more = f" and {len(late) - NAMED} more" if len(late) > NAMED else ""
    said = clean(f"{source}: late results of attempts taken away: {'; '.join(texts)}{more}")
    evidence = {"tasks": [one.id for one in late]}
    return Finding("late_result", "WARNING", said, evidence, confirmed=True)


def _plan(component: str, source: str, due: Sequence[Owed]) -> Plan:
    ids = [one.id for one in due]
    order = Order(
        session="",
        rows=tuple(_row(source, one) for one in due),
        reason=f"given back by healmon to {source}",
    )
    return Plan(
        healer=HEALER,
        component=component,
        action=REQUEUE,
        subject=f"{source} {','.join(f'{one.id}.{one.attempt}' for one in due)}",
        why=f"{task_words(ids)} of {source} failed with a stuck session; their wait is over",
        steps=(Step(f"give {task_words(ids)} back to {source}, each only if still owed"),),
        proof="each row is changed in a transaction of its own",
        on_failure=f"nothing is changed; tried again after {format_duration(COOLDOWN)}",
        order=pack(order),
        cooldown=COOLDOWN,
        tier=0,
    )
