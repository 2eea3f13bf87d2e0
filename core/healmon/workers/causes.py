"""Why a worker failed, in one line: how it ended, its last words, what had changed. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Final, NamedTuple

from healmon.config.settings import Worker
from healmon.text import clean
from healmon.units import format_size
from healmon.workers.model import Memory, WorkerSeen
from healmon.world.processes import KILL, Ended, Identity

LAST_WORDS: Final = 120
"""Characters of the last line of output that a cause quotes."""
CHANGES: Final = 4
"""Settings that a cause names; of more it tells how many."""


class End(NamedTuple):
    """How a process ended, and what for.

    Attributes:
        ended: code or signal, if anybody knows.
        oom: the kernel killed it for want of memory.
        max_rss: the most bytes it held; 0: not known.
    """

    ended: Ended = Ended()
    oom: bool = False
    max_rss: int = 0

    def __str__(self) -> str:
        """Return it in words: `killed by SIGKILL: out of memory (it held 1.2 GB)`."""
        if not self.oom:
            return str(self.ended)
        held = f" (it held {format_size(self.max_rss)})" if self.max_rss else ""
        return f"{self.ended}: out of memory{held}"


def end_of(one: WorkerSeen, identity: Identity) -> End:
    """Return how a process ended; a shim knows best, and who knows is better than who looked."""
    if one.shim is not None:
        for end in reversed(one.shim.ends):
            if end.identity == identity and end.ended != Ended():
                return End(end.ended, end.oom and end.ended.signal == KILL, end.max_rss)
    ends = [end.ended for end in one.ends if end.identity == identity]
    return End(next((end for end in ends if end != Ended()), Ended()))


class Configured(NamedTuple):
    """A worker's settings, and what of them decides what is run.

    Attributes:
        worker: the settings.
        keys: a digest of each that does, by the name of its key.
        digest: of all of them.
    """

    worker: Worker
    keys: dict[str, int]
    digest: int


def configured(worker: Worker) -> Configured:
    """Return a worker's settings with the digests of them."""
    keys = _keys(worker)
    return Configured(worker, keys, zlib.crc32(repr(sorted(keys.items())).encode()))


def _keys(worker: Worker) -> dict[str, int]:
    parts: dict[str, object] = {
        "program": worker.argv[:1],
        "script": worker.script,
        "args": worker.argv[2 if worker.script else 1 :],
        "cwd": worker.cwd,
        "user": worker.user,
        "umask": worker.umask,
        **{f"env.{name}": value for name, value in worker.env.items()},
        **{f"limits.{name}": value for name, value in worker.limits.items()},
    }
    return {clean(k): zlib.crc32(repr(v).encode("utf-8", "replace")) for k, v in parts.items() if v}


def changed_settings(before: Mapping[str, int], now: Mapping[str, int]) -> str:
    """Return the names of the settings that differ, in words; empty when none does."""
    names = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    if not before or not names:
        return ""
    told = ", ".join(names[:CHANGES])
    return told if len(names) <= CHANGES else f"{told} and {len(names) - CHANGES} more"


def _peak(one: WorkerSeen) -> int:
    """Return the most bytes that the newest process to end held; 0: not known, or told already."""
    end = one.shim.ends[-1] if one.shim is not None and one.shim.ends else None
    return end.max_rss if end is not None and not end.oom else 0


def told(one: WorkerSeen, memory: Memory, keys: Mapping[str, int]) -> str:
    """Return all that is known of the newest failure, in one line.

    Args:
        one: the look that showed it.
        memory: what is remembered, with the failure in it.
        keys: digests of the settings as they are now.
    """
    parts = [memory.why]
    if memory.last_end and memory.last_end not in memory.why:
        parts.append(memory.last_end)
    if peak := _peak(one):
        parts.append(f"it held {format_size(peak)} at most")
    words = [line for line in one.output.split("\n") if line.strip()]
    if words:
        parts.append(f"its last words: {clean(words[-1].strip(), limit=LAST_WORDS)}")
    if changed := changed_settings(memory.well, keys):
        parts.append(f"changed since it was healthy: {changed}")
    if one.changed:
        parts.append(one.changed)
    return clean("; ".join(part for part in parts if part))
