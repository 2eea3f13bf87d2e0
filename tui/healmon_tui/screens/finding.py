"""The finding part of the overview: the filter that is typed in the last line, and its matches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events

from healmon_tui.filtering import Filter
from healmon_tui.paint import Span, printable
from healmon_tui.rows.scene import Row, short
from healmon_tui.screens.acting import Acting

if TYPE_CHECKING:
    from healmon_tui.typed import Typed


class Finding(Acting):
    """Panels that can be filtered, each by a text of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._typed: Typed | None = None
        self._home = ""
        self._sought: dict[str, Filter] = {}

    @property
    def typing(self) -> bool:
        """Whether a filter is being typed."""
        return self._typed is not None

    def action_filter(self) -> None:
        """Begin to type a filter for the panel; what is there is gone on with."""
        if not self.sighted:
            return  # so small that there is no line to type on
        from healmon_tui.typed import Typed  # noqa: PLC0415 - loaded when somebody types

        panel = self._panels[self.panel]
        row = panel.selected
        self._home = row.key if row is not None else ""
        self._typed = Typed.of(panel.filter.text)
        self.hush()
        self._sift()

    def action_match(self, by: int) -> None:
        """Go to the next or previous match: of the filter, else of the text sought last."""
        panel = self._panels[self.panel]
        wanted = panel.filter or self._sought.get(self.panel, Filter())
        if not wanted:
            self.flash(f"nothing is sought here yet: {self.host.key('find.filter')} begins", "dim")
        elif not panel.seek(wanted, by):
            self.flash(f"no row is like /{wanted.text}", "warn")

    def unfilter(self) -> bool:
        """Show all rows of the panel again; tell whether some were hidden."""
        panel = self._panels[self.panel]
        if not panel.filter.text:
            return False
        row = panel.selected
        panel.sift(Filter(), row.key if row is not None else self._home)
        self._share_anew()
        return True

    def on_key(self, event: events.Key) -> None:
        """Type, while a filter is being typed."""
        if self._typed is None:
            return
        if event.key in ("escape", "ctrl+c"):
            self._end(keep=False)
        elif event.key == "enter":
            self._end(keep=True)
        elif event.key in ("up", "down"):
            self._panels[self.panel].move(1 if event.key == "down" else -1)
        elif event.key == "backspace" and not self._typed.text:
            self._end(keep=False)
        else:
            self._typed = self._typed.press(event.key, event.character) or self._typed
            self._sift()
        event.stop()
        event.prevent_default()

    def on_paste(self, event: events.Paste) -> None:
        """Type what is pasted."""
        if self._typed is not None:
            self._typed = self._typed.put(event.text)
            self._sift()

    def leave_panel(self) -> None:
        """Keep what is typed when another panel gets the focus."""
        if self._typed is not None:
            self._end(keep=True)

    def _sift(self) -> None:
        typed = self._typed
        if typed is None:
            return
        from healmon_tui.screens.modal import keys  # noqa: PLC0415 - loaded when somebody types

        panel = self._panels[self.panel]
        panel.sift(Filter(typed.text), self._home)
        count = Span(f"  {len(panel.view.rows)} of {panel.total}", "dim")
        ends = keys(("enter", "keep"), ("esc", "clear"))
        self._keys.ask((Span(" /", "accent"), *typed.spans(), count), ends)

    def _end(self, *, keep: bool) -> None:
        panel, wanted = self._panels[self.panel], Filter(self._typed.text if self._typed else "")
        self._typed = None
        self._keys.ask(())
        if wanted:
            self._sought[self.panel] = wanted
        if not keep or not wanted:
            panel.sift(Filter(), self._home)
        panel.pin()
        self._share_anew()

    def _share_anew(self) -> None:
        self.host.redraw()
        # heights take effect with the next layout; what is drawn depends on them
        self.call_after_refresh(self.host.redraw)

    def action_copy(self) -> None:
        """Copy the marked rows, or the one under the cursor."""
        panel = self._panels[self.panel]
        rows = panel.marked or ((panel.selected,) if panel.selected is not None else ())
        if rows:
            self.host.copy_to_clipboard(described(rows))
            what = short(rows[0].component) if len(rows) == 1 else f"{len(rows)} rows"
            self.flash(f"copied {what} (OSC 52: if your terminal lets it)", "dim")


def described(rows: tuple[Row, ...]) -> str:
    """Return rows as text, cells set apart by tabs: for the clipboard."""
    return "\n".join("\t".join(_cells(row)) for row in rows)


def _cells(row: Row) -> list[str]:
    texts = ["".join(span.text for span in spans).strip() for spans in row.cells.values()]
    return [printable(text) for text in (row.component, *texts) if text and text != "-"]
