"""How an act ends where it waits, because something else is wanted by now.

What is wanted wins in every wait. An act is never torn out of a step: it is told that it is over,
and hears of it in its waits and before each touch of the world. Its journal row stays as it is, so
whoever comes next (a person's act, or healmon once it may) goes on from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from healmon.errors import CalledOffError

T = TypeVar("T")


class Way:
    """What an act is told while it goes on; belongs to one event loop."""

    def __init__(self) -> None:
        self._reason = ""
        self._proofs_only = False
        self._listeners: list[Callable[[], None]] = []

    def end(self, reason: str, *, proofs_only: bool = False) -> None:
        """Have the act end at its next wait, or the one that it is in.

        Args:
            reason: what for, in words.
            proofs_only: only where it proves a start: the next healer goes on with that.
        """
        if proofs_only and self._reason:
            return
        self._reason, self._proofs_only = reason, proofs_only
        for listener in tuple(self._listeners):
            listener()

    def check(self, *, proves: bool) -> None:
        """Return when the act may go on.

        Args:
            proves: it is about to wait for nothing but a proof.

        Raises:
            CalledOffError: it is over.
        """
        if self._reason and (proves or not self._proofs_only):
            raise CalledOffError(self._reason)

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have something called when the act is to end; returns what takes that back."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def unless(self, waited: Awaitable[T], *, proves: bool) -> T:
        """Return what something comes to that is waited for.

        Raises:
            CalledOffError: the act is over; what was waited for is cancelled.
        """
        over = asyncio.Event()
        forget = self.listen(over.set)
        task, told = asyncio.ensure_future(waited), asyncio.ensure_future(over.wait())
        try:
            self.check(proves=proves)
            while not task.done():
                await asyncio.wait({task, told}, return_when=asyncio.FIRST_COMPLETED)
                if not task.done():
                    self.check(proves=proves)
                    await asyncio.wait({task})
            return task.result()
        finally:
            forget()
            task.cancel()
            told.cancel()
            await asyncio.gather(task, told, return_exceptions=True)
