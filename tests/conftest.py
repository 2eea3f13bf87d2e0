"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

# a busy machine is no fault of the code under test
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
