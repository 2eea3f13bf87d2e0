"""One browser for each module: it costs half a second of processor to start."""

from __future__ import annotations

import contextlib

import pytest

from tests.helpers import scripted
from tests.helpers.browser import launched
from tests.helpers.webstage import staged


@pytest.fixture(scope="module")
def browser():
    with launched() as made:
        yield made


@pytest.fixture
def evening(tmp_path):
    """A busy evening, seen by the real server."""
    with staged(tmp_path / "state", past=scripted.world()) as made:
        yield made


@pytest.fixture
def enter(browser, evening):
    """Sign in as somebody does who follows the address that healmon prints; gives the tab."""
    with contextlib.ExitStack() as stack:

        def entered(role: str = "operator", *, view: str = "health", **window):
            tab = browser.tab(**window)
            stack.callback(tab.close)
            tab.go(evening.login_url(role))
            tab.until("location.pathname === '/' && document.querySelector('.workers .row')")
            if view != "health":
                tab.run(f"location.hash = '{view}'")
                tab.until(f"!document.querySelector('[data-view={view}]').hidden")
            return tab

        yield entered
