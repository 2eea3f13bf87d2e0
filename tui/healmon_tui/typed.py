"""One line that is being typed: pure, drawn by whoever asks for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from healmon.text import clean
from healmon_tui import glyphs
from healmon_tui.paint import Span, Spans, Tone

LONGEST: Final = 200
"""Characters of such a line."""


@dataclass(frozen=True, slots=True)
class Typed:
    """What has been typed, and where the cursor stands in it."""

    text: str = ""
    at: int = 0

    @classmethod
    def of(cls, text: str) -> Typed:
        """Return a line with the cursor at its end."""
        return cls(text, len(text))

    def press(self, key: str, character: str | None) -> Typed | None:  # noqa: PLR0911 - one answer per key
        """Return the line after a key; None: this key does not edit."""
        text, at = self.text, self.at
        match key:
            case "backspace":
                return Typed(text[: max(at - 1, 0)] + text[at:], max(at - 1, 0))
            case "delete":
                return replace(self, text=text[:at] + text[at + 1 :])
            case "left":
                return replace(self, at=max(at - 1, 0))
            case "right":
                return replace(self, at=min(at + 1, len(text)))
            case "home" | "ctrl+a":
                return replace(self, at=0)
            case "end" | "ctrl+e":
                return replace(self, at=len(text))
            case "ctrl+w":
                kept = without_last_word(text[:at])
                return Typed(kept + text[at:], len(kept))
            case "ctrl+u":
                return Typed(text[at:], 0)
            case _:
                return self.put(character) if character and character.isprintable() else None

    def put(self, text: str) -> Typed:
        """Return the line with more text at the cursor; of several lines only the first."""
        more = clean(text.strip("\r\n").splitlines()[0] if text.strip("\r\n") else "")
        more = more[: max(LONGEST - len(self.text), 0)]
        return Typed(self.text[: self.at] + more + self.text[self.at :], self.at + len(more))

    def spans(self, tone: Tone = "strong") -> Spans:
        """Return the line with its cursor."""
        before, after = self.text[: self.at], self.text[self.at :]
        return (Span(before, tone), Span(glyphs.WALL, "accent"), Span(after, tone))


def without_last_word(text: str) -> str:
    """Return a text without its last word; the blank before that stays."""
    return text[: text.rstrip().rfind(" ") + 1]
