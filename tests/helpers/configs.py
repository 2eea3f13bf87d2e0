"""Configurations for tests: text in, settings or problems out."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from healmon.config.load import load
from healmon.errors import ConfigError

EXAMPLE = """\
[monitor]
check_interval = "60s"
name = "build-box"
dry_run = false

[workers.other_worker]
command = ["sleep", "infinity"]

[workers.assigner_worker]
script = "workers/assigner_worker.py"
args = ["--daemon"]
critical = true
restart_delay = "5s"
restart = "always"
forks = true
pid_file = "/tmp/architect_assigner_worker.pid"
heartbeat_file = "/tmp/architect_assigner_worker_state.json"
heartbeat_max_age = "30s"
ready = { log = "listening" }
liveness = { tcp = 8080, every = "10s", failures = 3 }
after = ["other_worker"]
stop_timeout = "10s"
memory_limit = "500MB"
cwd = "."
env = { APP_ENV = "prod" }
user = "svc"

[sessions]
stuck_after = "30m"
socket = "default"
protect = ["architect", "inspector"]
typing_marker = "##"
interrupt = ["C-c"]
on_stuck = "requeue"

[tasks.assigner]
path = "data/assigner/assigner.db"

[databases.architect]
path = "data/architect.db"
busy_for = "10s"
act_after = "120s"
on_stale = "heal"

[disk]
warning = 85
critical = 95
horizon = "12h"
target = 80
paths = ["/"]
budgets = [{ path = "logs", limit = "5GB" }]
thresholds = [{ path = "logs", warning = 90 }]

[[disk.rules]]
name = "logs"
paths = ["logs"]
patterns = ["*.log", "*.log.*"]
older_than = "7d"
action = "delete"
backup = "s3://bucket/prefix"

[alerts]
[notify]
[store]
retention = "30d"
"""
"""The public contract's example, with the worker that it only names."""


class Configs:
    """Writes configuration files into a directory of the test and reads them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "healmon.toml"
        self.home = str(directory / "home")

    def settings(self, text: str, **environ: str):
        """Return the settings of a text."""
        self.path.write_text(textwrap.dedent(text), encoding="utf-8")
        return load(self.path, {"HOME": self.home, **environ})

    def faults(self, text: str, **environ: str):
        """Return the problems of a text."""
        with pytest.raises(ConfigError) as caught:
            self.settings(text, **environ)
        return caught.value.problems

    def faults_if_any(self, text: str):
        """Return the problems of a text that may have none."""
        try:
            self.settings(text)
        except ConfigError as error:
            return error.problems
        return ()

    def lines(self, text: str, **environ: str):
        """Return the problems of a text as people see them."""
        return [str(problem) for problem in self.faults(text, **environ)]
