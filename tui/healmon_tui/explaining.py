"""Why a row is as it is: what `healmon explain` says of it, on a page."""

from __future__ import annotations

from healmon.service.link import Link
from healmon.state import ComponentView, Snapshot
from healmon_tui.paint import Line, Span, Tone, wrap
from healmon_tui.requests import Asking
from healmon_tui.rows.scene import Row, short
from healmon_tui.screens.page import PageSheet
from healmon_tui.session_requests import SessionRequests

STORY = "story:"


class Explanations:
    """Asks why, and shows the answer."""

    def __init__(self, app: Asking, link: Link, sessions: SessionRequests) -> None:
        self._app = app
        self._link = link
        self._sessions = sessions

    def of_row(self, row: Row, view: ComponentView | None) -> None:
        """Show why a row is as it is: a story by its chain of events, a component by its facts."""
        number = number_of(row, self._app.snapshot)
        if number:
            named = row.alert in self._app.snapshot.alerts
            self._show(number, f"{'alert' if named else 'event'} {number}: {short(row.component)}")
        elif view is not None:
            self.of_component(view)

    def of_component(self, view: ComponentView) -> None:
        """Show why a component is as it is; a session by a fresh look at its screen."""
        if view.healer == "sessions" and view.name.startswith("session:"):
            self._sessions.explain(view)
        else:
            self._show(view.name, f"{short(view.name)}: why {view.summary or view.status}")

    def of_alert(self, key: str, view: ComponentView | None) -> None:
        """Show why an alert is there."""
        known = self._app.snapshot
        alert = known.alerts.get(key) or known.ended.get(key)
        if alert is not None:
            self._show(str(alert.id), f"alert {alert.id}: {short(alert.component)}")
        elif view is not None:
            self.of_component(view)

    def _show(self, target: str, title: str) -> None:
        self._app.spawn(self._explain(target, title))

    async def _explain(self, target: str, title: str) -> None:
        told = await self._link.explain(target)
        if not told:
            self._app.flash(f"nothing is known of {short(target)} (any more)", "warn")
            return
        self._app.open_sheet(PageSheet(title, lambda cells: page(told, cells)))


def number_of(row: Row, known: Snapshot) -> str:
    """Return the number of the alert or event that a row of the log is about; empty: it is none."""
    alert = known.alerts.get(row.alert) if row.alert else None
    if not row.key.startswith(STORY):
        return ""
    return str(alert.id) if alert is not None else row.key.removeprefix(STORY)


def page(told: tuple[str, ...], cells: int) -> list[Line]:
    """Return an explanation as lines of a page, each wrapped below its own beginning."""
    done: list[Line] = []
    for text in told:
        words = text.lstrip()
        pad = min(len(text) - len(words), cells // 3)
        for number, part in enumerate(wrap(words, max(cells - pad - 2, 8), most=8)):
            lead = " " * (pad + (2 if number else 0))
            done.append(Line((Span(lead), Span(part, _tone(text)))))
    return done


def _tone(text: str) -> Tone:
    if not text.startswith(" "):
        return "strong"
    return "dim" if text.lstrip()[:1].isdigit() else "text"
