"""A real network mount whose server is gone: it is unknown, and everything else goes on."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from healmon import events as ev
from healmon.clock import SystemClock
from healmon.config.settings import Disk, Rule
from healmon.disks.diagnose import diagnose
from healmon.disks.healer import DisksHealer
from healmon.engine import Engine, Run
from healmon.plans import Proof
from healmon.state import Snapshot
from healmon.world.fileholders import Holders, holders
from healmon.world.files import SystemFiles
from healmon.world.fileuse import files_in_use
from tests.helpers.box import Box
from tests.helpers.deadmount import network_mount
from tests.helpers.made_up import MemoryJournal, Noted
from tests.helpers.mounts import MB, fill, mounted, percent

HOLD = "import sys; f = open(sys.argv[1]); print('up', flush=True); sys.stdin.read()"


@pytest.fixture
def far(tmp_path):
    """Give a dead mount on which a process has a file open."""
    place = tmp_path / "far"
    place.mkdir()
    with network_mount(place) as server:
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(place / "held")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"up\n"
        server.die()
        try:
            yield place
        finally:
            holder.kill()  # the kernel lets it go at the latest when the connection ends
    holder.communicate()


def once(disk: Disk, state: Path) -> tuple[MemoryJournal, Snapshot, float]:
    journal, clock = MemoryJournal(), SystemClock()
    engine = Engine([DisksHealer(disk, state, SystemFiles(), clock)], journal, clock, Run(host="b"))

    async def scenario() -> None:
        await asyncio.sleep(1.2)  # the rules' age is real time: nobody can set a file's ctime
        await engine.run_once()

    began = time.monotonic()
    asyncio.run(scenario())
    return journal, engine.snapshot, time.monotonic() - began


def rule(name: str, *paths: Path, **keys: object) -> Rule:
    given = {"name": name, "paths": tuple(map(str, paths)), "patterns": ("*.log.*",)}
    return Rule(**{**given, "older_than": 1.0, **keys})


@pytest.mark.slow
def test_a_full_disk_is_cleaned_though_rules_and_processes_reach_into_a_dead_mount(tmp_path, far):
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    with mounted("tmpfs", tmp_path, 16 * MB) as place:
        fill(place / "logs", 97, MB // 2)
        disk = Disk(
            paths=(str(place),),
            rules=(rule("both", far / "logs", place / "logs"), rule("far", far)),
            protect=(str(far / "kept"),),
        )
        journal, _, took = once(disk, state)
        assert percent(place) < 80
    (verified,) = journal.all(ev.ActionVerified)
    assert verified.details["files"] > 0
    assert took < 60, "nothing waited for the dead"


@pytest.mark.slow
def test_a_mount_that_dies_while_it_is_cleaned_holds_up_no_other(tmp_path):
    far, state, clock = tmp_path / "far", tmp_path / "state", SystemClock()
    far.mkdir()
    state.mkdir(mode=0o700)
    with network_mount(far) as server, mounted("tmpfs", tmp_path, 16 * MB) as near:
        fill(near / "logs", 97, MB // 2)
        disk = Disk(
            paths=(str(far), str(near)),
            rules=(rule("far", far, patterns=("held",)), rule("near", near / "logs")),
            warning=30.0, critical=40.0, target=20.0,
        )  # fmt: skip
        healer = DisksHealer(disk, state, SystemFiles(), clock)

        class Ends(Noted):
            async def about_to(self, text: str) -> None:
                await super().about_to(text)
                server.die()

        async def scenario() -> tuple[list[str], Proof]:
            await asyncio.sleep(1.2)  # the rules' age is real time
            seen = await healer.look()
            found = diagnose(seen, disk, Snapshot(), clock.read()).verdicts
            plans = {one.component: one.plan for one in found}
            last = Ends()
            hanging = asyncio.create_task(healer.carry_out(plans[f"disk:{far}"], last))
            async with asyncio.timeout(60):
                while not last.steps:
                    await asyncio.sleep(0.01)
                proof = await healer.carry_out(plans[f"disk:{near}"], Noted())
            assert not hanging.done()
            hanging.cancel()
            await healer.close()
            return last.steps, proof

        steps, proof = asyncio.run(scenario())
    assert "rule far" in steps[0]
    assert proof.details["files"] > 0


def test_a_list_of_open_files_is_not_complete_beside_a_dead_mount(far):
    assert far
    told: list[object] = []
    thread = threading.Thread(target=lambda: told.append(files_in_use()), daemon=True)
    thread.start()
    thread.join(60)
    assert told == [None]


def test_who_holds_a_log_is_told_beside_a_dead_mount(tmp_path, far):
    assert far
    log = tmp_path / "app.log"
    log.touch()
    key = log.stat().st_dev, log.stat().st_ino
    with subprocess.Popen(
        [sys.executable, "-c", HOLD.replace("1])", "1], 'a')"), str(log)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as writer:  # fmt: skip
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"up\n"
        told: list[Holders] = []
        thread = threading.Thread(target=lambda: told.append(holders(key)), daemon=True)
        thread.start()
        thread.join(60)
        writer.kill()
    assert [(one.unfit, one.appends) for one in told] == [("", True)]


@pytest.mark.slow
def test_a_dead_mount_is_unknown_and_one_run_of_healmon_ends_in_time(tmp_path, far):
    box = Box(tmp_path)
    box.write()
    box.config.write_text(
        box.config.read_text().replace("paths = []", f'paths = ["{far}", "{tmp_path}"]')
    )
    began = time.monotonic()
    done = box.healmon("once")
    took = time.monotonic() - began
    (line,) = [one for one in done.stdout.splitlines() if str(far) in one]
    assert "❓" in line
    assert "no answer within 5 s" in line or "has been hanging for" in line
    assert any(f"Disk {tmp_path}:" in one and "used" in one for one in done.stdout.splitlines())
    assert took < 120, "5 s for the dead mount, and the rest for a busy machine"
