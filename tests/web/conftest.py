"""Stages that the tests of a module share: a server takes half a second to begin."""

from __future__ import annotations

import pytest

from tests.helpers import scripted
from tests.helpers.webstage import staged


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """A server before a busy evening."""
    with staged(tmp_path_factory.mktemp("web") / "state", past=scripted.world()) as made:
        yield made


@pytest.fixture(autouse=True)
def _no_guesses_left(request):
    """Wrong tokens of one test are not counted against the next."""
    yield
    if "stage" in request.fixturenames:
        stage = request.getfixturevalue("stage")
        stage.context.tries.forget()
        stage.asked.clear()
        stage.answers.clear()
