"""The floors, and healmon itself."""

from __future__ import annotations

import json
import platform
import sys
from typing import ClassVar

from benchmarks.workers.contestant import Command, Contestant, Place
from benchmarks.workers.fetch import PROGRAMS
from healmon import __version__

MAIN = "import sys; from healmon.cli import main; sys.exit(main())"


class FloorC(Contestant):
    """The physical limit."""

    name = "floor-c"
    about = "floor.c: epoll, a pidfd per worker, posix_spawn, nothing else"

    def prepare(self) -> str:
        self._program = self.tools.compiled("floor")
        return "1"

    def configure(self, place: Place) -> Command:
        count = str(len(place.names))
        return Command(argv=[self._program, count, str(place.fifo), *place.worker])


class FloorPython(Contestant):
    """What bare Python can do."""

    name = "floor-py"
    about = "floor.py: the same in Python -I -S, without asyncio"

    def prepare(self) -> str:
        return platform.python_version()

    def configure(self, place: Place) -> Command:
        program = [sys.executable, "-I", "-S", str(PROGRAMS / "floor.py")]
        count = str(len(place.names))
        return Command(argv=[*program, count, str(place.fifo), *place.worker])


class Healmon(Contestant):
    """healmon as it is run in the foreground, with nothing but workers to look after."""

    name = "healmon"
    about = "healmon run: restart_delay 0, budgets and storm rule off, check_interval 60 s"
    period: ClassVar[float] = 60.0
    readopts = True

    def prepare(self) -> str:
        return __version__

    def configure(self, place: Place) -> Command:
        config = place.write("healmon.toml", _toml(place))
        return Command(
            argv=[
                *(sys.executable, "-c", MAIN, "run", "--json"),
                *("--config", str(config), "--state-dir", str(place.folder / "state")),
            ],
            env={"HOME": str(place.folder)},
        )

    def again(self, place: Place) -> None:
        log = place.folder / "output.log"
        self._heard = log.stat().st_size if log.exists() else 0
        super().again(place)

    def settled(self, place: Place) -> bool:
        """Return whether the first cycle since the newest start has been reported."""
        return (place.folder / "output.log").stat().st_size > self._heard


def _toml(place: Place) -> str:
    lines = [
        '[monitor]\nname = "bench"\ncheck_interval = "60s"',
        "starts_in_flight = 0\nstart_spacing = 0\nstarts_per_minute = 0\nstorm_failures = 0",
        "[sessions]\nsockets = []",
        "[disk]\npaths = []",
    ]
    for name in place.names:
        lines += [
            f"[workers.{name}]",
            f"command = {json.dumps(place.argv(name))}",
            'restart_delay = 0\nforks = false\nmin_uptime = "0.05s"\nstable_after = "1s"',
            # as many crashes as it takes: the others are measured without their brakes, too
            'max_failures = 1_000_000\nslow_failures = 1_000_000\nslow_window = "1s"',
            'failure_window = "1s"',
        ]
    return "\n".join(lines) + "\n"
