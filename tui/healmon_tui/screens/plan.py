"""The plan before the hand: what, why, the exact steps, the proof, and what if it fails."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from healmon.plans import Plan, describe
from healmon_tui import keymap
from healmon_tui.context import sheet
from healmon_tui.host import host
from healmon_tui.paint import Line, Span, Spans, printable, width, wrap
from healmon_tui.rows.scene import short
from healmon_tui.screens.modal import Sheet, keys, refusal
from healmon_tui.stale import Binding as Bound
from healmon_tui.stale import Overtaken, bind, made_after, overtaken
from healmon_tui.widgets.box import Box

SHORTEST = 3
"""Letters a name must have to be typed as confirmation; a shorter one is typed with its kind."""


class PlanSheet(Sheet[bool]):
    """Shows a plan and asks; answers True only for a yes. The default is no.

    Args:
        plan: what is offered.
        refusal: why it may not be done now (dry run, maintenance); empty: it may.
        note: what is said besides.

    Attributes:
        overtaken: what has happened since, so that the plan does not hold any more.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *keymap.answers(("sheet.yes", "yes"), ("sheet.no", "close"), ("sheet.copy", "copy")),
        Binding("enter", "close", show=False),
    ]

    def __init__(self, plan: Plan, refusal: str, note: str = "") -> None:
        super().__init__(f"{plan.action} {plan.component}", "warn" if plan.tier == 2 else "accent")
        self.plan = plan
        self.refusal = refusal
        self.overtaken: Overtaken | None = None
        self._note = note
        self._bound: Bound | None = None
        self.typed = plan.tier == 2 and not refusal
        name = short(plan.component)
        self.word = name if len(name) >= SHORTEST else plan.component

    def compose(self) -> ComposeResult:
        """Put the box in, and for what destroys a line to type on."""
        yield self.box
        if self.typed:
            entry = Input(id="entry", select_on_focus=False)
            entry.cursor_blink = False
            yield entry

    def on_mount(self) -> None:
        """Fill the box and put the cursor where something is asked."""
        super().on_mount()
        if self.typed:
            entry = self.query_one("#entry", Input)
            entry.styles.width = self.box.styles.width
            entry.focus()
        self.tend()

    def tend(self) -> None:
        """Take the yes away once the plan is overtaken; it does not come back."""
        app = host(self)
        if self.refusal or self._bound is None or app.snapshot.last_id < made_after(self.plan):
            self._bound = bind(app.snapshot, self.plan.component)
            return
        if self.overtaken is None:
            self.overtaken = overtaken(self.plan, self._bound, app.snapshot, app.now)
            if self.overtaken is None:
                return
            self.typed = False
            self.set_focus(None)
            for entry in self.query(Input):
                entry.display = False
        self.fill()

    def below(self) -> int:
        """Return the lines of the input."""
        return 3 if self.typed else 0

    def body(self, cells: int) -> list[Line]:
        """Return the plan in its own words."""
        lines = [Line(), *sheet(self.plan, cells), Line()]
        if self.overtaken is not None:
            said = f"{self.overtaken.text(host(self).now)}."
            return [Line((Span(part, "warn"),)) for part in wrap(said, cells)] + lines
        lines += [Line((Span(part, "warn"),)) for part in wrap(self._note, cells) if part]
        if self.refusal:
            text = f"Not now: {self.refusal}. Nothing would be touched."
            lines += [Line((Span(part, "warn"),)) for part in wrap(text, cells)] + [Line()]
        return lines

    def foot(self) -> Spans:
        """Return what can be answered."""
        if self.refusal or self.overtaken is not None:
            return keys(("esc", "close"))
        if self.typed:
            asked = (Span("type ", "warn"), Span(self.word, "strong"))
            said = (*asked, Span(" and press ", "warn"), *keys(("enter", ""), ("esc", "no")))
            lead = Span("this destroys: ", "warn")
            room = Box.cells_for(host(self).size.width)
            return said if width((lead, *said)) > room else (lead, *said)
        key = host(self).key
        no = (refusal(self), "no (default)")
        return keys((key("sheet.yes"), "do it"), no, (key("sheet.copy"), "copy"))

    def action_yes(self) -> None:
        """Do it, where a letter is enough."""
        if not self.refusal and not self.typed and self.overtaken is None and not self.unread:
            self.dismiss(True)  # noqa: FBT003 - the screen's result

    def action_copy(self) -> None:
        """Copy the plan, as it stands in every other place."""
        host(self).copy_to_clipboard("\n".join(map(printable, describe(self.plan))))
        host(self).flash("copied the plan", "dim")

    def action_close(self) -> None:
        """Do not."""
        self.dismiss(False)  # noqa: FBT003 - the screen's result

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Do it if the right word was typed."""
        event.stop()
        typed = event.value.strip()
        self.dismiss(self.typed and typed in (self.word, self.plan.component))

    def on_resize(self, event: events.Resize) -> None:
        """Fill the box for another size."""
        super().on_resize(event)
        if self.typed:
            self.query_one("#entry", Input).styles.width = self.box.styles.width
