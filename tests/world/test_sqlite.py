"""One contract for real and simulated databases, then what only the real ones have."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.errors import ProbeError
from healmon.world import proclocks
from healmon.world.dbreading import DatabaseReading, LookError
from healmon.world.lockline import LockLine
from healmon.world.processes import Identity, ProcessFacts
from healmon.world.simulated.sqlite import SimulatedLocks
from healmon.world.sqlite import Locks, SystemLocks, terminal_name
from tests.helpers.dbactor import Actor, Actors, ask, create
from tests.helpers.examples import first_fast
from tests.helpers.wait import until

CORE = Path(__file__).parents[2] / "core"
PATIENCE = 60.0
"""Seconds for an answer, where none is late on purpose: the machine may be busy."""


class RealStage:
    """Databases in a directory, their users in processes."""

    def __init__(self, base: Path) -> None:
        self.locks: Locks = SystemLocks(PATIENCE)
        self.base = base
        self.actors = Actors()
        self._users: dict[int, Actor] = {}

    def path(self, name: str) -> str:
        return str(self.base / name)

    def create(self, path: str, mode: str) -> None:
        create(Path(path), "wal" if mode == "wal" else "delete")

    def recreate(self, path: str, mode: str) -> None:
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(path + suffix).unlink(missing_ok=True)
        self.create(path, mode)

    def connect(self, path: str) -> int:
        actor = self.actors(Path(path))
        assert actor.does("SELECT count(*) FROM rows") != []
        self._users[actor.pid] = actor
        return actor.pid

    def read(self, path: str, pid: int) -> None:
        assert self._users[pid].does("READ") is not None

    def begin(self, path: str, pid: int) -> None:
        assert self._users[pid].does("BEGIN IMMEDIATE") == []

    def write(self, path: str, pid: int) -> None:
        assert self._users[pid].does("INSERT INTO rows(text) VALUES ('y')") == []

    def commit(self, path: str, pid: int) -> None:
        assert self._users[pid].does("COMMIT") == []

    def end(self, pid: int) -> None:
        self._users[pid].end()

    def close(self) -> None:
        self.actors.close()
        self.locks.close()


class SimulatedStage:
    """The same in memory."""

    def __init__(self) -> None:
        self.simulated = SimulatedLocks()
        self.locks: Locks = self.simulated
        self._pid = 4000

    def path(self, name: str) -> str:
        return f"/made/up/{name}"

    def create(self, path: str, mode: str) -> None:
        self.simulated.create(path, "wal" if mode == "wal" else "rollback")

    recreate = create

    def connect(self, path: str) -> int:
        self._pid += 1
        self.simulated.connect(path, self._pid)
        return self._pid

    def read(self, path: str, pid: int) -> None:
        self.simulated.read(path, pid)

    def begin(self, path: str, pid: int) -> None:
        self.simulated.begin(path, pid)

    def write(self, path: str, pid: int) -> None:
        self.simulated.write(path, pid)

    def commit(self, path: str, pid: int) -> None:
        self.simulated.commit(path, pid)

    def end(self, pid: int) -> None:
        self.simulated.end(pid)

    def close(self) -> None:
        self.locks.close()


@pytest.fixture(params=["real", "simulated"])
def stage(request, tmp_path) -> Iterator[RealStage | SimulatedStage]:
    made = RealStage(tmp_path) if request.param == "real" else SimulatedStage()
    yield made
    made.close()


@pytest.fixture(params=["rollback", "wal"])
def mode(request) -> str:
    return request.param


# The contract


def test_a_missing_database_is_said_to_be_missing(stage):
    with pytest.raises(LookError) as caught:
        stage.locks.look(stage.path("none.db"))
    assert caught.value.word == "missing"


def test_idle_connections_lock_nobody_out(stage, mode):
    path = stage.path("a.db")
    stage.create(path, mode)
    assert stage.locks.look(path).locks == ()
    pids = {stage.connect(path) for _ in range(2)}
    reading = stage.locks.look(path)
    assert reading.mode == mode
    assert reading.writer is None
    assert reading.write_locks == ()
    # a WAL connection shows itself, a rollback one does not
    assert {lock.pid for lock in reading.locks} == (pids if mode == "wal" else set())


def test_a_write_transaction_names_its_one_holder(stage, mode):
    path = stage.path("a.db")
    stage.create(path, mode)
    others = [stage.connect(path), stage.connect(path)]
    holder = stage.connect(path)
    stage.begin(path, holder)
    reading = stage.locks.look(path)
    assert reading.writer is not None
    assert reading.writer.pid == holder
    assert reading.write_locks == (("WAL_WRITE",) if mode == "wal" else ("RESERVED",))
    assert set(reading.write_locks) <= set(reading.held_by(holder))
    assert not any(set(reading.write_locks) & set(reading.held_by(pid)) for pid in others)


def test_a_reader_locks_no_writer_out(stage, mode):
    path = stage.path("a.db")
    stage.create(path, mode)
    reader = stage.connect(path)
    stage.read(path, reader)
    reading = stage.locks.look(path)
    assert reading.writer is None
    wanted = "WAL_READ" if mode == "wal" else "SHARED"
    assert any(name.startswith(wanted) for name in reading.held_by(reader))


def test_all_readers_are_listed(stage, mode):
    path = stage.path("a.db")
    stage.create(path, mode)
    readers = {stage.connect(path) for _ in range(3)}
    for reader in readers:
        stage.read(path, reader)
    reading = stage.locks.look(path)
    assert {lock.pid for lock in reading.locks if lock.name == "SHARED"} == readers
    # the kernel names one by F_GETLK, the others only in its list
    assert len([lock for lock in reading.locks if lock.name == "SHARED" and lock.exact]) == 1


def test_only_a_commit_moves_the_marker(stage, mode):
    path = stage.path("a.db")
    stage.create(path, mode)
    writer = stage.connect(path)
    before = stage.locks.look(path)
    stage.begin(path, writer)
    stage.write(path, writer)
    during = stage.locks.look(path)
    assert during.marker == before.marker
    # a journal grows as it is written, a wal at the commit
    assert (during.growth != before.growth) == (mode == "rollback")
    stage.commit(path, writer)
    after = stage.locks.look(path)
    assert after.marker != during.marker
    assert after.growth != during.growth
    assert after.writer is None


def test_nothing_moves_while_a_transaction_idles(stage, mode):
    path = stage.path("a.db")
    stage.create(path, mode)
    holder = stage.connect(path)
    stage.begin(path, holder)
    stage.write(path, holder)
    assert stage.locks.look(path) == stage.locks.look(path)


def test_the_locks_of_an_ended_process_are_gone(stage, mode):
    path = stage.path("a.db")
    stage.create(path, mode)
    holder = stage.connect(path)
    stage.begin(path, holder)
    stage.write(path, holder)
    stage.end(holder)
    reading = stage.locks.look(path)
    assert reading.writer is None
    assert reading.locks == ()
    # what it left behind stays: it belongs to the data
    assert (reading.wal if mode == "wal" else reading.journal) is not None or mode == "wal"


def test_a_recreated_database_is_another_one(stage, mode):
    path = stage.path("a.db")
    stage.create(path, mode)
    holder = stage.connect(path)
    stage.begin(path, holder)
    before = stage.locks.look(path)
    stage.recreate(path, mode)
    after = stage.locks.look(path)
    assert after.inode != before.inode
    assert after.writer is None
    assert after.locks == ()


def test_a_reader_keeps_its_mark(stage):
    path = stage.path("a.db")
    stage.create(path, "wal")
    writer, reader = stage.connect(path), stage.connect(path)
    for _ in range(2):
        stage.begin(path, writer)
        stage.write(path, writer)
        stage.commit(path, writer)
    stage.read(path, reader)
    frames = stage.locks.look(path).frames
    stage.begin(path, writer)
    stage.write(path, writer)
    stage.commit(path, writer)
    reading = stage.locks.look(path)
    slot = next(name for name in reading.held_by(reader) if name.startswith("WAL_READ"))
    assert reading.marks[int(slot[-1])] == frames
    assert reading.frames > frames


def test_those_who_have_it_open_are_found(stage, mode):
    path = stage.path("a.db")
    stage.create(path, mode)
    assert stage.locks.users(path).found == ()
    pid = stage.connect(path)
    assert {user.pid for user in stage.locks.users(path).found if not user.deleted} == {pid}
    stage.end(pid)
    assert stage.locks.users(path).found == ()
    assert stage.locks.users(stage.path("none.db")).found == ()


def test_a_crash_leaves_a_mark_that_its_users_end(stage):
    path = stage.path("a.db")
    stage.create(path, "wal")
    pid = stage.connect(path)
    stage.begin(path, pid)
    stage.write(path, pid)
    stage.commit(path, pid)
    assert stage.locks.look(path).leftover is None
    stage.end(pid)
    mark = stage.locks.look(path).leftover
    assert mark
    assert stage.locks.look(path).leftover == mark
    stage.connect(path)
    assert stage.locks.look(path).leftover is None


def test_nobody_looks_after_close(stage):
    path = stage.path("a.db")
    stage.create(path, "rollback")
    stage.locks.look(path)
    stage.locks.close()
    with pytest.raises(ProbeError):
        stage.locks.look(path)


def test_whereabouts_never_raise(stage):
    gone = ProcessFacts(Identity("b", 4194304, 1), 1, "S", "x", (), 0.0, 0, 0.0, uid=4242424)
    assert stage.locks.whereabouts(gone).user


# The real ones


@pytest.fixture
def locks() -> Iterator[SystemLocks]:
    made = SystemLocks(PATIENCE)
    yield made
    made.close()


@pytest.fixture
def actors() -> Iterator[Actors]:
    made = Actors()
    yield made
    made.close()


def everything(directory: Path) -> dict[str, tuple[object, ...]]:
    """Every file there: bytes and all that stat tells."""
    found = {}
    for entry in sorted(directory.iterdir()):
        status = entry.stat()
        facts = (
            status.st_ino, status.st_size, status.st_mtime_ns, status.st_atime_ns,
            status.st_mode, status.st_nlink, status.st_blocks,
        )  # fmt: skip
        # through another process: closing here would drop this process's own locks
        digest = subprocess.run(["sha256sum", entry], capture_output=True, check=True).stdout
        # and with the access time that it had before that
        os.utime(entry, ns=(status.st_atime_ns, status.st_mtime_ns))
        found[entry.name] = (*facts, digest)
    return found


def clean_database(path: Path, actors: Actors) -> None:
    create(path)


def live_wal(path: Path, actors: Actors) -> None:
    create(path, "wal")
    actor = actors(path)
    actor.does("INSERT INTO rows(text) VALUES ('y')")
    actor.does("BEGIN IMMEDIATE")
    actor.does("INSERT INTO rows(text) VALUES ('z')")


def crashed_wal(path: Path, actors: Actors) -> None:
    create(path, "wal")
    actor = actors(path)
    actor.does("INSERT INTO rows(text) VALUES ('y')")
    actor.end()
    assert Path(f"{path}-wal").stat().st_size > 0


def hot_journal(path: Path, actors: Actors) -> None:
    create(path, rows=3000)
    actor = actors(path)
    actor.does("PRAGMA cache_size=5")
    actor.does("BEGIN")
    actor.does("UPDATE rows SET text = 'spilled pages'")
    actor.end()
    assert Path(f"{path}-journal").stat().st_size > 0


@pytest.mark.slow
@pytest.mark.parametrize("prepare", first_fast(crashed_wal, clean_database, live_wal, hot_journal))
def test_a_thousand_looks_change_nothing(tmp_path, locks, actors, prepare):
    directory = tmp_path / "data"
    directory.mkdir()
    path = directory / "a.db"
    prepare(path, actors)
    before, first = everything(directory), locks.look(str(path))
    for _ in range(1000):
        reading = locks.look(str(path))
    assert everything(directory) == before
    assert reading == first


def test_looks_do_not_drop_the_locks_of_our_own_connection(tmp_path, locks):
    """The danger of close(): in this process it would drop them all."""
    import sqlite3

    path = tmp_path / "a.db"
    create(path, "wal")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as ours:
        ours.execute("BEGIN IMMEDIATE")
        for _ in range(20):
            reading = locks.look(str(path))
        assert reading.writer is not None
        assert reading.writer.pid == os.getpid()
        assert "locked" in str(ask(path, "BEGIN IMMEDIATE"))
        ours.execute("INSERT INTO rows(text) VALUES ('ours')")
        ours.execute("COMMIT")
    assert ask(path, "SELECT count(*) FROM rows") == [[501]]


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"no database, but long enough" * 10, "not-sqlite"),
        (b"SQLite", "not-sqlite"),
    ],
)
def test_what_is_no_database_is_said_in_a_word(tmp_path, locks, content, word):
    path = tmp_path / "a.db"
    path.write_bytes(content)
    with pytest.raises(LookError) as caught:
        locks.look(str(path))
    assert caught.value.word == word


def test_directories_pipes_and_devices_are_not_opened(tmp_path, locks):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(LookError) as caught:
            locks.look(str(path))
        assert caught.value.word == "not-a-file"
    with pytest.raises(LookError) as caught:
        locks.look(str(tmp_path / "pipe" / "below"))
    assert caught.value.word == "missing"
    with pytest.raises(LookError) as caught:
        locks.look(str(tmp_path / ("long" * 200)))
    assert caught.value.word == "unreadable"


LOOK = """
import sys
sys.path.insert(0, sys.argv[1])
from healmon.world.sqlite import LookError, SystemLocks
locks = SystemLocks(60.0)
try:
    reading = locks.look(sys.argv[2])
    print(reading.writer.pid if reading.writer else "free")
except LookError as error:
    print(error.word, error)
locks.close()
"""


@pytest.mark.slow
@pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root needs setpriv to be humble"
)
@pytest.mark.parametrize("suffix", ["", "-shm"])
def test_what_may_not_be_read_is_not_judged(tmp_path, actors, suffix):
    path = tmp_path / "a.db"
    create(path, "wal")
    actor = actors(path)
    actor.does("BEGIN IMMEDIATE")
    Path(f"{path}{suffix}").chmod(0)
    # root reads everything, unless it gives that up
    humbly = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    out = subprocess.run(
        [*(humbly if os.geteuid() == 0 else []), sys.executable, "-c", LOOK, CORE, path],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert out.stdout.startswith("not-permitted Permission denied")
    assert ("-shm" in out.stdout) == bool(suffix)


def test_links_are_followed_to_the_files_beside_the_real_one(tmp_path, locks, actors):
    real = tmp_path / "real"
    real.mkdir()
    create(real / "a.db", "wal")
    link = tmp_path / "link.db"
    link.symlink_to(real / "a.db")
    actor = actors(link)
    actor.does("BEGIN IMMEDIATE")
    reading = locks.look(str(link))
    assert reading.path == str(real / "a.db")
    assert reading.writer is not None
    assert reading.writer.pid == actor.pid


def test_hard_links_are_counted(tmp_path, locks):
    create(tmp_path / "a.db")
    os.link(tmp_path / "a.db", tmp_path / "b.db")
    assert locks.look(str(tmp_path / "a.db")).links == 2


@pytest.mark.parametrize(
    "name", [b"a\nb.db", b"\xff\xfe.db", b'quote".db', "größe\u202e.db".encode()]
)
def test_any_file_name_will_do(tmp_path, locks, name):
    path = os.fsencode(tmp_path) + b"/" + name
    create(tmp_path / "plain.db")
    (tmp_path / "plain.db").rename(os.fsdecode(path))
    reading = locks.look(os.fsdecode(path))
    assert reading.mode == "rollback"
    assert reading.path.isprintable()


def test_spilled_pages_and_exclusive_mode(tmp_path, locks, actors):
    create(tmp_path / "a.db", rows=3000)
    spilled = actors(tmp_path / "a.db")
    for verb in ("PRAGMA cache_size=5", "BEGIN", "UPDATE rows SET text = 'spilled pages'"):
        spilled.does(verb)
    reading = locks.look(str(tmp_path / "a.db"))
    assert reading.write_locks == ("EXCLUSIVE", "PENDING", "RESERVED")
    create(tmp_path / "b.db", "wal")
    alone = actors(tmp_path / "b.db")
    for verb in ("PRAGMA locking_mode=EXCLUSIVE", "BEGIN IMMEDIATE"):
        alone.does(verb)
    reading = locks.look(str(tmp_path / "b.db"))
    assert reading.writer is not None
    assert (reading.writer.name, reading.writer.pid) == ("EXCLUSIVE", alone.pid)


def test_a_pool_that_forked_names_one_pid(tmp_path, locks, actors):
    create(tmp_path / "a.db")
    actor = actors(tmp_path / "a.db")
    actor.does("BEGIN IMMEDIATE")
    children = actor.does("FORK 3")
    assert isinstance(children, list)
    reading = locks.look(str(tmp_path / "a.db"))
    assert {lock.pid for lock in reading.locks} == {actor.pid}


def test_a_true_zombie_holds_nothing(tmp_path, locks, actors):
    create(tmp_path / "a.db")
    actor = actors(tmp_path / "a.db")
    actor.does("BEGIN IMMEDIATE")
    os.kill(actor.pid, signal.SIGKILL)
    until(lambda: actor.state() == "Z", what="the zombie")
    assert locks.look(str(tmp_path / "a.db")).locks == ()


HEADLESS = """
import ctypes, json, sqlite3, sys, threading, time
def hold():
    connection = sqlite3.connect(sys.argv[1], isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    print(json.dumps("ready"), flush=True)
    time.sleep(600)
threading.Thread(target=hold).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_zombie_leader_whose_thread_lives_is_named(tmp_path, locks, actors):
    create(tmp_path / "a.db")
    actor = actors(tmp_path / "a.db", HEADLESS)
    until(lambda: actor.state() == "Z", what="the end of its first thread")
    reading = locks.look(str(tmp_path / "a.db"))
    assert reading.writer is not None
    assert reading.writer.pid == actor.pid


OFD = """
import fcntl, json, os, struct, sys
fd = os.open(sys.argv[1], os.O_RDWR)
lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0x40000001, 1, 0)
fcntl.fcntl(fd, fcntl.F_OFD_SETLK, lock)
print(json.dumps("ready"), flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(fcntl, "F_OFD_SETLK"), reason="this Python knows no OFD locks")
def test_an_open_file_description_has_no_pid(tmp_path, locks, actors):
    create(tmp_path / "a.db")
    actors(tmp_path / "a.db", OFD)
    reading = locks.look(str(tmp_path / "a.db"))
    assert reading.writer is not None
    assert reading.writer.pid == -1


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes pid namespaces everywhere")
def test_a_holder_outside_our_pid_namespace_has_pid_0(tmp_path, actors):
    create(tmp_path / "a.db")
    actor = actors(tmp_path / "a.db")
    actor.does("BEGIN IMMEDIATE")
    out = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", LOOK, CORE,
         tmp_path / "a.db"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if out.returncode:
        pytest.skip(f"no pid namespace here: {out.stderr.strip()[:100]}")
    assert out.stdout == "0\n"


# The standing child


def test_one_child_answers_all_questions(tmp_path, locks):
    create(tmp_path / "a.db")
    locks.look(str(tmp_path / "a.db"))
    first = locks._line.pid
    locks.look(str(tmp_path / "a.db"))
    assert locks._line.pid == first
    with pytest.raises(LookError):
        locks.look(str(tmp_path / "none"))
    assert locks._line.pid == first
    # it needs no SQLite
    assert "sqlite" not in Path(f"/proc/{first}/maps").read_text()


def test_a_killed_child_is_replaced_within_the_same_look(tmp_path, locks):
    create(tmp_path / "a.db")
    first = locks.look(str(tmp_path / "a.db"))
    pid = locks._line.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: not is_running(pid), what="its end")
    assert locks.look(str(tmp_path / "a.db")) == first
    assert locks._line.pid != pid


def test_a_child_that_hangs_is_given_up_in_time_and_replaced(tmp_path):
    create(tmp_path / "a.db")
    locks = SystemLocks(PATIENCE)
    try:
        first = locks.look(str(tmp_path / "a.db"))
        pid = locks._line.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        locks._line._deadline = 0.5
        with pytest.raises(LookError) as caught:
            locks.look(str(tmp_path / "a.db"))
        assert time.monotonic() - began < PATIENCE
        locks._line._deadline = PATIENCE
        assert caught.value.word == "hangs"
        assert not is_running(pid)
        assert locks.look(str(tmp_path / "a.db")) == first
    finally:
        locks.close()


@pytest.mark.slow
def test_the_default_deadline_is_two_seconds(tmp_path, locks):
    create(tmp_path / "a.db")
    locks.look(str(tmp_path / "a.db"))
    locks._line._deadline = LockLine()._deadline
    assert locks._line.pid is not None
    os.kill(locks._line.pid, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(LookError, match="no answer within 2 s"):
        locks.look(str(tmp_path / "a.db"))
    assert time.monotonic() - began > 1.9


def test_close_leaves_no_child(tmp_path):
    create(tmp_path / "a.db")
    locks = SystemLocks(PATIENCE)
    locks.look(str(tmp_path / "a.db"))
    pid = locks._line.pid
    assert pid is not None
    locks.close()
    assert not is_running(pid)
    locks.close()


KILLED = """
import sys, time
sys.path.insert(0, sys.argv[1])
from healmon.world.sqlite import SystemLocks
locks = SystemLocks(60.0)
locks.look(sys.argv[2])
print(locks._line.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.slow
def test_a_killed_healmon_leaves_no_child_behind(tmp_path):
    create(tmp_path / "a.db")
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(CORE), str(tmp_path / "a.db")], stdout=subprocess.PIPE
    ) as healmon:
        try:
            assert healmon.stdout is not None
            child = int(healmon.stdout.readline())
            assert is_running(child)
        finally:
            healmon.kill()
    until(lambda: not is_running(child), what="the end of the lock child")


def test_many_threads_get_their_own_answers(tmp_path, locks):
    paths = [tmp_path / f"{n}.db" for n in range(4)]
    for path in paths:
        create(path, rows=1)
    readings: dict[Path, set[str]] = {path: set() for path in paths}

    def look(path: Path) -> None:
        for _ in range(50):
            readings[path].add(locks.look(str(path)).path)

    threads = [threading.Thread(target=look, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert readings == {path: {str(path)} for path in paths}


def is_running(pid: int) -> bool:
    """Neither gone nor a zombie that nobody has reaped yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


# The kernel's list

LISTED = """\
1: POSIX  ADVISORY  WRITE 708 fe:00:2147 1073741825 1073741825
2: POSIX  ADVISORY  READ 709 fe:00:214 1073741826 1073742335
2: -> POSIX  ADVISORY  WRITE 710 fe:00:214 1073741826 1073742335
3: OFDLCK ADVISORY  WRITE -1 fe:00:214 0 EOF
4: FLOCK  ADVISORY  WRITE 711 fe:00:214 0 EOF
2: POSIX  ADVISORY  READ 709 fe:00:214 1073741826 1073742335
5: POSIX  ADVISORY  READ 712 fe:00:214 10737
6: POSIX  ADVISORY  READ 71x fe:00:214 1 2
"""


def test_the_list_is_matched_by_the_whole_token_and_deduplicated():
    rows = proclocks.parse(LISTED, os.makedev(0xFE, 0), 214)
    assert sorted(rows) == [
        proclocks.LockRow(-1, True, 0, (1 << 63) - 1),
        proclocks.LockRow(709, False, 0x40000002, 0x400001FF),
    ]
    assert [row.pid for row in proclocks.parse(LISTED, os.makedev(0xFE, 0), 2147)] == [708]
    assert not proclocks.parse(LISTED, os.makedev(0xFE, 1), 214)


@given(st.text(max_size=300))
def test_no_list_can_upset_the_reader(text):
    assert proclocks.parse(text, os.makedev(0xFE, 0), 214) == frozenset()


def test_nobody_is_concluded_from_the_list_alone():
    """A row that only the list has does not make a writer."""
    from healmon.world.dbreading import FileSeen, Lock

    listed = Lock(4711, "RESERVED", exclusive=True, exact=False)
    reading = DatabaseReading(
        path="/a", mode="rollback", device=1, inode=1, links=1, page_size=4096,
        db=FileSeen(1, 1), locks=(listed,),
    )  # fmt: skip
    assert reading.writer is None
    assert reading.write_locks == ()


@pytest.mark.parametrize(
    ("device", "name"),
    [(0, ""), (136 << 8 | 3, "pts/3"), (137 << 8 | 1, "pts/257"), (4 << 8 | 1, "tty1")],
)
def test_terminals_are_called_what_people_call_them(device, name):
    assert terminal_name(device) == name


def test_struct_flock_is_what_the_child_thinks():
    assert struct.calcsize("hhqqi4x") == 32


# Who has it open, and with which SQLite


def test_deleted_files_and_each_member_of_the_family_are_told_apart(tmp_path, locks, actors):
    path = tmp_path / "a.db"
    create(path, "wal")
    actor = actors(path)
    actor.does("INSERT INTO rows(text) VALUES ('x')")
    found = locks.users(str(path)).found
    assert {(user.pid, user.file) for user in found} == {
        (actor.pid, end) for end in ("", "-wal", "-shm")
    }
    assert not any(user.deleted for user in found)
    Path(f"{path}-wal").unlink()
    found = locks.users(str(path)).found
    assert [user.file for user in found if user.deleted] == ["-wal"]


def test_a_link_and_the_real_name_are_one(tmp_path, locks, actors):
    create(tmp_path / "a.db")
    (tmp_path / "link.db").symlink_to(tmp_path / "a.db")
    actor = actors(tmp_path / "a.db")
    actor.does("SELECT count(*) FROM rows")
    assert [user.pid for user in locks.users(str(tmp_path / "link.db")).found] == [actor.pid]


def test_a_file_of_the_same_name_elsewhere_is_another(tmp_path, locks, actors):
    (tmp_path / "x").mkdir()
    create(tmp_path / "a.db")
    create(tmp_path / "x" / "a.db")
    actors(tmp_path / "x" / "a.db").does("SELECT count(*) FROM rows")
    assert locks.users(str(tmp_path / "a.db")).found == ()


def test_the_library_of_a_process_is_known_by_its_file(tmp_path, actors):
    import sqlite3

    from healmon.world.sqliteversion import version_in

    create(tmp_path / "a.db")
    actor = actors(tmp_path / "a.db")
    assert version_in(actor.pid) in {sqlite3.sqlite_version, ""}
    assert version_in(1 << 22) == ""


@pytest.mark.parametrize(
    ("version", "bad"),
    [
        ("3.6.23", False), ("3.7.0", True), ("3.40.1", True), ("3.44.5", True), ("3.44.6", False),
        ("3.45.0", True), ("3.50.6", True), ("3.50.7", False), ("3.51.2", True), ("3.51.3", False),
        ("3.52.0", False), ("3.53.0", False), ("", False), ("unknown", False),
    ],
)  # fmt: skip
def test_which_versions_can_lose_commits_at_a_checkpoint(version, bad):
    from healmon.world.sqliteversion import wal_reset_bug

    assert wal_reset_bug(version) == bad


def test_waiters_in_the_list_are_no_holders():
    text = (
        "1: POSIX  ADVISORY  WRITE 7 08:01:99 1 1\n"
        "1: -> POSIX  ADVISORY  WRITE 8 08:01:99 1 1\n"
        "2: -> POSIX  ADVISORY  WRITE 9 08:01:999 1 1\n"
    )
    device = os.makedev(8, 1)
    assert {row.pid for row in proclocks.parse(text, device, 99)} == {7}
    assert proclocks.waiters(text, device, 99) == {8}
