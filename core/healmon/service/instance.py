"""One healer per state directory: a kernel lock, held for life. Standard library only.

Two locks are taken, and both go with the last descriptor of the process, however it ends:

* an open-file-description lock on `healmon.lock`. Unlike a plain POSIX lock it does not vanish when
  some other descriptor of the file is closed, it passes to a forked child, and `F_OFD_GETLK` tells
  whether it is held without ever taking it. Trying to take it just to see would, for that moment,
  turn away a healer that really starts.
* `flock` on the directory itself, so that a lock file removed by hand does not let a second healer
  in. Whether that one is held stands in `/proc/locks`, the only place that tells without trying.

The text in the file is for people and for `--stop`; it says who wrote it last, not who holds the
lock. A file left over blocks nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import struct
from pathlib import Path

from healmon.errors import HolderError, StateDirError
from healmon.named import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from typing import Any, Final

NAME: Final = "healmon.lock"

ERRANDS: Final = {"now": "does one override (--now)", "import": "imports history"}
"""Modes of those who hold a state directory for one thing and heal nothing else, in words."""
PASSING: Final = frozenset({*ERRANDS, "once"})
"""Modes of those who let go of it by themselves in a while."""

_FLOCK: Final = struct.Struct("hhqqi4x")
"""struct flock of 64-bit Linux: type, whence, start, length, pid (0 for these locks)."""
_TEXT_LIMIT: Final = 4096
_SETTLE: Final = 0.5
"""Seconds that a new holder may need from taking the lock to writing who it is."""
_LEFT: Final = 2.0
"""Seconds for which a child that a dead holder had just forked may keep its descriptors."""
_POLL: Final = 0.02


class Holder(NamedTuple):
    """Who holds a state directory.

    Attributes:
        pid: 0 when the lock is held but nothing readable says by whom.
        ticks: start of the process in clock ticks since boot (proc(5), field 22).
        boot_id: the boot in which that counts.
        version: of its healmon.
        mode: `tui`, `daemon`, `no-ui`, `once`; or an errand's.
        started: UTC, as in the store.
    """

    pid: int = 0
    ticks: int = 0
    boot_id: str = ""
    version: str = ""
    mode: str = ""
    started: str = ""

    @property
    def errand(self) -> str:
        """What it holds the directory for, in words; empty: it is a healer."""
        return ERRANDS.get(self.mode, "")

    def __str__(self) -> str:
        """Return it as a person would say it."""
        if not self.pid:
            return "another healer"
        if not self.ticks:
            return f"pid {self.pid}"
        return f"pid {self.pid} ({self.mode}, version {self.version}) since {self.started} UTC"


class Lock:
    """The right to heal on a state directory. Make it with `acquire`."""

    def __init__(self, path: Path, file: int, directory: int, holder: Holder) -> None:
        self._path, self._file, self._directory = path, file, directory
        self.holder = holder

    @classmethod
    def acquire(cls, state_dir: Path, *, version: str, mode: str, started: str = "") -> Lock:
        """Take the state directory, for as long as this process (or a forked child) lives.

        Args:
            state_dir: from `statedir.prepare`.
            version: of healmon.
            mode: `tui`, `daemon`, `no-ui`, `once`; or an errand's.
            started: UTC text for people; default: now.

        Raises:
            HolderError: another healer holds it; says who.
            StateDirError: the lock file cannot be made.
        """
        path = state_dir / NAME
        try:
            taken = _taken(state_dir) or _taken_from_the_dead(state_dir)
        except OSError as error:
            raise StateDirError(
                f"{path} cannot be made: {error.strerror}",
                remedy="check the state directory's permissions and its file system",
            ) from error
        if taken is None:
            raise _held_by_other(state_dir)
        lock = cls(path, *taken, _ourselves(version, mode, started or _now()))
        lock._write()
        return lock

    def adopt(self, mode: str = "") -> None:
        """Say in the file that this process holds the lock now: for a forked child that goes on.

        The parent calls `forget`.
        """
        held = self.holder
        self.holder = _ourselves(held.version, mode or held.mode, held.started)
        self._write()

    def mend(self) -> bool:
        """Make the lock file anew if somebody removed it, or emptied it; True when that was done.

        Without it nobody could see who heals here, nor stop it; a second healer was kept out all
        the same. Where it cannot be made now (a full disk, as perhaps when we began, no state
        directory any more), nothing is changed.
        """
        try:
            with contextlib.suppress(FileNotFoundError):
                there, held = self._path.stat(), os.fstat(self._file)
                if (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino):
                    return not self._written() and self._write()
            file = _open_locked(self._path)
        except OSError:
            return False
        if file is None:
            return False
        os.close(self._file)
        self._file = file
        self._write()
        return True

    def _written(self) -> bool:
        return os.pread(self._file, _TEXT_LIMIT, 0) == self._text()

    def forget(self) -> None:
        """Close our descriptors only: a forked child goes on holding the lock."""
        for fd in (self._file, self._directory):
            if fd >= 0:
                os.close(fd)
        self._file = self._directory = -1

    def release(self) -> None:
        """Give the state directory back, also when forked copies of the descriptors exist.

        In a process that only inherited the lock and did not `adopt` it, nothing is given back.
        """
        if self._file >= 0 and self.holder.pid == os.getpid():
            fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_UNLCK, 0, 0, 0, 0))
            fcntl.flock(self._directory, fcntl.LOCK_UN)
        self.forget()

    def _text(self) -> bytes:
        return json.dumps(self.holder._asdict(), indent=1).encode() + b"\n"

    def _write(self) -> bool:
        # in place: a new file by the same name would carry no lock
        text = self._text()
        with contextlib.suppress(OSError):  # a full disk: the lock holds, only its text is old
            os.pwrite(self._file, text, 0)
            os.ftruncate(self._file, len(text))
            return True
        return False


def holder(state_dir: Path) -> Holder | None:
    """Return who holds the state directory at this moment; None when nobody does.

    Takes no lock, so it can never turn away a healer that starts meanwhile.
    """
    path = state_dir / NAME
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return _directory_holder(state_dir)
    try:
        if not _is_locked(fd):
            return _directory_holder(state_dir)
        found = _read_text(fd)
        if found.pid and lives(found):
            return found
        # a holder that could not write (a full disk): the text is another's, who has ended
        ticks = _start_ticks((there := _directory_holder(state_dir) or Holder()).pid)
        if ticks and ticks == found.ticks:
            return found._replace(pid=there.pid)  # its number is another one in a container
        return there if ticks else found
    finally:
        os.close(fd)


def stands_still(found: Holder) -> bool:
    """Return whether the process of a holder is stopped by a signal, or held by a debugger."""
    return bool(found.pid) and lives(found) and _stat(found.pid)[:1] in (["T"], ["t"])


def lives(found: Holder) -> bool:
    """Return whether a holder's process lives, or that is not known."""
    return not found.ticks or _start_ticks(found.pid) == found.ticks


def names_a_stranger(found: Holder, state_dir: Path) -> bool:
    """Return whether the process of a holder is not the state directory's owner's, as a healer is.

    The text is written by that owner, who may name there whom root is to end for him.
    """
    try:
        text = Path(f"/proc/{found.pid}/status").read_text("ascii", "replace")
        uid = int(text.partition("\nUid:")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return False  # it has ended
    return lives(found) and uid != state_dir.stat().st_uid


def proven(found: Holder, state_dir: Path) -> Holder:
    """Return a holder whose text is lost with its start, if its open files show that it holds."""
    ticks, there = _start_ticks(found.pid), _place(state_dir)
    with contextlib.suppress(OSError):
        for file in Path(f"/proc/{found.pid}/fdinfo").iterdir():
            # lock: 1: FLOCK  ADVISORY  WRITE 4711 fe:00:131 0 EOF
            text = file.read_text("ascii", "replace")
            if any({"FLOCK", there} <= {*row.split()} for row in text.splitlines()):
                return found._replace(ticks=ticks, boot_id=_boot_id())
    return found


def wait_released(state_dir: Path, seconds: float) -> bool:
    """Wait until nobody holds the state directory; False when `seconds` passed first."""
    pause = _pause()
    for _ in range(max(1, round(seconds / _POLL))):
        if holder(state_dir) is None:
            return True
        pause.wait(_POLL)
    return holder(state_dir) is None


def _taken(state_dir: Path) -> tuple[int, int] | None:
    """Return locked descriptors of the lock file and the directory; None when another has one."""
    with contextlib.ExitStack() as undo:
        directory = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        undo.callback(os.close, directory)
        file = _open_locked(state_dir / NAME) if _take_directory(directory) else None
        if file is None:
            return None
        undo.pop_all()
    return file, directory


def _taken_from_the_dead(state_dir: Path) -> tuple[int, int] | None:
    """Return the same once the last child of a holder that was killed has let go.

    A child between its fork and its exec has the descriptors of its parent.
    """
    pause = _pause()
    for _ in range(round(_LEFT / _POLL)):
        found = holder(state_dir)
        if found is not None and (not found.ticks or lives(found)):
            return None
        taken = _taken(state_dir)
        if taken is not None:
            return taken
        pause.wait(_POLL)
    return None


def _open_locked(path: Path) -> int | None:
    """Return a locked descriptor of the file that bears the name; None when another has it."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, 0, 0, 0, 0))
        except (BlockingIOError, PermissionError):
            os.close(fd)
            return None
        except OSError:
            os.close(fd)
            raise
        with contextlib.suppress(FileNotFoundError):
            there, ours = path.stat(), os.fstat(fd)
            if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
                return fd
        os.close(fd)  # removed between open and lock: what we locked bears no name


def _take_directory(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_locked(fd: int) -> bool:
    wanted = _FLOCK.pack(fcntl.F_WRLCK, 0, 0, 0, 0)
    found = _FLOCK.unpack(fcntl.fcntl(fd, fcntl.F_OFD_GETLK, wanted))
    return bool(found[0] != fcntl.F_UNLCK)


def _directory_holder(state_dir: Path) -> Holder | None:
    """Return the holder whose lock file was removed; its pid is all that is left of it."""
    try:
        place = _place(state_dir)
        rows = Path("/proc/locks").read_text("ascii").splitlines()
    except OSError:
        return None
    for row in rows:
        words = row.split()
        # 7: FLOCK  ADVISORY  WRITE 4711 fe:00:131 0 EOF
        if words[1:2] == ["FLOCK"] and words[5] == place:
            return Holder(pid=max(0, int(words[4])))
    return None


def _place(state_dir: Path) -> str:
    """Return a directory as /proc names what is locked."""
    found = state_dir.stat()
    return f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"


def _read_text(fd: int) -> Holder:
    try:
        text = os.pread(fd, _TEXT_LIMIT, 0).decode("utf-8", "replace")
        # a text being rewritten may have the tail of a longer one: the first object counts
        found: dict[str, Any] = json.JSONDecoder().raw_decode(text)[0]
        said = [str(found[name]) for name in ("boot_id", "version", "mode", "started")]
        return Holder(int(found["pid"]), int(found["ticks"]), *said)
    except (OSError, ValueError, LookupError, TypeError):
        return Holder()


def _held_by_other(state_dir: Path) -> HolderError:
    """Return the error that names the holder, once it has had time to write who it is."""
    pause = _pause()
    found = None
    for _ in range(round(_SETTLE / _POLL)):
        found = holder(state_dir)
        if found is not None and found.pid and not lives(found):
            found = None  # the text is still that of a healer before, who is not to blame
        if found is not None and found.ticks:
            break
        pause.wait(_POLL)
    return HolderError(
        f"{state_dir} is held by {found or 'another healer'}",
        remedy="attach to it with `healmon-tui`, or end it with `healmon stop`",
    )


def _pause() -> threading.Event:
    import threading  # noqa: PLC0415 - who looks once does not wait

    return threading.Event()


def _ourselves(version: str, mode: str, started: str) -> Holder:
    pid = os.getpid()
    return Holder(pid, _start_ticks(pid), _boot_id(), version, mode, started)


def _stat(pid: int) -> list[str]:
    """Return what proc(5) tells of a process, from field 3 on; nothing: it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return []
    # the name in parentheses may hold anything, parentheses and spaces too
    return text.rpartition(")")[2].split()


def _start_ticks(pid: int) -> int:
    try:
        return int(_stat(pid)[19])
    except (ValueError, IndexError):
        return 0


def _boot_id() -> str:
    from healmon.clock import boot_id  # noqa: PLC0415 - only who starts to heal needs the clock

    return boot_id()


def _now() -> str:
    from healmon.clock import SystemClock, format_utc  # noqa: PLC0415 - likewise

    return format_utc(SystemClock().read().wall)[:19]
