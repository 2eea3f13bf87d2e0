"""The door to what the host itself has: its memory."""

from __future__ import annotations

import os
import re
from typing import Final, NamedTuple, Protocol

from healmon.errors import ProbeError

MEMINFO: Final = "/proc/meminfo"
_FIELD: Final = re.compile(r"^Mem(Total|Available):\s*(\d+)", re.ASCII | re.MULTILINE)


class HostMemory(NamedTuple):
    """Bytes; `available` is what can be had without swapping, as the kernel reckons."""

    total: int
    available: int


class Host(Protocol):
    """Everything healmon asks about the host as a whole."""

    def memory(self) -> HostMemory:
        """Return what memory there is.

        Raises:
            ProbeError: it cannot be told.
        """
        ...


class SystemHost:
    """This machine."""

    def memory(self) -> HostMemory:
        """Return what memory there is.

        Raises:
            ProbeError: it cannot be told.
        """
        try:
            fd = os.open(MEMINFO, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return parse_memory(os.read(fd, 512).decode("ascii", "replace"))
            finally:
                os.close(fd)
        except OSError as error:
            raise ProbeError(f"{MEMINFO}: {error.strerror}") from error


def parse_memory(text: str) -> HostMemory:
    """Return what `/proc/meminfo` says.

    Raises:
        ProbeError: a field is missing or no number.
    """
    fields = dict(_FIELD.findall(text))
    try:
        return HostMemory(int(fields["Total"]) * 1024, int(fields["Available"]) * 1024)
    except KeyError as error:
        raise ProbeError(f"{MEMINFO} cannot be understood") from error
