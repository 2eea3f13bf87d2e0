"""The dry run of a running healer: switched on and off by people, over by its next start."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from healmon import events as ev
from healmon.engine.acts import Acts
from healmon.engine.room import Room
from healmon.engine.stream import Stream
from healmon.errors import DataError
from healmon.plans import Answer
from healmon.state import EVERYTHING
from healmon.text import clean

SAID: Final = {
    True: "dry run on: it only plans, until you switch it off or healmon starts again",
    False: "dry run off: acting again",
}


class DryRun:
    """Answers requests about the mode.

    Args:
        stream: where events go.
        acts: whose hands it is about.
        rooms: whose healers take back what may act without the engine.
        check: asks for a look at everything.
        always: it is configured, or asked for on the command line: nobody switches it off.
    """

    def __init__(
        self,
        stream: Stream,
        acts: Acts,
        rooms: Sequence[Room],
        check: Callable[[], None],
        *,
        always: bool,
    ) -> None:
        self._stream = stream
        self._acts = acts
        self._rooms = rooms
        self._check = check
        self._always = always

    async def switch(self, target: str, origin: str) -> Answer:
        """Switch it `on` or `off`; an act that is under way is finished.

        Raises:
            DataError: neither is asked for, or it cannot be off.
        """
        if target not in {"on", "off"}:
            raise DataError(f"dry run {clean(target)!r}", remedy="it can be on or off")
        wanted = target == "on"
        if not wanted and self._always:
            raise DataError(
                "this healer was started for a dry run and stays in it",
                remedy="set monitor.dry_run = false, leave --dry-run out, and start it again",
            )
        if wanted == self._acts.dry_run:
            return Answer(ok=True, text=f"the dry run is {target} already")
        self._acts.dry_run = wanted
        self._stream.emit(ev.DryRunChanged(wanted, clean(origin)))
        if wanted:
            for room in self._rooms:
                await room.healer.pause(EVERYTHING)
        self._check()
        return Answer(ok=True, text=SAID[wanted])
