"""Gives tasks back to their queue once they are due, each only if it still is owed."""

from __future__ import annotations

from functools import partial
from typing import Final

from healmon.clock import Clock
from healmon.errors import ProbeError, VetoError
from healmon.healer import Hand
from healmon.plans import Proof
from healmon.sessions import outcome
from healmon.sessions.facts import Order, Row
from healmon.sessions.planning import task_words
from healmon.sessions.probe import Probe
from healmon.sessions.verdict import Verdict, packed
from healmon.world.taskdb import Owed, Settled

EARLY: Final = 0.5
"""Seconds by which a task may be given back before it is due: the row has whole seconds."""


async def give_back(order: Order, probe: Probe, clock: Clock, hand: Hand) -> Proof:
    """Give the ordered tasks back that still are owed and due.

    Nothing is remembered here, and nothing needs to be: the row itself says that it is owed, and is
    changed only if it still says so.

    Raises:
        VetoError: none of them is owed any more, or that cannot be told; nothing was changed.
        RemedyError: a source could not be written.
    """
    settled: list[Settled] = []
    now = clock.read().wall
    for source in dict.fromkeys(row.source for row in order.rows):
        there = await _owed(source, probe)
        wanted = {_name(row) for row in order.rows if row.source == source}
        due = [o for o in there if _name_of(o) in wanted and o.due <= now + EARLY]
        if not due:
            continue
        ids = task_words([one.id for one in due])
        await hand.about_to(f"give {ids} back to {source}")
        tasks, at = probe.tasks[source], clock.read().wall
        call = partial(probe.taskdb.give_back, tasks, due, at)
        settled += await probe.on(f"tasks {source}", call)
    if not settled:
        raise VetoError("nothing is owed any more: the rows say otherwise")
    words = outcome.settled_words(settled)
    verdict = Verdict(
        result="given_back", how=words, tasks={str(one.id): one.outcome for one in settled}
    )
    return Proof(words, f"Given back to the queue: {words}", packed(verdict))


async def _owed(source: str, probe: Probe) -> tuple[Owed, ...]:
    if source not in probe.tasks:
        raise VetoError(f"there is no tasks.{source} in the configuration any more")
    try:
        return await probe.on(f"tasks {source}", partial(probe.taskdb.owed, probe.tasks[source]))
    except ProbeError as error:
        raise VetoError(f"it cannot be read: {error.args[0]}") from error


def _name(row: Row) -> tuple[str, str]:
    return str(row.id), row.attempt


def _name_of(owed: Owed) -> tuple[str, str]:
    return str(owed.id), str(owed.attempt)
