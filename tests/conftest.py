"""What all tests share."""

from __future__ import annotations

import gc
import re
from pathlib import Path

import pytest
from hypothesis import settings

from tests.helpers.examples import FAST, examples

# a busy machine is no fault of the code under test; forty examples keep the suite short
settings.register_profile("untimed", deadline=None, max_examples=examples(40))
settings.load_profile("untimed")


SLOW = re.compile(r"^pytestmark = (\[\s*)?pytest\.mark\.slow", re.MULTILINE)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out whole modules of slow tests in the fast tier: each worker would load them."""
    if FAST and collection_path.suffix == ".py":
        return bool(SLOW.search(collection_path.read_text("utf-8"))) or None
    return None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keep what was collected out of the collector's sight: it stays anyway.

    Nine thousand tests are 300,000 objects, and to walk over them was a fifth of the time. To look
    for garbage less often than every 700 objects saves a tenth of what is left.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
