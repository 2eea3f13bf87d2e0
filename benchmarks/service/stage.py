"""The host of the goals: 3 workers, 10 tmux sessions, 2 databases, 2 disks, one round a minute."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

WORKERS, SESSIONS, DATABASES = 3, 10, 2
MAIN = "import sys; from healmon.cli import main; sys.exit(main())"
SLEEPER = "import signal\nsignal.pause()\n"


class Stage:
    """One such host below a folder of its own.

    Attributes:
        state: its state directory.
        daemon: pid of its healer.
    """

    def __init__(self, folder: Path, interval: str = "60s") -> None:
        self._folder = folder
        self._interval = interval
        self._socket = folder / "tmux"
        self.state = folder / "state"
        self.daemon = 0

    def argv(self, *words: str) -> list[str]:
        where = ["--config", str(self._folder / "healmon.toml"), "--state-dir", str(self.state)]
        return [sys.executable, "-c", MAIN, *words, *where]

    def build(self) -> None:
        for number in range(SESSIONS):
            self._tmux("new-session", "-d", "-s", f"s{number}", "-x", "80", "-y", "24", "cat")
        for number in range(DATABASES):
            with contextlib.closing(sqlite3.connect(self._folder / f"{number}.db")) as database:
                database.execute("PRAGMA journal_mode = WAL")
                database.execute("CREATE TABLE t (x)")
                database.commit()
        (self._folder / "worker.py").write_text(SLEEPER)
        (self._folder / "healmon.toml").write_text(self._config())

    def _config(self) -> str:
        workers = "".join(
            f"[workers.w{number}]\nscript = {json.dumps(str(self._folder / 'worker.py'))}\n"
            'restart_delay = "1s"\nmin_uptime = "0.2s"\n'
            for number in range(WORKERS)
        )
        databases = "".join(
            f"[databases.d{number}]\npath = {json.dumps(str(self._folder / f'{number}.db'))}\n"
            for number in range(DATABASES)
        )
        return (
            f'[monitor]\nname = "bench"\ncheck_interval = "{self._interval}"\n'
            f'[sessions]\nsocket = {json.dumps(str(self._socket))}\n[disk]\npaths = ["/", "/tmp"]\n'
            f"{workers}{databases}"
        )

    def start(self) -> float:
        """Start the daemon; returns the seconds until it was proven up."""
        began = time.monotonic()
        said = subprocess.run(
            self.argv("daemon"),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            env={**os.environ, "HEALMON_BENCH": str(self._folder)},
        )
        self.daemon = int(said.stdout.split("pid ")[1].split(",")[0])
        return time.monotonic() - began

    def parts(self) -> dict[int, str]:
        """Return the daemon and its helpers by pid, with what each is; workers are none."""
        found: dict[int, str] = {self.daemon: "daemon"}
        for pid, parent, words in _table():
            helper = next((word for word in words.split() if word.endswith(".py")), "")
            if helper and "worker.py" not in helper and (parent in found or self._owns(pid)):
                found.setdefault(pid, Path(helper).stem)
        return found

    def _owns(self, pid: int) -> bool:
        environ = Path(f"/proc/{pid}/environ").read_bytes()
        return os.fsencode(str(self._folder)) in environ

    def close(self) -> None:
        with contextlib.suppress(Exception):
            subprocess.run(self.argv("stop"), check=False, capture_output=True, timeout=60)
        with contextlib.suppress(Exception):
            self._tmux("kill-server")
        for _ in range(20):
            left = [pid for pid, _, words in _table() if str(self._folder) in words]
            for pid in left:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            if not left:
                return
            time.sleep(0.05)

    def _tmux(self, *words: str) -> None:
        argv = ["tmux", "-S", str(self._socket), "-f", "/dev/null", *words]
        env = {**os.environ, "TERM": "xterm", "SHELL": "/bin/sh"}
        env.pop("TMUX", None)
        subprocess.run(argv, check=True, capture_output=True, timeout=30, env=env)


def _table() -> Iterator[tuple[int, int, str]]:
    """Give every process but ourselves: pid, parent, words; parents first."""
    for entry in sorted(Path("/proc").iterdir(), key=lambda p: (len(p.name), p.name)):
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError, IndexError, ValueError):
                words = (
                    (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                yield int(entry.name), int(stat[1]), words
