"""What is started for a tab: words and environment. Pure."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

MODULE: Final = "healmon_tui.tab"
KEPT: Final = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "TZ", "TMPDIR", "TMUX_TMPDIR", "XDG_CONFIG_HOME",
        "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE",
        "HEALMON_CONFIG",
    }
)  # fmt: skip
"""Variables of ours that a tab's program gets: nothing that could be a secret."""
TOLD: Final = frozenset(
    {
        "TEXTUAL_DRIVER", "TEXTUAL_COLOR_SYSTEM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION",
        "COLUMNS", "ROWS",
    }
)  # fmt: skip
"""Variables that textual-serve tells its programs."""
OWN_WORDS: Final = "HEALMON_UI__"
"""Keys of `[ui]` given by the environment."""
FRAMES: Final = "15"
"""Drawings a second at most: what goes over a network need not be smoother."""


class Size(NamedTuple):
    """Of a terminal, in cells."""

    width: int
    height: int


LEAST: Final = Size(2, 1)
MOST: Final = Size(500, 200)
DEFAULT: Final = Size(80, 24)


def size_of(width: object, height: object) -> Size:
    """Return a size within reason; of what is no number, the usual one."""
    return Size(
        _within(width, LEAST.width, MOST.width, DEFAULT.width),
        _within(height, LEAST.height, MOST.height, DEFAULT.height),
    )


def _within(value: object, least: int, most: int, usual: int) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 6:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return usual
    return max(least, min(value, most))


def words(state_dir: Path, config: str, asker: str, parent: int) -> tuple[str, ...]:
    """Return the argv of a tab's program.

    Args:
        state_dir: whose healer is looked at.
        config: the configuration's file; empty: the usual one.
        asker: for whom may be asked, in words; empty: only to look.
        parent: our pid: it ends when we do.
    """
    named = ("--config", config) if config else ()
    asking = (f"--asker={asker}",) if asker else ()
    return (
        sys.executable, "-P", "-m", MODULE, "--state-dir", str(state_dir), "--parent", str(parent),
        *named, *asking,
    )  # fmt: skip


def environment(ours: Mapping[str, str], told: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a tab's program.

    Args:
        ours: this process's.
        told: what textual-serve wants its programs to have.
    """
    kept = {k: v for k, v in ours.items() if k in KEPT or k.startswith(OWN_WORDS)}
    theirs = {name: value for name, value in told.items() if name in TOLD}
    # whatever the server's own locale: the browser's is UTF-8
    own = {"TEXTUAL_FPS": FRAMES, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}
    return {**kept, **theirs, **own}
