"""What was probably meant by a name that does not exist."""

from __future__ import annotations

from collections.abc import Iterable

from healmon.config.keys import TABLES


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name that looks most like this one; empty: none does."""
    import difflib  # noqa: PLC0415 - only what is wrong needs it

    by_look = {_look(one): one for one in known}
    close = difflib.get_close_matches(_look(name), by_look, n=1)
    return by_look[close[0]] if close else ""


def nearest_key(name: str, known: Iterable[str]) -> str:
    """Return the known key that looks most like this one, or the same key of another table."""
    found = nearest(name, known)
    if found:
        return found
    homes = (f"{table.title}.{name}" for table in TABLES if table.key(name) is not None)
    return next(homes, "")


def _look(name: str) -> str:
    return name.lower().replace("-", "_")
