"""The same task tables, real in SQLite files and made up in memory, in every known layout.

The real files are made, changed and read by processes that end at once: this one never opens them,
because closing would drop the locks of whoever does so in it. They are forked by one that has
loaded what they need: to start a Python for each would cost ten times as much.
"""

from __future__ import annotations

import atexit
import functools
import json
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, NamedTuple

from healmon.config.settings import Tasks
from healmon.demo import architect_db, assigner_db
from healmon.world.simulated.taskdb import COLUMNS, HISTORY, SimulatedTaskDatabases
from healmon.world.taskdb import SystemTaskDatabases, TaskDatabases
from healmon.world.tasklayouts import layouts
from tests.helpers.dbactor import Actor, Actors

Row = dict[str, Any]
TELL = """
import json, os, sqlite3, struct, sys, traceback

def told(path, statements):
    connection = sqlite3.connect(path, isolation_level=None, timeout=60)
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    answer = []
    for sql, values in statements:
        if values is None:
            connection.executescript(sql)
            continue
        values = [bytes.fromhex(v["hex"]) if isinstance(v, dict) else v for v in values]
        cursor = connection.execute(sql, values)
        names = [column[0] for column in cursor.description or ()]
        answer += [dict(zip(names, row)) for row in cursor]
    connection.close()
    return answer

lines, out = sys.stdin.buffer, sys.stdout.buffer
for line in lines:
    pid = os.fork()
    if pid == 0:
        try:
            answer = {"rows": told(*json.loads(line))}
        except BaseException:
            answer = {"error": traceback.format_exc()}
        raw = json.dumps(answer).encode()
        out.write(struct.pack("!Q", len(raw)) + raw)
        out.flush()
        os._exit(0)
    os.waitpid(pid, 0)
"""


def tell(path: Path, *statements: tuple[str, Sequence[object] | None]) -> list[Row]:
    """Let another process run statements and end; return all rows. Without values: a script."""
    teller = _teller()
    assert teller.stdin is not None
    assert teller.stdout is not None
    teller.stdin.write(json.dumps([str(path), statements]).encode() + b"\n")
    teller.stdin.flush()
    (length,) = struct.unpack("!Q", teller.stdout.read(8))
    answer = json.loads(teller.stdout.read(length))
    assert "error" not in answer, answer["error"]
    rows: list[Row] = answer["rows"]
    return rows


@functools.cache
def _teller() -> subprocess.Popen[bytes]:
    """Start who forks those processes, one for all tests here; it ends with its stdin."""
    made = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", TELL],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    atexit.register(made.communicate)
    return made


class Layout(NamedTuple):
    """One way in which a task table is laid out.

    Attributes:
        sql: makes it.
        columns: what the made-up one has, with defaults.
        history: the columns of its table of assignments.
        keys: what `[tasks.NAME]` says of it.
    """

    sql: str
    columns: Row
    history: tuple[str, ...] = HISTORY
    keys: Mapping[str, Any] = {}


def without(*names: str) -> Row:
    return {name: default for name, default in COLUMNS.items() if name not in names}


WORDS = ("id", "session", "status", "assigned_at", "completed_at", "error")
LATE = "\n".join(f"ALTER TABLE prompts ADD COLUMN {c};" for c in assigner_db.LATE_PROMPTS)
LATE_QUEUE = "\n".join(
    f"ALTER TABLE task_queue ADD COLUMN {c};" for c in architect_db.TASK_QUEUE_LATE
)
WEIRD_TABLE = 'the "tasks" [of]; `all` --'
WEIRD = f"""
CREATE TABLE "{WEIRD_TABLE.replace('"', '""')}" (
    "Task Id" TEXT PRIMARY KEY, "who ""does"" it" TEXT, "STATE" TEXT, "When" TIMESTAMP,
    Completed_At TIMESTAMP, ERROR TEXT, Retry_Count INTEGER DEFAULT 0, MAX_RETRIES INTEGER DEFAULT 3
) WITHOUT ROWID;
"""
LAYOUTS = {
    "full": Layout(assigner_db.SCHEMA + LATE, dict(COLUMNS)),
    "early": Layout(
        assigner_db.SCHEMA,
        without("retry_count", "max_retries", "timeout_minutes", "target_session"),
    ),
    "archived": Layout(
        assigner_db.SCHEMA + LATE + assigner_db.ARCHIVED, {**COLUMNS, "archived": 0}
    ),
    # as tests of the programs around it make it
    "bare": Layout(
        "CREATE TABLE prompts (id INTEGER PRIMARY KEY, content TEXT, assigned_session TEXT,"
        " assigned_at TIMESTAMP, status TEXT, error TEXT);",
        dict.fromkeys(("id", "content", "assigned_session", "assigned_at", "status", "error")),
        (),
    ),
    # the main database: other words, a count of retries that is called otherwise, no history
    "queue": Layout(
        architect_db.TASK_QUEUE,
        {
            "id": None, "task_type": "shell", "assigned_worker": None, "started_at": None,
            "status": "pending", "completed_at": None, "max_retries": 3, "retries": 0,
            "error_message": None, "assigned_node": None, "deleted_at": None,
        },
        (),
        {"layout": "task_queue"},
    ),
    "late queue": Layout(
        architect_db.TASK_QUEUE + LATE_QUEUE,
        {
            "id": None, "task_type": "shell", "assigned_worker": None, "started_at": None,
            "status": "pending", "completed_at": None, "max_retries": 3, "retries": 0,
            "error_message": None, "assigned_node": None, "deleted_at": None,
            "timeout_seconds": None,
        },
        (),
        {"table": "TASK_QUEUE"},
    ),
    "mapped": Layout(
        "CREATE TABLE jobs (nr INTEGER PRIMARY KEY, who TEXT, state TEXT, since REAL, till REAL,"
        " why TEXT, tries INTEGER DEFAULT 0, beat REAL, wait_until REAL, patience INTEGER,"
        " hours REAL, wish TEXT);",
        {
            "nr": None, "who": None, "state": None, "since": None, "till": None, "why": None,
            "tries": 0, "beat": None, "wait_until": None, "patience": None, "hours": None,
            "wish": None,
        },
        (),
        {
            "layout": "table", "table": "jobs", "id": "nr", "session": "who", "status": "state",
            "assigned_at": "since", "completed_at": "till", "error": "why", "retries": "tries",
            "heartbeat": "beat", "not_before": "wait_until", "stuck_after": "patience",
            "timeout": "hours", "timeout_unit": "hours", "target": "wish",
            "active": ("busy", "stuck"), "pending": "todo", "failed": "bad",
            "needs_human": "help", "history": "", "max_requeues": 2,
        },
    ),
    "weird": Layout(
        WEIRD,
        {
            "task id": None, 'who "does" it': None, "state": None, "when": None,
            "completed_at": None, "error": None, "retry_count": 0, "max_retries": 3,
        },
        (),
        {
            "table": WEIRD_TABLE, "id": "task ID", "session": 'Who "Does" It', "status": "State",
            "assigned_at": "WHEN", "history": "",
        },
    ),
}  # fmt: skip


class Stage:
    """What both stages have: rows are given by words (id, session, status, assigned_at, …)."""

    door: TaskDatabases

    def __init__(self, layout: Layout, path: str) -> None:
        self.layout = layout
        self.tasks = Tasks(name="assigner", path=path, **layout.keys)

    @property
    def called(self) -> dict[str, str]:
        """How the columns of the words are called."""
        found = layouts(self.tasks)[0]
        return {word: found[word].lower() for word in WORDS}

    def names(self, row: Mapping[str, Any]) -> Row:
        """Return a row by the columns of this layout."""
        return {self.called.get(k, k): v for k, v in row.items()}

    def whole(self, row: Mapping[str, Any]) -> Row:
        """Return a row by columns, with what must not be NULL."""
        fill = {"content": "work", "task_type": "shell"}
        return {k: v for k, v in fill.items() if k in self.layout.columns} | self.names(row)

    def words(self, row: Mapping[str, Any]) -> Row:
        """Return a row by words."""
        words = {name: word for word, name in self.called.items()}
        known = {k.lower(): v for k, v in row.items() if k.lower() in self.layout.columns}
        return {words.get(name, name): value for name, value in known.items()}


class RealStage(Stage):
    """A SQLite file; others write it."""

    def __init__(self, layout: Layout, base: Path, zone: tzinfo | None = UTC) -> None:
        self.file = base / "tasks.db"
        super().__init__(layout, str(self.file))
        self.door = SystemTaskDatabases(zone)
        self.actors = Actors()
        self._holder: Actor | None = None
        tell(self.file, ("PRAGMA journal_mode=WAL", ()), (layout.sql, None))

    @property
    def table(self) -> str:
        return _quoted(layouts(self.tasks)[0]["table"])

    @property
    def key(self) -> str:
        return _quoted(self.called["id"])

    def fill(self, *rows: Row) -> None:
        tell(self.file, ("BEGIN", ()), *[self._insert(self.whole(r)) for r in rows], ("COMMIT", ()))

    def _insert(self, row: Row) -> tuple[str, list[object]]:
        names = ", ".join(_quoted(name) for name in row)
        marks = ", ".join(map(_mark, row.values()))
        sql = f"INSERT INTO {self.table} ({names}) VALUES ({marks})"
        return sql, [_value(value) for value in row.values()]

    def change(self, number: object, **values: object) -> None:
        row = self.names(values)
        sets = ", ".join(f"{_quoted(name)} = {_mark(value)}" for name, value in row.items())
        sql = f"UPDATE {self.table} SET {sets} WHERE {self.key} = ?"
        tell(self.file, (sql, [*map(_value, row.values()), number]))

    def remove(self, number: object) -> None:
        tell(self.file, (f"DELETE FROM {self.table} WHERE {self.key} = ?", [number]))

    def rows(self) -> list[Row]:
        sql = f"SELECT * FROM {self.table} ORDER BY {self.key}"
        return [self.words(row) for row in tell(self.file, (sql, ()))]

    def history(self) -> list[Row]:
        if not self.layout.history:
            return []
        sql = f"SELECT {', '.join(HISTORY)} FROM assignment_history ORDER BY id"
        return tell(self.file, (sql, ()))

    def assigned(self, number: int, session: str) -> None:
        """Let the assigner note that it gave a task out."""
        sql = "INSERT INTO assignment_history (prompt_id, session_name, action) VALUES (?, ?, ?)"
        tell(self.file, (sql, [number, session, "assigned"]))

    def sessions(self, **task_of: int | None) -> None:
        """Let the table of sessions name what each works on."""
        sql = "INSERT INTO sessions (name, current_task_id) VALUES (?, ?)"
        tell(self.file, *[(sql, [name, number]) for name, number in task_of.items()])

    def sessions_name(self) -> Row:
        rows = tell(self.file, ("SELECT name, current_task_id FROM sessions", ()))
        return {row["name"]: row["current_task_id"] for row in rows}

    def timeouts(self, **seconds: int) -> None:
        """Let the table of timeouts have a row for each kind of task."""
        table = "CREATE TABLE task_timeout_config (task_type TEXT, timeout_seconds INTEGER)"
        sql = "INSERT INTO task_timeout_config VALUES (?, ?)"
        tell(self.file, (table, ()), *[(sql, [kind, many]) for kind, many in seconds.items()])

    def hold(self) -> None:
        """Let another program keep everybody out."""
        tell(self.file, ("PRAGMA journal_mode=DELETE", ()))
        self._begin("BEGIN EXCLUSIVE")

    def hold_writing(self) -> None:
        """Let another program keep all who would write out."""
        self._begin("BEGIN IMMEDIATE")

    def _begin(self, sql: str) -> None:
        self._holder = self.actors(self.file)
        assert self._holder.does(sql) == []

    def release(self) -> None:
        assert self._holder is not None
        assert self._holder.does("COMMIT") == []

    def lose(self) -> None:
        self.file.unlink()

    def close(self) -> None:
        self.actors.close()


class MadeUpStage(Stage):
    """The same in memory."""

    def __init__(self, layout: Layout, zone: tzinfo = UTC) -> None:
        super().__init__(layout, "/made/up/tasks.db")
        self.made = SimulatedTaskDatabases(zone)
        self.made.columns = dict(layout.columns)
        self.made.history_columns = layout.history
        self.made.rows["assigner"] = []
        self.door = self.made

    def fill(self, *rows: Row) -> None:
        for row in rows:
            self.made.add("assigner", **{k: _text(v) for k, v in self.whole(row).items()})

    def _find(self, number: object) -> Row:
        key = self.called["id"]
        return next(row for row in self.made.rows["assigner"] if row[key] == number)

    def change(self, number: object, **values: object) -> None:
        self._find(number).update({k: _text(v) for k, v in self.names(values).items()})

    def remove(self, number: object) -> None:
        self.made.rows["assigner"].remove(self._find(number))

    def rows(self) -> list[Row]:
        rows = [self.words(row) for row in self.made.rows["assigner"]]
        return sorted(rows, key=lambda row: row["id"])

    def history(self) -> list[Row]:
        return self.made.history.get("assigner", [])

    def assigned(self, number: int, session: str) -> None:
        entry = {"prompt_id": number, "session_name": session, "action": "assigned"}
        self.made.history["assigner"].append({"created_at": None, "details": None} | entry)

    def sessions(self, **task_of: int | None) -> None:
        rows = [{"name": name, "current_task_id": number} for name, number in task_of.items()]
        self.made.sessions["assigner"] = rows

    def sessions_name(self) -> Row:
        return {row["name"]: row["current_task_id"] for row in self.made.sessions["assigner"]}

    def timeouts(self, **seconds: int) -> None:
        self.made.timeouts = dict(seconds)

    def hold(self) -> None:
        self.made.faults["assigner"] = "database is locked (SQLITE_BUSY)"

    def hold_writing(self) -> None:
        self.made.write_faults["assigner"] = "database is locked (SQLITE_BUSY)"

    def release(self) -> None:
        self.made.faults.clear()
        self.made.write_faults.clear()

    def lose(self) -> None:
        del self.made.rows["assigner"]

    def close(self) -> None:
        return None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


# bytes stand for a text of these bytes, whatever they are


def _mark(value: object) -> str:
    return "CAST(? AS TEXT)" if isinstance(value, bytes) else "?"


def _value(value: object) -> object:
    return {"hex": value.hex()} if isinstance(value, bytes) else value


def _text(value: object) -> object:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
