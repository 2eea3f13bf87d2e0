"""The answers that a session's question offers, verbatim."""

from __future__ import annotations

from collections.abc import Sequence

from healmon_tui.paint import Line, Span, Spans, wrap
from healmon_tui.screens.menu import MenuSheet
from healmon_tui.screens.modal import keys


class AnswerSheet(MenuSheet):
    """Asks which answer is to be given; answers with its place, or None. The plan comes next."""

    def __init__(self, name: str, question: str, offered: Sequence[str]) -> None:
        super().__init__(f"{name} asks", offered)
        self._question = question

    def body(self, cells: int) -> list[Line]:
        """Return the question, and below it the answers."""
        self.above = 2 + len(wrap(self._question, cells))
        asked = [Line((Span(part, "strong"),)) for part in wrap(self._question, cells)]
        return [Line(), *asked, Line(), *super().body(cells), Line()]

    def foot(self) -> Spans:
        """Return the keys."""
        return keys(("enter", "the plan for this answer"), ("1-9", "likewise"), ("esc", "no"))
