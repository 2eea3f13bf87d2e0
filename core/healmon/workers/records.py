"""What healmon writes down beside each worker's output: starts, ends, a person's wishes.

They are written before their outcome is known, so that a healmon that is killed in between finds
its way again. While the disk refuses them they live in memory, and healing goes on.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from healmon.clock import Reading
from healmon.errors import ProbeError
from healmon.workers.model import EndRecord, StartRecord, Wish
from healmon.world import notes
from healmon.world.processes import Identity
from healmon.world.shims import Shim

STARTED, ENDED, WANTED, OUTPUT = "started.json", "ended.json", "wanted.json", "output.log"
LOCK = "instance.lock"
"""What the shim holds, and whatever inherited its descriptor."""

FORMER_KEPT: Final = 16
"""Earlier processes of a worker that are remembered."""

_R = TypeVar("_R", StartRecord, EndRecord, Wish)


class Records:
    """The newest records of every worker; read once from disk, then kept in step with it.

    Args:
        folder: `workers` in the state directory.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cache: dict[tuple[str, str], StartRecord | EndRecord | Wish | None] = {}
        self._lock = threading.RLock()
        self._folders: dict[str, Path] = {}

    def folder(self, name: str) -> Path:
        """Return where everything of a worker is."""
        known = self._folders.get(name)
        if known is None:
            known = self._folders[name] = self._folder / notes.folder_name(name)
        return known

    def log_path(self, name: str) -> Path:
        """Return where the output of a worker goes."""
        return self.folder(name) / OUTPUT

    def lock_path(self, name: str) -> Path:
        """Return the instance lock of a worker."""
        return self.folder(name) / LOCK

    def start(self, name: str) -> StartRecord | None:
        """Return the newest attempt to start a worker."""
        return self._get(name, STARTED, StartRecord)

    def end(self, name: str) -> EndRecord | None:
        """Return how the newest process of a worker ended."""
        return self._get(name, ENDED, EndRecord)

    def wish(self, name: str) -> Wish | None:
        """Return what a person last wanted of a worker."""
        return self._get(name, WANTED, Wish)

    def put_start(self, name: str, record: StartRecord) -> None:
        """Keep the newest attempt; one that another has followed is over."""
        with self._lock:
            newest = self.start(name)
            if newest is None or newest.number <= record.number:
                self._put(name, STARTED, record)

    def taken_up(self, name: str, shim: Shim | None, now: Reading) -> StartRecord | None:
        """Return the newest attempt, be it one that a shim made by itself and that is new to us."""
        with self._lock:
            record = self.start(name)
            if shim is None or shim.former is None:
                return record
            if record is not None and record.number >= shim.number:
                return record
            record = _granted(shim, shim.former.identity, record, now)
            self.put_start(name, record)
            return record

    def put_end(self, name: str, record: EndRecord) -> None:
        """Keep the newest end."""
        self._put(name, ENDED, record)

    def put_wish(self, name: str, record: Wish) -> None:
        """Keep the newest wish; an act that goes on may come with one that another has followed."""
        with self._lock:
            newest = self.wish(name)
            if newest is None or newest.number <= record.number:
                self._put(name, WANTED, record)

    def _path(self, name: str, file: str) -> str:
        return f"{self.folder(name)}/{file}"

    def _get(self, name: str, file: str, kind: type[_R]) -> _R | None:
        if (name, file) not in self._cache:
            self._cache[name, file] = _read(self._path(name, file), kind)
        record = self._cache[name, file]
        return record if isinstance(record, kind) else None

    def _put(self, name: str, file: str, record: StartRecord | EndRecord | Wish) -> None:
        with self._lock:
            self._cache[name, file] = record
            try:
                notes.write_record(self._path(name, file), msgspec.json.encode(record))
            except OSError:
                return  # a full disk must not keep a worker down


def former_of(record: StartRecord | None) -> tuple[Identity, ...]:
    """Return who a worker was before, newest first, as far as it can have left something."""
    if record is None:
        return ()
    who = dict.fromkeys((record.worker, record.launched, record.old, *record.former))
    return tuple(identity for identity in who if identity is not None)[:FORMER_KEPT]


def _granted(shim: Shim, old: Identity, before: StartRecord | None, now: Reading) -> StartRecord:
    """Return the record of a start that a shim made by itself."""
    return StartRecord(
        number=shim.number,
        wall=shim.wall,
        steady=now.steady,
        launched=shim.worker,
        origin="healmon",
        phase="spawned",
        level="V1",
        old=old,
        former=former_of(before),
        log_offset=shim.log_offset,
        granted=True,
    )


def half_done(record: StartRecord | None) -> StartRecord | None:
    """Return the journal row of an act that was cut short, or gave up on what it was to end."""
    if record is None:
        return None
    gave_up = (record.outcome, record.fault) == ("failed", "stop")
    return record if record.outcome == "begun" or gave_up else None


def _read(path: str, kind: type[_R]) -> _R | None:
    try:
        data = notes.read_small(path)
        return msgspec.json.decode(data, type=kind) if data else None
    except (ProbeError, msgspec.DecodeError):
        return None  # cut short, or another version's: the worker is found by its arguments
