"""What of many examples and cases is tried in `make test-fast`; `make test` tries all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TypeVar

import pytest

T = TypeVar("T")
FAST = os.environ.get("HEALMON_TESTS") == "fast"


def examples(full: int) -> int:
    """Return how many to try where the whole suite tries `full`."""
    return max(2, full // 8) if FAST else full


def some(cases: Sequence[T]) -> Sequence[T]:
    """Return those of many cases that are tried: all by the whole suite."""
    return cases[::4] if FAST else cases


def span(full: float) -> float:
    """Return how long to simulate where the whole suite simulates `full`."""
    return full / 4 if FAST else full


def first_fast(*cases: Any) -> list[Any]:
    """Return cases to parametrise one name with: the first is for every tier, the others slow."""
    first, *others = cases
    return [first, *(pytest.param(case, marks=pytest.mark.slow) for case in others)]


def first_sets_fast(*sets: tuple[Any, ...]) -> list[Any]:
    """Return the same for several names."""
    first, *others = sets
    return [first, *(pytest.param(*values, marks=pytest.mark.slow) for values in others)]
