"""A host with everything in play, for a daemon that is killed at any moment.

Workers that note when a second copy of themselves begins, sessions that hang on tasks, a database
whose lock is forgotten by a worker, another whose lock a stranger holds. `World.broken` tells which
promise does not hold now, `World.settled` whether all is as it should be in the end.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from healmon.errors import HealmonError
from healmon.service import commands, instance, wake
from tests.helpers.box import Box, alive
from tests.helpers.dbactor import Actor, create
from tests.helpers.sessionstage import HUNG, Stage
from tests.helpers.tmuxes import python

SESSIONS = ("a", "b")
SECONDS = 8.0
"""After which an override must not be done any more."""
GRACE = 10.0
"""Seconds more that a healer has to say so, or that a look may come late."""
ALLOWED = {"pending", "in_progress"}
# the lock goes with the process, so a second one at the same time is found out by itself
WITNESSED = """
import fcntl, os, sqlite3, sys, time
name, base = {name!r}, {base!r}
lock = open(f"{{base}}/{{name}}.one", "a+")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    open(f"{{base}}/second", "a").write(f"{{name}} {{os.getpid()}}\\n")
open(f"{{base}}/{{name}}.pids", "a").write(f"{{os.getpid()}}\\n")
held = None
while True:
    time.sleep(0.05)
    if name == "writer" and held is None and os.path.exists(f"{{base}}/forget"):
        open(f"{{base}}/forgetful", "a").write(f"{{os.getpid()}}\\n")
        os.unlink(f"{{base}}/forget")
        held = sqlite3.connect(f"{{base}}/own.db", isolation_level=None, timeout=0.1)
        held.execute("BEGIN IMMEDIATE")
        held.execute("UPDATE rows SET text = 'not committed'")
"""
LIMITS: dict[str, object] = {
    "stuck_after": "1s", "warn_after": "1s", "idle_after": "1s", "confirm_for": "0s",
    "confirm_looks": 1, "verify_within": "1s", "cooldown": "0s", "acts_per_session": 5000,
    "acts_per_hour": 50000, "requeue_backoff": ["0s"], "outage": 50,
}  # fmt: skip
WORKERS = ("one", "two", "writer")
PATIENT: dict[str, object] = {
    "restart_delay": "1s", "restart_delay_max": "2s", "min_uptime": "300ms", "stable_after": "2s",
    "max_failures": 5000, "slow_failures": 50000, "stop_timeout": "2s",
}  # fmt: skip


class World:
    """The host, its faults, and what must hold on it.

    Args:
        base: an empty directory with a short name.
        dice: where all chance comes from.
    """

    def __init__(self, base: Path, dice: random.Random) -> None:
        self.base, self.dice = base, dice
        self.stage, self.box = Stage(base), Box(base)
        self.asked: list[int] = []
        self.tasks: list[int] = []
        self._panes = {name: self.stage.tmux.new(name) for name in SESSIONS}
        self._up_since = time.monotonic()
        self._starting: subprocess.Popen[bytes] | None = None
        own, strange = base / "own.db", base / "strange.db"
        create(own)
        create(strange)
        sections = [self._worker(name) for name in WORKERS]
        sections += [
            f'[databases.own]\npath = "{own}"\nbusy_for = "1s"\nact_after = "2s"',
            f'[databases.strange]\npath = "{strange}"\nbusy_for = "1s"\nact_after = "2s"',
        ]
        self.stage.configure(**LIMITS, more="\n".join(sections))
        self.stranger = Actor(strange)
        self.stranger.does("BEGIN IMMEDIATE")

    def _worker(self, name: str) -> str:
        code = WITNESSED.format(name=name, base=str(self.base))
        return self.box.worker(name, code, **PATIENT)

    # The daemon.

    def start(self) -> None:
        """Begin to start a daemon; it may be killed long before it is up."""
        self._up_since = time.monotonic()
        with (self.base / "starts").open("ab") as told:
            self._starting = subprocess.Popen(
                self.box.argv("daemon", program="healmon"),
                env=self.box.env, cwd=self.base, stdin=subprocess.DEVNULL, stdout=told, stderr=told,
            )  # fmt: skip

    def kill(self) -> list[int]:
        """SIGKILL to whatever there is of the daemon, also halfway up; return the pids."""
        killed: list[int] = []
        while found := [*self._daemons()]:  # one may have forked as it was killed
            for pid in found:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
        if self._starting is not None:
            self._starting.wait(20)
        self._starting = None
        return killed

    def _daemons(self) -> Iterator[int]:
        mark = os.fsencode(str(self.stage.state))
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = path.read_bytes().split(b"\0")
                if words[-2:-1] == [b"daemon"] and mark in words:
                    yield int(path.parent.name)

    def up(self) -> bool:
        """Return whether a daemon holds the state directory, and was not refused."""
        if self._starting is not None and self._starting.poll() not in {None, 0, -9}:
            said = (self.base / "starts").read_text()
            message = f"the daemon did not start ({self._starting.returncode}): {said[-1500:]}"
            raise AssertionError(message)
        return instance.holder(self.stage.state) is not None

    # What happens on the host.

    def trouble(self) -> None:
        """Let one thing happen, or none."""
        happens = self.dice.choice(
            (self._task, self._task, self._ask, self._ask, self._ask, self._fell, self._forget)
        )
        happens()

    def _task(self) -> None:
        """Have a session that is free hang on a new task."""
        for name, pane in self._panes.items():
            busy = self.stage.sql(
                "SELECT 1 FROM prompts WHERE assigned_session = ? AND status != 'pending'", name
            )
            if busy or self.stage.tmux.ask(pane, "pane_current_command") != "bash":
                continue
            code = HUNG.format(log=str(self.stage.log(name)), then="sys.exit(0)")
            self.stage.tmux.type(pane, python(code))
            self.tasks.append(self.stage.task(name))
            return

    def _ask(self) -> None:
        """Queue an override, as the command line does, and knock."""
        verb, target, more = self.dice.choice(
            (
                ("restart", "one", {}),
                ("restart", "two", {}),
                ("pause", "database:own", {"for": 1.0}),
                ("resume", "", {}),
                ("clear", "a", {}),
                ("no such verb", "", {}),
            )
        )
        with contextlib.suppress(HealmonError):  # no store yet, or it is being opened
            number = commands.send(
                self.stage.state / "healmon.db", verb, target, more, "sweep", SECONDS
            )
            self.asked.append(number)
            wake.knock(self.stage.state)

    def _fell(self) -> None:
        """Have a worker die."""
        living = self._living(self.dice.choice(WORKERS))
        for pid in living[-1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _forget(self) -> None:
        """Have the writer forget its transaction."""
        (self.base / "forget").touch()

    def _living(self, name: str) -> list[int]:
        """Return the pids of a worker's copies; a number may be another process's by now."""
        script = os.fsencode(self.base / f"{name}.py")
        noted = sorted(self._noted(f"{name}.pids"))
        return [pid for pid in noted if alive(pid) and script in _words(pid)]

    def _noted(self, file: str) -> set[int]:
        path = self.base / file
        return {int(word) for word in path.read_text().split()} if path.exists() else set()

    # What must hold.

    def broken(self) -> list[str]:
        """Return what must not be at any moment, and is."""
        wrong: list[str] = []
        second = self.base / "second"
        if second.exists():
            wrong.append(f"a second copy: {second.read_text().strip()}")
        for name in WORKERS:
            living = self._living(name)
            if len(living) > 1:
                wrong.append(f"copies of {name}: {living}")
        wrong += self._tasks_broken()
        twice = "SELECT key, count(*) FROM health_alerts WHERE resolved = 0 GROUP BY key"
        wrong += [f"{count} open alerts {key}" for key, count in self.box.rows(twice) if count > 1]
        if self.stranger.process.poll() is not None:
            wrong.append("the stranger was ended")
        if not self.up():
            self._up_since = time.monotonic()  # a start may take longer than an override waits
        elif time.monotonic() - self._up_since > SECONDS:
            wrong += self._unanswered()
        return wrong

    def _tasks_broken(self) -> list[str]:
        wrong: list[str] = []
        # in one statement: what is given back meanwhile is seen as a whole, or not at all
        rows = self.stage.sql(
            "SELECT id, status, retry_count, (SELECT count(*) FROM assignment_history"
            " WHERE prompt_id = prompts.id AND action = 'requeued') FROM prompts ORDER BY id"
        )
        if [number for number, *_ in rows] != self.tasks:
            wrong.append(f"tasks {self.tasks} became {rows}")
        for number, status, retries, given in rows:
            allowed = {(0, 0), (1, 1)} if status == "pending" else {(0, 0)}
            if status not in ALLOWED or (retries, given) not in allowed:
                wrong.append(f"task {number} is {status}, retried {retries}, given back {given}")
        return wrong

    def _unanswered(self) -> list[str]:
        late = self.box.rows(
            "SELECT id, verb, state FROM commands WHERE state = 'queued'"
            " AND expires_at < strftime('%Y-%m-%d %H:%M:%f', 'now', ?)",
            f"-{GRACE} seconds",
        )
        return [f"override {number} ({verb}) is still {state}" for number, verb, state in late]

    def left_to_people(self) -> list[str]:
        """Return the sessions that were given up because of keys that may never have been pressed.

        A healmon killed between writing a key down and pressing it cannot be told from one killed
        after: no key is pressed twice, so two such kills in a row leave a program to a person.
        """
        told = self.box.rows(
            "SELECT DISTINCT substr(component, 9) FROM health_alerts WHERE resolved = 0"
            " AND component LIKE 'session:%' AND message LIKE '%was killed had pressed before%'"
        )
        return [name for (name,) in told]

    def settled(self) -> list[str]:
        """Return what is not yet as it should be when no more trouble comes."""
        living = {name: len(self._living(name)) for name in WORKERS}
        left = [f"{count} of {name} live" for name, count in living.items() if count != 1]
        # a writer that begins late on a busy machine takes the lock when all seems to be over
        if (self.base / "forget").exists():
            left.append("the writer has yet to forget its transaction")
        holding = self._noted("forgetful") & {*self._living("writer")}
        left += [f"{pid} holds the writer's database" for pid in holding]
        rows = self.stage.sql("SELECT id, status, retry_count FROM prompts")
        left += [f"task {i} is {s}, retried {n}" for i, s, n in rows if (s, n) != ("pending", 1)]
        states = dict(self.box.rows("SELECT id, state FROM commands"))
        left += [
            f"override {number} is {states.get(number)}"
            for number in self.asked
            if states.get(number) not in {"done", "refused", "expired", "lost"}
        ]
        alerts = self.box.rows(
            "SELECT component, count(*) FROM health_alerts WHERE resolved = 0 GROUP BY component"
        )
        if alerts != [("database:strange", 1)]:
            left.append(f"open alerts: {alerts}")
        return left

    def whole(self) -> list[str]:
        """Return what is wrong with the files, once the daemon is gone."""
        wrong: list[str] = []
        with contextlib.closing(sqlite3.connect(self.base / "own.db")) as own:
            if own.execute("SELECT count(*) FROM rows WHERE text = 'x'").fetchone() != (500,):
                wrong.append("what was not committed is in the database")
            wrong += _checked(own, "own.db")
        with contextlib.closing(sqlite3.connect(self.stage.database)) as tasks:
            wrong += _checked(tasks, "the tasks")
        with contextlib.closing(sqlite3.connect(self.stage.state / "healmon.db")) as store:
            wrong += _checked(store, "the store")
        wrong += [f"set aside: {p.name}" for p in self.stage.state.glob("healmon.db.*damaged*")]
        return wrong

    def close(self) -> None:
        self.kill()
        self.stranger.end()
        self.stage.close()
        self.box.close()


def _words(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def _checked(connection: sqlite3.Connection, name: str) -> list[str]:
    found = connection.execute("PRAGMA integrity_check").fetchall()
    return [] if found == [("ok",)] else [f"{name}: {found}"]
