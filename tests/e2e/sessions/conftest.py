"""A stage to watch sessions on: private, in a folder short enough for socket paths."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.helpers.preloaded import preloaded
from tests.helpers.sessionstage import Stage

__all__ = ["preloaded"]


@pytest.fixture
def stage(preloaded):
    base = Path(tempfile.mkdtemp(prefix="hms"))
    made = Stage(base)
    yield made
    made.close()
    shutil.rmtree(base, ignore_errors=True)
