"""A panel: a heading that is also the column heads, and rows with a cursor that follows its row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from textual import events
from textual.message import Message

from healmon.clock import process_seconds
from healmon_tui import glyphs
from healmon_tui.columns import Slot, place
from healmon_tui.filtering import Filter, following, sieve
from healmon_tui.paint import (
    Line,
    Span,
    Spans,
    Tone,
    clip,
    cut,
    width,
)
from healmon_tui.rows.scene import WELL, Row
from healmon_tui.viewmodel import PANELS, PanelId, PanelView
from healmon_tui.widgets.cells import drawn, reaching
from healmon_tui.widgets.lines import Lines

SEEN: Final = 0.5
"""Seconds for which a row must have been under the cursor before a key can be meant for it."""
Drawn: TypeAlias = dict[str, tuple[tuple[object, ...], Row, Line]]
"""Lines in sight by the key of their row, with how and of what they were drawn."""


class Panel(Lines, can_focus=True):
    """One of the five panels.

    Attributes:
        bare: draw no title in the heading: a line of tabs above says it.
    """

    class Moved(Message):
        """The cursor of a panel is on another row."""

        def __init__(self, panel: Panel) -> None:
            super().__init__()
            self.panel = panel

    class Opened(Moved):
        """A row was clicked twice."""

    def __init__(self, panel: PanelId) -> None:
        super().__init__(id=panel)
        self.panel: PanelId = panel
        self.bare = False
        self.view = PanelView(panel, (), ())
        self.filter = Filter()
        self._all = self.view
        self._key = ""
        self._marks: frozenset[str] = frozenset()
        self._cursor = 0
        self._top = 0
        self._drawn: Drawn = {}
        self._placed: tuple[tuple[int, int], tuple[Slot, ...]] = ((-1, -1), ())
        self._seen: object = None
        self._slid: tuple[float, str] = (0.0, "")

    @property
    def selected(self) -> Row | None:
        """The row under the cursor."""
        rows = self.view.rows
        return rows[min(self._cursor, len(rows) - 1)] if rows else None

    @property
    def marked(self) -> tuple[Row, ...]:
        """The marked rows that are not hidden, in their order: only these are acted on."""
        return tuple(row for row in self.view.rows if row.key in self._marks)

    @property
    def hidden_marks(self) -> int:
        """How many marked rows the filter hides."""
        return len(self._marks) - len(self.marked)

    @property
    def total(self) -> int:
        """How many rows there are, hidden ones included."""
        return len(self._all.rows)

    def mark(self) -> None:
        """Mark the row under the cursor, or no longer, and go to the next."""
        row = self.selected
        if row is not None:
            self._marks ^= {row.key}
            self.move(1)
            self.renew()

    def unmark(self) -> None:
        """Mark nothing any more."""
        self._marks = frozenset()
        self.renew()

    def acted(self) -> None:
        """Mark no longer what was acted on; what the filter hides was not."""
        self._marks -= {row.key for row in self.marked}
        self.renew()

    def show(self, view: PanelView) -> None:
        """Show another state; once a key was pressed the cursor stays on its row, and its line."""
        how = (self.size, self.bare, self.has_focus, self.filter)
        if view is self._all and how == self._seen:
            return
        self._seen = how
        line, before = self._cursor - self._top, self.selected
        self._all = view
        self.view = sieve(view, self.filter, self._visible) if self.filter else view
        self._marks = self._marks and self._marks & {row.key for row in view.rows}
        view = self.view
        found = view.find(self._key) if self._key else 0
        self._cursor = max(0, min(self._cursor if found is None else found, len(view.rows) - 1))
        if self._key:
            self._key = view.rows[self._cursor].key if view.rows else ""
        self._top = self._cursor - line
        self._keep_in_sight()
        if before is not None and (now := self.selected) is not None and now.key != before.key:
            self._slid = (process_seconds(), before.component)
        self.renew()

    @property
    def slid(self) -> str:
        """The component whose row was under the cursor a moment ago, before another one came."""
        at, component = self._slid
        return component if component and process_seconds() - at < SEEN else ""

    def sift(self, wanted: Filter, home: str = "") -> None:
        """Hide the rows that a filter does not keep.

        Args:
            wanted: the filter; an empty one hides nothing.
            home: key of the row that the cursor goes to, if it is there.
        """
        self.filter = wanted
        self._key = home or self._key
        self.show(self._all)
        self._slid = (0.0, "")  # that was the person
        self.post_message(self.Moved(self))

    def seek(self, wanted: Filter, by: int) -> bool:
        """Go to the next row that a filter keeps, round the end; tell whether there is one."""
        if not self.view.rows:
            return False
        found = following(self.view.rows, self._cursor, by, wanted, self._visible)
        if found is not None:
            self.move_to(found)
        return found is not None

    @property
    def _visible(self) -> frozenset[str]:
        return frozenset(slot.column.key for slot in self._slots(self.size.width))

    def pin(self) -> None:
        """Bind the cursor to its row: from now on it moves with it."""
        row = self.selected
        self._key = row.key if row is not None else ""

    def move(self, by: int) -> None:
        """Move the cursor by so many rows."""
        self.move_to(self._cursor + by)

    def move_to(self, place_: int) -> None:
        """Move the cursor to a row; beyond an end means that end."""
        rows = self.view.rows
        if not rows:
            return
        self._cursor = max(0, min(place_, len(rows) - 1))
        self._slid = (0.0, "")
        self._key = rows[self._cursor].key
        self._keep_in_sight()
        self.renew()
        self.post_message(self.Moved(self))

    def page(self, direction: int) -> None:
        """Move the cursor by half a panel."""
        self.move(direction * max(self._room() // 2, 1))

    def build(self, width: int, height: int) -> list[Line]:
        """Return the heading and the rows in sight."""
        self._keep_in_sight()
        slots = self._slots(width)
        if self.filter and self._all.rows and not self.view.rows:
            said = f"   no row is like this: esc shows all {self.total}"
            return [self._heading(slots, width, height), Line((Span(said, "dim"),))]
        seen = range(self._top, min(len(self.view.rows), self._top + height - 1))
        fresh: Drawn = {}
        lines = [self._drawn_row(index, slots, width, fresh) for index in seen]
        self._drawn = fresh
        return [self._heading(slots, width, height), *lines]

    def _slots(self, width: int) -> tuple[Slot, ...]:
        """Return the columns in their places: the same ones as long as nothing moves them."""
        asked = (self.view.longest, width)
        if self._placed[0] != asked:
            self._placed = (asked, place(self.view.columns(width), width - 1))
        return self._placed[1]

    def _room(self) -> int:
        return max(self.size.height - 1, 0)

    def _keep_in_sight(self) -> None:
        room = self._room()
        if room and self._cursor >= self._top + room:
            self._top = self._cursor - room + 1
        self._top = max(0, min(self._top, self._cursor, len(self.view.rows) - room))

    def _heading(self, slots: Sequence[Slot], cells: int, height: int) -> Line:
        focused = self.has_focus
        title: Tone = "accent" if focused else "strong"
        spans: list[Span] = [Span(" ")]
        if not self.bare:
            number, name = self.view.number, self.view.title.upper()
            spans += [Span(f"{number} {name} ", title), *self.view.badge, Span(" ")]
        if self._marks:
            away = f", {self.hidden_marks} hidden" if self.hidden_marks else ""
            spans.append(Span(f"{glyphs.MARKED} {len(self._marks)} marked{away} ", "accent"))
        if self.filter.text:
            count = f"{len(self.view.rows)} of {self.total} "
            spans += [Span(f"/{cut(self.filter.text, 24)} ", "accent"), Span(count, "dim")]
        hidden = len(self.view.rows) - max(height - 1, 0)
        tail = self._tail(hidden) if height > 1 else (Span(" "),)
        rule: Tone = "dim" if focused else "faint"
        used = width(spans)
        room = cells - width(tail)
        for slot in slots:
            label = slot.column.title
            x = slot.x + (slot.cells - len(label) if slot.column.right else 0)
            if (
                not label
                or not self.view.rows
                or height < 2
                or x < used
                or x + len(label) + 1 > room
            ):
                continue
            if x > used:
                spans += [Span(glyphs.RULE * (x - used - 1), rule), Span(" ")]
            spans.append(Span(f"{label} ", "dim"))
            used = x + len(label) + 1
        spans.append(Span(glyphs.RULE * (room - used), rule))
        return Line((*clip(spans, room), *tail))

    def _tail(self, hidden: int) -> Spans:
        if hidden <= 0 or not self.view.rows:
            return (Span(" "),)
        below = self.view.rows[self._top + self._room() :]
        loud = sum(row.mark.rank < WELL.rank for row in below)
        text = f" +{hidden} more "
        if loud and self.panel != "alerts":
            text = f" +{hidden} more, {loud} not well "
        return (Span(text, "warn" if loud and self.panel != "alerts" else "dim"),)

    def _drawn_row(self, index: int, slots: tuple[Slot, ...], cells: int, fresh: Drawn) -> Line:
        """Return a row's line, the one drawn before if nothing in it is another."""
        row = self.view.rows[index]
        focused = index == self._cursor and self.has_focus
        how = (focused, row.key in self._marks, slots, cells)
        before = self._drawn.get(row.key)
        if before is None or before[1] is not row or before[0] != how:
            line = self._row(row, slots, focused=focused)
            # what is the same is the same one: it is painted already
            line = before[2] if before is not None and before[2] == line else line
            before = (how, row, line)
        fresh[row.key] = before
        return before[2]

    def _row(self, row: Row, slots: Sequence[Slot], *, focused: bool) -> Line:
        sign = glyphs.CURSOR if focused else " "
        marked = glyphs.MARKED if row.key in self._marks else " "
        spans: list[Span] = [
            Span(sign, "accent"),
            Span(row.mark.glyph, row.mark.tone),
            Span(marked, "accent"),
        ]
        shown = reaching(row, slots)
        # each with the blanks up to the next one: half as many pieces to look through
        ends = [*[slot.x for slot in shown[1:]], 0]
        for slot, end in zip(shown, ends, strict=True):
            spans += drawn(row, slot, max(end - slot.x - slot.cells, 0))
        # its door to the screen fills it
        return Line(tuple(spans), "cursor" if focused else "base")

    def on_focus(self) -> None:
        """Show the cursor."""
        self.renew()

    def on_blur(self) -> None:
        """Hide the cursor."""
        self.renew()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is."""
        place_ = self._top + event.y - 1
        if event.y > 0:
            self.move_to(place_)
            if event.chain == 2 and place_ < len(self.view.rows):
                self.post_message(self.Opened(self))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Move down with the wheel."""
        event.stop()
        self.move(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Move up with the wheel."""
        event.stop()
        self.move(-1)


def panels() -> list[Panel]:
    """Return the five panels, in their order."""
    return [Panel(panel) for panel in PANELS]
