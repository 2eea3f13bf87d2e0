"""The short-lived programs behind two doors, forked by one that has loaded them.

To read or change tasks, and to heal a database, is a Python of its own each time, and to start that
is nine tenths of what it costs. Here the same code runs in a process of its own as well, with the
same input, output, environment, deadline and end by signal; only its start is a fork of one Python
that has loaded it, with the same flags. Whatever else a door would run is run as always: see `KIN`.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from healmon.world import mending, runner, taskdb
from healmon.world.runner import Finished

PYTHON = sys.executable
ROOT = str(Path(runner.__file__).parents[2])
TASKS = str(taskdb.PROGRAM)
SERVER = """
import array, json, os, resource, runpy, select, signal, socket, sqlite3, sys, time, traceback
sys.path.append(sys.argv[1])
from healmon.world import healchild, taskchild
TASKS = sys.argv[2]

def play(program, env, into, out, err):
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    for to, given in enumerate((into, out, err)):
        os.dup2(given, to)
    os.closerange(3, 256)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    code = 0
    try:
        if program == "heal":
            healchild.main()
        elif program == TASKS:
            taskchild.main()
        else:
            runpy.run_path(program, run_name="__main__")
        sys.stdout.flush()
    except SystemExit as error:
        code = error.code
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    os._exit(code)

asked = socket.socket(fileno=0)
told, bell = os.pipe()
os.set_blocking(bell, False)
signal.set_wakeup_fd(bell, warn_on_full_buffer=False)
signal.signal(signal.SIGCHLD, lambda *_: None)
waiting = {}

def tell(line, number):
    try:
        os.write(line, b"%d\\n" % number)
    except BrokenPipeError:  # whoever asked was killed
        pass

while True:
    for fd in select.select([asked, told], [], [])[0]:
        if fd == told:
            os.read(told, 4096)
            continue
        line, ancillary, _, _ = asked.recvmsg(1 << 17, socket.CMSG_SPACE(16))
        if not line:
            sys.exit()
        fds = array.array("i", ancillary[0][2])
        pid = os.fork()
        if pid == 0:
            play(*json.loads(line), *fds[:3])
        for one in fds[:3]:
            os.close(one)
        tell(fds[3], pid)
        waiting[pid] = fds[3]
    for pid in list(waiting):
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            _, status = os.waitpid(pid, 0)
            line = waiting.pop(pid)
            tell(line, os.waitstatus_to_exitcode(status))
            os.close(line)
"""


@functools.cache
def _server() -> socket.socket:
    """Start who forks them, one for all tests of this process; it ends with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", SERVER, ROOT, TASKS], stdin=theirs,
        start_new_session=True, cwd="/",
    )  # fmt: skip
    theirs.close()

    def end() -> None:
        ours.shutdown(socket.SHUT_RDWR)  # whoever was forked meanwhile may have a copy of it
        ours.close()
        server.wait()

    atexit.register(end)
    return ours


KIN: set[str] = set()
"""Programs of a test that do what `programs/tasks.py` does and something else, forked likewise."""


def _program(argv: Sequence[str]) -> str:
    """Return what of the server's it is; empty: another one."""
    if list(argv) == [PYTHON, "-I", "-S", "-c", mending._RUN, mending._ROOT]:
        return "heal"
    script = argv[-1] if list(argv[:-1]) == [PYTHON, "-I", "-S"] else ""
    return script if script in {TASKS, *KIN} else ""


def run(
    argv: Sequence[str], *, timeout: float, stdin: bytes = b"", env: Mapping[str, str] | None = None
) -> Finished:
    """Do as `runner.run` does."""
    program = _program(argv)
    if not program:
        return runner.run(argv, timeout=timeout, stdin=stdin, env=env)
    with contextlib.ExitStack() as stack:
        files = [os.memfd_create(name) for name in ("in", "out", "err")]
        heard, told = os.pipe()
        for fd in (*files, heard):
            stack.callback(os.close, fd)
        with contextlib.closing(os.fdopen(told, "wb")):
            os.pwrite(files[0], stdin, 0)
            asked = json.dumps([program, dict(os.environ if env is None else env)]).encode()
            socket.send_fds(_server(), [asked], [*files, told])
        line = os.fdopen(heard, "rb", buffering=0, closefd=False)
        pid = int(line.readline())
        waiter = select.poll()
        waiter.register(heard, select.POLLIN)
        if not waiter.poll(timeout * 1000):
            os.kill(pid, signal.SIGKILL)
            line.readline()
            message = f"no answer within {timeout:g} s"
            raise TimeoutError(message)
        return Finished(int(line.readline()), runner._read(files[1]), runner._read(files[2]))


def use() -> None:
    """Have both doors run their programs so, here and in whatever is forked from here."""
    _server()
    taskdb.run = mending.run = run


@pytest.fixture(scope="module")
def preloaded() -> Iterator[None]:
    """Have both doors run their programs so for the tests of a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(taskdb, "run", run)
        patch.setattr(mending, "run", run)
        yield
