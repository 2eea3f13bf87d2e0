"""What became of an attempt, in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from healmon.plans import Proof
from healmon.sessions.facts import Order
from healmon.sessions.planning import minutes, task_words
from healmon.world.taskdb import Settled


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
        groups.setdefault(word, []).append(one.id)
    return "; ".join(f"{task_words(ids)}: {word}" for word, ids in groups.items())


def proof(order: Order, how: str, settled: Sequence[Settled]) -> Proof:
    """Return the proof of a session that was cleared, or whose tasks were settled."""
    words = settled_words(settled)
    done = f"{how}; {words}" if how else words
    message = f"Cleared stuck session {order.session} ({words})"
    if not order.key or order.dead:
        message = f"Settled the tasks of {order.session}, which has ended ({words})"
    details = {
        "quiet_seconds": order.quiet,
        "keys": [list(step) for step in order.keys],
        "how": how,
        "tasks": {str(one.id): one.outcome for one in settled},
    }
    text = after(order.quiet, done) if order.key and not order.dead else done
    return Proof(text, message, details)
