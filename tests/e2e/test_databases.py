"""Databases under a real daemon: a worker that forgets its transaction, a crash, a stranger."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.helpers.box import alive
from tests.helpers.dbactor import Actor, ask, create
from tests.helpers.dbcrash import crashed_wal, damage
from tests.helpers.wait import until

pytestmark = pytest.mark.slow

FORGETFUL = """
import os, sqlite3, time
c = sqlite3.connect({path!r}, isolation_level=None, timeout=0.1)
c.execute("PRAGMA cache_size=5")
lives = len(open({pids!r}).read().split()) if os.path.exists({pids!r}) else 0
open({pids!r}, "a").write(f"{{os.getpid()}}\\n")
if lives == 0:
    # once: the first one forgets what it began
    c.execute("BEGIN IMMEDIATE")
    c.execute("UPDATE rows SET text = 'not committed, and longer than before'")
while True: time.sleep(0.05)
"""


def section(path, **keys: object) -> str:
    keys = {"path": str(path), "busy_for": "1s", "act_after": "2s", **keys}
    return "[databases.a]\n" + "\n".join(f"{k} = {json.dumps(v)}" for k, v in keys.items())


def up(box) -> int:
    answer = box.run("--daemon")
    assert answer.returncode == 0, answer.stderr
    return int((box.state / "healmon.pid").read_text())


def done(box, component: str = "database:a") -> list[dict]:
    return [act for act in box.events("actionverified") if act["component"] == component]


def test_a_worker_that_forgets_its_transaction_is_ended_healed_and_started_again(box):
    path = box.base / "a.db"
    create(path, rows=3000)
    code = FORGETFUL.format(path=str(path), pids=str(box.pids))
    box.write(box.worker("forgetful", code), section(path))
    up(box)
    until(lambda: done(box), 60, "the remedy")
    (act,) = done(box)
    (first, *_) = box.started_pids()
    assert act["action"] == "clear_database_lock"
    assert act["details"]["pid"] == first
    assert "SIGTERM" in act["proof"]
    assert "hot journal rolled back, quick_check ok" in act["proof"]
    steps = [step["text"] for step in box.events("steptaken") if step["component"] == "database:a"]
    assert steps[0].startswith(f"send SIGTERM to pid {first}")
    until(lambda: len(box.started_pids()) == 2, 60, "the supervisor's restart")
    assert not alive(first)
    assert alive(box.started_pids()[1])
    assert ask(path, "SELECT count(*) FROM rows WHERE text = 'x'") == [[3000]]
    assert ask(path, "PRAGMA integrity_check") == [["ok"]]
    (copy,) = (box.state / "databases" / "a").iterdir()
    assert (copy / "a.db-journal").stat().st_size
    told = box.rows("SELECT message FROM health_alerts WHERE component = 'database:a'")
    assert any("idled in a transaction and held the lock" in message for (message,) in told)
    cleared = box.rows("SELECT count(*) FROM health_metrics WHERE action_taken = ?", act["action"])
    assert cleared == [(1,)]


def test_a_crash_is_healed_and_damage_is_kept_and_told(box):
    good, bad = box.base / "a.db", box.base / "b.db"
    crashed_wal(good)
    crashed_wal(bad)
    damage(bad.with_name("b.db-wal"), 32 + 24 + 4120 * 40 + 100)
    wal = bad.with_name("b.db-wal").read_bytes()
    box.write(section(good), section(bad).replace("databases.a", "databases.b"))
    up(box)
    until(lambda: done(box), 60, "the healing")
    assert "frames taken over, quick_check ok" in done(box)[0]["proof"]
    assert ask(good, "SELECT count(*) FROM rows") == [[150]]
    opened = "SELECT severity, message FROM health_alerts WHERE component = 'database:b'"
    until(lambda: box.rows(f"{opened} AND resolved = 0"), 60, "the alert")
    ((severity, message),) = box.rows(f"{opened} AND resolved = 0")
    assert severity == "CRITICAL"
    assert "would drop" in message
    assert str(box.state / "databases" / "b") in message
    assert bad.with_name("b.db-wal").read_bytes() == wal
    # once, and not at every look
    assert len(list((box.state / "databases" / "b").iterdir())) == 1


@pytest.mark.long(15)
def test_a_strangers_lock_is_an_alert_with_what_to_type(box):
    path = box.base / "a.db"
    create(path)
    stranger = Actor(path)
    try:
        stranger.does("BEGIN IMMEDIATE")
        box.write(section(path))
        up(box)
        opened = "SELECT severity, message, evidence FROM health_alerts WHERE resolved = 0"
        until(lambda: any(row[0] == "CRITICAL" for row in box.rows(opened)), 60, "the alert")
        ((_, message, evidence),) = box.rows(opened)
        assert f"kill -TERM {stranger.pid}" in message
        assert json.loads(evidence)["pid"] == stranger.pid
        refused = box.healmon("unlock", "a")
        assert refused.returncode == 65, refused
        assert f"kill -TERM {stranger.pid}" in refused.stderr + refused.stdout
        assert stranger.process.poll() is None
        why = box.healmon("explain", "a")
        assert why.returncode == 0, why
        assert "verdict: idle-in-transaction" in why.stdout
        assert f"pid {stranger.pid}" in why.stdout
        assert "alert " in why.stdout
        # what is stopped may be continued by anybody
        os.kill(stranger.pid, signal.SIGSTOP)
        until(lambda: done(box), 60, "the continuing")
        assert "SIGCONT" not in str(refused)
    finally:
        stranger.end()
