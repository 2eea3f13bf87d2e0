"""The gate: may this session still be touched as ordered? Pure.

Every answer is a reason in words, empty where nothing speaks against it. Whoever asks has looked
again right before.
"""

from __future__ import annotations

from collections.abc import Sequence

from healmon.clock import Reading
from healmon.config.settings import Sessions
from healmon.redact import shown
from healmon.sessions import novelty
from healmon.sessions.facts import Memory, Order, Row
from healmon.sessions.packs import Packs
from healmon.sessions.places import process_of
from healmon.sessions.planning import task_words
from healmon.sessions.probe import Seen, SessionSeen
from healmon.sessions.signs import Sign
from healmon.sessions.standing import standing
from healmon.sessions.states import KEYLESS
from healmon.sessions.words import State
from healmon.text import clean
from healmon.world.pane import Pane
from healmon.world.taskdb import Task


def found(seen: Seen, order: Order) -> SessionSeen | None:
    """Return the session that an order is bound to; None: it is not to be seen."""
    own = order.key.rpartition(".")[0]
    return next((one for one in seen.sessions if one.pane.key == own), None)


def returned(seen: Seen, order: Order) -> str:
    """Return why a session that was gone may be there, or empty."""
    if any(clean(s.pane.name, limit=160) == order.session for s in seen.sessions):
        return f"session {order.session} is there again"
    if any(fault.kind == "tmux" for fault in seen.faults):
        return "a tmux socket cannot be read: the session may be there"
    if process_of(order.was) is not None and seen.runs.get(order.was) is not False:
        return f"the program of session {order.session} may run on, out of sight"
    return ""


def missing(seen: Seen, order: Order) -> tuple[Task, ...]:
    """Return the tasks of a session that is gone."""
    return next(
        (tasks for name, tasks in seen.missing.items() if clean(name, limit=160) == order.session),
        (),
    )


def still_there(order: Order, now: Sequence[Task]) -> tuple[list[Task], str]:
    """Return the planned tasks that are as they were, and why they may not be settled.

    All of them must be as they were, unless a person asked: a change says that somebody works.
    """
    by_row = {(t.source, t.id, t.status): t for t in now}
    there = [by_row[row.source, row.id, row.status] for row in order.rows if _same(by_row, row)]
    changed = [row.id for row in order.rows if not _same(by_row, row)]
    if not there or (changed and not order.by_hand):
        return there, f"{task_words(changed)} changed since, or cannot be read"
    return there, ""


def _same(by_row: dict[tuple[str, int | str, str], Task], row: Row) -> bool:
    task = by_row.get((row.source, row.id, row.status))
    return task is not None and row.attempt in {"", task.token}


def same_program(one: SessionSeen, order: Order) -> str:
    """Return why the pane's program is not the one that was ordered, or empty."""
    pane, kin = one.pane, one.family
    if pane.dead != order.dead:
        return f"its program {pane.status}" if pane.dead else "its program runs again"
    if not pane.dead and (kin is None or str(kin.ticks) != order.key.rpartition(".")[2]):
        return f"the process of pane {pane.id} is another one"
    return ""


def asks(sign: Sign, one: SessionSeen) -> str:
    """Return what a person is asked there, or empty."""
    if one.terminal is not None and one.terminal.secret:
        return "it asks for a password"
    if sign.kind in {"approval", "question"}:
        return f"it waits for an answer: {shown(sign.question or sign.text, 120)}"
    return ""


def takes_keys(pane: Pane) -> str:
    """Return why no key may be pressed in a pane, or empty."""
    if pane.command == "tmux":
        return "another tmux runs in it: its keys would go to somebody else"
    if pane.synchronized:
        return "its panes are synchronised: a key would go to all of them"
    return "its pane takes no keys" if pane.input_off else ""


def alone(one: SessionSeen) -> str:
    """Return why it is not sure that this pane works on the tasks, or empty."""
    if one.twins:
        return "another socket has a session of this name too"
    return "" if one.sure else "it has several panes: which one works on the task is unknown"


def became_idle(sign: Sign, one: SessionSeen, order: Order) -> str:
    """Return why there is nothing to interrupt any more, or empty."""
    if not order.keys:
        return ""
    if one.family is not None and one.family.prompt:
        return "its program has ended: the prompt is back"
    return f"it became {sign.kind}" if sign.kind in {"idle", "gave_up", "unsent"} else ""


def new_life(one: SessionSeen, order: Order, now: Reading) -> str:
    """Return what it shows that it had not shown before, or empty."""
    if order.by_hand or order.dead:
        return ""
    fresh = novelty.novel(order.known, one.screen, now.steady)
    return f"it shows something new: {clean(fresh[0], limit=120)}" if fresh else ""


def other_rule(sign: Sign, order: Order) -> str:
    """Return that another rule of the pack matches now, or empty."""
    if not order.matched or order.by_hand or sign.rule == order.matched:
        return ""
    return f"it is read by another rule: {sign.rule or 'none'} instead of {order.matched}"


def touchable(
    one: SessionSeen, order: Order, settings: Sessions, now: Reading, packs: Packs | None = None
) -> str:
    """Return why this session must not be touched as ordered, or empty."""
    stands = standing(one, Memory(known=order.known), settings, now, packs)
    reasons = [same_program(one, order)]
    if not order.dead:
        reasons += [asks(one.sign, one), became_idle(one.sign, one, order)]
    reasons += [stands.hands_off, _other_state(stands.state, order)]
    if order.keys and stands.keys != order.keys:
        reasons.append("another program is in the foreground")
    if order.keys and not order.by_hand:
        reasons.append(stands.doubt)
    return next(filter(None, reasons), "")


def _other_state(state: State, order: Order) -> str:
    """Return why tasks of a session that was idle may not be taken away any more, or empty."""
    if order.state not in KEYLESS or order.by_hand or order.elsewhere or state in KEYLESS:
        return ""
    return f"it was {order.state.replace('_', ' ')} and is {state} now"
