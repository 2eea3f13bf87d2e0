"""A program on a pseudo terminal of its own: what it paints, what it costs, how fast it answers."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.workers import gauge

ROOT = Path(__file__).parents[2]
TAKE = (
    "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execvp(sys.argv[1], sys.argv[1:])"
)
"""What makes the pseudo terminal the program's own."""
SEQUENCES = re.compile(rb"\x1b(\[[0-9;:?<>=]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|.)")
ANSWERS = {b"\x1b[c": b"\x1b[?62;c", b"\x1b[6n": b"\x1b[1;1R"}
"""What a terminal says when it is asked who it is: some wait for it."""


@dataclass
class Cost:
    """What was used in a window."""

    seconds: float
    cpu: float
    """Share of a core."""
    wakeups: float
    """A second."""
    written: float
    """Bytes a second to the terminal."""


class Pane:
    """Runs a command on a pseudo terminal and reads all that it writes.

    Args:
        argv: the command.
        size: columns and lines.
        env: beyond this process's own.
    """

    def __init__(
        self, argv: Sequence[str], size: tuple[int, int], env: dict[str, str] | None = None
    ) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        clean = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "COLUMNS", "LINES"}}
        clean |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", TAKE, *argv],
            stdin=slave, stdout=slave, stderr=slave, cwd=ROOT, env=clean | (env or {}),
        )  # fmt: skip
        os.close(slave)
        self.written = 0
        self.text = bytearray()
        self._arrived = threading.Condition()
        self._ended = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while not self._ended.is_set():
            if not select.select([self.master], [], [], 0.1)[0]:
                continue
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            for asked, answer in ANSWERS.items():
                if asked in data:
                    with suppress(OSError):
                        os.write(self.master, answer)
            with self._arrived:
                self.written += len(data)
                self.text += data
                del self.text[:-400_000]
                self._arrived.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._ended.set()
        self._reader.join()
        os.close(self.master)

    def shows(self, text: str, limit: float = 60.0) -> float:
        """Wait until a text was painted; return the seconds since the start.

        Raises:
            TimeoutError: it was not, with the last that was.
        """
        wanted, until = text.encode(), time.perf_counter() + limit
        with self._arrived:
            while wanted not in SEQUENCES.sub(b"", bytes(self.text)):
                left = until - time.perf_counter()
                if left <= 0 or self.process.poll() is not None:
                    last = SEQUENCES.sub(b"", bytes(self.text))[-300:].decode("utf-8", "replace")
                    raise TimeoutError(f"no {text!r} was painted, but: {last!r}")
                self._arrived.wait(min(left, 0.5))
        return time.perf_counter() - self.began

    def answers(self, key: str, sign: str, limit: float = 10.0) -> float:
        """Type a key; return the seconds until a sign is painted that was not before.

        Raises:
            TimeoutError: it was not.
        """
        with self._arrived:
            self.text.clear()
            began = time.perf_counter()
            os.write(self.master, key.encode())
            while sign.encode() not in self.text:
                left = began + limit - time.perf_counter()
                if left <= 0:
                    raise TimeoutError(f"no {sign!r} was painted after {key!r}")
                self._arrived.wait(left)
            return time.perf_counter() - began

    def used(self) -> float:
        """Return the processor seconds that it has used since it began."""
        return sum(spent for spent, _ in gauge.used([self.process.pid]).threads.values()) / 1e9

    def memory(self) -> gauge.Memory:
        """Return what its process holds."""
        return gauge.memory([self.process.pid])

    def costs(self, seconds: float) -> Cost:
        """Return what it uses in a window from now on."""
        before, written, began = gauge.used([self.process.pid]), self.written, time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - began
        idle = gauge.between(before, gauge.used([self.process.pid]), took, whole_cycle=True)
        return Cost(
            took, idle.cpu_per_minute / 60, idle.wakeups_per_second,
            (self.written - written) / took,
        )  # fmt: skip
