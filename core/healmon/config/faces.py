"""What a healer's faces need that is not installed. It heals without them, and an alert says so."""

from __future__ import annotations

from healmon.config import extras, metricskeys, webkeys
from healmon.config.lines import KeyPath
from healmon.config.settings import Settings


def missing(settings: Settings) -> tuple[tuple[KeyPath, str], ...]:
    """Return each setting that asks for an extra that is not there, and how to get it."""
    asked = (
        (("web", "listen"), settings.web.listen, webkeys.EXTRA, webkeys.MISSING),
        (("metrics", "listen"), settings.metrics.listen, metricskeys.EXTRA, metricskeys.MISSING),
    )
    return tuple(
        (path, said) for path, wanted, module, said in asked
        if wanted and not extras.installed(module)
    )  # fmt: skip
