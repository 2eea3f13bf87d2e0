"""What can go wrong in a demo, made to go wrong for real.

Each fault makes its own damage certain before it returns: the worker is dead, the screen says
nothing new, the lock is held by a stopped process, the budget is nearly used up.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from healmon.clock import SystemClock, process_seconds
from healmon.demo import owned, scratch
from healmon.demo.layout import BUDGET, FREEZABLE, WORKERS, Layout
from healmon.errors import RemedyError
from healmon.text import clean
from healmon.units import format_size
from healmon.world.processes import Identity, Processes

T = TypeVar("T")
LIMIT: Final = 20.0
"""Seconds within which a fault must have happened."""
CRASHER: Final = "task_worker"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that can be made to go wrong.

    Attributes:
        name: stable, for keys and schedules.
        help: one line for people.
        run: makes it happen and returns one line telling what was done; it may take a second or
            two, and raises RemedyError when it could not be done.
    """

    name: str
    help: str
    run: Callable[[], str]


class Faults:
    """The five faults of one demo; they may be run from any thread, one at a time.

    Args:
        processes: the door to processes.
        layout: the demo.
        start_writer: starts a new database writer when the old one is gone.
    """

    def __init__(
        self, processes: Processes, layout: Layout, start_writer: Callable[[], Identity]
    ) -> None:
        self._processes = processes
        self._layout = layout
        self._start_writer = start_writer
        self._lock = threading.Lock()
        self._pause = threading.Event()
        self._turn = 0
        self._stopped: set[Identity] = set()

    def all(self) -> list[Fault]:
        """Return the faults, in the order of the specification's four healers."""
        kinds: tuple[tuple[str, str, Callable[[], str]], ...] = (
            ("kill-worker", "kill a worker with SIGKILL", self.kill_worker),
            ("crash-loop", f"let {CRASHER} end at each start (again: no more)", self.crash_loop),
            ("freeze-session", "let an agent hang behind its spinner", self.freeze_session),
            ("stop-lock-holder", "stop a writer in mid-transaction", self.stop_lock_holder),
            ("fill-disk", "fill the log directory's budget", self.fill_disk),
        )
        return [Fault(name, text, partial(self._one_at_a_time, run)) for name, text, run in kinds]

    def _one_at_a_time(self, run: Callable[[], str]) -> str:
        with self._lock:
            return run()

    def worker(self, name: str) -> Identity | None:
        """Return who this worker is, by its pid file and its command line; None when it is down."""
        try:
            pid = int(self._layout.pid_file(name).read_text())
        except (OSError, ValueError):
            return None
        who = self._processes.identify(pid)
        script = str(self._layout.worker(name))
        if who is None or owned.script_of(self._processes, who) != script:
            return None
        return who

    def writer(self) -> Identity | None:
        """Return who the database writer is; None when it is gone."""
        script = str(self._layout.writer)
        found = owned.strays(self._processes, self._layout, sys.executable)
        return next((w for w in found if owned.script_of(self._processes, w) == script), None)

    def kill_worker(self) -> str:
        """Kill a worker, another one each time."""
        for step in range(len(WORKERS)):
            name = WORKERS[(self._turn + step) % len(WORKERS)]
            who = self.worker(name)
            if who is not None and self._kill(who):
                self._turn += step + 1
                return f"killed {name} (pid {who.pid}) with SIGKILL"
        return "no worker is up: nothing to kill"

    def _kill(self, who: Identity) -> bool:
        killed = not owned.end(self._processes, [who], signals=((signal.SIGKILL,),))
        self._processes.ended(who)  # reaps it if it was our child
        return killed

    def crash_loop(self) -> str:
        """Let a worker end at each start; the second time, let it start again."""
        flag = self._layout.crash_flag(CRASHER)
        if flag.exists():
            flag.unlink()
            return f"{CRASHER} will start again"
        flag.touch()
        who = self.worker(CRASHER)
        if who is not None:
            self._kill(who)
        return f"{CRASHER} now ends at each start, until this is done again"

    def freeze_session(self) -> str:
        """Send an agent a task and let it hang on it."""
        names = [name for name in FREEZABLE if self._agent(name) in {"working", "idle"}]
        if not names:
            return "no session can be frozen now"
        name = names[0]
        prompt = self._send(name, "sort the inbox by date and write down what is missing")
        self._until(lambda: self._agent(name) == "working", f"{name} did not begin its task")
        (self._layout.agents / f"{name}.freeze").touch()
        self._until(lambda: self._agent(name) == "frozen", f"{name} did not freeze")
        return f"froze {name} on task {prompt}: its spinner goes on, its work does not"

    def stop_lock_holder(self) -> str:
        """Stop the writer, each time a new one, while it holds the main database's write lock."""
        who = self.writer() or self._start_writer()
        if owned.stopped(self._processes, who):
            return f"the writer (pid {who.pid}) is stopped already"
        if who in self._stopped:
            # who is stopped a second time is meant to be, a healer may think
            owned.end(self._processes, [who])
            who = self._start_writer()
        self._stopped.add(who)
        nonce, holding = os.urandom(8).hex(), self._layout.run / "holding"
        fresh = self._layout.run / "hold.new"
        fresh.write_text(nonce)
        fresh.replace(self._layout.run / "hold")
        self._until(lambda: _text(holding) == nonce, "the writer did not begin its transaction")
        self._processes.signal(who, signal.SIGSTOP)
        self._until(lambda: owned.stopped(self._processes, who), "the writer did not stop")
        if _text(holding) != nonce:
            self._processes.signal(who, signal.SIGCONT)
            raise RemedyError("the writer was quicker than its signal; try again")
        return f"stopped the writer (pid {who.pid}) while it holds the write lock of architect.db"

    def fill_disk(self) -> str:
        """Fill the budget to about 97 %."""
        written = scratch.fill(self._layout.logs, SystemClock().read().wall)
        share = 100 * scratch.used(self._layout.logs) / BUDGET
        return f"wrote {format_size(written)} of logs: {share:.1f} % of the budget is used"

    def _agent(self, name: str) -> str:
        try:
            return str(json.loads((self._layout.agents / f"{name}.json").read_bytes())["state"])
        except (OSError, ValueError, KeyError):
            return ""

    def _send(self, session: str, text: str) -> str:
        """Assign a prompt through the assigner's one-shot; return its id."""
        script = str(self._layout.worker("assigner_worker"))
        try:
            done = subprocess.run(
                [sys.executable, script, "--send", session, text],
                cwd=self._layout.root, stdin=subprocess.DEVNULL, capture_output=True,
                timeout=2 * LIMIT, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise RemedyError(f"the assigner took more than {2 * LIMIT:g} s to send") from error
        if done.returncode:
            why = clean(done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2])
            raise RemedyError(f"the assigner could not send: {why}")
        return clean(done.stdout.decode("utf-8", "replace").strip())

    def _until(self, condition: Callable[[], T], failure: str) -> T:
        until = process_seconds() + LIMIT
        while not (answer := condition()):
            if process_seconds() > until:
                raise RemedyError(failure)
            self._pause.wait(0.01)
        return answer


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
