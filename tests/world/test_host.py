"""What the host has."""

from __future__ import annotations

import pytest

from healmon.errors import ProbeError
from healmon.world.host import HostMemory, SystemHost, parse_memory


def test_this_machine_has_memory() -> None:
    memory = SystemHost().memory()
    assert 0 < memory.available < memory.total


def test_the_kernels_numbers_are_kib() -> None:
    text = "MemTotal:  100 kB\nMemFree:  1 kB\nMemAvailable:    7 kB\nHugePages_Total: 0\n"
    assert parse_memory(text) == HostMemory(102_400, 7168)


@pytest.mark.parametrize("text", ["", "MemTotal: 1 kB", "MemTotal: x kB\nMemAvailable: 1 kB", "?"])
def test_what_cannot_be_understood_is_unknown(text: str) -> None:
    with pytest.raises(ProbeError, match="meminfo"):
        parse_memory(text)
