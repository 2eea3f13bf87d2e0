"""Where a tmux server's socket is, whose it is, and what a failed call means for it.

A client does what its server tells it: it opens files for it, and starts programs. So root never
speaks to somebody else's server with root's rights, but with those of the socket's owner.
"""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path
from typing import Final

from healmon.errors import ProbeError
from healmon.text import clean
from healmon.world.runner import Rights

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
    path = path_of(socket)
    owners: list[int] = []
    try:
        # whoever owns a folder on the way can put another socket there at any time
        for one in (path, *path.resolve().parents):
            found = one.lstat()
            owners.append(found.st_uid)
            if one != path and found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
                raise ProbeError(
                    f"{shown(socket)}: anybody may write into {clean(str(one), limit=200)}",
                    remedy="root watches only sockets that nobody else can put there",
                )
    except OSError:
        return None  # it is not there: tmux says so
    stranger = next((uid for uid in owners if uid != 0), None)
    return None if stranger is None else Rights(stranger, _group_of(stranger))


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
