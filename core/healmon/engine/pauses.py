"""What people say of healmon's hands: paused, resumed, snoozed, never to touch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from healmon import alerts, gate
from healmon import events as ev
from healmon.clock import Clock
from healmon.engine.acts import Acts
from healmon.engine.inbox import lasting, note_of
from healmon.engine.room import Room
from healmon.engine.stream import Stream
from healmon.errors import DataError
from healmon.plans import Answer, Packed
from healmon.text import as_typed, clean
from healmon.units import format_duration

_PATTERN = frozenset("*?")


class Pauses:
    """Answers requests about what may be acted on.

    Args:
        stream: where events go.
        clock: the engine's clock.
        rooms: whose healers are told of a pause.
        acts: what is under way.
        changed: called when what lies over alerts may have changed.
        check: asks for a look at everything.
    """

    def __init__(
        self,
        stream: Stream,
        clock: Clock,
        rooms: Sequence[Room],
        acts: Acts,
        changed: Callable[[], None],
        check: Callable[[], None],
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._rooms = rooms
        self._acts = acts
        self._changed = changed
        self._check = check

    async def pause(self, target: str, arguments: Packed, origin: str) -> Answer:
        """Begin maintenance of a component, of all that are like a pattern, or of everything."""
        said, left = await self._paused(target, arguments, origin)
        return Answer(ok=True, text=f"{said}{left}")

    async def _paused(self, target: str, arguments: Packed, origin: str) -> tuple[str, str]:
        """Begin a pause; return in words that it has begun, and what is finished all the same."""
        name = clean(target) or gate.EVERYTHING
        self._must_be_known(name, pattern=True)
        seconds = lasting(arguments, alerts.PAUSED_AT_MOST, "a pause")
        if self._stream.snapshot.maintenance.get(name, 0.0) >= gate.FOREVER:
            raise DataError(
                f"{name} is never touched anyway", remedy=f"first: healmon touch {as_typed(name)}"
            )
        until = self._clock.read().wall + seconds
        left = await self._hold(name, until, origin, note_of(arguments))
        count = len(alerts.covered(self._stream.snapshot, name))
        covers = {0: "no component now", 1: "1 component"}.get(count, f"{count} components")
        said = f"actions paused for {format_duration(seconds)}: {name}"
        said = f"{said} ({covers})" if _PATTERN & set(name) else said
        return said, left

    def resume(self, target: str, origin: str) -> Answer:
        """End maintenance before its time."""
        name = clean(target) or gate.EVERYTHING
        known = self._stream.snapshot
        if name not in known.maintenance:
            paused = ", ".join(sorted(known.maintenance)) or "nothing is"
            raise DataError(f"not paused: {name}", remedy=f"paused: {paused}")
        event = alerts.end_maintenance(known, name, f"resumed by {clean(origin)}")
        self._stream.emit(event)
        self._changed()
        self._check()
        would = "; ".join(event.would)
        meanwhile = f"; meanwhile not done: {would}" if would else "; nothing was to be done"
        return Answer(ok=True, text=f"actions allowed again: {name}{meanwhile}")

    async def snooze(self, target: str, arguments: Packed, origin: str) -> Answer:
        """Pause a component and acknowledge what is told of it, both until the same moment."""
        self._must_be_known(target, pattern=False)
        _, left = await self._paused(target, arguments, origin)
        until = self._stream.snapshot.maintenance[target]
        note = note_of(arguments) or "snoozed"
        for alert in self._stream.snapshot.alerts.values():
            if alert.component == target:
                self._stream.emit(ev.AlertAcknowledged(alert.key, clean(origin), note, until))
        seconds = format_duration(float(arguments["for"]))
        return Answer(ok=True, text=f"left alone for {seconds}: {target}{left}")

    async def never_touch(self, target: str, origin: str) -> Answer:
        """Keep healmon's hands off a component until somebody says otherwise."""
        self._must_be_known(target, pattern=False)
        left = await self._hold(target, gate.FOREVER, origin)
        self._check()
        return Answer(ok=True, text=f"never touched until you say touch: {target}{left}")

    def touch(self, target: str, origin: str) -> Answer:
        """Take `never_touch` back."""
        if target not in self._stream.snapshot.maintenance:
            return Answer(ok=False, text=f"it may be touched already: {target}")
        self._stream.emit(ev.MaintenanceEnded(target, f"touch: {clean(origin)}"))
        self._changed()
        self._check()
        return Answer(ok=True, text=f"touched again if need be: {target}")

    async def _hold(self, name: str, until: float, origin: str, note: str = "") -> str:
        """Take hands off; return in words what must be finished all the same, or empty."""
        self._stream.emit(ev.MaintenanceStarted(name, until, clean(origin), note))
        self._changed()
        for room in self._rooms:
            await room.healer.pause(name)
        left = await self._acts.hands_off(name, f"{clean(origin)} asked for hands off")
        told = ", ".join(f"{plan.action} of {plan.component}" for plan in left)
        return f"; in the midst of it, and being finished: {told}" if told else ""

    def _must_be_known(self, name: str, *, pattern: bool) -> None:
        known = self._stream.snapshot.components
        if name in known or (pattern and _PATTERN & set(name)):
            return
        raise DataError(
            f"no component {name!r}", remedy=f"there are: {', '.join(sorted(known)) or 'none yet'}"
        )
