"""Programs in a namespace of mounts of their own: what they mount goes with them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CORE = Path(__file__).parents[2] / "core"


def told_apart(story: str, folder: Path, *words: str) -> Any:
    """Return what a Python program tells as JSON in its last line; skips where it may not mount.

    Args:
        story: the program; it gets a directory to mount on, and the words.
        folder: where that directory is made.
        words: what it is told besides.
    """
    place = folder / "small"
    place.mkdir()
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", story,
         str(place), *words],
        capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "PYTHONPATH": str(CORE)},
    )  # fmt: skip
    if "unshare:" in done.stderr or "mount:" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
