"""What all tests share."""

from __future__ import annotations

import os

from hypothesis import settings

# a busy machine is no fault of the code under test; forty examples keep the suite short
settings.register_profile("untimed", deadline=None, max_examples=40)
# `make test-fast`: a few examples of each property, for the time between two thoughts
settings.register_profile("fast", deadline=None, max_examples=10)
settings.load_profile(os.environ.get("HEALMON_TESTS", "untimed"))
