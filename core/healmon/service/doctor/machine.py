"""The machine under healmon: Python, SQLite, /proc, clock, tmux."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator

from healmon import __version__
from healmon.clock import SystemClock, boot_id
from healmon.errors import ProbeError
from healmon.service.doctor.model import Finding, Ground, Level
from healmon.text import clean
from healmon.world import ground as kernel
from healmon.world import sockets as tmux_sockets
from healmon.world.sqliteversion import wal_reset_bug
from healmon.world.tmux import TmuxAbsentError
from healmon.world.tmux_wire import OLDEST

BORN = 1_735_689_600.0
"""Wall seconds before which no clock that is right can be: 2025."""


def software(_ground: Ground) -> Iterator[Finding]:
    """Look at the versions that healmon runs with."""
    name = "python"
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(name, "ok", f"healmon {__version__} on Python {version}, {sys.executable}")
    if wal_reset_bug(sqlite3.sqlite_version):
        yield Finding(
            "sqlite",
            "warning",
            f"SQLite {sqlite3.sqlite_version} can lose commits when two connections checkpoint and"
            " write at once (the WAL-reset bug)",
            remedy="use a Python with SQLite 3.51.3, 3.50.7 or 3.44.6; healmon itself keeps to one"
            " writer, other programs on your databases may not",
        )
    else:
        yield Finding("sqlite", "ok", f"SQLite {sqlite3.sqlite_version}")


def processes(ground: Ground) -> Iterator[Finding]:
    """Look at what /proc shows, and how processes can be named."""
    name = "proc"
    mount = kernel.mount_of("/proc")
    hides = [o for o in (mount.options if mount else ()) if o.startswith("hidepid=")]
    try:
        ground.processes.identify(1)
        hidden = False
    except ProbeError:
        hidden = True
    if hidden:
        yield Finding(
            name,
            "critical",
            f"/proc hides processes ({', '.join(hides) or 'by a sandbox'}): who is not seen cannot"
            " be told from who is gone",
            remedy="run healmon as root, or add its user to the group that /proc is mounted with",
        )
    else:
        yield Finding(name, "ok", "/proc shows every process")
    if boot_id() == "unknown":
        yield Finding(
            name, "warning", "this boot has no id: processes cannot be told from an earlier boot's"
        )
    if not kernel.has_pidfd():
        yield Finding(
            name,
            "critical",
            "processes cannot be pinned (pidfd_open): no signal would be sure of its target",
            remedy="Linux 5.3 or newer is needed, and a sandbox that allows pidfd_open",
        )
    if kernel.in_namespace():
        yield Finding(name, "ok", "in a container: only its own processes are seen and healed")


def clock(ground: Ground) -> Iterator[Finding]:
    """Look at the clock."""
    name, now = "clock", SystemClock().read().wall
    if now < BORN:
        yield Finding(name, "critical", "the clock is years behind", remedy="set it")
    known = kernel.synchronised()
    if known is False:
        yield Finding(
            name,
            "warning",
            "nothing keeps the clock right, as far as the kernel knows",
            remedy="run chrony, ntpd or systemd-timesyncd; healmon itself reckons with a clock of"
            " its own, but times in alerts and logs come from this one",
        )
    elif known is None:
        yield Finding(name, "unknown", "whether the clock is kept right cannot be told here")
    else:
        yield Finding(name, "ok", "the clock is kept right")
    yield from _ahead(ground, now)


def _ahead(ground: Ground, now: float) -> Iterator[Finding]:
    try:
        newest = max(
            (entry.stat(follow_symlinks=False).st_mtime for entry in os.scandir(ground.state_dir)),
            default=0.0,
        )
    except OSError:
        return
    if newest > now + 60:
        yield Finding(
            "clock",
            "warning",
            f"files of healmon were written {newest - now:.0f} s from now: the clock went back",
            str(ground.state_dir),
        )


def tmux(ground: Ground) -> Iterator[Finding]:
    """Look at tmux and the servers that are watched."""
    name = "tmux"
    watched = ground.settings.sessions.sockets if ground.settings is not None else ("default",)
    program = shutil.which("tmux")
    if program is None:
        level: Level = "warning" if watched else "ok"
        remedy = "install it, or set sessions.sockets = []" if watched else ""
        yield Finding(name, level, "tmux is not installed", ground.at("sessions"), remedy)
        return
    try:
        version = kernel.tmux_version(program)
    except (OSError, TimeoutError) as error:
        yield Finding(name, "unknown", f"{program} cannot be run: {clean(str(error))}")
        return
    yield _version(version, program)
    for socket in watched:
        yield _server(ground, socket)


def _version(version: str, program: str) -> Finding:
    digits = version.removeprefix("next-").split(".")
    try:
        number = int(digits[0]), int("".join(c for c in digits[1] if c.isdigit()))
    except (ValueError, IndexError):
        return Finding("tmux", "ok", f"tmux {clean(version)}", program)
    if number < OLDEST:
        return Finding(
            "tmux",
            "critical",
            f"tmux {version} is too old: its answers are not relied on",
            program,
            f"install tmux {OLDEST[0]}.{OLDEST[1]} or newer",
        )
    return Finding("tmux", "ok", f"tmux {version}", program)


def _server(ground: Ground, socket: str) -> Finding:
    where = str(tmux_sockets.path_of(socket))
    try:
        panes = ground.tmux.panes(socket)
    except TmuxAbsentError as error:
        return Finding("tmux", "ok", clean(str(error.args[0])), where)
    except ProbeError as error:
        said = clean(str(error.args[0]))
        return Finding("tmux", "critical", said, where, error.remedy)
    names = {pane.session for pane in panes}
    said = f"a server answers on {tmux_sockets.shown(socket)}: {len(names)} session(s)"
    return Finding("tmux", "ok", said, where)
