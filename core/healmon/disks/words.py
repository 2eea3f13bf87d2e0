"""What people read of disks: report lines, findings, plan steps, outcomes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from healmon.config.settings import Disk, Rule
from healmon.disks.model import Count, DiskFacts, Gauge, Memory, Target
from healmon.plans import Status
from healmon.text import as_typed, clean
from healmon.units import duration_text, format_percent, format_size, size_text
from healmon.world.filedata import FOREVER, Deed, Tally

ICONS: Mapping[Status, str] = {"healthy": "✅", "warning": "⚠️", "critical": "🚨", "unknown": "❓"}


def filled(percent: float, free: int, cause: str = "space") -> str:
    """Return `86.9% used (121.0 GB free)`."""
    if cause == "inodes":
        return f"{format_percent(percent)} of inodes used ({format_size(free)} free)"
    return f"{format_percent(percent)} used ({format_size(free)} free)"


def title(target: Target) -> str:
    """Return what a target is called in a sentence."""
    kind = "Disk" if target.kind == "filesystem" else "Budget"
    return f"{kind} {clean(target.path)}"


def command(target: Target) -> str:
    """Return what a person types to clean a target by hand."""
    return f"healmon clean {as_typed(clean(target.component.removeprefix('disk:')))}"


def summary(gauge: Gauge) -> str:
    """Return how full it is, in a few words."""
    if gauge.skip:
        return f"not judged: {gauge.skip}"
    text = filled(gauge.worst, gauge.free, gauge.cause)
    return f"at least {text}; {gauge.partial}" if gauge.partial else text


def line(component: str, facts: DiskFacts, status: Status, said: str) -> str:
    """Return a target's line of the report."""
    icon = ICONS.get(status, "❓")
    path = component.removeprefix("disk:")
    if facts.kind == "budget":
        of = f" of {format_size(facts.size)}" if facts.percent is not None else ""
        return f"{icon} Budget {clean(path.removesuffix(' (budget)'))}{of}: {said}"
    return f"{icon} Disk: {said}" if path == "/" else f"{icon} Disk {clean(path)}: {said}"


def count_text(tally: Tally) -> str:
    """Return `132 files (410.0 MB)`."""
    files = "1 file" if tally.files == 1 else f"{tally.files} files"
    return f"{files} ({format_size(tally.held)})"


def most_text(most: Tally) -> str:
    """Return `10 files, 1.0 GB`: how much may go; what is unlimited is left out."""
    texts = [f"{most.files} files"] if most.files != FOREVER else []
    texts += [format_size(most.held)] if most.held != FOREVER else []
    return ", ".join(texts)


def restored_text(back: Tally, paths: Iterable[str]) -> str:
    """Return `2 files (4.0 KB) are back: /a/b, /a/c`."""
    if not back.files:
        return "nothing is back"
    are = "is" if back.files == 1 else "are"
    return f"{count_text(back)} {are} back: {names_text(paths)}"


def kept_text(kept: Mapping[str, int]) -> str:
    """Return `4 open, 12 young`, the most frequent first; empty for none."""
    order = sorted(kept.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{number} {reason}" for reason, number in order if number)


def full(target: Target, memory: Memory, disk: Disk, hope: str) -> str:
    """Return the message of the finding `full`; the same as long as nothing happens.

    Args:
        target: what is full.
        memory: the numbers to tell.
        disk: the lines that were crossed.
        hope: what is being done about it, or why nothing is; empty below critical.
    """
    critical = memory.level == "critical"
    limit = disk.critical if critical else disk.warning
    text = f"{title(target)}: {filled(memory.told, memory.told_free, memory.cause)}"
    text = f"{text}, {memory.level} from {limit:g}%"
    return f"{text}; {hope}" if hope else text


def no_hope(count: Count | None) -> str:
    """Return why no rule frees anything."""
    if count is None:
        return "no cleaning rule is configured: free space by hand, or add [[disk.rules]]"
    if count.trouble:
        return f"what rules would free cannot be counted ({count.trouble}): nothing is cleaned"
    if count.surveys:
        return "no rule frees anything: nothing that they name is old enough and may go"
    idle = f" ({'; '.join(count.idle[:3])})" if count.idle else ""
    return f"no cleaning rule frees anything here{idle}"


def which(rule: Rule) -> str:
    """Return which files a rule means: `files older than 7d, larger than 1MB, of app`."""
    live = rule.action == "truncate"
    parts = ["live logs" if live else f"files older than {duration_text(rule.older_than)}"]
    parts += [f"larger than {size_text(rule.larger_than)}"] if rule.larger_than else []
    parts += [f"smaller than {size_text(rule.smaller_than)}"] if rule.smaller_than else []
    parts += [f"of {' or '.join(map(clean, rule.owner))}"] if rule.owner else []
    return ", ".join(parts)


def deed_text(deed: Deed, *, trash_counts: bool) -> str:
    """Return what becomes of files, as an order."""
    if deed == "truncate":
        return "copy and truncate"
    if deed != "trash":
        return deed
    if trash_counts:
        return "delete (a trash on the full disk would free nothing)"
    return "move to the trash"


def order(deed: Deed) -> str:
    """Return in which order files go, as the end of a clause; a live log has no age."""
    return "" if deed == "truncate" else ", oldest first"


def names_text(names: Iterable[str]) -> str:
    """Return the first names of a list, for one line."""
    shown = list(names)
    return ", ".join(shown[:3]) + (", …" if len(shown) > 3 else "")


SUSPECTS = (
    "what else may hold space: files deleted but still open, snapshots, blocks reserved for root, "
    "data hidden below a mount point, files that no rule names"
)
"""What a person looks at next, when cleaning was not enough."""
