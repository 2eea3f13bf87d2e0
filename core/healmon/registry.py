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
from healmon.world.system_processes import SystemProcesses
from healmon.world.system_shims import SystemShims
from healmon.world.taskdb import SystemTaskDatabases
from healmon.world.tmux import SystemTmux


@dataclass(frozen=True, slots=True)
class Parts:
    """What a healer may be built from."""

    settings: Settings
    state_dir: Path
    clock: Clock
    processes: Processes


REGISTRY: tuple[Callable[[Parts], Healer[Any]], ...] = (
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
    lambda p: DisksHealer(p.settings.disk, p.state_dir, SystemFiles(), p.clock),
)
"""In the order of the report."""


def build(settings: Settings, state_dir: Path, clock: Clock) -> list[Healer[Any]]:
    """Return all healers with the machine's real parts."""
    parts = Parts(settings, state_dir, clock, SystemProcesses())
    return [make(parts) for make in REGISTRY]
