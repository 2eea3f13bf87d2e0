"""Many questions in one breath, each answered or failed for itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

from healmon.errors import ProbeError
from healmon.world.tmux import TmuxAbsentError

T = TypeVar("T")
Failed = TmuxAbsentError | ProbeError


async def each(names: Iterable[str], call: Callable[[str], Awaitable[T]]) -> dict[str, T | Failed]:
    """Return what a call gives for each name, or how it failed."""

    async def outcome(name: str) -> T | Failed:
        try:
            return await call(name)
        except (TmuxAbsentError, ProbeError) as error:
            return error

    names = tuple(names)
    if len(names) == 1:  # as most have it: without a task of its own
        return {names[0]: await outcome(names[0])}
    return dict(zip(names, await asyncio.gather(*map(outcome, names)), strict=True))


def good(answers: Mapping[str, T | Failed]) -> dict[str, T]:
    """Return the answers that are none of a failure."""
    return {name: one for name, one in answers.items() if not isinstance(one, Failed)}
