"""The two databases of a demo, as awkward as the ones found in the wild.

Both builders are deterministic: the same arguments give the same rows. Tests use them too.
"""

from __future__ import annotations

from healmon.demo.architect_db import build_architect
from healmon.demo.assigner_db import build_assigner

__all__ = ["build_architect", "build_assigner"]
