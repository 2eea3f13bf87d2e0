"""The benchmark of the screen: what it says, and one short run of all that needs no peer."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.tui import __main__ as bench
from benchmarks.tui import hours, table

ROOT = Path(__file__).parents[2]
START = {"paint_cpu": 0.01, "paint_wall": 0.01}


def told(cpu: float = 0.002, rss: float = 40 * 2**20, paint: float = 0.2) -> dict[str, float]:
    return {
        "cpu": cpu, "rss": rss, "pss": rss, "wakeups": 10, "written": 100, "paint_cpu": paint,
        "paint_wall": paint, "key_median": 0.01, "key_p90": 0.02,
    }  # fmt: skip


def results(**changes: dict[str, float]) -> dict[str, dict[str, float]]:
    names = (table.IDLE, table.ONE, table.TEN, table.FLOOD, table.INSIDE, table.ATTACHED)
    return {name: told() for name in names} | {"glances 4": told(0.02)} | changes


def missed(found: dict[str, dict[str, float]], soak: list[float] | None = None) -> list[str]:
    lived = [{"hour": n, "rss": rss} for n, rss in enumerate(soak or [])]
    return [
        goal.what.split(":")[0] for goal in table.goals(found, START, lived) if not goal.reached
    ]


def test_goals_are_reached_or_missed() -> None:
    assert missed(results(), [50e6, 51e6, 51e6]) == []
    assert missed(results(**{table.IDLE: told(0.004)})) == ["idle"]
    assert missed(results(**{table.TEN: told(0.08)})) == ["10 Hz"]
    assert missed(results(**{table.ONE: told(0.011)})) == ["1 Hz"]
    assert missed(results(**{table.ATTACHED: told(rss=46 * 2**20)})) == ["attached"]
    assert missed(results(**{table.ATTACHED: told(paint=0.3)})) == ["first picture"]
    assert missed(results(), [50e6, 51e6, 60e6]) == ["memory from the middle to the end"]


def test_the_table_has_a_line_for_everybody_and_each_goal() -> None:
    head = {"size": [80, 24], "cpus": 2, "load": [1.0, 2.0]}
    text = table.text(head, results(), START, [{"hour": n, "rss": 5e7} for n in range(3)])
    for name in results():
        assert sum(line.startswith(f"{name} ") for line in text.splitlines()) == 1
    assert text.count("reached") == 8


def test_the_story_is_the_same_each_time_and_as_long_as_it_says() -> None:
    first = list(hours.story(0.5))
    assert first == list(hours.story(0.5))
    assert 29 * 60 <= first[-1].wall - first[0].wall <= 30 * 60


@pytest.mark.parametrize("words", [["--size", "80"], ["--size", "axb"]])
def test_a_size_is_columns_and_lines(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench.parser().parse_args(words)
    assert "columns x lines" in capsys.readouterr().err


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder for sockets: their paths hold a hundred characters."""
    with tempfile.TemporaryDirectory(prefix="hm-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.long(35)
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_a_short_run_measures_every_way(short_path: Path) -> None:
    file = short_path / "out.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.tui", "--quick", "--no-peers", "--seconds", "0.5",
         "--hours", "0.1", "--size", "80x24", "--json", str(file)],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
        env=os.environ | {"TMPDIR": str(short_path)},
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stderr
    written = json.loads(file.read_text())
    assert set(written["results"]) == {
        "bare Textual", table.IDLE, table.ONE, table.TEN, table.FLOOD, table.INSIDE, table.ATTACHED,
    }  # fmt: skip
    assert all(one["rss"] > 1e7 for one in written["results"].values())
    assert written["results"][table.FLOOD]["key_median"] > 0
    assert not list(short_path.glob("healmon-bench-*")), "nothing stays"
