"""Starting a detached process, and saying exactly why it could not be started."""

from __future__ import annotations

import errno
import os
import pwd
import shutil
import subprocess
from typing import NamedTuple

from healmon.errors import SpawnError
from healmon.text import clean
from healmon.world.processes import Launch

HOST_FAULTS = frozenset(
    {
        errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT,
        errno.EIO, errno.EROFS, errno.ESTALE, errno.ETXTBSY,
    }
)  # fmt: skip
"""What the host lacks for the moment; the command may be right."""


class _User(NamedTuple):
    uid: int
    gid: int
    groups: list[int]
    env: dict[str, str]


def launch(order: Launch) -> int:
    """Start a process in a session of its own and return its pid once the program runs in it.

    Raises:
        SpawnError: it could not be started, and why.
    """
    if not order.argv:
        raise SpawnError("nothing to run: the command is empty")
    user = _user(order.user)
    env = {**os.environ, **(user.env if user else {}), **order.env}
    log = _open_log(order.log_path)
    try:
        child = subprocess.Popen(
            order.argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=order.cwd or None,
            env=env,
            close_fds=True,
            start_new_session=True,
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=user.groups if user else None,
        )
    except OSError as error:
        raise _explained(error, order, env) from error
    except (ValueError, subprocess.SubprocessError) as error:
        raise SpawnError(f"cannot run {clean(order.argv[0])}: {clean(str(error))}") from error
    finally:
        os.close(log)
    # we reap it ourselves by identity; Popen must neither wait for it nor complain that nobody did
    child.returncode = 0
    return child.pid


def _open_log(path: str) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
    try:
        return os.open(path, flags, 0o600)
    except OSError as error:
        message = f"cannot open its log {clean(path)}: {error.strerror}"
        raise SpawnError(message, host_fault=True) from error


def _user(name: str) -> _User | None:
    """Return whom to become; None when that is who we are already."""
    if not name:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise SpawnError(f"there is no user {clean(name)!r} on this host") from None
    if entry.pw_uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        raise SpawnError(f"only root can start a process as user {clean(name)!r}")
    env = {"HOME": entry.pw_dir, "USER": name, "LOGNAME": name}
    groups = os.getgrouplist(name, entry.pw_gid)
    return _User(entry.pw_uid, entry.pw_gid, groups, env)


def _explained(error: OSError, order: Launch, env: dict[str, str]) -> SpawnError:
    host = error.errno in HOST_FAULTS
    program = clean(order.argv[0])
    if error.filename == order.cwd and order.cwd and error.errno not in HOST_FAULTS:
        why = f"its working directory {clean(order.cwd)}: {error.strerror}"
        return SpawnError(f"cannot run {program}: {why}")
    path = _resolved(order, env)
    if error.errno == errno.ENOENT:
        interpreter = _interpreter(path) if path else ""
        why = f"its interpreter {interpreter} does not exist" if interpreter else "no such program"
    elif error.errno == errno.EACCES:
        why = "it is a directory" if path and os.path.isdir(path) else "it is not executable"  # noqa: PTH112 - a path as exec(2) takes it
    elif error.errno == errno.ENOEXEC:
        why = "it is no program for this machine (no #! line, or another architecture)"
    else:
        why = error.strerror or str(error)
    return SpawnError(f"cannot run {program}: {clean(why)}", host_fault=host)


def _resolved(order: Launch, env: dict[str, str]) -> str:
    """Return the path that exec(2) tried, or empty when PATH has no such program."""
    program = order.argv[0]
    if "/" in program:
        path = os.path.join(order.cwd, program)  # noqa: PTH118 - a path as exec(2) takes it
        return path if os.path.exists(path) else ""  # noqa: PTH110 - likewise
    return shutil.which(program, mode=os.F_OK, path=env.get("PATH")) or ""


def _interpreter(path: str) -> str:
    """Return what the first line of a script names as its interpreter; empty when it has none."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - likewise
            first = file.readline(256)
    except OSError:
        return ""
    words = first[2:].split() if first.startswith(b"#!") else []
    return clean(words[0]) if words else ""
