"""What of many examples and cases is tried in `make test-fast`; `make test` tries all."""

from __future__ import annotations

import os
from typing import Any

import pytest

FAST = os.environ.get("HEALMON_TESTS") == "fast"


def examples(full: int) -> int:
    """Return how many to try where the whole suite tries `full`."""
    return max(2, full // 8) if FAST else full


def first_fast(*cases: Any) -> list[Any]:
    """Return cases to parametrise with: the first is for every tier, the others are slow ones."""
    first, *others = cases
    return [first, *(pytest.param(case, marks=pytest.mark.slow) for case in others)]
