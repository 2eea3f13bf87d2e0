"""What is written down beside a file that was saved elsewhere, and the name that it has there."""

from __future__ import annotations

import hashlib
import os
import re
import urllib.parse
from typing import Final

import msgspec

from healmon.text import quoted

SUFFIX: Final = ".json"
"""Ends the name of a record: it stands beside the object, and only once that is verified."""
PART: Final = ".part"
"""Ends the name of what is still being sent, where a target shows such a thing."""
_LONGEST: Final = 180
"""Bytes of a path that stand in the name: names of files end at 255."""
_NAMED: Final = re.compile(r"(?P<path>.*)\.(?P<id>[0-9a-f]{16})")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it was when it was saved.

    Attributes:
        path: where it was, as `os.fsdecode` has it; its bytes as Latin-1 where it is written down.
        key: the name of its object.
        host: whose file it was; `run`: the cleaning that saved it.
        user, group, mode: numbers of its owner, and its permissions.
        modified: nanoseconds since the epoch.
        sha256: of its content, in hexadecimal digits.
    """

    path: str
    key: str
    host: str
    rule: str
    run: str
    user: int
    group: int
    mode: int
    modified: int
    size: int
    sha256: str


def host_name() -> str:
    """Return what this host is called in keys."""
    return quoted(os.uname().nodename or "localhost", safe="")


def key_of(host: str, path: str, sha256: str) -> str:
    """Return the key of a file's object: the same path with the same content has the same one."""
    told = os.fsencode(path)
    mark = hashlib.sha256(told + b"\0" + sha256.encode()).hexdigest()[:16]
    return f"{host}/{quoted(path, safe='')[-_LONGEST:]}.{mark}"


def id_of(key: str) -> str:
    """Return the end of a key that tells it from all others; empty: it is none of ours."""
    found = _NAMED.fullmatch(key.rpartition("/")[2])
    return found["id"] if found else ""


def path_in(key: str) -> str:
    """Return the path that a key speaks of; its end, where it is a long one."""
    found = _NAMED.fullmatch(key.rpartition("/")[2])
    shown = found["path"] if found else ""
    path = os.fsdecode(urllib.parse.unquote_to_bytes(shown))
    return path if path.startswith("/") and len(shown) < _LONGEST else f"…{path}"


def encoded(record: Record) -> bytes:
    """Return a record as it is written; every path survives, for what is no UTF-8 is escaped."""
    told = msgspec.structs.replace(record, path=os.fsencode(record.path).decode("latin-1"))
    return msgspec.json.format(msgspec.json.encode(told), indent=1) + b"\n"


def decoded(data: bytes) -> Record:
    """Return what a record says.

    Raises:
        msgspec.MsgspecError: it is damaged, or none.
    """
    told = msgspec.json.decode(data, type=Record)
    return msgspec.structs.replace(told, path=os.fsdecode(told.path.encode("latin-1")))
