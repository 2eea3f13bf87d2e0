"""One web server for each state directory, by the kernel's lock that healers use, one folder below.

Whoever is started by hand keeps it. One that a killed healer left goes on alone, and makes way for
the one of the next healer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from healmon import __version__
from healmon.errors import HolderError
from healmon.service import instance, statedir
from healmon.service.instance import Holder, Lock
from healmon.web.tokens import FOLDER
from healmon.world.processes import Identity
from healmon.world.system_processes import SystemProcesses

BY_HAND: Final = "serve"
CHILD: Final = "web"
"""The mode of one that a healer started."""
LEAVE: Final = 5.0
"""Seconds in which one that makes way must be gone."""
SIGTERM: Final = 15


def take(state_dir: Path, mode: str) -> Lock:
    """Take the right to serve a state directory; whoever is to make way is asked to.

    Raises:
        HolderError: somebody else has it and keeps it.
        StateDirError: the folder cannot be made.
    """
    folder = statedir.prepare(state_dir / FOLDER)
    try:
        return Lock.acquire(folder, version=__version__, mode=mode)
    except HolderError:
        found = instance.holder(folder)
        if mode != CHILD or found is None or found.mode != CHILD:
            raise _kept(found) from None
    make_way(state_dir)
    try:
        return Lock.acquire(folder, version=__version__, mode=mode)
    except HolderError:
        raise _kept(instance.holder(folder)) from None


def make_way(state_dir: Path) -> Holder | None:
    """End the server that a healer started, if there is one; returns which it was."""
    folder = state_dir / FOLDER
    found = instance.holder(folder) if folder.is_dir() else None
    if found is None or found.mode != CHILD or not found.ticks:
        return None
    SystemProcesses().signal(Identity(found.boot_id, found.pid, found.ticks), SIGTERM)
    instance.wait_released(folder, LEAVE)
    return found


def _kept(found: Holder | None) -> HolderError:
    who = "another web server" if found is None or not found.pid else f"pid {found.pid}"
    own = found is not None and found.mode == CHILD
    said = "the healer's own web server" if own else "healmon serve"
    return HolderError(
        f"this state directory is served already by {who} ({said})",
        remedy="use that one, or end it first" if not own else "use that one: healmon web-token",
    )
