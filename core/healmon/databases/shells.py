"""Types ROLLBACK at the prompt of a forgotten `sqlite3` shell in a tmux pane; a person opted in.

It ends nobody, and discards what any signal would discard, too. Only a prompt that stands empty in
the last line takes it: a statement half typed, a person at the keyboard or another program in the
foreground leaves the shell alone.
"""

from __future__ import annotations

import re
from typing import Final

from healmon.clock import age
from healmon.config.settings import Database
from healmon.databases.acting import Book, insist, target_of, watch_until
from healmon.databases.model import Holder, Order
from healmon.databases.planning import ROLLBACK
from healmon.databases.policy import SHELLS, matches
from healmon.databases.probe import Doors, pane_of
from healmon.errors import MissingPartError, ProbeError, RemedyError, VetoError
from healmon.healer import Hand
from healmon.plans import Proof
from healmon.world.pane import Pane
from healmon.world.processes import Identity

WITHIN: Final = 5.0
"""Seconds within which the lock must be free."""
QUIET: Final = 120.0
"""Seconds for which nobody must have typed there."""
_PROMPT: Final = re.compile(r"\s*sqlite>\s*")


async def roll_back(
    order: Order, database: Database, doors: Doors, hand: Hand, book: Book
) -> Proof:
    """Type ROLLBACK into the shell that holds a lock.

    Raises:
        VetoError: it is not as ordered; nothing was typed.
        RemedyError: it is unknown whether it was typed, or the lock is held still.
    """
    target = target_of(order)

    def against(holder: Holder) -> str:
        if matches(holder, database.keep):
            return "it is on the keep list"
        return "" if holder.name in SHELLS else f"{holder} is no sqlite3 shell"

    def press() -> None:
        insist(target, doors, against)
        pane = _ready(target.holder, target.identity, doors)
        assert doors.tmux is not None
        doors.tmux.press(pane, ROLLBACK)

    try:
        await doors.hands.call(lambda: insist(target, doors, against))
        await doors.hands.call(lambda: _ready(target.holder, target.identity, doors))
        await hand.about_to(f"type ROLLBACK into {target.holder} in pane {target.holder.pane}")
        await doors.hands.call(press)
    except (ProbeError, MissingPartError) as error:
        raise VetoError(f"{order.name}: {error}") from error
    book.acted(target.identity, "rollback")
    after, took = await watch_until(target, doors, WITHIN, lambda now: now.released)
    if not after.released:
        raise RemedyError(f"{target.holder} still holds {target.held} {WITHIN:g} s after ROLLBACK")
    lives = "the shell lives on" if after.alive else "the shell has ended"
    text = f"{target.holder} was told to ROLLBACK; lock released after {took:.1f} s, {lives}"
    details = {"pid": target.hold.pid, "released": True, "seconds": round(took, 2)}
    return Proof(text, message=f"{order.name}: {text}", details=details)


def _ready(holder: Holder, identity: Identity, doors: Doors) -> Pane:
    """Return the pane of a shell that stands at an empty prompt with nobody at the keyboard.

    Raises:
        VetoError: it does not.
        ProbeError, MissingPartError: it cannot be seen.
    """
    pane = pane_of(holder.tty, doors)
    if pane is None or doors.tmux is None:
        raise VetoError(f"{holder} stands in no pane that healmon watches")
    typed = age(doors.clock.steps, pane.client_activity, doors.clock.read().wall)
    if typed < QUIET and pane.attached:
        raise VetoError("somebody is at the keyboard there")
    terminal = doors.tmux.terminal(pane)
    facts = doors.processes.inspect(identity)
    if terminal is None or facts is None or terminal.foreground != facts.group or terminal.unread:
        raise VetoError("the shell does not read its terminal")
    screen = doors.tmux.screens(pane.socket, [pane]).get(pane.id, "").rstrip()
    if not _PROMPT.fullmatch(screen.rpartition("\n")[2]):
        raise VetoError("the shell does not stand at an empty prompt")
    return pane
