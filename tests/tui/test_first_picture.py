"""The first picture waits for nothing that it does not show."""

from __future__ import annotations

import subprocess
import sys

import pytest

PICTURE = """
import asyncio, sys
from healmon_tui.spared import load_textual
load_textual()
from healmon_tui.app import HealmonApp
from tests.helpers.scripted import ScriptedLink, world

async def main():
    app = HealmonApp(ScriptedLink(world()))
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.pause()
        print(*sys.modules)

asyncio.run(main())
"""
SCREENS = "answer ask command detail firstrun help history journal many menu modal page plan replay"
LATER = {
    *(f"healmon_tui.screens.{name}" for name in SCREENS.split()),
    *(f"healmon_tui.{name}" for name in ("catalog", "commands", "explaining", "firstlines")),
    *(f"healmon_tui.{name}" for name in ("inbox", "inboxlines", "modes", "session_requests")),
    *(f"healmon_tui.{name}" for name in ("stale", "takeover", "typed", "widgets.box")),
    *(f"healmon_tui.{name}" for name in ("widgets.roll",)),
    "healmon.service.archive", "healmon.service.starter", "healmon.service.host",
    "healmon.service.takeover", "healmon.config.screenchecks", "healmon.config.themefiles",
    "healmon.alerts", "healmon.config.faults", "healmon.config.settings",
    "healmon.store.moments", "sqlite3", "tomllib",
    "textual.command", "textual.css._help_text", "textual.widgets._input", "platformdirs",
}  # fmt: skip
"""What is loaded when it is asked for, or by nobody but the healer."""


@pytest.fixture(scope="module")
def loaded():
    done = subprocess.run(
        [sys.executable, "-c", PICTURE], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.slow
def test_the_first_picture_loads_nothing_that_it_does_not_show(loaded):
    assert sorted(LATER & loaded) == []


@pytest.mark.slow
def test_what_is_loaded_later_is_still_there(loaded):
    import importlib.util

    assert "healmon_tui.screens.overview" in loaded
    assert [name for name in sorted(LATER) if importlib.util.find_spec(name) is None] == []
