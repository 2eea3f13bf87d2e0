"""What a person is told on stderr before anything begins: which files others can change or read."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from healmon.config.trust import Worry
from healmon.text import clean


def warn(worries: Iterable[Worry]) -> None:
    """Say what others may do with the files of a configuration, and how to mend it."""
    for path, what, remedy in worries:
        print(f"healmon: {clean(str(path))}: {what}; {remedy}", file=sys.stderr)  # noqa: T201 - a warning
