"""A systemd of one's own: the first process of a world of its own, with units of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.wait import until

PROGRAM = Path("/lib/systemd/systemd")
NEEDED = ("unshare", "nsenter", "systemctl", "mount")
CGROUPS = Path("/sys/fs/cgroup")
TARGETS = ("basic", "sysinit", "shutdown", "default", "network", "multi-user", "slices")
WORLD = """
for file in $CGROUPS; do echo $$ > "$file"; done
exec unshare --pid --mount --fork --uts --ipc --cgroup --kill-child sh -ec '
    mount -t proc proc /proc
    mount -t tmpfs tmpfs /run
    exec "$0" --system --unit=default.target --log-target=console' "$PROGRAM"
"""


class OwnSystemd:
    """One that runs.

    Args:
        base: for its units and its log.
        groups: a control group of its own in each hierarchy.
    """

    def __init__(self, base: Path, groups: list[Path]) -> None:
        self.units = base / "units"
        self._log = base / "systemd.log"
        env = {
            "PATH": os.environ["PATH"],
            "PROGRAM": str(PROGRAM),
            "CGROUPS": " ".join(str(group / "cgroup.procs") for group in groups),
            "SYSTEMD_UNIT_PATH": str(self.units),
            "container": "test",
        }
        with self._log.open("wb") as log:
            self._world = subprocess.Popen(
                ["sh", "-ec", WORLD], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def up(self) -> bool:
        """Return whether it takes orders; fails when it has ended."""
        assert self._world.poll() is None, self._log.read_text()
        return self.pid() is not None and not self.ctl("is-active", "default.target").returncode

    def pid(self) -> int | None:
        """Return its pid as it is seen from outside."""
        children = Path(f"/proc/{self._world.pid}/task/{self._world.pid}/children")
        pid = children.read_text().split()
        is_it = pid and Path(f"/proc/{pid[0]}/comm").read_text() == "systemd\n"
        return int(pid[0]) if is_it else None

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a program in its world."""
        inside = ["nsenter", "-t", str(self.pid()), "-p", "-m", "-u", "-i", "-C", "--", *argv]
        return subprocess.run(inside, capture_output=True, text=True, timeout=60)

    def ctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Call its systemctl."""
        return self.run("systemctl", "--no-pager", *words)

    def property(self, unit: str, name: str) -> str:
        """Return what it knows of a unit."""
        return self.ctl("show", "--value", "-p", name, unit).stdout.strip()

    def close(self) -> None:
        """End it, and with it all that lives in its world."""
        pid = self.pid() if self._world.poll() is None else None
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        self._world.kill()
        self._world.wait(30)


@contextlib.contextmanager
def systemd(base: Path) -> Iterator[OwnSystemd]:
    """Give a systemd without a unit but the usual targets; skips where none can be had."""
    _needs()
    groups = _groups(f"healmon-test-{os.getpid()}")
    units = base / "units"
    units.mkdir()
    for target in TARGETS:
        (units / f"{target}.target").write_text("[Unit]\nDefaultDependencies=no\n")
    try:
        made = OwnSystemd(base, groups)
        try:
            until(made.up, 60, "a systemd that takes orders")
            yield made
        finally:
            made.close()
    finally:
        for group in groups:
            _remove(group)


def _needs() -> None:
    missing = [name for name in NEEDED if not shutil.which(name)]
    if os.geteuid() or missing or not PROGRAM.exists():
        pytest.skip(f"a systemd of one's own needs root, systemd and {', '.join(NEEDED)}")


def _groups(name: str) -> list[Path]:
    """Make a control group of our own in each hierarchy that can be written."""
    made: list[Path] = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, kinds, path = line.split(":", 2)
        top = CGROUPS / (kinds.removeprefix("name=") if kinds else "unified")
        top = top if top.is_dir() or kinds else CGROUPS
        group = top / path.lstrip("/") / name
        with contextlib.suppress(OSError):
            group.mkdir()
            _inherit(group)
            made.append(group)
    if not any((group / "cgroup.procs").exists() for group in made):
        pytest.skip("no control group can be made")
    return made


def _inherit(group: Path) -> None:
    """A new group of processors has none: it takes over its parent's."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        with contextlib.suppress(OSError):
            (group / name).write_text((group.parent / name).read_text())


def _remove(group: Path) -> None:
    for place, _, _ in os.walk(group, topdown=False):
        # its last process may still be on its way out
        until(lambda place=Path(place): _removed(place), 60, f"nothing in {place}")


def _removed(place: Path) -> bool:
    with contextlib.suppress(OSError):
        place.rmdir()
    return not place.exists()
