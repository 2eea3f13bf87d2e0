"""What is shown of a session: its facts. Pure."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from healmon.clock import Reading
from healmon.sessions import aftermath
from healmon.sessions.facts import Memory, Row, SessionFacts
from healmon.sessions.following import pane_key
from healmon.sessions.recall import facts_of
from healmon.sessions.signs import Choice
from healmon.sessions.standing import Standing
from healmon.sessions.states import Case
from healmon.sessions.troubles import Trouble
from healmon.sessions.words import State
from healmon.state import Snapshot
from healmon.text import clean

LINE_LIMIT: Final = 160
QUESTION_LIMIT: Final = 1_000
"""Characters of a question: an answer is given only to the very same one."""
PRIVATE: Final = frozenset[State](("human", "secret"))
"""States in which nothing of a screen is shown or kept but its prompt."""
PAINTS: Final = 5.0
"""Seconds since the last output within which a program paints; nobody needs to know how many."""
SAME: Final = 2.0
"""Seconds by which an age may be off and still be the one that was told: tmux counts whole ones."""
SEND: Final = Choice("press Enter: send what stands in the composer", ("Enter",))


def facts_seen(
    component: str,
    case: Case,
    stands: Standing,
    trouble: Trouble | None,
    memory: Memory | None,
    known: Snapshot,
) -> SessionFacts:
    """Return what is shown of a session.

    Args:
        component: the session's.
        case: all there is to judge it by.
        stands: how it stands.
        trouble: what is wrong with it.
        memory: what is remembered of it; None: it has no tasks.
        known: everything known before.
    """
    seen, pane, sign, now = case.seen, case.seen.pane, case.sign, case.now
    secret = seen.terminal is not None and seen.terminal.secret
    private = secret or stands.state in PRIVATE
    asks = stands.state in {"approval", "question", "secret"}
    choices = sign.choices if asks else ()
    question = sign.question or ("" if choices else sign.text or sign.last_line)
    if trouble is not None and trouble.state == "unsent":
        choices = choices or (SEND,)
    return SessionFacts(
        state=stands.state,
        session=clean(pane.name, limit=LINE_LIMIT),
        socket=pane.socket,
        tasks=tuple(task.id for task in seen.tasks),
        rows=tuple(Row(t.source, t.id, t.status, t.token) for t in seen.tasks),
        quiet=0.0 if memory is None else round(now.steady - memory.progress_at, 1),
        quiet_since=0.0 if memory is None else round(memory.progress_at, 1),
        limit=case.limit,
        pane=pane.id,
        window=pane.window_index,
        pane_index=pane.pane_index,
        command=pane.command,
        last_line="" if private else clean(sign.last_line, limit=LINE_LIMIT),
        attached=pane.attached,
        rule=stands.rule,
        question=clean(question, limit=QUESTION_LIMIT) if asks else "",
        hands_off=stands.hands_off,
        keys=stands.keys,
        mode=pane.mode,
        key=memory.key if memory is not None and memory.key else pane_key(seen),
        painted=_painted(case, memory),
        novelty=() if memory is None else memory.minutes,
        pack=sign.pack,
        version=sign.version,
        matched=sign.rule,
        text="" if private else clean(sign.text, limit=LINE_LIMIT),
        choices=choices,
        act_at=trouble.act if trouble is not None else 0.0,
        evidence=aftermath.evidence_of(known, component),
    )


def as_told(facts: SessionFacts, component: str, known: Snapshot, now: Reading) -> SessionFacts:
    """Return the facts of a session without tasks; those that were told, if only time went on.

    How long ago it painted is told as of the look that told it, and grows by itself since: a
    session in which nothing happens needs no event for that, in no look.
    """
    view, before = known.components.get(component), facts_of(known, component)
    if facts.painted <= PAINTS:
        return replace(facts, painted=0.0)
    if view is None or before is None or view.status != "healthy" or not before.painted:
        return facts
    grown = before.painted + now.wall - view.seen_at
    same = abs(grown - facts.painted) <= SAME and replace(facts, painted=before.painted) == before
    return before if same else facts


def _painted(case: Case, memory: Memory | None) -> float:
    if memory is not None and memory.painted[1]:
        return round(case.painted, 1)
    activity = case.seen.pane.window_activity
    return round(max(case.now.wall - activity, 0.0), 1) if activity else 0.0
