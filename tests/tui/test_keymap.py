"""The one table of keys."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from healmon_tui import keymap
from healmon_tui.screens.overview import Overview
from healmon_tui.viewmodel import PANELS

DOCS = Path(__file__).parents[2] / "docs" / "keys.md"


def test_the_reference_is_true():
    assert DOCS.read_text("utf-8") == keymap.markdown(), (
        "python -m healmon_tui.keymap > docs/keys.md"
    )


def test_no_key_does_two_things_and_every_id_is_one():
    keys = Counter(key for action in keymap.ACTIONS for key in action.keys)
    assert [key for key, count in keys.items() if count > 1] == []
    ids = Counter(action.id for action in keymap.ACTIONS)
    assert max(ids.values()) == 1


def test_every_action_exists():
    for action in keymap.ACTIONS:
        name = action.action.split("(")[0]
        if not name.startswith("app."):
            assert hasattr(Overview, f"action_{name}"), action.id


def test_nothing_that_touches_the_world_sits_on_ctrl_or_a_function_key():
    for action in keymap.ACTIONS:
        if action.tier:
            assert all(len(key) == 1 for key in action.keys), action.id


def test_ctrl_z_is_left_alone():
    assert "ctrl+z" not in {key for action in keymap.ACTIONS for key in action.keys}


@pytest.mark.parametrize("focus", PANELS)
def test_help_stands_first_in_every_footer(focus):
    footer = keymap.footer(focus, focus, keymap.actions())
    assert footer[0] == ("?", "help")
    assert ("q", "quit") in footer


def test_the_footer_shows_what_fits_the_selected_row():
    usable = keymap.actions()
    assert keymap.footer("workers", "workers", usable)[1] == ("r", "restart")
    assert keymap.footer("alerts", "disks", usable)[1:3] == [("a", "ack"), ("c", "clean")]
    assert ("F", "fault") in keymap.footer("workers", "workers", keymap.actions(demo=True))
    assert ("F", "fault") not in keymap.footer("workers", "workers", usable)


def test_reading_only_leaves_no_act():
    left = keymap.actions(read_only=True)
    assert all(action.tier is None for action in left)
    assert {"app.help", "app.quit", "view.freeze"} <= {action.id for action in left}


def test_help_has_every_action():
    for focus in PANELS:
        text = str(keymap.help_lines(focus, keymap.actions(demo=True)))
        for action in keymap.ACTIONS:
            if not action.id.startswith("panel."):
                assert action.text in text
        assert "1 2 3 4 5" in text
