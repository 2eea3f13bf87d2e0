"""A made-up first run: what a host might have, and a starter configuration that goes nowhere."""

from __future__ import annotations

from pathlib import Path

from healmon.errors import DataError
from healmon.service.starter.model import Database, Found, Session, Worker
from healmon.world.survey import FileSystem

STARTER = """\
# healmon.toml: begun by `healmon init`; nothing here acts until you say so.

[monitor]
check_interval = "60s"
dry_run = true                    # looks and tells; take it away to let healmon act

# [workers.assigner_worker]       # seen: python3 workers/assigner_worker.py, pid 48213
# command = ["python3", "workers/assigner_worker.py", "--daemon"]

[databases.architect]
path = "/srv/agents/data/architect.db"

[disk]
paths = ["/", "/data"]
"""


def sights(count: int = 3) -> Found:
    """Return what a host of agents has."""
    names = ("architect", "assigner", *map(str, range(count - 2)))
    return Found(
        host="atlas",
        disks=(
            FileSystem("/", "ext4", 923_000_000_000, 121_000_000_000),
            FileSystem("/data", "xfs", 3_600_000_000_000, 2_100_000_000_000),
        ),
        sessions=(
            Session("default", "claude_docs", "claude", attached=True),
            Session("default", "scratch", "bash", attached=False),
        ),
        databases=tuple(
            Database(
                path=f"/srv/agents/data/{name}.db",
                users=((4711 + n, "python3"), (4800 + n, "node")) if n != 1 else (),
            )
            for n, name in enumerate(names)
        ),
        workers=(
            Worker(
                pid=48213,
                age=9.0,
                argv=("python3", "assigner_worker.py", "--daemon"),
                script="/srv/agents/workers/assigner_worker.py",
                pid_file="/tmp/architect_assigner_worker.pid",
            ),
            Worker(pid=812, age=9.0, argv=("/usr/sbin/nginx",), unit="nginx.service"),
        ),
        unseen=("/tmp/other/tmux.sock: Permission denied",),
    )


class ScriptedFirstRun:
    """A `FirstRun` that does what a test says."""

    def __init__(self, seen: Found | None = None, where: str = "~/.config/healmon/healmon.toml"):
        self.where = where
        self.again = False
        self.seen = sights() if seen is None else seen
        self.looks = 0
        self.there: Path | None = None
        self.text = STARTER
        self.fault = ""
        self.written = 0

    def look(self) -> Found:
        """Return what a test says."""
        self.looks += 1
        return self.seen

    def found(self) -> Path | None:
        """Return what a test says."""
        return self.there

    def preview(self) -> str:
        """Return the made-up starter."""
        if self.fault:
            raise DataError(self.fault)
        return self.text

    def write(self) -> str:
        """Pretend to write."""
        if self.fault:
            raise DataError(self.fault)
        self.written += 1
        self.there = Path("/home/ann/.config/healmon/healmon.toml")
        return self.text
