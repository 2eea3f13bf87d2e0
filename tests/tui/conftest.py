"""One time zone and no wishes of the environment for all tests of the screen."""

from __future__ import annotations

import os
import time

import pytest


@pytest.fixture(autouse=True)
def _same_everywhere(monkeypatch):
    for name in ("NO_COLOR", "CLICOLOR", "TEXTUAL", "TEXTUAL_THEME", "TEXTUAL_FILTERS"):
        monkeypatch.delenv(name, raising=False)
    before = os.environ.get("TZ")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    if before is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = before
    time.tzset()
