"""From `ready` and `liveness` to the check that they ask for."""

from __future__ import annotations

import asyncio
from functools import partial

from healmon.config.settings import Ready
from healmon.errors import ProbeError
from healmon.text import clean
from healmon.workers.checks import command, heartbeat, http, tcp
from healmon.workers.checks.log import LogLine
from healmon.workers.checks.model import SLACK, Checker, Doors, Outcome, Subject


def checker(ready: Ready, subject: Subject, doors: Doors) -> Checker:
    """Return what makes one check of a worker; ask it again and again."""
    return partial(_bounded, _plain(ready, subject, doors), ready.timeout + SLACK)


def _plain(ready: Ready, subject: Subject, doors: Doors) -> Checker:
    if ready.tcp is not None:
        return partial(tcp.check, ready.tcp, ready.timeout, subject, doors)
    if ready.http:
        return partial(http.check, ready.http, ready.timeout)
    if ready.command:
        return partial(command.check, ready.command, ready.timeout, subject, doors)
    if ready.log:
        return LogLine(ready.log, subject, doors).check
    return partial(heartbeat.check, subject, doors)


async def _bounded(check: Checker, patience: float) -> Outcome:
    """Make a check; what hangs or cannot be seen tells nothing."""
    try:
        async with asyncio.timeout(patience):
            return await check()
    except TimeoutError:
        return Outcome(None, f"the check hangs for more than {patience:g} s")
    except ProbeError as error:
        return Outcome(None, str(error))
    except OSError as error:  # no descriptor left for a pipe, say: the worker is not to blame
        return Outcome(None, clean(f"the check cannot be made: {error.strerror or error}"))
