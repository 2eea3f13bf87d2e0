"""The state directory: ours alone, or not used at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from healmon.errors import StateDirError
from healmon.text import clean

DATABASE: Final = "healmon.db"
"""The health store's file."""
WEB: Final = "web"
"""The folder of what runs beside a healer: tokens, logins, log of the web server."""
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def prepare(path: Path) -> Path:
    """Return the state directory, resolved; made with mode 0700 (parents too) if it is absent.

    Raises:
        StateDirError: it cannot be made or written, belongs to somebody else, or could be changed
            by somebody else; what is there is left as it is.
    """
    path = path.expanduser().absolute()
    for part in (path, *path.parents):
        _must_be_our_link(part)
    try:
        _make(path)
        resolved = path.resolve(strict=True)
        found = resolved.stat()
    except OSError as error:
        raise _refused(
            path, f"cannot be made: {error.strerror}", "name another one with --state-dir"
        ) from error
    if not stat.S_ISDIR(found.st_mode):
        raise _refused(path, "is not a directory", "move it away, or give another --state-dir")
    if found.st_uid != os.geteuid():
        raise _refused(
            path,
            f"belongs to uid {found.st_uid}, healmon runs as uid {os.geteuid()}",
            "run healmon as that user, or give another --state-dir",
        )
    if found.st_mode & _OTHERS_WRITE:
        raise _refused(
            path, f"can be written by others (mode {found.st_mode & 0o7777:04o})",
            f"chmod go-w {clean(str(path))}",
        )  # fmt: skip
    if not os.access(resolved, os.W_OK | os.X_OK, effective_ids=True):
        raise _refused(
            path, "cannot be written", "check its permissions, and that its disk is not read-only"
        )
    _must_stay_ours(resolved)
    return resolved


def _make(path: Path) -> None:
    # each level with 0700 at once: mkdir(parents=True) would give the parents the umask's mode
    missing = [p for p in (path, *path.parents) if not p.exists()]
    for directory in reversed(missing):
        directory.mkdir(mode=0o700, exist_ok=True)


def _must_be_our_link(path: Path) -> None:
    """A link in a shared directory, made by somebody else, would lead us where he likes."""
    try:
        found = path.lstat()
    except OSError:
        return
    if stat.S_ISLNK(found.st_mode) and found.st_uid not in (0, os.geteuid()):
        raise _refused(
            path, f"is a link made by uid {found.st_uid}", "give the real path with --state-dir"
        )


def _must_stay_ours(resolved: Path) -> None:
    """Whoever owns or may write a parent (that is not sticky) can put another directory there."""
    for parent in resolved.parents:
        found, shown = parent.stat(), clean(str(parent))
        if found.st_uid not in {0, os.geteuid()}:
            raise _refused(
                resolved, f"lies in {shown}, which belongs to uid {found.st_uid}",
                "give another --state-dir, or run healmon as that user",
            )  # fmt: skip
        if found.st_mode & stat.S_ISVTX:
            continue
        if found.st_mode & stat.S_IWOTH:
            raise _refused(
                resolved, f"lies in {shown}, which anybody may write",
                f"chmod o-w {shown}, or give another --state-dir",
            )  # fmt: skip
        if found.st_mode & stat.S_IWGRP and found.st_gid not in {0, os.getegid()}:
            raise _refused(
                resolved, f"lies in {shown}, which group {found.st_gid} may write",
                f"chmod g-w {shown}, or give another --state-dir",
            )  # fmt: skip


def _refused(path: Path, why: str, remedy: str) -> StateDirError:
    return StateDirError(f"state directory {clean(str(path))} {why}", remedy=remedy)
