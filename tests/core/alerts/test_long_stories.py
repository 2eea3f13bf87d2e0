"""Hours of trouble through the real judge of workers: how many alerts a person has to read.

155 samples of a disk at 86.9 % are in `tests/core/disks`, a day of flapping in `test_flapping`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from healmon import alerts
from healmon.alerts.confirm import Clear
from healmon.config.settings import Alerts
from healmon.plans import Diagnosis, Verdict
from healmon.state import open_alerts
from healmon.world.processes import Ended
from healmon.world.simulated.processes import Program
from tests.helpers.witness import WatchedWorld
from tests.helpers.workerbench import Bench, a_worker
from tests.helpers.workerplay import DIES_AT_ONCE, STAYS, play

CYCLES, EVERY = 284, 75.0
NAMES = ("assigner_worker", "task_worker", "mail_worker")


class Desk:
    """The inbox over a bench, by the rules as they are without a configuration."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.rules = Alerts()
        self.clear: dict[str, Clear] = {}
        self.most = 0
        self.told: list[str] = []
        bench._judge = self.judge
        inner = bench.round

        async def looked() -> Diagnosis:
            diagnosis = await inner()
            self.settle()
            return diagnosis

        bench.round = looked

    def judge(self, verdict: Verdict) -> None:
        bench = self.bench
        now = bench.clock.read().wall
        case = alerts.Case.of(bench.snapshot, "workers", self.rules, now, self.clear)
        judged = alerts.judge(case, verdict)
        for alert in case.there.get(verdict.component, ()):
            self.clear.pop(alert.key, None)
        self.clear |= judged.clear
        for event in judged.events:
            bench.emit(event)

    def settle(self) -> None:
        for event in alerts.overlay(self.bench.snapshot, self.rules, self.bench.clock.read().wall):
            self.bench.emit(event)
        before, now = set(self.told[-1:]), self.audible()
        self.most = max(self.most, len(now))
        if set(now) != before:
            self.told += now

    def audible(self) -> list[str]:
        found = (a for a in open_alerts(self.bench.snapshot) if not a.overlays.muted)
        return [a.key.removeprefix("bench/workers/") for a in found]


def workers(folder: Path) -> list:
    made = []
    for name in NAMES:
        script = folder / f"{name}.py"
        script.touch()
        argv = ("/usr/bin/python3", str(script))
        critical = name == NAMES[0]
        made.append(a_worker(name=name, argv=argv, script=str(script), critical=critical))
    return made


@pytest.mark.parametrize(
    "dies",
    [DIES_AT_ONCE, Program(lives=40.0, end=Ended(code=1))],
    ids=["at once", "after 40 s"],
)
@pytest.mark.slow
def test_six_hours_of_three_failing_workers_are_one_alert(tmp_path: Path, dies: Program) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        desk = Desk(bench)
        world.behave = lambda _: STAYS
        await bench.run(900.0, every=EVERY)
        assert desk.audible() == []
        world.behave = lambda _: dies
        for identity in world.alive():
            world.end(identity, Ended(signal=9))
        await bench.run(CYCLES * EVERY, every=EVERY)
        assert desk.audible() == ["healmon/storm"]
        assert desk.most == 1, desk.told

    bench = play(tmp_path, scene, *workers(tmp_path))
    storms = [e for e in bench.opened() if e.key.endswith("/storm")]
    assert len(storms) == 1, "one incident, six hours long"
    (storm,) = (a for a in bench.snapshot.alerts.values() if a.key.endswith("/storm"))
    assert storm.severity == "CRITICAL", "it is as bad as what it stands for"
    assert all(name in storm.message for name in NAMES)
    others = [a for a in open_alerts(bench.snapshot) if a.key != storm.key]
    assert {a.overlays.inhibited_by for a in others} == {storm.key}
    assert len(bench.events) < CYCLES * 2, "what does not change costs nothing"


@pytest.mark.slow
def test_when_all_but_one_are_well_again_that_one_is_told_as_itself(tmp_path: Path) -> None:
    async def scene(bench: Bench, world: WatchedWorld) -> None:
        desk = Desk(bench)
        world.behave = lambda _: DIES_AT_ONCE
        await bench.run(3_600.0, every=EVERY)
        assert desk.audible() == ["healmon/storm"]
        world.behave = lambda launch: DIES_AT_ONCE if "task_worker" in launch.argv[1] else STAYS
        for name in NAMES:
            await bench.ask("release", name)
        await bench.run(7_200.0, every=EVERY)
        assert {name.partition("/")[0] for name in desk.audible()} == {"task_worker"}

    play(tmp_path, scene, *workers(tmp_path))
