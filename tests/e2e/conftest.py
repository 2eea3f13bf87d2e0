"""Boxes to try healmon in, as a person would."""

from __future__ import annotations

import pytest

from tests.helpers.box import Box


@pytest.fixture
def box(tmp_path):
    made = Box(tmp_path)
    yield made
    made.close()
