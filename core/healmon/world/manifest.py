"""What is written down of a file that was put aside: where it came from, whose it was, its digest.

One JSON array a line, so that a line cut short by a full disk or a kill spoils only itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import cast

from healmon.world.filedata import Inode


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an entry came from: an absolute path, undecodable bytes as surrogates."""

    entry: str
    path: str


@dataclass(frozen=True, slots=True)
class Record(Origin):
    """All that is known of a file that was put aside; times in nanoseconds since the epoch.

    Attributes:
        user, group: numbers of its owner.
        digest: SHA-256 of its content in hexadecimal digits; empty: an older healmon wrote none.
    """

    rule: str = ""
    user: int = 0
    group: int = 0
    mode: int = 0
    modified: int = 0
    accessed: int = 0
    size: int = 0
    digest: str = ""


def record_of(
    origin: Origin, rule: str, inode: Inode, owner: tuple[int, int], digest: str
) -> Record:
    """Return the record of a file; `owner` is its user and group."""
    return Record(
        origin.entry,
        origin.path,
        rule,
        *owner,
        inode.mode,
        inode.modified,
        inode.accessed,
        inode.size,
        digest,
    )


def line_of(record: Record) -> bytes:
    """Return the line of the manifest that says so."""
    words = (record.entry, record.path, record.rule)
    numbers = (record.user, record.group, record.mode, record.modified, record.accessed)
    return json.dumps([*words, *numbers, record.size, record.digest]).encode() + b"\n"


def read_line(line: bytes) -> Record | None:
    """Return what a line says; None when it is damaged."""
    try:
        found = cast("list[object]", json.loads(line))
        words, numbers, rest = found[:3], found[3:9], found[9:]
    except (ValueError, TypeError):
        return None
    if len(words) < 2 or not all(isinstance(word, str) for word in (*words, *rest)):
        return None
    if not all(type(number) is int for number in numbers):
        return None
    texts = [cast("str", word) for word in words]
    digest = cast("str", rest[0]) if rest else ""
    rule = texts[2] if len(texts) > 2 else ""
    if len(numbers) < 6:  # an older healmon wrote only where it came from
        return Record(texts[0], texts[1], rule)
    user, group, mode, modified, accessed, size = (cast("int", n) for n in numbers)
    return Record(texts[0], texts[1], rule, user, group, mode, modified, accessed, size, digest)


def origin_of(line: bytes) -> Origin | None:
    """Return where the entry of a line came from; None when it is damaged."""
    record = read_line(line)
    return None if record is None else Origin(record.entry, record.path)
