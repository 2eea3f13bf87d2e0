"""Ends the quarantine of a session without tasks, as a person asked. Presses nothing.

With tasks a session is cleared by hand (see `offers`). Without any there is nothing to interrupt
for: the person has looked at its program and says that it may be given tasks again. What it showed
then is kept; should it hang again, it is judged like any other.
"""

from __future__ import annotations

from typing import Protocol

from healmon.errors import VetoError
from healmon.plans import Plan, Proof, Step, pack
from healmon.sessions import checks, outcome
from healmon.sessions.dossier import Dossier
from healmon.sessions.facts import ACTION, HEALER, Memory, Order, SessionFacts
from healmon.sessions.planning import GONE
from healmon.sessions.probe import Seen, SessionSeen
from healmon.sessions.verdict import Verdict
from healmon.sessions.viewing import View
from healmon.world.pane import Pane


class Doors(Protocol):
    """What releasing sees (see `remedy.Remedy`)."""

    async def look(self) -> Seen:
        """Return everything there is to see now. Raises VetoError."""
        ...

    async def see(self, pane: Pane, one: SessionSeen) -> View | None:
        """Return how a pane is now; None: it cannot be looked at, or is gone."""
        ...


def held(facts: SessionFacts, memory: Memory | None) -> str:
    """Return what a session without tasks can be released from, or empty. Pure."""
    if memory is None or facts.tasks or facts.state in GONE:
        return ""
    return memory.quarantine or memory.failure


def plan(component: str, facts: SessionFacts, why: str) -> Plan:
    """Return the plan that releases a session. Pure.

    Args:
        component: the session's.
        facts: what was last seen of it.
        why: what it is held for.
    """
    order = Order(
        session=facts.session,
        socket=facts.socket,
        pane=facts.pane,
        key=facts.key,
        by_hand=True,
        quiet=facts.quiet,
        reason=why,
        state=facts.state,
        matched=facts.matched,
        release=True,
    )
    return Plan(
        healer=HEALER,
        component=component,
        action=ACTION,
        subject=f"released {facts.key}",
        why=f"asked for by hand: {facts.session} has no task and is no place for any: {why}",
        steps=(Step(f"end the quarantine of {facts.session}; nothing is pressed"),),
        proof="the same program is in its pane, without a task, and its screen is kept",
        on_failure="nothing is changed: it stays no place for tasks",
        order=pack(order),
        cooldown=0.0,
        tier=0,  # nothing is disturbed, and no attempt to clear it was made
    )


async def release(doors: Doors, order: Order, dossier: Dossier) -> Proof:
    """See that it is the program that was meant, keep what it shows, and let it go.

    Raises:
        VetoError: it is not, it has got tasks, or it cannot be looked at.
    """
    one = checks.found(await doors.look(), order)
    if one is None:
        raise VetoError(f"pane {order.pane} is not there any more, or cannot be looked at")
    if one.tasks:
        raise VetoError(f"{order.session} has got tasks meanwhile: clear it with them")
    if why := _other(one, order):
        raise VetoError(why)
    await dossier.saw(one, ())
    view = await doors.see(one.pane, one)
    if view is None:
        raise VetoError(f"pane {order.pane} cannot be looked at: nobody can tell what is released")
    dossier.before(view)
    await dossier.announce(f"End the quarantine of {order.session}; nothing is pressed")
    how = f"released; nothing was pressed; it was held for: {order.reason}"
    done = await dossier.close(Verdict(result="released", how=how, key=order.key))
    return outcome.released(order, done)


def _other(one: SessionSeen, order: Order) -> str:
    """Return why it is not the pane's program that was meant, or empty."""
    if one.family is not None:
        return checks.same_program(one, order)
    # without tasks nobody looks behind a pane; its key has server, session, pane and process
    return f"its program {one.pane.status}" if one.pane.dead else ""
