"""When the healer that is looked at ends: what is said, and the offer to heal from this screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from textual.screen import Screen

from healmon.clock import local_time
from healmon.service.link import Gone, Link
from healmon.units import format_duration
from healmon_tui import keymap
from healmon_tui.host import host
from healmon_tui.paint import Line, Span, Spans, Tone, labelled, wrap
from healmon_tui.screens.modal import Sheet, keys, refusal

LOOK = 1.0
"""Seconds between two looks whether the offer still stands."""
TERMS = (
    "This screen becomes the healer: same configuration, same history, alerts and plans as they"
    " stand. Workers are not restarted: those that run are taken on.\n"
    "Healing ends when this screen is closed; until then any other healer is turned away."
)


class Home(Protocol):
    """What this part needs of the app."""

    def spawn_take_over(self) -> None:
        """Take over, and say what came of it."""
        ...

    def open_sheet(
        self, sheet: Screen[bool | None], answered: Callable[[bool | None], None] | None = None
    ) -> None:
        """Put a screen over the others; `answered` gets its result."""
        ...


class TakeOver:
    """The offer; made once by `enter`, afterwards when something is asked of the healer.

    Args:
        home: the app.
        link: the healer.
    """

    def __init__(self, home: Home, link: Link) -> None:
        self._home = home
        self._link = link
        self._declined = ""

    def offer(self, *, again: bool = False) -> bool:
        """Open the sheet if there is something to take over; tell whether it was opened.

        Args:
            again: also when it was declined before.
        """
        gone = self._link.gone()
        if gone is None:
            self._declined = ""
            return False
        if not gone.offered or (self._declined == _case(gone) and not again):
            return False
        self._home.open_sheet(TakeOverSheet(self._link, gone), self._answered)
        return True

    def _answered(self, yes: bool | None) -> None:  # noqa: FBT001 - Textual hands the result in
        gone = self._link.gone()
        if yes:
            self._home.spawn_take_over()
        elif gone is not None:
            self._declined = _case(gone)

    def key(self, gone: Gone) -> str:
        """Return the key that opens the sheet now; empty: there is no offer."""
        if not gone.offered:
            return ""
        return "ctrl-r" if self._declined == _case(gone) else "enter"

    def words(self, gone: Gone, now: float) -> str:
        """Return the banner over a screen whose healer is gone."""
        return words(gone, now, self.key(gone))


def _case(gone: Gone) -> str:
    return f"{gone.who} {gone.since}"


def words(gone: Gone, now: float, key: str) -> str:
    """Return the banner over a screen whose healer is gone."""
    ago = format_duration(max(0, int(now - gone.since)))
    offer = f"{key} takes over" if key else "nobody heals"
    return f"NO HEALER since {local_time(gone.since)} ({ago}), {offer}: {gone.who} {gone.how}"


class TakeOverSheet(Sheet[bool | None]):
    """Asks whether this screen is to heal; goes away when somebody else does."""

    BINDINGS = [  # noqa: RUF012 - Textual declares it so
        *keymap.answers(("sheet.yes", "answer(True)"), ("sheet.no", "answer(False)")),
        ("q,enter", "answer(False)"),
    ]

    def __init__(self, link: Link, gone: Gone) -> None:
        super().__init__("take over?", "warn")
        self._link = link
        self._gone = gone

    def on_mount(self) -> None:
        """Fill the box, and see whether the offer stands."""
        super().on_mount()
        self.set_interval(LOOK, self._look)

    def _look(self) -> None:
        if self._link.gone() is None and self.is_current:
            self.dismiss(None)

    def body(self, cells: int) -> list[Line]:
        """Return what happened and what taking over means."""
        gone = self._gone
        rows: list[tuple[str, str, Tone]] = [
            ("healer", gone.who, "strong"),
            ("since", local_time(gone.since, "%Y-%m-%d %H:%M:%S"), "text"),
            ("how", gone.how, "text"),
        ]
        done = [line for k, text, tone in rows for line in labelled(k, (Span(text, tone),), cells)]
        for text in TERMS.splitlines():
            done.append(Line())
            done += [Line((Span(" "), Span(part, "text"))) for part in wrap(text, cells - 2)]
        return done

    def foot(self) -> Spans:
        """Return the keys."""
        key = host(self).key
        return keys((key("sheet.yes"), "take over"), (refusal(self), "not now"))

    def action_answer(self, yes: bool) -> None:  # noqa: FBT001 - the binding's word
        """Answer."""
        self.dismiss(yes)
