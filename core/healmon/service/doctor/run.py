"""All checks side by side, each on a thread of its own with a deadline.

A check that hangs (a dead mount, a stopped server) is left behind: its thread is a daemon, so it
keeps neither the others waiting nor the program from ending.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from typing import Final

from healmon.clock import process_seconds
from healmon.errors import HealmonError
from healmon.service.doctor.model import Checked, Finding, Ground
from healmon.text import clean

DEADLINE: Final = 10.0
"""Seconds that one check may take; all of them begin together."""


def examine(ground: Ground, checks: Sequence[Checked], deadline: float = DEADLINE) -> list[Finding]:
    """Return what the checks found, in their order; a check that hangs or fails says so."""
    answers: queue.SimpleQueue[tuple[int, list[Finding]]] = queue.SimpleQueue()

    def ask(place: int, check: Checked) -> None:
        answers.put((place, _asked(check, ground)))

    for place, check in enumerate(checks):
        name = f"doctor {check.name}"
        threading.Thread(target=ask, args=(place, check), name=name, daemon=True).start()
    found: dict[int, list[Finding]] = {}
    until = process_seconds() + deadline
    while len(found) < len(checks):
        try:
            place, answer = answers.get(timeout=max(0.0, until - process_seconds()))
        except queue.Empty:
            break
        found[place] = answer
    late = f"no answer within {deadline:g} s"
    return [
        finding
        for place, check in enumerate(checks)
        for finding in found.get(place, [Finding(check.name, "unknown", late)])
    ]


def _asked(check: Checked, ground: Ground) -> list[Finding]:
    found: list[Finding] = []
    try:
        # one by one: what was found before it failed is kept
        found.extend(check.look(ground))
    except HealmonError as error:
        found.append(Finding(check.name, "unknown", clean(str(error.args[0])), "", error.remedy))
    except Exception as error:  # noqa: BLE001 - one check's crash must not end the others
        said = clean(f"the check failed: {type(error).__name__}: {error}", limit=300)
        found.append(Finding(check.name, "unknown", said))
    return found
