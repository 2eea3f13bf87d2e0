"""The foreground healer under a service manager: a real notify socket, a real program."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from healmon.clock import process_seconds
from tests.helpers.box import alive
from tests.helpers.wait import until

pytestmark = pytest.mark.slow


class Manager:
    """Hears what a service says to its manager."""

    def __init__(self, name: str) -> None:
        self.address = f"@{name}"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"\0{name}")
        self.socket.settimeout(0.05)
        self.said: list[str] = []

    def listen(self) -> list[str]:
        with contextlib.suppress(TimeoutError):
            while True:
                self.said += self.socket.recv(4096).decode().split("\n")
        return self.said

    def hears(self, line: str, after: int = 0, seconds: float = 60.0) -> int:
        """Wait until a line is said, and return how many were said until then."""
        until(lambda: line in self.listen()[after:], seconds, line)
        return after + self.said[after:].index(line) + 1


@pytest.fixture
def manager():
    made = Manager(f"healmon-e2e-{os.getpid()}")
    yield made
    made.socket.close()


def environ_of(pid):
    return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")


def test_a_service_tells_its_manager_everything(box, manager):
    box.write(box.worker("a"), interval="1s")
    log = box.base / "journal"
    with log.open("wb") as stream:
        found = os.fstat(stream.fileno())
        env = {
            **box.env,
            "NOTIFY_SOCKET": manager.address,
            "WATCHDOG_USEC": "2000000",
            "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}",
        }
        service = subprocess.Popen(
            box.argv("run", program="healmon"), env=env, cwd=box.base,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stream,
        )  # fmt: skip
    try:
        place = manager.hears("READY=1")
        assert any(line.startswith("STATUS=looks after ") for line in manager.said[:place])
        (worker,) = until(box.started_pids, 60, "the worker")
        mine = [e for e in environ_of(worker) if e.startswith((b"NOTIFY_", b"WATCHDOG_"))]
        assert mine == [], "no worker speaks for healmon"
        place = manager.hears("WATCHDOG=1", manager.hears("WATCHDOG=1", place))
        _rereads(box, manager, service.pid)
        _is_missed_while_it_stands_still(manager, service.pid)
        place = len(manager.listen())
        service.terminate()
        place = manager.hears("STOPPING=1", place)
        assert service.wait(60) == 0
        assert "READY=1" not in manager.listen()[place:]
        assert alive(worker), "workers stay up"
    finally:
        service.kill()
        service.wait(60)
    rows = log.read_text().splitlines()
    assert rows
    assert all(row[0] == "<" and row[2:4] == ">#" for row in rows), "priorities, and no times"
    assert any(row.startswith("<6>") and "actionverified a " in row for row in rows)
    assert any(row.startswith("<4>") and "configurationrefused" in row for row in rows)


def _rereads(box, manager, pid):
    """Type=notify-reload: SIGHUP, RELOADING with the time, READY; also when it is refused."""
    good = box.config.read_text()
    for text in (good + '\n[alerts]\nacknowledge_for = "1h"\n', "nonsense = "):
        box.config.write_text(text)
        place, before = len(manager.listen()), int(process_seconds() * 1e6)
        os.kill(pid, signal.SIGHUP)
        place = manager.hears("RELOADING=1", place)
        stamp = int(manager.said[place].removeprefix("MONOTONIC_USEC="))
        assert before <= stamp <= int(process_seconds() * 1e6)
        manager.hears("READY=1", place)
    box.config.write_text(good)


def _is_missed_while_it_stands_still(manager, pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        until(
            lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T", 60
        )
        place = len(manager.listen())
        manager.socket.settimeout(2.2)  # longer than the manager would wait
        assert "WATCHDOG=1" not in manager.listen()[place:]
    finally:
        manager.socket.settimeout(0.05)
        os.kill(pid, signal.SIGCONT)
    manager.hears("WATCHDOG=1", place)


def test_a_daemon_that_is_a_service_says_which_process_it_is(box, manager):
    box.write(interval="1h")
    box.env["NOTIFY_SOCKET"] = manager.address
    answer = box.healmon("daemon")
    assert answer.returncode == 0, answer.stderr
    pid = answer.stdout.split("pid ")[1].split(",")[0]
    manager.hears("READY=1")
    assert f"MAINPID={pid}" in manager.said
    assert box.inside("stop").returncode == 0
    manager.hears("STOPPING=1")
