"""The one place where real parts are put together.

A new healer is one new folder and one new line in `REGISTRY`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from healmon.clock import Clock
from healmon.config.settings import Settings
from healmon.databases.equipment import Equipment as DatabasesEquipment
from healmon.databases.healer import DatabasesHealer
from healmon.disks.healer import DisksHealer
from healmon.healer import Healer
from healmon.sessions.healer import SessionsHealer
from healmon.sessions.packs.user import packs_of
from healmon.state import Snapshot
from healmon.workers.equipment import Equipment
from healmon.workers.healer import WorkersHealer
from healmon.world.beats import BeatFiles
from healmon.world.evidencefiles import SystemEvidenceFiles
from healmon.world.files import SystemFiles
from healmon.world.host import SystemHost
from healmon.world.mending import SystemMender
from healmon.world.processes import Processes
from healmon.world.sqlite import SystemLocks
from healmon.world.supervised import SystemSupervised
from healmon.world.system_ports import SystemPorts
from healmon.world.system_shims import SystemShims
from healmon.world.taskdb import SystemTaskDatabases
from healmon.world.tmux import SystemTmux

HOST_LIMITS = (
    "check_interval", "starts_in_flight", "start_spacing", "starts_per_minute", "storm_failures",
    "storm_window",
)  # fmt: skip
"""Keys of `[monitor]` that the workers' healer goes by."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a healer may be built from: the real parts of the machine, and what is known."""

    settings: Settings
    state_dir: Path
    clock: Clock
    processes: Processes
    known: Snapshot | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One healer: how it is made, and of what in the settings.

    Attributes:
        files: of what other files, empty: none; they may have changed where no setting has.
    """

    make: Callable[[Parts], Healer[Any]]
    reads: Callable[[Settings], object]
    files: Callable[[Settings], str] = lambda _: ""


REGISTRY: tuple[Entry, ...] = (
    Entry(
        lambda p: WorkersHealer(
            p.settings.workers,
            p.state_dir / "workers",
            p.processes,
            p.clock,
            equipment=Equipment(
                shims=SystemShims(),
                ports=SystemPorts(),
                host=SystemHost(),
                glance=0.2,
                pulse=True,
            ),
            limits=p.settings.monitor,
        ),
        lambda s: (s.workers, *(getattr(s.monitor, name) for name in HOST_LIMITS)),
    ),
    Entry(
        lambda p: SessionsHealer(
            p.settings.sessions,
            p.settings.tasks,
            SystemTmux(),
            SystemTaskDatabases(beats=BeatFiles(p.state_dir).all),
            p.processes,
            p.clock,
            SystemEvidenceFiles(p.state_dir / "evidence"),
            packs_of(p.settings.sessions.packs),
        ),
        lambda s: (s.sessions, s.tasks),
        lambda s: s.sessions.packs,
    ),
    Entry(
        lambda p: DatabasesHealer(
            p.settings.databases,
            SystemLocks(),
            p.processes,
            p.clock,
            equipment=DatabasesEquipment(
                mender=SystemMender(p.state_dir / "databases"),
                supervised=SystemSupervised(
                    p.state_dir / "workers", (worker.name for worker in p.settings.workers)
                ),
                tmux=SystemTmux(),
                sockets=p.settings.sessions.sockets,
            ),
        ),
        lambda s: (s.databases, s.sessions.sockets, [worker.name for worker in s.workers]),
    ),
    Entry(
        lambda p: DisksHealer(p.settings.disk, p.state_dir, SystemFiles(), p.clock, known=p.known),
        lambda s: s.disk,
    ),
)
"""In the order of the report."""


def build(parts: Parts) -> list[Healer[Any]]:
    """Return all healers."""
    return [entry.make(parts) for entry in REGISTRY]


def rebuild(parts: Parts, before: Settings) -> dict[str, Healer[Any]]:
    """Return new healers, by name, in the place of those that would not be made the same now."""
    after = parts.settings
    made = [e.make(parts) for e in REGISTRY if e.files(after) or e.reads(after) != e.reads(before)]
    return {healer.name: healer for healer in made}
