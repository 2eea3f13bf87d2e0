"""Textual without its palette: what stands in for it gives way to the real one."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from healmon_tui import spared
spared.load_textual()
spared.load_textual()
assert "textual.app" in sys.modules
loaded = {*spared._LATER, "textual.widgets._select", "textual.widgets._tree"} & set(sys.modules)
assert not loaded, loaded

from textual.css.errors import StyleValueError
from textual.color import Color
from textual.widget import Widget
widget = Widget()
try:
    widget.styles.width = "sideways"
except StyleValueError as error:
    assert "sideways" in str(error) and "width" in str(error.help_text.summary)
else:
    raise AssertionError("no mistake was told")
assert Color.parse("red").hex

import textual.app, textual.command, rich.table, platformdirs
assert textual.command.Provider.__mro__[1:] and issubclass(textual.command.Hit, tuple) is False
assert rich.table.Table.grid()
assert textual.app.user_downloads_path() == platformdirs.user_downloads_path()
print("good")
"""


@pytest.mark.slow
def test_what_is_left_out_is_loaded_when_it_is_asked_for():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout == "good\n", done.stderr
