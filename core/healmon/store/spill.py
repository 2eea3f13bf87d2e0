"""What waits in memory, kept beside a store that cannot be written, until the next start.

Its room is taken while there is plenty and never given back: what is written there on a full disk
stands in blocks that the file has already. Two slots are written in turn, so that a kill in between
leaves the one before. Where even that fails (a disk that has become read-only), it goes to the
user's runtime directory. Events have ids: what was written after all is not written again.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from healmon import events as ev
from healmon.state import Snapshot
from healmon.store.asides import free_name
from healmon.store.ballast import ROOM
from healmon.store.buffer import SAMPLES, Checkpoint, Item
from healmon.store.stream import decode_snapshot, encode_snapshot

SLOT: Final = 512 << 10
_HEAD: Final = struct.Struct(">8sQII")
_MAGIC: Final = b"hmspill1"
_FLAGS: Final = os.O_NOFOLLOW | os.O_CLOEXEC


class _Body(msgspec.Struct):
    epoch: str
    snapshot: str
    events: list[tuple[int, float, int | None, str]]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Spilled:
    """What was kept.

    Attributes:
        epoch: of the store that it is for; empty: that had never been opened.
        snapshot: newest of all, if there was one.
        records: in order.
        left_out: events that there was no room for; the snapshot knows of them.
    """

    epoch: str
    snapshot: Snapshot | None
    records: list[ev.Recorded]
    left_out: int


class Spill:
    """One file with two slots.

    Args:
        folder: the state directory.
    """

    def __init__(self, folder: Path) -> None:
        self._places = (folder / "healmon.reserve", *_elsewhere(folder))
        self._serial = 0
        self.holds = False

    def load(self) -> None:
        """Reserve the room if there is plenty."""
        path = self._places[0]
        with contextlib.suppress(OSError):
            if path.exists() and path.stat().st_size >= 2 * SLOT:
                return
            free = os.statvfs(path.parent)
            if free.f_bavail * free.f_frsize >= ROOM:
                with _opened(path, os.O_RDWR | os.O_CREAT) as fd:
                    os.posix_fallocate(fd, 0, 2 * SLOT)

    def write(self, epoch: str, items: Iterable[Item]) -> Path | None:
        """Keep what waits instead of what was kept before; return where, None: nowhere."""
        body = _packed(epoch, list(items))
        if not body:
            return None
        self._serial += 1
        head = _HEAD.pack(_MAGIC, self._serial, len(body), zlib.crc32(body))
        for path in self._places:
            with contextlib.suppress(OSError):
                with _opened(path, os.O_RDWR | os.O_CREAT) as fd:
                    _put(fd, head + body, (self._serial % 2) * SLOT)
                self.holds = True
                return path
        return None

    def read(self) -> Spilled | None:
        """Return what was kept and is whole; None: nothing."""
        found = [slot for path in self._places for slot in _slots(path)]
        if not found:
            return None
        self._serial, body = max(found)
        try:
            kept = msgspec.json.decode(zlib.decompress(body), type=_Body)
            snapshot = decode_snapshot(kept.snapshot) if kept.snapshot else None
            records = [
                ev.Recorded(number, wall, ev.decode(text), cause)
                for number, wall, cause, text in kept.events
            ]
        except (zlib.error, msgspec.DecodeError, ValueError):
            return None
        self.holds = True
        return Spilled(kept.epoch, snapshot, records, kept.left_out)

    def set_aside(self, at: str) -> str:
        """Rename what was kept for another store; return what it is called now.

        Where it cannot be renamed it keeps its name and says so; who opens the store goes on.

        Args:
            at: the time now, as the store writes it.
        """
        told = ""
        for path in self._places:
            if any(True for _ in _slots(path)):
                told = path.name
                with contextlib.suppress(OSError):
                    told = path.rename(free_name(path, "other", at)).name
        self.holds = False
        return told

    def clear(self) -> None:
        """Forget what was kept: the store has it."""
        for path in self._places:
            with contextlib.suppress(OSError), _opened(path, os.O_RDWR) as fd:
                for slot in range(2):
                    _put(fd, bytes(_HEAD.size), slot * SLOT)
        self.holds = False


def _packed(epoch: str, items: list[Item]) -> bytes:
    """Return what fits, samples going first, then old decisions, the snapshot last; or nothing."""
    snapshots = [item.snapshot for item in items if isinstance(item, Checkpoint)]
    text = encode_snapshot(snapshots[-1]) if snapshots else ""
    records = [item for item in items if isinstance(item, ev.Recorded)]
    decisions = [record for record in records if not isinstance(record.event, SAMPLES)]
    few = decisions[len(decisions) * 3 // 4 :]
    for known, kept in (
        (text, records), (text, decisions), (text, few), (text, []), ("", decisions), ("", few)
    ):  # fmt: skip
        rows = [(r.id, r.wall, r.cause, ev.encode(r.event)) for r in kept]
        whole = _Body(epoch, known, rows, len(records) - len(kept))
        body = zlib.compress(msgspec.json.encode(whole), 3)
        if len(body) <= SLOT - _HEAD.size:
            return body
    return b""


def _slots(path: Path) -> Generator[tuple[int, bytes], None, None]:
    """Pass over the slots that are whole, with their serial numbers."""
    with contextlib.suppress(OSError), _opened(path, os.O_RDONLY) as fd:
        if os.fstat(fd).st_uid != os.geteuid():
            return
        for slot in range(2):
            head = os.pread(fd, _HEAD.size, slot * SLOT)
            if len(head) < _HEAD.size:
                return
            magic, serial, length, check = _HEAD.unpack(head)
            if magic != _MAGIC or length > SLOT:
                continue
            body = os.pread(fd, length, slot * SLOT + _HEAD.size)
            if zlib.crc32(body) == check:
                yield serial, body


def _put(fd: int, data: bytes, offset: int) -> None:
    while data:
        done = os.pwrite(fd, data, offset)
        data, offset = data[done:], offset + done
    os.fsync(fd)


def _elsewhere(folder: Path) -> list[Path]:
    """Return where it goes when the state directory takes nothing: private, and not on the disk."""
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}")
    name = f"healmon-{zlib.crc32(os.fsencode(folder.absolute())):08x}.spill"
    return [place / name for place in (runtime, Path("/run")) if os.access(place, os.W_OK)][:1]


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Generator[int, None, None]:
    fd = os.open(path, flags | _FLAGS, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)
