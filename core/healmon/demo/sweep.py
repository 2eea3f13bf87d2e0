"""Takes away what a demo left behind when it was killed.

Everything here needs proof: a directory is touched only when it is ours, closed to others, holds
a manifest that names this very directory, and its owner is dead. Anything else is left alone.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from healmon.demo import manifest as marker
from healmon.demo import owned
from healmon.demo.layout import PREFIX, Layout
from healmon.text import clean
from healmon.world.processes import Identity, Processes
from healmon.world.system_processes import SystemProcesses

ROUNDS = 5
"""How often to look again for processes that appeared while others were ended."""


def sweep(temp_dir: Path | None = None) -> list[str]:
    """Remove demos whose owner is dead: their processes, tmux servers and directories.

    Args:
        temp_dir: where demos are made; default: the system's temp directory.

    Returns:
        One line for people per demo that was found abandoned; empty when all was clean.
    """
    place = Path(tempfile.gettempdir() if temp_dir is None else temp_dir).resolve()
    try:
        entries = sorted(p for p in place.iterdir() if p.name.startswith(PREFIX))
    except OSError:
        return []
    processes = SystemProcesses()
    return [line for entry in entries if (line := _sweep_one(processes, entry))]


def _sweep_one(processes: Processes, root: Path) -> str:
    manifest = marker.read(root)
    if manifest is None or not marker.abandoned(processes, manifest):
        return ""
    recorded = [started.identity for started in manifest.started]
    return remove(processes, Layout(root), manifest.python, recorded)


def remove(processes: Processes, layout: Layout, python: str, recorded: list[Identity]) -> str:
    """End every process of a demo and remove its directory; return what was done.

    A directory whose processes cannot all be ended stays for the next sweep.
    """
    ended, targets = 0, recorded
    for _ in range(ROUNDS):
        alive = [who for who in targets if owned.alive(processes, who)]
        left = owned.end(processes, alive)
        ended += len(alive) - len(left)
        targets = left or owned.strays(processes, layout, python)
        if left or not targets:
            break
    name = clean(str(layout.root))
    if targets:
        pids = ", ".join(str(who.pid) for who in targets)
        return f"left {name}: pid {pids} could not be ended"
    shutil.rmtree(layout.root, ignore_errors=True)
    if layout.root.exists():
        return f"left {name}: it could not be removed"
    return f"removed {name}, {ended} of its processes ended"
