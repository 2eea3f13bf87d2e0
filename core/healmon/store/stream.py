"""Events and snapshots out of the store again, as the rest of healmon knows them."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Iterator

import msgspec

from healmon.clock import parse_utc
from healmon.events import Recorded, decode
from healmon.state import Snapshot, replay
from healmon.store.read import reading

_log = logging.getLogger(__name__)
_PAGE = 1_000
_decoder = msgspec.json.Decoder(Snapshot)
_encoder = msgspec.json.Encoder()
_COLUMNS = "id, timestamp, payload, cause"


def read_events(conn: sqlite3.Connection, after: int, limit: int = _PAGE) -> list[Recorded]:
    """Return events with ids above `after`, oldest first, at most `limit`.

    Events of a kind this version does not know are passed over.

    Raises:
        ReadError: the store cannot be read now.
    """
    with reading():
        return list(recorded(_page(conn, after, limit)))


def read_before(conn: sqlite3.Connection, before: int, limit: int) -> list[Recorded]:
    """Return the newest `limit` events with ids below `before`, oldest first.

    Raises:
        ReadError: the store cannot be read now.
    """
    with reading():
        rows = conn.execute(
            f"SELECT {_COLUMNS} FROM events WHERE id < ? ORDER BY id DESC LIMIT ?",  # noqa: S608 - a constant
            (before, limit),
        ).fetchall()
    return list(recorded(reversed(rows)))


def read_snapshot(conn: sqlite3.Connection) -> Snapshot:
    """Return what all stored events fold into.

    Raises:
        ReadError: the store cannot be read now.
    """
    with reading():
        return fold(conn)


def fold(conn: sqlite3.Connection) -> Snapshot:
    """Return the newest checkpoint folded with all later events.

    All within one read transaction, so that a writer in between cannot make it a mixture. A
    checkpoint of another layout is passed over for the one before it.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    own = not conn.in_transaction
    if own:
        conn.execute("BEGIN")
    try:
        return replay(_all_after(conn, (start := _checkpoint(conn)).last_id), start)
    finally:
        if own and conn.in_transaction:
            conn.execute("COMMIT")


def encode_snapshot(snapshot: Snapshot) -> str:
    """Return a snapshot as the text that a checkpoint keeps."""
    return _encoder.encode(snapshot).decode()


def decode_snapshot(text: str) -> Snapshot:
    """Return the snapshot that a checkpoint's text says.

    Raises:
        msgspec.DecodeError: it is laid out by another version.
    """
    return _decoder.decode(text)


def _checkpoint(conn: sqlite3.Connection) -> Snapshot:
    rows = conn.execute("SELECT event_id, snapshot FROM checkpoints ORDER BY event_id DESC")
    for event_id, text in rows.fetchall():
        try:
            return _decoder.decode(text)
        except msgspec.DecodeError as error:
            _log.warning("checkpoint %s is laid out by another version: %s", event_id, error)
    return Snapshot()


def _page(conn: sqlite3.Connection, after: int, limit: int) -> list[tuple[int, str, str, int]]:
    return conn.execute(
        f"SELECT {_COLUMNS} FROM events WHERE id > ? ORDER BY id LIMIT ?",  # noqa: S608 - a constant
        (after, limit),
    ).fetchall()


def _all_after(conn: sqlite3.Connection, after: int) -> Iterator[Recorded]:
    while rows := _page(conn, after, _PAGE):
        yield from recorded(rows)
        after = rows[-1][0]


def recorded(rows: Iterable[tuple[int, str, str, int]]) -> Iterator[Recorded]:
    """Return rows as events; those of a kind this version does not know are passed over."""
    for number, timestamp, payload, cause in rows:
        try:
            record = Recorded(number, parse_utc(timestamp), decode(payload), cause)
        except (msgspec.DecodeError, ValueError) as error:
            _log.warning("event %s is of another version, passed over: %s", number, error)
        else:
            yield record
