"""The marker of a demo's directory: whose it is, and what was started for it.

It is what `sweep` goes by when the owner was killed, so it is written before anything is started
and replaced as a whole, never in place.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec

from healmon.demo import owned
from healmon.demo.layout import Layout
from healmon.world.processes import Identity, Processes

FORMAT = 1
LARGEST = 1 << 20
"""Bytes that a manifest may have; a larger file is none of ours."""


class Started(msgspec.Struct, frozen=True):
    """A process that was started for the demo; `what` is for people."""

    what: str
    identity: Identity


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What is written down of a demo.

    Attributes:
        healmon_demo: the version of this format.
        directory: where the demo was made; a copy elsewhere is not a demo of ours.
        python: the interpreter that runs its programs.
        owner: the process that made it and will remove it.
        namespace: the pid namespace in which `owner` and `started` have meaning.
        started: every process and tmux server started for it.
    """

    healmon_demo: int = FORMAT
    directory: str
    python: str
    owner: Identity
    namespace: int
    started: tuple[Started, ...] = ()


def write(layout: Layout, manifest: Manifest) -> None:
    """Replace the manifest."""
    fresh = layout.manifest.with_suffix(".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2))
    fresh.replace(layout.manifest)


def read(root: Path) -> Manifest | None:
    """Return the manifest of a directory that is provably a demo of this user; else None.

    Proof: a real directory (no link) of ours, closed to others (0700), with a manifest of ours
    that names this very directory.
    """
    try:
        status = root.lstat()
        own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
        if not own or stat.S_IMODE(status.st_mode) != 0o700:
            return None
        manifest = msgspec.json.decode(_text(Layout(root).manifest), type=Manifest)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None
    fits = manifest.healmon_demo == FORMAT and manifest.directory == str(root)
    return manifest if fits else None


def _text(path: Path) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, "rb") as file:  # noqa: PTH123 - from a descriptor that follows no link
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            raise ValueError("not a manifest of ours")
        return file.read(LARGEST)


def abandoned(processes: Processes, manifest: Manifest) -> bool:
    """Whether its owner is dead for certain; False when that cannot be told from here."""
    here = owned.pid_namespace()
    if not here or here != manifest.namespace or manifest.owner.boot == "unknown":
        return False
    return not owned.alive(processes, manifest.owner)
