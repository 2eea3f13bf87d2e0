"""The benchmark of databases: its arithmetic, and one short run of all of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.databases import __main__ as bench
from benchmarks.databases.measure import Result
from benchmarks.databases.table import growth, ratio, text

ROOT = Path(__file__).parents[2]
RESULTS = [
    Result("healmon", "wal", 0, [0.001, 0.002, 0.009], [0.001], 1, right=True),
    Result("healmon", "wal", 50, [0.004], [0.001], 1, right=True),
    Result("lsof", "wal", 0, [0.2], [0.1], 13, right=True),
    Result("lsof", "wal", 50, [0.4], [0.1], 13, right=False),
]


def test_ratios_are_medians_against_lsof():
    assert ratio(RESULTS, "healmon", 0) == pytest.approx(100)
    assert ratio(RESULTS, "healmon", 50, cpu=True) == pytest.approx(100)
    assert ratio(RESULTS, "fuser", 0) is None
    assert growth(RESULTS, "healmon") == pytest.approx(2)


def test_the_table_says_who_named_somebody_else():
    head = {"cpus": 2, "kernel": "6", "python": "3", "sqlite": "3.40.1", "load": [0.1, 0.2]}
    told = text(head, RESULTS)
    assert "13 (not the holder)" in told
    assert told.count("(not the holder)") == 1


def test_counts_are_refused_when_they_are_none():
    with pytest.raises(SystemExit):
        bench.parser().parse_args(["--more", "few"])
    assert bench.parser().parse_args(["--more", "5,0"]).more == (0, 5)


@pytest.mark.slow
def test_one_short_run(tmp_path):
    out = subprocess.run(
        [sys.executable, "-m", "benchmarks.databases", "--quick", "--json", tmp_path / "o.json"],
        cwd=ROOT, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert out.returncode == 0, out.stderr
    found = json.loads((tmp_path / "o.json").read_text())
    ours = [result for result in found["results"] if result["name"] == "healmon"]
    assert len(ours) == 4
    # one name, and the right one
    assert all((result["named"], result["right"]) == (1, True) for result in ours)
    assert "healmon" in out.stdout
