"""The screen behind a browser's tab: it looks on, asks as who is logged in, and never heals."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from healmon.plans import Answer, Packed
from healmon.service import asking
from healmon.service.looks import Leave
from healmon.service.takeover import Relay
from healmon.world import tether

if TYPE_CHECKING:
    from healmon.config.settings import Settings

LOOK_ONLY: Final = "you may look, not act: log in with the operator's token"
NO_TERMINAL: Final = (
    "a browser's tab cannot go to a pane; in a terminal of that host: healmon-tui, or tmux attach"
)
NO_HEALER: Final = "a browser's tab never heals; on that host: healmon daemon"


class TabLink(Relay):
    """A link to another process's healer.

    Args:
        state_dir: whose healer.
        packs: the folder of one's own detection packs.
        asker: for whom is asked, in words; empty: for nobody, who only looks.
    """

    def __init__(self, state_dir: Path, packs: str, asker: str) -> None:
        super().__init__(state_dir, packs, None)
        self._home = state_dir
        self._asker = asker

    async def ask(self, verb: str, target: str, arguments: Packed) -> Answer:
        """Ask the healer for something, for the person in the browser."""
        if not self._asker:
            return Answer(ok=False, text=LOOK_ONLY)
        return await asyncio.to_thread(
            asking.ask_healer, self._home, verb, target, arguments, self._asker
        )

    async def take_over(self) -> Answer:
        """Say that there is none to be had."""
        return Answer(ok=False, text=NO_HEALER)

    async def visit(self, facts: Packed, leave: Leave) -> str:
        """Say why not: a tab has no terminal to give away."""
        del facts, leave
        return NO_TERMINAL


def tab(words: Sequence[str], open_screen: Callable[..., int]) -> int:
    """Show the screen until the tab is closed; returns the exit code.

    Raises:
        HealmonError: the configuration is wrong, or there is nothing to look at.
    """
    args = _parser().parse_args(words)
    tether.tether(args.parent)
    tether.expendable()
    from healmon.service.foreground import configured  # noqa: PLC0415 - first the tether
    from healmon.service.screenlook import look_of  # noqa: PLC0415 - likewise

    settings, _ = configured(args, screen=True)
    link = TabLink(Path(args.state_dir), settings.sessions.packs, args.asker)
    return open_screen(
        link, look=look_of(settings, os.environ), read_only=not args.asker, title=_title(settings)
    )


def _title(settings: Settings) -> str:
    return f"healmon {settings.monitor.name}".strip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="healmon_tui.tab", allow_abbrev=False)
    parser.add_argument("--state-dir", required=True)
    parser.add_argument("--config")
    parser.add_argument("--parent", required=True, type=int)
    parser.add_argument("--asker", default="")
    return parser
