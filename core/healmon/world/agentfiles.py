"""What coding agents write down about themselves: a file with their status, and a transcript.

None of it is documented by its makers, so it is read with distrust and only ever a hint: a file
that does not name the process's own start is not believed, nothing is read through links, nothing
that somebody else owns. Claude Code keeps `sessions/PID.json` in its folder (since 2.1) and a
transcript in `projects/`; Codex holds its rollout file open.
"""

from __future__ import annotations

import os
import pwd
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, Self

import msgspec

from healmon.errors import ProbeError
from healmon.text import clean
from healmon.world import procfs
from healmon.world.processes import AgentFile

FILE_LIMIT: Final = 1 << 16
"""Bytes of a status file that are read."""
WORD_LIMIT: Final = 120
_SESSION: Final = re.compile(r"[0-9A-Za-z-]{8,64}")
_NO_NAME: Final = re.compile(r"[^0-9A-Za-z]")
_ROLLOUT: Final = re.compile(r"rollout-[0-9A-Za-z.:_-]{1,128}\.jsonl")
_FOLDER_FLAGS: Final = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


def look(directory: int, agent: str) -> AgentFile | None:
    """Return what an agent wrote down; None when there is nothing that can be believed.

    Args:
        directory: its process, from `procfs.opened`.
        agent: which one it is: `claude`, `codex`.
    """
    with suppress(ProbeError, OSError, ValueError, KeyError, msgspec.MsgspecError):
        if agent == "claude":
            return _claude(directory)
        if agent == "codex":
            return _codex(directory)
    return None


def _claude(directory: int) -> AgentFile | None:
    process = procfs.stat_of(directory)
    folder = _home(directory, "CLAUDE_CONFIG_DIR", ".claude")
    if process is None or not folder:
        return None
    owner = os.fstat(directory).st_uid
    with _Folder(folder, owner) as inside:
        raw = inside.read("sessions", f"{process.pid}.json")
        said = {} if raw is None else msgspec.json.decode(raw, type=dict[str, object])
        # a pid is given away again; its start is not
        if str(said.get("procStart")) != str(process.start_ticks):
            return None
        found = inside.stat("projects", *_transcript(said))
    changed = _seconds(said.get("statusUpdatedAt"))
    return AgentFile(
        status=_word(said.get("status")),
        waiting_for=_word(said.get("waitingFor")),
        changed=changed if found is None else max(changed, found.st_mtime),
        size=0 if found is None else found.st_size,
        version=_word(said.get("version")),
    )


def _transcript(said: Mapping[str, object]) -> tuple[str, str]:
    """Return the folder and the name of a transcript; names that cannot be when it is not told."""
    session, cwd = said.get("sessionId"), said.get("cwd")
    if not isinstance(session, str) or not isinstance(cwd, str) or not _SESSION.fullmatch(session):
        return ("", "")
    return _NO_NAME.sub("-", cwd), f"{session}.jsonl"


def _codex(directory: int) -> AgentFile | None:
    folder = _home(directory, "CODEX_HOME", ".codex")
    owner = os.fstat(directory).st_uid
    newest: os.stat_result | None = None
    for number, target in procfs.open_files(directory):
        inside, _, name = target.rpartition("/")
        if not folder or not f"{inside}/".startswith(f"{os.path.realpath(folder)}/sessions/"):
            continue
        if not _ROLLOUT.fullmatch(name):
            continue
        found = os.stat(f"fd/{number}", dir_fd=directory)  # the very file that it writes to
        if not stat.S_ISREG(found.st_mode) or found.st_uid != owner:
            continue
        if newest is None or found.st_mtime > newest.st_mtime:
            newest = found
    return None if newest is None else AgentFile(changed=newest.st_mtime, size=newest.st_size)


def _home(directory: int, variable: str, name: str) -> str:
    """Return an agent's own folder, as its process sees it; empty when that cannot be told."""
    environ: dict[str, str] = {}
    for entry in (procfs.read(directory, "environ", procfs.ARGV_LIMIT) or b"").split(b"\0"):
        key, _, value = os.fsdecode(entry).partition("=")
        if key in {variable, "HOME"}:
            environ[key] = value
    folder = environ.get(variable, "")
    if not folder:
        home = environ.get("HOME") or pwd.getpwuid(os.fstat(directory).st_uid).pw_dir
        folder = f"{home}/{name}"
    return folder if folder.startswith("/") else ""


class _Folder:
    """Reads below one folder: plain files of one owner, through no link."""

    def __init__(self, path: str, owner: int) -> None:
        self._owner = owner
        self._fd = os.open(path, _FOLDER_FLAGS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def read(self, *parts: str) -> bytes | None:
        fd = self._open(os.O_RDONLY | os.O_NONBLOCK, parts)
        if fd is None:
            return None
        try:
            found = os.fstat(fd)
            if not self._is_plain(found) or found.st_size > FILE_LIMIT:
                return None
            return os.read(fd, FILE_LIMIT)
        finally:
            os.close(fd)

    def stat(self, *parts: str) -> os.stat_result | None:
        fd = self._open(os.O_PATH, parts)
        if fd is None:
            return None
        try:
            found = os.fstat(fd)
        finally:
            os.close(fd)
        return found if self._is_plain(found) else None

    def _is_plain(self, found: os.stat_result) -> bool:
        return stat.S_ISREG(found.st_mode) and found.st_uid == self._owner

    def _open(self, flags: int, parts: tuple[str, ...]) -> int | None:
        """Return a descriptor of a file below; None when a part of the way is missing or a link."""
        if any(part in {"", ".", ".."} or "/" in part for part in parts):
            return None
        fd = os.dup(self._fd)
        for last, part in zip((*(False for _ in parts[1:]), True), parts, strict=True):
            how = flags | os.O_CLOEXEC if last else _FOLDER_FLAGS
            try:
                below = os.open(part, how | os.O_NOFOLLOW, dir_fd=fd)
            except OSError:
                return None
            finally:
                os.close(fd)
            fd = below
        return fd


def _word(value: object) -> str:
    return clean(value, limit=WORD_LIMIT) if isinstance(value, str) else ""


def _seconds(value: object) -> float:
    """Return milliseconds since the epoch as seconds; 0.0 for what is no such number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return value / 1000 if 0 < value < 1e15 else 0.0
