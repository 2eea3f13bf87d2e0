"""One time zone and no wishes of the environment for all tests of the screen."""

from __future__ import annotations

import os
import time

import pytest
from textual.css.stylesheet import Stylesheet


@pytest.fixture(scope="session", autouse=True)
def _style_sheets_parsed_once():
    """Keep parsed style sheets for all apps: each app would parse the same ones again."""
    parsed, parse = {}, Stylesheet._parse_rules

    def kept(self, *source, **more):
        key = (source, tuple(more.items()), tuple(self._variables.items()))
        if key not in parsed:
            parsed[key] = parse(self, *source, **more)
        return parsed[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", kept)
        yield


@pytest.fixture(autouse=True)
def _same_everywhere(monkeypatch):
    for name in ("NO_COLOR", "CLICOLOR", "TEXTUAL", "TEXTUAL_THEME", "TEXTUAL_FILTERS"):
        monkeypatch.delenv(name, raising=False)
    # no test has to look before it acts, but those that are about that
    monkeypatch.setattr("healmon_tui.screens.modal.READ", 0.0)
    monkeypatch.setattr("healmon_tui.widgets.panel.SEEN", 0.0)
    before = os.environ.get("TZ")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    if before is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = before
    time.tzset()
