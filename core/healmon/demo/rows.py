"""Made-up texts and times for the demo's databases."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone

FAR_WEST = timezone(timedelta(hours=-8))
"""Where the machine stood whose programs wrote local times."""
HOSTILE_TEXTS = (
    "\x1b[2J\x1b[31mclears your screen\x1b[0m \x1b]0;and your title\x07",
    "[bold red]markup[/bold red] [link=file:///etc/passwd]click[/link] [/]",
    "turned \u202edeliaf reven\u202c around, zero\u200bwidth, \u2028 line, \ufeff mark",
    'it\'s "quoted"; DROP TABLE prompts;-- %s {0} ${HOME} `id`',
    "tab\tand\rreturn and bell \x07 and a nul \x00 in the middle",
    "família 家族 👩\u200d👩\u200d👧 e\u0301",
)
_WORDS = """
    review the failing build, then write a short note; rename the helper; collect the numbers for
    the weekly table; check that every link answers; split the long module in two; describe what
    changed and why; make the form remember its fields; measure before and after
""".split()  # noqa: SIM905 - words are read as words


def utc(wall: float) -> str:
    """Return a time as SQLite's `datetime()` writes it: 19 characters, UTC, no zone."""
    return f"{datetime.fromtimestamp(int(wall), UTC):%Y-%m-%d %H:%M:%S}"


def zulu(wall: float) -> str:
    """Return a time as JSON writers do: ISO with `Z`."""
    return f"{datetime.fromtimestamp(int(wall), UTC):%Y-%m-%dT%H:%M:%S}Z"


def local(wall: float) -> str:
    """Return a time as Python's `datetime.now().isoformat()` gives it far in the west."""
    return (
        datetime.fromtimestamp(wall, FAR_WEST).replace(tzinfo=None).isoformat("T", "microseconds")
    )


def prose(source: random.Random, length: int) -> str:
    """Return made-up text of about so many characters, with line ends and quotes."""
    words: list[str] = []
    size = 0
    while size < length:
        word = source.choice(_WORDS)
        if source.random() < 0.05:
            word = f'"{word}"'
        elif source.random() < 0.05:
            word += "\n"
        words.append(word)
        size += len(word) + 1
    return " ".join(words)[:length]
