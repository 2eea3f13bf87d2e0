"""Foreign text made harmless, and text measured in terminal cells.

Process titles, session names, file names, panes and exception texts are written by others: they
may hold escape sequences that drive a terminal, bidi controls that turn a line around, bytes that
are no text at all. `clean` is where such text enters; nothing is dropped, every character that a
terminal would act on becomes one that it shows, so two different names stay different.

`clean` is idempotent, which forbids escaping its own output again: a name that really holds the
picture of ESC looks like one that holds ESC. Text from `clean` is for people; never use it to find
the process, session or file again.
"""

from __future__ import annotations

import os
import re
import unicodedata
from functools import lru_cache
from typing import Final

ELLIPSIS: Final = "…"
_PLAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~")
"""What no URI escapes (RFC 3986, 2.3)."""
_BARE: Final = re.compile(r"[\w@%+=:,./-]+")
"""A word that no shell changes."""
TAB: Final = 8
"""Cells between tab stops."""

# C0, DEL, C1; soft hyphen; Arabic letter mark; Mongolian vowel separator; zero width space and the
# direction marks; line and paragraph separators and bidi embeddings; word joiner to the deprecated
# format characters, with the bidi isolates among them; surrogates; byte order mark, interlinear
# annotation, non-characters; tag characters. The zero width joiners stay: scripts and emoji need
# them.
_UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)


def as_typed(name: str) -> str:
    """Return a name as a person types it in a shell, in quotes where it needs some."""
    if name and _BARE.fullmatch(name):
        return name
    return "'" + name.replace("'", "'\\''") + "'"


def clean(text: str | bytes, *, lines: bool = False, limit: int = 10_000) -> str:
    r"""Return foreign text as it may be shown anywhere: no character in it acts on a terminal.

    C0 controls and DEL become their pictures (`␛`, `␊`), bytes that are not UTF-8 become `\xNN`
    (also when they come as the surrogates of `os.fsdecode`), all other unsafe characters `\uNNNN`.

    Args:
        text: what somebody else wrote; any string, any bytes.
        lines: keep line ends (`\r\n` becomes `\n`) and expand tabs, for panes and log tails.
        limit: the most characters returned; a longer text ends in an ellipsis.
    """
    if isinstance(text, str):
        if len(text) <= limit and text.isprintable():
            return text  # as nearly all is
        # a line end may be two characters, so twice the limit is always enough to fill it
        text = text[: 2 * (max(limit, 0) + 1)]
    else:
        text = text[: 8 * (max(limit, 0) + 1)].decode("utf-8", "backslashreplace")
    if not text.isprintable():
        if lines:
            parts = text.replace("\r\n", "\n").split("\n")
            text = "\n".join(
                part if part.isprintable() else _expand(_visible(part, keep="\t")) for part in parts
            )
        else:
            text = _visible(text)
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + ELLIPSIS[: max(limit, 0)]


def quoted(text: str, safe: str = "/") -> str:
    """Return a path or a name as it stands in a URI; `safe` stays as it is.

    What urllib's `quote` does, without its 0.15 MB; and names that are not UTF-8 are themselves.
    """
    keep = _PLAIN | frozenset(safe.encode())
    return "".join(chr(byte) if byte in keep else f"%{byte:02X}" for byte in os.fsencode(text))


def width(text: str) -> int:
    """Return how many terminal cells a text fills; control characters count as none."""
    if text.isascii() and text.isprintable():
        return len(text)
    return sum(map(_cells, text))


def cut(text: str, cells: int, *, end: str = ELLIPSIS) -> str:
    """Return as much of a text as fits into so many cells; `end` marks that some is missing."""
    if width(text) <= cells:
        return text
    room = cells - width(end)
    return _head(text, room) + end if room >= 0 else _head(end, cells)


def pad(text: str, cells: int) -> str:
    """Return a text cut or filled with spaces to exactly so many cells."""
    text = cut(text, cells)
    return text + " " * (cells - width(text))


def _head(text: str, cells: int) -> str:
    used = 0
    for index, char in enumerate(text):
        used += _cells(char)
        if used > cells:
            return text[:index]
    return text if cells >= 0 else ""


def _visible(text: str, keep: str = "") -> str:
    return _UNSAFE.sub(lambda found: _picture(found[0]) if found[0] not in keep else found[0], text)


def _picture(char: str) -> str:
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _expand(line: str) -> str:
    head, *rest = line.split("\t")
    done, column = [head], width(head)
    for part in rest:
        gap = TAB - column % TAB
        done += [" " * gap, part]
        column += gap + width(part)
    return "".join(done)


@lru_cache(maxsize=4096)
def _cells(char: str) -> int:
    code = ord(char)
    # vowels and final consonants of Hangul are drawn into the cells of the one before
    if 0x1160 <= code <= 0x11FF or unicodedata.category(char) in {"Mn", "Me", "Cf", "Cc"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def like(pattern: str, text: str) -> bool:
    """Return whether a text is like a pattern: `*` stands for any run, `?` for one character.

    Everything else stands for itself, so that a name is always like itself.
    """
    return _glob(pattern).fullmatch(text) is not None


@lru_cache(maxsize=512)
def _glob(pattern: str) -> re.Pattern[str]:
    first, *rest = (_segment(part) for part in pattern.split("*"))
    if not rest:
        return re.compile(first, re.DOTALL)
    *middle, last = rest
    # each part once, at its first place, never to be tried elsewhere: no pattern costs more
    # than its length times the text's
    found = "".join(f"(?>.*?{part})" for part in middle if part)
    return re.compile(f"{first}{found}.*{last}", re.DOTALL)


def _segment(part: str) -> str:
    return "".join("." if char == "?" else re.escape(char) for char in part)
