"""What the person at the keys asks of the healer, and what is said to them about it.

Everything goes through `Link.ask`; a refusal is one line. One request of a kind is under way at a
time, and none of them holds up the screen.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias, cast

from healmon.plans import Packed
from healmon.service.link import Link
from healmon.text import clean
from healmon_tui.offers import Asking, Offers

__all__ = ["HEALER_OF", "Asking", "Fault", "Faults", "Requests"]

HEALER_OF: Final[dict[str, str]] = {
    "restart": "workers", "clear": "sessions", "clean": "disks", "unlock": "databases",
}  # fmt: skip

Fault: TypeAlias = tuple[str, Callable[[], object]]
"""A fault of the demo: what it is called, and what makes it happen."""
Faults: TypeAlias = Sequence[Fault] | Callable[[], Sequence[Fault]] | None


class Requests(Offers):
    """Asks, and says what became of it."""

    def __init__(self, app: Asking, link: Link, faults: Faults) -> None:
        super().__init__(app, link)
        self.faults: tuple[Fault, ...] = tuple(faults() if callable(faults) else faults or ())

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
