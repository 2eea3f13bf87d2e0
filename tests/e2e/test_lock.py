"""One healer, whatever happens: fifty at once, one that hangs, one that cannot begin."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from healmon.errors import HolderError
from healmon.service import commandline
from tests.helpers.box import alive
from tests.helpers.wait import until

pytestmark = pytest.mark.slow

FIFTY = """
import os, sys
from healmon import cli
from healmon import registry  # once for all: fifty imports would take a minute
from healmon.service import foreground, host
reader, writer = os.pipe()
children = {}
for number in range(50):
    child = os.fork()
    if child == 0:
        os.close(writer)
        os.read(reader, 1)  # all begin at the same moment
        out = os.open(f"said-{number}", os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(out, 1)
        os.dup2(out, 2)
        code = cli.main(sys.argv[1:])
        sys.stdout.flush()
        os._exit(code)
    children[child] = number
os.close(writer)
codes = [0] * 50
for child, number in children.items():
    codes[number] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(*codes)
"""


def state_of(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_of_fifty_simultaneous_starts_exactly_one_lives(box):
    box.write(box.worker("a"), interval="1h")
    words = box.argv("daemon", program="healmon")[3:]
    done = subprocess.run(
        [sys.executable, "-c", FIFTY, *words], env=box.env, cwd=box.base,
        capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    codes = [int(word) for word in done.stdout.split()]
    assert sorted(codes) == [0] + [75] * 49, done.stderr
    winner = (box.base / f"said-{codes.index(0)}").read_text()
    pid = re.search(r"pid (\d+)", winner)[1]
    assert alive(int(pid))
    for number, code in enumerate(codes):
        said = (box.base / f"said-{number}").read_text()
        assert code == 0 or f"is held by pid {pid} (daemon" in said, said
    assert json.loads((box.state / "healmon.lock").read_text())["pid"] == int(pid)
    assert len(until(box.started_pids, 60)) == 1
    assert len(box.events("enginestarted")) == 1


def test_of_two_healers_on_a_directory_that_was_moved_away_the_second_stays(box):
    box.write(interval="1s")
    words = "daemon", "--config", str(box.config)
    first = int(box.healmon(*words).stdout.split("pid ")[1].split(",")[0])
    box.state.rename(box.base / "moved")
    box.state.mkdir(0o700)
    began = box.healmon(*words)
    if began.returncode:  # the first has taken the name again already
        assert f"pid {first}" in began.stderr
        return
    second = int(began.stdout.split("pid ")[1].split(",")[0])
    until(lambda: not alive(first), 60, "the end of the first")
    assert alive(second)
    logs = (place / "healmon.log" for place in (box.state, box.base / "moved"))
    assert "was removed or moved away" in "".join(log.read_text() for log in logs)
    assert json.loads((box.state / "healmon.lock").read_text())["pid"] == second


def test_a_healer_that_stands_still_is_told_at_once_and_stop_says_what_to_do(box, monkeypatch):
    box.write(interval="1s")
    pid = int(box.healmon("daemon").stdout.split("pid ")[1].split(",")[0])
    assert state_of(pid) != "T"
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: state_of(pid) == "T", 60)
        status = box.inside("status")
        assert status.returncode == 2
        assert "IT STANDS STILL" in status.stdout
        assert f"kill -CONT {pid}" in status.stdout
        data = json.loads(box.inside("status", "--json").stdout)
        assert (data["running"], data["hung"], data["pid"]) == (True, True, pid)
        monkeypatch.setattr(commandline, "STILL_PATIENCE", 0.2)
        with pytest.raises(HolderError, match="stands still") as caught:
            commandline.stop(box.state)
        assert f"kill -CONT {pid}" in str(caught.value)
        assert box.healmon("daemon").returncode == 75, "it still is the one"
    finally:
        os.kill(pid, signal.SIGCONT)
    # the stop that was asked for is not forgotten
    until(lambda: not alive(pid), 60, "the end that was asked for")
    until(lambda: box.inside("status").returncode == 3, 60)


def test_a_healer_that_hangs_is_told_by_the_age_of_its_cycles(box):
    box.write(interval="1h")
    pid = int(box.healmon("daemon").stdout.split("pid ")[1].split(",")[0])
    until(lambda: box.events("cyclefinished"), 60, "the first cycle on disk")
    # as if its newest cycle had finished long ago
    until((box.state / "healmon.heartbeat").exists, what="its heartbeat")
    (box.state / "healmon.heartbeat").unlink()
    box.execute("UPDATE events SET timestamp = '2020-01-01 00:00:00.000'")
    status = box.inside("status")
    assert status.returncode == 2
    assert "IT HANGS: no cycle has finished for too long" in status.stdout
    assert f"pid {pid}" in status.stdout


def test_a_daemon_that_cannot_begin_says_why_with_the_end_of_its_log(box):
    box.write()
    box.state.mkdir(mode=0o700)
    (box.state / "healmon.log").write_text("what was said before\n")
    (box.state / "healmon.wake").mkdir()
    (box.state / "healmon.lock").mkdir()
    answer = box.healmon("daemon")
    assert answer.returncode == 73, answer.stderr
    assert "the daemon did not come up: " in answer.stderr
    assert "healmon.lock" in answer.stderr
    assert "log: what was said before" in answer.stderr
    assert "Traceback" not in answer.stderr
    (box.state / "healmon.lock").rmdir()
    (box.state / "healmon.lock").write_text('{"pid": 1, "ticks": 1, "left": "over"}')
    (box.state / "healmon.pid").write_text("1\n")
    assert box.healmon("daemon").returncode == 0, "what is left over blocks nothing"


def test_a_daemon_is_detached_from_everything(box):
    code = "import os, time\nprint(oct(os.umask(0)), flush=True)\ntime.sleep(1000)\n"
    box.write(box.worker("w", code, restart_delay=0), interval="1h")
    reader, writer = os.pipe()
    try:
        done = subprocess.run(
            box.argv("daemon", program="healmon"), env=box.env, cwd=box.base,
            pass_fds=[writer], check=True, capture_output=True, text=True, timeout=60,
            stdin=subprocess.DEVNULL, preexec_fn=lambda: os.umask(0o002),
        )  # fmt: skip
    finally:
        os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == b"", "it holds nothing that its starter had open"
    pid = int(done.stdout.split("pid ")[1].split(",")[0])
    root = Path(f"/proc/{pid}")
    fields = root.joinpath("stat").read_text().rpartition(")")[2].split()
    assert fields[4] == "0", "no terminal"
    assert int(fields[3]) not in {pid, os.getsid(0)}, "another session, that it does not lead"
    assert str(root.joinpath("cwd").resolve()) == "/"
    assert "Umask:\t0077" in root.joinpath("status").read_text()
    assert {str((root / "fd" / n).resolve()) for n in "012"} == {"/dev/null"}
    output = box.state / "workers" / "w" / "output.log"
    # what it starts is not the daemon's own: whoever shares files with a worker goes on to
    until(lambda: output.exists() and output.read_text() == "0o2\n", what="the starter's umask")
