"""What is shown of a session: its facts. Pure."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from healmon.plans import Verdict
from healmon.redact import shown
from healmon.sessions import aftermath
from healmon.sessions.facts import Memory, Row, SessionFacts
from healmon.sessions.following import pane_key
from healmon.sessions.signs import Choice
from healmon.sessions.standing import Standing
from healmon.sessions.states import Case
from healmon.sessions.troubles import Trouble
from healmon.sessions.words import State
from healmon.state import ComponentView, Snapshot
from healmon.text import clean

LINE_LIMIT: Final = 160
QUESTION_LIMIT: Final = 1_000
"""Characters of a question: an answer is given only to the very same one."""
PRIVATE: Final = frozenset[State](("human", "secret"))
"""States in which nothing of a screen is shown or kept but its prompt."""
PAINTS: Final = 5.0
"""Seconds since its newest output up to which a program paints: that is no age that grows."""
GRAIN: Final = 1.5
"""Seconds by which an age may be another one: tmux counts whole seconds."""
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
        last_line="" if private else shown(sign.last_line, LINE_LIMIT),
        attached=pane.attached,
        rule=stands.rule,
        question=shown(question, QUESTION_LIMIT) if asks else "",
        hands_off=stands.hands_off,
        keys=stands.keys,
        mode=pane.mode,
        key=memory.key if memory is not None and memory.key else pane_key(seen),
        painted=_painted(case, memory),
        novelty=() if memory is None else memory.minutes,
        pack=sign.pack,
        version=sign.version,
        matched=sign.rule,
        text="" if private else shown(sign.text, LINE_LIMIT),
        choices=choices,
        act_at=trouble.act if trouble is not None else 0.0,
        evidence=aftermath.evidence_of(known, component),
    )


def _painted(case: Case, memory: Memory | None) -> float:
    if memory is not None and memory.painted[1]:
        return round(case.painted, 1)
    activity = case.seen.pane.window_activity
    age = round(max(case.now.wall - activity, 0.0), 1) if activity else 0.0
    return age if age > PAINTS else 0.0  # it paints: nobody needs to know since when


def unaged(verdict: Verdict, view: ComponentView | None, wall: float) -> Verdict:
    """Return a verdict as it was told before, where it differs by nothing but time that passed.

    The age of the newest output was told with its moment (`seen_at`), and grows from there; a
    session in which nothing happens is no event.

    Args:
        verdict: of this look.
        view: what was told of the session last; None: nothing yet.
        wall: the time of this look.
    """
    if view is None or (view.status, view.summary) != (verdict.status, verdict.summary):
        return verdict
    told, age = view.facts.get("painted"), verdict.facts.get("painted")
    if not isinstance(told, float) or not isinstance(age, float) or told <= PAINTS:
        return verdict
    grown = told + (wall - view.seen_at)
    if abs(grown - age) > GRAIN or {**verdict.facts, "painted": told} != view.facts:
        return verdict
    return replace(verdict, facts=view.facts)
