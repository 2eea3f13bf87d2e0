"""The real app over a scripted healer, and what its screen says."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from textual.pilot import Pilot

from healmon_tui.app import HealmonApp
from tests.helpers.scripted import ScriptedLink

GOLDEN = Path(__file__).parent.parent / "tui" / "golden"
NEVER = 1e6
"""Seconds between two ticks, and until a person counts as idle: a busy machine would have that in
the midst of what a test does.
"""
RENEW = "HEALMON_RENEW_GOLDEN"
"""Set this variable to write the golden files anew."""


@dataclass
class Screen:
    """An app under test."""

    app: HealmonApp
    pilot: Pilot[Any]
    link: ScriptedLink

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other, and let what they start happen."""
        for key in keys:
            await self.pilot.press(key)
            await self.pilot.pause()
        await self.settle()

    async def settle(self) -> None:
        """Fold and draw everything there is."""
        asking = [worker for worker in self.app.workers if worker.group != "end"]
        if asking:
            await self.app.workers.wait_for_complete(asking)
        self.app.redraw()
        await self.pilot.pause()
        self.app.redraw()
        await self.pilot.pause()

    async def until(self, condition: Callable[[], object]) -> None:
        """Let the app go on until something is so."""
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.01)

    def idle(self) -> None:
        """Let the person at the keys have been idle for long."""
        self.app._touched -= NEVER

    def lines(self) -> list[str]:
        """Return what the front screen shows."""
        strips = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip).rstrip() for strip in strips]

    def text(self) -> str:
        """Return what the front screen shows as one text."""
        return "\n".join(self.lines()) + "\n"

    def line_of(self, word: str) -> str:
        """Return the first line that has a word in it."""
        found = [line for line in self.lines() if word in line]
        assert found, f"no {word!r} on the screen:\n{self.text()}"
        return found[0]

    @property
    def answer(self) -> str:
        """The answer shown in the last line of the overview."""
        return self.app.overview.answer


@asynccontextmanager
async def open_screen(
    link: ScriptedLink, size: tuple[int, int] = (80, 24), **options: Any
) -> AsyncIterator[Screen]:
    """Run the app without a terminal; nothing happens because a second is over, only when told."""
    options = {"plain": False, "ascii_only": False, "clock": link.clock, **options}
    with patch("healmon_tui.pacing.TICK", NEVER), patch("healmon_tui.app.IDLE", NEVER):
        app = HealmonApp(link, **options)
        async with app.run_test(size=size) as pilot:
            screen = Screen(app, pilot, link)
            await screen.settle()
            yield screen


def check_golden(name: str, text: str) -> None:
    """Compare with a golden file, or write it where asked to."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get(RENEW):
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8"), f"{path} differs; if meant: {RENEW}=1 pytest tests/tui"
