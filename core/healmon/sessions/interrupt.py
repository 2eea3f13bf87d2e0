"""The ladder: one key, a proof; one repeat, a proof; then the rungs that a person allowed.

Every step is written down before it is taken and counts as taken from then on, also for the healmon
that comes after one that was killed. Right before each key everything is looked at again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from healmon.clock import Clock, age
from healmon.errors import ProbeError, RemedyError, VetoError
from healmon.sessions.dossier import Dossier
from healmon.sessions.facts import Order
from healmon.sessions.planning import REPEAT_AFTER
from healmon.sessions.verdict import HELD, Verdict
from healmon.sessions.verifying import Effect, ended, held, told
from healmon.sessions.viewing import View
from healmon.world.pane import Pane

POLL: Final = 0.25
"""Seconds between two looks while a key is verified."""
CHORD: Final = 0.4
"""Seconds between the keys of one step: closer, and a program takes them for one."""
MODE_LEFT: Final = 2.0
"""Seconds that leaving a mode may take."""


class Doors(Protocol):
    """What the ladder sees and touches (see `remedy.Remedy`)."""

    @property
    def clock(self) -> Clock:
        """All time."""
        ...

    @property
    def verify_within(self) -> float:
        """Seconds that a key may take to show."""
        ...

    async def see(self, pane: Pane) -> View | None:
        """Return how a pane is now; None: it is gone. Raises ProbeError."""
        ...

    async def press(self, pane: Pane, key: str) -> None:
        """Press one key in exactly this pane. Raises VetoError, RemedyError."""
        ...

    async def leave_mode(self, pane: Pane) -> None:
        """Leave every mode of exactly this pane. Raises VetoError, RemedyError."""
        ...


class Interrupt:
    """Presses the keys of one order, one step at a time, until one is seen to work.

    Args:
        doors: what is seen and touched.
        order: what is to be pressed.
        pane: where.
        dossier: where each step is written down.
        check: looks again; raises VetoError unless all is as planned. It is told whether anything
            was pressed before: then the marks of our own keys are no sign of life.
        pause: seconds before the repeat: past the time in which a second key ends the program.
    """

    def __init__(
        self,
        doors: Doors,
        order: Order,
        pane: Pane,
        dossier: Dossier,
        check: Callable[[bool], Awaitable[None]],
        pause: float = REPEAT_AFTER,
    ) -> None:
        self._doors = doors
        self._order = order
        self._pane = pane
        self._dossier = dossier
        self._check = check
        self._pause = max(pause, REPEAT_AFTER)
        self._clock = doors.clock
        self._pressed: list[str] = []
        self._pressed_at = 0.0
        self._before: View | None = None
        self._last: View | None = None

    @property
    def last(self) -> View | None:
        """The newest look at the pane; None: it was gone."""
        return self._last

    @property
    def pressed(self) -> tuple[str, ...]:
        """What was pressed so far, in its order."""
        return tuple(self._pressed)

    async def run(self) -> Verdict:
        """Return what became of the program.

        Raises:
            VetoError: nothing was pressed, and nothing may be.
            RemedyError: something was pressed, and then nothing more could be done or seen.
        """
        self._before = await self._see()
        if self._before is None:
            raise VetoError(f"pane {self._pane.id} ended by itself")
        self._dossier.before(self._before)
        steps = [*self._order.keys, self._order.keys[-1]]
        begun = min(self._dossier.begun, len(steps))
        effect = await self._late() if begun else None
        for number, keys in enumerate(steps, 1):
            if effect is not None and effect.result != "swallowed":
                break
            if number > begun:
                effect = await self._step(number, keys, last=number == len(steps))
        rung = "repeat" if len(self._pressed) > 1 or begun else "key"
        return self._verdict(effect or await self._still(), rung)

    async def _step(self, number: int, keys: tuple[str, ...], *, last: bool) -> Effect | None:
        """Press one step and return what it did; None: nothing yet."""
        if last:
            await self._wait()
            effect = await self._late()
            if effect is not None and effect.result != "swallowed":
                return effect
        await self._leave_mode()
        await self._press(number, keys)
        return await self._verified()

    async def _wait(self) -> None:
        """Let the time pass in which a second key would do something else than the first."""
        last = self._dossier.evidence.last_press
        passed = age(self._clock.steps, last, self._clock.read().wall) if last else 0.0
        await self._clock.sleep(max(self._pause - passed, 0.0))

    async def _press(self, number: int, keys: tuple[str, ...]) -> None:
        before = self._now()
        for place, key in enumerate(keys):
            if place:
                await self._clock.sleep(CHORD)
            text = f"press {key} in pane {self._pane.id} of {self._order.session}"
            await self._dossier.about_to("press", f"{text} ({before.pane.command})", number)
            try:
                if not place:  # the keys of one step are one touch
                    await self._check(bool(self._pressed or self._dossier.evidence.pressed_before))
                await self._doors.press(self._pane, key)
            except VetoError as error:
                await self._dossier.not_done(str(error.args[0]))
                if place:
                    break  # what was pressed has worked, or somebody came: the look will tell
                raise self._stopped(str(error.args[0])) from error
            self._pressed.append(key)
            self._pressed_at = self._clock.read().steady

    def _stopped(self, why: str) -> VetoError | RemedyError:
        """Return the error of a step that was not taken: a veto only where none was before."""
        if not self._pressed and not self._dossier.evidence.pressed_before:
            return VetoError(why)
        return RemedyError(f"{self._keys()} did nothing, and then: {why}; nothing more was pressed")

    async def _leave_mode(self) -> None:
        view = await self._see()
        if view is None:
            raise self._stopped(f"pane {self._pane.id} ended by itself")
        self._before = view if not self._pressed else self._before
        if not view.pane.mode:
            return
        await self._dossier.about_to("leave mode", f"leave the mode that pane {view.pane.id} shows")
        try:
            await self._doors.leave_mode(self._pane)
        except VetoError as error:
            await self._dossier.not_done(str(error.args[0]))
            raise self._stopped(str(error.args[0])) from error
        until = self._clock.read().steady + MODE_LEFT
        while (after := await self._see()) is not None and after.pane.mode:
            if self._clock.read().steady > until:
                raise RemedyError(f"pane {self._pane.id} does not leave its mode; nothing pressed")
            await self._clock.sleep(POLL)
        if after is None:
            raise self._stopped(f"pane {self._pane.id} ended by itself")
        self._before = after if not self._pressed else self._before

    async def _verified(self) -> Effect | None:
        """Return what the newest key did; None: the program is what it was."""
        before, began = self._now(), self._clock.read().steady
        said: Effect | None = None
        while True:
            after = await self._see()
            seconds = self._clock.read().steady - began
            self._dossier.sample(seconds, after)
            effect, again = ended(before, after), told(before, after)
            if effect is not None or (again is not None and again == said):
                self._dossier.after(after)
                return effect or again
            said = again
            if seconds >= self._doors.verify_within:
                self._dossier.after(after)
                still = held(before, after)
                return None if still.result == "ignored" else still
            await self._clock.sleep(POLL)

    async def _late(self) -> Effect | None:
        """Return what became of the program later than it had time for; None: nothing."""
        before, after = self._now(), await self._see()
        effect = ended(before, after) or told(before, after)
        return None if effect is None else effect._replace(how=f"{effect.how} at last")

    async def _still(self) -> Effect:
        after = await self._see()
        self._dossier.after(after)
        return held(self._now(), after)

    def _verdict(self, effect: Effect, rung: str) -> Verdict:
        seconds = self._clock.read().steady - self._pressed_at if self._pressed else 0.0
        how = f"{self._keys()}: {effect.how}" if self._keys() else effect.how
        if self._dossier.evidence.pressed_before:
            how = f"{how}; a healmon that was killed had pressed before"
        if effect.result not in HELD:
            how += f" after {seconds:.1f} s"
        return Verdict(
            result=effect.result,
            how=how,
            key=self._order.key,
            keys=self.pressed,
            rung=rung if effect.result not in HELD else "",
            seconds=round(seconds, 2),
            status=effect.status,
        )

    def _keys(self) -> str:
        return " ".join(self._pressed)

    def _now(self) -> View:
        if self._before is None:
            raise VetoError(f"pane {self._pane.id} was not looked at")
        return self._before

    async def _see(self) -> View | None:
        try:
            self._last = await self._doors.see(self._pane)
        except ProbeError as error:
            pressed = f"pressed {self._keys()}; " if self._pressed else ""
            raise RemedyError(f"{pressed}it cannot be looked at: {error.args[0]}") from error
        return self._last
