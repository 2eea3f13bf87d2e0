"""On which line each key of a TOML document stands; tomllib does not tell.

Reads documents that tomllib has accepted, so it only has to find its way, not to judge. Standard
library only.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections import Counter
from typing import Final, TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]
"""`("disk", "rules", 0, "older_than")`: names of tables and keys, indices of arrays."""

_BLANK: Final = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
# what follows the closing quotes may be one or two quotes that belong to the string
_STRING: Final = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"""(?:""?)?'
    r"|'''(?:[^']|'(?!''))*'''(?:''?)?"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR: Final = re.compile(r"[^,\]}#\n]*")


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line, from 1, on which each table, key and array element is first named.

    Args:
        text: a valid TOML document, its line ends as `source.read_text` leaves them.
    """
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self._ends = [found.start() for found in re.finditer("\n", text)]
        self._arrays: Counter[KeyPath] = Counter()

    def document(self) -> None:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> KeyPath:
        line = self._line()
        array = self.text.startswith("[[", self.at)
        self.at += 2 if array else 1
        names = self._key()
        self.at += 2 if array else 1
        path: KeyPath = ()
        for depth, name in enumerate(names, 1):
            path = (*path, name)
            self.lines.setdefault(path, line)
            if array and depth == len(names):
                self._arrays[path] += 1
            if path in self._arrays:
                # a header names the newest element of each array of tables on its way
                path = (*path, self._arrays[path] - 1)
                self.lines.setdefault(path, line)
        return path

    def _pair(self, table: KeyPath) -> None:
        line = self._line()
        path = table
        for name in self._key():
            path = (*path, name)
            self.lines.setdefault(path, line)
        self.at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _key(self) -> list[str]:
        names: list[str] = []
        while True:
            self._skip(_SPACE)
            if self.text[self.at] in "\"'":
                names.append(_unquoted(self._skip(_STRING)))
            else:
                names.append(self._skip(_BARE))
            self._skip(_SPACE)
            if self.text[self.at] != ".":
                return names
            self.at += 1

    def _value(self, path: KeyPath) -> None:
        opening = self.text[self.at]
        if opening in "\"'":
            self._skip(_STRING)
        elif opening == "[":
            self._array(path)
        elif opening == "{":
            self._inline_table(path)
        else:
            self._skip(_SCALAR)

    def _array(self, path: KeyPath) -> None:
        self.at += 1
        index = 0
        self._skip(_BLANK)
        while self.text[self.at] != "]":
            self.lines[*path, index] = self._line()
            self._value((*path, index))
            index += 1
            self._skip(_BLANK)
            if self.text[self.at] == ",":
                self.at += 1
                self._skip(_BLANK)
        self.at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self.at += 1
        self._skip(_BLANK)
        while self.text[self.at] != "}":
            self._pair(path)
            self._skip(_BLANK)
            if self.text[self.at] == ",":
                self.at += 1
                self._skip(_BLANK)
        self.at += 1

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found[0]

    def _line(self) -> int:
        return bisect_right(self._ends, self.at - 1) + 1


def _unquoted(key: str) -> str:
    if "\\" not in key:
        return key[1:-1]
    # escapes are many; the one who knows them all is at hand
    (name,) = tomllib.loads(f"{key} = 0")
    return name
