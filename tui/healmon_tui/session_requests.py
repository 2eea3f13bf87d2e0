"""What a person does with one session: go there, answer it, look into it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from healmon.plans import Packed
from healmon.service.link import Link
from healmon.state import FOREVER, ComponentView
from healmon.text import clean
from healmon_tui import session
from healmon_tui.facts import Facts
from healmon_tui.paint import Line
from healmon_tui.requests import Asking, Requests
from healmon_tui.rows.scene import short
from healmon_tui.screens.answer import AnswerSheet
from healmon_tui.screens.page import PageSheet
from healmon_tui.screens.replay import Replay


class Leaving(Asking, Protocol):
    """What these requests need of the app beyond asking."""

    def suspend(self) -> AbstractContextManager[None]:
        """Give the terminal away for a while."""
        ...


class SessionRequests:
    """Asks about one session, and says what became of it."""

    def __init__(self, app: Leaving, link: Link, requests: Requests) -> None:
        self._app = app
        self._link = link
        self._requests = requests

    def jump(self, view: ComponentView) -> None:
        """Take the person to its pane."""
        self._app.spawn(self._jump(view.facts))

    async def _jump(self, facts: Packed) -> None:
        try:
            said = await self._link.visit(facts, self._app.suspend)
        except Exception as error:  # noqa: BLE001 - a terminal that cannot be given away is an answer
            said = clean(f"cannot go there: {error}")
        self._app.flash(said, "text")

    def answer(self, view: ComponentView) -> None:
        """Let the person pick one of the answers that its question offers."""
        facts, name = Facts(view.facts), short(view.name)
        offered = session.choices(facts)
        if not facts.text("question") and not offered:
            self._app.flash(f"{name} asks nothing", "dim")
            return
        if not offered:
            self._app.flash(f"{name} offers no answers to pick from: go there with o", "warn")
            return

        def picked(place: int | None) -> None:
            if place is not None:
                self._requests.offer("answer", view.name, answer_of(facts, place))

        self._app.open_sheet(AnswerSheet(name, facts.text("question", "text"), offered), picked)

    def touch(self, view: ComponentView) -> None:
        """Never touch it, or touch it again."""
        never = self._app.snapshot.maintenance.get(view.name, 0.0) >= FOREVER
        self._requests.ask("touch" if never else "never-touch", view.name, {})

    def explain(self, view: ComponentView) -> None:
        """Show why it is in its state, by a fresh look at its screen."""
        self._app.spawn(self._explain(view))

    async def _explain(self, view: ComponentView) -> None:
        seen = await self._link.peek(view.facts)

        def body(cells: int) -> list[Line]:
            return session.reading(Facts(view.facts), seen, cells)

        self._app.open_sheet(PageSheet(f"{short(view.name)}: why {_state(view)}", body))

    def replay(self, view: ComponentView) -> None:
        """Show what was kept of the newest act on it: its screen before and after."""
        name = Facts(view.facts).text("evidence") or self._newest(view.name)
        if not name:
            self._app.flash(f"nothing was kept of {short(view.name)}: no act yet", "dim")
            return
        self._app.spawn(self._replay(view, name))

    async def _replay(self, view: ComponentView, name: str) -> None:
        kept = await self._link.evidence(name)
        if not kept:
            self._app.flash(f"the evidence {clean(name)} is not there (any more)", "warn")
            return
        self._app.open_sheet(Replay(view.name, kept))

    def _newest(self, component: str) -> str:
        mine = (a for a in self._app.snapshot.alerts.values() if a.component == component)
        return next((name for a in mine if (name := Facts(a.evidence).text("evidence"))), "")


def answer_of(facts: Facts, place: int) -> Packed:
    """Return what names an answer so that it is given only to the question that was shown."""
    return {
        "number": place + 1,
        "text": session.choices(facts)[place],
        "rule": facts.text("matched"),
        "question": facts.text("question"),
    }


def _state(view: ComponentView) -> str:
    return Facts(view.facts).text("state").replace("_", " ") or view.status
