"""The plans of several marked rows on one sheet: all of them, one by one, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from healmon.plans import Plan, describe
from healmon_tui import glyphs, keymap
from healmon_tui.context import sheet
from healmon_tui.host import host
from healmon_tui.paint import Line, Span, Spans, cut, printable, wrap
from healmon_tui.rows.scene import short
from healmon_tui.screens.modal import Sheet, keys, refusal
from healmon_tui.stale import Binding as Bound
from healmon_tui.stale import Overtaken, bind, made_after, overtaken

MANY: Final = 5
"""Plans that a letter is enough for; of more the count is typed."""


class Chosen(NamedTuple):
    """What is to be done."""

    plans: tuple[Plan, ...]
    one_by_one: bool = False


class ManySheet(Sheet[Chosen | None]):
    """Shows plans and asks once for all; answers None for a no, which is the default.

    A plan that is overtaken by what happens meanwhile drops out, and the count with it.

    Args:
        title: what is wanted.
        plans: what is offered.
        refused: what there is no plan for, and why.
        held: why a plan may not be done now (dry run, maintenance), by its id.
        note: what is said besides.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *keymap.answers(("sheet.yes", "all"), ("sheet.no", "close")),
        *keymap.answers(("sheet.each", "each"), ("sheet.copy", "copy")),
        Binding("tab", "each", show=False, priority=True),
        Binding("enter", "close", show=False),
    ]

    def __init__(
        self,
        title: str,
        plans: Sequence[Plan],
        refused: Sequence[str] = (),
        held: Mapping[str, str] | None = None,
        note: str = "",
    ) -> None:
        self._held = dict(held or {})
        wanted = [plan for plan in plans if plan.id not in self._held]
        self.typed = len(wanted) > MANY or any(plan.tier == 2 for plan in wanted)
        super().__init__(title, "warn" if self.typed else "accent")
        self.plans = tuple(plans)
        self._refused = tuple(refused)
        self._note = note
        self._bound: dict[str, Bound] = {}
        self.overtaken: dict[str, Overtaken] = {}

    @property
    def live(self) -> tuple[Plan, ...]:
        """The plans that may be done, and that nothing has overtaken."""
        gone = self.overtaken.keys() | self._held.keys()
        return tuple(plan for plan in self.plans if plan.id not in gone)

    def compose(self) -> ComposeResult:
        """Put the box in, and where the count is asked for a line to type on."""
        yield self.box
        if self.typed and self.live:
            entry = Input(id="entry", select_on_focus=False)
            entry.cursor_blink = False
            yield entry

    def on_mount(self) -> None:
        """Fill the box and put the cursor where something is asked."""
        super().on_mount()
        for entry in self.query(Input):
            entry.focus()
        self.tend()

    def tend(self) -> None:
        """Let go of what is overtaken."""
        app = host(self)
        for plan in self.live:
            bound = self._bound.get(plan.id)
            if bound is None or app.snapshot.last_id < made_after(plan):
                self._bound[plan.id] = bind(app.snapshot, plan.component)
                continue
            found = overtaken(plan, bound, app.snapshot, app.now)
            if found is not None:
                self.overtaken[plan.id] = found
        self.fill()

    def fill(self) -> None:
        """Fill the box; the line to type on is as wide."""
        super().fill()
        for entry in self.query(Input):
            entry.styles.width = self.box.styles.width
            entry.display = bool(self.live)

    def below(self) -> int:
        """Return the lines of the input."""
        return 3 if self.typed and self.live else 0

    def body(self, cells: int) -> list[Line]:
        """Return what is done first, then each plan in its own words."""
        lines = [Line((Span(part, "warn"),)) for part in wrap(self._note, cells) if part]
        lines += [self._head(number, plan, cells) for number, plan in enumerate(self.plans, 1)]
        lines += [_not_now(f"   {glyphs.OFF} ", text, cells) for text in self._refused]
        for number, plan in enumerate(self.plans, 1):
            if plan.id not in self.overtaken:
                name = f"{number:>2} {plan.action} {plan.component}"
                lines += [Line(), Line((Span(cut(name, cells), "strong"),)), *sheet(plan, cells)]
        return lines

    def _head(self, number: int, plan: Plan, cells: int) -> Line:
        gone = self.overtaken.get(plan.id)
        lead = Span(f"{number:>2} ", "accent")
        if gone is not None:
            said = cut(gone.text(host(self).now), cells - 5)
            return Line((lead, Span(f"{glyphs.BAD} ", "warn"), Span(said, "warn")))
        if plan.id in self._held:
            text = f"{short(plan.component)}: {self._held[plan.id]}"
            return _not_now(f"{number:>2} {glyphs.OFF} ", text, cells)
        name = Span(cut(short(plan.component), cells - 5), "strong")
        rest = cells - 5 - len(name.text)
        return Line(
            (
                lead,
                Span(f"{glyphs.MARKED} ", "accent"),
                name,
                Span(cut(f"  {plan.why}", rest), "dim"),
            )
        )

    def foot(self) -> Spans:
        """Return what can be answered."""
        count = len(self.live)
        if not count:
            return keys(("esc", "close"))
        if self.typed:
            asked = (Span("type ", "warn"), Span(str(count), "strong"), Span(" and press ", "warn"))
            return (*asked, *keys(("enter", ""), ("tab", "one by one"), ("esc", "none")))
        key = host(self).key
        return keys(
            (key("sheet.yes"), f"do all {count}"), (key("sheet.each") or "tab", "one by one"),
            (refusal(self), "none"), (key("sheet.copy"), "copy"),
        )  # fmt: skip

    def action_all(self) -> None:
        """Do all, where a letter is enough."""
        if self.live and not self.typed and not self.unread:
            self.dismiss(Chosen(self.live))

    def action_each(self) -> None:
        """Ask for each by itself."""
        if self.live:
            self.dismiss(Chosen(self.live, one_by_one=True))

    def action_copy(self) -> None:
        """Copy the plans."""
        texts = [printable(text) for plan in self.live for text in describe(plan)]
        host(self).copy_to_clipboard("\n".join(texts))
        host(self).flash("copied the plans", "dim")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Do all if the count was typed; one that has changed meanwhile is no yes."""
        event.stop()
        yes = event.value.strip() == str(len(self.live)) and bool(self.live)
        self.dismiss(Chosen(self.live) if yes else None)


def _not_now(lead: str, text: str, cells: int) -> Line:
    said = cut(f"not now: {text}", cells - len(lead))
    return Line((Span(lead, "dim"), Span(said, "dim")))
