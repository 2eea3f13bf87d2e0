"""The sorts of values that keys take: how each is read, written, and said to people."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from healmon.config.depot import fault_of
from healmon.config.locate import no_place_for_a_store
from healmon.config.paths import Place, absolute, never_cleaned, too_long
from healmon.config.settings import Rate
from healmon.config.toml import literal
from healmon.text import clean
from healmon.units import (
    DURATION_ALLOWED,
    PERCENT_ALLOWED,
    SIZE_ALLOWED,
    duration_text,
    parse_duration,
    parse_percent,
    parse_size,
    size_text,
)

_URL: Final = re.compile(r"https?://[^\s/]+\S*")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*://\S+")
# tmux types a word that is no key name as text into the pane, so a slip must not pass
_TMUX_KEY: Final = re.compile(
    r"(?:[CMS]-)*(?:[!-~]|Escape|Enter|Space|Tab|BTab|BSpace|Up|Down|Left|Right|Home|End"
    r"|NPage|PageDown|PgDn|PPage|PageUp|PgUp|IC|Insert|DC|Delete|F(?:[1-9]|1[0-2]))"
    r"|\^[!-~]",
    re.IGNORECASE,
)
_RATE: Final = re.compile(r"\s*([1-9]|[1-5][0-9]|60)\s*/(.+)")
_TIME: Final = "((?:[01][0-9]|2[0-3]):[0-5][0-9])"
_HOURS: Final = re.compile(rf"{_TIME}\s*-\s*{_TIME}")
# what useradd(8) makes, and the names that directories of other systems give
_USER: Final = re.compile(r"[^\s:,/\x00-\x1f\x7f]{1,255}")
_BOOLS: Final = {"true": True, "yes": True, "on": True, "1": True} | {
    "false": False, "no": False, "off": False, "0": False,
}  # fmt: skip


class RefusedError(ValueError):
    """A value of the right sort that is refused for the reason given."""


def _as_is(text: str) -> object:
    return text


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One sort of value.

    Attributes:
        allowed: what may stand there, for people.
        read: the value out of TOML's; raises ValueError, with a text where `allowed` says too
            little, or RefusedError.
        write: TOML text out of the value.
        typed: what TOML would hold, out of an environment variable's text.
        resolve: makes the value independent of where it was written; may raise RefusedError.
    """

    allowed: str
    read: Callable[[object], Any]
    write: Callable[[Any], str] = literal
    typed: Callable[[str], object] = _as_is
    resolve: Callable[[Any, Place], Any] | None = None


def choice(*options: str) -> Kind:
    """Return the kind whose values are exactly these words."""

    def read(value: object) -> str:
        if isinstance(value, str) and value in options:
            return value
        raise ValueError

    return Kind(allowed=" | ".join(map(literal, options)), read=read)


def whole(least: int, most: int, allowed: str) -> Kind:
    """Return the kind of the whole numbers from `least` to `most`."""

    def read(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        raise ValueError

    return Kind(allowed=allowed, read=read, typed=_typed_whole)


def duration(least: float = 0.0, *, none: bool = False) -> Kind:
    """Return the kind of the durations above zero (or zero too), or from `least` seconds on."""

    def read(value: object) -> float:
        seconds = parse_duration(value)
        if seconds < least:
            raise ValueError(f"at least {literal(duration_text(least))}")
        if seconds == 0 and not none:
            raise ValueError("a duration longer than nothing")
        return seconds

    return Kind(allowed=DURATION_ALLOWED, read=read, write=lambda s: literal(duration_text(s)))


def name_fault(name: str) -> str:
    """Return why a name cannot name a worker, database or rule; empty: it can.

    Names become part of component names (`database:NAME`), of paths (`workers/NAME/`) and of
    command lines.
    """
    if not name or name != name.strip() or clean(name) != name:
        return "a name is not empty, has no space at its ends and no control characters"
    if set(name) & set("/:*"):
        return 'a name has no "/", ":" or "*"'
    if name[0] in ".-":
        return 'a name does not begin with "." or "-"'
    if len(name.encode(errors="replace")) > 100:
        return "a name has at most 100 bytes"
    if name == "healmon":
        return '"healmon" names the healer itself'
    return ""


def _text(
    allowed: str,
    fits: Callable[[str], object],
    resolve: Callable[[Any, Place], Any] | None = None,
) -> Kind:
    def read(value: object) -> str:
        if isinstance(value, str) and fits(value):
            return value
        raise ValueError

    return Kind(allowed=allowed, read=read, resolve=resolve)


def _read_bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError


def _read_size(value: object) -> int:
    size = parse_size(value)
    if size == 0:
        raise ValueError("a size above zero")
    return size


def _read_name(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - read() raises one sort of error, whatever is wrong
    fault = name_fault(value)
    if fault:
        raise RefusedError(fault)
    return value


def _read_umask(value: object) -> int:
    if isinstance(value, str) and re.fullmatch(r"0?[0-7]{3}", value):
        return int(value, 8)
    raise ValueError


def _read_rate(value: object) -> Rate:
    found = _RATE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError
    per = parse_duration(found[2].strip())
    if not per:
        raise ValueError
    return Rate(int(found[1]), per)


def _write_rate(rate: Rate) -> str:
    return literal(f"{rate.count}/{duration_text(rate.per)}")


def _read_hours(value: object) -> str:
    if value == "":
        return ""
    found = _HOURS.fullmatch(value) if isinstance(value, str) else None
    if found is None or found[1] == found[2]:
        raise ValueError
    return f"{found[1]}-{found[2]}"


def _typed_bool(text: str) -> object:
    return _BOOLS.get(text.strip().lower(), text)


def _typed_whole(text: str) -> object:
    # a longer run of digits is no number that any key takes
    return int(text) if re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", text) else text


def _read_user(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32 - 1:
        return str(value)
    if isinstance(value, str) and _USER.fullmatch(value):
        return value
    raise ValueError


def _is_text(text: str) -> bool:
    return bool(text.strip()) and clean(text) == text


def _is_pattern(text: str) -> bool:
    return bool(text) and "/" not in text and "\0" not in text


def _path(text: str, place: Place) -> str:
    path = absolute(text, place)
    if why := too_long(path):
        raise RefusedError(why)
    return path


def _state_dir(text: str, place: Place) -> str:
    path = absolute(text, place)
    if why := no_place_for_a_store(path):
        raise RefusedError(why)
    return path


def _socket(text: str, place: Place) -> str:
    return _path(text, place) if "/" in text else text


def _cleanable(text: str, place: Place) -> str:
    path = _path(text, place)
    reason = never_cleaned(path, place)
    if reason:
        raise RefusedError(reason)
    return path


def _backup(text: str, place: Place) -> str:
    if not _SCHEME.fullmatch(text):
        return _path(text, place)
    fault = fault_of(text)
    if fault:
        raise RefusedError(fault)
    return text


BOOL: Final = Kind(allowed="true | false", read=_read_bool, typed=_typed_bool)
FLAG: Final = Kind(
    allowed="true | false",
    read=_read_bool,
    typed=_typed_bool,
    write=lambda value: literal(value) if value else "",
)
"""A BOOL that is not written when false."""
COUNT: Final = whole(1, 1_000_000, "a whole number from 1 on")
COUNT_OR_NONE: Final = whole(0, 1_000_000, "a whole number; 0: no limit")
EXIT_CODE: Final = whole(1, 255, "an exit code, 1 to 255")
PORT: Final = whole(1, 65_535, "a port number, 1 to 65535")
DURATION: Final = duration()
PAUSE: Final = duration(none=True)
SIZE: Final = Kind(
    allowed=SIZE_ALLOWED, read=_read_size, write=lambda size: literal(size_text(size))
)
LIMIT: Final = Kind(allowed=SIZE_ALLOWED, read=parse_size, write=literal)
"""A resource limit: a count, or bytes."""
UMASK: Final = Kind(
    allowed='a mask in octal digits such as "027"',
    read=_read_umask,
    write=lambda mask: literal(f"{mask:03o}"),
)
PERCENT: Final = Kind(allowed=PERCENT_ALLOWED, read=parse_percent)
TEXT: Final = _text("text without control characters", _is_text)
TEXT_OR_NONE: Final = _text(
    "text without control characters, or empty", lambda text: not text or _is_text(text)
)
ARGUMENT: Final = _text("text", lambda text: "\0" not in text)
NAME: Final = Kind(allowed="a name", read=_read_name)
PATH: Final = _text("a path", lambda text: text and "\0" not in text, _path)
STATE_DIR: Final = _text("a path", lambda text: text and "\0" not in text, _state_dir)
CLEANABLE: Final = _text("a path", lambda text: text and "\0" not in text, _cleanable)
USER: Final = Kind(allowed='a user, "app" or 1001', read=_read_user)
PATTERN: Final = _text('a pattern of file names such as "*.log", without "/"', _is_pattern)
URL: Final = _text('a URL such as "http://localhost:8080/health"', _URL.fullmatch)
SOCKET: Final = _text("the name or the path of a tmux socket", _is_text, _socket)
TMUX_KEY: Final = _text('a tmux key such as "C-c" or "Escape"', _TMUX_KEY.fullmatch)
ADDRESS: Final = _text(
    'a URL such as "https://host/hook", or one of apprise such as "mailtos://user:pass@host"',
    _SCHEME.fullmatch,
)
VARIABLE: Final = _text(
    "the name of an environment variable", re.compile("[A-Za-z_][A-Za-z0-9_]*").fullmatch
)
RATE: Final = Kind(
    allowed='a rate such as "10/1h": 1 to 60 within a duration', read=_read_rate, write=_write_rate
)
HOURS: Final = Kind(allowed='hours such as "22:00-07:00", or empty', read=_read_hours)
TIME: Final = _text(
    'a time such as "07:30", or empty', lambda text: not text or re.fullmatch(_TIME, text)
)
BACKUP: Final = _text('a URL such as "s3://bucket/prefix", or a directory', _is_text, _backup)
