"""What every event is."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from healmon.plans import Severity


class Base(msgspec.Struct, frozen=True, tag_field="kind", tag=str.lower):
    """Base of all events; `kind` in the store is the class name in lower case."""

    severity: ClassVar[Severity] = "INFO"
