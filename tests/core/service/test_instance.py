from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from healmon.clock import boot_id
from healmon.errors import HolderError, StateDirError
from healmon.events import CycleStarted, Recorded
from healmon.service import instance
from healmon.service.commandline import stop
from healmon.service.instance import Holder, Lock
from healmon.service.ousted import Ousted
from tests.helpers.storekit import line, program
from tests.helpers.wait import until

HOLD = """
import sys
from pathlib import Path
from healmon.errors import HolderError
from healmon.service.instance import Lock
if len(sys.argv) > 2:
    sys.stdin.readline()
try:
    lock = Lock.acquire(
        Path(sys.argv[1]), version="9.9", mode="daemon", started="2026-02-06 10:00:00"
    )
except HolderError as error:
    print(f"refused {error}", flush=True)
else:
    print("held", flush=True)
    sys.stdin.readline()
    lock.release()
    print("released", flush=True)
    sys.stdin.readline()
"""


def test_held_and_released(tmp_path: Path) -> None:
    assert instance.holder(tmp_path) is None
    lock = Lock.acquire(tmp_path, version="1.2", mode="once", started="2026-02-06 10:00:00")
    assert instance.holder(tmp_path) == lock.holder
    assert lock.holder.pid == os.getpid()
    assert lock.holder.boot_id == boot_id()
    assert lock.holder.ticks > 0
    lock.release()
    lock.release()
    assert instance.holder(tmp_path) is None
    assert (tmp_path / "healmon.lock").exists()  # left over, and in nobody's way
    Lock.acquire(tmp_path, version="1.2", mode="once").release()


def test_the_text_is_for_people(tmp_path: Path) -> None:
    lock = Lock.acquire(tmp_path, version="1.2", mode="tui")
    told = json.loads((tmp_path / "healmon.lock").read_text())
    assert told["pid"] == os.getpid()
    assert told["mode"] == "tui"
    assert told["version"] == "1.2"
    assert len(told["started"]) == 19
    assert (tmp_path / "healmon.lock").stat().st_mode & 0o777 == 0o600
    lock.release()


def test_the_second_is_told_who_was_first(tmp_path: Path) -> None:
    with program(HOLD, tmp_path) as first:
        assert line(first) == "held"
        with pytest.raises(HolderError) as caught:
            Lock.acquire(tmp_path, version="1", mode="once")
        assert caught.value.exit_code == 75
        said = str(caught.value)
        for word in (f"pid {first.pid}", "daemon", "9.9", "2026-02-06 10:00:00", "healmon stop"):
            assert word in said
        found = instance.holder(tmp_path)
        assert found is not None
        assert found.pid == first.pid
        first.stdin.write("\n")
        assert line(first) == "released"
        assert instance.holder(tmp_path) is None  # the process lives on
        Lock.acquire(tmp_path, version="1", mode="once").release()


def test_two_in_one_process_are_two(tmp_path: Path) -> None:
    lock = Lock.acquire(tmp_path, version="1", mode="tui")
    with pytest.raises(HolderError):
        Lock.acquire(tmp_path, version="1", mode="tui")
    # opening and closing the file by hand drops a plain POSIX lock; not this one
    (tmp_path / "healmon.lock").read_text()
    assert instance.holder(tmp_path) == lock.holder
    lock.release()


@pytest.mark.slow
def test_of_many_that_start_together_exactly_one_wins(tmp_path: Path) -> None:
    for _ in range(3):
        with ExitStack() as stack:
            racers = [stack.enter_context(program(HOLD, tmp_path, "wait")) for _ in range(6)]
            for racer in racers:
                racer.stdin.write("\n")
            said = [line(racer) for racer in racers]
            assert sum(word == "held" for word in said) == 1
            winner = racers[said.index("held")]
            assert all(f"pid {winner.pid} " in word for word in said if word != "held")


def test_killed_without_mercy_it_blocks_nobody(tmp_path: Path) -> None:
    with program(HOLD, tmp_path) as first:
        assert line(first) == "held"
        first.send_signal(signal.SIGKILL)
        first.wait(30)
        assert instance.holder(tmp_path) is None
        lock = Lock.acquire(tmp_path, version="1", mode="once")
        assert instance.holder(tmp_path).pid == os.getpid()
        lock.release()


FORKS = """
import os, sys, time
from pathlib import Path
from healmon.service.instance import Lock
lock = Lock.acquire(Path(sys.argv[1]), version="1", mode="daemon")
child = os.fork()
if child:
    print(child, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("ends", [True, False])
def test_a_child_just_forked_by_a_killed_holder_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    class Pause:
        """Lets the child end while it is waited for."""

        def wait(self, seconds: float) -> None:
            waits.append(seconds)
            if ends:
                os.kill(child, signal.SIGKILL)
                until(lambda: instance.holder(tmp_path) is None, what="the end of the child")

    waits: list[float] = []
    monkeypatch.setattr(instance, "_pause", Pause)
    holding = subprocess.Popen(
        [sys.executable, "-c", FORKS, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holding.stdout is not None
    child = int(holding.stdout.readline())
    holding.kill()
    holding.wait()
    try:
        if ends:
            Lock.acquire(tmp_path, version="2", mode="once").release()
            assert len(waits) == 1
        else:
            with pytest.raises(HolderError):
                Lock.acquire(tmp_path, version="2", mode="once")
            assert sum(waits) >= 2, "as long as a child may need"
    finally:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        holding.stdout.close()


def test_a_lock_file_removed_between_open_and_lock_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, removed = fcntl.fcntl, []

    def removing(*words: object) -> object:
        if not removed:
            removed.append((tmp_path / instance.NAME).unlink())
        return lock(*words)

    monkeypatch.setattr(instance.fcntl, "fcntl", removing)
    held = Lock.acquire(tmp_path, version="1", mode="once")
    assert instance.holder(tmp_path) == held.holder
    held.release()


def test_a_stopped_holder_still_holds(tmp_path: Path) -> None:
    with program(HOLD, tmp_path) as first:
        assert line(first) == "held"
        first.send_signal(signal.SIGSTOP)
        try:
            assert instance.holder(tmp_path).pid == first.pid
            with pytest.raises(HolderError):
                Lock.acquire(tmp_path, version="1", mode="once")
        finally:
            first.send_signal(signal.SIGCONT)


def test_looking_never_turns_a_starter_away(tmp_path: Path) -> None:
    look = (
        "import sys; from pathlib import Path; from healmon.service import instance\n"
        "print('looking', flush=True)\n"
        "while True: instance.holder(Path(sys.argv[1]))"
    )
    with program(look, tmp_path) as looker:
        assert line(looker) == "looking"
        for _ in range(300):
            Lock.acquire(tmp_path, version="1", mode="once").release()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', "null", "\xff\xfe" * 9, "7\n"])
def test_a_text_nobody_can_read_blocks_nobody_and_is_written_anew(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "healmon.lock").write_text(text)
    assert instance.holder(tmp_path) is None
    lock = Lock.acquire(tmp_path, version="1", mode="once")
    (tmp_path / "healmon.lock").write_text(text)  # scribbled over while it is held
    assert instance.holder(tmp_path) == Holder(pid=os.getpid()), "the kernel knows that much"
    with pytest.raises(HolderError, match=f"pid {os.getpid()}"):
        Lock.acquire(tmp_path, version="1", mode="once")
    proven = instance.proven(Holder(pid=os.getpid()), tmp_path)
    assert (proven.ticks, proven.boot_id) == (lock.holder.ticks, lock.holder.boot_id)
    assert instance.proven(Holder(pid=os.getppid()), tmp_path).ticks == 0, "it holds nothing there"
    assert lock.mend()
    assert instance.holder(tmp_path) == lock.holder
    assert not lock.mend()
    lock.release()


def test_the_tail_of_a_longer_text_does_not_confuse(tmp_path: Path) -> None:
    lock = Lock.acquire(tmp_path, version="1", mode="once")
    with (tmp_path / "healmon.lock").open("a") as file:
        file.write('"mode": "an-older-longer-text"}\n')
    assert instance.holder(tmp_path) == lock.holder
    lock.release()


@pytest.mark.slow
def test_a_holder_that_has_not_yet_said_who_it_is(tmp_path: Path) -> None:
    """The text names a dead healer; the lock is held: nobody is blamed who is not there."""
    with program(HOLD, tmp_path) as first:
        assert line(first) == "held"
        told = json.loads((tmp_path / "healmon.lock").read_text())
        stale = {**told, "ticks": 1}
        (tmp_path / "healmon.lock").write_text(json.dumps(stale))
        with pytest.raises(HolderError, match=f"held by pid {first.pid}"):
            Lock.acquire(tmp_path, version="1", mode="once")


def test_a_holder_seen_between_its_two_locks_is_named_in_full_once_it_has_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(taken, fcntl.LOCK_EX)
    held: list[Lock] = []

    class Pause:
        def wait(self, _seconds: float) -> None:
            if not held:  # it comes to its second lock while the loser waits
                os.close(taken)
                held.append(Lock.acquire(tmp_path, version="7", mode="daemon"))

    monkeypatch.setattr(instance, "_taken_from_the_dead", lambda _: None)
    monkeypatch.setattr(instance, "_pause", Pause)
    with pytest.raises(HolderError, match=rf"is held by pid {os.getpid()} \(daemon, version 7"):
        Lock.acquire(tmp_path, version="1", mode="once")
    held[0].release()


def test_removing_the_lock_file_lets_no_second_healer_in(tmp_path: Path) -> None:
    with program(HOLD, tmp_path) as first:
        assert line(first) == "held"
        (tmp_path / "healmon.lock").unlink()
        with pytest.raises(HolderError, match=rf"is held by pid {first.pid}\n"):
            Lock.acquire(tmp_path, version="1", mode="once")
        assert instance.holder(tmp_path).pid == first.pid


def test_a_removed_lock_file_is_made_anew(tmp_path: Path) -> None:
    lock = Lock.acquire(tmp_path, version="1", mode="daemon")
    assert not lock.mend()
    (tmp_path / "healmon.lock").unlink()
    assert lock.mend()
    assert not lock.mend()
    assert instance.holder(tmp_path) == lock.holder
    with pytest.raises(HolderError):
        Lock.acquire(tmp_path, version="1", mode="once")
    lock.release()
    assert instance.holder(tmp_path) is None


def test_a_forked_daemon_is_the_one_owner(tmp_path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from healmon.service.instance import Lock
lock = Lock.acquire(Path(sys.argv[1]), version="1", mode="daemon")
if os.fork():
    lock.forget()
    os._exit(0)
os.setsid()
lock.adopt()
print(os.getpid(), flush=True)
sys.stdin.readline()
"""
    with program(code, tmp_path) as starter:
        child = int(line(starter))
        starter.wait(30)  # the starter has ended, its child holds on
        fd = os.pidfd_open(child)
        try:
            assert instance.holder(tmp_path).pid == child
            with pytest.raises(HolderError, match=f"pid {child}"):
                Lock.acquire(tmp_path, version="1", mode="once")
            signal.pidfd_send_signal(fd, signal.SIGKILL)
            until(lambda: instance.holder(tmp_path) is None, what="the release")
        finally:
            os.close(fd)


def test_a_child_that_did_not_adopt_gives_nothing_back(tmp_path: Path) -> None:
    lock = Lock.acquire(tmp_path, version="1", mode="daemon")
    pid = os.fork()
    if pid == 0:
        lock.release()
        os._exit(0)
    os.waitpid(pid, 0)
    assert instance.holder(tmp_path) == lock.holder
    lock.release()
    assert instance.holder(tmp_path) is None


def test_a_started_worker_does_not_inherit_the_lock(tmp_path: Path) -> None:
    lock = Lock.acquire(tmp_path, version="1", mode="daemon")
    worker = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        close_fds=False,
    )
    try:
        lock.forget()  # as if we had died
        until(lambda: instance.holder(tmp_path) is None, what="the release")
        assert worker.poll() is None
    finally:
        worker.kill()
        worker.communicate()


def test_waiting_for_the_release(tmp_path: Path) -> None:
    with program(HOLD, tmp_path) as first:
        assert line(first) == "held"
        assert not instance.wait_released(tmp_path, 0.1)
        first.stdin.write("\n")
        assert instance.wait_released(tmp_path, 10.0)


def test_it_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(StateDirError):
        Lock.acquire(tmp_path / "none", version="1", mode="once")
    (tmp_path / "healmon.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateDirError):
        Lock.acquire(tmp_path, version="1", mode="once")
    assert not (tmp_path / "elsewhere").exists()
    assert instance.holder(tmp_path / "none") is None


def test_no_descriptor_is_left_behind(tmp_path: Path) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    before = count()
    lock = Lock.acquire(tmp_path, version="1", mode="once")
    for fd in (lock._file, lock._directory):
        assert fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    with pytest.raises(HolderError):
        Lock.acquire(tmp_path, version="1", mode="once")
    assert count() == before + 2
    lock.release()
    assert count() == before


def test_where_the_lock_file_cannot_be_made_anew_the_lock_holds_all_the_same(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    lock = Lock.acquire(folder, version="1", mode="daemon")
    (folder / "healmon.lock").unlink()
    folder.rename(tmp_path / "elsewhere")
    assert not lock.mend(), "no error: housekeeping goes on"
    (tmp_path / "elsewhere").rename(folder)
    assert lock.mend()
    lock.release()


def test_whose_lock_file_was_removed_is_not_stopped_by_its_number_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "another").mkdir()
    with program(HOLD, tmp_path / "another") as other:
        assert line(other) == "held"
        monkeypatch.setattr(instance, "holder", lambda _: Holder(pid=other.pid))
        with pytest.raises(HolderError, match="lock file was removed"):
            stop(tmp_path)
        assert other.poll() is None


def test_whose_lock_file_is_empty_for_want_of_room_can_be_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with program(HOLD, tmp_path) as first:
        assert line(first) == "held"
        os.truncate(tmp_path / "healmon.lock", 0)
        assert stop(tmp_path) == 0
        assert f"stopped (pid {first.pid})" in capsys.readouterr().out


@pytest.mark.parametrize("same", [True, False], ids=["recycled", "another"])
def test_who_could_not_write_is_not_taken_for_the_dead_one_whose_text_is_there(
    tmp_path: Path, *, same: bool
) -> None:
    with program(HOLD, tmp_path) as first:
        assert line(first) == "held"
        told = instance.holder(tmp_path)
        inside = json.dumps(told._replace(pid=4_194_000)._asdict())
        (tmp_path / instance.NAME).write_text(inside)
        assert instance.holder(tmp_path) == told, "as it is called outside of its container"
        gone = Holder(first.pid if same else 4_194_000, 1, boot_id(), "1", "daemon", "then")
        (tmp_path / instance.NAME).write_text(json.dumps(gone._asdict()))
        assert instance.holder(tmp_path) == Holder(pid=first.pid)
        with pytest.raises(HolderError, match=f"held by pid {first.pid}"):
            Lock.acquire(tmp_path, version="1", mode="once")
        assert stop(tmp_path) == 0
        first.wait(20)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root could end somebody else's process")
def test_root_ends_nobody_else_for_the_owner_of_a_state_directory(tmp_path: Path) -> None:
    lock = Lock.acquire(tmp_path, version="1", mode="daemon")
    os.chown(tmp_path, 65534, 65534)  # what is in it is his: he could have written our pid
    with pytest.raises(HolderError, match="whom another user runs"):
        stop(tmp_path)
    lock.release()


def test_a_pipe_in_the_place_of_the_lock_file_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "healmon.lock")
    assert instance.holder(tmp_path) is None


def test_of_a_directory_that_was_removed_the_name_is_taken_again_or_given_up(
    tmp_path: Path,
) -> None:
    state, stopped = tmp_path / "state", list[str]()
    state.mkdir(mode=0o700)
    lock = Lock.acquire(state, version="1", mode="daemon")
    ousted = Ousted(state, lock, stopped.append)

    def round_begins() -> list[str]:
        ousted.heard(Recorded(1, 0.0, CycleStarted(1)))
        return stopped

    assert round_begins() == []
    state.rename(tmp_path / "away")
    assert round_begins() == []
    state.mkdir(mode=0o700)
    assert round_begins() == []
    assert instance.holder(state) == lock.holder
    with pytest.raises(HolderError):
        Lock.acquire(state, version="1", mode="once")
    assert round_begins() == [], "it is our own name that stands there"
    state.rename(tmp_path / "further")
    state.mkdir(mode=0o700)
    with program(HOLD.replace('"daemon"', '"import"'), state) as errand:
        assert line(errand) == "held"
        assert round_begins() == [], "it is gone in a while, and then nobody would heal"
    with program(HOLD, state) as other:
        assert line(other) == "held"
        (why,) = round_begins()
    assert f"pid {other.pid} (daemon, version 9.9)" in why
    lock.release()
