"""What became of an attempt, in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from healmon.errors import RemedyError
from healmon.plans import Packed, Proof
from healmon.sessions.facts import Order
from healmon.sessions.planning import minutes, task_words
from healmon.sessions.verdict import HELD, Result, Verdict, packed
from healmon.text import clean
from healmon.world.taskdb import Settled

SETTLING: Final = ("requeue task", "fail task")
"""How a step begins that takes tasks away."""


def after(quiet: float, text: str) -> str:
    """Return an outcome that says how long the session had been quiet."""
    return f"after {minutes(quiet)}: {text}"


def settled_words(settled: Sequence[Settled]) -> str:
    """Return what became of tasks: `tasks 77, 78: requeued; task 79: left as completed`."""
    groups: dict[str, list[int | str]] = {}
    for one in settled:
        word: str = one.outcome
        if word == "left":
            word = f"left as {one.status}" if one.status else "is gone"
        elif word == "owed":
            word = f"failed, {one.note.partition(';')[0]}" if one.note else "failed for now"
        groups.setdefault(word, []).append(one.id)
    return "; ".join(f"{task_words(ids)}: {word}" for word, ids in groups.items())


def reason(order: Order, verdict: Verdict, evidence: str) -> str:
    """Return what is written into the tasks: why they were taken away, and where that is proved."""
    said = order.reason
    if not verdict.let_go:
        said = f"{said.partition(';')[0]}; {verdict.how}"
    elif verdict.status:
        said = f"{said}; its program {verdict.status}"
    return f"{said}; evidence {evidence}" if evidence else said


def details(order: Order, verdict: Verdict, evidence: str) -> Packed:
    """Return what is written into the history of assignments."""
    return {
        "session": order.session,
        "quiet_seconds": order.quiet,
        "reason": order.reason,
        "result": verdict.result,
        "evidence": evidence,
    }


def proof(order: Order, verdict: Verdict, settled: Sequence[Settled]) -> Proof:
    """Return the proof of a session that was cleared, or whose tasks were settled."""
    words = settled_words(settled) or "its tasks stay with it"
    said = [verdict.how, f"it says: {verdict.resume}" if verdict.resume else "", words]
    done = "; ".join([*filter(None, said), _kept(verdict)])
    message = f"Cleared stuck session {order.session} ({words})"
    if not order.key or order.dead:
        message = f"Settled the tasks of {order.session}, which has ended ({words})"
    elif verdict.result == "unblocked":
        message = f"Session {order.session} goes on: its hung tool was ended"
    elif not order.keys:
        message = f"Settled the tasks of {order.session}, which does not work on them ({words})"
    text = after(order.quiet, done) if order.key and not order.dead else done
    return Proof(text, message, packed(verdict) | {"quiet_seconds": order.quiet})


def failure(order: Order, verdict: Verdict, settled: Sequence[Settled]) -> RemedyError:
    """Return the error of an attempt after which the program still is what it was."""
    keys = " ".join(verdict.keys)
    said = [
        f"pressed {keys}" if keys and keys not in verdict.how else "",
        f"{verdict.how}{f' [{verdict.result}]' if verdict.result in HELD else ''}",
        settled_words(settled),
        _kept(verdict),
        f"to do: {to_do(order, verdict)}",
    ]
    text = "; ".join(filter(None, said))
    return RemedyError(after(order.quiet, text), details=packed(verdict))


def held_words(verdict: Verdict) -> str:
    """Return that the program still is what it was, to follow what is done then; else nothing."""
    return "" if verdict.let_go else f": {verdict.how} [{verdict.result}]"


def held_in(step: str) -> Result | None:
    """Return the result that the step of an attempt tells, if the program had held by then."""
    if not step.startswith(SETTLING):
        return None
    told: Result
    for told in HELD:
        if step.endswith(f" [{told}]") or f" [{told}] [" in step:
            return told
    return None


def to_do(order: Order, verdict: Verdict) -> str:
    """Return what a person should do about a session that could not be cleared."""
    look = f"look at pane {order.pane} of {order.session}"
    if verdict.result == "frozen":
        return f"{look}: its program reads nothing any more; end it by hand"
    if verdict.result == "swallowed":
        return f"{look}: leave the mode that it shows, then clear it again"
    if verdict.result == "unknown":
        return f"{look}: nobody can tell what became of it"
    return f"{look}: its program ignores its interrupt; end it by hand"


def answered(order: Order, verdict: Verdict) -> Proof:
    """Return the proof of a question that was answered."""
    answer = clean(order.answer, limit=80)
    text = f"answered {answer!r}; {verdict.how}; {_kept(verdict)}"
    return Proof(text, f"Answered {order.session}: {answer}", packed(verdict))


def released(order: Order, verdict: Verdict) -> Proof:
    """Return the proof of a session whose quarantine a person ended."""
    text = f"{verdict.how}; {_kept(verdict)}"
    return Proof(text, f"{order.session} may be given tasks again", packed(verdict))


def unanswered(order: Order, verdict: Verdict) -> RemedyError:
    """Return the error of an answer that is not seen to have been taken."""
    answer = clean(order.answer, limit=80)
    text = f"answered {answer!r}, and {verdict.how}; {_kept(verdict)}"
    return RemedyError(text, details=packed(verdict))


def _kept(verdict: Verdict) -> str:
    if verdict.evidence:
        return f"evidence {verdict.evidence}"
    return f"no evidence: {verdict.lost or 'none was kept'}"
