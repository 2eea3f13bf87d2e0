"""How much automatic cleaning takes before a person is needed. Pure.

All automatic cleanings of one disk or budget within `disk.max_within` stay below `disk.max_files`
and `disk.max_bytes` together. One that was stopped there is the last until it is older than that,
or a person cleans (`healmon clean`). One whose end nobody knows counts as all that it might take.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from healmon.attempts import Attempt
from healmon.clock import Reading, format_utc
from healmon.config.settings import Disk
from healmon.disks import words
from healmon.disks.model import ALONE, CLEAN, Gauge, Memory, More, Spent, Target
from healmon.plans import Finding
from healmon.state import Snapshot, finished_on
from healmon.units import duration_text, size_text
from healmon.world.filedata import FOREVER, Tally

_BY_ITSELF: Final = "healmon"
"""The origin of plans that nobody asked for."""


def is_set(disk: Disk) -> bool:
    """Return whether there is a ceiling at all."""
    return bool(disk.max_files or disk.max_bytes)


def remember(
    memory: Memory, component: str, gauge: Gauge, disk: Disk, known: Snapshot, now: Reading
) -> Memory:
    """Return the memory with what automatic cleanings took that count now."""
    mine = [a for a in known.attempts.get(CLEAN, ()) if a.component == component]
    # by one rule alone says nothing of what the others want
    by_hand = (a for a in mine if a.origin != _BY_ITSELF and ALONE not in a.subject)
    asked = max((a.due for a in by_hand), default=0.0)
    approved = max(memory.approved, asked)

    def counts(due: float) -> bool:
        # one of the future is of another boot: it counts as made now
        return due > approved and max(now.steady - due, 0.0) < disk.max_within

    spent, more = [one for one in memory.spent if counts(one.due)], memory.more
    noted = {one.due for one in spent}
    for attempt, following in zip(mine, [*mine[1:], None], strict=False):
        under_way = attempt.ok is None and following is None and component in known.plans
        new = attempt.origin == _BY_ITSELF and attempt.due not in noted and counts(attempt.due)
        if new and not under_way:
            details = _details(attempt, following, known)
            spent.append(_spent(attempt, details, disk))
            more = _more(details)
    over = is_set(disk) and any(one.stopped for one in spent) and gauge.worst >= disk.target
    return replace(memory, spent=tuple(spent), approved=approved, more=more if over else None)


def _details(attempt: Attempt, following: Attempt | None, known: Snapshot) -> dict[str, Any] | None:
    """Return what an attempt said of itself; None: nobody knows what it did."""
    until = following.at if following is not None else float("inf")
    done = (a for a in finished_on(known, attempt.component) if a.action == CLEAN)
    # one that found nothing to do is no attempt: it says nothing of the one before it
    begun = (a for a in done if a.details.get("begun", True))
    told = (a for a in begun if attempt.at <= a.at < until)
    action = next(told, None)
    return action.details if action is not None and "by_rule" in action.details else None


def _spent(attempt: Attempt, details: dict[str, Any] | None, disk: Disk) -> Spent:
    if details is None:
        return Spent(attempt.due, disk.max_files, disk.max_bytes, stopped=True)
    files, held = details["by_rule"]
    return Spent(attempt.due, files, held, stopped=bool(details.get("more")))


def _more(details: dict[str, Any] | None) -> More | None:
    if details is None:
        return More()
    told = details.get("more")
    return More(*told) if told else None


def left(memory: Memory, disk: Disk) -> Tally | None:
    """Return what an automatic cleaning may take now; None: there is no ceiling."""
    if not is_set(disk):
        return None
    if any(one.stopped for one in memory.spent):
        return Tally()
    files = sum(one.files for one in memory.spent)
    held = sum(one.held for one in memory.spent)
    return Tally(
        max(0, disk.max_files - files) if disk.max_files else FOREVER,
        max(0, disk.max_bytes - held) if disk.max_bytes else FOREVER,
    )


def reached(memory: Memory, disk: Disk) -> bool:
    """Return whether nothing more goes before a person asks for it, or time has passed."""
    rest = left(memory, disk)
    return rest is not None and not (rest.files and rest.held)


def keys(disk: Disk) -> str:
    """Return the ceiling as it is configured: `disk.max_files = 10, within 1d`."""
    texts = [f"disk.max_files = {disk.max_files}"] if disk.max_files else []
    texts += [f"disk.max_bytes = {size_text(disk.max_bytes)}"] if disk.max_bytes else []
    return f"{' and '.join(texts)}, within {duration_text(disk.max_within)}"


def obstacle(target: Target) -> str:
    """Return why nothing more is cleaned, for the alert that says how full it is."""
    return f"cleaning by itself has reached its ceiling; more goes with: {words.command(target)}"


def finding(target: Target, memory: Memory, disk: Disk) -> Finding | None:
    """Return the warning that more would go than may; None: there is nothing to warn of."""
    more = memory.more
    if more is None:
        return None
    what = "what a cleaning that was interrupted has taken is not known, so it counts as all of it"
    evidence: dict[str, Any] = {}
    if more.files:
        oldest = f", the oldest untouched since {format_utc(more.oldest)[:10]}"
        what = f"{words.count_text(Tally(more.files, more.held))} more would go{oldest}"
        evidence = {"files": more.files, "bytes": more.held, "oldest": format_utc(more.oldest)}
    text = (
        f"{words.title(target)}: automatic cleaning stopped at its ceiling ({keys(disk)}): {what};"
        f" a person lets it go on with: {words.command(target)} (on the screen: c)"
    )
    return Finding("ceiling", "WARNING", text, evidence, confirmed=True)
