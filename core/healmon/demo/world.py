"""A throw-away world with real parts: workers, agents' sessions, databases, a disk budget.

Everything lives in one private directory and ends with it. What is started is written down by
identity before anybody else can see it fail, so that `sweep` can clear up after a killed demo.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from msgspec.structs import replace

from healmon.clock import SystemClock, process_seconds
from healmon.demo import databases, owned, scratch, terminals
from healmon.demo import manifest as marker
from healmon.demo.faults import Fault, Faults
from healmon.demo.layout import (
    ACTIVE,
    FAST,
    NORMAL,
    PREFIX,
    SESSIONS,
    WORKERS,
    Layout,
    configuration,
)
from healmon.demo.sweep import remove
from healmon.errors import SpawnError
from healmon.text import clean
from healmon.world.processes import Identity, Launch
from healmon.world.system_processes import SystemProcesses

Schedule = Sequence[tuple[float, str]]
SCHEDULE: Final[Schedule] = (
    (8.0, "kill-worker"),
    (16.0, "freeze-session"),
    (24.0, "stop-lock-holder"),
    (32.0, "fill-disk"),
)
"""Which fault comes when by itself, in seconds after `autofaults()`."""
PROGRAMS = Path(__file__).with_name("programs")
PACKS = Path(__file__).with_name("packs")
START_LIMIT = 60.0
"""Seconds within which all parts must be up."""


def _tell_nobody(_line: str) -> None:
    return


class DemoWorld:
    """One demo. Make it with `create()`, then `start()`; `close()` leaves nothing behind.

    Attributes:
        layout: where everything is.
        faults: what can be made to go wrong, by key or by itself.
    """

    def __init__(self, layout: Layout, manifest: marker.Manifest) -> None:
        self.layout = layout
        self._manifest = manifest
        self._lock = threading.Lock()
        self._processes = SystemProcesses()
        self._closed = False
        self._cancel = threading.Event()
        self._thread: threading.Thread | None = None
        self._faults = Faults(self._processes, layout, self.start_writer)
        self.faults: list[Fault] = self._faults.all()

    @classmethod
    def create(cls, base: Path | None = None, *, fast: bool = False) -> DemoWorld:
        """Make a fresh private directory with all files of a demo; start nothing yet.

        Args:
            base: where to make it; default: the system's temp directory.
            fast: thresholds of 1 to 3 seconds, for tests.

        Raises:
            MissingPartError: tmux is not installed, or the directory is too deep for a socket.
            OSError: the directory cannot be written.
        """
        tmux = terminals.program()
        place = Path(tempfile.gettempdir() if base is None else base).resolve()
        layout = Layout(Path(tempfile.mkdtemp(prefix=PREFIX, dir=place)))
        owner = SystemProcesses().identify(os.getpid())
        assert owner is not None
        manifest = marker.Manifest(
            directory=str(layout.root),
            python=sys.executable,
            owner=owner,
            namespace=owned.pid_namespace(),
        )
        try:
            marker.write(layout, manifest)
            terminals.check_socket(layout)
            _furnish(layout, tmux, fast=fast)
        except BaseException:
            shutil.rmtree(layout.root, ignore_errors=True)
            raise
        return cls(layout, manifest)

    @property
    def config_path(self) -> Path:
        """The configuration to run healmon with."""
        return self.layout.config

    @property
    def state_dir(self) -> Path:
        """The state directory to run healmon with."""
        return self.layout.state

    def start(self) -> None:
        """Start workers, tmux server and writer; return when all are up (a second or so).

        Raises:
            SpawnError: a part did not come up; everything is taken away again.
        """
        try:
            self._record("tmux server", terminals.start(self._processes, self.layout))
            for name in WORKERS:
                self._spawn(name, self.layout.worker(name), "--daemon")
            self.start_writer()
            self._await_all()
        except BaseException:
            self.close()
            raise

    def start_writer(self) -> Identity:
        """Start the program that commits into the main database; return who it is."""
        return self._spawn("database writer", self.layout.writer)

    def fault(self, name: str) -> Fault:
        """Return the fault of this name.

        Raises:
            KeyError: there is none.
        """
        return {fault.name: fault for fault in self.faults}[name]

    def autofaults(
        self, schedule: Schedule = SCHEDULE, on_fault: Callable[[str], None] = _tell_nobody
    ) -> None:
        """Let faults come by themselves, on a thread of their own, until cancelled or closed.

        Args:
            schedule: seconds from now and the fault's name.
            on_fault: called on that thread with one line about each fault.

        Raises:
            KeyError: the schedule names an unknown fault.
        """
        plan = [(at, self.fault(name)) for at, name in sorted(schedule)]
        self.cancel_autofaults()
        self._cancel = threading.Event()
        self._thread = threading.Thread(
            target=_run_schedule,
            args=(plan, self._cancel, on_fault),
            name="demo-faults",
            daemon=True,
        )
        self._thread.start()

    def cancel_autofaults(self) -> None:
        """Let no further fault come by itself; one that is under way is waited for."""
        self._cancel.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._thread = None

    def close(self) -> str:
        """End everything that runs in this demo and remove its directory; twice does no harm.

        Stop the healer first: it would start its workers again.

        Returns:
            One line telling what was done; empty when it was closed already.
        """
        self.cancel_autofaults()
        with self._lock:
            self._closed = True  # from here on nothing more is started
            recorded = [started.identity for started in self._manifest.started]
        done = ""
        if self.layout.root.exists():
            done = remove(self._processes, self.layout, self._manifest.python, recorded)
        for who in recorded:
            self._processes.ended(who)  # reaps it if it was our child
        return done

    def __enter__(self) -> Self:
        """Return itself; `with` closes it at the end."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def _spawn(self, what: str, script: Path, *args: str) -> Identity:
        """Start a program of the demo as its own session, and write down who it is."""
        launch = Launch(
            argv=(sys.executable, str(script), *args),
            log_path=str(self.layout.run / f"{script.stem}.out"),
            cwd=str(self.layout.root),
        )
        with self._lock:
            if self._closed:
                raise SpawnError("the demo is closed")
            who = self._processes.spawn(launch)
        self._record(what, who)
        return who

    def _record(self, what: str, who: Identity) -> None:
        with self._lock:
            if self._closed:
                raise SpawnError("the demo is closed")
            started = (*self._manifest.started, marker.Started(what, who))
            self._manifest = replace(self._manifest, started=started)
            marker.write(self.layout, self._manifest)

    def _await_all(self) -> None:
        """Wait until every part shows that it is up; write down the daemons by their pid files."""
        missing = {self.layout.heartbeat(name) for name in WORKERS}
        missing |= {self.layout.agents / f"{name}.json" for name in SESSIONS}
        until, pause = process_seconds() + START_LIMIT, threading.Event()
        while missing := {path for path in missing if not path.exists()}:
            if process_seconds() > until:
                names = clean(", ".join(sorted(path.name for path in missing)))
                raise SpawnError(f"parts of the demo did not come up: {names}")
            pause.wait(0.01)
        for name in WORKERS:
            who = self._faults.worker(name)
            if who is not None:
                self._record(name, who)


def _furnish(layout: Layout, tmux: str, *, fast: bool) -> None:
    """Write every file of a fresh demo."""
    now = SystemClock().read().wall
    for folder in (
        layout.state,
        layout.agents,
        layout.worker("any").parent,
        layout.agent.parent,
        layout.pack.parent,
        layout.assigner_db.parent,
    ):
        folder.mkdir(mode=0o700, parents=True)
    for name in WORKERS:
        shutil.copyfile(PROGRAMS / "worker.py", layout.worker(name))
    for path in (layout.agent, layout.build, layout.writer):
        shutil.copyfile(PROGRAMS / path.name, path)
    pack = (PACKS / layout.pack.name).read_text("utf-8")
    layout.pack.write_text(pack.replace("PYTHON", Path(sys.executable).name), "utf-8")
    told = {
        "tmux": tmux,
        "socket": str(layout.socket),
        "beat": 0.25 if fast else 1.0,
        "patience": 2.0 if fast else 12.0,
    }
    (layout.run / "demo.json").write_text(json.dumps(told))
    layout.config.write_text(configuration(layout, FAST if fast else NORMAL))
    databases.build_assigner(layout.assigner_db, now_wall=now, active=ACTIVE)
    databases.build_architect(layout.architect_db, variant="v1")
    scratch.build(layout.logs, now)


def _run_schedule(
    plan: list[tuple[float, Fault]], cancel: threading.Event, on_fault: Callable[[str], None]
) -> None:
    begin = process_seconds()
    for at, fault in plan:
        if cancel.wait(max(begin + at - process_seconds(), 0.0)):
            return
        try:
            line = fault.run()
        except Exception as error:  # noqa: BLE001 - a fault that fails must not end the others
            line = f"{fault.name} failed: {clean(str(error))}"
        on_fault(line)
