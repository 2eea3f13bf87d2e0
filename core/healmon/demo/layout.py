"""Where everything of a demo lives, and the configuration that healmon runs with there.

One directory, `healmon-demo-XXXX`, made by mkdtemp with mode 0700:

* `manifest.json`: who owns it, what was started (see `manifest`);
* `healmon.toml`, `state/`: configuration and state directory to run healmon with;
* `workers/*.py`: the three workers, one program under three names;
* `programs/*.py`: the agent's screen, a silent build and the database writer;
* `packs/demo.toml`: how healmon reads the agent's screen;
* `run/`: pid files, heartbeats, commands to the programs;
* `data/`: the two databases;
* `scratch/logs/`: the directory with a budget;
* `tmux.sock`: the private tmux server.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PREFIX: Final = "healmon-demo-"
WORKERS: Final = ("assigner_worker", "task_worker", "milestone_worker")
SESSIONS: Final = {
    "architect": "working",
    "architect2": "approval",
    "claude_architect": "working",
    "codex_worker": "working",
    "docs_writer": "retrying",
    "nightly_build": "building",
}
"""Session names and how each begins; one is a prefix of another, on purpose."""
PROTECTED: Final = ("architect", "inspector")
FREEZABLE: Final = ("claude_architect", "codex_worker")
ACTIVE: Final = {
    "claude_architect": 3, "codex_worker": 2, "architect2": 1, "architect": 1, "docs_writer": 1,
    "nightly_build": 1,
}  # fmt: skip
"""How many active prompts each session begins with."""
BUDGET: Final = 4 * 1024 * 1024
"""Bytes that `scratch/logs` may hold."""
LONGEST_SOCKET: Final = 104
"""Bytes of a socket's path that every Unix takes (sun_path)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one demo; `root` is absolute."""

    root: Path

    @property
    def manifest(self) -> Path:
        """Who owns the directory, and what was started for it."""
        return self.root / "manifest.json"

    @property
    def config(self) -> Path:
        """The configuration that healmon runs with."""
        return self.root / "healmon.toml"

    @property
    def state(self) -> Path:
        """The state directory that healmon runs with."""
        return self.root / "state"

    @property
    def run(self) -> Path:
        """Pid files, heartbeats and commands."""
        return self.root / "run"

    @property
    def agents(self) -> Path:
        """What each agent says of itself, and the files that freeze one."""
        return self.run / "agents"

    @property
    def assigner_db(self) -> Path:
        """The task database."""
        return self.root / "data" / "assigner" / "assigner.db"

    @property
    def architect_db(self) -> Path:
        """The main database, which the writer commits into."""
        return self.root / "data" / "architect.db"

    @property
    def logs(self) -> Path:
        """The directory with a budget."""
        return self.root / "scratch" / "logs"

    @property
    def socket(self) -> Path:
        """The socket of the private tmux server."""
        return self.root / "tmux.sock"

    @property
    def agent(self) -> Path:
        """The program that plays an agent."""
        return self.root / "programs" / "agent.py"

    @property
    def build(self) -> Path:
        """The program that builds in silence."""
        return self.root / "programs" / "build.py"

    @property
    def pack(self) -> Path:
        """The detection pack of the agent."""
        return self.root / "packs" / "demo.toml"

    @property
    def writer(self) -> Path:
        """The program that commits into the main database."""
        return self.root / "programs" / "db_writer.py"

    def worker(self, name: str) -> Path:
        """Return the worker's script."""
        return self.root / "workers" / f"{name}.py"

    def pid_file(self, name: str) -> Path:
        """Return the worker's pid file."""
        return self.run / f"{name}.pid"

    def heartbeat(self, name: str) -> Path:
        """Return the worker's state file."""
        return self.run / f"{name}_state.json"

    def crash_flag(self, name: str) -> Path:
        """Return the file that makes the worker end at each start."""
        return self.root / f"crash-{name}"

    @property
    def programs(self) -> tuple[Path, ...]:
        """Every script that may run for this demo."""
        return (*(self.worker(name) for name in WORKERS), self.agent, self.build, self.writer)


@dataclass(frozen=True, slots=True)
class Pace:
    """The thresholds of a demo, in seconds."""

    check: int
    restart_delay: int
    stable_after: int
    failure_window: int
    quarantine: int
    heartbeat_max_age: int
    stuck_after: int
    confirm_for: int
    quiet_client: int
    busy_for: int
    act_after: int
    older_than: int


NORMAL: Final = Pace(
    check=5, restart_delay=2, stable_after=30, failure_window=120, quarantine=45,
    heartbeat_max_age=15, stuck_after=12, confirm_for=2, quiet_client=10, busy_for=5, act_after=60,
    older_than=3,
)  # fmt: skip
FAST: Final = Pace(
    check=1, restart_delay=1, stable_after=5, failure_window=60, quarantine=3,
    heartbeat_max_age=5, stuck_after=3, confirm_for=0, quiet_client=1, busy_for=1, act_after=30,
    older_than=1,
)  # fmt: skip


def quoted(text: str) -> str:
    """Return `text` as a TOML basic string (JSON's escapes are TOML's, but for DEL)."""
    return json.dumps(text).replace("\x7f", "\\u007f")


def configuration(layout: Layout, pace: Pace) -> str:
    """Return the text of `healmon.toml`; every path in it stays inside the demo."""
    return "\n".join(
        [
            "# Written by `healmon-tui --demo`: short thresholds, to see faults heal.",
            _monitor(pace),
            *(_worker(name, pace) for name in WORKERS),
            _sessions(layout, pace),
            _databases(pace),
            _disk(pace),
        ]
    )


def _monitor(pace: Pace) -> str:
    return f"""
[monitor]
name = "demo"
check_interval = "{pace.check}s"
state_dir = "state"
"""


def _worker(name: str, pace: Pace) -> str:
    return f"""[workers.{name}]
script = "workers/{name}.py"
args = ["--daemon"]
critical = {"false" if name == "milestone_worker" else "true"}
forks = {"false" if name == "milestone_worker" else "true"}
restart_delay = "{pace.restart_delay}s"
stable_after = "{pace.stable_after}s"
max_failures = 3
failure_window = "{pace.failure_window}s"
quarantine = "{pace.quarantine}s"
pid_file = "run/{name}.pid"
heartbeat_file = "run/{name}_state.json"
heartbeat_max_age = "{pace.heartbeat_max_age}s"
start_timeout = "10s"
stop_timeout = "5s"
cwd = "."
"""


def _sessions(layout: Layout, pace: Pace) -> str:
    return f"""[sessions]
socket = {quoted(str(layout.socket))}
stuck_after = "{pace.stuck_after}s"
warn_after = "{pace.stuck_after / 2:g}s"
retry_after = "{2 * pace.stuck_after}s"
idle_after = "{2 * pace.stuck_after}s"
waiting_after = "{pace.stuck_after}s"
confirm_for = "{pace.confirm_for}s"
confirm_looks = 2
cooldown = "{pace.stuck_after}s"
acts_per_session = 50             # a demo is there to act
acts_per_hour = 100
outage = 5
requeue_backoff = ["1s", "5s"]
packs = "packs"
quiet_client = "{pace.quiet_client}s"
protect = [{", ".join(quoted(name) for name in PROTECTED)}]
typing_marker = "##"
interrupt = ["C-c"]
on_stuck = "requeue"

[tasks.assigner]
path = "data/assigner/assigner.db"
"""


def _databases(pace: Pace) -> str:
    tables = [
        f"""[databases.{name}]
path = "{path}"
busy_for = "{pace.busy_for}s"
act_after = "{pace.act_after}s"
on_stale = "heal"
"""
        for name, path in (
            ("architect", "data/architect.db"),
            ("assigner", "data/assigner/assigner.db"),
        )
    ]
    return "\n".join(tables)


def _disk(pace: Pace) -> str:
    return f"""[disk]
warning = 85
critical = 95
target = 80
paths = []                        # the demo judges no file system, only its own directory
budgets = [{{ path = "scratch/logs", limit = {BUDGET} }}]

[[disk.rules]]
name = "rotated-logs"
paths = ["scratch/logs"]
patterns = ["*.log.*"]
older_than = "{pace.older_than}s"
action = "delete"

[[disk.rules]]
name = "leftovers"
paths = ["scratch/logs"]
patterns = ["*.tmp"]
older_than = "{pace.older_than}s"
action = "trash"
"""
