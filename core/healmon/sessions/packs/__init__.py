"""Detection packs: what a screen, a title and a terminal say, by rules that are data.

`claude`, `codex`, `gemini` and `opencode` know one agent each; `job`, `raw` and `terminal` know how
programs behave that nobody described. docs/packs.md explains the files.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from healmon.sessions.packs.catalog import Packs
from healmon.sessions.packs.explaining import explain
from healmon.sessions.packs.model import Chords, Pack
from healmon.sessions.packs.parser import PackError, parse
from healmon.world import packfiles

__all__ = ["Chords", "Pack", "PackError", "Packs", "bundled", "explain", "parse"]

DATA = Path(__file__).with_name("data")


@cache
def bundled() -> Packs:
    """Return the packs that come with healmon."""
    return Packs(parse(one.text, f"bundled {one.path.name}") for one in packfiles.read(DATA).packs)
