"""Starting, stopping and finding workers, with real processes; scenarios by their number."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from healmon.config.settings import Ready
from healmon.workers.model import StartRecord
from healmon.workers.records import Records
from healmon.workers.starting import PlainStarter
from healmon.world.processes import Identity, Launch
from tests.helpers.rig import STARTERS, play, rigged
from tests.helpers.tmuxes import PrivateTmux
from tests.helpers.wait import until
from tests.helpers.workerhost import DAEMON, STAYS, Host, hosting

pytestmark = pytest.mark.slow

SLEEPS = "import time; time.sleep(300)"
# a daemon that no argument and no pid file tells from any other program
TITLED_DAEMON = DAEMON.replace(
    "if pid_file:", f"os.execv(sys.executable, ['no such worker', '-c', {SLEEPS!r}])\nif pid_file:"
)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with hosting(tmp_path) as made:
        yield made


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[PrivateTmux]:
    made = PrivateTmux(tmp_path)
    yield made
    made.close()


def says(host: Host, word: str) -> None:
    log = host.state / "task_worker" / "output.log"
    until(lambda: log.exists() and word in log.read_text(), what=f"the word {word!r}")


# Scenario 1.


@pytest.mark.parametrize("shims", STARTERS)
def test_1_a_double_fork_daemon_is_found_replaced_and_stopped_and_is_one_copy(
    host: Host, shims: bool
) -> None:
    async def scene() -> None:
        async with rigged(host, host.worker(DAEMON), shims=shims) as rig:
            first = await rig.up()
            assert host.running("task_worker.py") == [first]
            assert rig.record().how == ("spawned" if shims else "command line")
            assert (await rig.look()).known[0].identity == first
            said = await rig.act("restart", identity=first)
            assert f"pid {first.pid} gone" in said
            second = rig.record().worker
            assert second is not None
            assert second != first
            assert host.running("task_worker.py") == [second]
            assert (await rig.act("stop", identity=second, wish=1)).startswith("proved")
            assert not host.running("task_worker.py")

    play(scene)


def test_1_a_daemon_with_a_strange_title_is_found_below_its_shim(host: Host) -> None:
    async def scene() -> None:
        async with rigged(host, host.worker(TITLED_DAEMON), shims=True) as rig:
            mine = await rig.up()
            assert host.titles(mine)[0] == "no such worker"
            host.processes.signal(mine, signal.SIGKILL)
            until(lambda: host.processes.ended(mine), what="its end")

            def end_is_told() -> bool:
                shim = rig.healer._probe.shim(rig.workers["task_worker"])
                return shim is not None and any(e.identity == mine for e in shim.ends)

            until(end_is_told, what="the end of a daemon in the shim's words")
            one = await rig.look()
            assert not one.known
            ends = {e.identity: str(e.ended) for e in one.ends}
            assert ends[mine] == "killed by SIGKILL"

    play(scene)


def test_1_a_daemon_whose_shim_was_killed_is_known_by_the_lock_it_holds(host: Host) -> None:
    async def scene() -> None:
        async with rigged(host, host.worker(TITLED_DAEMON), shims=True) as rig:
            mine = await rig.up()
            shim = rig.healer._probe.shim(rig.workers["task_worker"])
            assert shim is not None
            host.processes.signal(shim.shim, signal.SIGKILL)
            until(lambda: host.processes.ended(shim.shim), what="the end of the shim")
            # as if healmon had been killed before it knew who the daemon is
            record = rig.record()
            Records(host.state).put_start(
                "task_worker",
                StartRecord(
                    number=record.number, wall=record.wall, steady=record.steady,
                    launched=record.launched, phase="spawned",
                ),
            )  # fmt: skip
        host.forget_children()
        async with rigged(host, host.worker(TITLED_DAEMON), shims=True) as rig:
            one = await rig.look()
            assert [f.identity for f in one.known] == [mine]
            assert (await rig.act("restart")).startswith("vetoed: already up as pid")
            assert (await rig.act("stop", identity=mine, wish=1)).startswith("proved")

    play(scene)


# Scenario 2.


def test_2_a_recycled_pid_is_never_signalled_and_the_worker_counts_as_gone(host: Host) -> None:
    stranger = host.start(sys.executable, "-c", SLEEPS)
    former = Identity(stranger.boot, stranger.pid, stranger.ticks - 1)
    record = StartRecord(
        number=1, wall=1.0, steady=1.0, launched=former, worker=former, phase="stopping",
        old=former, tree=(former,), how="spawned",
    )  # fmt: skip

    async def scene() -> None:
        Records(host.state).put_start("task_worker", record)
        async with rigged(host, host.worker()) as rig:
            one = await rig.look()
            assert (one.known, one.matches, one.left) == ((), (), ())
            assert (await rig.act("restart", identity=former)).startswith("proved")
            said = await rig.act("stop", identity=former, wish=1)
            assert said.startswith("vetoed: it is another process now")
        assert host.processes.ended(stranger) is None
        assert len(host.running("task_worker.py")) == 1

    play(scene)


# Scenario 3, and whole trees.


@pytest.mark.parametrize("shims", STARTERS)
def test_3_who_ignores_sigterm_is_killed_after_its_patience_and_its_tree_with_it(
    host: Host, shims: bool
) -> None:
    helper = host.program("helper.py", SLEEPS)
    deaf = f"""
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for new in (True, False):
    subprocess.Popen([sys.executable, {helper!r}], start_new_session=new)
print("deaf", flush=True)
time.sleep(300)
"""

    async def scene() -> None:
        async with rigged(host, host.worker(deaf, stop_timeout=0.4), shims=shims) as rig:
            old = await rig.up()
            says(host, "deaf")
            helpers = host.running("helper.py")
            assert len(helpers) == 2
            said = await rig.act("stop", identity=old, wish=1)
            assert said == (
                f"proved: pid {old.pid} and 2 more of its processes are gone; "
                "healmon leaves task_worker down"
            )
            term = next(step for step in rig.steps if "SIGTERM" in step)
            told = set(term.replace(",", " ").split())
            assert {str(who.pid) for who in (old, *helpers)} <= told
            # a helper may have died of the SIGTERM that it inherits ignored
            assert any(s.startswith(f"send SIGKILL to pid {old.pid}") for s in rig.steps)
            assert not host.running("task_worker.py")
            assert not host.running("helper.py")
            record = rig.record()
            assert (record.verb, record.phase, record.outcome) == ("stop", "stopped", "verified")
            assert set(record.tree) >= {old, *helpers}

    play(scene)


def test_3_a_worker_that_stands_still_is_told_to_end_and_let_go_on(host: Host) -> None:
    polite = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("bye", flush=True), sys.exit(0)))
print("up", flush=True)
time.sleep(300)
"""

    async def scene() -> None:
        async with rigged(host, host.worker(polite, stop_timeout=20.0)) as rig:
            old = await rig.up()
            says(host, "up")
            host.processes.signal(old, signal.SIGSTOP)
            assert (await rig.act("restart", identity=old)).startswith("proved")
            assert not any("SIGKILL" in step for step in rig.steps)
            says(host, "bye")

    play(scene)


@pytest.mark.parametrize("shims", STARTERS)
def test_a_child_that_is_born_while_its_parent_ends_is_ended_too(host: Host, shims: bool) -> None:
    helper = host.program("helper.py", SLEEPS)
    willing = f"""
import signal, subprocess, sys, time
def last_will(number, frame):
    subprocess.Popen([sys.executable, {helper!r}])
    sys.exit(0)
signal.signal(signal.SIGTERM, last_will)
print("willing", flush=True)
time.sleep(300)
"""

    async def scene() -> None:
        async with rigged(host, host.worker(willing, stop_timeout=5.0), shims=shims) as rig:
            old = await rig.up()
            says(host, "willing")
            assert (await rig.act("restart", identity=old)).startswith("proved")
            assert not host.running("helper.py"), "it was there before the new one came"

    play(scene)


@pytest.mark.parametrize("shims", STARTERS)
def test_a_tmux_server_that_a_worker_started_outlives_its_stop(
    host: Host, tmux: PrivateTmux, shims: bool
) -> None:
    starts = f"""
import subprocess, time
argv = ["tmux", "-f", "/dev/null", "-S", {tmux.socket!r}, "new-session", "-d", "-s", "agent", "cat"]
subprocess.run(argv, check=True)
print("agents", flush=True)
time.sleep(300)
"""

    async def scene() -> None:
        async with rigged(host, host.worker(starts), shims=shims) as rig:
            mine = await rig.up()
            says(host, "agents")
            server = tmux.pid()
            assert (await rig.act("stop", identity=mine, wish=1)).startswith("proved")
            assert tmux.pid() == server
            assert tmux.run("list-sessions", "-F", "#{session_name}") == "agent"

    play(scene)


# Scenarios 7 and 8, and who is no worker.


def test_7_a_stale_pid_file_of_nobody_leads_to_one_start_and_is_replaced(host: Host) -> None:
    pid_file = host.folder / "worker.pid"
    pid_file.write_text("4194000\n")

    async def scene() -> None:
        worker = host.worker(DAEMON, pid_file=str(pid_file), env={"PID_FILE": str(pid_file)})
        async with rigged(host, worker) as rig:
            who = await rig.up()
            assert host.running("task_worker.py") == [who]
            until(lambda: pid_file.read_text() == f"{who.pid}\n", what="the pid file")

    play(scene)


@pytest.mark.parametrize(
    "argv",
    [
        ("{python}", "-c", SLEEPS, "{script}", "--daemon"),
        ("tail", "-f", "{log}"),
        ("{python}", "{script}", "--send", "a", "b"),
        ("bash", "-c", "while :; do sleep 1; done; {python} {script} --daemon"),
    ],
)
def test_8_a_pid_file_that_names_a_living_stranger_leads_to_nobodys_harm(
    host: Host, argv: tuple[str, ...]
) -> None:
    worker = host.worker(pid_file=str(host.folder / "worker.pid"))
    log = host.program("task_worker.log", "")
    stranger = host.start(
        *(part.format(python=sys.executable, script=worker.script, log=log) for part in argv)
    )
    host.program("worker.pid", f"{stranger.pid}\n")

    async def scene() -> None:
        async with rigged(host, worker) as rig:
            one = await rig.look()
            assert (one.known, one.matches) == ((), ())
            first = await rig.up()
            assert first != stranger
            assert (await rig.act("restart", identity=first)).startswith("proved")
            second = rig.record().worker
            assert (await rig.act("stop", identity=second, wish=1)).startswith("proved")
        assert host.processes.ended(stranger) is None
        host.kill(stranger)

    play(scene)


def test_a_tmux_server_and_an_editor_with_the_workers_words_are_not_the_worker(
    host: Host, tmux: PrivateTmux
) -> None:
    worker = host.worker()
    words = f"{sys.executable} {worker.script} --daemon"
    tmux.new("task_worker", f"cat ; {words}")
    tmux.new("editor", f"vi -u NONE {worker.script}")
    tmux.new("shell", f"bash -c 'sleep 300; {words}'")
    server = tmux.pid()

    async def scene() -> None:
        async with rigged(host, worker) as rig:
            one = await rig.look()
            assert (one.known, one.matches) == ((), ())
            who = await rig.up()
            one = await rig.look()
            assert {f.identity for f in one.known} | {m.facts.identity for m in one.matches} == {
                who
            }
            assert (await rig.act("stop", identity=who, wish=1)).startswith("proved")
        assert tmux.pid() == server
        assert len(tmux.run("list-sessions").splitlines()) == 3

    play(scene)


# Scenario 16.


def test_16_a_full_disk_below_its_log_blocks_no_worker(host: Host) -> None:
    beat = host.folder / "beat"
    beats = f"""
import os, time
while True:
    try: os.write(1, b"x" * 10000)
    except OSError: pass
    os.utime({str(beat)!r}) if os.path.exists({str(beat)!r}) else open({str(beat)!r}, "w").close()
    time.sleep(0.05)
"""
    folder = host.state / "task_worker"
    folder.mkdir(parents=True)
    (folder / "output.log").symlink_to("/dev/full")

    async def scene() -> None:
        ready = Ready(heartbeat=True, every=1.0)
        worker = host.worker(beats, heartbeat_file=str(beat), ready=ready)
        async with rigged(host, worker) as rig:
            said = await rig.act("restart")
            assert "(ready: heartbeat written; heartbeat moved)" in said, said
            assert rig.record().level == "V4"
            who = rig.record().worker
            assert host.running("task_worker.py") == [who]

    play(scene)


# Scenarios 20 and 21.


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ({"argv": ("/no/such/program", "x"), "script": ""}, "/no/such/program: no such program"),
        (
            {"argv": (sys.executable, "/no/such.py"), "script": "/no/such.py"},
            "no script /no/such.py",
        ),
        ({"argv": ("/etc/passwd",), "script": ""}, "it is not executable"),
        ({"argv": ("/bin/sh", "-c", "exec /no/such"), "script": ""}, "exit 127 at once"),
        ({"argv": ("/bin/sh", "-c", "exit 126"), "script": ""}, "exit 126 at once"),
        (
            {"argv": ("/bin/true",), "script": "", "cwd": "/no/such"},
            "its working directory /no/such",
        ),
    ],
)
@pytest.mark.parametrize("shims", STARTERS)
def test_20_what_cannot_be_run_is_the_commands_fault_with_the_exact_reason(
    host: Host, what: dict[str, object], reason: str, shims: bool
) -> None:
    async def scene() -> None:
        # however late a starved program comes to its end, it is at once
        async with rigged(host, host.worker(**what, min_uptime=30.0), shims=shims) as rig:
            said = await rig.act("restart")
            assert said.startswith("failed: ")
            assert reason in said
            record = rig.record()
            assert (record.outcome, record.fault) == ("failed", "command")
            assert reason in record.reason

    play(scene)


def test_20_a_bad_configuration_is_the_workers_own_fault_with_its_last_words(host: Host) -> None:
    text = "import sys; print('no such setting: colour'); sys.exit(78)"

    async def scene() -> None:
        async with rigged(host, host.worker(text, min_uptime=30.0)) as rig:
            said = await rig.act("restart")
            assert said == "failed: exit 78 at once\n  its last words: no such setting: colour"
            assert rig.record().fault == "worker"

    play(scene)


class Poor(PlainStarter):
    """Starts while the host lets no more files be open."""

    def start(self, launch: Launch, folder: Path, number: int, *, forks: bool = False) -> Identity:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        highest = max(int(fd) for fd in os.listdir("/proc/self/fd"))  # noqa: PTH208
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
        holes = []
        try:
            while True:
                holes.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            pass
        try:
            return super().start(launch, folder, number, forks=forks)
        finally:
            for fd in holes:
                os.close(fd)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_21_a_host_without_free_descriptors_is_to_blame_and_not_the_worker(host: Host) -> None:
    async def scene() -> None:
        async with rigged(host, host.worker(), starter=Poor(host.processes)) as rig:
            said = await rig.act("restart")
            assert "Too many open files" in said
            assert (rig.record().outcome, rig.record().fault) == ("failed", "host")
            assert not host.running("task_worker.py")
        async with rigged(host, host.worker()) as rig:
            await rig.up()

    play(scene)


# What the proof says.


@pytest.mark.parametrize("shims", STARTERS)
def test_without_a_readiness_check_it_is_called_alive_only(host: Host, shims: bool) -> None:
    async def scene() -> None:
        async with rigged(host, host.worker(), shims=shims) as rig:
            proof = await rig.carry_out("restart")
            assert "(alive only: no readiness check is configured)" in proof.text
            assert "alive only" in proof.message
            assert proof.details["level"] == rig.record().level == "V2"
            assert rig.record().phase == "verified"

    play(scene)


def test_a_second_copy_that_came_in_between_is_named_and_left_alone(host: Host) -> None:
    worker = host.worker(min_uptime=1.5)

    class Twice(PlainStarter):
        def start(
            self, launch: Launch, folder: Path, number: int, *, forks: bool = False
        ) -> Identity:
            mine = super().start(launch, folder, number, forks=forks)
            others.append(host.start(*worker.argv))
            return mine

    others: list[Identity] = []

    async def scene() -> None:
        async with rigged(host, worker, starter=Twice(host.processes)) as rig:
            said = await rig.act("restart")
            assert "is up, but a second copy of task_worker lives as pid" in said
            assert str(others[0].pid) in said
            assert rig.record().outcome == "failed"
        assert len(host.running("task_worker.py")) == 2, "nobody is ended for it"

    play(scene)


def test_one_that_stops_itself_is_not_proved(host: Host) -> None:
    # a shell, which is there at once
    argv = ("/bin/sh", host.program("stops.sh", "kill -STOP $$\n"))

    async def scene() -> None:
        async with rigged(host, host.worker(argv=argv, script="", min_uptime=1.0)) as rig:
            assert "stands still (state T)" in await rig.act("restart")
            assert rig.record().level == "V1"

    play(scene)


def test_what_changed_on_disk_since_the_start_is_told(host: Host) -> None:
    async def scene() -> None:
        async with rigged(host, host.worker()) as rig:
            who = await rig.up()
            assert (await rig.look()).changed == ""
            script, started = Path(rig.workers["task_worker"].script), rig.record().wall
            os.utime(script, (started - 200, started - 200))
            assert (await rig.look()).changed == ""
            os.utime(script, (started + 1.5, started + 1.5))
            await rig.until(lambda: _now() > started + 1.5, "the moment of the change")
            assert (await rig.look()).changed == f"{script} changed 1s after it was started"
            host.processes.signal(who, signal.SIGKILL)
            until(lambda: host.processes.ended(who), what="its end")
            os.rename(script, f"{script}.bak")  # noqa: PTH104
            one = await rig.look()
            assert one.changed == f"{script} is gone since it was started", "also when it is down"

    play(scene)


def _now() -> float:
    import time

    return time.time()


def test_the_program_may_be_changed_before_it_is_adopted(host: Host) -> None:
    worker = host.worker()
    host.start(*worker.argv)

    async def scene() -> None:
        async with rigged(host, worker) as rig:
            assert (await rig.look()).changed == ""
            later = _now() + 5
            os.utime(worker.script, (later, later))
            assert (await rig.look()).changed == "", "that has not happened yet"

    play(scene)


def test_the_host_tells_its_memory_with_each_look(host: Host) -> None:
    async def scene() -> None:
        async with rigged(host, host.worker(STAYS)) as rig:
            seen = (await rig.seen()).host
            assert 0 < seen.memory_available < seen.memory_total

    play(scene)
