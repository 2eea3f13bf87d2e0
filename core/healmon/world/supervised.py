"""Who the workers of healmon's are, by what it wrote down beside their output.

For whoever must know whether a process is healmon's to end, without looking after workers itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

import msgspec

from healmon.errors import ProbeError
from healmon.world import notes, shimrecords
from healmon.world.processes import Identity

STARTED: Final = "started.json"


class Supervised(Protocol):
    """Tells who healmon's workers are. Calls block for a moment."""

    def known(self) -> dict[str, tuple[Identity, ...]]:
        """Return each worker's processes and shims, of this run and of those before.

        What cannot be read is left out: then nobody belongs to that worker.
        """
        ...


class _Started(msgspec.Struct, frozen=True):
    """The part of a worker's newest record that says who it is, or was."""

    launched: Identity | None = None
    worker: Identity | None = None
    former: tuple[Identity, ...] = ()


class SystemSupervised:
    """The workers of one state directory.

    Args:
        folder: `workers` in it.
        names: the workers that are configured; the records of others count no more.
    """

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self._folders = {name: folder / notes.folder_name(name) for name in names}

    def known(self) -> dict[str, tuple[Identity, ...]]:
        """Return each worker's processes and shims, of this run and of those before."""
        found = {name: _identities(folder) for name, folder in self._folders.items()}
        return {name: identities for name, identities in found.items() if identities}


def _identities(folder: Path) -> tuple[Identity, ...]:
    found: set[Identity] = set()
    try:
        begun = shimrecords.begun(str(folder))
        if begun is not None:
            found |= {begun.shim, begun.worker}
        found |= {end.identity for end in shimrecords.ends(str(folder)) if end.main}
        data = notes.read_small(folder / STARTED)
        if data:
            started = msgspec.json.decode(data, type=_Started)
            found |= {started.worker, started.launched, *started.former} - {None}  # type: ignore[arg-type]
    except (ProbeError, msgspec.DecodeError):
        return ()
    return tuple(sorted(found, key=lambda one: (one.pid, one.ticks)))
