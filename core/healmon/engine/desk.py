"""Where people's requests are answered: plans here, alerts in `inbox`, pauses in `pauses`.

Screens, command line and scripts all come through `Desk.ask`, so that there is one path and one
set of rules.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeAlias

from msgspec.structs import replace

from healmon import events as ev
from healmon import gate
from healmon.clock import Clock
from healmon.engine.acts import Acts
from healmon.engine.dryrun import DryRun
from healmon.engine.inbox import Inbox
from healmon.engine.pauses import Pauses
from healmon.engine.room import Room
from healmon.engine.stream import Stream
from healmon.errors import HealmonError, HolderError
from healmon.plans import Answer, Packed, Plan
from healmon.text import clean

Reread: TypeAlias = Callable[[Packed, str], Awaitable[Answer]]
"""Reads the configuration again; from arguments and who asks to what became of it."""
OFFER_HOLDS = 300.0
"""Seconds a plan sheet may be read before it must be asked for again."""
_CLOSING = Answer(ok=False, text="not done: healmon is about to end", code=HolderError.exit_code)
NOT_RUNNING = Answer(ok=False, text="the healer is not running", code=HolderError.exit_code)
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
        changed: Callable[[], None],
        acknowledge_for: float,
        always_dry: bool = False,
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._acts = acts
        self._rooms = rooms
        self._check = check
        self.reread: Reread | None = None
        self._inbox = Inbox(stream, clock, acknowledge_for, changed)
        self._pauses = Pauses(stream, clock, rooms, acts, changed, check)
        self._dry_run = DryRun(stream, acts, rooms, check, always=always_dry)
        self._offers: dict[str, tuple[Room, Plan, float]] = {}

    def amend(self, acknowledge_for: float, rooms: Collection[Room]) -> None:
        """Take in another configuration; plan sheets of these rooms may not be true any more."""
        self._inbox.acknowledge_for = acknowledge_for
        self._offers = {n: entry for n, entry in self._offers.items() if entry[0] not in rooms}

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
            answer = Answer(ok=False, text=clean(error.line))
        except (KeyError, TypeError, ValueError) as error:
            answer = Answer(ok=False, text=clean(f"{verb}: bad arguments: {error}"))
        except Exception as error:  # noqa: BLE001 - whoever asked must hear, and not wait for it
            said = f"{verb}: crashed: {type(error).__name__}: {error}"
            answer = Answer(ok=False, text=clean(said, limit=500))
        self._stream.emit(ev.OverrideAnswered(command, answer.ok, answer.text), received)
        return answer

    async def _dispatch(self, verb: str, target: str, arguments: Packed, origin: str) -> Answer:
        inbox, pauses = self._inbox, self._pauses
        simple: dict[str, Callable[[], Answer]] = {
            "acknowledge": lambda: inbox.acknowledge(target, arguments, origin),
            "unacknowledge": lambda: inbox.unacknowledge(target, origin),
            "silence": lambda: inbox.silence(target, arguments, origin),
            "unsilence": lambda: inbox.unsilence(target, origin),
            "rehearse": lambda: inbox.rehearse(str(arguments["verb"]), target, arguments, origin),
            "resume": lambda: pauses.resume(target, origin),
            "touch": lambda: pauses.touch(target, origin),
            "check": self._check_now,
        }
        slow: dict[str, Callable[[], Awaitable[Answer]]] = {
            "offer": lambda: self._offer(str(arguments["verb"]), target, arguments, origin),
            "apply": lambda: self._apply(target),
            "pause": lambda: pauses.pause(target, arguments, origin),
            "snooze": lambda: pauses.snooze(target, arguments, origin),
            "never-touch": lambda: pauses.never_touch(target, origin),
            "reload": lambda: self._reload(arguments, origin),
            "dry-run": lambda: self._dry_run.switch(target, origin),
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

    async def _reload(self, arguments: Packed, origin: str) -> Answer:
        if self.reread is None:
            return Answer(ok=False, text="this healer reads no configuration file")
        return await self.reread(arguments, origin)

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
        await self._acts.free(room)
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

    async def _begin(self, plan_id: str) -> Answer | asyncio.Task[Answer]:
        entry = self._offers.pop(plan_id, None)
        if entry is None or self._clock.read().steady - entry[2] > OFFER_HOLDS:
            return Answer(ok=False, text="this plan is no longer on offer; ask for a new one")
        room, plan, _ = entry
        if self._acts.closing:
            return _CLOSING
        wall = self._clock.read().wall
        reason = gate.refusal(plan, self._stream.snapshot, wall, dry_run=self._acts.dry_run)
        if reason:
            self._stream.emit(ev.PlanRefused(plan, reason))
            return Answer(ok=False, text=f"not done: {reason}", plan=plan)
        with self._acts.reserved(plan.component):
            await self._acts.give_way(plan.component, _asked(plan), plan)
            return self._not_now(plan) or self._acts.pursue(room, plan, None)

    async def _in_its_place(
        self, plan: Plan, verb: str, arguments: Packed
    ) -> Answer | asyncio.Task[Answer]:
        """Have what is under way end, and begin what is asked for in its place."""
        with self._acts.reserved(plan.component):
            await self._acts.give_way(plan.component, _asked(plan), plan)
            if (why := self._not_now(plan)) is not None:
                return why
            # what gave way has changed the world meanwhile
            offer = await self._offer(verb, plan.component, arguments, plan.origin)
            return await self._begin(offer.plan.id) if offer.plan is not None else offer

    def _not_now(self, plan: Plan) -> Answer | None:
        """Return why a plan cannot be begun at this moment; None: it can."""
        if self._acts.closing:
            return _CLOSING
        busy = self._acts.busy(plan.component)
        if busy is None:
            return None
        return Answer(ok=False, text=f"{plan.component}: {busy.action} is under way already")

    async def _apply(self, plan_id: str) -> Answer:
        begun = await self._begin(plan_id)
        return begun if isinstance(begun, Answer) else Answer(ok=True, text="under way")

    async def _at_once(self, verb: str, component: str, arguments: Packed, origin: str) -> Answer:
        offer = await self._offer(verb, component, arguments, origin)
        if offer.plan is None:
            return offer
        if not offer.text and self._acts.busy(component) is not None:
            begun = await self._in_its_place(offer.plan, verb, arguments)
        else:
            begun = await self._begin(offer.plan.id)
        if isinstance(begun, Answer):
            return begun
        return await asyncio.shield(begun)


def _asked(plan: Plan) -> str:
    """Return why another act ends for one that a person asked for."""
    return f"{plan.origin} asked for {plan.action}"
