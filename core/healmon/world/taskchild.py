"""A short-lived program that reads or changes rows of one task database, for `world.taskdb`.

Run by `programs/tasks.py`: standard library only, and of healmon nothing but `taskfile`,
`taskrules`, `taskledger` and `named`, which are so too; to start it is most of what a look costs,
so it loads no `typing` either. It takes one question (JSON on stdin), gives one answer (JSON on
stdout) and ends. It is a process of its own so that it can be ended when it hangs,
and so that its descriptors never drop locks of anybody else.

The question names tables and columns; they are quoted here and nowhere else.
"""

from __future__ import annotations

import json
import signal
import sqlite3
import sys

from healmon.world import taskledger as ledger
from healmon.world import taskrules as rules
from healmon.world.taskfile import (
    bound,
    columns_of,
    connect,
    fit_to_read,
    plain,
    quoted,
    real_path,
    state,
    wal_mode,
    with_wal,
)
from healmon.world.taskrules import Fit, Unfit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from healmon.world.taskledger import Row
    from healmon.world.taskrules import Decision

    Question: TypeAlias = dict[str, Any]
    Decide: TypeAlias = Callable[[Row | None, Row, Row], Decision]

LATE = 1000
"""Rows with late results that are told at most, the newest ones."""
BUSY_READ, BUSY_WRITE = 1.0, 2.0
"""Seconds to wait for somebody else's lock."""
HALF = "SQLITE_READONLY_ROLLBACK"


def main() -> None:
    """Answer the one question, in its time also when whoever asked is gone."""
    question = json.load(sys.stdin)
    # nobody may be left to end it; it must not keep a lock then
    signal.alarm(question["deadline"])
    try:
        answer: dict[str, Any] = {"answer": VERBS[question["verb"]](question)}
    except Unfit as error:
        answer = {"error": str(error)}
    except sqlite3.Error as error:
        answer = {"error": said(error)}
    except OSError as error:
        answer = {"error": f"cannot be looked at: {error.strerror}"}
    json.dump(answer, sys.stdout)


def said(error: Exception) -> str:
    """Return what SQLite said, with its own name for it."""
    name = str(getattr(error, "sqlite_errorname", "SQLITE_ERROR"))
    if name == HALF:
        return f"a killed writer left it half written; its next writer takes that back ({name})"
    return f"{error} ({name})"


def look(question: Question) -> dict[str, list[Row]]:
    """Return what is wanted of `active`, `owed` and `late` rows."""
    path = real_path(question["path"])
    fit_to_read(path)
    found = look_unopened(path, question)
    return select(path, "mode=ro", question) if found is None else found


def look_unopened(path: str, question: Question) -> dict[str, list[Row]] | None:
    """Return the rows of a file with a write-ahead log that nobody has open, else None.

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


class Base:
    """One open database and the layout that it has.

    Raises:
        Unfit: it has none of those that come into question.
    """

    def __init__(self, database: sqlite3.Connection, question: Question) -> None:
        self.database = database
        self.question = question
        self.fit: Fit = rules.fitting(question["layouts"], lambda t: columns_of(database, t))
        self.layout = self.fit.layout
        self.history = columns_of(database, self.layout["history"])
        if self.layout["history"] and not self.history and "history" in self.layout["given"]:
            raise Unfit(f"has no table {self.layout['history']!r} (key: history)")
        self.order = rules.order_of(question, self.layout)

    def column(self, word: str) -> str:
        """Return the column of a word that the table has, as SQL."""
        return "t." + quoted(self.fit.names[word])

    @property
    def table(self) -> str:
        """The task table, as SQL."""
        return quoted(self.layout["table"])

    @property
    def hidden(self) -> str:
        """What is true of a row that was put away, as SQL."""
        names = [name for name in self.layout["hidden"] if name in self.fit.columns]
        terms = [f"COALESCE(t.{quoted(name)}, '') NOT IN ('', 0)" for name in names]
        return f"({' OR '.join(terms)})" if terms else "0"

    def rows(self, rest: str, values: tuple[Any, ...], *more: str) -> list[Row]:
        """Return rows by words; `more` are further columns: `EXPRESSION AS name`."""
        names = {word: f"t.{quoted(name)}" for word, name in self.fit.names.items()}
        terms = [f"{column} AS {word}" for word, column in names.items()]
        sql = f"SELECT {', '.join((*terms, *more))} FROM {self.table} t {rest}"  # noqa: S608 - names are quoted
        cursor = self.database.execute(sql, values)
        words = [column[0] for column in cursor.description]
        return [dict(zip(words, map(plain, row), strict=True)) for row in cursor]

    def row(self, number: Any) -> Row | None:  # noqa: ANN401 - an id of any sort
        """Return the row of a task, and whether it is `hidden`; None: it is gone.

        Raises:
            Unfit: several rows have this id.
        """
        mark, key = bound(number)
        rest = f"WHERE {self.column('id')} = {mark} LIMIT 2"
        found = self.rows(rest, (key,), f"{self.hidden} AS hidden")
        rules.alone(found, number, self.fit.names["id"])
        return found[0] if found else None

    def active(self) -> list[Row]:
        """Return the active rows that a session works on, by their ids."""
        words, kind = self.layout["active"], self.layout["kind"]
        session = self.column("session")
        rest = (
            f"WHERE {self.column('status')} IN ({', '.join('?' * len(words))})"
            f" AND {session} IS NOT NULL AND {session} <> '' AND NOT {self.hidden}"
            f" ORDER BY {self.column('id')} LIMIT {rules.ROWS + 1}"
        )
        known = kind and kind in self.fit.columns
        rows = self.rows(rest, tuple(words), f"{'t.' + quoted(kind) if known else 'NULL'} AS kind")
        rules.countable(rows)
        timeouts = self._timeouts() if known else {}
        return [rules.told(row, self.fit, timeouts) for row in rows]

    def _timeouts(self) -> dict[str, Any]:
        table = self.layout["timeouts"]
        if not {"task_type", "timeout_seconds"} <= columns_of(self.database, table).keys():
            return {}
        sql = f"SELECT task_type, timeout_seconds FROM {quoted(table)}"  # noqa: S608 - a name of ours
        return {str(plain(kind)): seconds for kind, seconds in self.database.execute(sql)}

    def owed(self) -> list[Row]:
        """Return the rows that healmon failed and owes back, by their ids."""
        if "error" not in self.fit.names:
            return []
        rest = (
            f"WHERE {self.column('status')} = ? AND instr({self.column('error')}, ?) > 0"
            f" AND NOT {self.hidden} ORDER BY {self.column('id')} LIMIT {rules.ROWS}"
        )
        rows = self.rows(rest, (self.layout["failed"], ledger.MARK + ledger.OWED))
        return [one for row in rows if (one := ledger.owed(row)) is not None]

    def late(self) -> list[Row]:
        """Return rows whose old attempt ended after they were taken away, the newest first."""
        entries = self._entries()
        here, values = ["0"], []
        if entries:
            history = quoted(self.layout["history"])
            told = f"SELECT prompt_id FROM {history} WHERE instr(details, ?) > 0"  # noqa: S608 - a quoted name
            here, values = [f"{self.column('id')} IN ({told})"], [ledger.BY]
        if "error" in self.fit.names:
            here.append(f"instr({self.column('error')}, ?) > 0")
            values.append(ledger.MARK)
        words = (*self.layout["active"], self.layout["pending"], *ledger.CANCELLED)
        rest = (
            f"WHERE ({' OR '.join(here)})"
            f" AND {self.column('status')} NOT IN ({', '.join('?' * len(words))})"
            f" ORDER BY {self.column('id')} DESC LIMIT {LATE}"
        )
        rows = [r for r in self.rows(rest, (*values, *words)) if not ledger.as_left(r, self.order)]
        found = (ledger.late(row, entries.get(row["id"])) for row in rows)
        return [one for one in found if one is not None]

    def _entries(self) -> dict[Any, Row]:
        """Return healmon's newest history entries, and whether somebody got it since, by task."""
        if not {"id", "details", *rules.HISTORY_NEEDS} <= self.history.keys():
            return {}
        table = quoted(self.layout["history"])
        newest = (
            "SELECT MAX(CASE WHEN instr(details, ?) > 0 THEN id END) AS ours,"  # noqa: S608 - a quoted name
            " MAX(CASE WHEN action IN (?, ?) THEN id END) AS anew"
            f" FROM {table} GROUP BY prompt_id HAVING ours IS NOT NULL"
        )
        when = "h.created_at" if "created_at" in self.history else "NULL"
        sql = (
            f"SELECT h.prompt_id, h.session_name, h.details, COALESCE(m.anew, 0) > m.ours, {when}"  # noqa: S608 - a quoted name
            f" FROM ({newest}) m JOIN {table} h ON h.id = m.ours"
        )
        rows = self.database.execute(sql, (ledger.BY, *ledger.ANEW))
        names = ("session_name", "details", "anew", "created_at")
        return {plain(n): dict(zip(names, map(plain, rest), strict=True)) for n, *rest in rows}

    def change(self, wanted: Row, decide: Decide) -> list[Any]:
        """Return id, outcome, the status found, note and due time of one row, after changing it."""
        row = self.row(wanted["id"])
        decision = decide(row, wanted, self.order)
        if row is not None and decision.outcome != "left":
            self._update(wanted["id"], self._values(decision))
            entry = rules.entry_for(self.history, decision, row, self.order)
            self._insert(self.layout["history"], entry)
            self._let_go(row)
        status = "" if row is None else str(row["status"])
        return [wanted["id"], decision.outcome, status, decision.note, decision.due]

    def _values(self, decision: Decision) -> Row:
        names = self.fit.names
        values = {names[word]: value for word, value in decision.change.items() if word in names}
        if decision.outcome == "requeued":
            values |= {n: None for n in self.layout["clears"] if n in self.fit.columns}
        return values

    def _update(self, number: Any, change: Row) -> None:  # noqa: ANN401 - an id of any sort
        terms = {name: bound(value) for name, value in change.items()}
        sets = ", ".join(f"{quoted(name)} = {term}" for name, (term, _) in terms.items())
        mark, key = bound(number)
        sql = f"UPDATE {self.table} SET {sets} WHERE {quoted(self.fit.names['id'])} = {mark}"  # noqa: S608 - names are quoted
        values = (*(value for _, value in terms.values()), key)
        if self.database.execute(sql, values).rowcount != 1:
            raise Unfit(f"row {number!r} could not be changed: a trigger is in the way")

    def _insert(self, table: str, row: Row) -> None:
        if not row:
            return
        terms = {name: bound(value) for name, value in row.items()}
        names, marks = ", ".join(map(quoted, terms)), ", ".join(m for m, _ in terms.values())
        self.database.execute(
            f"INSERT INTO {quoted(table)} ({names}) VALUES ({marks})",  # noqa: S608 - names are quoted
            tuple(value for _, value in terms.values()),
        )

    def _let_go(self, row: Row) -> None:
        """Let the queue's own table of sessions name this task no more, as its own timeout does."""
        table, session = self.layout["sessions"], row["session"]
        has = columns_of(self.database, table) if table and session is not None else {}
        if {"name", "current_task_id"} <= has.keys():
            (name, who), (mark, key) = bound(session), bound(row["id"])
            sql = (
                f"UPDATE {quoted(table)} SET current_task_id = NULL"  # noqa: S608 - names are quoted
                f" WHERE name = {name} AND current_task_id = {mark}"
            )
            self.database.execute(sql, (who, key))


def select(path: str, mode: str, question: Question) -> dict[str, list[Row]]:
    """Return what is wanted, all of it as it was at one moment."""
    database = connect(path, mode, BUSY_READ)
    try:
        database.execute("BEGIN")
        base = Base(database, question)
        views = {"active": base.active, "owed": base.owed, "late": base.late}
        return {want: views[want]() for want in question["want"]}
    finally:
        database.close()


def settle(question: Question) -> list[list[Any]]:
    """Take rows that still are as seen away; all of them or, on an error, none."""
    path = real_path(question["path"])
    fit_to_read(path)
    database = connect(path, "mode=rw", BUSY_WRITE)
    try:
        database.execute("BEGIN IMMEDIATE")
        # on an error, closing takes everything back
        base = Base(database, question)
        done = [base.change(row, rules.decide) for row in question["rows"]]
        database.execute("COMMIT")
    finally:
        database.close()
    return done


def give_back(question: Question) -> list[list[Any]]:
    """Give rows back that still are owed, each by itself: one that cannot be is no other's fault.

    Raises:
        sqlite3.Error, Unfit: not one could be.
    """
    path = real_path(question["path"])
    fit_to_read(path)
    database = connect(path, "mode=rw", BUSY_WRITE)
    done: list[list[Any]] = []
    faults: list[Exception] = []
    try:
        for row in question["rows"]:
            try:
                done.append(give_one(database, row, question))
            except (sqlite3.Error, Unfit) as error:
                faults.append(error)
                words = said(error) if isinstance(error, sqlite3.Error) else str(error)
                done.append([row["id"], "left", "", f"could not be changed: {words}", ""])
    finally:
        database.close()
    if faults and len(faults) == len(done):
        raise faults[0]
    return done


def give_one(database: sqlite3.Connection, row: Row, question: Question) -> list[Any]:
    """Give one row back, in a transaction of its own."""
    try:
        database.execute("BEGIN IMMEDIATE")
        changed = Base(database, question).change(row, rules.give_back)
        database.execute("COMMIT")
    finally:
        if database.in_transaction:
            database.execute("ROLLBACK")
    return changed


VERBS: dict[str, Callable[[Question], Any]] = {
    "look": look,
    "settle": settle,
    "give_back": give_back,
}
