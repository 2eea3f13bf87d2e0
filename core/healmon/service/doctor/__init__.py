"""The ground healmon stands on, checked without touching it."""

from __future__ import annotations

from typing import Final

from healmon.service.doctor import home, machine, reality, rivals, workers
from healmon.service.doctor.model import Checked

CHECKS: Final = (
    Checked("python", machine.software),
    Checked("proc", machine.processes),
    Checked("clock", machine.clock),
    Checked("tmux", machine.tmux),
    Checked("healer", home.holder),
    Checked("state-dir", home.state_directory),
    Checked("store", home.store),
    Checked("leftovers", home.leftovers),
    Checked("workers", workers.workers),
    Checked("tasks", reality.sources),
    Checked("databases", reality.databases),
    Checked("disk", reality.disks),
    Checked("packs", reality.packs),
    Checked("notify", reality.notices),
    Checked("faces", reality.faces),
    Checked("secrets", reality.secrets),
    Checked("rivals", rivals.rivals),
    Checked("rivals", rivals.unseen),
)
"""In the order of the report."""
