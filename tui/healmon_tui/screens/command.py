"""The palette: one line that is typed, and what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from textual import events

from healmon_tui import glyphs
from healmon_tui.commands import Command, complete, search
from healmon_tui.host import host
from healmon_tui.paint import Line, Span, Spans, Tone, between, cut, width
from healmon_tui.screens.modal import Sheet, keys
from healmon_tui.typed import Typed, without_last_word

SEEN: Final = 14
"""Lines of the list; the box keeps its height, so that nothing jumps while one types."""
ABOVE: Final = 2
"""Lines of the box's body before the list."""


class CommandSheet(Sheet["Command | None"]):
    """Answers with what was picked and can be done now, or None.

    Args:
        commands: all that can be typed.
        recent: the words of those used last, the newest first.
        text: what stands there already.
    """

    def __init__(
        self, commands: Sequence[Command], recent: Sequence[str] = (), text: str = ""
    ) -> None:
        super().__init__("command")
        self._commands = commands
        self._recent = recent
        self.typed = Typed.of(text)
        self.found: list[Command] = []
        self.place = 0
        self._top = 0
        self._said = ""
        self._search()

    def _search(self) -> None:
        self.found = search(self.typed.text, self._commands, self._recent)
        self.place = self._top = 0
        self._said = ""

    @property
    def chosen(self) -> Command | None:
        """The command under the cursor."""
        return self.found[self.place] if self.found else None

    def body(self, cells: int) -> list[Line]:
        """Return the typed line and the list, always of the same height."""
        room = self._room()
        self._top = max(min(self._top, self.place), self.place - room + 1)
        seen = range(self._top, min(self._top + room, len(self.found)))
        lines = [self._line(place, cells) for place in seen]
        if not self.found:
            lines = [Line((Span("  nothing is called so", "dim"),))]
        lines += [Line()] * (room - len(lines))
        count = Span(f"{len(self.found)}" if self.typed.text else "", "dim")
        asked = between((Span(": ", "accent"), *self.typed.spans()), (count,), cells)
        return [Line(asked), Line((Span(glyphs.RULE * cells, "faint"),)), *lines]

    def _room(self) -> int:
        return max(1, min(SEEN, host(self).size.height - 4 - ABOVE))

    def _line(self, place: int, cells: int) -> Line:
        command, here = self.found[place], place == self.place
        sign = Span(f"{glyphs.CURSOR if here else ' '} ", "accent")
        tone: Tone = "dim" if command.why_not else "strong" if here else "text"
        words = command.words.rstrip() + (f" {glyphs.MORE}" if command.goes_on else "")
        name = Span(cut(words, cells - 2), tone)
        reason = f"not now: {command.why_not}"
        hint = cut(reason if command.why_not else command.hint, cells - 6 - width((name,)))
        return Line(between((sign, name), (Span(f"  {hint}", "dim"),), cells), "sheet")

    def foot(self) -> Spans:
        """Return the keys, or why a command cannot be done."""
        if self._said:
            return (Span(self._said, "warn"),)
        return keys(("enter", "do it"), ("tab", "complete"), ("esc", "one step back"))

    def on_key(self, event: events.Key) -> None:
        """Type, choose, complete, pick."""
        event.stop()
        event.prevent_default()
        match event.key:
            case "escape":
                self._back()
            case "ctrl+c":
                self.dismiss(None)
            case "enter":
                self._pick()
            case "tab":
                self._type(Typed.of(complete(self.typed.text, self.found, self.place)))
            case "down" | "ctrl+n" | "up" | "ctrl+p" | "pagedown" | "pageup":
                step = {"down": 1, "ctrl+n": 1, "pagedown": self._room(), "pageup": -self._room()}
                self._move(step.get(event.key, -1))
            case _:
                self._type(self.typed.press(event.key, event.character) or self.typed)

    def on_paste(self, event: events.Paste) -> None:
        """Type what is pasted."""
        event.stop()
        self._type(self.typed.put(event.text))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on a clicked command; a second click picks it."""
        line = self.box.line_at(event.screen_x, event.screen_y)
        place = -1 if line is None else self._top + line - ABOVE
        if 0 <= place < len(self.found) and line is not None and line >= ABOVE:
            self._move(place - self.place)
            if event.chain == 2:
                self._pick()

    def _type(self, typed: Typed) -> None:
        changed = typed.text != self.typed.text
        self.typed = typed
        if changed:
            self._search()
        self.fill()

    def _move(self, by: int) -> None:
        self.place = max(0, min(self.place + by, len(self.found) - 1))
        self._said = ""
        self.fill()

    def _back(self) -> None:
        """Take the last word back; where there is none, close."""
        if self.typed.text:
            self._type(Typed.of(without_last_word(self.typed.text)))
        else:
            self.dismiss(None)

    def _pick(self) -> None:
        command = self.chosen
        if command is None:
            self._said = "nothing is called so"
        elif command.why_not:
            self._said = f"not now: {command.why_not}"
        elif command.run is None:
            self._type(Typed.of(f"{command.words.rstrip()} "))
            return
        else:
            self.dismiss(command)
            return
        self.fill()
