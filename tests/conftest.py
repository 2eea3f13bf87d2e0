"""What all tests share."""

from __future__ import annotations

import gc

import pytest
from hypothesis import settings

from tests.helpers.examples import examples

# a busy machine is no fault of the code under test; forty examples keep the suite short
settings.register_profile("untimed", deadline=None, max_examples=examples(40))
settings.load_profile("untimed")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keep what was collected out of the collector's sight: it stays anyway.

    Nine thousand tests are 300,000 objects, and to walk over them was a fifth of the time.
    """
    gc.collect()
    gc.freeze()
