"""One web server for each state directory, by the kernel's lock that healers use, one folder below.

Whoever is started by hand keeps it. One that a killed healer left goes on alone, and makes way for
the one of the next healer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from healmon import __version__
from healmon.errors import HolderError
from healmon.service import instance, sides, statedir
from healmon.service.instance import Holder, Lock

BY_HAND: Final = "serve"


def take(state_dir: Path, mode: str) -> Lock:
    """Take the right to serve a state directory; whoever is to make way is asked to.

    Raises:
        HolderError: somebody else has it and keeps it.
        StateDirError: the folder cannot be made.
    """
    folder = statedir.prepare(state_dir / statedir.WEB)
    for last in (False, True):
        try:
            return Lock.acquire(folder, version=__version__, mode=mode)
        except HolderError:
            found = instance.holder(folder)
            # nobody: it ended a moment ago
            leaves = found is None or mode == found.mode == sides.CHILD
            if last or not leaves:
                raise _kept(found) from None
        if found is not None:
            sides.make_way(state_dir)
    raise AssertionError("the last try returns or raises")


def _kept(found: Holder | None) -> HolderError:
    who = "another web server" if found is None or not found.pid else f"pid {found.pid}"
    own = found is not None and found.mode == sides.CHILD
    said = "the healer's own web server" if own else "healmon serve"
    return HolderError(
        f"this state directory is served already by {who} ({said})",
        remedy="use that one, or end it first" if not own else "use that one: healmon web-token",
    )
