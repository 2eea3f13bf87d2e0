"""Small real file systems: in an image through a loop device, or in memory; gone at the end."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MB = 1024 * 1024
MAKE = {
    "ext4": ("mkfs.ext4", "-q", "-F"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
    "btrfs": ("mkfs.btrfs", "-q", "-f", "--data", "single", "--metadata", "single"),
}
LEAST = {"xfs": 320 * MB, "btrfs": 256 * MB}
"""Smaller ones cannot be made; an image is sparse and takes what is written."""


@contextmanager
def mounted(kind: str, base: Path, size: int = 64 * MB, *how: str) -> Iterator[Path]:
    """Give the top of a new file system; skips, with the reason, where none can be had.

    Args:
        kind: `ext4`, `xfs`, `btrfs` or `tmpfs`.
        base: a directory for the image and the mount point.
        size: of all of it, in bytes; at least what this kind needs.
        how: more words for the program that makes it; mount options of a tmpfs.
    """
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    place, image = base / kind, base / f"{kind}.image"
    place.mkdir()
    if kind == "tmpfs":
        argv = ["mount", "-t", "tmpfs", "-o", ",".join((f"size={size}", *how)), "x", str(place)]
    else:
        make = MAKE[kind]
        if shutil.which(make[0]) is None:
            pytest.skip(f"{make[0]} is not installed")
        with image.open("wb") as file:
            file.truncate(max(size, LEAST.get(kind, 0)))
        _run([*make, *how, str(image)])
        argv = ["mount", "-t", kind, "-o", "loop", str(image), str(place)]
    _run(argv)
    try:
        yield place
    finally:
        # lazily: a mount that a failed test left in use is out of the way all the same
        done = subprocess.run(["umount", str(place)], capture_output=True, check=False)
        if done.returncode:
            subprocess.run(["umount", "--lazy", str(place)], check=True)
        image.unlink(missing_ok=True)


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.skip(f"{argv[0]}: {(done.stderr or done.stdout).strip()}")


def percent(place: Path) -> float:
    """Return how full it is as `df` has it, not rounded."""
    told = os.statvfs(place)
    used = told.f_blocks - told.f_bfree
    return 100 * used / (used + told.f_bavail)


def in_use(place: Path) -> int:
    """Return the bytes that are in use as `df` has it."""
    told = os.statvfs(place)
    return (told.f_blocks - told.f_bfree) * told.f_frsize


def write(path: Path, size: int) -> None:
    """Make a file of so many bytes that occupies them; nothing is written through the image."""
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def fill(place: Path, until: float, size: int, name: str = "app.log.{}") -> int:
    """Make files of one size in a directory until its file system is so full, in percent.

    Returns:
        How many.
    """
    place.mkdir(exist_ok=True)
    for number in range(100_000):
        if percent(place) >= until:
            return number
        try:
            write(place / name.format(number), size)
        except OSError as error:  # what btrfs says of free space lags behind
            if error.errno != errno.ENOSPC:
                raise
            (place / name.format(number)).unlink()
            return number
    raise AssertionError(f"{place} does not fill")
