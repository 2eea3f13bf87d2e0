"""The live state: a thread follows the healer's store and folds; the event loop shares the result.

What is told is made once, as bytes, for all viewers, in that thread. Changes that come close
together are told together: a storm of events costs a viewer four states a second.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import msgspec

from healmon.clock import SystemClock
from healmon.errors import HealmonError
from healmon.service import instance
from healmon.service.folding import Folding
from healmon.service.push import Ear
from healmon.text import clean
from healmon.web import shapes
from healmon.web.statejson import Holding, Seen, out_of_order, state_of
from healmon.web.when import moment

_log = logging.getLogger(__name__)

CALM: Final = 0.25
"""Seconds between two states that are told, at least."""
CALMEST: Final = 2.0
"""The same where they are large: a crash is to be seen within three seconds."""
PACE: Final = 1_000_000
"""Bytes a second that each viewer is told at most, between these two."""
_encoder: Final = msgspec.json.Encoder()


class Live:
    """What is known now, and word of each change. `start` and the rest belong to one event loop.

    Args:
        state_dir: whose healer is looked at; none need run, nor ever have.

    Attributes:
        seen: what is known.
        state: the same, as it is told.
        body: the same, as JSON.
        looks: how often was looked; it grows for as long as somebody looks.
    """

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.seen = Seen()
        self.state: shapes.State = state_of(self.seen, 0.0)
        self.body = _encoder.encode(self.state)
        self._clock = SystemClock()
        self.looks = 0
        self._fault = ""
        self._ended = threading.Event()
        self._turn = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._ear = Ear(state_dir)
        self._first = asyncio.Event()
        self._thread = threading.Thread(target=self._follow, name="healmon-live", daemon=True)

    async def start(self) -> None:
        """Begin; returns when it is known whether there is anything to be seen."""
        self._thread.start()
        await self._first.wait()

    async def stop(self) -> None:
        """End; returns when the thread has."""
        self._ended.set()
        self._ear.interrupt()
        await asyncio.to_thread(self._thread.join)
        self._ear.close()

    def now(self) -> float:
        """Return wall seconds."""
        return self._clock.read().wall

    def steady(self) -> float:
        """Return seconds on a timeline that nobody sets."""
        return self._clock.read().steady

    async def after(self, version: int) -> Seen:
        """Return what is known once it is newer than a version."""
        while self.seen.version <= version:
            await self._turn.wait()
        return self.seen

    async def subscribe(self) -> AsyncIterator[Seen]:
        """Give what is known now, and again after each change; what nobody waited for is left."""
        version = -1
        while True:
            seen = await self.after(version)
            version = seen.version
            yield seen

    def _follow(self) -> None:
        follower = _Follower(self.state_dir)
        told = b""
        while not self._ended.is_set():
            seen, state, body = self._looked(follower)
            self.looks += 1
            if body != told:
                told = body
                self._loop.call_soon_threadsafe(self._publish, seen, state, body)
            else:
                self._loop.call_soon_threadsafe(self._first.set)
            self._ended.wait(calm_after(len(body)))
            self._ear.wait()
        follower.close()

    def _looked(self, follower: _Follower) -> tuple[Seen, shapes.State, bytes]:
        """Return what is known, and how it is told; a fault of ours is told, too."""
        try:
            seen = follower.look()
            state = state_of(seen, self.now())
            body = _encoder.encode(state)
        except Exception as error:  # noqa: BLE001 - else all would go on looking at an old state
            reason = clean(f"a fault of the web server: {type(error).__name__}: {error}", limit=300)
            if self._fault != reason:
                _log.exception("the state cannot be told")
            self._fault = reason
            seen = self.seen._replace(trouble=reason)
            state = out_of_order(self.state, reason)
            return seen, state, _encoder.encode(state)
        self._fault = ""
        return seen, state, body

    def _publish(self, seen: Seen, state: shapes.State, body: bytes) -> None:
        self.seen = seen._replace(version=self.seen.version + 1)
        self.state, self.body = state, body
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()
        self._first.set()


def calm_after(size: int) -> float:
    """Return the seconds until the next state is told, after one of so many bytes."""
    return min(max(CALM, size / PACE), CALMEST)


class _Follower:
    """Looks at the store and at who holds it, in one thread."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._folding = Folding(state_dir)

    def look(self) -> Seen:
        """Return what is known now. Never raises."""
        trouble = ""
        try:
            self._folding.look()
        except (HealmonError, OSError, msgspec.MsgspecError) as error:
            # where there has never been one, none is missed
            if self._folding.there:
                trouble = clean(f"the store cannot be read: {error.args[0] if error.args else ''}")
        known = self._folding
        return Seen(known.snapshot, _holding(self._state_dir), known.epoch, trouble)

    def close(self) -> None:
        """Let go of the file."""
        self._folding.close()


def _holding(state_dir: Path) -> Holding | None:
    found = instance.holder(state_dir)
    if found is None:
        return None
    since = f"{found.started[:10]}T{found.started[11:19]}.000Z" if found.started else ""
    return Holding(
        found.pid, clean(found.version), clean(found.mode), clean(since),
        still=instance.stands_still(found),
    )  # fmt: skip


def beat(live: Live) -> bytes:
    """Return the word that the server is there, as JSON."""
    running = live.seen.holding is not None
    return _encoder.encode(shapes.Beat(now=moment(live.now()), running=running))
