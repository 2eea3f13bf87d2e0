"""A few words from the person at the keys, and what they come to, before anything is saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Final, NamedTuple, TypeAlias

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from healmon.text import clean
from healmon_tui import keymap
from healmon_tui.host import host
from healmon_tui.paint import Ground, Line, Span, Spans, wrap
from healmon_tui.screens.modal import Sheet, keys, refusal
from healmon_tui.widgets.lines import Lines

LONGEST: Final = 500
"""Characters of one field."""

Words: TypeAlias = dict[str, str]
"""What stands in the fields, by their names."""


class Field(NamedTuple):
    """One line to fill in."""

    name: str
    label: str
    value: str = ""


class Told(NamedTuple):
    """What the words come to: shown, or why they cannot be taken."""

    lines: Sequence[Line] = ()
    error: str = ""


class Caption(Lines):
    """What a field is for, above it."""

    GROUND: Ground = "sheet"

    def __init__(self, label: str) -> None:
        super().__init__(classes="caption")
        self._label = label

    def build(self, width: int, height: int) -> list[Line]:
        """Return the one line."""
        del width, height
        return [Line((Span(f"  {self._label}", "dim"),), "sheet")]


class AskSheet(Sheet["Words | None"]):
    """Asks for a few words, shows what they come to, and answers with them; None: no.

    Args:
        title: what it is about.
        verb: what is done, for the foot.
        fields: what is asked for; none: only for a yes.
        tell: returns what the words come to, for so many cells.
        sure: show it once more and ask for a yes before it is done.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *keymap.answers(("sheet.yes", "yes"), ("sheet.no", "close")),
        Binding("enter", "close", show=False),
    ]

    def __init__(
        self,
        title: str,
        verb: str,
        fields: Sequence[Field],
        tell: Callable[[Mapping[str, str], int], Told],
        *,
        sure: bool = True,
    ) -> None:
        super().__init__(title)
        self._verb = verb
        self._fields = tuple(fields)
        self._tell = tell
        self._wants_yes = sure
        self.asking_yes = not fields
        self._words: Words = {field.name: clean(field.value) for field in fields}

    def compose(self) -> ComposeResult:
        """Put the box and the fields in."""
        yield self.box
        for field in self._fields:
            yield Caption(field.label)
            entry = Input(id=field.name, classes="line", max_length=LONGEST, select_on_focus=False)
            entry.value = self._words[field.name]
            entry.cursor_blink = False
            yield entry

    def on_mount(self) -> None:
        """Fill the box and put the cursor in the first field."""
        super().on_mount()
        entries = list(self.query(Input))
        if entries:
            entries[0].focus()

    def fill(self) -> None:
        """Fill the box; the fields are as wide."""
        super().fill()
        for part in self.query("Caption, Input"):
            part.styles.width = self.box.styles.width

    def below(self) -> int:
        """Return the lines of the fields."""
        return 0 if self.asking_yes else 2 * len(self._fields)

    def body(self, cells: int) -> list[Line]:
        """Return what the words come to; before a yes, the words as well."""
        told = self._tell(self._words, cells)
        lines = [Line((Span(part, "warn"),)) for part in wrap(told.error, cells) if told.error]
        if not self.asking_yes:
            return [*lines, *told.lines]
        said: list[Line] = []
        for field in (one for one in self._fields if self._words[one.name]):
            lead = f"{field.label}: "
            for part in wrap(self._words[field.name], cells - len(lead), most=3):
                said.append(Line((Span(lead, "dim"), Span(part, "strong"))))
                lead = " " * len(lead)
        return [*said, *([Line()] if said else []), *lines, *told.lines]

    def foot(self) -> Spans:
        """Return the keys."""
        if self.asking_yes:
            yes = (host(self).key("sheet.yes"), self._verb)
            return keys(yes, (refusal(self), "no (default)"))
        word = "look at it once more" if self._wants_yes else self._verb
        more = (("tab", "next field"),) if len(self._fields) > 1 else ()
        return keys(("enter", word), *more, ("esc", "no"))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say what the words come to now."""
        event.stop()
        if event.input.id is not None:
            self._words[event.input.id] = event.value.strip()
            self.fill()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go on, if the words can be taken."""
        event.stop()
        if self._tell(self._words, 80).error:
            return
        if not self._wants_yes:
            self.dismiss(self._words)
            return
        self.asking_yes = True
        self.set_focus(None)
        for part in self.query("Caption, Input"):
            part.display = False
        self.fill()

    def action_yes(self) -> None:
        """Do it."""
        if self.asking_yes and not self._tell(self._words, 80).error:
            self.dismiss(self._words)
