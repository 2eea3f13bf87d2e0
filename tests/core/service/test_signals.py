"""Signals as calls in a loop."""

from __future__ import annotations

import asyncio
import os
import signal

from healmon.service.signals import heeded


def test_a_signal_is_a_call_in_the_loop_and_the_default_afterwards():
    async def story() -> list[str]:
        told: list[str] = []
        both = asyncio.Event()

        def told_of(name: str) -> None:
            told.append(name)
            if len(told) == 2:
                both.set()

        calls = {
            signal.SIGUSR1: lambda: told_of("one"),
            signal.SIGUSR2: lambda: told_of("two"),
        }
        with heeded(calls):
            os.kill(os.getpid(), signal.SIGUSR1)
            os.kill(os.getpid(), signal.SIGUSR2)
            async with asyncio.timeout(30):
                await both.wait()
        return told

    try:
        assert sorted(asyncio.run(story())) == ["one", "two"]
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        signal.signal(signal.SIGUSR2, signal.SIG_DFL)
