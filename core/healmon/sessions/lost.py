"""Sessions that are on no watched socket: have they ended, or are they out of sight? Pure.

No name on a list is no proof of an end: a session may have been renamed, its pane moved, its
server's socket removed (the server and all its programs run on), the socket no longer watched; and
a name that was never seen may be that of somebody who works elsewhere. So a session has ended only
if it was seen, and the very process of its pane is seen to be gone. Whoever was lost
by an earlier run is looked after in the look right before the act (`checks.returned`).
"""

from __future__ import annotations

from typing import Final

import msgspec

from healmon.plans import Diagnosis
from healmon.sessions.facts import Memory, SessionFacts
from healmon.sessions.places import process_of
from healmon.sessions.probe import Seen
from healmon.text import clean
from healmon.world.pane import Pane

GONE: Final = "is on no watched tmux socket"
NEVER: Final = "and never was: perhaps somebody works on it elsewhere"
NAME_LIMIT: Final = 160


class Loss(msgspec.Struct, frozen=True):
    """What is known of a session that is on no watched socket.

    Attributes:
        was: who its pane was, its process's start included; empty: nobody knows.
        seen: it was there once.
        doubt: why it is not sure to have ended, or empty.
    """

    was: str = ""
    seen: bool = False
    doubt: str = ""


def watched(diagnosis: Diagnosis) -> frozenset[str]:
    """Return who the panes were whose processes the next look must look after."""
    keys = (
        str(verdict.memory.get("key", ""))
        for verdict in diagnosis.verdicts
        if verdict.facts.get("state") == "gone"
    )
    return frozenset(key for key in keys if process_of(key) is not None)


def loss_of(before: SessionFacts | None, memory: Memory | None, seen: Seen) -> Loss:
    """Return what is known of a session that is on no watched socket."""
    was = memory.key if memory is not None and memory.key else ""
    was = was or (before.key if before is not None else "")
    there = bool(
        was or (before is not None and before.pane) or (memory is not None and memory.home)
    )
    if not there:
        return Loss(doubt=NEVER)
    process = process_of(was)
    alive = (one.pane for one in seen.sessions if not one.pane.dead)
    moved = next((pane for pane in alive if same_pane(pane, was)), None)
    if moved is not None:
        name = clean(moved.name, limit=NAME_LIMIT)
        return Loss(was, seen=True, doubt=f"but its pane {moved.id} is session {name} now")
    if process is None:
        return Loss(was, seen=True)
    runs_on = f"but its program (pid {process[0]}) runs on, out of sight"
    return Loss(was, seen=True, doubt=runs_on if seen.runs.get(was) else "")


def same_pane(pane: Pane, was: str) -> bool:
    """Return whether a pane is the one with this key, whichever session shows it now."""
    now = pane.key.split(".")
    then = was.split(".")
    # server, its start, the pane's id, its process; a session can be left
    return len(then) >= len(now) and all(now[i] == then[i] for i in (0, 1, 4, 5))
