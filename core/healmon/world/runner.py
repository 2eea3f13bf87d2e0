"""Runs a short-lived program with a deadline that holds.

Output goes to memory files, not pipes: a tmux client hands its stdout to the server, so a pipe
would stay open for as long as a wedged server lives, and reading it to its end would never return.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

OUTPUT_LIMIT = 1 << 26
"""Bytes of output that are read; more is a fault of whoever wrote it."""
REAP = 1.0
"""Seconds that a killed program may take to be gone before it is left behind."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended and what it wrote; `code` is negative for a signal."""

    code: int
    out: bytes
    err: bytes


class Rights(NamedTuple):
    """A user and a group by number."""

    uid: int
    gid: int


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    rights: Rights | None = None,
    group: bool = False,
) -> Finished:
    """Return what a program wrote once it has ended.

    Args:
        argv: the program and its arguments.
        timeout: seconds after which it is killed.
        stdin: what it can read.
        env: its environment; default: ours.
        rights: whose rights it has; default: ours.
        group: whatever it started ends with it, also when it ended in time.

    Raises:
        TimeoutError: it did not end in time; it was killed, what it did before is unknown.
        OSError: it could not be started.
    """
    files: list[int] = []
    try:
        for _ in range(3):
            # not in a temporary directory: disks run full, and then healmon is needed most
            files.append(os.memfd_create("healmon", os.MFD_CLOEXEC))  # noqa: PERF401 - none may leak
        into, out, err = files
        written = 0
        while written < len(stdin):
            written += os.write(into, stdin[written:])
        os.lseek(into, 0, os.SEEK_SET)
        process = subprocess.Popen(
            list(argv),
            stdin=into,
            stdout=out,
            stderr=err,
            env=env,
            cwd="/",
            start_new_session=True,
            user=None if rights is None else rights.uid,
            group=None if rights is None else rights.gid,
            extra_groups=None if rights is None else (),
        )
        try:
            ended = _ends_within(process.pid, timeout)
            if group:
                # before it is reaped: until then nobody else can have a group of that number
                _end_group(process.pid)
            code = process.wait() if ended else None
        except BaseException:
            _end(process)
            raise
        if code is None:
            _end(process)
            raise TimeoutError(f"no answer within {timeout:g} s")
        return Finished(code, _read(out), _read(err))
    finally:
        for file in files:
            os.close(file)


def _ends_within(pid: int, seconds: float) -> bool:
    """Return whether a child ends in time; told at once, where `wait` asks again and again."""
    pidfd = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(pidfd)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    with suppress(subprocess.TimeoutExpired):
        process.wait(REAP)


def _end_group(leader: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _read(fd: int) -> bytes:
    size = min(os.fstat(fd).st_size, OUTPUT_LIMIT)
    return os.pread(fd, size, 0)
