"""Small files of others where nobody may ever answer: asked with a patience that has an end.

What lies on a mount that another host or program answers for is asked on a thread of its own. One
that does not answer is one thread that waits for ever, for all files of that mount: nobody else is
asked there until it has its answer. Everything near is asked as ever.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from healmon.clock import process_seconds
from healmon.errors import ProbeError
from healmon.text import clean
from healmon.world import notes
from healmon.world.farmounts import Changes, Mounts, mounts

T = TypeVar("T")

PATIENCE: Final = 0.5
"""Seconds that a far file may take to answer."""
TABLE_HOLDS: Final = 10.0
"""Seconds after which the table of mounts is read again in any case, and links followed anew."""
LINKS: Final = 40
"""Symbolic links on one way, as many as the kernel follows."""


class _Asked:
    """One question to a far mount."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.over = threading.Event()
        self.result: object = None
        self.error: BaseException | None = None
        self._call = call
        threading.Thread(target=self._run, name="far file", daemon=True).start()

    def _run(self) -> None:
        try:
            self.result = self._call()
        except BaseException as error:  # noqa: BLE001 - handed to whoever asked
            self.error = error
        self.over.set()


class FarFiles:
    """Asks far files, each mount by one thread at a time; safe from any thread.

    Args:
        table: reads the mounts.
        changed: whether they are others than when it was asked last.
    """

    def __init__(
        self, table: Callable[[], Mounts] = mounts, changed: Callable[[], bool] | None = None
    ) -> None:
        self._read = table
        self._changed = Changes().any if changed is None else changed
        self._lock = threading.Lock()
        self._table = Mounts(())
        self._table_at = float("-inf")
        self._mounts: dict[str, int | None] = {}
        self._asked: dict[int, _Asked] = {}

    def ask(self, path: str, call: Callable[[], T]) -> T:
        """Return what a call about a file returns.

        Raises:
            ProbeError: the mount that it lies on does not answer.
        """
        device = self.far(path)
        if device is None:
            return call()
        with self._lock:
            known = self._asked.get(device)
            if known is not None and not known.over.is_set():
                raise _silent(path)
            asked = self._asked[device] = _Asked(call)
        if not asked.over.wait(PATIENCE):
            raise _silent(path)
        with self._lock:
            if self._asked.get(device) is asked:
                del self._asked[device]
        if asked.error is not None:
            raise asked.error
        return asked.result  # type: ignore[return-value]  # pyright: ignore[reportReturnType] - the call's

    def far(self, path: str) -> int | None:
        """Return the device of the far mount that a path leads to; None: to a near one."""
        with self._lock:
            now = process_seconds()
            # one that has just been mounted may be dead already
            if self._changed() or now - self._table_at > TABLE_HOLDS:
                self._table, self._table_at = self._read(), now
                self._mounts.clear()
            if path not in self._mounts:
                self._mounts[path] = far_through(path, self._table)
            return self._mounts[path]


def far_through(path: str, table: Mounts) -> int | None:
    """Return the device of the far mount that a path leads to, symbolic links followed; else None.

    No far mount is touched on the way.
    """
    rest, place, links = path.split("/"), "", 0
    while rest and table.any:
        part = rest.pop(0)
        if part in {"", "."}:
            continue
        if part == "..":
            place = place.rpartition("/")[0]
            continue
        place = f"{place}/{part}"
        if (device := table.far(place)) is not None:
            return device
        try:
            leads = str(Path(place).readlink())
        except OSError:
            continue  # no link, or nothing there
        links += 1
        if links > LINKS:
            break
        place = "" if leads.startswith("/") else place.rpartition("/")[0]
        rest = [*leads.split("/"), *rest]
    return None


def _silent(path: str) -> ProbeError:
    return ProbeError(f"{clean(path)}: its mount does not answer")


_FILES: Final = FarFiles()


def far(path: str) -> int | None:
    """Return the device of the far mount that a path leads to, which is not asked; else None."""
    return _FILES.far(path)


def changed_at(path: str) -> float | None:
    """Return when a file was last written, in wall seconds; None when there is no such file.

    Raises:
        ProbeError: it cannot be told.
    """
    return _FILES.ask(path, partial(notes.changed_at, path))


def read_pid(path: str) -> int | None:
    """Return the number that a pid file begins with; None when there is none.

    Raises:
        ProbeError: the file is there and cannot be read.
    """
    return _FILES.ask(path, partial(notes.read_pid, path))


def answers(path: str) -> None:
    """Return when whatever a path lies on answers; whether there is such a file is no matter.

    Raises:
        ProbeError: it does not.
    """
    _FILES.ask(path, partial(_touch, path))


def _touch(path: str) -> None:
    with suppress(OSError, ValueError):
        Path(path).stat()
