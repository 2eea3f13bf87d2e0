"""Which processes are the demo's own, and how they end.

A process counts as the demo's own when its identity was written down when it was started, or when
its command line runs one of the scripts in the demo's private directory: that path is random and
its directory open to nobody else. A name or a pid alone never counts.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from healmon.clock import process_seconds
from healmon.demo.layout import Layout
from healmon.errors import ProbeError
from healmon.world.processes import Identity, Processes

TMUX_HEAD = ("-u", "-S")
"""How every tmux server of a demo is started; the socket's path follows."""


def pid_namespace() -> int:
    """Return the inode of this process's pid namespace, 0 when it cannot be told."""
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return 0


def alive(processes: Processes, identity: Identity) -> bool:
    """Whether exactly this process lives; True also when that cannot be told."""
    try:
        return processes.identify(identity.pid) == identity
    except ProbeError:
        return True


def stopped(processes: Processes, identity: Identity) -> bool:
    """Whether this process is stopped (SIGSTOP)."""
    facts = processes.inspect(identity)
    return facts is not None and facts.state == "T"


def end(
    processes: Processes,
    identities: Iterable[Identity],
    signals: Sequence[Sequence[int]] = ((signal.SIGTERM, signal.SIGCONT), (signal.SIGKILL,)),
    grace: float = 2.0,
    last: float = 30.0,
) -> list[Identity]:
    """End these processes, step by step, and reap those that are our children.

    Args:
        processes: the door to them.
        identities: whom; those that are gone are passed over.
        signals: what they get at each step; by default they are asked (and continued, should they
            be stopped), then killed.
        grace: seconds that each step waits.
        last: seconds that the last one waits: nobody survives SIGKILL, but to die takes a turn of
            the processor, too.

    Returns:
        Those that could not be ended.
    """
    left = list(identities)
    for step in signals:
        patience = last if step is signals[-1] else grace
        for who in left:
            for number in step:
                _send(processes, who, number)
        until, pause = process_seconds() + patience, threading.Event()
        while left := [who for who in left if alive(processes, who)]:
            if process_seconds() > until:
                break
            pause.wait(0.01)
    return left


def _send(processes: Processes, who: Identity, number: int) -> None:
    try:
        processes.signal(who, number)
    except (PermissionError, ProbeError):
        return  # it stays among those that could not be ended


def script_of(processes: Processes, identity: Identity) -> str:
    """Return the script that a Python process runs, or empty."""
    origin = processes.origin(identity)
    return _script(origin.argv) if origin is not None else ""


def _script(argv: Sequence[str]) -> str:
    return next((word for word in argv[1:] if not word.startswith("-")), "")


def strays(processes: Processes, layout: Layout, python: str) -> list[Identity]:
    """Return the living processes that run a part of this demo, whoever started them.

    Args:
        processes: the door to them.
        layout: the demo.
        python: the interpreter that the demo was made with.
    """
    programs = {str(path) for path in layout.programs}
    server = (*TMUX_HEAD, str(layout.socket), "-f", os.devnull)
    found: list[Identity] = []
    for facts in processes.everyone(skip={os.getpid()}):
        if facts.uid != os.geteuid() or facts.state == "Z" or not facts.command:
            continue
        try:
            origin = processes.origin(facts.identity)
        except ProbeError:
            continue
        if origin is None:
            continue
        # an editor that has the script open is no Python that runs it
        runs = origin.argv[0] == python and _script(origin.argv) in programs
        serves = Path(origin.argv[0]).name == "tmux" and origin.argv[1:6] == server
        if runs or serves:
            found.append(facts.identity)
    return found
