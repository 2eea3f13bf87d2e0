"""The door to what the host itself has: its memory."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from healmon.errors import ProbeError

MEMINFO: Final = "/proc/meminfo"


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
            with open(MEMINFO, encoding="ascii") as file:  # noqa: PTH123 - no path of the disk's
                return parse_memory(file.read(8192))
        except OSError as error:
            raise ProbeError(f"{MEMINFO}: {error.strerror}") from error


def parse_memory(text: str) -> HostMemory:
    """Return what `/proc/meminfo` says.

    Raises:
        ProbeError: a field is missing or no number.
    """
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    try:
        total, available = (int(fields[f"Mem{what}"].split()[0]) for what in ("Total", "Available"))
    except (KeyError, ValueError, IndexError) as error:
        raise ProbeError(f"{MEMINFO} cannot be understood") from error
    return HostMemory(total * 1024, available * 1024)
