"""How many examples of a property are tried: all in `make test`, a few in `make test-fast`."""

from __future__ import annotations

import os

FAST = os.environ.get("HEALMON_TESTS") == "fast"


def examples(full: int) -> int:
    """Return how many to try where the whole suite tries `full`."""
    return max(2, full // 8) if FAST else full
