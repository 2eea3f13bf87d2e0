"""A terminal of our own: what is on it after all that was written to it, cell by cell.

What combines with the character before it is left out.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from rich.cells import cell_len
from rich.color import ColorSystem
from textual.strip import Strip

_WRITTEN = re.compile(r"\x1b\[([0-9;]*)([Hm])|([^\x1b])")
Cell = tuple[str, str]
"""A character, and how it looks."""


class Glass:
    """Takes what an app wants to display.

    Attributes:
        bytes: written so far.
    """

    def __init__(self, app: Any, size: tuple[int, int]) -> None:
        self.bytes = 0
        self._app, self._size = app, size
        self._cells: dict[tuple[int, int], Cell] = {}
        app._display = self._display
        app.console._color_system = ColorSystem.TRUECOLOR

    def _display(self, _screen: Any, update: Any) -> None:
        if update is not None:
            written = update.render_segments(self._app.console)
            self.bytes += len(written.encode())
            self._write(written)
        self._app.post_display_hook()

    def _write(self, written: str) -> None:
        x = y = 0
        look = ""
        place = 0
        for found in _WRITTEN.finditer(written):
            assert found.start() == place, f"unknown: {written[place : place + 20]!r}"
            place = found.end()
            numbers, what, char = found.groups()
            if what == "H":
                y, x = (int(number) - 1 for number in numbers.split(";"))
            elif what == "m":
                look = "" if numbers == "0" else numbers
            elif char == "\n":
                y, x = y + 1, 0
            elif width := 1 if " " <= char <= "~" else cell_len(char):
                self._cells[x, y] = (char, look)
                if width == 2:
                    self._cells.pop((x + 1, y), None)
                x += width

    def shown(self) -> list[list[Cell]]:
        """Return what is on the glass, line by line."""
        columns, lines = self._size
        grid = [[self._cells.get((x, y), ("", "")) for x in range(columns)] for y in range(lines)]
        return [[_seen(*cell) for cell in line] for line in grid]

    def meant(self) -> list[list[Cell]]:
        """Return what should be on it: the front screen, painted anew."""
        return [_cells(strip) for strip in self._app.screen._compositor.render_strips()]


def _cells(strip: Strip) -> list[Cell]:
    cells: list[Cell] = []
    for segment in strip:
        style = segment.style
        look = "" if style is None else Strip.render_ansi(style, ColorSystem.TRUECOLOR)
        for char in filter(cell_len, segment.text):
            cells += [_seen(char, look), *[("", "")] * (cell_len(char) - 1)]
    return cells


def _seen(char: str, look: str) -> Cell:
    """Return a cell; the ink of a blank is not seen."""
    return (char, _ground(look) if char == " " else look)


@cache
def _ground(look: str) -> str:
    found = re.search(r"48;2;\d+;\d+;\d+$", look)
    return found[0] if found else ""
