"""A mount that is gone: what lies below it is neither measured in its name nor cleaned."""

from __future__ import annotations

import asyncio
import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from healmon.clock import ManualClock, SystemClock
from healmon.config.settings import Budget, Disk, Rule
from healmon.disks.healer import DisksHealer
from healmon.errors import RemedyError, VetoError
from healmon.plans import Packed, Plan, Proof, Verdict
from healmon.state import Snapshot
from healmon.world.filedata import Space
from healmon.world.files import SystemFiles
from healmon.world.simulated.files import SimulatedFiles
from tests.helpers.made_up import Noted
from tests.helpers.mounts import MB, mounted

DAY = 86_400.0
RULES = (
    Rule(name="logs", paths=("/hm/data/logs",), patterns=("*.log",), older_than=DAY),
    Rule(name="all", paths=("/hm/srv",), patterns=("*.log",), older_than=DAY),
    Rule(name="above", paths=("/hm/mnt",), patterns=("*.log",), older_than=DAY),
)
DISK = Disk(
    paths=("/hm", "/hm/data", "/hm/data/logs", "/hm/mnt/far"),
    budgets=(Budget(path="/hm/data/logs", limit=MB),),
    rules=RULES,
)


class Watcher:
    """One run of the healer over disks that are full, all of them."""

    def __init__(self, disk: Disk = DISK) -> None:
        self.clock, self.files, self.disk = ManualClock(), SimulatedFiles(), disk
        self.known = Snapshot()
        for mount in ("/hm", "/hm/data", "/hm/mnt/far"):
            self.files.add_disk(mount, 1000 * MB)
            self.files.fill(mount, 970 * MB)
        for folder in ("/hm/data/logs", "/hm/srv", "/hm/mnt/far/logs"):
            self.files.write(f"{folder}/a.log", MB, self.clock.read().wall - 9 * DAY)
        self.begin()

    def begin(self) -> None:
        files, known = self.files, self.known
        self.healer = DisksHealer(self.disk, Path("/state"), files, self.clock, known=known)

    def remember(self, component: str, memory: Packed) -> None:
        self.known = replace(self.known, memory={**self.known.memory, component: memory})

    async def look(self) -> dict[str, Verdict]:
        self.clock.advance(3600.0)  # no count of the look before is believed
        seen = self.healer.diagnose(await self.healer.look(), self.known, self.clock.read())
        for one in seen.verdicts:
            self.remember(one.component, one.memory)
        return {one.component: one for one in seen.verdicts}

    async def act(self, plan: Plan | None) -> Proof:
        assert plan is not None
        return await self.healer.carry_out(plan, Noted())


def told(verdicts: dict[str, Verdict]) -> dict[str, str]:
    return {
        name: finding.message
        for name, verdict in verdicts.items()
        for finding in verdict.findings
        if finding.condition == "unmounted"
    }


async def run(*argv: str) -> None:
    await asyncio.to_thread(subprocess.run, argv, check=True)


def test_what_lies_below_a_mount_that_is_gone_is_let_alone_until_it_is_back():
    async def scenario() -> None:
        watch = Watcher()
        plans = await watch.look()
        names = ("/hm", "/hm/data", "/hm/mnt/far", "/hm/data/logs (budget)")
        assert set(plans) == {f"disk:{name}" for name in names}
        assert told(plans) == {}
        for mount in ("/hm/data", "/hm/mnt/far"):
            watch.files.unmount(mount)
        for stale in ("disk:/hm/data", "disk:/hm/data/logs (budget)"):
            with pytest.raises(VetoError, match="mounted at /hm/data is not mounted any more"):
                await watch.act(plans[stale].plan)
        gone = await watch.look()
        assert set(told(gone)) == set(plans) - {"disk:/hm"}
        assert "nothing is cleaned there" in told(gone)["disk:/hm/data"]
        assert all(gone[name].plan is None for name in told(gone))
        assert gone["disk:/hm/data"].status == "unknown"
        # the file system below is full, too, and goes on to be cleaned, but not there
        with pytest.raises(RemedyError, match="not enough: 1 file"):
            await watch.act(gone["disk:/hm"].plan)
        assert watch.files.paths == ["/hm/data/logs/a.log", "/hm/mnt/far/logs/a.log"]
        watch.files.add_disk("/hm/mnt/far", 1000 * MB)
        watch.files.add_disk("/hm/data", 1000 * MB)  # with other numbers than before
        assert told(await watch.look()) == {}
        await watch.healer.close()

    asyncio.run(scenario())


def test_each_file_system_that_is_gone_is_told_also_where_one_was_within_another():
    async def scenario() -> None:
        watch = Watcher(Disk(paths=("/hm", "/hm/data", "/hm/data/logs", "/hm/data/sub")))
        space = watch.files.space

        def nested(path: str) -> Space:  # a subvolume: no mount of its own, but a number
            seen = space(path)
            inside = path == "/hm/data/sub" and seen.mount == "/hm/data"
            return replace(seen, device=99) if inside else seen

        watch.files.space = nested
        seen = await watch.look()
        assert set(seen) == {"disk:/hm", "disk:/hm/data", "disk:/hm/data/sub"}
        watch.files.unmount("/hm/data")
        gone = await watch.look()
        assert set(gone) == set(seen)
        assert set(told(gone)) == {"disk:/hm/data", "disk:/hm/data/sub"}
        await watch.healer.close()

    asyncio.run(scenario())


def test_what_an_earlier_run_saw_says_nothing():
    async def scenario() -> None:
        watch = Watcher()
        await watch.look()
        await watch.healer.close()
        watch.files.unmount("/hm/data")
        watch.begin()
        assert told(await watch.look()) == {}
        assert told(await watch.look()) == {}
        await watch.healer.close()

    asyncio.run(scenario())


def test_a_real_mount_that_is_gone_is_noticed(tmp_path):
    (tmp_path / "a b").mkdir()
    with mounted("tmpfs", tmp_path / "a b", MB) as place:
        healer = DisksHealer(
            Disk(paths=(str(place),)), tmp_path / "state", SystemFiles(), SystemClock()
        )

        async def scenario() -> tuple[set[str], ...]:
            seen = [await healer.look()]
            await run("umount", str(place))
            seen.append(await healer.look())
            await run("mount", "-t", "tmpfs", "again", str(place))
            seen.append(await healer.look())
            await healer.close()
            return tuple({one.unmounted for one in look.disks} for look in seen)

        assert asyncio.run(scenario()) == ({""}, {str(place)}, {""})


@pytest.mark.parametrize("mount", [True, False])
def test_a_link_that_leads_elsewhere_by_now_is_no_mount_that_is_gone(tmp_path, mount):
    link, new = tmp_path / "link", tmp_path / "b"
    for place in (tmp_path / "a", new):
        place.mkdir()
    with ExitStack() as stack:
        old = stack.enter_context(mounted("tmpfs", tmp_path / "a", MB))
        if mount:
            new = stack.enter_context(mounted("tmpfs", new, MB))
        link.symlink_to(old)
        disk = Disk(paths=(str(link),))
        healer = DisksHealer(disk, tmp_path / "state", SystemFiles(), SystemClock())

        async def scenario() -> list[str]:
            seen = [await healer.look()]
            link.unlink()
            link.symlink_to(new)
            await run("umount", str(old))
            seen.append(await healer.look())
            await run("mount", "-t", "tmpfs", "again", str(old))
            await healer.close()
            return [one.unmounted for look in seen for one in look.disks]

        assert asyncio.run(scenario()) == ["", ""]


def test_a_mount_point_that_is_not_utf8_is_no_trouble(tmp_path):
    base = tmp_path / os.fsdecode(b"caf\xe9")
    base.mkdir()
    with mounted("tmpfs", base, MB) as place:
        (tmp_path / "link").symlink_to(place)
        rule = Rule(name="logs", paths=(f"{tmp_path}/link",), patterns=("*.log",), older_than=DAY)
        disk = Disk(paths=(f"{tmp_path}/link",), rules=(rule,))
        healer = DisksHealer(disk, tmp_path / "state", SystemFiles(), SystemClock())

        async def look() -> dict[str, Verdict]:
            now = SystemClock().read()
            seen = healer.diagnose(await healer.look(), Snapshot(), now).verdicts
            assert all(msgspec.json.encode(one) for one in seen)
            return {one.component: one for one in seen}

        async def scenario() -> None:
            assert told(await look()) == {}
            await run("umount", str(place))
            (text,) = told(await look()).values()
            assert "is not mounted any more" in text
            await run("mount", "-t", "tmpfs", "again", str(place))
            await healer.close()

        asyncio.run(scenario())
