"""`healmon doctor`: what it finds, that it touches nothing, and that nothing hangs it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from healmon.cli import main
from healmon.clock import Reading
from healmon.config.lines import key_lines
from healmon.config.load import load
from healmon.demo.assigner_db import build_assigner
from healmon.errors import ProbeError
from healmon.service import doctor, instance
from healmon.service.doctor import home, machine, reality, rivals, run, workers
from healmon.service.doctor.model import Checked, Finding, Ground, Rivals, worst
from healmon.service.doctor.run import examine
from healmon.store.store import Store
from healmon.world import ground as kernel
from healmon.world.processes import ProcessFacts
from healmon.world.system_processes import SystemProcesses
from healmon.world.tmux import SystemTmux
from tests.helpers.box import UP, Box
from tests.helpers.tmuxes import PrivateTmux
from tests.helpers.wait import until

BUSY = 60.0
"""Seconds that checks may take on a machine that has much else to do."""
SLEEPER = "import time\nwhile True: time.sleep(0.2)\n"


class Ours(SystemProcesses):
    """The processes of one test."""

    def __init__(self, base: Path) -> None:
        super().__init__()
        self._mark = str(base)

    def everyone(self, skip=()) -> Iterator[ProcessFacts]:
        return (f for f in super().everyone(skip) if self._mark in " ".join(f.command))


class Bench:
    def __init__(self, base: Path) -> None:
        self.base, self.state = base, base / "state"
        self.config = base / "healmon.toml"
        self._started: list[subprocess.Popen[bytes]] = []

    def ground(self, text: str = "", **more: object) -> Ground:
        self.config.write_text(f"[sessions]\nsockets = []\n[disk]\npaths = []\n{text}")
        self.config.chmod(0o600)
        folder = (str(self.base / "rivals"),)
        given = {
            "settings": load(self.config, {}), "source": self.config,
            "lines": key_lines(self.config.read_text()), "state_dir": self.state,
            "processes": Ours(self.base), "tmux": SystemTmux(),
            "rivals": Rivals(units=folder, cron=(), others=()), "environ": {},
        }  # fmt: skip
        return Ground(**{**given, **more})

    def run(self, check: Callable[[Ground], Iterable[Finding]], text: str = "", **more: object):
        return list(check(self.ground(text, **more)))

    def script(self, name: str = "w.py", *words: str, copies: int = 0) -> Path:
        path = self.base / name
        path.write_text(SLEEPER)
        for _ in range(copies):
            self._started.append(subprocess.Popen([sys.executable, str(path), *words]))
        return path

    @property
    def pids(self) -> list[int]:
        return [one.pid for one in self._started]

    def close(self) -> None:
        for one in self._started:
            one.kill()
            one.wait(30)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def bad(findings: Iterable[Finding]) -> list[tuple[str, str, str]]:
    return [(f.level, f.what, f.where.rpartition("/")[2]) for f in findings if f.level != "ok"]


# -- running


def test_a_check_that_hangs_or_fails_keeps_nobody_from_answering(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the deadline is over when the three others have answered, however busy this machine is
    moments = iter([0.0] * 4 + [60.0])
    monkeypatch.setattr(run, "process_seconds", lambda: next(moments))
    never = threading.Event()

    def hangs(_: Ground) -> Iterator[Finding]:
        never.wait(60)
        yield Finding("late", "ok", "late")

    def fails(_: Ground) -> Iterator[Finding]:
        yield Finding("half", "warning", "seen before")
        raise ValueError("odd \x1b[2J")

    def knows_not(_: Ground) -> Iterator[Finding]:
        raise ProbeError("no look", remedy="mend it")
        yield

    def well(_: Ground) -> Iterator[Finding]:
        yield Finding("well", "ok", "fine")

    checks = [Checked("late", hangs), Checked("half", fails), Checked("no", knows_not),
              Checked("well", well)]  # fmt: skip
    found = examine(bench.ground(), checks, 60.0)
    never.set()
    assert [(f.check, f.level) for f in found] == [
        ("late", "unknown"), ("half", "warning"), ("half", "unknown"), ("no", "unknown"),
        ("well", "ok"),
    ]  # fmt: skip
    assert found[0].what == "no answer within 60 s"
    assert "\x1b" not in found[2].what
    assert found[3].remedy == "mend it"
    assert worst(found) == "warning"
    assert worst(found[3:]) == "unknown"
    assert worst([]) == "ok"


# -- touching nothing


def trace(folder: Path) -> dict[str, tuple]:
    return {
        str(p): (s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_mode)
        for p in [folder, *folder.rglob("*")]
        for s in [p.lstat()]
    }


def a_store(state: Path) -> None:
    state.mkdir(mode=0o700)
    store = Store.open(state / "healmon.db", host="x", now=Reading(1.8e9, 1.0, 1.0))
    assert store.close(10)


def killed_store(state: Path) -> None:
    a_store(state)
    code = f"""
import os, signal, sqlite3
conn = sqlite3.connect({str(state / "healmon.db")!r})
conn.execute("PRAGMA wal_autocheckpoint = 0")
conn.execute("INSERT INTO meta VALUES ('a', 'b')")
conn.commit()
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], timeout=30)
    assert (state / "healmon.db-wal").stat().st_size


@pytest.mark.slow
@pytest.mark.parametrize("make", [lambda state: None, a_store, killed_store])
def test_it_touches_nothing(bench: Bench, make: Callable[[Path], None]) -> None:
    make(bench.state)
    build_assigner(bench.base / "a.db", now_wall=1.8e9)
    script = bench.script()
    text = (
        f'[workers.w]\nscript = "{script}"\n[tasks.a]\npath = "a.db"\n[databases.a]\npath = "a.db"'
    )
    ground = bench.ground(text)
    before = trace(bench.base)
    held = instance.holder(bench.state)
    found = examine(ground, [c for c in doctor.CHECKS if c.name not in {"python", "clock"}], BUSY)
    assert trace(bench.base) == before
    assert instance.holder(bench.state) == held
    assert [f for f in found if f.level in {"critical", "unknown"}] == []


def test_a_running_healers_lock_stays_its_own(bench: Bench) -> None:
    a_store(bench.state)
    lock = instance.Lock.acquire(bench.state, version="1", mode="daemon")
    try:
        held = instance.holder(bench.state)
        found = bench.run(home.holder) + bench.run(home.state_directory)
        assert held is not None
        assert f"a healer runs: {held}" in [f.what for f in found]
        assert instance.holder(bench.state) == held
        with pytest.raises(Exception, match="is held by"):
            instance.Lock.acquire(bench.state, version="1", mode="once")
    finally:
        lock.release()


# -- the machine


def test_what_this_machine_is_can_be_told(bench: Bench) -> None:
    assert bad(bench.run(machine.processes)) == []
    assert [f.check for f in bench.run(machine.software)] == ["python", "sqlite"]
    assert {f.check for f in bench.run(machine.clock)} == {"clock"}


def test_hidden_processes_are_critical(bench: Bench) -> None:
    class Veiled(Ours):
        def identify(self, pid: int):
            raise ProbeError("hidden")

    found = bad(bench.run(machine.processes, processes=Veiled(bench.base)))
    assert [(level, what[:20]) for level, what, _ in found] == [
        ("critical", "/proc hides processe")
    ]


def test_files_from_the_future_tell_of_a_clock_that_went_back(bench: Bench) -> None:
    bench.state.mkdir(mode=0o700)
    (bench.state / "x").touch()
    os.utime(bench.state / "x", (4e9, 4e9))
    assert "the clock went back" in bench.run(machine.clock)[-1].what


class Wedged(SystemTmux):
    def panes(self, socket: str):
        raise ProbeError("no answer within 3 s", remedy="is it stopped?")


def test_a_wedged_tmux_server_is_critical(bench: Bench) -> None:
    bench.config.write_text('[sessions]\nsocket = "/x/y.sock"\n')
    settings = load(bench.config, {})
    (found,) = bad(machine.tmux(bench.ground(tmux=Wedged(), settings=settings)))
    assert found == ("critical", "no answer within 3 s", "y.sock")


def test_locks_are_really_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = trace(tmp_path)
    assert kernel.locks_work(str(tmp_path)) is True
    assert trace(tmp_path) == before
    assert kernel.locks_work(str(tmp_path / "nowhere")) is None
    monkeypatch.setattr(kernel.fcntl, "flock", lambda *_: None)
    assert kernel.locks_work(str(tmp_path)) is False


# -- where it lives


def test_a_state_directory_that_is_not_ours_alone(bench: Bench) -> None:
    assert "is not there yet" in bench.run(home.state_directory)[0].what
    bench.state.mkdir(mode=0o700)
    assert bad(bench.run(home.state_directory)) == []
    bench.state.chmod(0o755)
    assert bad(bench.run(home.state_directory))[0][0] == "warning"
    bench.state.chmod(0o777)
    assert bad(bench.run(home.state_directory))[0][:2] == (
        "critical", f"{bench.state} can be written by others (mode 0777)",
    )  # fmt: skip


def test_a_network_file_system_and_little_room(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.state.mkdir(mode=0o700)
    monkeypatch.setattr(kernel, "mount_of", lambda _: kernel.Mount("/", "nfs4", ()))
    monkeypatch.setattr(kernel, "room", lambda _: kernel.Room(10 << 30, 1 << 20, 10, 5))
    levels = [(level, what) for level, what, _ in bad(bench.run(home.state_directory))]
    assert [level for level, _ in levels] == ["critical", "critical"]
    assert "lies on nfs4" in levels[0][1]
    assert "history cannot be kept" in levels[1][1]


def test_a_damaged_and_a_foreign_store(bench: Bench) -> None:
    assert bad(bench.run(home.store)) == []
    a_store(bench.state)
    assert bad(bench.run(home.store)) == []
    path = bench.state / "healmon.db"
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * 8192 + whole[12288:])
    assert bad(bench.run(home.store))[0][0] == "critical"
    path.unlink()
    with sqlite3.connect(path) as conn:
        conn.execute("CREATE TABLE a (b)")
    conn.close()
    assert "is no store" in bad(bench.run(home.store))[0][1]


def test_what_was_left_is_told(bench: Bench) -> None:
    bench.state.mkdir(mode=0o700)
    assert bench.run(home.leftovers) == []
    (bench.state / "healmon.db.damaged-20260101T000000Z").write_bytes(b"x" * 10)
    (bench.state / "import-abc").mkdir()
    (bench.state / "healmon.pid").write_text("1\n")
    (bench.state / "workers" / "gone").mkdir(parents=True)
    told = " ".join(f.what for f in bench.run(home.leftovers))
    for word in ("1 files of stores set aside", "import-abc", "which heals nothing", "gone"):
        assert word in told


# -- workers


def test_what_a_worker_lacks_is_told_with_its_line(bench: Bench) -> None:
    text = (
        '[workers.x]\nscript = "x.py"\ncwd = "nodir"\nuser = "nobody-at-all"\n'
        'pid_file = "nodir/x.pid"\nmemory_limit = "100TiB"\n'
        '[workers.y]\ncommand = ["no-such-program-at-all"]\n'
    )
    found = bad(bench.run(workers.workers, text))
    assert [(level, where) for level, _, where in found] == [
        ("critical", "healmon.toml:6: workers.x.script"),
        ("critical", "healmon.toml:7: workers.x.cwd"),
        ("warning", "healmon.toml:9: workers.x.pid_file"),
        ("critical", "healmon.toml:8: workers.x.user"),
        ("warning", "healmon.toml:10: workers.x.memory_limit"),
        ("critical", "healmon.toml:12: workers.y.command"),
    ]


def test_second_copies_stale_pid_files_and_old_heartbeats(bench: Bench) -> None:
    script = bench.script("w.py", "--daemon", copies=1)
    (pid,) = bench.pids
    heart, pids = bench.base / "beat.json", bench.base / "w.pid"
    heart.touch()
    os.utime(heart, (1e9, 1e9))
    pids.write_text(f"{os.getpid()}\n")
    text = (
        f'[workers.w]\nscript = "{script}"\nargs = ["--daemon"]\npid_file = "{pids}"\n'
        f'heartbeat_file = "{heart}"\n'
    )
    until(lambda: str(script) in Path(f"/proc/{pid}/cmdline").read_text(), 30, "its command line")
    told = [what for _, what, _ in bad(bench.run(workers.workers, text))]
    assert told[0] == f"w: its pid file names pid {os.getpid()}, which is somebody else"
    assert "more than heartbeat_max_age (30s)" in told[1]
    bench.script("w.py", "--daemon", copies=1)
    two = bench.pids[1]
    until(lambda: str(script) in Path(f"/proc/{two}/cmdline").read_text(), 30, "its command line")
    level, what, _ = bad(bench.run(workers.workers, text))[0]
    assert (level, what) == ("critical", f"w runs 2 times (pid {pid}, {two})")


# -- the rest of the configuration


def test_sources_databases_disks_and_packs(bench: Bench) -> None:
    build_assigner(bench.base / "a.db", now_wall=1.8e9)
    (bench.base / "open").mkdir(mode=0o777)
    (bench.base / "open").chmod(0o777)
    (bench.base / "link").symlink_to(bench.base / "open")
    text = (
        '[tasks.a]\npath = "a.db"\n[tasks.b]\npath = "b.db"\n'
        '[databases.a]\npath = "a.db"\n[databases.b]\npath = "b.db"\n'
        '[[disk.budgets]]\npath = "nowhere"\nlimit = "1GB"\n'
        '[[disk.rules]]\nname = "r"\npaths = ["open", "link", "no"]\npatterns = ["*"]\n'
        'older_than = "1d"\n'
    )
    assert [(level, where) for level, _, where in bad(bench.run(reality.sources, text))] == [
        ("critical", "healmon.toml:8: tasks.b.path")
    ]
    assert [(level, where) for level, _, where in bad(bench.run(reality.databases, text))] == [
        ("critical", "healmon.toml:12: databases.b.path")
    ]
    told = bad(bench.run(reality.disks, text))
    assert [what.partition(": ")[2].replace(str(bench.base), "") for _, what, _ in told] == [
        "nothing is counted", "anybody may write into /open",
        "/link is a link: nothing behind it is touched",
        "/no: No such file or directory",
    ]  # fmt: skip
    assert bench.run(reality.packs) == []


def test_channels_that_could_not_be_used(bench: Bench) -> None:
    (bench.base / "url").write_text("not a url")
    (bench.base / "url").chmod(0o644)
    text = (
        '[notify.channels.a]\ncommand = ["no-such-program-at-all"]\n'
        '[notify.channels.b]\nurl_env = "HOOK"\n'
        '[notify.channels.c]\nurl_file = "url"\n'
        '[notify.channels.d]\nurl = "https://example.org/hush"\n'
    )
    assert [(level, what) for level, what, _ in bad(bench.run(reality.notices, text))] == [
        ("critical", "a: no-such-program-at-all is found nowhere"),
        ("critical", "b: $HOOK here holds no URL"),
        ("critical", f"c: {bench.base}/url holds no URL"),
    ]
    ground = bench.ground(text, environ={"HOOK": "https://example.org/x"})
    assert len(bad(reality.notices(ground))) == 2
    assert [where for _, _, where in bad(bench.run(reality.secrets, text))] == ["url"]
    bench.config.chmod(0o644)
    assert [where for _, _, where in bad(reality.secrets(ground))] == ["healmon.toml", "url"]


def test_a_face_without_its_extra_is_a_warning_with_its_line(bench: Bench, monkeypatch) -> None:
    monkeypatch.setattr("healmon.config.extras.find_spec", lambda name: name != "aiohttp" or None)
    text = '[web]\nlisten = "127.0.0.1:1"\n[metrics]\nlisten = "127.0.0.1:2"\n'
    (finding,) = bench.run(reality.faces, text)
    assert (finding.level, finding.where) == ("warning", f"{bench.config}:6: web.listen")
    assert finding.remedy == "pip install 'healmon[web]'"
    assert "healing goes on" in finding.what


# -- rivals


def test_who_else_starts_a_worker_is_found(bench: Bench) -> None:
    script = bench.script()
    folder = bench.base / "rivals"
    folder.mkdir()
    (folder / "app.service").write_text(f"[Service]\n# ExecStart={script}\nExecStart=/x {script}\n")
    (folder / "other.service").write_text("[Service]\nExecStart=/bin/true\n")
    cron = bench.base / "crontab"
    cron.write_text(f"@reboot cd {bench.base} && python3 {script} --daemon\n")
    conf = bench.base / "super.conf"
    conf.write_text(f"[program:w]\ncommand={script}\n; command={script}\n")
    text = f'[workers.w]\nscript = "{script}"\n'
    where = Rivals(units=(str(folder),), cron=(str(cron),), others=(str(conf),))
    found = [f for f in rivals.rivals(bench.ground(text, rivals=where)) if f.level != "ok"]
    assert [(f.level, Path(f.where).name) for f in found] == [
        ("critical", "app.service"), ("critical", "crontab"), ("critical", "super.conf"),
    ]  # fmt: skip
    assert bad(bench.run(rivals.rivals, '[workers.v]\nscript = "v.py"\n', rivals=where)) == []


def test_other_monitors_and_healers_that_run(bench: Bench) -> None:
    bench.script("health_monitor_v2.py", "--daemon", copies=1)
    other = bench.base / "elsewhere"
    other.mkdir(mode=0o700)
    code = bench.base / "healmon"  # a process that is called so, and holds another directory
    code.write_text(
        "import sys, time\nfrom pathlib import Path\nfrom healmon.service.instance import Lock\n"
        "lock = Lock.acquire(Path(sys.argv[1]), version='1', mode='daemon')\n" + SLEEPER
    )
    bench._started.append(subprocess.Popen([sys.executable, str(code), str(other)]))
    until(lambda: instance.holder(other), 30, "the other healer")
    told = sorted(what for _, what, _ in bad(bench.run(rivals.rivals)))
    assert told[0] == f"another healer runs (pid {bench.pids[1]}) on {other}"
    assert told[1].startswith(f"another monitor runs (pid {bench.pids[0]}): ")


# -- the command


def test_its_exit_code_is_the_worst_and_json_says_all(
    bench: Bench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "CHECKS", (Checked("healer", home.holder),))
    where = ["--config", str(bench.config), "--state-dir", str(bench.state)]
    bench.ground()
    assert main(["doctor", *where]) == 0
    assert "2 ok (--all shows what is well)" in capsys.readouterr().out
    bench.config.write_text("[monitor]\nnonsense = 1\nrubbish = 2\n")
    assert main(["doctor", "--json", *where]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["level"] == "critical"
    assert [f["check"] for f in told["findings"]] == ["config", "config", "healer"]
    assert main(["doctor", "--config", str(bench.base / "none.toml"), *where[2:]]) == 2


@pytest.mark.slow
def test_a_stopped_tmux_server_is_told_and_an_answering_one_is_well(bench: Bench) -> None:
    tmux = PrivateTmux(bench.base)
    tmux.new("agent")
    try:
        bench.ground()
        bench.config.write_text(f'[sessions]\nsocket = "{tmux.socket}"\n')
        ground = bench.ground(settings=load(bench.config, {}))
        assert bad(machine.tmux(ground)) == []
        assert "1 session(s)" in list(machine.tmux(ground))[-1].what
        tmux.stop()
        (found,) = [f for f in machine.tmux(ground) if f.level != "ok"]
        assert (found.level, "no answer within" in found.what) == ("critical", True)
        assert found.where == tmux.socket
    finally:
        tmux.close()


@pytest.mark.slow
def test_beside_a_daemon_it_changes_nothing_of_it(bench: Bench) -> None:
    box = Box(bench.base)
    box.write(box.worker("w", min_uptime="200ms", ready=UP), interval="60s")
    try:
        assert box.run("--daemon").returncode == 0
        until(lambda: box.events("actionverified"), 30, "its worker")
        before, (pid,) = instance.holder(box.state), box.started_pids()
        files = [box.state / name for name in ("healmon.lock", "healmon.db")]
        stats = [path.stat() for path in files]
        config = load(box.config, {})
        ground = bench.ground(settings=config, state_dir=box.state)
        found = examine(ground, [c for c in doctor.CHECKS if c.name not in {"sqlite", "clock"}])
        assert instance.holder(box.state) == before
        assert [path.stat().st_ino for path in files] == [s.st_ino for s in stats]
        assert files[0].stat().st_mtime_ns == stats[0].st_mtime_ns
        told = {f.what for f in found}
        assert f"w runs: pid {pid}, by its command line" in told
        assert f"a healer runs: {before}" in told
        assert [f for f in found if f.level == "critical"] == []
        assert box.run("--stop").returncode == 0
    finally:
        box.close()


def test_a_state_directory_of_an_overlong_path_is_told_once_with_its_remedy(bench):
    ground = bench.ground(state_dir=Path("/srv/" + "a" * 300))
    looks = (home.state_directory, home.store, home.leftovers)
    (one,) = [found for look in looks for found in look(ground)]
    assert one.level == "critical"
    assert "a name in it has 300 bytes" in one.what
    assert "--state-dir" in one.remedy
