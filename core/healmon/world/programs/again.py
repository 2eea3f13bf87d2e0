"""How a shim starts its program again by itself: once, when healmon has granted it beforehand.

A *grant* is a file in the worker's folder. It holds for the end of one process, as long as the
healmon that gave it lives, for an order like the shim's own, and only when nothing of the worker is
left. Whoever unlinks it has it: the shim, which then starts the program, or healmon, which takes
it back before it acts itself. So never both start something.
"""

from __future__ import annotations

import os

from healmon.world.programs.records import GRANT, Folder, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from healmon.world.programs.begin import Order


def taken(folder: Folder, order: Order, main: int, ticks: int, status: int) -> int:
    """Return the number of the start that is granted now, and nobody else's any more; 0: none is.

    Args:
        folder: of the worker.
        order: what was started.
        main: pid of who has ended, and was reaped.
        ticks: when that was started.
        status: how it ended.
    """
    found = folder.content(GRANT).split()
    if len(found) != 7:
        return 0
    giver, since, pid, at, number, digest, but = found
    # compared as they are written: nothing that stands there can make us fall
    if (pid, at, digest) != (b"%d" % main, b"%d" % ticks, order.digest):
        return 0
    if os.WIFEXITED(status) and b"%d" % os.WEXITSTATUS(status) in but.split(b","):
        return 0
    if not (number.isdigit() and _lives(giver, since) and _alone()):
        return 0
    return int(number) if folder.remove(GRANT) else 0


def _lives(pid: bytes, ticks: bytes) -> bool:
    stat = read(b"/proc/%s/stat" % pid).rpartition(b")")[2].split()
    return len(stat) > 19 and stat[19] == ticks and stat[0] not in b"ZXx"


def _alone() -> bool:
    """Return whether nothing is left below us; whatever was orphaned is here by now."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    except ChildProcessError:
        return True
    return False
