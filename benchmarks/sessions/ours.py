"""How healmon looks at all sessions of a server: `tmux` alone, the whole `look`, or the `cycle`.

`tmux`: what the peers do, a list and a batch of captures, of those screens that moved. `look`: the
same with tasks from a database, terminals, processes and what each screen says. `cycle`: the same
and the judgement on it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).parent))

if TYPE_CHECKING:  # each way is a program of its own, in this directory
    from benchmarks.sessions import meter
else:
    import meter

from healmon.clock import SystemClock
from healmon.config.settings import Sessions, Tasks
from healmon.sessions.captures import Captures
from healmon.sessions.diagnose import diagnose
from healmon.sessions.probe import Probe
from healmon.state import Snapshot
from healmon.world.system_processes import SystemProcesses
from healmon.world.taskdb import SystemTaskDatabases
from healmon.world.tmux import SystemTmux


def tmux_alone(told: meter.Told) -> Callable[[], int]:
    tmux, socket = SystemTmux(program=told["program"]), told["socket"]
    captures, clock = Captures(), SystemClock()

    def look() -> int:
        now = clock.read()
        captures.begin(now)
        panes = tmux.panes(socket)
        due = captures.due(captures.of(socket), panes, {pane.id for pane in panes}, now)
        return len(captures.take(socket, panes, tmux.screens(socket, due), now))

    return look


def probe_of(told: meter.Told) -> Probe:
    settings = Sessions(sockets=(told["socket"],))
    tasks = [Tasks(name="assigner", path=told["database"])]
    tmux = SystemTmux(program=told["program"])
    return Probe(settings, tasks, tmux, SystemTaskDatabases(), SystemProcesses(), SystemClock())


def whole_look(told: meter.Told) -> Callable[[], int]:
    probe, loop = probe_of(told), asyncio.new_event_loop()

    def look() -> int:
        seen = loop.run_until_complete(probe.look())
        assert not seen.faults, seen.faults
        return sum(bool(one.tasks and one.screen) for one in seen.sessions)

    return look


def whole_cycle(told: meter.Told) -> Callable[[], int]:
    probe, loop = probe_of(told), asyncio.new_event_loop()
    known = Snapshot()

    def look() -> int:
        nonlocal known
        seen = loop.run_until_complete(probe.look())
        said = diagnose(probe.settings, seen, known, probe.clock.read())
        known = replace(known, memory={one.component: one.memory for one in said.verdicts})
        return len(said.verdicts)

    return look


WAYS = {"tmux": tmux_alone, "look": whole_look, "cycle": whole_cycle}

if __name__ == "__main__":
    way = sys.argv.pop(1)
    arguments = meter.args()
    meter.measure(WAYS[way](arguments), arguments)
