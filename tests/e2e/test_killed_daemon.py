"""A daemon killed at random moments with everything in play; see also `make kill-sweep`."""

from __future__ import annotations

import pytest

from tests.helpers.killsweep import sweep

pytestmark = pytest.mark.slow


@pytest.mark.long(60)
def test_kills_at_random_moments_lose_nothing_and_double_nothing():
    counted = sweep(6, seed=5)
    assert counted["killed while up"] + counted["killed while starting"] == 6
    assert counted["tasks"], "no task was in play"
    assert counted["acts"] > 3, "nothing was healed"
