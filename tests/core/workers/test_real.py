"""Real workers, really killed, under a real engine."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from healmon import events as ev
from healmon.config.settings import Ready
from healmon.workers.model import EndRecord, StartRecord
from healmon.world.processes import Ended, Identity
from tests.helpers.wait import until
from tests.helpers.workerhost import DAEMON, FAILS, STAYS, TITLED, Host, hosting

pytestmark = pytest.mark.slow


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with hosting(tmp_path) as made:
        yield made


def play(scene: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(300):
            await scene()

    asyncio.run(limited())


def verified(host: Host) -> list[ev.ActionVerified]:
    return [e for e in host.journal.all(ev.ActionVerified) if e.action == "restart_worker"]


def test_a_kill_is_noticed_at_once_and_mended_once_with_a_new_identity(host: Host) -> None:
    async def scene() -> None:
        async with host.healmon(host.worker()) as live:
            first = await live.up()
            host.kill(first)
            facts = await live.state("backoff")
            assert facts.last_end == "killed by SIGKILL"
            second = await live.up(but=first)
            assert second != first
            assert host.running("task_worker.py") == [second]
            await asyncio.sleep(0.3)
            assert host.running("task_worker.py") == [second]
            assert live.alert() is None
        assert len(verified(host)) == 2
        assert host.running("task_worker.py") == [second], "it stays up when healmon ends"

    play(scene)


def test_the_delay_is_really_waited(host: Host) -> None:
    async def scene() -> None:
        async with host.healmon(host.worker(restart_delay=0.8)) as live:
            first = await live.up()
            host.kill(first)
            loop = asyncio.get_running_loop()
            began = loop.time()

            def another() -> object:  # one that was killed may be seen for a moment more
                return [who for who in host.running("task_worker.py") if who != first]

            await live.reach(another, "a new process")
            assert loop.time() - began >= 0.8

    play(scene)


def test_a_worker_of_a_person_is_adopted_and_its_end_noticed_too(host: Host) -> None:
    worker = host.worker()
    mine = host.start(*worker.argv)

    async def scene() -> None:
        async with host.healmon(worker) as live:
            assert await live.up() == mine
            facts = live.facts()
            assert facts is not None
            assert facts.how == "command line"
            host.kill(mine)
            await live.state("backoff")
            assert await live.up(but=mine) != mine
        assert len(verified(host)) == 1

    play(scene)


def test_a_relative_start_from_its_folder_is_adopted(host: Host) -> None:
    worker = host.worker()
    mine = host.start(sys.executable, "-u", "./task_worker.py", "--daemon", cwd=host.folder)

    async def scene() -> None:
        async with host.healmon(worker) as live:
            assert await live.up() == mine
        assert not verified(host)

    play(scene)


def test_strangers_with_the_name_in_their_arguments_count_for_nothing(host: Host) -> None:
    worker = host.worker()
    name = str(host.folder / "task_worker.py")
    wait = "import time; time.sleep(300)"
    log = host.program("task_worker.log", "")
    os.mkfifo(never := host.folder / "never")  # a shell that waits for it has no child to leave
    strangers = [
        host.start("tail", "-f", log),
        host.start(sys.executable, "-c", wait, name, "--daemon"),
        host.start(sys.executable, name, "--status"),
        host.start(sys.executable, name),
        host.start("sh", "-c", f"read nothing <{never}; : {name} --daemon"),
    ]

    async def scene() -> None:
        async with host.healmon(worker) as live:
            mine = await live.up()
            assert mine not in strangers
            facts = live.facts()
            assert facts is not None
            assert facts.others == ()
        assert all(host.processes.ended(stranger) is None for stranger in strangers)

    play(scene)


@pytest.mark.parametrize("forks", [True, None])
def test_a_double_fork_daemon_is_adopted(host: Host, forks: bool | None) -> None:
    async def scene() -> None:
        async with host.healmon(host.worker(DAEMON, forks=forks)) as live:
            mine = await live.up()
            assert host.running("task_worker.py") == [mine]
            host.kill(mine)
            await live.state("backoff")
            second = await live.up(but=mine)
            assert host.running("task_worker.py") == [second]
        assert len(verified(host)) == 2

    play(scene)


def test_a_daemon_is_found_by_its_pid_file(host: Host) -> None:
    pid_file = host.folder / "worker.pid"
    env = {"PID_FILE": str(pid_file)}

    async def scene() -> None:
        worker = host.worker(DAEMON, pid_file=str(pid_file), env=env)
        async with host.healmon(worker) as live:
            mine = await live.up()
            until(lambda: pid_file.read_text().strip() == str(mine.pid), what="the pid file")
        assert len(verified(host)) == 1

    play(scene)


def test_already_running_and_exit_0_is_no_second_copy(host: Host) -> None:
    worker = host.worker()
    guard = f"""
import os, sys
sys.exit(0) if os.path.exists({str(host.folder / "lock")!r}) else None
{STAYS}
"""
    host.program("task_worker.py", guard)

    async def scene() -> None:
        async with host.healmon(worker) as live:
            first = await live.up()
            host.program("lock", "")
            host.kill(first)
            await live.reach(lambda: host.journal.all(ev.ActionFailed), "the failure")
            failed = host.journal.all(ev.ActionFailed)[0]
            assert failed.reason.startswith("exit 0 at once, and no daemon was found")
            assert not host.running("task_worker.py")
            (host.folder / "lock").unlink()
            await live.up(but=first)

    play(scene)


@pytest.mark.parametrize("content", ["", "no number", "-1", "0", "99999999999999", "4194399\n"])
def test_a_pid_file_of_nobody_is_ignored(host: Host, content: str) -> None:
    pid_file = host.program("worker.pid", content)

    async def scene() -> None:
        async with host.healmon(host.worker(pid_file=pid_file)) as live:
            mine = await live.up()
            assert host.running("task_worker.py") == [mine]

    play(scene)


def test_a_pid_file_that_names_a_stranger_is_ignored_and_he_is_left_alone(host: Host) -> None:
    stranger = host.start(sys.executable, host.program("stranger.py", STAYS), "--daemon")
    pid_file = host.program("worker.pid", f"{stranger.pid}\n")

    async def scene() -> None:
        async with host.healmon(host.worker(pid_file=pid_file)) as live:
            mine = await live.up()
            assert mine != stranger
            await live.engine.ask("restart", "task_worker", {}, origin="test")
            await live.up(but=mine)
        assert host.processes.ended(stranger) is None

    play(scene)


def test_a_crash_loop_is_quarantined_with_its_last_words(host: Host) -> None:
    async def scene() -> None:
        worker = host.worker(FAILS, restart_delay=0.02, restart_delay_max=0.05, min_uptime=30.0)
        async with host.healmon(worker) as live:
            facts = await live.state("quarantined")
            assert facts.failures == 4
            count = len(host.journal.all(ev.ActionStarted))
            assert count == 4
            await asyncio.sleep(0.5)
            assert len(host.journal.all(ev.ActionStarted)) == count
            alert = live.alert()
            assert alert is not None
            assert alert.severity == "CRITICAL"
            assert "exit 1 at once" in alert.message
            assert alert.evidence["output"].endswith("no database today")
        opened = host.journal.all(ev.AlertOpened)
        assert len(opened) == 1

    play(scene)


def test_a_missing_interpreter_is_quarantined_at_once(host: Host) -> None:
    async def scene() -> None:
        worker = host.worker(argv=("/no/such/python", "x"), script="", name="task_worker")
        async with host.healmon(worker) as live:
            facts = await live.state("quarantined")
            assert "/no/such/python: no such program" in facts.why
            assert len(host.journal.all(ev.ActionFailed)) == 1
            alert = live.alert()
            assert alert is not None
            assert alert.severity == "CRITICAL"

    play(scene)


def test_a_new_healmon_adopts_with_zero_restarts_and_never_loses_the_worker(host: Host) -> None:
    worker = host.worker()

    async def scene() -> None:
        async with host.healmon(worker) as live:
            mine = await live.up()
        for _ in range(3):
            host.forget_children()
            async with host.healmon(worker) as live:
                assert await live.up() == mine
                facts = live.facts()
                assert facts is not None
                assert (facts.restarts, facts.restarts_total) == (0, 1)
        assert len(verified(host)) == 1
        assert not host.journal.all(ev.AlertOpened)

    play(scene)


def test_a_new_healmon_without_a_store_still_knows_its_worker(host: Host) -> None:
    worker = host.worker(TITLED)

    async def scene() -> None:
        async with host.healmon(worker) as live:
            mine = await live.up()
        host.journal = type(host.journal)()
        async with host.healmon(worker) as live:
            assert await live.up() == mine
        assert host.running("task_worker.py") == [mine]

    play(scene)


def test_a_hostile_title_is_shown_harmless_and_changes_nothing(host: Host) -> None:
    worker = host.worker(TITLED)

    async def scene() -> None:
        async with host.healmon(worker) as live:
            mine = await live.up()
            until(lambda: "\x1b" in host.titles(mine)[0], what="the title")
            live.engine.check_now()
            await asyncio.sleep(0.1)
            assert await live.up() == mine
            told = msgspec.json.encode(live.engine.snapshot).decode()
            assert "\\u001b" not in told
            assert "\u202e" not in told

    play(scene)


def test_restart_on_request_ends_the_old_and_proves_the_new(host: Host) -> None:
    async def scene() -> None:
        async with host.healmon(host.worker()) as live:
            old = await live.up()
            answer = await live.engine.ask("restart", "task_worker", {}, origin="tester")
            assert answer.ok, answer.text
            assert f"pid {old.pid} gone" in answer.text
            new = await live.up(but=old)
            assert host.running("task_worker.py") == [new]
            assert live.alert() is None
            facts = live.facts()
            assert facts is not None
            assert facts.failures == 0

    play(scene)


def test_a_worker_that_ignores_sigterm_is_killed(host: Host) -> None:
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{STAYS}"

    async def scene() -> None:
        async with host.healmon(host.worker(deaf, stop_timeout=0.3)) as live:
            old = await live.up()
            log = host.state / "task_worker" / "output.log"
            until(lambda: "up" in log.read_text(), what="the deaf worker")
            answer = await live.engine.ask("stop", "task_worker", {}, origin="tester")
            assert answer.ok, answer.text
            await live.state("down")
            assert not host.running("task_worker.py")
        data = (host.state / "task_worker" / "ended.json").read_bytes()
        end = msgspec.json.decode(data, type=EndRecord)
        assert end.identity == old
        assert end.ended == Ended(signal=signal.SIGKILL)

    play(scene)


def test_two_copies_are_named_and_both_live(host: Host) -> None:
    worker = host.worker()
    one, two = host.start(*worker.argv), host.start(*worker.argv)

    async def scene() -> None:
        async with host.healmon(worker) as live:
            await live.reach(lambda: live.alert("second_copy"), "the alert")
            alert = live.alert("second_copy")
            assert alert is not None
            assert f"{one.pid} and {two.pid}" in alert.message
            host.kill(two)
            await live.reach(lambda: not live.alert("second_copy"), "its end")
        assert host.running("task_worker.py") == [one]
        assert not verified(host)

    play(scene)


def test_a_first_heartbeat_is_waited_for(host: Host) -> None:
    beat = host.folder / "beat"
    text = f"import time; time.sleep(0.6); open({str(beat)!r}, 'w').close()\n{STAYS}"

    async def scene() -> None:
        worker = host.worker(text, heartbeat_file=str(beat), ready=Ready(heartbeat=True, every=0.3))
        async with host.healmon(worker) as live:
            await live.up()
            await live.reach(lambda: verified(host), "the proof")
        assert "(ready: heartbeat written)" in verified(host)[0].proof
        assert verified(host)[0].seconds >= 0.6

    play(scene)


def test_the_records_tell_the_start(host: Host) -> None:
    async def scene() -> None:
        async with host.healmon(host.worker()) as live:
            mine = await live.up()
        data = (host.state / "task_worker" / "started.json").read_bytes()
        record = msgspec.json.decode(data, type=StartRecord)
        assert record.worker == record.launched == mine
        assert record.outcome == "verified"
        assert (host.state / "task_worker").stat().st_mode & 0o777 == 0o700

    play(scene)


def test_a_state_directory_that_refuses_writing_keeps_no_worker_down(host: Host) -> None:
    # a file where the worker's folder should be: no log, no record, and an honest reason
    host.state.mkdir(parents=True)
    (host.state / "task_worker").write_text("in the way")

    async def scene() -> None:
        async with host.healmon(host.worker(restart_delay=0.1)) as live:
            await live.reach(lambda: host.journal.all(ev.ActionFailed), "a failure")
            assert "cannot open its log" in host.journal.all(ev.ActionFailed)[0].reason
            (host.state / "task_worker").unlink()
            await live.up()
            facts = live.facts()
            assert facts is not None
            assert facts.failures == 0, "the host's fault costs no budget"

    play(scene)


def test_many_workers_killed_at_once_come_back_once_each(host: Host) -> None:
    workers = [host.worker(name=f"w{number}") for number in range(6)]

    async def scene() -> None:
        async with host.healmon(*workers) as live:

            def all_up() -> bool:
                states = [live.facts(w.name) for w in workers]
                return all(f is not None and f.state == "healthy" for f in states)

            await live.reach(all_up, "all up")
            for identity in host.running(""):
                host.kill(identity)
            await live.reach(lambda: not all_up(), "the fall")
            await live.reach(all_up, "all up again")
            assert len(host.running("")) == 6
        assert len(verified(host)) == 12

    play(scene)


def test_nobody_is_left_a_zombie(host: Host) -> None:
    def zombies() -> set[Identity]:
        everyone = host.processes.everyone()
        return {f.identity for f in everyone if f.state == "Z" and f.parent == os.getpid()}

    async def scene() -> None:
        before = zombies()  # of other tests in this process
        worker = host.worker(FAILS, restart_delay=0.02, restart_delay_max=0.05, min_uptime=30.0)
        async with host.healmon(worker) as live:
            await live.state("quarantined")
            assert zombies() <= before

    play(scene)
