"""What another user of the host may do with a healer's files: nothing."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from healmon.service import instance
from tests.helpers.box import Box
from tests.helpers.wait import until

pytestmark = pytest.mark.slow
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
STRANGER = 65_534
# each tries what a command does, without the rights to
TRIES = """
import json, os, socket, sqlite3, sys
state, told = sys.argv[1], {}
os.setgroups([]); os.setgid(65534); os.setuid(65534)
def look(name, do):
    try:
        told[name] = f"done: {do()!r}"
    except Exception as error:
        told[name] = type(error).__name__
def queue():
    conn = sqlite3.connect(f"{state}/healmon.db", timeout=1)
    with conn:
        conn.execute("INSERT INTO commands (created_at, expires_at, origin, verb, target,"
                     " arguments, state) VALUES ('2000', '2999', 'x', 'stop', '', '{}', 'queued')")
def listen():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(3)
    s.connect(f"{state}/healmon.sock")
    if not s.recv(1):
        raise PermissionError
look("see", lambda: os.stat(f"{state}/healmon.db").st_size > 0)
look("queue", queue)
look("read", lambda: open(f"{state}/healmon.db", "rb").read(1))
look("log", lambda: open(f"{state}/healmon.log", "rb").read(1))
look("knock", lambda: os.open(f"{state}/healmon.wake", os.O_WRONLY | os.O_NONBLOCK))
look("listen", listen)
look("lock", lambda: os.open(f"{state}/healmon.lock", os.O_RDWR))
look("make", lambda: os.mkdir(f"{state}/workers/planted"))
look("swap", lambda: os.rename(f"{state}/healmon.db", f"{state}/gone"))
look("kill", lambda: os.kill(int(sys.argv[2]), 15))
print(json.dumps(told))
"""


@pytest.fixture
def open_box():
    """A box that another user can walk into: pytest's own directories are closed to others."""
    base = Path(tempfile.mkdtemp(prefix="hm-sec-"))
    base.chmod(0o755)
    made = Box(base)
    yield made
    made.close()
    shutil.rmtree(base)


def loose(state: Path) -> list[str]:
    """What in a state directory others may read, write or enter, as it is now."""
    found: list[str] = []
    for path in sorted(state.rglob("*")):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            continue
        if stat.S_IMODE(mode) & 0o077 and not stat.S_ISLNK(mode):
            found.append(f"{path.relative_to(state)} {stat.S_IMODE(mode):04o}")
    return found


def without_a_mask(box: Box, *words: str, program: str = "healmon"):
    return subprocess.Popen(
        box.argv(*words, program=program),
        env=box.env, cwd=box.base, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, umask=0,
    )  # fmt: skip


@pytest.mark.parametrize("way", ["run", "daemon"])
def test_all_that_is_written_is_for_its_owner_alone_whatever_the_umask(box: Box, way: str) -> None:
    box.write(box.worker("one"))
    # somebody made the directory before, and let others look into it
    box.state.mkdir()
    box.state.chmod(0o755)
    started = without_a_mask(box, way)
    try:
        until(lambda: box.events("actionverified"), 60, "a worker that was started")
        until(lambda: box.rows("SELECT 1 FROM checkpoints"), 60, "a checkpoint")
        asked = box.healmon("restart", "one")
        assert asked.returncode == 0, asked.stderr
        names = {path.name for path in box.state.iterdir()}
        assert {"healmon.db", "healmon.lock", "healmon.wake", "healmon.sock", "workers"} <= names
        assert ("healmon.pid" in names, "healmon.log" in names) == ((way == "daemon"),) * 2
        assert loose(box.state) == []
        assert box.healmon("stop").returncode == 0
        started.wait(30)
    finally:
        started.kill()
        started.communicate()
    assert loose(box.state) == []


@ROOT_ONLY
def test_another_user_can_neither_ask_nor_look_nor_knock(open_box: Box) -> None:
    box = open_box
    box.write(box.worker("one"))
    box.state.mkdir()
    box.state.chmod(0o755)  # so that only the files themselves keep him out
    assert box.healmon("daemon").returncode == 0
    until(box.started_pids, 60, "the worker")
    holder = instance.holder(box.state)
    assert holder is not None
    tried = subprocess.run(
        [sys.executable, "-I", "-S", "-c", TRIES, str(box.state), str(holder.pid)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    told = json.loads(tried.stdout)
    assert told.pop("see") == "done: True", "he does get that far"
    assert told == {
        "queue": "OperationalError", "read": "PermissionError", "log": "PermissionError",
        "knock": "PermissionError", "listen": "PermissionError", "lock": "PermissionError",
        "make": "PermissionError", "swap": "PermissionError", "kill": "PermissionError",
    }, tried  # fmt: skip
    assert box.rows("SELECT count(*) FROM commands") == [(0,)]
    assert instance.holder(box.state) == holder


@ROOT_ONLY
def test_root_says_whose_word_it_takes(box: Box) -> None:
    box.write()
    os.chown(box.config, STRANGER, STRANGER)
    told = f"belongs to uid {STRANGER}, who can change what healmon runs"
    for words in (("once",), ("check",), ("daemon",)):
        answer = box.healmon(*words)
        assert answer.returncode == 0, answer
        assert told in answer.stderr, words
    assert told in box.healmon("doctor").stdout
    assert box.healmon("stop").returncode == 0
    # found by chance it is refused, for every command
    for words in ("once", "status", "check", "daemon"):
        argv = [sys.executable, "-c", "import sys; from healmon.cli import main; sys.exit(main())"]
        answer = subprocess.run(
            [*argv, words], env=box.env, cwd=box.base, capture_output=True, text=True, timeout=60,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert answer.returncode == 78, (words, answer)
        assert "--config" in answer.stderr
        assert "Traceback" not in answer.stderr


def test_check_tells_of_secrets_that_others_can_read(box: Box) -> None:
    box.write('[notify.channels.a]\nurl = "https://example.org/hush"\n')
    box.config.chmod(0o644)
    answer = box.inside("check")
    assert answer.returncode == 0
    assert "holds secrets (a); chmod 0600" in answer.stderr
    assert "hush" not in answer.stdout + answer.stderr
    box.config.chmod(0o600)
    assert box.inside("check").stderr == ""
    box.config.chmod(0o666)
    answer = box.inside("check")
    assert answer.returncode == 78
    assert "can be written by anybody" in answer.stderr
