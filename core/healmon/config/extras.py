"""Which optional parts are installed. Asks without loading them."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Final

ZSTD: Final = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"


def installed(module: str) -> bool:
    """Return whether a module can be imported."""
    try:
        return find_spec(module) is not None
    except ImportError:  # the package that it is in is missing
        return False
