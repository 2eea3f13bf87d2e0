"""Shims on the machine alone: what a worker is born with, what is written, who may be killed."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from healmon.clock import boot_id
from healmon.errors import ProbeError, SpawnError, VetoError
from healmon.world.processes import Ended, Launch
from healmon.world.system_processes import SystemProcesses
from tests.helpers.examples import first_fast
from tests.helpers.shimfarm import DAEMON, PYTHON, SLEEP, Farm, alive, farming, name_of
from tests.helpers.wait import until

ROOT = os.geteuid() == 0
SHOW = "import os, sys; sys.stdout.write({}); sys.stdout.flush()"


@pytest.fixture
def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Farm]:
    with farming(tmp_path, monkeypatch.setenv) as farm:
        yield farm


def shown(farm: Farm, what: str, **more: object) -> str:
    """Return what a program writes that shows something of itself."""
    farm.run(SHOW.format(what), **more)
    assert farm.over().ends[-1].ended == Ended(code=0), farm.output()
    return farm.output()


# What a worker is born with.


def test_a_worker_has_its_output_no_input_the_lock_and_nothing_else(farm: Farm) -> None:
    read_end, write_end = os.pipe()
    os.set_inheritable(write_end, True)
    what = "repr({int(f): os.readlink('/proc/self/fd/' + f) for f in os.listdir('/proc/self/fd')})"
    try:
        # the listing itself has one more open, which is gone by the time it is read
        had = eval(shown(farm, what.replace("os.readlink('/proc/self/fd/' + f)", "f")))
        farm.log().unlink()
        guarded = (
            "repr({f: os.readlink('/proc/self/fd/' + f) for f in os.listdir('/proc/self/fd')"
            " if os.path.exists('/proc/self/fd/' + f)})"
        )
        links = eval(shown(farm, guarded))
    finally:
        os.close(read_end)
        os.close(write_end)
    log, lock = str(farm.log()), f"{farm.place()}/instance.lock"
    assert links == {"0": "/dev/null", "1": log, "2": log, "63": lock}
    assert set(had) <= {0, 1, 2, 3, 63}


@pytest.mark.parametrize("thorough", [False, True])
def test_a_worker_has_default_signals_and_an_empty_mask(farm: Farm, thorough: bool) -> None:
    previous = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    more = {"limits": {"core": 0}} if thorough else {}
    try:
        farm.start("/bin/sed", "-n", "/^Sig/p", "/proc/self/status", **more)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGUSR1, previous)
    farm.over()
    found = dict(line.split(":\t") for line in farm.output().splitlines())
    # 32 and 33 are the C library's own: its posix_spawn leaves them ignored, whoever uses it
    own = ~(3 << 31)
    masks = {name: int(found[name], 16) & own for name in ("SigBlk", "SigIgn", "SigCgt")}
    assert masks == dict.fromkeys(masks, 0)


def test_output_is_appended_to_a_private_file(farm: Farm) -> None:
    farm.log().write_text("earlier\n")
    farm.log().chmod(0o600)
    farm.start("/bin/sh", "-c", "echo out; echo err >&2; cat")
    farm.over()
    assert farm.output() == "earlier\nout\nerr\n"
    farm.start("/bin/true", name="new", number=2)
    farm.over("new")
    assert farm.log("new").stat().st_mode & 0o777 == 0o600
    assert {p.stat().st_mode & 0o777 for p in Path(farm.place()).iterdir()} == {0o600}
    assert Path(farm.place()).stat().st_mode & 0o777 == 0o700


def test_directory_environment_and_arguments_are_as_ordered(farm: Farm, tmp_path: Path) -> None:
    folder = tmp_path / "wörk dir"
    folder.mkdir()
    strange = os.fsdecode(b"caf\xe9 ")
    env = {"APP": f"a=b {strange}", "EMPTY": "", "LINES": "a\nb"}
    code = (
        "import os, sys; w = lambda t: sys.stdout.write(repr(t) + '\\n'); w(os.getcwdb());"
        "w([os.environb[n] for n in (b'APP', b'EMPTY', b'LINES')]); w('PATH' in os.environ);"
        "w([os.fsencode(a) for a in sys.argv[1:]])"
    )
    argv = (sys.executable, "-S", "-E", "-c", code, strange, "", "[x]\n")
    farm.start(*argv, cwd=str(folder), env=env)
    assert farm.over().ends[-1].ended == Ended(code=0), farm.output()
    where, variables, path, rest = (eval(line) for line in farm.output().splitlines())
    assert where == os.fsencode(folder)
    assert variables == [b"a=b caf\xe9 ", b"", b"a\nb"]
    assert path is True
    assert rest == [b"caf\xe9 ", b"", b"[x]\n"]


def test_without_a_directory_it_runs_where_healmon_is(
    farm: Farm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert shown(farm, "os.getcwd()", cwd="") == str(tmp_path / "here")
    (tmp_path / "here" / "tool").symlink_to("/bin/pwd")
    farm.start("./tool", name="tool", cwd=str(tmp_path / "here"))
    farm.over("tool")
    assert farm.output("tool") == f"{tmp_path / 'here'}\n"


def test_a_program_is_found_in_the_path_of_its_own_environment(farm: Farm, tmp_path: Path) -> None:
    for name, mode in (("one", 0o644), ("two", 0o755)):
        (tmp_path / name).mkdir()
        tool = tmp_path / name / "our-tool"
        tool.write_text(f"#!/bin/sh\necho {name}\n")
        tool.chmod(mode)
    path = f"/nowhere:{tmp_path / 'one'}:{tmp_path / 'two'}"
    farm.start("our-tool", env={"PATH": path})
    farm.over()
    assert farm.output() == "two\n"
    with pytest.raises(SpawnError, match="it is not executable"):
        farm.start("our-tool", env={"PATH": f"/nowhere:{tmp_path / 'one'}"}, number=2)


@pytest.mark.parametrize("mask", [0o027, 0o777, None])
def test_the_umask_is_as_ordered_and_harms_no_record(farm: Farm, mask: int | None) -> None:
    own = os.umask(0)
    os.umask(own)
    code = "repr([os.umask(0), os.umask(0)][0])"
    assert int(shown(farm, code, umask=mask)) == (own if mask is None else mask)
    assert shown(farm, code, umask=mask).endswith(str(own if mask is None else mask))
    assert len(farm.look().ends) == 2


def test_limits_are_soft_and_as_ordered(farm: Farm) -> None:
    what = "repr([r.getrlimit(r.RLIMIT_NOFILE), r.getrlimit(r.RLIMIT_CORE)])"
    farm.run(f"import resource as r; {SHOW.format(what)}", limits={"nofile": 17, "core": 0})
    assert farm.over().ends[-1].ended == Ended(code=0)
    nofile, core = eval(farm.output())
    assert nofile == (17, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    assert core[0] == 0


def test_a_limit_that_leaves_no_room_is_the_commands_fault_or_its_own_end(farm: Farm) -> None:
    # whether exec or the program fails of it, is the kernel's choice
    with contextlib.suppress(SpawnError):
        farm.start("/bin/true", limits={"as": 4096})
        assert farm.over().ends[-1].ended != Ended(code=0)
    assert farm.start("/bin/true", number=2).number == 2


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        ({"nofile": 1 << 40}, "its limit nofile = 1099511627776 is above the hard limit"),
        ({"wishes": 3}, "there is no resource limit 'wishes'"),
    ],
)
def test_a_limit_that_cannot_be_is_the_commands_fault(
    farm: Farm, limits: dict[str, int], why: str
) -> None:
    with pytest.raises(SpawnError, match=why) as caught:
        farm.start("/bin/true", limits=limits)
    assert caught.value.host_fault is False


@pytest.mark.skipif(not ROOT, reason="becoming somebody else needs root")
def test_root_starts_it_as_somebody_else_for_good(farm: Farm, monkeypatch) -> None:
    monkeypatch.setenv("ROOTS_WORD", "hush")
    script = "grep -E '^(Uid|Gid|CapEff|CapPrm|Groups)' /proc/self/status; echo User: $USER;"
    script += "echo Word: $ROOTS_WORD $ITS_OWN"
    farm.start("/bin/sh", "-c", script, user="nobody", env={"ITS_OWN": "said"})
    assert farm.over().ends[-1].ended == Ended(code=0), farm.output()
    found = {k: v.split() for k, v in (line.split(":") for line in farm.output().splitlines())}
    nobody = pwd.getpwnam("nobody")
    assert found["Uid"] == [str(nobody.pw_uid)] * 4
    assert found["Gid"] == [str(nobody.pw_gid)] * 4
    assert found["Groups"] == [str(nobody.pw_gid)]
    assert found["CapEff"] == found["CapPrm"] == ["0000000000000000"]
    assert found["User"] == ["nobody"]
    assert found["Word"] == ["said"], "what root has in its environment is not for everybody"
    with pytest.raises(SpawnError, match="no user 'nobody-here'"):
        farm.start("/bin/true", user="nobody-here", number=2)


@pytest.mark.skipif(not ROOT, reason="becoming somebody else needs root")
def test_what_another_user_may_not_run_is_told(farm: Farm, tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_bytes(Path("/bin/true").read_bytes())
    tool.chmod(0o700)
    with pytest.raises(SpawnError, match="it is not executable") as caught:
        farm.start(str(tool), user="nobody")
    assert caught.value.host_fault is False
    assert farm.start(str(tool)).number == 1


# What could not be run.


def bad_orders(folder: Path) -> dict[str, dict[str, object]]:
    def make(name: str, text: bytes, mode: int) -> str:
        path = folder / name
        path.write_bytes(text)
        path.chmod(mode)
        return str(path)

    script = make("plain", b"#!/bin/sh\n", 0o644)
    return {
        "missing": {"argv": ("/no/such/program",)},
        "interpreter": {"argv": (make("a.py", b"#!/no/such/python -u\n", 0o755),)},
        "not executable": {"argv": (script,)},
        "no program": {"argv": (make("c.bin", b"\x00\x01\x02", 0o755),)},
        "a directory": {"argv": (str(folder),)},
        "not in PATH": {"argv": ("healmon-no-such-tool",)},
        "through a file": {"argv": (f"{script}/x",)},
        "NUL": {"argv": ("a\0b",)},
        "NUL in a variable": {"argv": ("/bin/true",), "env": {"A": "x\0y"}},
        "a variable without a name": {"argv": ("/bin/true",), "env": {"": "x"}},
        "no directory": {"argv": ("/bin/true",), "cwd": "/no/such/dir"},
        "a file for a directory": {"argv": ("/bin/true",), "cwd": script},
        "empty": {"argv": ()},
        "no log": {"argv": ("/bin/true",), "log_path": f"{folder}/none/log"},
        "too long": {"argv": ("/bin/true", "x" * (1 << 18))},
    }


@pytest.mark.parametrize("thorough", first_fast(False, True))
@pytest.mark.parametrize("case", [
    "missing", "interpreter", "not executable", "no program", "a directory", "not in PATH",
    "through a file", "NUL", "NUL in a variable", "a variable without a name", "no directory",
    "a file for a directory", "empty", "no log", "too long",
])  # fmt: skip
def test_why_it_could_not_be_run_is_said_as_by_a_plain_start(
    farm: Farm, tmp_path: Path, case: str, thorough: bool
) -> None:
    keys: dict[str, object] = {"log_path": str(farm.log()), "cwd": "/"}
    keys |= bad_orders(tmp_path)[case]
    launch = Launch(**keys, limits={"core": 0} if thorough else {})
    with pytest.raises(SpawnError) as plain:
        SystemProcesses().spawn(launch)
    with pytest.raises(SpawnError) as caught:
        farm.shims.start(farm.order_of(launch))
    assert str(caught.value) == str(plain.value)
    assert caught.value.host_fault == plain.value.host_fault == (case == "no log")
    assert farm.shims.look(farm.place()) is None
    assert not [pid for pid in farm.marked() if name_of(pid) == "true"]


def test_a_program_that_is_being_written_is_the_hosts_fault(farm: Farm, tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_bytes(Path("/bin/true").read_bytes())
    tool.chmod(0o755)
    with tool.open("r+b"), pytest.raises(SpawnError, match="Text file busy") as caught:
        farm.start(str(tool))
    assert caught.value.host_fault is True
    assert farm.start(str(tool)).number == 1


def test_an_order_beyond_any_socket_buffer_arrives(farm: Farm) -> None:
    env = {f"V{n}": "x" * 100_000 for n in range(12)}
    assert shown(farm, "str(sum(len(v) for n, v in os.environ.items() if n[0] == 'V'))", env=env)
    assert int(farm.output()) >= 1_200_000


# Who lives where.


def test_sessions_groups_parents_and_what_a_shim_keeps_open(farm: Farm) -> None:
    shim = farm.run(SLEEP)
    above = farm.processes.inspect(shim.shim)
    assert above is not None
    assert above.parent == farm.nursery()
    assert above.name == "healmon-shim"
    proc = Path(f"/proc/{shim.shim.pid}")
    kept = {"/dev/null", farm.place(), f"{farm.place()}/instance.lock"}
    assert (proc / "cwd").readlink() == Path("/")
    until(lambda: {str(fd.readlink()) for fd in (proc / "fd").iterdir()} == kept, what="the rest")
    nursery = farm.processes.identify(farm.nursery())
    assert nursery is not None
    facts = farm.processes.inspect(nursery)
    assert facts is not None
    assert facts.session == facts.identity.pid != os.getsid(0)


def test_no_signal_but_the_two_moves_a_shim(farm: Farm) -> None:
    code = (
        "import signal, time\n"
        "for n in signal.valid_signals() - {9, 19}: signal.signal(n, signal.SIG_IGN)\n"
        "print('deaf', flush=True); time.sleep(600)"
    )
    shim = farm.run(code)
    until(lambda: "deaf" in farm.output(), what="the worker")
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        os.kill(shim.shim.pid, number)
        os.killpg(shim.shim.pid, number)
    farm.kill(shim.worker)
    assert farm.over().ends[-1].ended == Ended(signal=9)


def test_a_worker_that_signals_its_own_group_ends_alone(farm: Farm) -> None:
    shim = farm.start("/bin/sh", "-c", "kill -TERM 0; sleep 600")
    assert farm.over().ends[-1].ended == Ended(signal=signal.SIGTERM)
    assert farm.look().shim == shim.shim


def test_whatever_forks_stays_below_until_its_end(farm: Farm) -> None:
    single = "import os, time\nif os.fork(): os._exit(0)\ntime.sleep(600)"
    talks = "import os, time\nif os.fork(): os._exit(3)\nprint('here', flush=True); time.sleep(600)"
    for name, code, ended in (
        ("single", single, Ended(code=0)),
        ("double", DAEMON, Ended(code=0)),
        ("talks", talks, Ended(code=3)),
    ):
        shim = farm.run(code, name=name)
        until(lambda name=name: farm.look(name).ends, what="the end of the program")
        assert farm.look(name).ends[0].ended == ended
        once = name != "double"
        daemon = until(lambda s=shim, o=once: farm.daemon(s, once=o), what="the daemon alone")
        assert farm.look(name).alive
        farm.kill(daemon, signal.SIGTERM)
        last = farm.over(name).ends[-1]
        assert (last.identity, last.ended, last.main) == (daemon, Ended(signal=15), False)


def test_what_ends_below_a_living_worker_is_reaped_and_not_told(farm: Farm) -> None:
    # each grandchild is orphaned and ends: the shim inherits it, and nobody asks how it ended
    code = (
        "import os, time\n"
        "for _ in range(5):\n"
        "    if not os.fork():\n"
        "        if not os.fork(): os._exit(9)\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
        "print('done', flush=True); time.sleep(600)"
    )
    shim = farm.run(code)
    until(lambda: "done" in farm.output(), what="five orphans")
    until(lambda: farm.below(shim) == [shim.worker], what="no zombie")
    assert farm.look().ends == ()


@pytest.mark.slow
def test_what_a_worker_used_is_told(farm: Farm) -> None:
    code = (
        "import time\nkept = bytearray(60_000_000)\n"
        "for n in range(0, len(kept), 4096): kept[n] = 1\n"
        "end = time.process_time() + 0.2\nwhile time.process_time() < end: pass\n"
        "print('up', flush=True); time.sleep(600)"
    )
    shim = farm.run(code)
    until(lambda: "up" in farm.output(), what="the worker")
    farm.kill(shim.worker)
    (end,) = farm.over().ends
    assert end.ended == Ended(signal=signal.SIGKILL)
    assert 60_000_000 < end.max_rss < 200_000_000
    assert 0.2 <= end.cpu_seconds < 60


def test_the_records_of_ends_are_bounded_and_keep_the_programs(farm: Farm) -> None:
    code = (
        "import os, time\n"
        "for n in range(30):\n"
        "    if not os.fork(): time.sleep(0.2 + n / 100); os._exit(n)\n"
        "os._exit(77)"
    )
    farm.run(code)
    ends = farm.over().ends
    assert len(ends) == 12
    assert [end.ended.code for end in ends if end.main] == [77]
    assert Path(farm.place(), "ends.jsonl").stat().st_size < 4096


# What is looked at.


def test_a_record_of_an_earlier_boot_is_of_nobody_alive(farm: Farm) -> None:
    farm.run(SLEEP)
    path = Path(farm.place(), "shim.json")
    record = path.read_text().replace(boot_id(), "an-earlier-boot")
    path.write_text(record)
    shim = farm.look()
    assert (shim.alive, shim.shim.boot, shim.number) == (False, "an-earlier-boot", 1)
    with pytest.raises(VetoError, match="instance lock is held"):
        farm.run(SLEEP, number=2)


def test_a_recycled_pid_is_nobody(farm: Farm) -> None:
    shim = farm.run(SLEEP)
    farm.kill(shim.worker)
    farm.over()
    path = Path(farm.place(), "shim.json")
    record = json.loads(path.read_text())
    for who in ("shim", "worker"):
        record[who]["pid"] = os.getpid()
    path.write_text(json.dumps(record))
    assert (farm.look().alive, farm.look().locked) == (False, False)
    assert farm.run(SLEEP, number=2).number == 2


def test_a_record_that_cannot_be_read_is_none_only_while_nobody_is_there(farm: Farm) -> None:
    shim = farm.run(SLEEP)
    path = Path(farm.place(), "shim.json")
    path.write_bytes(b'{"number":1,"shi')
    with pytest.raises(ProbeError, match=r"shim\.json"):
        farm.shims.look(farm.place())
    with pytest.raises(VetoError, match=f"pid {shim.worker.pid}"):
        farm.run(SLEEP, number=2)
    farm.kill(shim.worker)
    until(lambda: not alive(shim.shim.pid), what="the end of the shim")
    assert farm.shims.look(farm.place()) is None
    assert farm.run(SLEEP, number=2).number == 2


def test_a_lock_without_a_record_is_unknown_and_names_its_holder(farm: Farm) -> None:
    Path(farm.place()).mkdir(parents=True)
    lock = Path(farm.place(), "instance.lock")
    code = (
        "import fcntl, struct, sys, time; f = open(sys.argv[1], 'w')\n"
        "whole = struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0)\n"
        "fcntl.fcntl(f, fcntl.F_OFD_SETLK, whole); print(flush=True); time.sleep(600)"
    )
    with subprocess.Popen([*PYTHON, code, str(lock)], stdout=subprocess.PIPE) as stranger:
        assert stranger.stdout is not None
        stranger.stdout.readline()
        with pytest.raises(ProbeError, match=f"no record of who runs there: pid {stranger.pid}"):
            farm.shims.look(farm.place())
        with pytest.raises(
            VetoError, match=f"lock is held: one copy lives already: pid {stranger.pid}"
        ):
            farm.run(SLEEP)
        stranger.kill()
    assert farm.shims.look(farm.place()) is None


def test_a_removed_lock_file_lets_no_second_copy_in(farm: Farm) -> None:
    shim = farm.run(DAEMON)
    until(lambda: farm.look().ends, what="the end of the program")
    daemon = until(lambda: farm.daemon(shim), what="the daemon")
    lock = Path(farm.place(), "instance.lock")
    lock.unlink()
    assert (farm.look().alive, farm.look().locked) == (True, True)
    with pytest.raises(VetoError, match=f"without a lock file: pid {shim.shim.pid}"):
        farm.run(SLEEP, number=2)
    assert not lock.exists()
    farm.kill(daemon)
    farm.over()
    assert farm.run(SLEEP, number=2).number == 2


def test_lines_of_another_version_are_left_out(farm: Farm) -> None:
    farm.start("/bin/false")
    farm.over()
    path = Path(farm.place(), "ends.jsonl")
    path.write_bytes(b'{"new": 1}\nnonsense\n\xff\n' + path.read_bytes())
    assert [end.ended for end in farm.look().ends] == [Ended(code=1)]
    farm.start("/bin/true", number=2)
    assert [end.ended for end in farm.over().ends] == [Ended(code=1), Ended(code=0)]


def test_a_folder_may_be_renamed_under_a_running_shim(farm: Farm) -> None:
    shim = farm.run(SLEEP)
    moved = Path(farm.place("moved"))
    Path(farm.place()).rename(moved)
    farm.kill(shim.worker)
    assert farm.over("moved").ends[-1].ended == Ended(signal=9)


@pytest.mark.slow
def test_looks_never_turn_away_a_start(farm: Farm) -> None:
    shim = farm.run(SLEEP)
    done = threading.Event()

    def watch() -> int:
        looks = 0
        while not done.is_set():
            farm.shims.look(farm.place())
            looks += 1
        return looks

    with ThreadPoolExecutor(2) as pool:
        watchers = [pool.submit(watch) for _ in range(2)]
        try:
            for number in range(2, 40):
                farm.kill(shim.worker)
                until(lambda shim=shim: not farm.lives(shim.worker), what="an end")
                shim = farm.run(SLEEP, number=number)
        finally:
            done.set()
        assert all(watcher.result() > 0 for watcher in watchers)
