"""Starting a detached process, and saying exactly why it could not be started.

What is wrong with an order on paper is found by `prepare`, whoever starts it: `launch` here, or a
shim (`healmon.world.system_shims`). What the kernel refused, and at which step, `explained` says.
"""

from __future__ import annotations

import errno
import os
import pwd
import resource
import shutil
import subprocess
from contextlib import suppress
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


_HANDED_ON = frozenset({"PATH", "LANG", "LANGUAGE", "TZ"})
"""What a process of another user has of our environment, with `LC_*`."""
_LOG = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY


def _umask() -> int:
    """Return our file mode mask, without changing it; -1 where the kernel does not tell."""
    with suppress(OSError), open("/proc/self/status", encoding="ascii", errors="replace") as file:  # noqa: PTH123 - as any
        for row in file:
            if row.startswith("Umask:"):
                return int(row.split()[1], 8)
    return -1


UMASK = _umask()
"""That with which healmon was started: a daemon, which has loaded this by then, takes another one
for itself, and so does a shim before it starts its program once more."""


def uid_of(name: str) -> int | None:
    """Return the number of a user; None where there is none of that name."""
    try:
        return pwd.getpwnam(name).pw_uid
    except (KeyError, OSError):
        return None


class User(NamedTuple):
    """Whom a process becomes before it runs its program."""

    uid: int
    gid: int
    groups: list[int]
    env: dict[str, str]


class Ready(NamedTuple):
    """An order that only the kernel can refuse any more.

    Attributes:
        programs: where its program may be, in the order they are tried.
        env: all of its environment.
        user: whom it becomes; None: it stays who we are.
        limits: resources of setrlimit(2) with their soft limits.
    """

    programs: list[str]
    env: dict[str, str]
    user: User | None
    limits: list[tuple[int, int]]


def prepare(order: Launch) -> Ready:
    """Return what it takes to carry out an order.

    Raises:
        SpawnError: it cannot be carried out, and why.
    """
    if not order.argv:
        raise SpawnError("nothing to run: the command is empty")
    user = _user(order.user)
    env = {**(user.env if user else os.environ), **order.env}
    program = order.argv[0]
    wrong = _unfit(order)
    if wrong:
        raise SpawnError(f"cannot run {clean(program)}: {wrong}")
    where = [program] if "/" in program else _in_path(program, env)
    return Ready(where, env, user, _limits(order))


def launch(order: Launch) -> int:
    """Start a process in a session of its own and return its pid once the program runs in it.

    Its resource limits are set as soon as it runs: only a shim sets them before.

    Raises:
        SpawnError: it could not be started, and why.
    """
    ready = prepare(order)
    user = ready.user
    try:
        log = os.open(order.log_path, _LOG, 0o600)
    except OSError as error:
        raise explained(order, ready, "log", error.errno or 0) from error
    try:
        child = subprocess.Popen(
            order.argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=order.cwd or None,
            env=ready.env,
            close_fds=True,
            start_new_session=True,
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=user.groups if user else None,
            umask=-1 if order.umask is None else order.umask,
        )
    except OSError as error:
        step = "cwd" if order.cwd and error.filename == order.cwd else "exec"
        raise explained(order, ready, step, error.errno or 0) from error
    except (ValueError, subprocess.SubprocessError) as error:
        raise SpawnError(f"cannot run {clean(order.argv[0])}: {clean(str(error))}") from error
    finally:
        os.close(log)
    # we reap it ourselves by identity; Popen must neither wait for it nor complain that nobody did
    child.returncode = 0
    for kind, soft in ready.limits:
        with suppress(ProcessLookupError):  # it has ended already: nothing is left to be limited
            resource.prlimit(child.pid, kind, (soft, resource.getrlimit(kind)[1]))
    return child.pid


def explained(order: Launch, ready: Ready, step: str, number: int) -> SpawnError:
    """Return what to raise when the kernel refused a step of a start.

    Args:
        order: what was to be started.
        ready: the same, prepared.
        step: `lock`, `log`, `cwd`, `user`, `limits`, `fork` or `exec`.
        number: the errno.
    """
    said = os.strerror(number)
    host = number in HOST_FAULTS
    if step == "log":
        return SpawnError(f"cannot open its log {clean(order.log_path)}: {said}", host_fault=True)
    if step == "lock":
        return SpawnError(f"cannot take its instance lock: {said}", host_fault=True)
    if step == "cwd" and not host:
        said = f"its working directory {clean(order.cwd)}: {said}"
    elif step == "user" and not host:
        said = f"cannot become user {clean(order.user)!r}: {said}"
    elif step == "limits" and not host:
        said = f"cannot set its limits: {said}"
    elif step == "exec":
        said = _why_no_exec(order, ready, number)
    return SpawnError(f"cannot run {clean(order.argv[0])}: {clean(said)}", host_fault=host)


def _unfit(order: Launch) -> str:
    """Return why the kernel cannot even be asked; empty when it can."""
    names = tuple(order.env)
    try:
        for text in (*order.argv, order.cwd, order.log_path, *names, *order.env.values()):
            if b"\0" in os.fsencode(text):
                return "embedded null byte"
    except UnicodeEncodeError as error:
        return clean(str(error))
    return "illegal environment variable name" if any("=" in n or not n for n in names) else ""


def _user(name: str) -> User | None:
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
    # as sudo does: what root has in its environment is not for everybody
    kept = {k: v for k, v in os.environ.items() if k in _HANDED_ON or k.startswith("LC_")}
    own = {"HOME": entry.pw_dir, "USER": name, "LOGNAME": name, "SHELL": entry.pw_shell}
    groups = os.getgrouplist(name, entry.pw_gid)
    return User(entry.pw_uid, entry.pw_gid, groups, {**kept, **own})


def _limits(order: Launch) -> list[tuple[int, int]]:
    limits: list[tuple[int, int]] = []
    for name, soft in order.limits.items():
        kind: int | None = getattr(resource, f"RLIMIT_{name.upper()}", None)
        if kind is None:
            raise SpawnError(f"there is no resource limit {clean(name)!r}")
        hard = resource.getrlimit(kind)[1]
        if hard != resource.RLIM_INFINITY and soft > hard:
            program = clean(order.argv[0])
            message = f"its limit {clean(name)} = {soft} is above the hard limit of {hard}"
            raise SpawnError(f"cannot run {program}: {message}")
        limits.append((kind, soft))
    return limits


def _in_path(program: str, env: dict[str, str]) -> list[str]:
    return [os.path.join(part, program) for part in os.get_exec_path(env)]  # noqa: PTH118 - a path as exec(2) takes it


def _why_no_exec(order: Launch, ready: Ready, number: int) -> str:
    path = _resolved(order, ready.env)
    if number == errno.ENOENT:
        interpreter = _interpreter(path) if path else ""
        return f"its interpreter {interpreter} does not exist" if interpreter else "no such program"
    if number == errno.EACCES:
        return "it is a directory" if path and os.path.isdir(path) else "it is not executable"  # noqa: PTH112 - likewise
    if number == errno.ENOEXEC:
        return "it is no program for this machine (no #! line, or another architecture)"
    return os.strerror(number)


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
