"""The benchmark of looking at sessions: what it says, and one short run of all of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.sessions import __main__ as bench
from benchmarks.sessions import cycle

ROOT = Path(__file__).parents[2]


def cost(cpu: float, rss: float = 30e6) -> cycle.Told:
    return {"wall": cpu, "own": cpu / 2, "server": cpu / 2, "cpu": cpu, "rss": rss, "seen": 200}


def results(tmux: float = 0.03, whole: float = 0.3, rss: float = 30e6) -> dict[str, cycle.Told]:
    ours = {
        f"healmon {way}, {share:.0%} moved": cost(whole if way == "cycle" else tmux, rss)
        for way in ("tmux", "look", "cycle")
        for share in cycle.MOVES
    }
    return ours | {"subprocess": cost(1.5), "control-mode": cost(0.03)}


TWO = {1.0: 2, 0.0: 1}


def missed(found: dict[str, cycle.Told], calls: dict[float, int] = TWO) -> list[str]:
    return [goal.what.split()[0] for goal in cycle.goals(found, calls) if not goal.reached]


def test_goals_are_reached_or_missed() -> None:
    assert missed(results()) == []
    assert missed(results(tmux=0.04)) == ["40"]
    assert missed(results(whole=0.7)) == ["less"]
    assert missed(results(rss=101e6)) == ["less"]
    assert missed(results(), {1.0: 3, 0.0: 1}) == ["2"]


def test_the_table_has_a_line_for_each_way_and_each_goal() -> None:
    text = cycle.table(results(), TWO, 200)
    assert "one look at 200 sessions" in text
    for name in results():
        assert sum(line.startswith(f"{name} ") for line in text.splitlines()) == 1
    assert text.count("reached") == 4
    assert "MISSED" in cycle.table(results(tmux=1.0), TWO, 200)


def test_a_word_for_nobody_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--quick"]) == bench.EXIT_USAGE
    assert "cycle" in capsys.readouterr().err


@pytest.mark.long(75)
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_a_short_run_looks_at_every_session_every_way(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.sessions", "cycle", "--quick", "--sessions", "4",
         "--no-libtmux", "--json", str(file)],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stderr
    told = json.loads(file.read_text())
    assert {one["seen"] for one in told["ways"].values()} == {4}
    assert told["calls"] == {"1.0": 2, "0.0": 1}
    assert not list(tmp_path.glob("hm-*")), "nothing stays"
