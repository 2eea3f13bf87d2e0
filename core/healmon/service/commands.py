"""The durable queue of overrides: the `commands` table between any process and the healer.

A client writes a row and knocks; the healer takes it, does it, and writes what became of it. A row
is taken in the transaction that reads it, so it is done at most once; one that nobody took before
its time is never done. Rows that a dead healer had taken are marked `lost`: whether they were done
is not known, so they are not done again.

    queued ─▶ taken ─▶ done | refused          queued ─▶ expired          taken ─▶ lost

Both sides write with BEGIN IMMEDIATE through a connection that is not the store's writer's, which
may be busy waiting out a fault: a client through one of its own, the healer through the one beside
its writer (`store.beside`), which is opened anew when the file is another one.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import pwd
import sqlite3
import threading
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from healmon.clock import SystemClock, format_utc, process_seconds
from healmon.errors import StoreFaultError, StoreVersionError
from healmon.service import instance
from healmon.service.push import Ear
from healmon.service.sent import Row, Sent, Took, find, forgotten, refusal
from healmon.service.wake import knock
from healmon.store.bearers import Place
from healmon.store.beside import Beside, connected
from healmon.store.paired import whole
from healmon.store.queued import queued
from healmon.store.tx import immediate
from healmon.text import clean

_log = logging.getLogger(__name__)

CLIENT_PATIENCE: Final = 5.0
"""Seconds a client waits for the write lock."""
HEALER_PATIENCE: Final = 1.0
"""Seconds the healer waits for it; its event loop stands still meanwhile, so not for long."""
POLL: Final = 0.02
"""Seconds between two looks for an answer where nobody pushes."""
PUSHED: Final = 1.0
"""The same where the healer does: a push may be lost, and an override expires without one."""
AHEAD: Final = 60.0
"""Seconds by which a request may seem to come from the future."""
LATE: Final = "nobody took it in time; it will not be done"
REMEMBERED: Final = 1_000
"""Overrides that a healer knows to have taken, whatever becomes of the store."""
OPEN_STATES: Final = ("queued", "taken")


@dataclass(frozen=True, slots=True)
class Command:
    """One override taken by the healer."""

    id: int
    verb: str
    target: str
    arguments: dict[str, Any]
    origin: str
    sent_at: str = ""


def origin() -> str:
    """Return who asks, in words: `alice@box on pts/3`, `root@box (sudo by alice)`."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = f"uid {os.getuid()}"
    who = f"{user}@{os.uname().nodename or 'localhost'}"
    behind = os.environ.get("SUDO_USER", "")
    if behind and behind != user:
        who = f"{who} (sudo by {behind})"
    for fd in (0, 1, 2):
        with contextlib.suppress(OSError):
            return clean(f"{who} on {os.ttyname(fd).removeprefix('/dev/')}")
    return clean(who)


# -- the client's side


def send(
    db_path: Path,
    verb: str,
    target: str,
    arguments: dict[str, Any],
    origin: str,
    expires_in: float = 60.0,
) -> Sent:
    """Queue an override and return its id; `wake.knock` afterwards.

    Args:
        db_path: the health store.
        verb: what is wanted.
        target: of what.
        arguments: JSON-able.
        origin: who asks.
        expires_in: seconds after which it must not be done any more.

    Raises:
        StoreFaultError: it cannot be queued (locked, full, read-only, no store).
        StoreVersionError: the store is another version's.
    """
    now = SystemClock().read().wall
    values = (
        format_utc(now), format_utc(now + expires_in), clean(origin), clean(verb), clean(target),
        json.dumps(arguments),
    )  # fmt: skip
    with _asking(db_path) as conn, immediate(conn):
        number = conn.execute(
            "INSERT INTO commands (created_at, expires_at, origin, verb, target, arguments, state)"
            " VALUES (?, ?, ?, ?, ?, ?, 'queued')",
            values,
        ).lastrowid
    sent = Sent(number or 0)
    sent.mark = values[0], values[2]
    return sent


def wait(db_path: Path, command_id: int, timeout: float, ear: Ear | None = None) -> tuple[str, str]:
    """Wait for an override's end and return its state and outcome.

    One that nobody took in its time is withdrawn here and then, so that "expired" stays true. It is
    followed into the file that a healer goes on with where the one it stood in was moved away.

    Args:
        db_path: the health store.
        command_id: from `send`.
        timeout: seconds to wait at most; then the state is what it is (`queued`, `taken`).
        ear: hears the healer; opened before the override was sent, so that no answer is missed.

    Returns:
        State (`queued`, `taken`, `done`, `refused`, `expired`, `lost`) and outcome (JSON text, or
        empty while there is none).

    Raises:
        DataError: there is no such command.
        StoreFaultError: the store cannot be read.
    """
    end = process_seconds() + timeout
    seen: Row | None = None
    while True:
        place = Place(db_path)
        with _asking(db_path) as conn:
            row = find(conn, command_id, seen)
            if row is not None:
                seen = _watch(conn, row, place, end, ear)
                if not place.moved:
                    return seen.state, seen.outcome
            elif whole(db_path, _healer(db_path)) or process_seconds() >= end:
                return forgotten(command_id, seen)  # the healer goes on with a file without it
        threading.Event().wait(POLL)


def _watch(conn: sqlite3.Connection, row: Row, place: Place, end: float, ear: Ear | None) -> Row:
    """Wait for a command's end, or until other files bear the names; returns what stands there."""
    pause, seen = threading.Event(), -1
    while row.state in OPEN_STATES:
        if place.look():
            return find(conn, row.id, row) or row
        if row.state == "queued" and format_utc(SystemClock().read().wall) > row.expires_at:
            _withdraw(conn, row)
        elif process_seconds() >= end:
            break
        else:
            left = max(0.0, end - process_seconds())
            if ear is None:
                pause.wait(min(POLL, left))
            else:
                ear.wait(min(POLL, left), min(PUSHED, left))
            (version,) = conn.execute("PRAGMA data_version").fetchone()
            if version == seen:
                continue
            seen = version
        row = find(conn, row.id, row) or row
    return row


def withdraw(db_path: Path, command_id: int, why: str = LATE) -> tuple[str, str]:
    """Take back an override that nobody has taken, whatever the clock says; `why` is its outcome.

    Returns:
        State and outcome, as `wait`: `expired`, or what became of it just before.

    Raises:
        DataError: there is no such command.
        StoreFaultError: the store cannot be written.
    """
    with _asking(db_path) as conn:
        row = find(conn, command_id)
        if row is not None:
            _withdraw(conn, row, why)
            row = find(conn, command_id, row)
    return (row.state, row.outcome) if row is not None else forgotten(command_id, None)


@contextlib.contextmanager
def _asking(db_path: Path) -> Generator[sqlite3.Connection, None, None]:
    """Give a connection to the store that the healer has open, once it has, if one runs."""
    state_dir = db_path.parent
    with connected(db_path, CLIENT_PATIENCE, _healer(db_path), lambda: knock(state_dir)) as conn:
        yield conn


def _healer(db_path: Path) -> int:
    found = instance.holder(db_path.parent)
    return found.pid if found is not None and instance.lives(found) else 0


def _withdraw(conn: sqlite3.Connection, row: Row, why: str = LATE) -> None:
    with immediate(conn):
        conn.execute(
            "UPDATE commands SET state = 'expired', outcome = ?, answered_at = expires_at"
            " WHERE id = ? AND state = 'queued'",
            (refusal(why), row.id),
        )


# -- the healer's side


class Queue:
    """The healer's end of the queue. Belongs to one thread; never raises for a faulted store.

    While the store cannot be written nothing is taken (what is not marked as taken must not be
    done), and answers wait here until they can be written.

    Args:
        beside: the healer's connection to the health store.
    """

    def __init__(self, beside: Beside) -> None:
        self._beside = beside
        self._abandon = False
        self._answers: list[tuple[str, str, int]] = []
        # the store may become an older copy of itself, in which nobody has taken them
        self._took: dict[int, Took] = {}

    @property
    def owes(self) -> bool:
        """Whether something is yet to be written that could not be; from any thread."""
        return self._abandon or bool(self._answers)

    def abandon_taken(self, now: float) -> None:
        """Mark what a healer before us took and did not answer as `lost`. Call it at the start."""
        self._abandon = True
        self._write(now)

    def take(self, now: float) -> list[Command]:
        """Return what was asked and not yet taken, oldest first, marking it as taken.

        Args:
            now: wall seconds; what has expired is marked so and not returned.
        """
        return self._write(now, take=True)

    def expire(self, now: float) -> None:
        """Mark what nobody took in its time as `expired`."""
        self._write(now)

    def answer(self, command_id: int, outcome: str, *, ok: bool) -> None:
        """Keep what became of a command.

        Args:
            command_id: from `take`.
            outcome: JSON text.
            ok: done, or refused.
        """
        state = "done" if ok else "refused"
        self._answers.append((state, outcome, command_id))
        if command_id in self._took:
            self._took[command_id] = Took(self._took[command_id].mark, state, outcome)
        self._write(None)

    def close(self) -> None:
        """Write the answers that still wait, if that can be done now."""
        if self._answers:
            self._write(None)

    def _write(self, now: float | None, *, take: bool = False) -> list[Command]:
        try:
            with self._beside.use(HEALER_PATIENCE) as conn:
                if not self._answers and not self._abandon and not queued(conn):
                    return []
                with immediate(conn):
                    taken = self._in_transaction(conn, now, take=take)
        except (StoreFaultError, StoreVersionError) as error:
            _log.warning("overrides cannot be taken or answered now: %s", error)
            return []
        self._answers.clear()
        self._abandon = False
        for command in taken:
            self._took.pop(command.id, None)
            self._took[command.id] = Took((command.sent_at, command.origin))
        while len(self._took) > REMEMBERED:
            self._took.pop(next(iter(self._took)))
        return taken

    def _in_transaction(
        self, conn: sqlite3.Connection, now: float | None, *, take: bool
    ) -> list[Command]:
        at = format_utc(SystemClock().read().wall if now is None else now)
        for state, outcome, number in self._answers:
            conn.execute(
                "UPDATE commands SET state = ?, outcome = ?, answered_at = ?"
                " WHERE id = ? AND state IN ('taken', 'lost')",
                (state, outcome, at, number),
            )
        if self._abandon:
            text = "the healer that took it ended before it answered; look whether it was done"
            conn.execute(
                "UPDATE commands SET state = 'lost', outcome = ?, answered_at = ?"
                " WHERE state = 'taken'",
                (refusal(text), at),
            )
        if now is None:
            return []
        conn.execute(
            "UPDATE commands SET state = 'expired', outcome = ?, answered_at = ?"
            # asked in the future: the clock was set back, and how old it is nobody knows
            " WHERE state = 'queued' AND (expires_at < ? OR created_at > ?)",
            (refusal("it came too late; nothing was done"), at, at, format_utc(now + AHEAD)),
        )
        return _take(conn, at, self._took) if take else []


def _take(conn: sqlite3.Connection, at: str, took: dict[int, Took]) -> list[Command]:
    rows = conn.execute(
        "SELECT id, verb, target, arguments, origin, created_at FROM commands"
        " WHERE state = 'queued' ORDER BY id"
    ).fetchall()
    taken: list[Command] = []
    for number, verb, target, arguments, asked_by, sent_at in rows:
        wanted, before = _object(arguments), took.get(number)
        if before is not None and before.mark == (sent_at, asked_by):
            state, outcome = before.state, before.outcome
        elif wanted is not None:
            state, outcome = "taken", None
            taken.append(Command(number, verb, target, wanted, asked_by, sent_at))
        else:
            state, outcome = "refused", refusal("its arguments are no JSON object")
        conn.execute(
            "UPDATE commands SET state = ?, outcome = ?, taken_at = ? WHERE id = ?",
            (state, outcome, at, number),
        )
    return taken


def _object(text: str) -> dict[str, Any] | None:
    try:
        found: object = json.loads(text)
    except ValueError:
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None
