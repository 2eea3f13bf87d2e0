"""Where a tmux server's socket is, whose it is, and what a failed call means for it.

A client does what its server tells it: it opens files for it, and starts programs. So root never
speaks to somebody else's server with root's rights, but with those of the socket's owner.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from healmon.errors import ProbeError
from healmon.text import clean
from healmon.world.runner import Rights

LINKS: Final = 40
"""Links that may lead one to the other, as for the kernel."""
LISTENS: Final = 0x10000
"""The flag of a socket that somebody listens on, in the kernel's list."""
NOBODY: Final = 65534
"""The group of a user without one."""


def path_of(socket: str) -> Path:
    """Return where a socket is: a path as it stands, a name as tmux's `-L` finds it."""
    if "/" in socket:
        return Path(socket)
    return Path(os.environ.get("TMUX_TMPDIR") or "/tmp") / f"tmux-{os.getuid()}" / socket  # noqa: S108 - tmux's own place


def shown(socket: str) -> str:
    """Return a socket for people."""
    return f"socket {clean(socket, limit=200)}"


def rights_for(socket: str) -> Rights | None:
    """Return whose rights a client for this socket must have; None: ours.

    Raises:
        ProbeError: we are root, and anybody could put another socket there.
    """
    if os.geteuid() != 0 or "/" not in socket:
        return None  # tmux itself looks after the folder of its names
    strangers: list[int] = []
    try:
        for path, found in _way(socket):
            # whoever owns a part of the way can make it lead elsewhere at any time
            if found.st_uid != 0:
                strangers.append(found.st_uid)
            elif _is_open(found):
                raise ProbeError(
                    f"{shown(socket)}: others may write into {clean(path, limit=200)}",
                    remedy="root watches only sockets that nobody else can put there",
                )
    except OSError:
        return None  # it is not there: tmux says so
    return Rights(strangers[0], _group_of(strangers[0])) if strangers else None


def _way(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield every folder, link and file that is passed on the way to a path, as the kernel goes."""
    at, links = "/", 0
    parts = [part for part in reversed(path.split("/")) if part not in ("", ".")]
    yield at, os.lstat(at)
    while parts:
        part = parts.pop()
        if part == "..":
            at = os.path.dirname(at)  # noqa: PTH120 - text: no link is left in it
            continue
        here = os.path.join(at, part)  # noqa: PTH118 - likewise
        found = os.lstat(here)
        yield here, found
        if not stat.S_ISLNK(found.st_mode):
            at = here
            continue
        links += 1
        if links > LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), here)
        target = Path(os.readlink(here))  # noqa: PTH115 - likewise
        at = "/" if target.is_absolute() else at
        parts += reversed(target.parts[1:] if target.is_absolute() else target.parts)


def _is_open(found: os.stat_result) -> bool:
    """Return whether others may replace what lies in this folder."""
    mode = found.st_mode
    by_group = mode & stat.S_IWGRP and found.st_gid != 0
    writable = bool(mode & stat.S_IWOTH or by_group) and not mode & stat.S_ISVTX
    return stat.S_ISDIR(mode) and writable


def _group_of(uid: int) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return NOBODY


def absence(socket: str) -> str:
    """Return why no server answers on a socket: it never was there, or was left behind."""
    try:
        found = path_of(socket).stat()
    except OSError:
        return f"no tmux server on {shown(socket)}: there is no such socket"
    if not stat.S_ISSOCK(found.st_mode):
        return f"no tmux server on {shown(socket)}: that file is no socket"
    return f"no tmux server on {shown(socket)}: its server has ended and left the socket behind"


def is_listened_on(socket: str) -> bool:
    """Return whether somebody listens on a socket, as the kernel tells; nobody is asked."""
    wanted = os.path.realpath(path_of(socket))
    try:
        known = Path("/proc/net/unix").read_text("utf-8", "surrogateescape")
    except OSError:
        return False
    name = wanted.rpartition("/")[2]
    for line in known.split("\n")[1:]:
        fields = line.split(maxsplit=7)  # anybody's name of a socket may hold a line end
        if len(fields) != 8 or not fields[7].endswith(name):
            continue
        with suppress(ValueError):
            if int(fields[3], 16) & LISTENS and os.path.realpath(fields[7]) == wanted:
                return True
    return False


def owner(socket: str) -> str:
    """Return who owns a socket, for people: `user alice`, `uid 1234`, or empty."""
    try:
        uid = path_of(socket).stat().st_uid
    except OSError:
        return ""
    try:
        return f"user {clean(pwd.getpwuid(uid).pw_name, limit=60)}"
    except KeyError:
        return f"uid {uid}"


def is_foreign(socket: str) -> bool:
    """Return whether a socket belongs to somebody else, or cannot even be seen."""
    try:
        return path_of(socket).stat().st_uid != os.geteuid()
    except OSError:
        return True
