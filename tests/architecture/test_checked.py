"""What calls the core is type-checked with it: a changed signature is found before it runs."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_both_checkers_look_at_the_core_and_at_whoever_calls_it() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert tools["mypy"]["strict"]
    assert set(tools["mypy"]["packages"]) == {"healmon", "healmon_tui", "benchmarks", "tools"}
    assert tools["pyright"]["typeCheckingMode"] == "strict"
    assert set(tools["pyright"]["include"]) == {"core", "tui", "benchmarks", "tools"}
