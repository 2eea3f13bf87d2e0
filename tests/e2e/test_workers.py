"""Workers under a real daemon: what happens while nobody looks, and to many at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from tests.helpers.box import UP, Box, alive
from tests.helpers.wait import until

pytestmark = pytest.mark.slow

ENDS_WITH_7 = """
import os, signal, time
signal.signal(signal.SIGUSR2, lambda *_: os._exit(7))
open({pids!r}, "a").write(f"{{os.getpid()}}\\n")
while True: time.sleep(0.05)
"""


def up(box) -> int:
    answer = box.run("--daemon")
    assert answer.returncode == 0, answer.stderr
    return int((box.state / "healmon.pid").read_text())


def test_an_exit_code_that_no_healmon_saw_is_known_to_the_next_one(box):
    code = ENDS_WITH_7.format(pids=str(box.pids))
    box.write(box.worker("task_worker", code, restart_delay="1s"))
    daemon = up(box)
    until(lambda: box.events("actionverified"), 60, "the first proof")
    (worker,) = box.started()
    os.kill(daemon, signal.SIGKILL)
    until(lambda: not alive(daemon), 60, "its end")
    os.kill(worker, signal.SIGUSR2)
    ends = box.state / "workers" / "task_worker" / "ends.jsonl"
    until(lambda: ends.exists() and ends.read_text().endswith("\n"), 60, "the shim's word")
    told = json.loads(ends.read_text().splitlines()[-1])
    assert told["identity"]["pid"] == worker
    assert told["ended"] == {"code": 7}
    up(box)
    until(lambda: len(box.started_pids()) == 2, 60, "the restart")
    until(lambda: len(box.events("actionverified")) == 2, 60, "its proof")
    plans = [made["plan"]["why"] for made in box.events("planmade")]
    assert "exit 7" in plans[-1], plans
    assert len([p for p in box.started_pids() if alive(p)]) == 1, "one copy"


@pytest.mark.long(20)
def test_two_healers_on_two_state_directories_keep_one_copy(box):
    other = Box(box.base)
    other.state = box.base / "other"
    box.write(box.worker("task_worker", min_uptime="200ms", ready=UP))

    def living() -> list[int]:
        return [pid for pid in box.started_pids() if alive(pid)]

    def have_looked(before: list[int]) -> bool:
        return all(now > then + 1 for now, then in zip(rounds(), before, strict=True))

    def rounds() -> list[int]:
        beats = (one.state / "healmon.heartbeat" for one in (box, other))
        return [json.loads(beat.read_text())["round"] for beat in beats]

    starts = [
        subprocess.Popen(
            one.argv("--daemon"), env=one.env, cwd=one.base, stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
        for one in (box, other)
    ]  # fmt: skip
    assert [start.wait(90) for start in starts] == [0, 0]
    for ends in range(3):
        until(living, 60, "a copy")
        before = rounds()
        until(lambda before=before: have_looked(before), 60, "two more rounds of both")
        assert len(living()) == 1
        assert len(box.started_pids()) == ends + 1, "none was started beside another"
        os.kill(living()[0], signal.SIGKILL)
        until(lambda: not living(), 60, "its end")


@pytest.mark.long(40)
def test_three_that_fall_together_are_one_alert_and_come_back_one_after_the_other(box):
    names = ("a", "b", "c")
    box.write(*(box.worker(name, restart_delay="1s", min_uptime="200ms") for name in names))
    up(box)
    until(lambda: len(box.events("actionverified")) == 3, 90, "all three proved")
    first = box.started(3)
    for pid in first:
        os.kill(pid, signal.SIGKILL)
    opened = "SELECT component, severity, message FROM health_alerts WHERE resolved = 0"
    # the second death makes a storm, the third may be seen a moment later
    storm = f"{opened} AND message LIKE '3 of 3 workers failed%'"
    until(lambda: box.rows(storm), 60, "the alert of the storm")
    ((component, severity, _message),) = box.rows(opened)
    assert (component, severity) == ("healmon", "CRITICAL")
    until(lambda: len(box.started_pids()) == 6, 90, "all three started again")
    until(lambda: not box.rows(opened), 60, "the end of the alert")
    assert sorted(p for p in box.started_pids() if alive(p)) == sorted(box.started_pids()[3:])
