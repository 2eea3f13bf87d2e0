"""A short-lived program that reads or changes rows of one task database, for `world.taskdb`.

Run as `python -I -S taskchild.py`: standard library only, imports nothing of healmon. It takes one
question (JSON on stdin), gives one answer (JSON on stdout) and ends. It is a process of its own so
that it can be ended when it hangs, and so that its descriptors never drop locks of anybody else.

The question names tables and columns; they are quoted here and nowhere else.
"""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import sys
from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import quote

MAGIC = b"SQLite format 3\x00"
ROWS = 20_000
"""Active rows that are read at most; where there are more, nothing is known of any."""
BUSY_READ, BUSY_WRITE = 1.0, 2.0
"""Seconds to wait for somebody else's lock."""


class Unfit(Exception):  # noqa: N818 - an answer, not a fault
    """The database cannot be read or written; the text says why."""


def main() -> None:
    """Answer the one question."""
    question = json.load(sys.stdin)
    try:
        answer: dict[str, Any] = {"answer": VERBS[question["verb"]](question)}
    except Unfit as error:
        answer = {"error": str(error)}
    except sqlite3.Error as error:
        answer = {"error": f"{error} ({getattr(error, 'sqlite_errorname', 'SQLITE_ERROR')})"}
    except OSError as error:
        answer = {"error": f"cannot be looked at: {error.strerror}"}
    json.dump(answer, sys.stdout)


def read(question: dict[str, Any]) -> list[list[Any]]:
    """Return the active rows: id, session, status, assigned_at, timeout in minutes."""
    path = real_path(question)
    fit(path)
    rows = read_unopened(path, question)
    return select(path, "mode=ro", question) if rows is None else rows


def read_unopened(path: str, question: dict[str, Any]) -> list[list[Any]] | None:
    """Return the active rows of a file with a write-ahead log that nobody has open, else None.

    A reader with locks would leave an empty -wal and -shm behind.
    """
    before = state(path)
    if with_wal(before) or not wal_mode(path):
        return None
    try:
        rows = select(path, "mode=ro&immutable=1", question)
    except (sqlite3.Error, Unfit):
        # somebody may have written while it was read
        if state(path) == before:
            raise
        return None
    return rows if state(path) == before else None


def real_path(question: dict[str, Any]) -> str:
    """Return where the file itself is: there SQLite keeps its -wal, not beside a link to it."""
    path: str = question["path"]
    return os.path.realpath(path)


def fit(path: str) -> None:
    """Raise Unfit unless this is a regular file that begins as a SQLite database does."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Unfit("there is no such file") from None
    except OSError as error:
        raise Unfit(f"cannot be opened: {error.strerror}") from None
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise Unfit("is no regular file")
        if found.st_size == 0:
            raise Unfit("is empty (0 bytes): no table was ever made in it")
        if os.pread(fd, len(MAGIC), 0) != MAGIC:
            raise Unfit("is no SQLite database")
    finally:
        os.close(fd)


def wal_mode(path: str) -> bool:
    """Return whether the file's header says write-ahead log."""
    with open(path, "rb") as file:  # noqa: PTH123 - light on purpose
        return file.read(20)[18:20] == b"\x02\x02"


def state(path: str) -> tuple[int, ...]:
    """Return what changes when somebody opens it or writes into it."""
    found = os.stat(path)  # noqa: PTH116 - light on purpose
    wal = os.path.exists(path + "-wal")  # noqa: PTH110 - light on purpose
    return int(wal), found.st_ino, found.st_size, found.st_mtime_ns


def with_wal(found: tuple[int, ...]) -> bool:
    """Return whether there was a -wal, by what `state` returned."""
    return bool(found[0])


def connect(path: str, mode: str, busy: float) -> sqlite3.Connection:
    """Open an existing file; never make one."""
    uri = f"file:{quote(os.fsencode(path))}?{mode}"
    database = sqlite3.connect(uri, uri=True, timeout=busy, isolation_level=None)
    # one row that is no UTF-8 must not hide all others
    database.text_factory = as_text
    return database


def as_text(raw: bytes) -> str:
    """Return a text column's bytes; those that are no UTF-8 become surrogates."""
    return raw.decode("utf-8", "surrogateescape")


def bound(value: Any) -> tuple[str, Any]:  # noqa: ANN401 - whatever SQLite holds
    """Return how a value stands in SQL, and what to bind there."""
    if isinstance(value, str):
        raw = value.encode("utf-8", "surrogateescape")
        # Python binds no text with bytes that are no UTF-8
        if raw.decode("utf-8", "replace") != value:
            return "CAST(? AS TEXT)", raw
    return "?", value


def quoted(name: str) -> str:
    """Return a table's or column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def columns_of(database: sqlite3.Connection, table: str) -> dict[str, Any]:
    """Return the columns of a table and their defaults, as SQL; empty: there is no such table."""
    # SQL compares names of columns without case
    rows = database.execute("SELECT name, dflt_value FROM pragma_table_info(?)", (table,))
    return {str(name).lower(): default for name, default in rows}


def mapped(database: sqlite3.Connection, question: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of the task table, which has at least those that are needed.

    Raises:
        Unfit: there is no such table, or it lacks one.
    """
    columns = columns_of(database, question["table"])
    if not columns:
        raise Unfit(f"has no table {question['table']!r}")
    need(columns, question)
    return columns


def need(columns: Collection[str], question: dict[str, Any]) -> None:
    """Raise Unfit unless the task table has the columns that are needed. Pure."""
    lacking = [
        name
        for name in (question["id"], question["session"], question["status"])
        if name.lower() not in columns
    ]
    if lacking:
        raise Unfit(f"table {question['table']!r} has no column {', '.join(map(repr, lacking))}")


def countable(rows: Sequence[Any]) -> None:
    """Raise Unfit when there are more active rows than are read. Pure."""
    if len(rows) > ROWS:
        raise Unfit(f"has more than {ROWS} active tasks")


def alone(rows: Sequence[Any], wanted: dict[str, Any], question: dict[str, Any]) -> None:
    """Raise Unfit when several rows have the id of one task: which one was seen? Pure."""
    if len(rows) > 1:
        raise Unfit(f"several rows have the {question['id']} {wanted['id']!r}")


def select(path: str, mode: str, question: dict[str, Any]) -> list[list[Any]]:
    """Return the active rows, read in one statement."""
    database = connect(path, mode, BUSY_READ)
    try:
        columns = mapped(database, question)
        wanted = [question["id"], question["session"], question["status"]]
        late = (question["assigned_at"], "timeout_minutes")
        terms = [quoted(name) for name in wanted]
        terms += [quoted(name) if name.lower() in columns else "NULL" for name in late]
        active, session = question["active"], quoted(question["session"])
        where = f"{quoted(question['status'])} IN ({', '.join('?' * len(active))})"
        where += f" AND {session} IS NOT NULL AND {session} <> ''"
        if "archived" in columns:
            where += " AND COALESCE(archived, 0) = 0"
        sql = f"SELECT {', '.join(terms)} FROM {quoted(question['table'])} WHERE {where}"  # noqa: S608 - names are quoted
        sql += f" ORDER BY {quoted(question['id'])} LIMIT {ROWS + 1}"
        rows = [list(row) for row in database.execute(sql, active)]
    finally:
        database.close()
    countable(rows)
    default = columns.get("timeout_minutes")
    for row in rows:
        # the column's own default is nobody's choice for this task
        if default is not None and str(row[4]) == str(default):
            row[4] = None
    return [[plain(value) for value in row] for row in rows]


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever SQLite holds
    """Return a value that JSON can carry."""
    return as_text(value) if isinstance(value, bytes) else value


def decide(
    row: dict[str, Any] | None, wanted: dict[str, Any], order: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return what becomes of a row: `requeued`, `failed` or `left`, and what to write. Pure.

    Args:
        row: the row as it is now, with the columns that its table has of status, session,
            assigned_at, retry_count and max_retries; None: it is gone.
        wanted: the status, session and assigned_at that were seen.
        order: the words of this table, and what is asked for.
    """
    if row is None or not same(row, wanted):
        return "left", {}
    # without a count nothing would end the circle
    used: Any = row.get("retry_count") or 0
    most: Any = row.get("max_retries")
    counted = "retry_count" in row and isinstance(used, int) and isinstance(most, int)
    if order["requeue"] and counted and used < most:
        change = {"status": order["pending"], "session": None, "assigned_at": None}
        change |= {"completed_at": None, "retry_count": used + 1, "error": order["error"]}
        return "requeued", change
    change = {"status": order["failed"], "completed_at": wanted["completed_at"]}
    return "failed", change | {"error": order["error"]}


def same(row: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Return whether a row still is the assignment that was seen. Pure."""
    # a column may hold numbers; what was seen is told as text
    now = [None if row[word] is None else str(row[word]) for word in ("status", "session")]
    # the same session may have got it anew, as a task that nobody has looked at
    return [*now, row.get("assigned_at")] == [
        wanted["status"], wanted["session"], wanted["assigned_at"],
    ]  # fmt: skip


def entry_for(
    history: Collection[str], outcome: str, wanted: dict[str, Any], question: dict[str, Any]
) -> dict[str, Any]:
    """Return the row for the table of assignments with these columns. Pure.

    Empty: there is no such table, or it is not of the known shape.
    """
    entry = {
        "prompt_id": wanted["id"],
        "session_name": wanted["session"],
        "action": outcome,
        "created_at": question["at"],
        "details": json.dumps({"by": "healmon", "was": wanted["status"], **question["details"]}),
    }
    if not {"prompt_id", "session_name", "action"} <= set(history):
        return {}
    return {name: value for name, value in entry.items() if name in history}


def settle(question: dict[str, Any]) -> list[list[Any]]:
    """Requeue or fail rows that still are as they were seen; all of them or, on an error, none."""
    path = real_path(question)
    fit(path)
    database = connect(path, "mode=rw", BUSY_WRITE)
    try:
        database.execute("BEGIN IMMEDIATE")
        # on an error, closing takes everything back
        columns = mapped(database, question)
        history = columns_of(database, question["history"])
        done = [settle_row(database, columns, history, row, question) for row in question["rows"]]
        database.execute("COMMIT")
    finally:
        database.close()
    return done


def settle_row(
    database: sqlite3.Connection,
    columns: dict[str, Any],
    history: dict[str, Any],
    wanted: dict[str, Any],
    question: dict[str, Any],
) -> list[Any]:
    """Return id, outcome and the status found of one row, after changing it."""
    names = names_of(columns, question)
    terms, table = ", ".join(map(quoted, names.values())), quoted(question["table"])
    mark, key = bound(wanted["id"])
    where = f"{quoted(question['id'])} = {mark}"
    found = database.execute(f"SELECT {terms} FROM {table} WHERE {where} LIMIT 2", (key,))  # noqa: S608 - names are quoted
    rows = found.fetchall()
    alone(rows, wanted, question)
    row = dict(zip(names, map(plain, rows[0]), strict=True)) if rows else None
    outcome, change = decide(row, wanted, question)
    change = {names[word]: bound(value) for word, value in change.items() if word in names}
    if change:
        sets = ", ".join(f"{quoted(name)} = {term}" for name, (term, _) in change.items())
        values = [value for _, value in change.values()]
        update = f"UPDATE {table} SET {sets} WHERE {where}"  # noqa: S608 - names are quoted
        if database.execute(update, (*values, key)).rowcount != 1:
            raise Unfit(f"row {wanted['id']!r} could not be changed: a trigger is in the way")
        entry = entry_for(history, outcome, wanted, question)
        insert(database, question["history"], {k: bound(v) for k, v in entry.items()})
    return [wanted["id"], outcome, "" if row is None else str(row["status"])]


def names_of(columns: Collection[str], question: dict[str, Any]) -> dict[str, str]:
    """Return how the columns that settling needs are called, of those the table has. Pure."""
    names = {word: question[word] for word in ("status", "session", "assigned_at")}
    names |= {word: word for word in ("retry_count", "max_retries", "completed_at", "error")}
    return {word: name for word, name in names.items() if name.lower() in columns}


def insert(database: sqlite3.Connection, table: str, row: dict[str, tuple[str, Any]]) -> None:
    """Insert a row of `bound` values; an empty one is none."""
    if not row:
        return
    names, marks = ", ".join(map(quoted, row)), ", ".join(mark for mark, _ in row.values())
    database.execute(
        f"INSERT INTO {quoted(table)} ({names}) VALUES ({marks})",  # noqa: S608 - names are quoted
        tuple(value for _, value in row.values()),
    )


VERBS = {"read": read, "settle": settle}

if __name__ == "__main__":
    main()
