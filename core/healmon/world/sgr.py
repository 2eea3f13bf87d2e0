"""What a screen looks like: text in its colours, out of what a terminal is told. Pure.

Colours and weights (SGR) are read, links and the line-drawing set are resolved; everything else is
foreign text and passes `clean`, so that no sequence gets through but as one that is seen.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

import msgspec

from healmon.text import clean

LIMIT: Final = 100_000
"""Characters of one screen that are read, its sequences included."""
_TOKEN: Final = re.compile(
    r"\x1b\[([0-9;:]{0,60})m|\x1b\]8;[^\x07\x1b]{0,2000}(?:\x07|\x1b\\)|[\x0e\x0f]"
)
_DRAWING: Final = str.maketrans("jklmnqtuvwx", "┘┐┌└┼─├┤┴┬│")
"""The line-drawing set, as far as boxes are drawn with it."""
_ON: Final = {1: "b", 2: "d", 3: "i", 4: "u", 7: "r"}
_OFF: Final = {22: "bd", 23: "i", 24: "u", 27: "r"}


class Run(msgspec.Struct, frozen=True):
    """A piece of a line in one look.

    Attributes:
        fg, bg: `""` the terminal's own, `"0"` to `"255"`, or `"#rrggbb"`.
        style: letters out of `b`old, `d`im, `i`talic, `u`nderlined, `r`everse.
    """

    text: str
    fg: str = ""
    bg: str = ""
    style: str = ""


Painted: TypeAlias = tuple[tuple[Run, ...], ...]
"""A screen: its lines, each as its runs."""


def parse(screen: bytes | str) -> Painted:
    """Return the lines of a screen, as runs that are harmless to print, without blank ends."""
    text = screen.decode("utf-8", "backslashreplace") if isinstance(screen, bytes) else screen
    lines: list[tuple[Run, ...]] = []
    look, drawing = Run(""), False
    for line in text[:LIMIT].replace("\r\n", "\n").split("\n"):
        runs, look, drawing = _line(line, look, drawing=drawing)
        lines.append(_trimmed(runs))
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines)


def plain(lines: Painted) -> str:
    """Return the same screen without its colours."""
    return "\n".join("".join(run.text for run in line) for line in lines)


def _line(line: str, look: Run, *, drawing: bool) -> tuple[list[Run], Run, bool]:
    runs: list[Run] = []
    at = 0
    for found in [*_TOKEN.finditer(line), None]:
        part = line[at : found.start() if found is not None else len(line)]
        if part:
            shown = clean(part.translate(_DRAWING) if drawing else part, lines=True, limit=LIMIT)
            if runs and _same(runs[-1], look):
                runs[-1] = msgspec.structs.replace(look, text=runs[-1].text + shown)
            else:
                runs.append(msgspec.structs.replace(look, text=shown))
        if found is None:
            break
        at = found.end()
        if found[0] in "\x0e\x0f":
            drawing = found[0] == "\x0e"
        elif found[1] is not None:
            look = _turned(look, found[1])
    return runs, look, drawing


def _same(run: Run, look: Run) -> bool:
    return (run.fg, run.bg, run.style) == (look.fg, look.bg, look.style)


def _trimmed(runs: list[Run]) -> tuple[Run, ...]:
    """Return the runs without what is blank at the end of the line."""
    while runs:
        last = runs[-1]
        text = last.text.rstrip()
        if text:
            runs[-1] = msgspec.structs.replace(last, text=text)
            break
        runs.pop()
    return tuple(runs)


def _turned(look: Run, codes: str) -> Run:
    """Return the look after one SGR sequence; what is not understood changes nothing."""
    fg, bg, style = look.fg, look.bg, look.style
    left = [part or "0" for part in codes.split(";")]
    while left:
        head, *more = left.pop(0).split(":")
        code = int(head or 0)
        if code in (38, 48):
            colour, used = _extended(more or left)
            left = left if more else left[used:]
            fg, bg = (colour, bg) if code == 38 else (fg, colour)
        elif code == 0:
            fg, bg, style = "", "", ""
        elif code in _ON:
            mark = "" if code == 4 and more == ["0"] else _ON[code]
            style = style.replace(_ON[code], "") + mark
        elif code in _OFF:
            style = "".join(letter for letter in style if letter not in _OFF[code])
        elif code in (39, 49):
            fg, bg = ("", bg) if code == 39 else (fg, "")
        else:
            fg, bg = _basic(code, 30, fg), _basic(code, 40, bg)
    return Run("", fg, bg, style)


def _basic(code: int, base: int, before: str) -> str:
    if base <= code < base + 8:
        return str(code - base)
    if base + 60 <= code < base + 68:
        return str(code - base - 60 + 8)
    return before


def _extended(parts: list[str]) -> tuple[str, int]:
    """Return the colour that follows 38 or 48, and how many parts say it."""
    numbers = [int(part) if part.isdigit() and len(part) < 4 else 0 for part in parts]
    if len(numbers) >= 2 and numbers[0] == 5:
        return str(min(numbers[1], 255)), 2
    if len(numbers) >= 4 and numbers[0] == 2:
        # with colons a colour space may stand before the three
        three = numbers[-3:] if ":" not in parts and len(numbers) == 5 else numbers[1:4]
        return "#" + "".join(f"{min(one, 255):02x}" for one in three), 4
    return "", len(parts)
