"""What became of an attempt on a session, as data: for its record, and for whoever judges next.

`of(action)` reads it back from a finished action, whether that went well or not.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from healmon.plans import Packed, pack, unpack
from healmon.state import ActionView

Result = Literal[
    "cleared", "exited", "ignored", "frozen", "swallowed", "unblocked", "settled", "answered",
    "given_back", "released", "unknown",
]  # fmt: skip
"""How an attempt ended.

    cleared     the program let go of its work: idle, cancelled, or the shell has its prompt back
    exited      the program, or its pane, has ended
    ignored     the same program in the same state, whatever the screen shows
    frozen      the same, and what was typed is still unread
    swallowed   a mode of tmux took the key
    unblocked   a hung tool was ended and the program goes on; its tasks stay with it
    settled     nothing was pressed: only the tasks were settled
    answered    a question was answered
    given_back  tasks that were owed are with the queue again
    released    a person ended its quarantine: nothing was pressed
    unknown     nobody can tell: it could not be looked at any more
"""
HELD: Final = frozenset[Result](("ignored", "frozen", "swallowed", "unknown"))
"""Results after which the program still is what it was: its session is no place for tasks."""
KEY: Final = "verdict"


class Verdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one attempt.

    Attributes:
        result: in one word.
        how: the same in words: what was seen.
        key: who the pane is, its process's start included; empty: there is none.
        keys: what was pressed, in its order, the repeat too.
        rung: the rung that worked: `key`, `repeat`, `tool`, `group`, `resume`; empty: none.
        seconds: from the last key to what was seen.
        status: how the program ended, in words, where it did.
        resume: how it says that it can be started again.
        evidence: id of the stored evidence; empty: none could be stored.
        lost: why no evidence could be stored.
        tasks: what became of each task, by its id.
        elsewhere: its tasks must not come back to this session.
    """

    result: Result
    how: str = ""
    key: str = ""
    keys: tuple[str, ...] = ()
    rung: str = ""
    seconds: float = 0.0
    status: str = ""
    resume: str = ""
    evidence: str = ""
    lost: str = ""
    tasks: dict[str, str] = {}
    elsewhere: bool = False

    @property
    def let_go(self) -> bool:
        """Whether the program is not any more what it was."""
        return self.result not in HELD


def packed(verdict: Verdict) -> Packed:
    """Return the details of an action that carry a verdict."""
    return {KEY: pack(verdict)}


def of(action: ActionView) -> Verdict | None:
    """Return the verdict that a finished action carries; None: none, or another version's."""
    found: Packed | None = action.details.get(KEY)
    try:
        return unpack(found, Verdict) if found else None
    except msgspec.ValidationError:
        return None
