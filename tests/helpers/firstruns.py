"""A made-up first run: what a host might have, and a starter configuration that goes nowhere."""

from __future__ import annotations

from pathlib import Path

from healmon.errors import DataError
from healmon.service.firstrun import FileSystem, OpenDatabase, PidFile, Sights

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


def sights(count: int = 3) -> Sights:
    """Return what a host of agents has."""
    return Sights(
        disks=(
            FileSystem("/", 86.9, 121_000_000_000),
            FileSystem("/data", 41.0, 2_100_000_000_000),
        ),
        databases=tuple(
            OpenDatabase(f"/srv/agents/data/{name}.db", ((4711 + n, "python3"), (4800 + n, "node")))
            for n, name in enumerate(("architect", "assigner", *map(str, range(count - 2))))
        ),
        daemons=(
            PidFile("/run/nginx.pid", 812, "nginx"),
            PidFile("/tmp/architect_assigner_worker.pid", 48213, "python3"),
        ),
        hidden=7,
    )


class ScriptedFirstRun:
    """A `FirstRun` that does what a test says."""

    def __init__(self, seen: Sights | None = None, where: str = "~/.config/healmon/healmon.toml"):
        self.where = where
        self.again = False
        self.seen = sights() if seen is None else seen
        self.looks = 0
        self.there: Path | None = None
        self.text = STARTER
        self.fault = ""
        self.written = 0

    def look(self) -> Sights:
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
