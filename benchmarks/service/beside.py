"""Whole minutes of a daemon at rest, beside a supervisord that has as many workers."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.service.stage import SLEEPER, WORKERS, Stage
from benchmarks.workers import gauge
from benchmarks.workers.fetch import Tools

WARM = 95.0
"""Seconds after which a daemon has settled: the first looks read everything."""
MINUTE = 60.0


def minutes(stage: Stage, folder: Path, count: int) -> Iterator[tuple[gauge.Idle, gauge.Idle]]:
    """Yield what the daemon and supervisord have used in each of so many whole minutes.

    Args:
        stage: whose daemon has just been started.
        folder: for the peer, its program and its workers.
        count: of minutes; ten hold each of the daemon's looks that are made now and then.

    Raises:
        UnavailableError: supervisord cannot be fetched.
    """
    program = Tools(folder, worker="py", install=False).python_peer("supervisord")
    peer = subprocess.Popen([program, "-c", str(_configuration(folder))], stdout=subprocess.DEVNULL)
    sides = stage.daemon, peer.pid
    try:
        time.sleep(WARM)
        for _ in range(count):
            before, began = [gauge.used([pid]) for pid in sides], time.monotonic()
            time.sleep(MINUTE)
            seconds, after = time.monotonic() - began, [gauge.used([pid]) for pid in sides]
            ours, theirs = (
                gauge.between(first, last, seconds, whole_cycle=True)
                for first, last in zip(before, after, strict=True)
            )
            yield ours, theirs
    finally:
        peer.terminate()
        peer.wait(30)


def _configuration(folder: Path) -> Path:
    # a script of its own: to the daemon those of the stage would be copies of its workers
    script = folder / "theirs.py"
    script.write_text(SLEEPER)
    command = shlex.join([sys.executable, str(script)])
    text = (
        f"[supervisord]\nnodaemon=true\nsilent=true\nlogfile={folder}/supervisord.log\n"
        f"pidfile={folder}/supervisord.pid\n"
    )
    for number in range(WORKERS):
        text += f"[program:w{number}]\ncommand={command}\n"
    path = folder / "supervisord.conf"
    path.write_text(text)
    return path
