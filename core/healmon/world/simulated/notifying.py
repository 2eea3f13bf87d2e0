"""A way out for notices that leads nowhere: it remembers what it took."""

from __future__ import annotations

import threading

from healmon.config.settings import Channel
from healmon.errors import DeliveryError
from healmon.world.notifying import Message


class SimulatedMessenger:
    """The twin of `SystemMessenger`.

    Attributes:
        taken: what was delivered, in order.
        faults: by channel, why it takes nothing.
        hanging: channels that do not answer.
        lost: channels that take a notice and never say so.
    """

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.faults: dict[str, str] = {}
        self.hanging: set[str] = set()
        self.lost: set[str] = set()
        self._never = threading.Event()

    def deliver(self, channel: Channel, message: Message) -> None:
        """Take a notice, unless the channel is made not to.

        Raises:
            DeliveryError: it is.
        """
        if channel.name in self.faults:
            raise DeliveryError(self.faults[channel.name])
        if channel.name not in self.hanging:
            self.taken.append(message)
        if channel.name in self.hanging | self.lost:
            self._never.wait(channel.timeout)
            raise DeliveryError(f"no answer within {channel.timeout:g} s")
