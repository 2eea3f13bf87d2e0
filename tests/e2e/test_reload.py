"""Reading the configuration again, with real daemons and real workers that must not notice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.box import alive
from tests.helpers.wait import until

pytestmark = pytest.mark.slow


def up(box):
    answer = box.healmon("daemon")
    assert answer.returncode == 0, answer.stderr
    return int(answer.stdout.split("pid ")[1].split(",")[0])


def settled(box, count):
    until(lambda: len(box.events("actionverified")) >= count, 60, "the proofs")
    return until(lambda: len(found := living(box)) >= count and found, 60, "their pids")


def living(box):
    return [pid for pid in box.started_pids() if alive(pid)]


def running(box, name):
    """The pid of a worker: whoever is started first may be the last to say its own."""
    script = os.fsencode(box.base / f"{name}.py")
    words = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in living(box)}
    return next(pid for pid, said in words.items() if script in said.split(b"\0"))


def components(box):
    return {row[0] for row in box.rows("SELECT component FROM components")}


def test_a_reload_changes_adds_and_releases_without_touching_what_is_well(box):
    box.write(box.worker("a"), box.worker("b"), interval="2s")
    daemon = up(box)
    settled(box, 2)
    a, b = running(box, "a"), running(box, "b")
    box.write(
        box.worker("a", args=["--new"]), box.worker("c"),
        '[alerts]\nacknowledge_for = "1h"', interval="1s",
    )  # fmt: skip
    dry = box.inside("reload", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "workers.c: added" in dry.stdout
    assert box.events("configurationchanged") == []
    answer = box.inside("reload")
    assert answer.returncode == 0, answer.stderr
    for line in (
        'monitor.check_interval: "2s" → "1s"',
        'workers.a.args: [] → ["--new"]; from its next start on (at once: healmon restart a)',
        "workers.b: removed; it is left as it is and no longer looked after",
        "workers.c: added",
        'alerts.acknowledge_for: "4h" → "1h"',
    ):
        assert line in answer.stdout, answer.stdout
    settled(box, 3)
    until(lambda: components(box) >= {"a", "c"} and "b" not in components(box), 60)
    assert alive(daemon)
    assert alive(a), "untouched, though its arguments changed"
    assert alive(b), "released, not killed"
    released = box.rows("SELECT message FROM health_alerts WHERE message LIKE 'b is no longer%'")
    assert len(released) == 1
    assert f"pid {b}" in released[0][0]
    (event,) = box.events("configurationchanged")
    assert event["interval"] == 1.0
    assert {change["key"] for change in event["changes"]} >= {"workers.a.args", "workers.b"}
    told = box.inside("events", "--since", "1h").stdout
    assert "workers.c: added" in told
    assert "configuration: workers.c: added" in box.inside("report").stdout
    # what was started again is started as the file says now, and what was released stays released
    assert box.inside("restart", "a").returncode == 0
    new = [p for p in box.started(4) if alive(p) and p not in {a, b}]
    assert any(b"--new" in Path(f"/proc/{p}/cmdline").read_bytes() for p in new)
    os.kill(b, signal.SIGKILL)
    cycles = len(box.events("cyclefinished"))
    until(lambda: len(box.events("cyclefinished")) > cycles + 2, 60)
    assert len(living(box)) == 2, "nobody starts b again"
    assert "nothing has changed" in box.inside("reload").stdout


def test_a_wrong_file_changes_nothing_and_is_an_alert_until_it_is_right(box):
    box.write(box.worker("a"), interval="1h")
    daemon = up(box)
    (a,) = settled(box, 1)
    os.kill(daemon, signal.SIGUSR1)
    until(lambda: len(box.events("cyclefinished")) >= 2, 60, "a cycle at once, not in an hour")
    good = box.config.read_text()
    box.config.write_text(good.replace("[disk]", "[dsk]").replace('"1h"', '"soon"'))
    answer = box.inside("reload")
    assert answer.returncode == 78
    checked = box.inside("check")
    assert checked.returncode == 78
    for line in checked.stderr.strip().splitlines():
        assert line.removeprefix("healmon: ").partition("healmon.toml")[2] in answer.stderr
    assert "stays in force" in answer.stderr
    assert json.loads(box.inside("reload", "--json").stdout)["problems"]
    sql = "SELECT state FROM health_alerts WHERE key LIKE '%/configuration' AND component='healmon'"
    assert box.rows(sql) == [("open",)]
    assert box.inside("status").returncode == 1
    assert box.events("configurationrefused")
    box.config.write_text(good)
    assert box.inside("reload").returncode == 0
    until(lambda: box.rows(sql) == [("resolved",)], 60, "the alert's end")
    assert box.events("configurationchanged") == []
    assert alive(a)


def test_sighup_and_a_changed_file_do_the_same(box):
    box.write(interval="1s")
    daemon = up(box)
    on_change = box.config.read_text().replace(
        "[monitor]\n", "[monitor]\nreload_on_change = true\n"
    )
    box.config.write_text(on_change)
    os.kill(daemon, signal.SIGHUP)
    (event,) = until(lambda: box.events("configurationchanged"), 60, "SIGHUP's reload")
    assert event["origin"] == "SIGHUP"
    assert alive(daemon)
    box.config.write_text(on_change + '[alerts]\nacknowledge_for = "2h"\n')
    events = until(lambda: box.events("configurationchanged")[1:], 60, "the file's reload")
    assert events[0]["origin"] == "file change"
    box.config.write_text(on_change + "[alerts]\nnonsense = 1\n")
    until(lambda: box.events("configurationrefused"), 60, "the wrong file's refusal")
    cycles = len(box.events("cyclefinished"))
    until(lambda: len(box.events("cyclefinished")) > cycles + 3, 60)
    assert len(box.events("configurationrefused")) == 1, "a wrong file is read once"
    assert box.inside("stop").returncode == 0
    answer = box.inside("reload")
    assert answer.returncode == 75
    assert "no healer runs" in answer.stderr


def test_pauses_quarantines_and_silences_survive(box):
    dies = f'open({str(box.pids)!r}, "a").write("1\\n"); raise SystemExit(3)'
    box.write(
        box.worker("bad", dies, restart_delay="0s", max_failures=2), box.worker("well"),
        interval="1s",
    )  # fmt: skip
    up(box)
    until(lambda: "quarantined" in box.inside("status").stdout, 60, "the quarantine")
    assert box.inside("pause", "well", "--for", "1h").returncode == 0
    assert box.inside("silence", "bad", "--for", "1h").returncode == 0
    tries = box.started_pids().count(1)
    text = box.config.read_text()
    box.config.write_text(f"{text}\n{box.worker('third')}")
    assert box.inside("reload").returncode == 0
    until(lambda: "third" in components(box), 60)
    cycles = len(box.events("cyclefinished"))
    until(lambda: len(box.events("cyclefinished")) > cycles + 2, 60)
    assert "quarantined" in box.inside("status").stdout
    assert box.started_pids().count(1) == tries, "the quarantine holds"
    assert "bad" in box.inside("silences").stdout
    assert box.inside("resume", "well").returncode == 0


DRIVER = """
import os, signal, sys
from healmon.engine.engine import Engine
from healmon.service import reload
after = sys.argv.pop(1) == "after"
amend = Engine.amend
async def dies(self, amendment, patience=0.0):
    if after:
        self.stream.emit(amendment.told)
        await self.stream.journal.flush(60.0)
    os.kill(os.getpid(), signal.SIGKILL)
Engine.amend = dies
from healmon.cli import main
sys.exit(main())
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_between_validation_and_application_leaves_one_truth(box, moment):
    """The file is the truth: the next healer has it, says so once, and nobody is started twice."""
    box.write(box.worker("a"), interval="1s")
    words = box.argv("run", program="healmon")[3:]
    foreground = subprocess.Popen(
        [sys.executable, "-c", DRIVER, moment, *words], env=box.env, cwd=box.base,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        (a,) = settled(box, 1)
        box.write(box.worker("a", args=["--new"]), box.worker("b"), interval="1s")
        os.kill(foreground.pid, signal.SIGHUP)
        assert foreground.wait(60) == -signal.SIGKILL
    finally:
        foreground.kill()
        foreground.wait(10)
    up(box)
    settled(box, 2)
    until(lambda: components(box) >= {"a", "b"}, 60)
    assert alive(a)
    assert len(living(box)) == 2, "one copy each"
    (event,) = box.events("configurationchanged")
    assert event["origin"] == ("start" if moment == "before" else "SIGHUP")
    assert "nothing has changed" in box.inside("reload").stdout
    started = box.events("enginestarted")
    assert started[-1]["configuration"] == event["digest"]
