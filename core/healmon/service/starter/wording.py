"""A starter configuration as text. Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from textwrap import wrap

from healmon.config.toml import key_text, literal
from healmon.service.starter.document import Block, Document, Line
from healmon.text import clean

WIDTH = 100


def text(document: Document) -> str:
    """Return a valid `healmon.toml`; blocks that miss something are comments."""
    parts = [_comments(document.head)]
    parts += ["\n".join(_block(block)) + "\n" for block in document.blocks]
    if document.tail:
        parts.append(_comments(document.tail))
    return "\n".join(parts)


def _comments(lines: tuple[str, ...]) -> str:
    return "".join(f"{part}\n" for line in lines for part in _comment(line))


def _comment(said: str) -> list[str]:
    return wrap(
        clean(said, limit=1000), WIDTH, initial_indent="# ", subsequent_indent="#   ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _block(block: Block) -> Iterator[str]:
    for said in block.seen:
        yield from _comment(said)
    missed = (*block.missing, *_unsayable(block))
    off = bool(missed)
    for missing in missed:
        yield from _comment(f"missing: {missing}")
    mark = "# " if off else ""
    yield f"{mark}[{_header(block.header)}]"
    for line in block.lines:
        yield _line(line, off=off)


def _unsayable(block: Block) -> Iterator[str]:
    """Yield what no TOML can say: a name of a file need be no text at all."""
    for line in block.lines:
        if not line.off:
            try:
                tomllib.loads(f"value = {literal(line.value)}")
            except tomllib.TOMLDecodeError:
                yield f"how to write it down: {line.key} is no plain text"


def _header(header: str) -> str:
    if header.startswith("["):
        return header
    return ".".join(key_text(part) for part in header.split("."))


def _line(line: Line, *, off: bool) -> str:
    said = f"{line.key} = {literal(line.value)}"
    if line.note:
        said = f"{said:<34}  # {clean(line.note, limit=200)}"
    return f"# {said}" if off or line.off else said
