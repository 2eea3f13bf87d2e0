"""What all tests share."""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import settings

# a busy machine is no fault of the code under test; forty examples keep the suite short
settings.register_profile("untimed", deadline=None, max_examples=40)
# `make test-fast`: a few examples of each property, for the time between two thoughts
settings.register_profile("fast", deadline=None, max_examples=10)
settings.load_profile(os.environ.get("HEALMON_TESTS", "untimed"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keep what was collected out of the collector's sight: it stays anyway.

    Nine thousand tests are 300,000 objects, and to walk over them was a fifth of the time.
    """
    gc.collect()
    gc.freeze()
