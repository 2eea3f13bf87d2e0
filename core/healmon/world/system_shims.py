"""The machine's shims: started through the nursery, looked at by what they wrote and hold."""

from __future__ import annotations

import errno
import hashlib
import os
import select
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from posixpath import basename, dirname
from typing import Final

import msgspec
from msgspec.structs import replace

from healmon.clock import boot_id, process_seconds
from healmon.errors import ProbeError, SpawnError, VetoError
from healmon.text import clean
from healmon.world import instancelock, logtrim, notes, procfs, shimrecords
from healmon.world.apart import apart
from healmon.world.launching import UMASK, Ready, explained, prepare
from healmon.world.nurseryline import DEADLINE, NurseryLine, frame
from healmon.world.processes import DEAD, Identity
from healmon.world.shimrecords import Begun
from healmon.world.shims import Grant, Shim, ShimEnd, ShimOrder
from healmon.world.system_ports import SystemPorts

LEAVING: Final = 1.0
"""Seconds that a shim may take to be gone once its worker has ended."""
WRITING: Final = 0.2
"""Seconds that a shim may take to write down an end."""
_GLANCE: Final = 0.005
_SHIM: Final = b"healmon-shim"
"""What a shim calls itself."""
_What = tuple[str | int | Iterable[str | int], ...]
"""All of an order but its number and its patience, as `frame` takes it."""
_COMMAND_SHOWN: Final = 120
"""Characters of a command that are shown of who holds a lock."""


class SystemShims:
    """Everything healmon does with shims on this machine.

    Args:
        deadline: seconds that one start may take.
    """

    def __init__(self, deadline: float = DEADLINE) -> None:
        self._boot = boot_id()
        self._line = NurseryLine(deadline)
        self._own: Identity | None = None

    def start(self, order: ShimOrder) -> Shim:
        """Start a worker under a new shim; returns once its program runs and is written down.

        Raises:
            SpawnError: it could not be started; `host_fault` tells whether the host, not the
                command, is to blame.
            VetoError: one copy lives already: it holds the instance lock, or is the worker of the
                newest record; says who it is.
        """
        ready = prepare(order.launch)
        try:
            if not os.path.isdir(order.folder):  # noqa: PTH112 - hot
                notes.make_folder(order.folder)
        except OSError as error:
            message = f"cannot make its folder {clean(order.folder)}: {error.strerror}"
            raise SpawnError(message, host_fault=True) from error
        patience = self._patience(order.folder)
        answer = self._line.ask(_framed(order, ready, self._boot, patience))
        if answer.startswith(b"no rival ") and self._was_shim(order.folder, int(answer.split()[2])):
            # its daemon has ended, and what it still watches is nobody's copy of the worker
            answer = self._line.ask(
                _framed(replace(order, sole=False), ready, self._boot, patience)
            )
        if answer.startswith(b"no "):
            raise self._refused(order, ready, answer)
        begun = msgspec.json.decode(answer, type=Begun)
        return _shim(begun, alive=True, locked=True)

    def _patience(self, folder: str) -> float:
        """Return how many seconds the shim of the newest record may take to take leave.

        Raises:
            VetoError: its worker lives.
            SpawnError: that cannot be told.
        """
        try:
            begun = shimrecords.begun(folder)
        except ProbeError:
            return 0.0  # the lock decides
        if begun is None:
            return 0.0
        try:
            if self._lives(begun.worker):
                raise VetoError(f"one copy lives already: {_named([begun.worker.pid])}")
            if self._nobodys(folder, begun):
                Path(_lock(folder)).unlink(missing_ok=True)  # the next shim makes a new one
                return 0.0
            if not self._lives(begun.shim):
                return 0.0
            if not os.path.exists(_lock(folder)):  # noqa: PTH110 - hot
                # somebody removed it: a new one would let in a second copy
                raise VetoError(f"its shim lives without a lock file: pid {begun.shim.pid}")
        except ProbeError as error:
            message = f"cannot tell whether it is up already: {error}"
            raise SpawnError(message, host_fault=True) from error
        except OSError as error:
            message = f"cannot set its old lock aside: {error.strerror}"
            raise SpawnError(message, host_fault=True) from error
        others = procfs.children_of(begun.shim.pid) - {begun.worker.pid}
        return 0.0 if others else LEAVING  # with somebody left below it, it stays

    def _was_shim(self, folder: str, pid: int) -> bool:
        """Return whether a process is the shim of the newest start in a folder."""
        with suppress(ProbeError):
            begun = shimrecords.begun(folder)
            return begun is not None and begun.shim.pid == pid and self._lives(begun.shim)
        return False

    def _refused(self, order: ShimOrder, ready: Ready, answer: bytes) -> Exception:
        """Return what to raise when a shim says that it could not start a program."""
        _, step, number = answer.split()
        if step == b"lock" and int(number) in (errno.EAGAIN, errno.EACCES):
            held = "its instance lock is held: one copy lives already"
            return VetoError(f"{held}: {self._holders(order.folder)}")
        if step == b"rival":
            return VetoError(f"one copy lives already: {_rivals(int(number))}")
        return explained(order.launch, ready, step.decode("ascii"), int(number))

    def _holders(self, folder: str) -> str:
        """Return in words who holds an instance lock, or for whom."""
        begun = None
        with suppress(ProbeError):
            begun = shimrecords.begun(folder)
        try:
            if begun is not None and self._lives(begun.worker):
                return _named([begun.worker.pid])
            holders = {one.pid for one in SystemPorts().lock_holders(_lock(folder))}
            shims = set(filter(_is_shim, holders))
            # a shim holds it for somebody, who may have closed it: that one tells more
            below = (holders - shims) or set[int]().union(*map(procfs.children_of, shims))
            return _named(sorted(below or holders)) or "by nobody that can be seen"
        except ProbeError as error:
            return str(error)

    def look(self, folder: str) -> Shim | None:
        """Return what stands in a folder; None when nothing was ever started there.

        A shim that is about to write down its worker's end is given a moment to do so.

        Raises:
            ProbeError: it cannot be read, or somebody holds the instance lock without a record.
        """
        self._line.reap()
        try:
            begun = shimrecords.begun(folder)
        except ProbeError:
            # cut short by a power cut, with nobody left, it says no more than none
            if instancelock.held(_lock(folder)):
                raise
            begun = None
        if begun is None:
            if instancelock.held(_lock(folder)):
                raise ProbeError(f"no record of who runs there: {self._holders(folder)}")
            return None
        until = process_seconds() + WRITING
        while True:
            # in this order: what ends meanwhile is seen alive, or its end is seen
            alive, working = self._lives(begun.shim), self._lives(begun.worker)
            locked = self._locked(folder, alive=alive)
            ends = _with_former(shimrecords.ends(folder), begun)
            told = working or any(end.identity == begun.worker for end in ends)
            if not working and (newer := _newer(folder, begun)) is not None:
                begun = newer  # it has started the program again meanwhile
                continue
            if told or not (alive and locked) or process_seconds() > until:
                if locked and not working and self._nobodys(folder, begun):
                    alive = locked = False
                return _shim(begun, alive=alive and locked, locked=locked, ends=ends)
            self._wait(begun.shim, _GLANCE)

    def _nobodys(self, folder: str, begun: Begun) -> bool:
        """Return whether nothing of a worker that ended is left but what holds others' work.

        A tmux server that it started has inherited its lock and keeps its shim: no copy of it. All
        that is left must be seen for that, so without the shim only root can tell. A healmon that
        was killed before the next shim came left no lock file: then what is below the shim decides.
        """
        path = _lock(folder)
        try:
            shim = self._lives(begun.shim)
            if not self._locked(folder, alive=shim):
                return False
            below = procfs.children_of(begun.shim.pid) if shim else set[int]()
            if not below and (shim or os.geteuid() != 0):
                return False
            if not all(map(apart, below)):
                return False
            holders = {one.pid for one in SystemPorts().lock_holders(path)} - {begun.shim.pid}
        except ProbeError:
            return False
        return bool(holders | below) and all(map(apart, holders))

    @staticmethod
    def _locked(folder: str, *, alive: bool) -> bool:
        """Return whether an instance lock is held; a removed file's is, while its shim lives."""
        path = _lock(folder)
        return instancelock.held(path) or (alive and not os.path.exists(path))  # noqa: PTH110 - hot

    def _lives(self, identity: Identity) -> bool:
        if identity.boot != self._boot:
            return False
        stat = procfs.stat_by(identity.pid)
        return stat is not None and stat.start_ticks == identity.ticks and stat.state not in DEAD

    def _wait(self, identity: Identity, seconds: float) -> None:
        """Return when a process has ended, at the latest after so many seconds."""
        try:
            pidfd = os.pidfd_open(identity.pid)
        except OSError:
            return
        try:
            if self._lives(identity):
                waiter = select.poll()
                waiter.register(pidfd, select.POLLIN)
                waiter.poll(seconds * 1000)
        finally:
            os.close(pidfd)

    def grant(self, grant: Grant) -> None:
        """Let the shim of a worker start it again as soon as it ends, in place of any leave before.

        Raises:
            OSError: it cannot be written down.
            SpawnError: such an order cannot be carried out.
        """
        order = grant.order
        digest = _digest(_what(order, prepare(order.launch), self._boot))
        shimrecords.grant(order.folder, self._own_identity(), grant, digest)

    def revoke(self, folder: str) -> bool:
        """Take back what was granted; False when there was nothing to take back.

        Raises:
            OSError: it cannot be taken back.
        """
        try:
            os.unlink(f"{folder}/{shimrecords.GRANT}")  # noqa: PTH108 - hot
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def _own_identity(self) -> Identity:
        pid = os.getpid()
        if self._own is None or self._own.pid != pid:
            stat = procfs.stat_by(pid)
            self._own = Identity(self._boot, pid, stat.start_ticks if stat is not None else 0)
        return self._own

    def trim(self, log_path: str, limit: int) -> int:
        """Free the older part of an output log above `limit` bytes, without losing a new line.

        Returns:
            How many bytes were freed.

        Raises:
            OSError: the older part cannot be kept as `NAME.1`; nothing was freed.
        """
        return logtrim.trim(log_path, limit)

    def close(self) -> None:
        """End what helps to start shims; shims and workers stay."""
        self._line.close()


def _framed(order: ShimOrder, ready: Ready, boot: str, patience: float) -> bytes:
    what = _what(order, ready, boot)
    mark = _mark(order, ready) if order.sole else ""
    return frame((order.number, str(patience), _digest(what), *what, mark, int(order.forks)))


def _mark(order: ShimOrder, ready: Ready) -> str:
    """Return what all healers of this host call the one copy of a worker."""
    what, name = order.launch, basename(order.folder)
    user = ready.user.uid if ready.user is not None else os.geteuid()
    same = (name, tuple(what.argv), _absolute(what.cwd), sorted(what.env.items()), user)
    return f"healmon/worker/{hashlib.sha256(repr(same).encode()).hexdigest()[:40]}"


def _digest(what: _What) -> str:
    """Return what two orders have in common that differ in their number only; no secret is told."""
    return hashlib.sha256(repr(what).encode()).hexdigest()


def _what(order: ShimOrder, ready: Ready, boot: str) -> _What:
    what, user = order.launch, ready.user
    return (
        boot,
        # a shim is at home in /, not where we are
        _absolute(order.folder),
        _absolute(what.log_path),
        _absolute(what.cwd),
        UMASK if what.umask is None else what.umask,
        (user.uid, user.gid, *user.groups) if user is not None else (),
        [number for limit in ready.limits for number in limit],
        ready.programs,
        what.argv,
        [f"{name}={value}" for name, value in sorted(ready.env.items())],
    )


def _newer(folder: str, begun: Begun) -> Begun | None:
    """Return the newest start when it is another one than it was."""
    newest = shimrecords.begun(folder)
    return newest if newest is not None and newest != begun else None


def _with_former(ends: tuple[ShimEnd, ...], begun: Begun) -> tuple[ShimEnd, ...]:
    """Return the ends with the one that stands in the record of the start after it."""
    former = begun.former
    if former is None or any(end.identity == former.identity for end in ends):
        return ends
    return (*ends, former)  # what came after it would stand there with it


def _shim(begun: Begun, *, alive: bool, locked: bool, ends: tuple[ShimEnd, ...] = ()) -> Shim:
    return Shim(
        number=begun.number,
        shim=begun.shim,
        worker=begun.worker,
        wall=begun.wall,
        alive=alive,
        locked=locked,
        ends=ends,
        former=begun.former,
        log_offset=begun.log_offset,
    )


def _absolute(path: str) -> str:
    return path if path.startswith("/") else os.path.join(_here(), path)  # noqa: PTH118 - kept as written


def _here() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - likewise
    except FileNotFoundError:
        return "/"


def _lock(folder: str) -> str:
    return f"{folder}/{instancelock.NAME}"


def _rivals(shim: int) -> str:
    """Return in words which copy it is whose mark another shim holds, and whose shim that is."""
    folder = ""
    with suppress(ProbeError), procfs.opened(shim) as directory:
        files = procfs.open_files(directory) if directory is not None else ()
        locks = (path for _, path in files if path.endswith(f"/{instancelock.NAME}"))
        folder = next((dirname(path) for path in locks), "")
    copy = _named(sorted(procfs.children_of(shim))) or "it has just begun"
    where = f" with its records in {clean(folder)}" if folder else ""
    return f"{copy}, under shim {shim} of another healmon{where}"


def _is_shim(pid: int) -> bool:
    stat = procfs.stat_by(pid)
    return stat is not None and stat.name == _SHIM


def _named(pids: Iterable[int]) -> str:
    words: list[str] = []
    for pid in pids:
        with procfs.opened(pid) as directory:
            argv = procfs.argv_of(directory) if directory is not None else []
        command = clean(b" ".join(argv), limit=_COMMAND_SHOWN)
        words.append(f"pid {pid} ({command})" if command else f"pid {pid}")
    return ", ".join(words)
