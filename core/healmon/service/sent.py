"""What stands in the store of an override that was sent."""

from __future__ import annotations

import json
import sqlite3
from typing import NamedTuple

from healmon.errors import DataError


class Sent(int):
    """The id of a command, and what tells it from another one of that id in another file."""

    mark: tuple[str, str] = ("", "")


class Row(NamedTuple):
    """What became of one until now."""

    id: int
    state: str
    outcome: str
    expires_at: str
    mark: tuple[str, str]


class Took(NamedTuple):
    """What a healer made of one that it has taken."""

    mark: tuple[str, str]
    state: str = "taken"
    outcome: str | None = None


def find(conn: sqlite3.Connection, command_id: int, before: Row | None = None) -> Row | None:
    """Return what stands there of a command; None: nothing, or another command has its id."""
    row = conn.execute(
        "SELECT state, outcome, expires_at, created_at, origin FROM commands WHERE id = ?",
        (command_id,),
    ).fetchone()
    if row is None:
        return None
    state, outcome, expires_at, *mark = map(str, (row[0], row[1] or "", *row[2:]))
    found = Row(int(command_id), state, outcome, expires_at, (mark[0], mark[1]))
    mine = before.mark if before is not None else getattr(command_id, "mark", found.mark)
    return found if found.mark == mine else None


def forgotten(command_id: int, row: Row | None) -> tuple[str, str]:
    """Return state and outcome of a command that went with the file it stood in.

    Raises:
        DataError: there never was one.
    """
    if row is None and not isinstance(command_id, Sent):
        raise DataError(f"no command {command_id} in the health store")
    if row is None or row.state == "queued":
        return "expired", refusal("the health store was replaced before it was taken: not done")
    text = "the health store was replaced before it was answered; look whether it was done"
    return "lost", refusal(text)


def refusal(text: str) -> str:
    """Return the outcome of one that was not done."""
    return json.dumps({"ok": False, "text": text})
