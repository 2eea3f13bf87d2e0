"""Where people's requests are answered: offers, overrides, acknowledgements, pauses.

Screens, command line and scripts all come through `Desk.ask`, so that there is one path and one
set of rules.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from msgspec.structs import replace

from healmon import events as ev
from healmon import gate
from healmon.clock import Clock
from healmon.engine.acts import Acts
from healmon.engine.room import Room
from healmon.engine.stream import Stream
from healmon.errors import HealmonError
from healmon.plans import Answer, Packed, Plan
from healmon.state import AlertView
from healmon.text import clean
from healmon.units import format_duration

OFFER_HOLDS = 300.0
"""Seconds a plan sheet may be read before it must be asked for again."""
HEALER_VERBS = (
    "restart",
    "clear",
    "answer",
    "unlock",
    "clean",
    "restore",
    "stop",
    "start",
    "release",
)
PAUSE_AT_MOST = 30 * 86400.0


class Desk:
    """Answers requests against a running engine."""

    def __init__(
        self,
        stream: Stream,
        clock: Clock,
        acts: Acts,
        rooms: Sequence[Room],
        *,
        check: Callable[[], None],
        acknowledge_for: float,
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._acts = acts
        self._rooms = rooms
        self._check = check
        self._acknowledge_for = acknowledge_for
        self._offers: dict[str, tuple[Room, Plan, float]] = {}

    async def ask(
        self, verb: str, target: str, arguments: Packed, *, origin: str, command: int = 0
    ) -> Answer:
        """Do what is asked and return what became of it. Never raises."""
        received = self._stream.emit(
            ev.OverrideReceived(command, clean(verb), clean(target), clean(origin))
        )
        try:
            answer = await self._dispatch(verb, target, arguments, origin)
        except HealmonError as error:
            answer = Answer(ok=False, text=clean(str(error)))
        except (KeyError, TypeError, ValueError) as error:
            answer = Answer(ok=False, text=clean(f"{verb}: bad arguments: {error}"))
        self._stream.emit(ev.OverrideAnswered(command, answer.ok, answer.text), received)
        return answer

    async def _dispatch(self, verb: str, target: str, arguments: Packed, origin: str) -> Answer:
        simple: dict[str, Callable[[], Answer]] = {
            "acknowledge": lambda: self._acknowledge(target, arguments, origin),
            "unacknowledge": lambda: self._unacknowledge(target, origin),
            "resume": lambda: self._resume(target, origin),
            "touch": lambda: self._touch(target, origin),
            "check": self._check_now,
        }
        slow: dict[str, Callable[[], Awaitable[Answer]]] = {
            "offer": lambda: self._offer(str(arguments["verb"]), target, arguments, origin),
            "apply": lambda: self._apply(target),
            "pause": lambda: self._pause(target, arguments, origin),
            "snooze": lambda: self._snooze(target, arguments, origin),
            "never-touch": lambda: self._never_touch(target, origin),
        }
        if verb in simple:
            return simple[verb]()
        if verb in slow:
            return await slow[verb]()
        if verb in HEALER_VERBS:
            return await self._at_once(verb, target, arguments, origin)
        return Answer(ok=False, text=f"no such request: {verb}")

    def _check_now(self) -> Answer:
        self._check()
        return Answer(ok=True, text="looking now")

    def _room_of(self, component: str) -> Room | None:
        view = self._stream.snapshot.components.get(component)
        return next(
            (r for r in self._rooms if view is not None and r.healer.name == view.healer), None
        )

    async def _offer(self, verb: str, component: str, arguments: Packed, origin: str) -> Answer:
        room = self._room_of(component)
        if room is None:
            known = ", ".join(sorted(self._stream.snapshot.components)) or "nothing yet"
            return Answer(ok=False, text=f"no component {component!r}; there is: {known}")
        await room.round()  # the sheet must show the world as it is now
        now = self._clock.read()
        more = {name: value for name, value in arguments.items() if name != "verb"}
        offered = room.healer.offer(
            verb, component, self._stream.snapshot, now, *([more] if more else [])
        )
        plan = replace(offered, id=self._acts.new_id(), origin=origin, delay=0.0)
        self._offers = {
            name: entry
            for name, entry in self._offers.items()
            if now.steady - entry[2] < OFFER_HOLDS
        }
        self._offers[plan.id] = (room, plan, now.steady)
        reason = gate.refusal(plan, self._stream.snapshot, now.wall, dry_run=self._acts.dry_run)
        return Answer(ok=True, text=reason, plan=plan)

    async def _begin(self, plan_id: str) -> Answer | asyncio.Task[str]:
        entry = self._offers.pop(plan_id, None)
        if entry is None or self._clock.read().steady - entry[2] > OFFER_HOLDS:
            return Answer(ok=False, text="this plan is no longer on offer; ask for a new one")
        room, plan, _ = entry
        busy = self._acts.busy(plan.component)
        if busy is not None:
            return Answer(ok=False, text=f"{plan.component}: {busy.action} is under way already")
        wall = self._clock.read().wall
        reason = gate.refusal(plan, self._stream.snapshot, wall, dry_run=self._acts.dry_run)
        if reason:
            self._stream.emit(ev.PlanRefused(plan, reason))
            return Answer(ok=False, text=f"not done: {reason}", plan=plan)
        await self._acts.call_off(plan.component, f"{plan.origin} asked for {plan.action}")
        return self._acts.pursue(room, plan, None)

    async def _apply(self, plan_id: str) -> Answer:
        begun = await self._begin(plan_id)
        return begun if isinstance(begun, Answer) else Answer(ok=True, text="under way")

    async def _at_once(self, verb: str, component: str, arguments: Packed, origin: str) -> Answer:
        offer = await self._offer(verb, component, arguments, origin)
        if offer.plan is None:
            return offer
        begun = await self._begin(offer.plan.id)
        if isinstance(begun, Answer):
            return begun
        outcome = await asyncio.shield(begun)
        return Answer(ok=not outcome.startswith(("failed", "not done")), text=outcome)

    def _alert(self, name: str) -> AlertView | None:
        for alert in self._stream.snapshot.alerts.values():
            if name in (str(alert.id), alert.key):
                return alert
        return None

    def _acknowledge(self, name: str, arguments: Packed, origin: str) -> Answer:
        alert = self._alert(name)
        if alert is None:
            return Answer(ok=False, text=f"no open alert {name}")
        seconds = float(arguments.get("for") or self._acknowledge_for)
        until = self._clock.read().wall + seconds
        note = clean(str(arguments.get("note", "")))
        self._stream.emit(ev.AlertAcknowledged(alert.key, clean(origin), note, until))
        text = f"acknowledged for {format_duration(seconds)}: {alert.message}"
        return Answer(ok=True, text=text)

    def _unacknowledge(self, name: str, origin: str) -> Answer:
        alert = self._alert(name)
        if alert is None or alert.state != "acknowledged":
            return Answer(ok=False, text=f"no acknowledged alert {name}")
        self._stream.emit(ev.AlertUnacknowledged(alert.key, f"taken back by {clean(origin)}"))
        return Answer(ok=True, text=f"open again: {alert.message}")

    async def _pause(self, target: str, arguments: Packed, origin: str) -> Answer:
        component = target or gate.EVERYTHING
        known = self._stream.snapshot.components
        if component != gate.EVERYTHING and component not in known:
            return Answer(ok=False, text=f"no component {component!r}")
        seconds = float(arguments["for"])
        if not 0 < seconds <= PAUSE_AT_MOST:
            return Answer(ok=False, text="a pause needs an end within 30 days")
        until = self._clock.read().wall + seconds
        await self._hold(component, until, origin)
        return Answer(ok=True, text=f"actions paused for {format_duration(seconds)}: {component}")

    async def _hold(self, component: str, until: float, origin: str) -> None:
        self._stream.emit(ev.MaintenanceStarted(component, until, clean(origin)))
        for room in self._rooms:
            await room.healer.pause(component)

    def _resume(self, target: str, origin: str) -> Answer:
        component = target or gate.EVERYTHING
        if component not in self._stream.snapshot.maintenance:
            return Answer(ok=False, text=f"not paused: {component}")
        self._stream.emit(ev.MaintenanceEnded(component, f"resumed by {clean(origin)}"))
        self._check()
        return Answer(ok=True, text=f"actions allowed again: {component}")

    async def _snooze(self, target: str, arguments: Packed, origin: str) -> Answer:
        """Pause a component and acknowledge what is told of it, both until the same moment."""
        paused = await self._pause(target, arguments, origin)
        if not paused.ok or not target:
            return paused
        until = self._stream.snapshot.maintenance[target]
        for alert in self._stream.snapshot.alerts.values():
            if alert.component == target:
                note = "snoozed"
                self._stream.emit(ev.AlertAcknowledged(alert.key, clean(origin), note, until))
        return Answer(ok=True, text=f"left alone for {_lasting(arguments)}: {target}")

    async def _never_touch(self, target: str, origin: str) -> Answer:
        if target not in self._stream.snapshot.components:
            return Answer(ok=False, text=f"no component {target!r}")
        await self._hold(target, gate.FOREVER, origin)
        self._check()
        return Answer(ok=True, text=f"never touched until you say touch: {target}")

    def _touch(self, target: str, origin: str) -> Answer:
        if target not in self._stream.snapshot.maintenance:
            return Answer(ok=False, text=f"it may be touched already: {target}")
        self._stream.emit(ev.MaintenanceEnded(target, f"touch: {clean(origin)}"))
        self._check()
        return Answer(ok=True, text=f"touched again if need be: {target}")


def _lasting(arguments: Packed) -> str:
    return format_duration(float(arguments["for"]))
