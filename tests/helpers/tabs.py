"""The programs behind a browser's tabs, as the kernel knows them."""

from __future__ import annotations

import contextlib
from pathlib import Path

GONE = 60.0
"""Seconds after which nothing of a closed tab is left, however busy the machine is."""


def programs(state: Path) -> list[int]:
    """The tabs' programs on a state directory that run."""
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                said = (folder / "cmdline").read_bytes().split(b"\0")
                if b"healmon_tui.tab" in said and str(state).encode() in said:
                    found.append(int(folder.name))
    return found


def words(pid: int) -> list[str]:
    """What a program was started with."""
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def environment(pid: int) -> bytes:
    """Its environment as it was started with it."""
    return Path(f"/proc/{pid}/environ").read_bytes()
