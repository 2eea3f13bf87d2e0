"""What the person at the keys asks of the healer, and what is said to them about it.

Everything goes through `Link.ask`; a refusal is one line. One request of a kind is under way at a
time, and none of them holds up the screen.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol, TypeAlias, TypeVar, cast

from textual.screen import Screen

from healmon.plans import Answer, Packed
from healmon.service.link import Link
from healmon.state import Snapshot
from healmon.text import clean
from healmon_tui import glyphs
from healmon_tui.paint import Tone
from healmon_tui.screens.plan import PlanSheet

HEALER_OF: Final[dict[str, str]] = {
    "restart": "workers", "clear": "sessions", "clean": "disks", "unlock": "databases",
}  # fmt: skip

Result = TypeVar("Result")
Fault: TypeAlias = tuple[str, Callable[[], object]]
"""A fault of the demo: what it is called, and what makes it happen."""
Faults: TypeAlias = Sequence[Fault] | Callable[[], Sequence[Fault]] | None


class Asking(Protocol):
    """What requests need of the app."""

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot."""
        ...

    @property
    def now(self) -> float:
        """Wall seconds of the screen."""
        ...

    def flash(self, text: str, tone: Tone = "text") -> None:
        """Show one line for a while."""
        ...

    def open_sheet(
        self, sheet: Screen[Result], answered: Callable[[Result | None], None] | None = None
    ) -> None:
        """Put a sheet over the screen."""
        ...

    def spawn(self, work: Awaitable[None]) -> None:
        """Run something beside the screen."""
        ...


class Requests:
    """Asks, and says what became of it."""

    def __init__(self, app: Asking, link: Link, faults: Faults) -> None:
        self._app = app
        self._link = link
        self._offering = False
        self._next: list[tuple[str, str]] = []
        self.faults: tuple[Fault, ...] = tuple(faults() if callable(faults) else faults or ())

    def offer(self, verb: str, component: str, more: Packed | None = None) -> None:
        """Ask for a plan and show it.

        Args:
            verb: what is wanted.
            component: of what.
            more: what else the healer must know.
        """
        if self._offering:
            self._app.flash("a plan is being made already", "dim")
            return
        self._offering = True
        self._app.flash(f"{verb} {component}: making the plan{glyphs.MORE}", "dim")
        self._app.spawn(self._offer(verb, component, {"verb": verb, **(more or {})}))

    def offer_each(self, verb: str, components: Sequence[str]) -> None:
        """Ask for the plans of several, and show them one after the other."""
        if self._offering:
            self._app.flash("a plan is being made already", "dim")
            return
        self._next = [(verb, component) for component in components]
        self._go_on()

    def _go_on(self) -> None:
        if self._next:
            self.offer(*self._next.pop(0))

    async def _offer(self, verb: str, component: str, arguments: Packed) -> None:
        try:
            answer = await self.answer("offer", component, arguments)
        finally:
            self._offering = False
        plan = answer.plan
        if not answer.ok or plan is None:
            self._app.flash(answer.text or f"{verb} {component}: nothing to do", "warn")
            self._go_on()
            return
        refusal = answer.text
        if not refusal and self._app.snapshot.engine.dry_run:
            refusal = "dry run"

        def answered(yes: bool | None) -> None:  # noqa: FBT001 - the sheet's result
            if yes:
                self._app.spawn(self._apply(plan.id, f"{verb} {component}"))
            else:
                self._app.flash(f"{verb} {component}: not done", "dim")
            self._go_on()

        self._app.flash("")
        self._app.open_sheet(PlanSheet(plan, refusal), answered)

    async def _apply(self, plan_id: str, what: str) -> None:
        answer = await self.answer("apply", plan_id, {})
        tone: Tone = "ok" if answer.ok else "warn"
        self._app.flash(f"{what}: {answer.text or ('under way' if answer.ok else 'refused')}", tone)

    def ask(self, verb: str, target: str, arguments: Packed) -> None:
        """Ask for something that needs no plan, and show the answer."""
        self._app.spawn(self._plain(verb, target, arguments))

    async def _plain(self, verb: str, target: str, arguments: Packed) -> None:
        answer = await self.answer(verb, target, arguments)
        said = answer.text or f"{verb} {target}: {'done' if answer.ok else 'refused'}"
        self._app.flash(said, "text" if answer.ok else "warn")

    def check(self) -> None:
        """Ask for a look at everything now."""
        self._app.spawn(self._check())

    async def _check(self) -> None:
        answer = await self.answer("check", "", {})
        self._app.flash(answer.text or "looking now", "text" if answer.ok else "warn")

    def fault(self, place: int) -> None:
        """Make one of the demo's faults happen."""
        name, make = self.faults[place]
        self._app.spawn(self._fault(name, make))

    async def _fault(self, name: str, make: Callable[[], object]) -> None:
        try:
            made = await asyncio.to_thread(make)
            if inspect.isawaitable(made):
                made = await cast("Awaitable[object]", made)
        except Exception as error:  # noqa: BLE001 - a fault that cannot be made must not end the screen
            self._app.flash(f"{name}: {clean(str(error))}", "warn")
            return
        said = f": {clean(made)}" if isinstance(made, str) and made else ""
        self._app.flash(f"fault made: {name}{said}", "warn")

    async def answer(self, verb: str, target: str, arguments: Packed) -> Answer:
        """Ask the healer and return its answer; a link that is broken answers, too."""
        try:
            return await self._link.ask(verb, target, arguments)
        except Exception as error:  # noqa: BLE001 - a broken link is an answer too
            return Answer(ok=False, text=clean(f"{verb}: {type(error).__name__}: {error}"))
