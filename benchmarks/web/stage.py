"""A host with five workers whose births are stamped by themselves, and a page that is served."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from benchmarks.service.stage import Stage

WORKERS = 5
WORKER = """
import os, signal, time
with open({births!r} + "/" + {name!r}, "a") as file:
    file.write(f"{{os.getpid()}} {{time.clock_gettime_ns(time.CLOCK_MONOTONIC)}}\\n")
signal.pause()
"""
PATIENCE = 60.0


class WebStage(Stage):
    """One such host.

    Attributes:
        port: where the page is served.
        births: a file for each worker: pid and stamp, a line for each start.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "10s")
        self.births = folder / "births"
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]

    def build(self) -> None:
        self.births.mkdir()
        super().build()

    def _config(self) -> str:
        # a pause of 50 ms, so that it is the healer that starts it, and not the shim by itself
        keys = 'restart_delay = "50ms"\nrestart_delay_max = "50ms"\nmin_uptime = "100ms"\n'
        keys += "max_failures = 1000000\nslow_failures = 1000000\n"
        workers = ""
        for number in range(WORKERS):
            script = self._folder / f"w{number}.py"
            script.write_text(WORKER.format(births=str(self.births), name=f"w{number}"))
            workers += f"[workers.w{number}]\nscript = {json.dumps(str(script))}\n{keys}"
        return (
            f'[monitor]\nname = "bench"\ncheck_interval = "{self._interval}"\n'
            "starts_in_flight = 0\nstart_spacing = 0\nstarts_per_minute = 0\nstorm_failures = 0\n"
            f'[sessions]\nsocket = {json.dumps(str(self._socket))}\n[disk]\npaths = ["/"]\n'
            f'[web]\nlisten = "127.0.0.1:{self.port}"\nmax_viewers = 200\n{workers}'
        )

    def born(self, name: str) -> tuple[int, int]:
        """Return pid and stamp (ns) of a worker's newest process; 0, 0: there was none."""
        try:
            lines = (self.births / name).read_text().splitlines()
        except FileNotFoundError:
            return 0, 0
        pid, _, stamp = lines[-1].partition(" ") if lines else ("0", "", "0")
        return int(pid), int(stamp or 0)

    def server(self) -> int:
        """Return the pid of the web server."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                found = json.loads((self.state / "web" / "healmon.lock").read_text())
                with closing(socket.create_connection(("127.0.0.1", self.port), 1)):
                    return int(found["pid"])
            except (OSError, ValueError):
                time.sleep(0.05)
        raise TimeoutError("no web server")

    def verified(self) -> int:
        """Return how many actions have been verified."""
        with closing(sqlite3.connect(f"file:{self.state / 'healmon.db'}?mode=ro", uri=True)) as db:
            query = "SELECT count(*) FROM events WHERE kind = 'actionverified'"
            return int(db.execute(query).fetchone()[0])

    def settled(self, count: int) -> None:
        """Wait until so many actions have been verified."""
        end = time.monotonic() + PATIENCE
        while self.verified() < count:
            if time.monotonic() > end:
                raise TimeoutError(f"{self.verified()} of {count} acts were verified")
            time.sleep(0.02)

    def heal(self, name: str) -> float:
        """Kill a worker; returns the milliseconds until its successor was born."""
        pid, _ = self.born(name)
        began = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + PATIENCE
        while self.born(name)[0] == pid:
            if time.monotonic() > end:
                raise TimeoutError(f"{name} was not started again")
            time.sleep(0.005)
        return (self.born(name)[1] - began) / 1e6
