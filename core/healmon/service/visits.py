"""Takes the person at the screen to a session's pane, and back."""

from __future__ import annotations

import asyncio
import os

import msgspec

from healmon.errors import HealmonError
from healmon.plans import Packed, unpack
from healmon.service.looks import Leave
from healmon.sessions.facts import SessionFacts
from healmon.text import clean
from healmon.world import visit as door


async def visit(packed: Packed, leave: Leave) -> str:
    """Show a session's pane to the person; return one line about it, empty when all is said.

    Within the same tmux its client is switched and this returns at once; else the terminal is
    given away until the person detaches.

    Args:
        packed: the facts of the session, as the healer told them.
        leave: gives the terminal away.
    """
    try:
        return await _visit(unpack(packed, SessionFacts), leave)
    except msgspec.ValidationError:
        return "these facts are another version's"
    except HealmonError as error:
        return clean(str(error))


async def _visit(facts: SessionFacts, leave: Leave) -> str:
    if not facts.pane or not facts.key:
        return f"{facts.session} has no pane to go to"
    pane = await asyncio.to_thread(door.find, facts.socket, facts.key)
    if door.inside(pane, os.environ):
        await asyncio.to_thread(door.switch, pane)
        return f"in {pane.session} now; switch back with tmux"
    with leave():
        # the terminal is the other program's: nothing may draw, so nothing may run here
        door.attach(pane)
    return f"back from {pane.session}"
