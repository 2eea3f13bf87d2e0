"""The mender of a made-up world."""

from __future__ import annotations

from healmon.clock import Steps
from healmon.errors import ProbeError
from healmon.world.mending import Mended
from healmon.world.simulated.sqlite import SimulatedLocks


class SimulatedMender:
    """The twin of `SystemMender`: takes over what simulated crashes left.

    Attributes:
        answers: what the next healings come to, instead of being healed.
        healed: the databases that were asked for, in order.
        hangs: no healing comes to an end.
    """

    def __init__(self, locks: SimulatedLocks) -> None:
        self._locks = locks
        self.answers: list[Mended] = []
        self.healed: list[str] = []
        self.hangs = False

    def heal(self, name: str, path: str, wanted: tuple[int, ...], stamp: str) -> Mended:
        """Take over what was left, unless anybody is there.

        Raises:
            ProbeError: it hangs.
        """
        if self.hangs:
            raise ProbeError(f"healing {name}: no answer within 60 s; nothing is lost")
        self.healed.append(path)
        if self.answers:
            return self.answers.pop(0)
        reading = self._locks.look(path)
        if reading.leftover != wanted or not self._locks.take_over(path):
            return Mended(word="live", text="somebody uses it")
        kept = f"/state/databases/{name}/{stamp}"
        return Mended(
            word="healed", frames=reading.frames, hot=reading.hot, kept=kept, check=("ok",)
        )

    def remove_dotfile(self, path: str, mtime_ns: int) -> bool:
        """Remove the lock directory, if it is still that one."""
        lock = self._locks.look(path).dotfile
        if lock is None or lock.mtime_ns != mtime_ns:
            return False
        self._locks.lock_by_directory(path, None)
        return True

    def prune(self, now: float, steps: Steps = ()) -> int:
        """Nothing is kept here."""
        del now, steps
        return 0
