"""Nothing stays: whoever is started below the benchmark is found, ended by pid, and reaped.

The benchmark runs in a child of a keeper. The keeper is the reaper of everything that its
descendants leave behind (daemons and workers whose supervisor was killed), as process 1 would be,
and ends what is left when its child is gone, however that ended.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
END_PATIENCE = 10_000
"""Milliseconds that a killed process may take to be gone."""
DESCRIPTORS = 8192
"""Soft limit of open files for all; some supervisors close every number up to it in each child."""

_libc = ctypes.CDLL(None)
_roots: set[int] = set()
"""The keeper and the benchmark. Remembered, never asked for: when the keeper is gone our parent is
process 1, and everybody on the machine below it."""


def _ended(*_: object) -> NoReturn:
    sys.exit(143)


def kept(work: Callable[[Path], int]) -> int:
    """Run `work` with a folder of its own, which does not stay either; return its exit code."""
    folder = Path(tempfile.mkdtemp(prefix="healmon-bench-"))
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    keeper = os.getpid()
    child = os.fork()
    if child == 0:
        _roots.update((keeper, os.getpid()))
        die_with_parent(signal.SIGTERM)
        signal.signal(signal.SIGTERM, _ended)
        _leave(work, folder)

    def passed_on(number: int, _: object) -> None:
        os.kill(child, number)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal tells the child, too
    signal.signal(signal.SIGTERM, passed_on)
    code = _wait_for(child)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end_all(descendants(os.getpid()))
    shutil.rmtree(folder, ignore_errors=True)
    return code


def _leave(work: Callable[[Path], int], folder: Path) -> None:
    """Run `work` in the child and leave without what the parent has on its stack."""
    code = 70
    try:
        code = work(folder)
    except SystemExit as wish:
        code = wish.code if isinstance(wish.code, int) else 1
    except KeyboardInterrupt:
        code = 130
    except BaseException as error:  # noqa: BLE001 - told, then the keeper cleans up
        traceback.print_exception(error)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _wait_for(child: int) -> int:
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            return max(0, os.waitstatus_to_exitcode(status)) or (1 if status else 0)


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Have this process sent a signal when its parent ends; for the child between fork and exec."""
    _libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def descendants(root: int) -> set[int]:
    """Return the pids of all living processes below `root`; zombies do not count."""
    children: dict[int, list[int]] = {}
    dead = set[int]()
    for entry in os.listdir("/proc"):  # noqa: PTH208 - names, not hundreds of paths
        if not entry.isdecimal():
            continue
        with suppress(OSError):
            field = Path(f"/proc/{entry}/stat").read_bytes().rpartition(b")")[2].split()
            children.setdefault(int(field[1]), []).append(int(entry))
            if field[0] in b"ZX":
                dead.add(int(entry))
    found = set[int]()
    fresh = [root]
    while fresh:
        fresh = [child for parent in fresh for child in children.get(parent, ())]
        found.update(fresh)
    return found - dead


def family() -> set[int]:
    """Return the pids of all that the benchmark started and left, but not its own."""
    return set[int]().union(*map(descendants, _roots)) - _roots


def end_all(pids: Iterable[int], number: int = signal.SIGKILL) -> set[int]:
    """Signal exactly these processes and wait until they are gone; return those that are not.

    Only for descendants: nobody else can get the pid of one before it is reaped, and only this
    process or its keeper reaps them.
    """
    pinned: dict[int, int] = {}
    for pid in pids:
        with suppress(OSError):
            pinned[os.pidfd_open(pid)] = pid
    for pidfd in pinned:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, number)
    waiting = select.poll()
    for pidfd in pinned:
        waiting.register(pidfd, select.POLLIN)
    left = set(pinned)
    while left and (ended := waiting.poll(END_PATIENCE)):
        for pidfd, _ in ended:
            waiting.unregister(pidfd)
            left.discard(pidfd)
            with suppress(ChildProcessError):
                os.waitpid(pinned[pidfd], os.WNOHANG)
    for pidfd in pinned:
        os.close(pidfd)
    return {pinned[pidfd] for pidfd in left}
