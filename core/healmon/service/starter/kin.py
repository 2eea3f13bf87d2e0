"""Which processes other healmons look after: two that heal the same one would fight over it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from healmon.errors import HealmonError
from healmon.service.statedir import DATABASE
from healmon.state import of_healer
from healmon.store import read, stream
from healmon.text import clean
from healmon.world import survey
from healmon.world.processes import ProcessFacts

LOCK: Final = "/healmon.lock"
HEALER: Final = "workers"


def looked_after(everyone: Iterable[ProcessFacts]) -> dict[int, str]:
    """Return pids of workers and by whom each is looked after; what cannot be read is left out.

    It is read in the stores of healers that run: one more reader changes nothing there.
    """
    found: dict[int, str] = {}
    for facts in everyone:
        # known by the lock that it holds, whatever it is called
        for lock in survey.open_paths(facts.identity):
            if lock.endswith(LOCK):
                home = lock.removesuffix(LOCK)
                who = f"pid {facts.identity.pid} on {clean(home)}"
                found |= dict.fromkeys(_workers(Path(home)), who)
    return found


def _workers(home: Path) -> set[int]:
    pids: set[int] = set()
    with suppress(HealmonError, OSError, ValueError):
        with closing(read.open_reader(home / DATABASE)) as conn:
            snapshot = stream.read_snapshot(conn)
        for view in of_healer(snapshot, HEALER).values():
            pid = view.facts.get("pid")
            if isinstance(pid, int):
                pids.add(pid)
    return pids
