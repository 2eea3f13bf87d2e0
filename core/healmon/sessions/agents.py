"""Which command lines are shells for people. Pure.

Everything else that is known of programs is in the detection packs (`healmon.sessions.packs`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

SHELLS: Final = frozenset(
    (
        "bash", "zsh", "sh", "dash", "ash", "fish", "ksh", "mksh", "tcsh", "csh", "nu", "xonsh",
        "elvish", "pwsh",
    )
)  # fmt: skip


def is_shell(argv: Sequence[str]) -> bool:
    """Return whether a command line is a shell for people, not one that runs a script."""
    if not argv or PurePosixPath(argv[0].lstrip("-")).name not in SHELLS:
        return False
    return all(word.startswith("-") and not _runs_text(word) for word in argv[1:])


def _runs_text(option: str) -> bool:
    return not option.startswith("--") and "c" in option
