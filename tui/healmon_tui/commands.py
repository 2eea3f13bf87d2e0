"""What can be typed in the palette, and how what was typed finds it: pure.

The ranking is fuzzy and yet foreseeable: what is exactly so, what begins so, whose words begin so,
what holds the words, and last what holds the letters in their order. Within each of these the
commands that were used last come first, then the order of the catalogue (worst first).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, TypeAlias

from healmon.plans import Packed
from healmon_tui.viewmodel import PanelId

MOST: Final = 60
"""Commands that are ever listed at once."""
LETTERS: Final = 4
"""The degree of what only holds the letters."""
ENOUGH: Final = 3
"""Better ones than that, from which on those are left out."""
_WORD: Final = re.compile(r"[^\s:_/.\-]+")


class Offer(NamedTuple):
    """Open the plan."""

    verb: str
    component: str
    more: Packed


class Ask(NamedTuple):
    """Ask the healer at once; `undo` takes it back."""

    verb: str
    target: str
    arguments: Packed
    undo: tuple[tuple[str, str], ...] = ()


class Press(NamedTuple):
    """Do what a key of the screen does."""

    action: str


class Go(NamedTuple):
    """Go to a panel, and to a row in it."""

    panel: PanelId
    key: str = ""


class Look(NamedTuple):
    """Change the theme."""

    theme: str


class Mode(NamedTuple):
    """Switch the dry run."""

    on: bool


Run: TypeAlias = Offer | Ask | Press | Go | Look | Mode
More: TypeAlias = Callable[[str], Run | None]
"""Returns what a command does with one more word; None: not with this one."""


@dataclass(frozen=True, slots=True)
class Command:
    """One thing that can be typed.

    Attributes:
        words: all of it, as it is completed.
        hint: what it is about.
        run: what it does; None: a word is missing yet.
        why_not: why it cannot be done now; empty: it can.
        steps: words that can follow.
        more: what it does with one of those, or another.
        low: `words`, prepared for comparing.
        parts: likewise, the words in it.
    """

    words: str
    hint: str = ""
    run: Run | None = None
    why_not: str = ""
    steps: tuple[str, ...] = ()
    more: More | None = None
    low: str = field(init=False, default="", compare=False)
    parts: tuple[str, ...] = field(init=False, default=(), compare=False)

    def __post_init__(self) -> None:
        """Prepare for comparing."""
        object.__setattr__(self, "low", self.words.lower())
        object.__setattr__(self, "parts", tuple(_WORD.findall(self.low)))

    @property
    def goes_on(self) -> bool:
        """Whether a word can follow."""
        return bool(self.steps) or self.run is None

    def with_word(self, word: str) -> Command | None:
        """Return the command with one more word; None: it takes no such word."""
        run = self.more(word) if self.more is not None else None
        if run is None:
            return None
        words = f"{self.words.rstrip()} {word}"
        return replace(self, words=words, run=run, steps=(), more=None)


def search(text: str, commands: Sequence[Command], recent: Sequence[str] = ()) -> list[Command]:
    """Return the commands that a typed text finds, best first.

    Args:
        text: as it was typed.
        commands: all there are, in the order of the catalogue.
        recent: words of those that were used last, the newest first.
    """
    low = text.lower().strip()
    used = {words: place for place, words in enumerate(recent)}
    if not low:
        first = sorted((c for c in commands if c.words in used), key=lambda c: used[c.words])
        rest = [c for c in commands if c.words not in used]
        return [*first, *rest][:MOST]
    found: list[tuple[int, int, int]] = []
    tokens = tuple(low.split())
    for place, command in enumerate(commands):
        if command.words.endswith(" ") and text.startswith(command.words):
            continue  # said already
        degree = _degree(low, tokens, command)
        if degree is not None:
            found.append((degree, used.get(command.words, len(used)), place))
    sure = [entry for entry in found if entry[0] < LETTERS]
    found = sorted(sure if len(sure) >= ENOUGH else found)
    best = [commands[place] for _, _, place in found[:MOST]]
    listed = {command.words: command for command in (*_going_on(text, commands), *best)}
    return list(listed.values())[:MOST]


def _degree(low: str, tokens: Sequence[str], command: Command) -> int | None:
    """Return how well a text finds a command, 0 is best; None: not at all."""
    whole = command.low
    if whole == low:
        return 0
    if whole.startswith(low):
        return 1
    if _in_order(tokens, command.parts):
        return 2
    if _holds(tokens, whole):
        return 3
    return LETTERS if _letters("".join(tokens), whole) else None


def _in_order(tokens: Sequence[str], parts: Sequence[str]) -> bool:
    """Tell whether each token begins a word, in their order."""
    words = iter(parts)
    split = (part for token in tokens for part in _WORD.findall(token) or [token])
    return all(any(word.startswith(part) for word in words) for part in split)


def _holds(tokens: Iterable[str], whole: str) -> bool:
    at = 0
    for token in tokens:
        found = whole.find(token, at)
        if found < 0:
            return False
        at = found + len(token)
    return True


def _letters(letters: str, whole: str) -> bool:
    at = 0
    for letter in letters:
        at = whole.find(letter, at) + 1
        if not at:
            return False
    return True


def _going_on(text: str, commands: Iterable[Command]) -> list[Command]:
    """Return the commands that the text is one word longer than, with that word."""
    low, found = text.lower(), list[Command]()
    for command in commands:
        if command.more is None or not low.startswith(f"{command.low.rstrip()} "):
            continue
        word = text[len(command.words.rstrip()) + 1 :].strip()
        steps = [step for step in command.steps if step.startswith(word)]
        words: dict[str, None] = dict.fromkeys([word] if word else [])
        words |= dict.fromkeys(steps)
        found += [made for one in words if (made := command.with_word(one)) is not None]
    return found


def complete(text: str, shown: Sequence[Command], chosen: int) -> str:
    """Return what tab makes of a text: as far as all agree that begin so, else the chosen one."""
    low = text.lower()
    begun = [command.words for command in shown if command.low.startswith(low)]
    agreed = _agreed(begun) if len(begun) > 1 else ""
    if len(agreed) > len(text):
        return agreed
    if not shown:
        return text
    alone = next((c for c in shown if c.words == begun[0]), None) if len(begun) == 1 else None
    command = alone or shown[max(0, min(chosen, len(shown) - 1))]
    return f"{command.words.rstrip()} " if command.goes_on else command.words


def _agreed(words: Sequence[str]) -> str:
    """Return what all begin with."""
    same = ""
    for letters in zip(*words, strict=False):
        if len(set(letters)) > 1:
            break
        same += letters[0]
    return same


def remember(recent: Sequence[str], words: str, most: int = 20) -> tuple[str, ...]:
    """Return the words used last with one more before them."""
    return (words, *(other for other in recent if other != words))[:most]
