"""Real users of real SQLite databases, in processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from tests.helpers.wait import until

PROGRAM = """
import json, os, sqlite3, sys, time

def open_database(path):
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    connection.execute("PRAGMA busy_timeout=200")
    return connection

def loop(style="quick", promised=os.devnull):
    # one transaction after the other: quick ones, some that spill pages, or one that stays open
    log = os.open(promised, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    connection.execute("PRAGMA busy_timeout=30000")
    size = 60_000 if style == "spill" else 10
    print(json.dumps("looping"), flush=True)
    if style == "spill":
        connection.execute("PRAGMA cache_size=5")  # reads: it waits for whoever stands in a commit
    number = 0
    while True:
        number += 1
        name = f"{os.getpid()}.{number}"
        connection.execute("BEGIN IMMEDIATE")
        text = "INSERT INTO rows(text) VALUES (? || ' ' || hex(zeroblob(?)))"
        connection.execute(text, (name, size))
        if style == "idle" and number == 20:
            time.sleep(600)
        connection.execute("COMMIT")
        # promised only now; whoever reads this may rely on the row
        os.write(log, name.encode() + b"\\n")

connection = open_database(sys.argv[1])
cursors = []
print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    verb, _, rest = json.loads(line).partition(" ")
    try:
        if verb == "LOOP":
            loop(*rest.split(" "))
        elif verb == "PATIENT":
            connection.execute("PRAGMA busy_timeout=60000")
            answer = "patient"
        elif verb == "FORK":
            children = []
            for _ in range(int(rest)):
                child = os.fork()
                if not child:
                    # ends with its parent
                    while os.getppid() != 1:
                        time.sleep(0.05)
                    os._exit(0)
                children.append(child)
            answer = children
        elif verb == "READ":
            # a cursor that is not read to its end keeps its transaction
            cursors.append(connection.execute("SELECT * FROM rows"))
            answer = cursors[-1].fetchone()
        else:
            answer = connection.execute((verb + " " + rest).strip()).fetchall()
    except sqlite3.Error as error:
        answer = f"error: {error}"
    print(json.dumps(answer), flush=True)
"""


PINNING = (
    "INSERT INTO rows(text) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
    "LIMIT 1400) SELECT hex(zeroblob(2000)) FROM n"
)
"""What a writer does so that an older reader pins a large -wal: some 1,400 frames."""


class Actor:
    """One process with one connection, that does what it is told.

    Args:
        path: the database.
        program: what it runs; it says "ready" when it is.
        under: a command that starts it.
    """

    def __init__(self, path: Path, program: str = PROGRAM, under: Sequence[str] = ()) -> None:
        self.process = subprocess.Popen(
            [*under, sys.executable, "-I", "-S", "-c", program, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self.pid = self.process.pid
        self._unread = b""
        try:
            assert self.answer() == "ready"
        except BaseException:
            self.end()
            raise

    def send(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(text).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self, limit: float = 60.0) -> object:
        assert self.process.stdout is not None
        end = time.monotonic() + limit
        while b"\n" not in self._unread:
            ready, _, _ = select.select([self.process.stdout], [], [], end - time.monotonic())
            assert ready, "the actor does not answer"
            part = os.read(self.process.stdout.fileno(), 65536)
            assert part, "the actor has ended"
            self._unread += part
        line, _, self._unread = self._unread.partition(b"\n")
        return json.loads(line)

    def does(self, text: str) -> object:
        self.send(text)
        return self.answer()

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)
        until(lambda: self.state() == "T", what="the stop")

    def loop(self, style: str = "quick", promised: Path | str = os.devnull) -> None:
        """Write for ever; each committed row is written down in `promised`, too."""
        self.send(f"LOOP {style} {promised}")
        assert self.answer() == "looping"

    def state(self) -> str:
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]

    def end(self) -> None:
        """SIGKILL, reaped."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(30)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


class Actors:
    """All actors of one test."""

    def __init__(self) -> None:
        self._actors: list[Actor] = []

    def __call__(self, path: Path, program: str = PROGRAM, under: Sequence[str] = ()) -> Actor:
        actor = Actor(path, program, under)
        self._actors.append(actor)
        return actor

    def close(self) -> None:
        for actor in self._actors:
            actor.end()


def create(path: Path, mode: str = "delete", rows: int = 500) -> None:
    """Make a database of so many rows."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.execute("CREATE TABLE rows(id INTEGER PRIMARY KEY, text TEXT)")
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO rows(text) VALUES (?)", [("x",)] * rows)
        connection.execute("COMMIT")


def ask(path: Path, sql: str) -> object:
    """Return what SQLite answers to a newcomer, who is gone afterwards."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=0.2)) as connection:
            return [list(row) for row in connection.execute(sql).fetchall()]
    except sqlite3.Error as error:
        return f"error: {error}"


def whole(path: Path, rows: int) -> None:
    """Return if all rows are there and SQLite finds no damage."""
    assert ask(path, "SELECT count(*) FROM rows") == [[rows]]
    assert ask(path, "PRAGMA integrity_check") == [["ok"]]
