"""Actors, watches and file systems for the tests with real databases."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.dbactor import Actors
from tests.helpers.dbwatch import Watch


@pytest.fixture
def actors() -> Iterator[Actors]:
    made = Actors()
    yield made
    made.close()


@pytest.fixture
def watch() -> Iterator[Callable[..., Watch]]:
    made: list[Watch] = []

    def begin(path: Path, **settings: object) -> Watch:
        made.append(Watch(path, **settings))
        return made[-1]

    yield begin
    for one in made:
        one.close()


@pytest.fixture(params=["delete", "wal"])
def mode(request) -> str:
    return request.param


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """An ext4 file system of 16 MB with 1 KiB blocks, of this test alone."""
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        pytest.skip("needs root and mkfs.ext4 to mount a file system of its own")
    image, where = tmp_path / "image", tmp_path / "disk"
    image.touch()
    os.truncate(image, 16 << 20)
    where.mkdir()
    subprocess.run(["mkfs.ext4", "-q", "-b", "1024", image], check=True)
    done = subprocess.run(["mount", "-o", "loop", image, where], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no loop mount here: {done.stderr.strip()[:100]}")
    yield where
    subprocess.run(["umount", "-l", where], check=True)
