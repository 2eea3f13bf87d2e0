"""What tests of doors share."""

from __future__ import annotations

from tests.helpers.preloaded import preloaded

__all__ = ["preloaded"]
