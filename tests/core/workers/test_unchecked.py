"""A check that cannot be made, and files that never answer: told, and nothing is done for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from healmon import events as ev
from healmon.clock import SystemClock
from healmon.config.settings import Ready
from healmon.errors import ProbeError
from healmon.workers.beats import Beats
from healmon.workers.equipment import Equipment
from healmon.world.farfiles import FarFiles, far_through
from healmon.world.farmounts import Changes, Mounts
from healmon.world.processes import Identity
from tests.helpers.deadmount import network_mount
from tests.helpers.rig import play
from tests.helpers.wait import until
from tests.helpers.workerbench import a_worker
from tests.helpers.workerhost import Host, Live, hosting

PULSE = Equipment(pulse=True)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with hosting(tmp_path) as made:
        yield made


def told(live: Live) -> list[str]:
    alerts = live.engine.snapshot.alerts
    return [alert.message for key, alert in alerts.items() if key.endswith("/unchecked")]


def starts(host: Host) -> int:
    return len(host.journal.all(ev.ActionStarted))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("/no/such/check",), "/no/such/check"),
        (("{folder}/plain",), "plain"),
        (("/bin/sh", "-c", "exit 127"), "exit 127"),
    ],
)
def test_a_liveness_command_that_cannot_be_run_is_one_alert_and_no_restart(
    host: Host, command: tuple[str, ...], says: str
) -> None:
    host.program("plain", "no program")
    argv = tuple(part.format(folder=host.folder) for part in command)

    async def scene() -> None:
        liveness = Ready(command=argv, every=0.2, failures=2)
        async with host.healmon(host.worker(liveness=liveness), equipment=PULSE) as live:
            mine = await live.up()
            await live.reach(lambda: told(live), "the alert")
            (message,) = told(live)
            assert says in message
            assert "workers.task_worker.liveness.command" in message
            made = len(host.journal.records)
            await asyncio.sleep(1.0)  # five checks more
            live.engine.check_now()
            await live.reach(lambda: len(host.journal.records) > made, "another look")
            assert host.running("task_worker.py") == [mine]
            assert starts(host) == 1
            assert len(told(live)) == 1
            facts = live.facts()
            assert facts is not None
            assert (facts.state, facts.failures) == ("healthy", 0)

    play(scene)


@pytest.mark.slow
def test_a_readiness_command_that_cannot_be_run_proves_nothing_and_fails_nothing(
    host: Host,
) -> None:
    async def scene() -> None:
        worker = host.worker(ready=Ready(command=("/no/such/check",)), start_timeout=0.5)
        async with host.healmon(worker) as live:
            mine = await live.up()
            (proof,) = [event.proof for event in host.journal.all(ev.ActionVerified)]
            assert "alive only: its readiness cannot be told" in proof
            await live.reach(lambda: told(live), "the alert")
            assert "workers.task_worker.ready.command" in told(live)[0]
            facts = live.facts()
            assert facts is not None
            assert (facts.proved, facts.failures) == ("V2", 0)
        other = host.worker(ready=Ready(log="up"))
        async with host.healmon(other) as live:
            assert await live.up() == mine
            await live.reach(lambda: not told(live), "the end of the alert with the check")

    play(scene)


@pytest.mark.slow
def test_files_on_a_dead_mount_blind_their_own_worker_only(host: Host, tmp_path: Path) -> None:
    place = tmp_path / "far"
    place.mkdir()

    async def scene(die: object) -> None:
        beats = host.worker(
            name="beats", heartbeat_file=str(place / "held"), heartbeat_max_age=3600.0,
            liveness=Ready(heartbeat=True, every=0.2, failures=2),
        )  # fmt: skip
        filed = host.worker(name="filed", pid_file=str(place / "held"))
        well = host.worker(liveness=Ready(command=("/bin/true",), every=0.2))
        workers = (beats, filed, well)
        async with host.healmon(*workers, equipment=PULSE, interval=1.0) as live:
            first = await live.up()
            await live.reach(lambda: host.running("filed.py"), "the one with the pid file")
            await live.reach(lambda: not live.engine.snapshot.plans, "calm")
            (filed_was,) = host.running("filed.py")
            die()  # type: ignore[operator]
            await live.reach(lambda: told(live), "the alert")
            assert "its mount does not answer" in told(live)[0]
            beating: list[Identity] = host.running("beats.py")
            before = threading.active_count()
            host.kill(first)
            second = await live.up(but=first)
            host.kill(second)
            await live.up(but=second)
            host.kill(filed_was)
            await live.reach(lambda: _state(live, "filed") == "unknown", "hands off")
            assert host.running("beats.py") == beating
            assert not host.running("filed.py")
            assert not live.engine.snapshot.failing
            assert threading.active_count() <= before + 3, "one that waits, and those that are kept"

    with network_mount(place) as server:
        play(lambda: scene(server.die))


def _state(live: Live, name: str) -> str:
    facts = live.facts(name)
    return facts.state if facts is not None else ""


def test_a_heartbeat_that_cannot_be_read_is_no_missing_heartbeat(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    worker = a_worker(heartbeat_file=str(loop))
    with pytest.raises(ProbeError):
        Beats().age(worker, SystemClock().read())


def test_a_link_that_leads_to_a_far_mount_is_far(tmp_path: Path) -> None:
    far = tmp_path / "far"
    table = Mounts([f"1 2 0:77 / {far} rw - fuse.sshfs x rw", "3 2 0:5 / / rw - ext4 y rw"])
    (tmp_path / "link").symlink_to("far/deep/file")
    (tmp_path / "round").symlink_to("round")
    assert far_through(str(tmp_path / "link"), table) is not None
    assert far_through(f"{far}/file", table) is not None
    assert far_through(f"{tmp_path}/x/../far/y", table) is not None
    assert far_through(str(tmp_path / "near"), table) is None
    assert far_through(str(tmp_path / "round"), table) is None


def test_a_mount_that_came_a_moment_ago_is_far(tmp_path: Path) -> None:
    files, table, changed = str(tmp_path / "far/file"), [Mounts(())], [True]
    far = FarFiles(lambda: table[0], lambda: changed[0])
    assert far.far(files) is None
    table[0], changed[0] = Mounts([f"1 2 0:77 / {tmp_path}/far rw - fuse.sshfs x rw"]), False
    assert far.far(files) is None, "the table is not read for each question"
    changed[0] = True
    assert far.far(files) is not None


def test_what_is_mounted_now_is_noticed_at_once(tmp_path: Path) -> None:
    changes = Changes()
    assert changes.any(), "nobody knows yet"
    until(lambda: not changes.any(), 30, "a moment in which no other test mounts anything")
    with network_mount(tmp_path):
        assert changes.any()
