"""What a pane says of itself, as one word with the rule behind it. Data only."""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

_KEY: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,18}[A-Za-z0-9])?")

Kind = Literal[
    "none", "starting", "busy", "tool", "retrying", "rate_limited", "approval", "question",
    "gave_up", "unsent", "idle",
]  # fmt: skip
"""What a pack's rules can say; `none`: no rule matched, nothing is known."""


def is_key(name: str) -> bool:
    """Return whether a text can be the name of a key as tmux has them: `1`, `y`, `Enter`, `C-c`."""
    return _KEY.fullmatch(name) is not None


class Choice(msgspec.Struct, frozen=True):
    """One answer that a question offers, verbatim, and the keys that give it.

    Attributes:
        text: as it stands on the screen: `1. Yes`.
        keys: names of keys as tmux has them, pressed one after the other.
    """

    text: str
    keys: tuple[str, ...]


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """What a screen, its title and its terminal say, and by which rule.

    Attributes:
        kind: the one word.
        pack: name of the pack whose rule matched; empty: none did.
        version: that pack's version.
        rule: the rule's name: `claude/approval-proceed`.
        where: the part of the screen that matched: `title`, `footer`, `tail`, `terminal`.
        text: the line that matched, as it stands there; of `unsent` what was typed.
        question: what it asks a person, or empty.
        choices: the answers that it offers, in their order.
        seconds: seconds that the screen itself names: a tool's time limit, until the next attempt,
            until a rate limit resets; None: it names none.
        attempt: which attempt it says that it makes: `7/10`.
        cancelled: how often the screen says that a turn was cancelled.
        last_line: the last line that says anything.
        also: other rules that matched and were outranked.
    """

    kind: Kind = "none"
    pack: str = ""
    version: str = ""
    rule: str = ""
    where: str = ""
    text: str = ""
    question: str = ""
    choices: tuple[Choice, ...] = ()
    seconds: float | None = None
    attempt: str = ""
    cancelled: int = 0
    last_line: str = ""
    also: tuple[str, ...] = ()
