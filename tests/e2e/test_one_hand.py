"""A running healer opens its store with SQLite alone, twice, and never loses its locks on it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from healmon.service import commands
from healmon.service.wake import knock
from healmon.world.sqlite import SystemLocks
from tests.helpers.wait import until

pytestmark = pytest.mark.slow

HEARD = """
import os, sys
told = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
store = sys.argv.pop(1)
def heard(event, args):
    if event == "open" and isinstance(args[0], str | bytes | os.PathLike):
        name = os.fsdecode(args[0])
        # by its path, or by its name within an open directory
        if name.startswith(store) or name.startswith(os.path.basename(store)):
            os.write(told, f"{name}\\n".encode())
    elif event in {"shutil.copyfile", "sqlite3.connect"} and store in str(args[0]):
        os.write(told, f"{event}\\n".encode())
sys.addaudithook(heard)
from healmon.cli import main
sys.exit(main())
"""


def open_in(pid: int, store: Path) -> list[str]:
    found = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            name = str(fd.readlink())
        except FileNotFoundError:
            continue
        if name.startswith(str(store)):
            found.append(name.removeprefix(str(store)))
    return sorted(found)


def ask(box, store: Path, number: int) -> str:
    asked = commands.send(store, "pause", f"database:x{number}", {"for": 60}, "test")
    knock(box.state)
    return commands.wait(store, asked, 60)[0]


def test_while_it_answers_nobody_opens_it_by_hand_and_every_lock_stays(box, tmp_path):
    box.write(f'[databases.own]\npath = "{box.state / "healmon.db"}"\n', interval="1s")
    store, told = box.state / "healmon.db", tmp_path / "told"
    argv = box.argv("run", "--json", program="healmon")
    argv = [sys.executable, "-c", HEARD, str(told), str(store), *argv[3:]]
    healer = subprocess.Popen(argv, env=box.env, stdout=subprocess.DEVNULL)
    locks = SystemLocks(60.0)
    try:
        until(lambda: store.exists() and box.events("cyclefinished"), 90, "the first cycle")
        assert ask(box, store, 0) in {"done", "refused"}
        for number in range(1, 15):
            assert ask(box, store, number) in {"done", "refused"}
            held = locks.look(str(store)).held_by(healer.pid)
            assert {"SHARED", "WAL_DMS"} <= set(held)
            assert open_in(healer.pid, store) == ["", "", "-shm", "-wal", "-wal"]
        seen = len(box.events("cyclefinished"))
        until(lambda: len(box.events("cyclefinished")) > seen, 60, "another cycle")
        healer.send_signal(signal.SIGTERM)
        assert healer.wait(60) == 0
    finally:
        locks.close()
        if healer.poll() is None:
            healer.kill()
            healer.wait(60)
    heard = told.read_text().splitlines()
    # looking before it is touched, the writer's, and the one beside it
    assert set(heard) == {"sqlite3.connect"}, json.dumps(heard)
    assert len(heard) <= 4


def test_a_knock_that_was_lost_is_made_up_for_by_the_next_round(box):
    box.write(interval="1s")
    assert box.healmon("daemon").returncode == 0
    try:
        store = box.state / "healmon.db"
        asked = commands.send(store, "pause", "database:x", {"for": 60}, "test")
        assert commands.wait(store, asked, 60)[0] in {"done", "refused"}
    finally:
        box.healmon("stop")
