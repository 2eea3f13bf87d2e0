"""Watches the backup targets that rules name: one that is out of order keeps files from going.

Each is asked in a thread of its own, now and then; a look takes what is known and waits for none.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Final

from healmon.clock import Clock
from healmon.config.depot import is_remote
from healmon.config.settings import Disk
from healmon.disks.cover import idle_reason, roots_in
from healmon.disks.model import Target
from healmon.world.depots import Backups
from healmon.world.hands import Hands

RECHECK: Final = 900.0
"""Seconds for which an answer of a backup target is believed."""


@dataclass(slots=True)
class _Asked:
    """What was asked about one backup target, and what it said."""

    hands: Hands
    at: float
    task: asyncio.Task[str]


class Watch:
    """Knows what is wrong with the backup targets of a configuration.

    Args:
        disk: the rules.
        depots: the door to the targets.
        clock: all time.
    """

    def __init__(self, disk: Disk, depots: Backups, clock: Clock) -> None:
        self._rules = [
            rule for rule in disk.rules if is_remote(rule.backup) and not idle_reason(rule)
        ]
        self._depots = depots
        self._clock = clock
        self._asked: dict[str, _Asked] = {}

    def ask(self) -> None:
        """See to it that each target is asked when its last answer is old."""
        now = self._clock.read().steady
        for url in dict.fromkeys(rule.backup for rule in self._rules):
            asked = self._asked.get(url)
            if asked is not None and (now - asked.at < RECHECK or not asked.task.done()):
                continue
            hands = asked.hands if asked is not None else Hands("check a backup target")
            task = asyncio.ensure_future(hands.call(partial(self._depots.check, url)))
            self._asked[url] = _Asked(hands, now, task)

    def troubles(self, target: Target) -> tuple[str, ...]:
        """Return what keeps rules from cleaning a target, in words, as far as it is known."""
        return tuple(
            f"rule {rule.name} keeps its files: {trouble}"
            for rule in self._rules
            if roots_in(rule, target) and (trouble := self._depots.trouble(rule.backup))
        )

    def close(self) -> None:
        """Wait for no answer any more."""
        for asked in self._asked.values():
            asked.task.cancel()
            asked.hands.close()
