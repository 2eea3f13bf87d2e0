"""`healmon-tui` without a screen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import json, sys
import healmon_tui.cli as cli
seen = sorted(name for name in sys.modules if name.split(".")[0] in ("textual", "rich"))
print(json.dumps(seen))
"""

REFUSED = """
import asyncio, sys
from tests.helpers.scripted import ScriptedLink, world
from healmon_tui.cli import open_screen
link = ScriptedLink(world())
code = open_screen(link, mouse=False)
print("closed", link.closed)
sys.exit(code)
"""


def python(program, *, stdin=subprocess.DEVNULL, **environ):
    return subprocess.run(
        [sys.executable, "-c", program],
        stdin=stdin,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, **environ},
        timeout=300,
        check=False,
    )


def test_importing_the_command_loads_no_screen():
    done = python(PROGRAM)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


@pytest.mark.slow
def test_without_a_terminal_it_refuses_in_one_line():
    done = python(REFUSED)
    assert done.returncode == 64
    assert done.stdout == "closed 1\n"
    assert done.stderr.count("\n") == 1
    assert "--no-ui" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
