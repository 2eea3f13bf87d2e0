"""What a killed cleaning had set aside by a rule that is gone goes back to its place."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from healmon.clock import ManualClock
from healmon.config.settings import Disk, Rule
from healmon.disks.diagnose import recall
from healmon.disks.healer import DisksHealer
from healmon.disks.model import Memory
from healmon.plans import Verdict
from healmon.state import Snapshot
from healmon.world.filedata import Selection
from healmon.world.simulated.files import SimulatedFiles
from tests.helpers.made_up import Noted

MB, DAY = 1_000_000, 86_400.0
NAME = "disk:/hm"
LOGS = Rule(name="logs", paths=("/hm/logs",), patterns=("*.log",), older_than=DAY)
DEEP = Rule(name="deep", paths=("/hm/logs/deep",), patterns=("*.log",), older_than=DAY)
OTHER = Rule(name="other", paths=("/hm/other",), patterns=("*.log",), older_than=DAY)


class Runs:
    """Runs of the healer one after the other, that know what the one before remembered."""

    def __init__(self) -> None:
        self.clock, self.files, self.known = ManualClock(), SimulatedFiles(), Snapshot()
        self.files.add_disk("/hm", 1000 * MB)
        for path in ("/hm/logs/a.log", "/hm/logs/deep/b.log", "/hm/other/c.log"):
            self.files.write(path, MB, self.clock.read().wall - 9 * DAY)
        self.paths = self.files.paths

    def begin(self, *rules: Rule) -> None:
        self.disk = Disk(paths=("/hm",), rules=rules)
        files, known = self.files, self.known
        self.healer = DisksHealer(self.disk, Path("/state"), files, self.clock, known=known)

    async def look(self) -> Verdict:
        seen = await self.healer.look()
        (verdict,) = self.healer.diagnose(seen, self.known, self.clock.read()).verdicts
        self.known = replace(self.known, memory={NAME: verdict.memory})
        return verdict

    def kill_at(self, root: str, path: str) -> None:
        selection = Selection(rule="x", roots=(root,), patterns=("*.log",), older_than=DAY)
        self.files.interrupt(selection, path)


@pytest.mark.parametrize("rules", [(), (OTHER,)])
def test_what_a_rule_that_is_gone_had_set_aside_goes_back(rules):
    async def scenario() -> None:
        runs = Runs()
        runs.begin(LOGS, DEEP)
        await runs.look()
        runs.kill_at("/hm/logs", "/hm/logs/a.log")
        runs.kill_at("/hm/logs/deep", "/hm/logs/deep/b.log")
        await runs.healer.close()
        runs.begin(*rules)
        plan = (await runs.look()).plan
        assert plan is not None
        assert "had set aside 2 files" in plan.why
        proof = await runs.healer.carry_out(plan, Noted())
        assert proof.text == "0 removed, 2 put back, nothing is left aside"
        assert runs.files.paths == runs.paths
        assert (await runs.look()).plan is None
        # and what is done is forgotten
        kept = recall(runs.known, NAME).places
        assert kept == tuple(path for rule in rules for path in rule.paths)
        await runs.healer.close()

    asyncio.run(scenario())


def test_what_cannot_be_looked_into_is_remembered():
    async def scenario() -> None:
        runs = Runs()
        runs.begin(LOGS)
        await runs.look()
        await runs.healer.close()
        runs.begin()
        runs.files.refuse("/hm", "it hangs")
        await runs.look()
        assert recall(runs.known, NAME).places == ("/hm/logs",)
        await runs.healer.close()

    asyncio.run(scenario())


def test_a_memory_that_knew_of_mounts_is_read_as_well():
    mounted = {"point": "/hm", "device": 1, "view": "boot", "rules": "a"}
    known = Snapshot(memory={NAME: {"level": "warning", "places": ["/a"], "mounted": mounted}})
    assert recall(known, NAME) == Memory(level="warning", places=("/a",))
