"""The benchmark of the service runs, and a day of a healer does not grow."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.service.day import day

pytestmark = pytest.mark.slow


def test_a_third_of_a_day_does_not_grow(tmp_path) -> None:
    readings = list(day(tmp_path, 8))
    assert len(readings) >= 7
    warm, last = readings[2][1], readings[-1][1]
    assert last - warm < 1536, readings


def test_how_to_run_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.service", "--help"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0
    assert "--quick" in done.stdout
