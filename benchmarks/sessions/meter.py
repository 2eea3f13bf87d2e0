"""Measures one way of looking at a tmux server, round by round. Only the standard library.

It runs inside the way's own process, so that its interpreter, its clients and the server's share
are all counted: processor time of this process and its children, and the server's own (schedstat).
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict, cast

SETTLE = 2.2
"""Seconds between a change on the screens and the look: tmux counts whole seconds."""


class Told(TypedDict):
    """What a way is told.

    Attributes:
        socket, server: the tmux server's, and its pid.
        ttys: of its panes, and which share of them has `moved` before each of so many `rounds`.
        database: where the tasks are.
        program: the tmux to call; None: the usual one.
    """

    socket: str
    server: int
    ttys: list[str]
    moved: float
    rounds: int
    database: str
    program: str | None


def args() -> Told:
    """Return what the way was told."""
    return cast("Told", json.loads(sys.argv[1]))


def measure(look: Callable[[], int], told: Told) -> None:
    """Look so many times, after so many screens have changed; print what each cost as JSON."""
    ttys, share = told["ttys"], told["moved"]
    rounds: list[dict[str, Any]] = []
    for number in range(told["rounds"] + 1):
        for tty in ttys[: round(len(ttys) * share)]:
            _write(tty, number)
        time.sleep(SETTLE)
        before = _spent(told["server"])
        began = time.perf_counter()
        seen = look()
        wall = time.perf_counter() - began
        own, server = (
            after - first for after, first in zip(_spent(told["server"]), before, strict=True)
        )
        if number:  # the first one warms up
            rounds.append({"wall": wall, "own": own, "server": server, "seen": seen})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    print(json.dumps({"rounds": rounds, "rss": peak}))


def _write(tty: str, number: int) -> None:
    fd = os.open(tty, os.O_WRONLY | os.O_NOCTTY)
    try:
        os.write(fd, f"\x1b7\x1b[38;1Hstep {number} of the work is done\x1b[K\x1b8".encode())
    finally:
        os.close(fd)


def _spent(server: int) -> tuple[float, float]:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    own = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    ran = Path(f"/proc/{server}/schedstat").read_text().split()[0]
    return own, int(ran) / 1e9
