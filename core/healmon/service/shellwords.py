"""What stands on a line of a shell so far, and what a shell may put there. Pure."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

PROGRAMS: Final = ("healmon", "healmon-tui")
BREAKS: Final = ":=@"
"""Where bash begins a word anew where no quote is open."""
_MARK: Final = "\0"


def split(line: str) -> tuple[list[str], str]:
    """Return the words of what was typed so far, without quotes, and the quote that is open."""
    for quote in ("", "'", '"'):
        with contextlib.suppress(ValueError):
            # the mark tells a blank that is quoted from one after which a new word begins
            words = shlex.split(f"{line}{_MARK}{quote}")
            return [*words[:-1], words[-1].removesuffix(_MARK)], quote
    return [line], ""


def from_ours(words: Sequence[str]) -> list[str]:
    """Return words from the name of our program on; bash gives assignments before it, too."""
    ours = (at for at, word in enumerate(words) if Path(word).name in PROGRAMS)
    return list(words[next(ours, 0) :])


def for_bash(value: str, line: str) -> str:
    """Return what bash is to put in the place of what it takes for the word that is typed.

    Args:
        value: what that word may become, all of it.
        line: all that was typed.
    """
    words, quote = split(line)
    if not quote:
        begun = max(words[-1].rfind(end) for end in BREAKS) + 1
        return re.sub(r"([^\w@%+=:,./-])", r"\\\1", value[begun:])
    at = line.rfind(quote)
    while split(line[:at])[1]:  # that one is quoted itself
        at = line.rfind(quote, 0, at)
    rest = value.removeprefix(split(line[:at])[0][-1])
    return rest.replace("'", r"'\''") if quote == "'" else re.sub(r'([\\$`"])', r"\\\1", rest)
