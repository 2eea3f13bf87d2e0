"""All faults of one configuration, collected while reading goes on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from healmon.config.lines import KeyPath
from healmon.config.mask import masked_at
from healmon.config.toml import literal, path_text
from healmon.errors import Problem
from healmon.text import clean

_LONGEST_FOUND = 80


class Faults:
    """Collects problems and knows where each key was written.

    Args:
        file: what the configuration file is called in problems.
        lines: the line of each key in it.
    """

    def __init__(self, file: str, lines: Mapping[KeyPath, int]) -> None:
        self._file = file
        self._lines = lines
        self._origins: dict[KeyPath, str] = {}
        self._bad: set[KeyPath] = set()
        self._problems: list[Problem] = []

    def add(
        self,
        path: KeyPath,
        what: str = "",
        *,
        found: object = None,
        allowed: str = "",
        nearest: str = "",
    ) -> None:
        """Record one fault of the key at `path`.

        `found` is its value, of which no secret is told; None when it tells nothing.
        """
        self._bad.add(path)
        if nearest:
            # the key that was meant is as good as given: it is not missing too
            self._bad.add((*path[:-1], nearest))
        file, line = self._place(path)
        text = "" if found is None else literal(masked_at(path, found))
        text = clean(text, limit=_LONGEST_FOUND)
        key = clean(path_text(path))
        self._problems.append(Problem(file, line, key, what, text, allowed, nearest))

    def clash(self, table: KeyPath, keys: tuple[str, ...], what: str) -> None:
        """Record that keys of one table do not go together.

        Shown at the first of them that was written; not at all when one of them is at fault
        already, because then the clash may be none.
        """
        paths = [(*table, key) for key in keys]
        if any(self.bad(path) for path in paths):
            return
        written = (path for path in paths if path in self._origins or path in self._lines)
        self.add(next(written, paths[0]), what)

    def written(self, path: KeyPath, parts: KeyPath) -> KeyPath:
        """Return where a dotted name was written: as one key, `path`, or as tables, `parts`."""
        apart = (*path[:-1], *parts)
        return apart if apart in self._lines else path

    def bad(self, path: KeyPath) -> bool:
        """Return whether the key at `path`, or one below it, is at fault."""
        return any(known[: len(path)] == path for known in self._bad)

    def overridden(self, path: KeyPath, variable: str) -> None:
        """Record that an environment variable gave the key at `path` its value."""
        self._origins[path] = variable

    def stray(
        self, variable: str, path: KeyPath, what: str, *, allowed: str = "", nearest: str = ""
    ) -> None:
        """Record an environment variable that overrides nothing."""
        file, key = clean(f"${variable}"), clean(path_text(path))
        self._problems.append(Problem(file, None, key, what, allowed=allowed, nearest=nearest))

    def take(self, problems: Iterable[Problem]) -> None:
        """Record what is wrong in another file that this one needs."""
        self._problems += problems

    def problems(self) -> tuple[Problem, ...]:
        """Return all of them, in the order of the file."""
        return tuple(sorted(self._problems, key=lambda p: (p.file.startswith("$"), p.line or 0)))

    def _place(self, path: KeyPath) -> tuple[str, int | None]:
        prefixes = [path[:end] for end in range(len(path), 0, -1)]
        for prefix in prefixes:
            if prefix in self._origins:
                return clean(f"${self._origins[prefix]}"), None
        return self._file, next((self._lines[p] for p in prefixes if p in self._lines), None)
