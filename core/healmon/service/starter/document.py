"""A configuration as data: tables, their lines, and words on both."""

from __future__ import annotations

import msgspec


class Line(msgspec.Struct, frozen=True):
    """One key, its value as TOML's, and a word on it; `off`: commented out."""

    key: str
    value: object
    note: str = ""
    off: bool = False


class Block(msgspec.Struct, frozen=True):
    """One table.

    Attributes:
        header: `workers.NAME`; of an array of tables with its brackets: `[disk.rules]`.
        seen: what makes one think so.
        missing: what must be known before it may be active; empty: it is.
    """

    header: str
    lines: tuple[Line, ...]
    seen: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class Document(msgspec.Struct, frozen=True):
    """The whole file: words before the tables, the tables, words after them."""

    head: tuple[str, ...]
    blocks: tuple[Block, ...]
    tail: tuple[str, ...] = ()
