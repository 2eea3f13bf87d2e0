"""The database itself keeps one open alert per key, whoever writes."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from healmon.store import schema
from tests.helpers.storekit import line, program

ROUNDS = 60
WRITER = """
import random, sqlite3, sys
sys.path.insert(0, sys.argv[1])
from healmon import events as ev
from healmon.store.project import Projector
from healmon.store.tx import immediate
from tests.helpers.storekit import KEYS, opened, pended, reopened

path, mine = sys.argv[2], int(sys.argv[3])
conn = sqlite3.connect(path, isolation_level=None, timeout=30)
dice, projector = random.Random(mine), Projector()
print("ready", flush=True)
sys.stdin.readline()
for turn in range(int(sys.argv[4])):
    key = KEYS[turn // 3 % 2]
    event = dice.choice((opened(key), pended(key), reopened(key), ev.AlertResolved(key, "over")))
    record = ev.Recorded(2 * turn + mine + 1, 1_770_000_000.0 + turn, event)
    with immediate(conn):
        for sql, values in projector.rows(record):
            conn.execute(sql, values)
print("done", flush=True)
"""


@pytest.mark.slow
def test_two_processes_that_write_alerts_of_the_same_keys_leave_one_open_each(
    tmp_path: Path,
) -> None:
    path = tmp_path / "healmon.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA journal_mode = WAL")
        schema.migrate(conn, {"epoch": "e"})
        root = str(Path(__file__).parents[3])
        with (
            program(WRITER, root, path, 0, ROUNDS) as one,
            program(WRITER, root, path, 1, ROUNDS) as other,
        ):
            assert line(one) == line(other) == "ready"
            for writer in (one, other):
                writer.stdin.write("go\n")
                writer.stdin.flush()
            assert line(one) == line(other) == "done"
        (rows,) = conn.execute("SELECT count(*) FROM health_alerts").fetchone()
        assert rows > 2
        doubled = conn.execute(
            "SELECT key, count(*) FROM health_alerts WHERE resolved = 0 GROUP BY key"
            " HAVING count(*) > 1"
        ).fetchall()
        assert doubled == []
