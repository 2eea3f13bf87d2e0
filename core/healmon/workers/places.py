"""On which file systems a worker writes, and what of it lies where nobody may ever answer."""

from __future__ import annotations

from pathlib import Path

from healmon.config.settings import Worker
from healmon.world import farfiles


def devices_of(worker: Worker, log: Path) -> tuple[int, ...]:
    """Return the numbers (st_dev) of the file systems of its log, working directory and files.

    Never hangs: of a mount that another host answers for, the kernel's table has the number.
    """
    files = (worker.pid_file, worker.heartbeat_file)
    places = [log, *(Path(name) for name in (worker.cwd, *files) if name)]
    return tuple(sorted({found for place in places if (found := _device(place))}))


def far(path: str) -> bool:
    """Return whether another host must answer for a path; it is not asked just to know more."""
    return farfiles.far(path) is not None


def _device(place: Path) -> int:
    """Return where a file is, or will be; 0 where that cannot be told."""
    if (device := farfiles.far(str(place))) is not None:
        return device
    for path in (place, *place.parents):
        try:
            return path.stat().st_dev
        except FileNotFoundError:
            continue
        except OSError:
            return 0
    return 0
