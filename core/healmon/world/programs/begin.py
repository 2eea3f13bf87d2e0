"""How a shim starts its program: the quick way, or the thorough one."""

from __future__ import annotations

import errno
import os
import resource

from healmon.world.programs import signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LOCK_FD = 63
"""Where the worker has the lock: beyond what a shell redirects by one digit."""


class Failed(Exception):  # noqa: N818 - an answer, not a fault
    """The kernel refused a step of the start: its name and the errno."""

    def __init__(self, step: bytes, number: int | None) -> None:
        super().__init__(step, number)
        self.step = step
        self.number = number or 0


class Order:
    """What to start; `healmon.world.nurseryline.frame` writes it."""

    def __init__(self, raw: bytes) -> None:
        fields = iter(raw.split(b"\0"))

        def several() -> list[bytes]:
            return [next(fields) for _ in range(int(next(fields)))]

        self.number = int(next(fields))
        self.patience = float(next(fields))
        self.digest = next(fields)
        self.boot, self.folder, self.log, self.cwd = (next(fields) for _ in range(4))
        self.umask = int(next(fields))
        self.user = [int(number) for number in several()]
        self.limits = [int(number) for number in several()]
        self.programs = several()
        self.argv = several()
        self.env = {name: value for name, _, value in (e.partition(b"=") for e in several())}
        # a healmon that was there before its package was may send neither
        self.mark = next(fields, b"")
        self.forks = next(fields, b"") == b"1"


def start(order: Order, lock: int, late: Callable[[], bool]) -> int:
    """Start the program and return its pid once it runs; cwd and umask are left as it has them.

    Args:
        order: what to start.
        lock: what it inherits.
        late: whether nobody waits for it any more: then nothing is started.

    Raises:
        Failed: it could not be started; nothing is left of it.
    """
    try:
        log = os.open(order.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOCTTY, 0o600)
    except OSError as error:
        raise Failed(b"log", error.errno) from error
    try:
        _step(b"cwd", lambda: os.chdir(order.cwd))
        if order.umask >= 0:
            os.umask(order.umask)
        if late():
            raise Failed(b"late", errno.ETIMEDOUT)
        if order.user or order.limits:
            return _forked(order, log, lock)
        return _spawned(order, log, lock)
    finally:
        os.close(log)


def _spawned(order: Order, log: int, lock: int) -> int:
    """Start it without a copy of our memory (vfork)."""
    files = [(os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
    files.append((os.POSIX_SPAWN_DUP2, lock, LOCK_FD))
    return _first(
        order,
        lambda path: os.posix_spawn(
            path, order.argv, order.env, file_actions=files, setsigmask=(), setsigdef=signals.ALL
        ),
    )


def _forked(order: Order, log: int, lock: int) -> int:
    """Start it with a copy of us that becomes what was ordered before it becomes the program."""
    try:
        reader, writer = os.pipe()
        pid = os.fork()
    except OSError as error:
        raise Failed(b"fork", error.errno) from error
    if not pid:
        try:
            _become(order, log, lock)
        except Failed as failed:
            os.write(writer, b"%s %d" % (failed.step, failed.number))
        except BaseException:  # noqa: BLE001 - no memory within its own limits, say
            os.write(writer, b"limits %d" % errno.ENOMEM)
        finally:
            os._exit(127)
    os.close(writer)
    said = os.read(reader, 64).split()  # nothing when exec closed it
    os.close(reader)
    if said:
        os.waitpid(pid, 0)
        raise Failed(said[0], int(said[1]))
    return pid


def _become(order: Order, log: int, lock: int) -> None:
    """Become the program.

    Raises:
        Failed: it cannot be.
    """
    signals.restore(*signals.ALL)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.dup2(lock, LOCK_FD)
    if order.user:
        uid, gid, *groups = order.user
        _step(b"user", lambda: _switch(uid, gid, groups))
    _step(b"limits", lambda: _limit(order.limits))
    signals.unblock_all()
    _first(order, lambda path: os.execve(path, order.argv, order.env))  # noqa: S606 - what it is for


def _switch(uid: int, gid: int, groups: list[int]) -> None:
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def _limit(limits: list[int]) -> None:
    for kind, soft in zip(limits[::2], limits[1::2], strict=True):
        resource.setrlimit(kind, (soft, resource.getrlimit(kind)[1]))


def _step(name: bytes, call: Callable[[], None]) -> None:
    """Make a call.

    Raises:
        Failed: the kernel refused it.
    """
    try:
        call()
    except OSError as error:
        raise Failed(name, error.errno) from error


def _first(order: Order, run: Callable[[bytes], int]) -> int:
    """Run the first program of those it may be and return its pid.

    Raises:
        Failed: none can be run; of the errors, the one that tells most counts.
    """
    told = last = 0
    for path in order.programs:
        try:
            return run(path)
        except OSError as error:
            last = error.errno or 0
            if last not in (errno.ENOENT, errno.ENOTDIR):
                told = told or last
    raise Failed(b"exec", told or last)
