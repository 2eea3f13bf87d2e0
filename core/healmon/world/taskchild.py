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
from typing import Any
from urllib.parse import quote

MAGIC = b"SQLite format 3\x00"
ROWS = 20_000
"""Active rows that are read at most."""
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
    json.dump(answer, sys.stdout)


def read(question: dict[str, Any]) -> list[list[Any]]:
    """Return the active rows: id, session, status, assigned_at, timeout in minutes."""
    path = question["path"]
    fit(path)
    with_wal = os.path.exists(path + "-wal")  # noqa: PTH110 - light on purpose
    if wal_mode(path) and not with_wal:
        # nobody has it open: a reader with locks would leave an empty -wal and -shm behind
        before = state(path)
        rows = select(path, "mode=ro&immutable=1", question)
        if state(path) == before:
            return rows
    return select(path, "mode=ro", question)


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
    """Return what changes when somebody writes into it."""
    found = os.stat(path)  # noqa: PTH116 - light on purpose
    wal = os.path.exists(path + "-wal")  # noqa: PTH110 - light on purpose
    return found.st_ino, found.st_size, found.st_mtime_ns, int(wal)


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
        Unfit: it lacks one.
    """
    table = question["table"]
    columns = columns_of(database, table)
    if not columns:
        raise Unfit(f"has no table {table!r}")
    lacking = [
        name
        for name in (question["id"], question["session"], question["status"])
        if name.lower() not in columns
    ]
    if lacking:
        raise Unfit(f"table {table!r} has no column {', '.join(map(repr, lacking))}")
    return columns


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
        sql = (
            f"SELECT {', '.join(terms)} FROM {quoted(question['table'])} WHERE {where} LIMIT {ROWS}"  # noqa: S608 - names are quoted
        )
        rows = [list(row) for row in database.execute(sql, active)]
    finally:
        database.close()
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
            retry_count and max_retries; None: it is gone.
        wanted: the status and session that were seen.
        order: the words of this table, and what is asked for.
    """
    if row is None or (row["status"], row["session"]) != (wanted["status"], wanted["session"]):
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


def settle(question: dict[str, Any]) -> list[list[Any]]:
    """Requeue or fail rows that still are as they were seen; all of them or, on an error, none."""
    fit(question["path"])
    database = connect(question["path"], "mode=rw", BUSY_WRITE)
    try:
        database.execute("BEGIN IMMEDIATE")
        try:
            columns = mapped(database, question)
            history = columns_of(database, question["history"])
            done = [
                settle_row(database, columns, history, row, question) for row in question["rows"]
            ]
        except BaseException:
            database.execute("ROLLBACK")
            raise
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
    names = {word: question[word] for word in ("status", "session", "assigned_at")}
    names |= {word: word for word in ("retry_count", "max_retries", "completed_at", "error")}
    names = {word: name for word, name in names.items() if name.lower() in columns}
    table, key = quoted(question["table"]), quoted(question["id"])
    terms = ", ".join(map(quoted, names.values()))
    found = database.execute(f"SELECT {terms} FROM {table} WHERE {key} = ?", (wanted["id"],))  # noqa: S608 - names are quoted
    values = found.fetchone()
    row = None if values is None else dict(zip(names, map(plain, values), strict=True))
    outcome, change = decide(row, wanted, question)
    change = {word: value for word, value in change.items() if word in names}
    if change:
        sets = ", ".join(f"{quoted(names[word])} = ?" for word in change)
        database.execute(
            f"UPDATE {table} SET {sets} WHERE {key} = ?",  # noqa: S608 - names are quoted
            (*change.values(), wanted["id"]),
        )
        remember(database, history, outcome, wanted, question)
    return [wanted["id"], outcome, "" if row is None else str(row["status"])]


def remember(
    database: sqlite3.Connection,
    history: dict[str, Any],
    outcome: str,
    wanted: dict[str, Any],
    question: dict[str, Any],
) -> None:
    """Add a row to the table of assignments, if there is one of the known shape."""
    entry = {
        "prompt_id": wanted["id"],
        # SQLite takes no text with bytes that are no UTF-8
        "session_name": wanted["session"].encode("utf-8", "replace").decode(),
        "action": outcome,
        "created_at": question["at"],
        "details": json.dumps({"by": "healmon", "was": wanted["status"], **question["details"]}),
    }
    if not {"prompt_id", "session_name", "action"} <= history.keys():
        return
    entry = {name: value for name, value in entry.items() if name in history}
    names, marks = ", ".join(map(quoted, entry)), ", ".join("?" * len(entry))
    database.execute(
        f"INSERT INTO {quoted(question['history'])} ({names}) VALUES ({marks})",  # noqa: S608 - names are quoted
        tuple(entry.values()),
    )


VERBS = {"read": read, "settle": settle}

if __name__ == "__main__":
    main()
