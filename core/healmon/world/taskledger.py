"""What healmon writes into a row about what it did, and reads there again: the row is the ledger.

The error text says it behind the reason, so that nothing else has to remember: `stuck for 31 min
[healmon: to be given back at 2026-02-07T22:38:00Z as retry 1 of 3; token 9f3a12bc77de]`. Who
changes status, error or assignment takes the row out of healmon's hands. Pure, and of the standard
library only.
"""

from __future__ import annotations

import hashlib
import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeAlias

    Row: TypeAlias = dict[str, Any]

OWED = "to be given back at"
GIVEN = "given back at"
MARK = "[healmon: "
BY = '"by": "healmon"'
"""Stands in the details of every history entry of ours."""
CANCELLED = ("cancelled", "canceled")
"""Ends of a task that are a person's doing, never the result of an attempt."""
ANEW = ("assigned", "started")
"""Actions of the history that say that somebody got a task."""
NOTE = re.compile(r"\[healmon: (?P<note>[^\[\]]*); token (?P<token>[0-9a-f]{12})\]\Z")

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def token_of(row: Mapping[str, Any], retries: object = None) -> str:
    """Return the fencing token of the attempt that a row tells: another attempt has another one.

    Args:
        row: the row, by words.
        retries: its count of retries, if not the row's own.
    """
    session = row.get("session")
    parts = (
        row.get("id"),
        None if session is None else str(session),
        row.get("assigned_at"),
        row.get("retries") if retries is None else retries,
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def text_of(reason: str, note: str, token: str) -> str:
    """Return the error text of a row: the reason, and what healmon did."""
    return f"{reason}{' ' * bool(reason)}{MARK}{note}; token {token}]"


def owed(row: Row) -> Row | None:
    """Return what is told of a row that is owed; None: its text says otherwise."""
    found = NOTE.search(str(row.get("error")))
    if found is None or not found["note"].startswith(OWED) or found["token"] != token_of(row):
        return None
    words = ("id", "session", "status", "error", "retries")
    return {word: row.get(word) for word in words} | {"note": found["note"]}


def late(row: Row, entry: Mapping[str, Any] | None) -> Row | None:
    """Return what is told of a row whose old attempt ended after it was taken away; None: none did.

    Args:
        row: a row that is neither active nor pending, by words.
        entry: healmon's newest history entry about it: `details`, `session_name`, `created_at`, and
            `anew`: the history says that somebody got it since.
    """
    found = NOTE.search(str(row.get("error")))
    token, taken = (found["token"] if found else ""), None
    if entry is not None:
        if entry["anew"]:
            return None
        token = token or str(_details(entry).get("token") or "")
        taken = str(entry["session_name"])
    if not token or not _by_old(row, token, taken):
        return None
    words = ("id", "status", "session")
    told = {**{word: row.get(word) for word in words}, "token": token, "taken": taken}
    # of its end; where nothing tells it, of its being taken away
    return told | {"at": row.get("completed_at") or _taken_at(found, entry)}


def as_left(row: Row, order: Mapping[str, Any]) -> bool:
    """Return whether a row that healmon failed still is as it was left, as far as can be told."""
    if str(row["status"]) not in {order["failed"], order["needs_human"]}:
        return False
    return "error" not in row or NOTE.search(str(row["error"])) is not None


def _by_old(row: Row, token: str, taken: str | None) -> bool:
    session, count = row.get("session"), row.get("retries")
    if session is None or not str(session):
        return True
    counts = [count, count - 1] if isinstance(count, int) else [count]
    if token in {token_of(row, one) for one in counts}:
        return True
    return str(session) == taken and row.get("assigned_at") is None


def _taken_at(found: re.Match[str] | None, entry: Mapping[str, Any] | None) -> object:
    if entry is not None and entry.get("created_at"):
        return entry["created_at"]
    time = None if found is None else _TIME.search(found["note"])
    return None if time is None else time[0]


def _details(entry: Mapping[str, Any]) -> Row:
    try:
        details: Any = json.loads(str(entry.get("details")))
    except ValueError:
        return {}
    return details if isinstance(details, dict) else {}  # pyright: ignore[reportUnknownVariableType]
