"""Ready when a text appears in its output."""

from __future__ import annotations

import os
from functools import partial

from healmon.workers.checks.model import Doors, Outcome, Subject
from healmon.world import notes


class LogLine:
    """Looks for a text in what a worker wrote since it was started; reads everything once.

    Args:
        text: what is looked for.
        subject: whose log, and from where on.
        doors: what it may use.
    """

    def __init__(self, text: str, subject: Subject, doors: Doors) -> None:
        self._text = os.fsencode(text)
        self._shown = text
        self._log = subject.log
        self._place = subject.log_offset
        self._hands = doors.hands
        self._found = False

    async def check(self) -> Outcome:
        """Return whether the text is there by now."""
        if not self._found:
            look = partial(notes.find_text, self._log, self._text, self._place)
            self._found, self._place = await self._hands.call(look)
        said = "its output says" if self._found else "its output does not say"
        return Outcome(self._found, f'{said} "{self._shown}"')
