"""A starter configuration from what runs on this host: look, decide, put into words.

`preview` gives the text, `write` makes the file; `seen` is what it came from, for screens.
"""

from __future__ import annotations

import os
from pathlib import Path

from msgspec.structs import replace

from healmon.config.load import understood
from healmon.errors import ConfigError, DataError, StateDirError
from healmon.service.starter import decide, wording
from healmon.service.starter.document import Block, Document
from healmon.service.starter.look import Look
from healmon.service.starter.model import Found
from healmon.service.starter.roots import Roots, working_directory
from healmon.text import clean
from healmon.world.newfile import write_new

__all__ = ["Found", "Roots", "preview", "roots", "seen", "write"]

TRIES = 4
"""How often blocks that do not fit after all are commented out."""


def roots() -> Roots:
    """Return where a person's host is looked at: its usual places, and the directory we are in."""
    return Roots(tree=working_directory())


def seen(where: Roots | None = None) -> Found:
    """Return what runs on this host: workers, sessions, databases, disks, logs. Never raises.

    It takes some seconds at most: state files are watched for a while.
    """
    return Look(where or roots()).found()


def preview(path: Path, where: Roots | None = None) -> str:
    """Return what `write` would write to `path`; `healmon check` accepts it."""
    return _fitting(decide.document(seen(where)), path)


def write(path: Path, where: Roots | None = None) -> str:
    """Write a starter configuration with mode 0600, whole or not at all; returns its text.

    Raises:
        DataError: there is something at `path`; it stays as it is.
        StateDirError: it cannot be written there.
    """
    if os.path.lexists(path):
        raise _taken(path)
    text = preview(path, where)
    try:
        write_new(path, text)
    except FileExistsError:
        raise _taken(path) from None
    except OSError as error:
        raise StateDirError(
            f"{clean(str(path))} cannot be written: {error.strerror or error}",
            remedy="name a FILE in a directory of yours, or print it: healmon init --print",
        ) from error
    return text


def _fitting(document: Document, path: Path) -> str:
    """Return a text that reads as a configuration; what does not fit is commented out."""
    for _ in range(TRIES):
        text = wording.text(document)
        try:
            understood(text, path, {})
        except ConfigError as error:
            document = _without(document, error)
        else:
            return text
    raise DataError("what was found makes no configuration", remedy="write one by hand")


def _without(document: Document, error: ConfigError) -> Document:
    def at_fault(block: Block) -> str:
        name = block.header.strip("[]")
        told = (
            p for p in error.problems if p.key == name or p.key.startswith((f"{name}.", f"{name}["))
        )
        return next((f"{p.key}: {p.what or p.found}" for p in told), "")

    blocks = tuple(
        replace(block, missing=(*block.missing, why)) if (why := at_fault(block)) else block
        for block in document.blocks
    )
    return replace(document, blocks=blocks)


def _taken(path: Path) -> DataError:
    return DataError(
        f"{clean(str(path))} is there already; nothing was written",
        remedy="give another FILE, or see what would be written: healmon init --print",
    )
