"""One healer at work: its rounds of look and diagnose, its failures, its wake-ups."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from healmon import events as ev
from healmon.alerts import ENGINE
from healmon.clock import Clock, process_seconds
from healmon.engine.alarms import Alarms
from healmon.engine.stream import Stream
from healmon.errors import ProbeError
from healmon.healer import Healer
from healmon.plans import STANDS, Diagnosis, Plan, Verdict
from healmon.state import of_healer
from healmon.text import clean
from healmon.waiting import call_in, over

OVERTAKEN = "the newest look says otherwise"
"""Why a plan that waits is called off by its own healer."""

LAST_LOOK = 5.0
"""Seconds that a look gets which is owed when the engine ends."""

Propose = Callable[["Room", Plan, int], None]
Withdraw = Callable[[str, str], None]


class Room:
    """Runs one healer's rounds, one at a time, whoever asks for them.

    Args:
        healer: who works here.
        stream: where its events go.
        clock: the engine's clock.
        alarms: who keeps the alerts.
        propose: called with each plan a diagnosis makes and the id of the observation behind it.
        withdraw: called with the component of each waiting plan that no longer holds, and why.

    Attributes:
        seconds: how long the newest look took, its deadline at most.
        owing: an act has ended, and no look that began later has been told: what became of it may
            be in nobody's mind but its healer's.
    """

    seconds = 0.0
    owing = False
    _pays = False

    def __init__(
        self,
        healer: Healer[Any],
        stream: Stream,
        clock: Clock,
        alarms: Alarms,
        propose: Propose,
        withdraw: Withdraw,
    ) -> None:
        self.healer = healer
        self._stream = stream
        self._clock = clock
        self._alarms = alarms
        self._seen_at = clock.read().steady
        self._propose = propose
        self._withdraw = withdraw
        self._round = asyncio.Lock()
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._hanging: asyncio.Task[Any] | None = None
        self._answer: asyncio.Future[bool] | None = None
        self._began = 0.0
        self._loop = asyncio.get_running_loop()

    def wake(self) -> None:
        """Ask for a round as soon as possible; safe from any thread, also after the end."""
        call_in(self._loop, self._wake.set)

    def act_ended(self, *, tried: bool) -> None:
        """Ask for a look at what an act has left; it is owed if anything was tried."""
        if tried:
            self.owing, self._pays = True, False
        self.wake()

    @property
    def restless(self) -> bool:
        """Whether a round has been asked for and not begun."""
        return self._wake.is_set()

    async def catch_up(self) -> None:
        """Make the round that has been asked for, if one has."""
        await asyncio.sleep(0)  # who asks is heard in the next turn of the loop
        if self._wake.is_set():
            self._wake.clear()
            await self.round()

    async def attend(self) -> None:
        """Make a round whenever woken or due, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.round()

    @property
    def free(self) -> bool:
        """Whether no round goes on, so that one begins at once."""
        return not self._round.locked()

    async def round(self) -> bool:
        """Look, judge and tell once; returns False when the healer failed or was late."""
        return await self.settled(await self.begin())

    async def begin(self) -> asyncio.Future[bool]:
        """Begin a round once the one before is over; return what will be its answer.

        Whoever begins one waits for it with `settled`, or lets it go with `leave`. It is judged as
        soon as the look ends, by nobody's task: in a round of all rooms that spares one for each.
        """
        await self._round.acquire()
        answer = self._answer = self._loop.create_future()
        self._began, self._pays = process_seconds(), self.owing
        try:
            self._forget_timer()
            self._stream.heed_clock()
            if self._hanging is not None and not self._hanging.done():
                self._end(self._failed("the look before this one still hangs"))
            else:
                self._hanging = asyncio.ensure_future(self.healer.look())
                self._hanging.add_done_callback(partial(self._looked, answer))
        except BaseException:
            self.leave(answer)
            raise
        return answer

    async def settled(self, answer: asyncio.Future[bool]) -> bool:
        """Return the answer of a round; False when it is late, which ends it."""
        try:
            left = self.healer.deadline - (process_seconds() - self._began)
            # not wait_for: that waits for the cancelled look, and a look may refuse to end
            if not answer.done() and not await over([answer], max(left, 0.0)):
                self._give_up()
        except BaseException:
            self.leave(answer)
            raise
        return answer.result()

    def leave(self, answer: asyncio.Future[bool]) -> None:
        """Wait for a round no more; what it sees is not told."""
        if self._answer is answer:
            self._end(answered=False)

    def _give_up(self) -> None:
        assert self._hanging is not None
        self.seconds = round(process_seconds() - self._began, 3)
        self._hanging.cancel()
        self._end(self._failed(f"no answer within {self.healer.deadline:g} s"))

    def _looked(self, answer: asyncio.Future[bool], look: asyncio.Task[Any]) -> None:
        """Judge and tell what a look has seen, unless nobody waits for it any more."""
        if self._answer is not answer:
            if not look.cancelled():
                look.exception()  # it was heard
            return
        self.seconds = round(process_seconds() - self._began, 3)
        try:
            self._end(self._judged(look))
        except Exception as error:  # noqa: BLE001 - the engine's own: whoever waits fails with it
            answer.set_exception(error)
            self._end(answered=False)

    def _end(self, answered: bool) -> None:  # noqa: FBT001 - what it is told is all there is
        answer, self._answer = self._answer, None
        self._round.release()
        if answer is not None and not answer.done():
            answer.set_result(answered)

    def _judged(self, look: asyncio.Task[Any]) -> bool:
        # moments that were read before a step, and told after it, would not have moved along
        self._stream.heed_clock()
        try:
            snapshot = self._stream.snapshot
            diagnosis = self.healer.diagnose(look.result(), snapshot, self._clock.read())
        except ProbeError as error:
            return self._failed(error.line)
        except asyncio.CancelledError:
            return self._failed("its look was called off")
        except Exception as error:  # noqa: BLE001 - one healer's crash must not end the others
            return self._failed(f"crashed: {type(error).__name__}: {error}")
        self._seen_at = self._clock.read().steady
        try:
            self._tell(diagnosis)
        except Exception as error:  # noqa: BLE001 - what it said makes no sense: likewise
            return self._failed(f"crashed: {type(error).__name__}: {error}")
        if self._pays:
            self.owing = False
        if self.healer.name in self._stream.snapshot.failing:
            self._stream.emit(ev.HealerRecovered(self.healer.name))
        again = (diagnosis.look_again, self._alarms.look_in(self.healer.name))
        wanted = [seconds for seconds in again if seconds is not None]
        if wanted:
            self._timer = self._loop.call_later(min(wanted), self._wake.set)
        return True

    async def last_look(self) -> None:
        """Look once more, after the look that nobody waits for any more."""
        if self._hanging is not None and not self._hanging.done():
            await asyncio.wait({self._hanging})
        await self.round()

    async def follow(self, healer: Healer[Any]) -> None:
        """Have another healer look after the same, from the next look on; that is soon."""
        async with self._round:
            self._forget_timer()
            before, self.healer, self._hanging = self.healer, healer, None
            try:
                with suppress(TimeoutError):  # what hangs there must not keep this one waiting
                    async with asyncio.timeout(before.deadline):
                        await before.close()
            finally:
                healer.start(self.wake)
        self.wake()

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _failed(self, reason: str) -> bool:
        name, reason = self.healer.name, clean(reason, limit=500)
        self._alarms.unseen(name, self._clock.read().steady - self._seen_at, reason)
        if self._stream.snapshot.failing.get(name) == reason:
            return False
        cause = self._stream.emit(ev.HealerFailed(name, reason))
        for view in of_healer(self._stream.snapshot, name).values():
            self._stream.emit(
                ev.Observed(
                    name, view.name, "unknown", f"not seen: {reason}", "check_error", "", view.facts
                ),
                cause,
            )
        return False

    def _tell(self, diagnosis: Diagnosis) -> None:
        if diagnosis is STANDS:
            return
        for component in diagnosis.hold:
            self._withdraw(component, OVERTAKEN)
        # no alert of this healer changes but by its own verdicts: one case serves them all
        case = self._alarms.case(self.healer.name)
        self._alarms.judge(case, self._of_all(diagnosis))
        for verdict in diagnosis.verdicts:
            cause = self._observed(verdict)
            self._alarms.judge(case, verdict, cause)
            if verdict.plan is not None:
                self._propose(self, verdict.plan, cause)
        for component in diagnosis.gone:
            if component in self._stream.snapshot.components:
                self._alarms.gone(component)
                self._stream.emit(ev.ComponentGone(component))
        self._alarms.overlay()

    def _of_all(self, diagnosis: Diagnosis) -> Verdict:
        """Return what concerns the host or many components: alerts of healmon, by this healer."""
        name, found = self.healer.name, diagnosis.systemic
        return Verdict(ENGINE, "warning", "it is over", name, "", {}, found)

    def _observed(self, verdict: Verdict) -> int:
        stream, name = self._stream, verdict.component
        known = stream.snapshot.components.get(name)
        seen = (verdict.status, verdict.summary, verdict.facts)
        cause = stream.snapshot.last_id
        if known is None or (known.status, known.summary, known.facts) != seen:
            cause = stream.emit(
                ev.Observed(
                    self.healer.name,
                    name,
                    verdict.status,
                    verdict.summary,
                    verdict.metric_type,
                    verdict.metric_value,
                    verdict.facts,
                )
            )
        if stream.snapshot.memory.get(name, {}) != verdict.memory:
            stream.emit(ev.Remembered(name, verdict.memory), cause)
        return cause

    @staticmethod
    async def close_all(rooms: Sequence[Room]) -> None:
        """Let healers go; whose act ended a moment ago looks once more: the next run must know."""
        owed = [asyncio.create_task(room.last_look()) for room in rooms if room.owing]
        await over(owed, LAST_LOOK)
        for look in owed:
            look.cancel()
        await asyncio.gather(*owed, return_exceptions=True)
        for room in rooms:
            await room.healer.close()
