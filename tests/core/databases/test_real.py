"""The healer against real SQLite in other processes, real stops and real signals."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from healmon.errors import DataError
from tests.helpers.dbactor import ask, create
from tests.helpers.dbstory import Notebook
from tests.helpers.dbwatch import Watch, files
from tests.helpers.wait import until

pytestmark = pytest.mark.slow

CALM = {"free", "busy", "working"}


def test_idle_connections_are_free(tmp_path, actors, watch, mode):
    path = tmp_path / "a.db"
    create(path, mode)
    for _ in range(2):
        actors(path).does("SELECT count(*) FROM rows")
    assert watch(path).look().metric_value == "free"


def test_an_idle_transaction_names_its_one_holder(tmp_path, actors, watch, mode):
    path = tmp_path / "a.db"
    create(path, mode)
    for _ in range(3):
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


def test_a_stopped_writer_is_continued_and_commits_by_itself(tmp_path, actors, watch, mode):
    path = tmp_path / "a.db"
    create(path, mode, rows=500)
    holder = actors(path)
    holder.does("BEGIN IMMEDIATE")
    holder.does("INSERT INTO rows(text) VALUES ('the 501st')")
    holder.stop()
    # it will read this only once it runs again
    holder.send("COMMIT")
    assert "locked" in str(ask(path, "BEGIN IMMEDIATE"))
    before = files(path)
    eyes = watch(path, busy_for=0.5)
    verdict = eyes.look()
    assert verdict.metric_value == "stopped"
    assert verdict.plan is not None
    verdict = eyes.until(lambda v: v.findings, "the finding")
    assert files(path) == before
    hand = Notebook()
    proof = eyes.carry_out(verdict, hand)
    assert len(hand.told) == 1
    assert hand.told[0].startswith(f"send SIGCONT to pid {holder.pid} (python")
    # the look may fall into its commit: the file has changed, the lock is not let go yet
    assert "lock released after" in proof.text or "it committed after" in proof.text
    assert proof.message
    assert holder.answer() == []
    assert holder.state() != "T"
    assert ask(path, "SELECT count(*) FROM rows") == [[501]]
    assert ask(path, "PRAGMA integrity_check") == [["ok"]]
    assert eyes.look().metric_value in {"free", "busy"}


def test_a_continued_writer_that_still_holds_is_told_honestly(tmp_path, actors, watch):
    path = tmp_path / "a.db"
    create(path, "wal")
    holder = actors(path)
    holder.does("BEGIN IMMEDIATE")
    holder.stop()
    eyes = watch(path, busy_for=0.3)
    eyes.look()
    verdict = eyes.until(lambda v: v.findings, "the finding")
    proof = eyes.carry_out(verdict, Notebook())
    assert "still holds WAL_WRITE" in proof.text
    assert proof.message == ""
    assert holder.state() != "T"
    assert eyes.look().metric_value == "idle-in-transaction"
    assert holder.does("COMMIT") == []


def test_a_job_that_was_ended_while_stopped_frees_its_lock(tmp_path, actors, watch, mode):
    path = tmp_path / "a.db"
    create(path, mode)
    holder = actors(path)
    holder.does("BEGIN IMMEDIATE")
    holder.does("INSERT INTO rows(text) VALUES ('x')")
    holder.stop()
    eyes = watch(path)
    assert eyes.look().metric_value == "stopped"
    os.kill(holder.pid, signal.SIGKILL)
    until(lambda: holder.state() == "Z", what="the zombie")
    # a true zombie holds nothing
    assert eyes.look().metric_value == "free"
    holder.end()
    assert ask(path, "SELECT count(*) FROM rows") == [[500]]


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


HEADLESS = """
import ctypes, json, sqlite3, sys, threading, time
def hold():
    connection = sqlite3.connect(sys.argv[1], isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    print(json.dumps("ready"), flush=True)
    time.sleep(600)
threading.Thread(target=hold).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_zombie_leader_is_named_and_not_touched(tmp_path, actors, watch):
    path = tmp_path / "a.db"
    create(path)
    holder = actors(path, HEADLESS)
    until(lambda: holder.state() == "Z", what="the end of its first thread")
    eyes = watch(path, busy_for=0.3)
    eyes.look()
    verdict = eyes.until(lambda v: v.findings, "the finding")
    assert verdict.findings[0].evidence["pid"] == holder.pid
    assert verdict.plan is None


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


@pytest.mark.parametrize("writers", [1, 3])
def test_a_busy_database_never_alarms(tmp_path, actors, watch, mode, writers):
    path = tmp_path / "a.db"
    create(path, mode)
    for _ in range(writers):
        actor = actors(path)
        actor.send("LOOP")
        assert actor.answer() == "looping"
    eyes = watch(path)
    seen = [eyes.look() for _ in range(120)]
    assert not [v for v in seen if v.findings or v.plan]
    words = [v.metric_value for v in seen]
    # a look may fall on a writer that waits for its disk; it must be rare and never last
    assert sum(word in CALM for word in words) >= 0.9 * len(words), words


def test_one_long_statement_is_work(tmp_path, actors, watch, mode):
    path = tmp_path / "a.db"
    create(path, mode)
    holder = actors(path)
    holder.does("BEGIN IMMEDIATE")
    holder.send(
        "INSERT INTO rows(text) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
        "LIMIT 3000000) SELECT hex(i) FROM n"
    )
    eyes = watch(path, busy_for=0.5)
    words = {eyes.look().metric_value for _ in range(6)}
    assert "idle-in-transaction" not in words
    assert not eyes.look().findings
