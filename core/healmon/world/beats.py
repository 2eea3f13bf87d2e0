"""Heartbeats of tasks: `healmon beat` leaves a small file for each, whoever runs or does not.

    STATE_DIR/beats/HASH.json    one for each attempt, 0600, replaced as a whole

The name is a hash, so that no id, however hostile, is a path. A beat belongs to the attempt whose
token it has: a worker that was given up on neither keeps the next one's task alive nor hides its
beats.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from healmon.errors import StateDirError
from healmon.text import clean
from healmon.world.taskwords import Task

FOLDER: Final = "beats"
"""Where the state directory has them."""
KEEP: Final = 2 * 86400.0
"""Seconds after which a beat is removed; no session may be quiet for longer."""
MOST: Final = 5000
"""Beats that are kept at most; the oldest go first."""
LIMIT: Final = 1 << 16
"""Bytes of one file at most."""
NOTE: Final = 500
"""Characters of a note that are kept at most."""


class Beat(msgspec.Struct, frozen=True):
    """A sign of life that somebody gave for a task.

    Attributes:
        source: name of the source of tasks.
        id: of the task, as text.
        at: wall seconds.
        token: of the attempt; empty: it could not be told, then it counts for any begun before.
        note: what it says, for people.
    """

    source: str
    id: str
    at: float
    token: str = ""
    note: str = ""


def with_beats(tasks: Sequence[Task], beats: Sequence[Beat]) -> tuple[Task, ...]:
    """Return the tasks with their newest heartbeat, of the table or of `beats`."""
    by_task: dict[tuple[str, str], list[Beat]] = {}
    for beat in beats:
        by_task.setdefault((beat.source, beat.id), []).append(beat)
    return tuple(_with_newest(task, by_task.get((task.source, str(task.id)), ())) for task in tasks)


def _with_newest(task: Task, beats: Sequence[Beat]) -> Task:
    own = [beat for beat in beats if belongs(beat, task)]
    newest = max(own, key=lambda beat: beat.at, default=None)
    if newest is None or (task.beat_at is not None and task.beat_at >= newest.at):
        return task
    return replace(task, beat_at=newest.at, beat_note=newest.note)


def belongs(beat: Beat, task: Task) -> bool:
    """Return whether a beat is of this attempt at a task."""
    if beat.token and task.token:
        return beat.token == task.token
    return task.assigned_at is None or beat.at >= task.assigned_at


class BeatFiles:
    """The heartbeats below a state directory.

    Args:
        state_dir: as `service.statedir.prepare` returned it, or one that may not be there yet.
    """

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / FOLDER

    def note(self, beat: Beat) -> None:
        """Keep a beat in the place of the one before; remove the oldest where there are many.

        Raises:
            StateDirError: it cannot be written.
        """
        kept = replace(beat, note=clean(beat.note, limit=NOTE))
        name = f"{_key(beat)}.json"
        draft = self._folder / f".{name}.{os.getpid()}"
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            # ASCII: an id may hold what is no UTF-8
            _write(draft, json.dumps(msgspec.structs.asdict(kept)).encode())
            draft.replace(self._folder / name)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise StateDirError(
                f"the heartbeat cannot be kept in {clean(str(self._folder))}: {clean(str(error))}",
                remedy="check that it belongs to you, and that its disk is not full",
            ) from error
        self.sweep(beat.at)

    def all(self) -> tuple[Beat, ...]:
        """Return all beats that can be read, in no order; what is no beat is passed over."""
        found = (_read(path) for path, _ in self._files())
        return tuple(beat for beat in found if beat is not None)

    def sweep(self, now: float) -> None:
        """Remove beats of long ago, drafts that nobody finished, and the oldest above `MOST`."""
        files = sorted(self._files(drafts=True), key=lambda one: -one[1])
        old = [path for index, (path, at) in enumerate(files) if index >= MOST or now - at > KEEP]
        for path in old:
            with contextlib.suppress(OSError):
                path.unlink()

    def _files(self, *, drafts: bool = False) -> Iterator[tuple[Path, float]]:
        """Return the files and when each was written (wall seconds)."""
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    known = entry.name.endswith(".json") or (drafts and entry.name.startswith("."))
                    with contextlib.suppress(OSError):
                        if known and entry.is_file(follow_symlinks=False):
                            yield Path(entry.path), entry.stat(follow_symlinks=False).st_mtime
        except OSError:
            return


def _key(beat: Beat) -> str:
    whole = json.dumps([beat.source, beat.token, beat.id])
    return hashlib.sha256(whole.encode()).hexdigest()[:32]


def _write(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(path, flags, 0o600)
    try:
        if len(data) > LIMIT or os.write(fd, data) != len(data):
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    finally:
        os.close(fd)


def _read(path: Path) -> Beat | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
                return None
            data = os.read(fd, LIMIT)
        finally:
            os.close(fd)
        return msgspec.convert(json.loads(data), Beat)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None
