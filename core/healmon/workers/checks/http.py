"""Ready when a URL answers with a status of 200 to 399."""

from __future__ import annotations

from healmon.errors import ProbeError
from healmon.redact import redact_line
from healmon.text import clean
from healmon.workers.checks.model import Outcome
from healmon.world.httpget import UnaskedError, status_of


async def check(url: str, patience: float) -> Outcome:
    """Return whether a URL answers well in time.

    Raises:
        ProbeError: it could not be asked.
    """
    shown = clean(redact_line(url), limit=200)
    try:
        status = await status_of(url, patience)
    except UnaskedError:
        raise
    except ProbeError as error:
        return Outcome(ok=False, text=f"{shown}: {error}")
    return Outcome(200 <= status < 400, f"{shown} answers {status}")
