"""What all tests share."""

from __future__ import annotations

import gc
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.helpers.examples import FAST, examples
from tests.helpers.order import dealt

# a busy machine is no fault of the code under test; forty examples keep the suite short
settings.register_profile(
    "untimed", deadline=None, max_examples=examples(40),
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
settings.load_profile("untimed")


SLOW = re.compile(r"^pytestmark = (\[\s*)?pytest\.mark\.slow", re.MULTILINE)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out whole modules of slow tests in the fast tier: each worker would load them."""
    if FAST and collection_path.suffix == ".py":
        return bool(SLOW.search(collection_path.read_text("utf-8"))) or None
    return None


@pytest.hookimpl(trylast=True)  # when all that is left out has been
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have xdist's workers begin with what is marked `long` (`tests/helpers/order.py`)."""
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    marks = [item.get_closest_marker("long") for item in items]
    if workers > 1:
        items[:] = dealt(items, [mark.args[0] if mark else 0.0 for mark in marks], workers)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keep what was collected out of the collector's sight: it stays anyway.

    Nine thousand tests are 300,000 objects, and to walk over them was a fifth of the time. To look
    for garbage less often than every 700 objects saves a tenth of what is left.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture
def shallow() -> Iterator[Path]:
    """Give a directory whose path leaves room for that of a Unix socket.

    pytest numbers its own: after a thousand runs on a machine they were too long.
    """
    with tempfile.TemporaryDirectory(prefix="hm-", ignore_cleanup_errors=True) as made:
        yield Path(made)
