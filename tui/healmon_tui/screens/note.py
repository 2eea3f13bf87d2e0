"""One line of words from the person at the keys: the note to an acknowledgement."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Input

from healmon_tui.paint import Line, Span, Spans, wrap
from healmon_tui.screens.modal import Sheet, keys

LONGEST_NOTE = 500


class NoteSheet(Sheet[str | None]):
    """Asks for a note; None: thought better of it."""

    def __init__(self, message: str) -> None:
        super().__init__("acknowledge with a note")
        self._message = message

    def compose(self) -> ComposeResult:
        """Put the box and the input in."""
        yield self.box
        entry = Input(id="entry", max_length=LONGEST_NOTE, select_on_focus=False)
        entry.cursor_blink = False
        yield entry

    def on_mount(self) -> None:
        """Fill the box and put the cursor in the input."""
        super().on_mount()
        entry = self.query_one("#entry", Input)
        entry.styles.width = self.box.styles.width
        entry.focus()

    def below(self) -> int:
        """Return the lines of the input."""
        return 3

    def body(self, cells: int) -> list[Line]:
        """Return what is acknowledged."""
        return [Line((Span(part, "text"),)) for part in wrap(self._message, cells)]

    def foot(self) -> Spans:
        """Return the keys."""
        return keys(("enter", "acknowledge"), ("esc", "leave it open"))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Answer with the note."""
        event.stop()
        self.dismiss(event.value.strip())
