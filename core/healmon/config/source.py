"""The configuration file as text and as TOML; every way it can be unreadable, as one problem.

Standard library only: `healmon-tui --status` comes through here and must be instant.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from healmon.config.paths import here
from healmon.errors import ConfigError, Problem
from healmon.text import clean

LARGEST: Final = 1_000_000
"""Bytes; a larger file is not a configuration."""

_PLACE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def shown(path: Path) -> str:
    """Return a file as a person in the current directory would name it."""
    at = here()
    if at != Path("/") and path.is_relative_to(at):
        path = path.relative_to(at)
    return clean(str(path))


def read_text(path: Path, owners: Collection[int] | None = None) -> str:
    """Return the text of the configuration file, each line ended by one newline character.

    Args:
        path: the file.
        owners: whose it must be; None: anybody's.

    Raises:
        ConfigError: it cannot be read, is no regular file, too large, not UTF-8, or of none of
            `owners`.
    """
    file = shown(path)
    try:
        # asked first, because opening a FIFO would wait for its writer
        if not stat.S_ISREG(path.stat().st_mode):
            raise _error(file, None, "is not a regular file")
        with path.open("rb") as stream:
            found = {os.fstat(stream.fileno()).st_uid, path.lstat().st_uid}
            data = stream.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _error(file, None, f"cannot be read: {reason}") from error
    strangers = found.difference(owners) if owners is not None else None
    if strangers:
        what = f"belongs to uid {strangers.pop()}, who could have healmon run anything"
        raise _error(file, None, f"{what}: chown {os.geteuid()} {file}, or begin anew with it")
    if len(data) > LARGEST:
        raise _error(file, None, f"is larger than {LARGEST // 1000} kB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = bytes(error.object[: error.start]).count(b"\n") + 1
        bad = error.object[error.start]
        raise _error(file, line, f"is not UTF-8: byte \\x{bad:02x}") from error
    return text.replace("\r\n", "\n")


def parse(text: str, file: str) -> dict[str, Any]:
    """Return the TOML document.

    Raises:
        ConfigError: it is not TOML; the problem has the line.
    """
    import tomllib  # noqa: PLC0415 - a slow import, not needed where there is no file

    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError(problems=(too_deep(file),)) from error
    except ValueError as error:
        message = str(error)
        place = _PLACE.search(message)
        if place is None:
            raise _error(file, None, f"is not TOML: {clean(message)}") from error
        line = int(place[1]) if place[1] else text.rstrip("\n").count("\n") + 1
        raise _error(file, line, f"is not TOML: {clean(message[: place.start()])}") from error


def too_deep(file: str) -> Problem:
    """Return the problem of a document that nests deeper than Python can follow."""
    return Problem(file, None, "", "is nested too deeply")


def _error(file: str, line: int | None, what: str) -> ConfigError:
    return ConfigError(problems=(Problem(file, line, "", what),))
