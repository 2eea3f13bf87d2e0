"""On which file systems a worker writes."""

from __future__ import annotations

from pathlib import Path

from healmon.config.settings import Worker


def devices_of(worker: Worker, log: Path) -> tuple[int, ...]:
    """Return the numbers (st_dev) of the file systems of its log, working directory and files."""
    files = (worker.pid_file, worker.heartbeat_file)
    places = [log, *(Path(name) for name in (worker.cwd, *files) if name)]
    return tuple(sorted({found for place in places if (found := _device(place))}))


def _device(place: Path) -> int:
    """Return where a file is, or will be; 0 where that cannot be told."""
    for path in (place, *place.parents):
        try:
            return path.stat().st_dev
        except FileNotFoundError:
            continue
        except OSError:
            return 0
    return 0
