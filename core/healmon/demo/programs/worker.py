"""A worker of the demo: a long-running program with a pid file and a heartbeat.

It stands in the demo under three names, and its name decides its manners, which are those of
workers found in the wild:

* `assigner_worker --daemon` forks twice, sends its output to its own log and leaves its pid file
  behind when it is killed. `--send SESSION TEXT` is a one-shot under the same script name.
* `task_worker --daemon` forks once and keeps the output it was given open; a second one says
  "already running" and exits 0.
* `milestone_worker --daemon` stays in the foreground. `--scan` is a one-shot.

With a file `crash-NAME` in the demo's directory it exits 1 at each start. It ends by itself once
that directory is gone.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

SCRIPT = Path(__file__).absolute()
NAME = SCRIPT.stem
ROOT = SCRIPT.parents[1]
RUN = ROOT / "run"
PID_FILE = RUN / f"{NAME}.pid"
HOSTILE = b"\x1b[31;5mred\x1b[0m [bold]markup[/bold] \xff\xfe \xe2\x80\xae turned\tround\rover"


def say(text: str | bytes) -> None:
    """Write a line to the output, whatever has become of it."""
    line = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S").encode()
    try:
        os.write(1, stamp + b" " + NAME.encode() + b": " + line + b"\n")
    except OSError:
        return


def replace(path: Path, text: str) -> None:
    """Write a file so that nobody sees half of it."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text)
    fresh.replace(path)


def settings() -> dict[str, Any]:
    """Return what the demo tells its programs."""
    told: dict[str, Any] = json.loads((RUN / "demo.json").read_text())
    return told


def already_running() -> bool:
    """Whether the pid file names a living process that runs this very script."""
    try:
        pid = int(PID_FILE.read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return False
    return pid != os.getpid() and os.fsencode(SCRIPT) in words


def detach() -> None:
    """Become a daemon, in the manner that goes with the name."""
    if NAME == "milestone_worker":
        return
    if os.fork():
        os._exit(0)
    os.setsid()
    if NAME == "assigner_worker":
        if os.fork():
            os._exit(0)
        path = ROOT / "scratch/logs/assigner_worker.log"
        log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        null = os.open(os.devnull, os.O_RDONLY)
        for target, source in ((0, null), (1, log), (2, log)):
            os.dup2(source, target)
    os.chdir("/")


class Daemon:
    """The worker's long life."""

    def __init__(self) -> None:
        told = settings()
        self.beat = float(told["beat"])
        self.patience = float(told["patience"])
        self.ending = False
        self.beats = 0
        self.seen: dict[int, float] = {}
        signal.signal(signal.SIGTERM, self.end)
        signal.signal(signal.SIGINT, self.end)

    def end(self, _number: int, _frame: FrameType | None) -> None:
        """Leave after this beat."""
        self.ending = True

    def run(self) -> None:
        """Beat until told to end, or until the demo is gone."""
        replace(PID_FILE, f"{os.getpid()}\n")
        say("listening")
        while not self.ending and (ROOT / "manifest.json").exists():
            self.beats += 1
            try:
                self.work()
            except (OSError, sqlite3.Error) as error:
                say(f"could not work: {error}")
            time.sleep(self.beat)
        if ROOT.exists():
            say("ending")
            PID_FILE.unlink(missing_ok=True)

    def work(self) -> None:
        """Do what there is to do, and show that it is alive."""
        state: dict[str, Any] = {
            "worker_id": f"{NAME.removesuffix('_worker')}-{os.getpid()}",
            "running": True,
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000000"),
        }
        if NAME == "assigner_worker":
            state["stats"] = assign_requeued(self.seen, self.patience)
        else:
            state |= {"tasks_completed": self.beats, "tasks_failed": 0, "current_task": None}
        replace(RUN / f"{NAME}_state.json", json.dumps(state))
        if self.beats % 20 == 1:
            say(HOSTILE)
        elif self.beats % 5 == 0:
            say(f"beat {self.beats}")


def connect() -> sqlite3.Connection:
    """Return a connection to the task database, as the real one makes it."""
    path = ROOT / "data/assigner/assigner.db"
    database = sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=5, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    return database


def assign_requeued(seen: dict[int, float], patience: float) -> dict[str, int]:
    """Give one prompt that was put back to an idle session; return the numbers of each status."""
    database = connect()
    try:
        put_back = [
            row[0]
            for row in database.execute(
                "SELECT id FROM prompts WHERE status = 'pending' AND retry_count > 0 ORDER BY id"
            )
        ]
        for gone in set(seen) - set(put_back):
            del seen[gone]
        for prompt in put_back:
            if time.perf_counter() - seen.setdefault(prompt, time.perf_counter()) < patience:
                continue
            session = last_session(database, prompt)
            if agent_state(session) == "idle" and take(database, prompt, session):
                type_into(session, f"task {prompt}, once more")
                break
        return dict(
            database.execute("SELECT status || '_prompts', count(*) FROM prompts GROUP BY 1")
        )
    finally:
        database.close()


def last_session(database: sqlite3.Connection, prompt: int) -> str:
    """Return the session that had this prompt last, or empty."""
    row = database.execute(
        "SELECT session_name FROM assignment_history WHERE prompt_id = ? AND action = 'assigned'"
        " ORDER BY id DESC LIMIT 1",
        (prompt,),
    ).fetchone()
    return str(row[0]) if row else ""


def take(database: sqlite3.Connection, prompt: int, session: str) -> bool:
    """Mark a waiting prompt as this session's; False when somebody else was quicker."""
    database.execute("BEGIN IMMEDIATE")
    changed = database.execute(
        "UPDATE prompts SET status = 'assigned', assigned_session = ?,"
        " assigned_at = datetime('now') WHERE id = ? AND status = 'pending'",
        (session, prompt),
    ).rowcount
    if changed:
        remember(database, prompt, session)
    database.execute("COMMIT")
    return bool(changed)


def remember(database: sqlite3.Connection, prompt: int, session: str) -> None:
    """Write the history row of an assignment."""
    database.execute(
        "INSERT INTO assignment_history (prompt_id, session_name, action)"
        " VALUES (?, ?, 'assigned')",
        (prompt, session),
    )


def agent_state(session: str) -> str:
    """Return what the agent in a session says of itself."""
    try:
        return str(json.loads((RUN / "agents" / f"{session}.json").read_text())["state"])
    except (OSError, ValueError, KeyError):
        return ""


def type_into(session: str, text: str) -> None:
    """Type a line into a session of the private tmux server."""
    told = settings()
    target = ["-t", f"={session}:"]
    keys = ["send-keys", *target, "-l", "--", text, ";", "send-keys", *target, "Enter"]
    subprocess.run(
        [told["tmux"], "-u", "-S", told["socket"], *keys],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=5, check=False,
    )  # fmt: skip


def send(session: str, text: str) -> int:
    """Assign a new prompt to a session and type it there; the one-shot of the assigner."""
    database = connect()
    try:
        database.execute("BEGIN IMMEDIATE")
        prompt = database.execute(
            "INSERT INTO prompts (content, source, status, assigned_session, assigned_at,"
            " target_session, target_provider) VALUES (?, 'cli', 'assigned', ?, datetime('now'),"
            " 'codex', 'codex')",
            (text, session),
        ).lastrowid
        remember(database, prompt or 0, session)
        database.execute("COMMIT")
    finally:
        database.close()
    type_into(session, text)
    print(prompt)
    return 0


def main(words: list[str]) -> int:
    """Run the command line's order; return the exit code."""
    if words[:1] == ["--send"] and len(words) == 3 and NAME == "assigner_worker":
        return send(words[1], words[2])
    if words[:1] in (["--status"], ["--scan"]):
        print("running" if already_running() else "not running")
        return 0
    if words != ["--daemon"]:
        print(f"usage: {SCRIPT.name} --daemon | --status | --scan | --send SESSION TEXT")
        return 2
    if (ROOT / f"crash-{NAME}").exists():
        print(f"{NAME}: told to crash at each start (crash-{NAME})", file=sys.stderr)
        return 1
    if NAME == "task_worker" and already_running():
        print(f"{NAME} is already running")
        return 0
    detach()
    Daemon().run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
