"""The benchmark of the service runs, and a day of a healer does not grow."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.service.day import day

pytestmark = pytest.mark.slow


def test_half_a_day_does_not_grow(tmp_path) -> None:
    # by the eighth hour a worker has been restarted and old events pruned for the first time
    readings = list(day(tmp_path, 14))
    assert len(readings) >= 13
    warm, last = readings[8][1], readings[-1][1]
    assert last - warm < 1200, readings


def test_how_to_run_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.service", "--help"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0
    assert "--quick" in done.stdout
