"""The evidence chain of a database's state, for `healmon explain`: seen, judged, to be done. Pure.

Whoever asks for the chain of an alert adds its events; these lines are what stands before them.
"""

from __future__ import annotations

from healmon.clock import format_utc
from healmon.databases import wording
from healmon.databases.model import Facts, VerdictWord
from healmon.databases.planning import plan_for
from healmon.plans import describe
from healmon.units import format_size

MEANING: dict[VerdictWord, str] = {
    "free": "nobody holds a lock that keeps others from writing",
    "busy": "writers take turns: holder, lock or commit marker change from look to look",
    "working": "one holder, no commit yet, but files grow or it uses processor time",
    "idle-in-transaction": "one holder, and nothing moves: no commit, no growth, no CPU time",
    "stopped": "one holder, nothing moves, and it is stopped (SIGSTOP, Ctrl-Z) or traced",
    "io-wait": "one holder, nothing moves, and it waits in the kernel for its storage",
    "other-namespace": "the kernel names no pid: the holder is in another container or host",
    "ofd-lock": "the lock belongs to an open file description, which no pid stands for",
    "dotfile-lock": "a lock directory of SQLite's unix-dotfile, which outlives its process",
    "leftover": "a -wal or hot journal of a crash, and nobody has the database open",
    "reader-pins-wal": "writers get on, but one old reader keeps the -wal from shrinking",
    "cannot-look": "nothing could be seen, so nothing is concluded",
    "missing": "there is no such file",
}


def explain(facts: Facts) -> list[str]:
    """Return the chain as lines, from what the kernel said to what healmon would do."""
    sizes = f"{format_size(facts.size)} and {format_size(facts.wal_size)} of -wal"
    lines = [
        f"verdict: {facts.verdict}: {MEANING[facts.verdict]}",
        f"seen:    {wording.summary(facts)}",
        f"file:    {facts.path}, {facts.mode or '?'} mode, {sizes}",
    ]
    lines += _holder(facts)
    lines += _around(facts)
    if facts.order is not None:
        lines += ["would:   (type `healmon unlock` for it now)"]
        lines += [f"  {line}" for line in describe(plan_for(facts.order))]
    elif facts.why_not:
        lines.append(f"left:    {facts.why_not}")
    advice = wording.advise(facts) if facts.holder is not None else ""
    return [*lines, f"advice:  {advice}"] if advice else lines


def _holder(facts: Facts) -> list[str]:
    holder = facts.holder
    if holder is None:
        return []
    places = (
        f"user {holder.user}" if holder.user else "",
        f"in {holder.cwd}" if holder.cwd else "",
        f"at {holder.pane or holder.tty}" if holder.pane or holder.tty else "",
        f"worker {holder.worker}" if holder.worker else "",
        f"started {format_utc(holder.started)}" if holder.started else "",
    )
    lines = [f"holder:  {holder}: {holder.command or '?'}"]
    lines.append(f"         {', '.join(place for place in places if place)}")
    if facts.locks:
        lines.append(f"holds:   {', '.join(facts.locks)}")
    if facts.since is not None:
        still = facts.still_since
        told = f"; no sign of life since {format_utc(still)}" if still is not None else ""
        lines.append(f"since:   {format_utc(facts.since)}{told}")
    if facts.pinned_frames:
        lines.append(f"pins:    {facts.pinned_frames} frames, {format_size(facts.pinned)}")
    return lines


def _around(facts: Facts) -> list[str]:
    groups = (
        ("waits:   its commit waits for reader", facts.waits_for),
        ("waiting: in the kernel for the lock", facts.waiting),
        ("others:  have it open, and may wait", facts.others),
        ("deleted: have a deleted file of it open", facts.deleted),
    )
    lines = [f"{said}: pid {', '.join(map(str, pids))}" for said, pids in groups if pids]
    if facts.warning:
        lines.append(f"warning: {facts.warning}")
    if facts.kept:
        lines.append(f"copy:    {facts.kept}")
    return lines
