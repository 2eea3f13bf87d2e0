"""The healer against real SQLite in other processes, real stops and real signals."""

from __future__ import annotations

from pathlib import Path

import pytest

from healmon.errors import DataError
from tests.helpers.dbactor import create
from tests.helpers.dbwatch import Watch

pytestmark = pytest.mark.slow


def test_a_strangers_idle_transaction_names_him_and_ends_nobody(tmp_path, actors, watch):
    path = tmp_path / "a.db"
    create(path, "wal")
    actors(path).does("SELECT count(*) FROM rows")
    holder = actors(path)
    holder.does("BEGIN IMMEDIATE")
    eyes = watch(path, busy_for=0.5)
    assert eyes.look().metric_value == "idle-in-transaction"
    verdict = eyes.until(lambda v: v.findings, "the finding")
    (finding,) = verdict.findings
    assert finding.evidence["pid"] == holder.pid
    assert "python" in finding.evidence["command"]
    assert finding.evidence["cwd"] == str(Path.cwd())
    assert finding.evidence["user"]
    assert verdict.plan is None
    with pytest.raises(DataError, match=f"pid {holder.pid}"):
        eyes.healer.offer("unlock", "database:a", eyes.known, eyes.clock.read())
    assert holder.does("COMMIT") == []
    assert eyes.look().metric_value == "free"


def test_a_commit_that_waits_for_a_reader_blames_the_reader(tmp_path, actors, watch):
    path = tmp_path / "a.db"
    create(path, rows=500)
    reader, writer = actors(path), actors(path)
    reader.does("READ")
    writer.does("PATIENT")
    writer.does("BEGIN IMMEDIATE")
    writer.does("INSERT INTO rows(text) VALUES ('x')")
    writer.send("COMMIT")
    eyes = watch(path, busy_for=0.5)
    eyes.until(lambda v: f"reader pid {reader.pid}" in v.summary, "the reader's name")
    verdict = eyes.until(lambda v: v.findings, "the finding")
    assert verdict.findings[0].evidence["waits_for"] == [reader.pid]
    reader.end()
    assert writer.answer() == []


def test_a_deleted_and_recreated_database_is_free(tmp_path, actors, watch):
    path = tmp_path / "a.db"
    create(path)
    holder = actors(path)
    holder.does("BEGIN IMMEDIATE")
    eyes = watch(path)
    assert eyes.look().metric_value == "idle-in-transaction"
    path.unlink()
    assert eyes.look().metric_value == "missing"
    create(path)
    assert eyes.look().metric_value == "free"


def test_healmon_itself_is_never_continued_or_blamed_into_a_plan(tmp_path, watch):
    import sqlite3

    path = tmp_path / "a.db"
    create(path)
    ours = sqlite3.connect(path, isolation_level=None)
    try:
        ours.execute("BEGIN IMMEDIATE")
        eyes = watch(path, busy_for=0.0)
        eyes.look()
        verdict = eyes.look()
        assert verdict.plan is None
        with pytest.raises(DataError, match="locked"):
            eyes.healer.offer("unlock", "database:a", eyes.known, eyes.clock.read())
    finally:
        ours.close()


def test_close_leaves_no_child_behind(tmp_path):
    path = tmp_path / "a.db"
    create(path)
    eyes = Watch(path)
    eyes.look()
    pid = eyes.healer._doors.locks._line.pid
    eyes.close()
    assert not Path(f"/proc/{pid}").exists()
