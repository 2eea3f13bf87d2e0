"""One contract for the real and the simulated mender, then the sweep of its deaths."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healmon.world.dbpairing import TOGETHER, misfit
from healmon.world.healchild import inspect
from healmon.world.lockchild import is_hot
from healmon.world.mending import _ROOT, _RUN, Mender, SystemMender
from healmon.world.simulated.mending import SimulatedMender
from healmon.world.simulated.sqlite import SimulatedLocks
from healmon.world.sqlite import Locks, SystemLocks
from healmon.world.walframes import _checksum, walk
from tests.helpers.dbactor import Actors, ask, create
from tests.helpers.dbcrash import CRASHES, crashed_wal, damage, hot_journal, overtaken
from tests.helpers.examples import examples
from tests.helpers.wait import until

pytestmark = pytest.mark.usefixtures("preloaded")
STAMP = "20200101T000000Z"


class RealStage:
    def __init__(self, base: Path) -> None:
        self.path = str(base / "a.db")
        self.locks: Locks = SystemLocks(60.0)
        self.mender: Mender = SystemMender(base / "kept")
        self.actors = Actors()

    def crash(self, mode: str) -> None:
        (crashed_wal if mode == "wal" else hot_journal)(Path(self.path), 1000)

    def come(self) -> None:
        self.actors(Path(self.path)).does("SELECT count(*) FROM rows")

    def lock_by_directory(self) -> int:
        create(Path(self.path))
        Path(f"{self.path}.lock").mkdir()
        return Path(f"{self.path}.lock").stat().st_mtime_ns

    def close(self) -> None:
        self.actors.close()
        self.locks.close()


class SimulatedStage:
    def __init__(self) -> None:
        self.path = "/made/up/a.db"
        self.simulated = SimulatedLocks(lambda pid: pid != 7)
        self.locks: Locks = self.simulated
        self.mender: Mender = SimulatedMender(self.simulated)

    def crash(self, mode: str) -> None:
        self.simulated.create(self.path, "wal" if mode == "wal" else "rollback")
        self.simulated.begin(self.path, 6)
        self.simulated.write(self.path, 6)
        if mode == "wal":
            self.simulated.commit(self.path, 6)
        self.simulated.end(6)

    def come(self) -> None:
        self.simulated.connect(self.path, 8)

    def lock_by_directory(self) -> int:
        self.simulated.create(self.path)
        self.simulated.lock_by_directory(self.path, 5)
        return 5

    def close(self) -> None:
        self.locks.close()


@pytest.fixture(params=["real", "simulated"])
def stage(request, tmp_path) -> Iterator[RealStage | SimulatedStage]:
    made = RealStage(tmp_path) if request.param == "real" else SimulatedStage()
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["rollback", "wal"])
def test_leftovers_are_taken_over_once(stage, mode):
    stage.crash(mode)
    mark = stage.locks.look(stage.path).leftover
    assert mark
    mended = stage.mender.heal("a", stage.path, mark, STAMP)
    assert (mended.word, mended.check) == ("healed", ("ok",))
    assert mended.hot == (mode == "rollback")
    assert bool(mended.frames) == (mode == "wal")
    assert mended.kept.endswith(f"/a/{STAMP}")
    assert stage.locks.look(stage.path).leftover is None
    assert stage.mender.heal("a", stage.path, mark, STAMP).word == "live"


def test_nothing_is_done_when_anything_has_changed(stage):
    stage.crash("wal")
    mark = stage.locks.look(stage.path).leftover
    mended = stage.mender.heal("a", stage.path, (*mark[:-1], 1), STAMP)
    assert (mended.word, mended.kept) == ("live", "")
    assert stage.locks.look(stage.path).leftover == mark


@pytest.mark.slow
def test_nothing_is_done_when_somebody_has_come(stage):
    stage.crash("wal")
    mark = stage.locks.look(stage.path).leftover
    stage.come()
    assert stage.mender.heal("a", stage.path, mark, STAMP).word == "live"


def test_a_lock_directory_goes_only_if_it_is_that_one(stage):
    mtime = stage.lock_by_directory()
    assert not stage.mender.remove_dotfile(stage.path, mtime - 1)
    assert stage.locks.look(stage.path).dotfile is not None
    assert stage.mender.remove_dotfile(stage.path, mtime)
    assert stage.locks.look(stage.path).dotfile is None
    assert not stage.mender.remove_dotfile(stage.path, mtime)


def test_nothing_is_healed_beside_a_lock_directory(tmp_path):
    """Its owner's journal is hot, and no lock of the kernel's shows that he lives."""
    path = tmp_path / "a.db"
    hot_journal(path)
    (tmp_path / "a.db.lock").mkdir()
    mended = SystemMender(tmp_path / "kept").heal("a", str(path), (), STAMP)
    assert mended.word == "live"
    assert "unix-dotfile" in mended.text
    assert Path(f"{path}-journal").stat().st_size


@pytest.mark.slow
def test_any_file_name_will_do(tmp_path):
    for number, name in enumerate((b"a\nb.db", b"\xff\xfe?#%41.db")):
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
        crashed_wal(tmp_path / "plain.db", 20)
        for end in ("", "-wal", "-shm"):
            (tmp_path / f"plain.db{end}").rename(f"{path}{end}")
        mended = SystemMender(tmp_path / "kept").heal(f"n{number}", str(path), (), STAMP)
        assert mended.word == "healed"
        assert ask(path, "SELECT count(*) FROM rows") == [[20]]


# Dying at every step

CHANGING = (
    "openat,mkdir,mkdirat,write,pwrite64,fsync,fdatasync,ftruncate,unlink,unlinkat,rename,"
    "renameat2,rmdir,fallocate,copy_file_range"
)
STRACE = pytest.mark.skipif(not shutil.which("strace"), reason="needs strace to kill at a step")


def order_for(path: Path, folder: Path) -> bytes:
    words = {"path": str(path), "folder": str(folder), "print": []}
    return json.dumps(words).encode() + b"\n"


def child(path: Path, folder: Path, *inject: str) -> subprocess.CompletedProcess[bytes]:
    """Heal in a child under strace; calls count only on the database's files and the copies."""
    names = [f"{path}{end}" for end in ("", "-wal", "-journal", "-shm")]
    names += [str(folder), str(folder.parent)]
    names += [f"{folder}/{path.name}{end}" for end in ("", "-wal", "-journal", "-shm")]
    watched = [word for name in names for word in ("-P", name)]
    return subprocess.run(
        ["strace", "-f", "-o", "/dev/stderr", *watched, "-e", f"trace={CHANGING}", *inject,
         sys.executable, "-I", "-S", "-c", _RUN, _ROOT],
        input=order_for(path, folder), capture_output=True, timeout=60,
    )  # fmt: skip


def changing_calls(trace: bytes) -> list[str]:
    """The calls that change a file: each as name and the how-manieth of that name."""
    seen: dict[str, int] = {}
    found: list[str] = []
    for line in trace.decode("utf-8", "replace").splitlines():
        match = re.match(r"(?:\[pid +\d+\] |\d+ +)?(\w+)\((.*)", line)
        if not match:
            continue
        name, rest = match.groups()
        seen[name] = seen.get(name, 0) + 1
        if name == "openat" and not re.search(r"O_(CREAT|TRUNC)", rest):
            continue
        found.append(f"{name}:{seen[name]}")
    return found


@STRACE
@pytest.mark.slow
@pytest.mark.parametrize("kind", CRASHES)
def test_a_healer_that_dies_at_any_step_loses_no_row(tmp_path, kind):
    """SIGKILL at each call that changes a file; the second healing finds every row."""
    pattern = tmp_path / "pattern"
    pattern.mkdir()
    rows = CRASHES[kind](pattern / "a.db")

    def stage(number: int) -> tuple[Path, Path]:
        here = tmp_path / f"n{number}"
        shutil.copytree(pattern, here)
        (here / "kept").mkdir()
        return here / "a.db", here / "kept" / STAMP

    path, folder = stage(0)
    whole = child(path, folder)
    assert json.loads(whole.stdout)["word"] == "healed"
    calls = changing_calls(whole.stderr)
    assert len(calls) >= 10, calls
    for number, call in enumerate(calls, 1):
        path, folder = stage(number)
        name, when = call.split(":")
        dead = child(path, folder, "-e", f"inject={name}:signal=SIGKILL:when={when}")
        assert dead.returncode == -9, (call, dead.stdout)
        again = SystemMender(path.parent / "kept2").heal("a", str(path), (), STAMP)
        assert again.word == "healed", (call, again)
        assert ask(path, "SELECT count(*) FROM rows WHERE text = 'x'") == [[rows]], call
        assert ask(path, "PRAGMA integrity_check") == [["ok"]], call
        shutil.rmtree(path.parent)


@STRACE
@pytest.mark.slow
@pytest.mark.parametrize("fault", ["EIO", "ENOSPC"])
def test_a_healer_whose_calls_fail_at_any_step_loses_no_row(tmp_path, fault):
    pattern = tmp_path / "pattern"
    pattern.mkdir()
    rows = crashed_wal(pattern / "a.db", 30)

    def stage(number: int) -> tuple[Path, Path]:
        here = tmp_path / f"n{number}"
        shutil.copytree(pattern, here)
        (here / "kept").mkdir()
        return here / "a.db", here / "kept" / STAMP

    path, folder = stage(0)
    for number, call in enumerate(changing_calls(child(path, folder).stderr), 1):
        path, folder = stage(number)
        name, when = call.split(":")
        sick = child(path, folder, "-e", f"inject={name}:error={fault}:when={when}")
        answer = json.loads(sick.stdout)
        assert answer["word"] in {"healed", "failed", "full"}, (call, answer)
        again = SystemMender(path.parent / "kept2").heal("a", str(path), (), STAMP)
        assert again.word == "healed", (call, again)
        assert ask(path, "SELECT count(*) FROM rows") == [[rows]], call
        assert ask(path, "PRAGMA integrity_check") == [["ok"]], call
        shutil.rmtree(path.parent)


# Frames


@given(st.binary(max_size=300), st.integers(0, 300))
def test_no_file_can_upset_the_walk(data, size):
    found = walk(lambda length, offset: data[offset : offset + length], size)
    assert found.valid >= found.kept >= 0


@pytest.fixture(scope="module")
def frames(tmp_path_factory) -> tuple[bytes, int]:
    path = tmp_path_factory.mktemp("wal") / "a.db"
    crashed_wal(path, 40)
    return Path(f"{path}-wal").read_bytes(), 4096 + 24


def test_a_whole_wal_is_whole_and_a_cut_one_loses_nothing_more(frames):
    data, step = frames

    def found(raw: bytes) -> tuple[int, int, bool]:
        what = walk(lambda length, offset: raw[offset : offset + length], len(raw))
        return what.kept, what.lost, what.header

    count = (len(data) - 32) // step
    assert found(data) == (count, 0, True)
    # torn in its last frame, as by a crash: that one was never committed
    assert found(data[:-10]) == (count - 1, 0, True)
    assert found(b"") == (0, 0, True)


@settings(max_examples=examples(30))
@given(st.data())
def test_any_flipped_bit_before_a_commit_is_found(frames, data):
    raw, step = frames
    count = (len(raw) - 32) // step
    # not in the last frame: that cannot be told from a crash before the commit
    place = data.draw(st.integers(0, 32 + step * (count - 1) - 1))
    bit = 1 << data.draw(st.integers(0, 7))
    # salts of a frame make it one of an older generation, which is normal beside others
    inside = (place - 32) % step
    if place >= 32 and 8 <= inside < 16:
        return
    broken = bytearray(raw)
    broken[place] ^= bit
    what = walk(lambda length, offset: bytes(broken[offset : offset + length]), len(broken))
    assert what.lost or (place < 32 and 4 <= place < 8)


def test_a_flipped_bit_is_told_with_its_frame(tmp_path):
    path = tmp_path / "a.db"
    crashed_wal(path, 40)
    damage(Path(f"{path}-wal"), 32 + 4120 * 9 + 1000)
    mended = SystemMender(tmp_path / "kept").heal("a", str(path), (), STAMP)
    assert mended.word == "damaged"
    assert "frame 10" in mended.text


def test_a_commit_that_nobody_was_told_of_is_no_damage(tmp_path):
    path = tmp_path / "a.db"
    promised = overtaken(path)
    raw = Path(f"{path}-wal").read_bytes()
    assert walk(lambda length, offset: raw[offset : offset + length], len(raw)).lost == 1
    mended = SystemMender(tmp_path / "kept").heal("a", str(path), (), STAMP)
    assert mended.word == "healed"
    assert ask(path, "SELECT count(*) FROM rows WHERE text = 'promised'") == [[promised]]


@pytest.mark.parametrize("how", ["older boot", "made anew", "torn", "absent", "told of it"])
def test_without_an_index_that_proves_it_a_commit_behind_a_bad_frame_is_damage(tmp_path, how):
    path, index = tmp_path / "a.db", tmp_path / "a.db-shm"
    overtaken(path)
    head = bytearray(index.read_bytes()[:48])
    if how == "older boot":
        os.utime(f"{path}-wal", (1.0, 1.0))
    elif how == "absent":
        index.unlink()
    else:
        head[{"made anew": 8, "torn": 20, "told of it": 16}[how]] = 0 if how == "made anew" else 99
        if how != "torn":
            head[40:48] = struct.pack("=II", *_checksum(bytes(head[:40]), (0, 0), "="))
        with index.open("r+b") as file:
            file.write(head * 2)
    mended = SystemMender(tmp_path / "kept").heal("a", str(path), (), STAMP)
    assert mended.word == "damaged"


OTHER = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as c:
    c.execute("PRAGMA journal_mode=%s")
    for n in range(9):
        c.execute(f"CREATE TABLE t{n}(x)")
        c.commit()
    c.executemany("INSERT INTO t0 VALUES (?)", [("y" * 99,)] * 20_000)
"""


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["wal", "journal"])
@pytest.mark.parametrize("how", ["written over", "moved there", "older, moved there"])
def test_what_was_written_for_another_database_is_never_taken_over(tmp_path, mode, how):
    """A backup that is put in the place of a database finds the -wal of the other beside it."""
    path, backup = tmp_path / "a.db", tmp_path / "b.db"
    (crashed_wal if mode == "wal" else hot_journal)(path, 1000)
    left = Path(f"{path}-{mode}").stat().st_ctime_ns
    mark = "wal" if mode == "wal" else "delete"
    subprocess.run([sys.executable, "-I", "-S", "-c", OTHER % mark, str(backup)], check=True)
    if how == "written over":
        path.write_bytes(backup.read_bytes())
    else:
        if how != "moved there":
            os.utime(backup, (1.6e9, 1.6e9))
        until(lambda: time.time_ns() > left + 2 * TOGETHER)  # nobody can set when it was moved
        backup.rename(path)
    if mode == "wal" and how == "written over":
        os.utime(f"{path}-wal", (1.6e9, 1.6e9))
    before = path.read_bytes(), Path(f"{path}-{mode}").read_bytes()
    mended = SystemMender(tmp_path / "kept").heal("a", str(path), (), STAMP)
    assert mended.word == "mispaired", mended
    assert "was not written for it" in mended.text
    assert (path.read_bytes(), Path(f"{path}-{mode}").read_bytes()) == before
    assert Path(mended.kept, f"a.db-{mode}").read_bytes() == before[1]


STORY = """
import os, random, sqlite3, sys
path, mode, seed = sys.argv[1:]
r = random.Random(seed)


def user():
    c = sqlite3.connect(path, isolation_level=None, timeout=0.01)
    for pragma in ("synchronous=OFF", f"cache_size={r.choice([5, 200])}", f"journal_mode={mode}",
                   f"wal_autocheckpoint={r.choice([0, 5, 1000])}"):
        c.execute(f"PRAGMA {pragma}")
    return c


users = [user() for _ in range(3)]
users[0].execute("CREATE TABLE t(id INTEGER PRIMARY KEY, x)")
deeds = [
    lambda c: c.execute("INSERT INTO t(x) VALUES (?)", ("y" * r.randrange(3000),)),
    lambda c: c.execute("UPDATE t SET x = ? WHERE id % 3 = 0", ("z" * r.randrange(500),)),
    lambda c: c.execute("DELETE FROM t WHERE id % ? = 0", (r.randrange(2, 9),)),
    lambda c: c.execute(f"CREATE TABLE IF NOT EXISTS u{r.randrange(50)}(a)"),
    lambda c: c.execute("VACUUM"),
    lambda c: c.execute(f"PRAGMA wal_checkpoint({r.choice(['PASSIVE', 'FULL', 'RESTART'])})"),
    lambda c: c.execute(r.choice(["BEGIN", "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"])),
    lambda c: c.execute("INSERT INTO t(x) VALUES (randomblob(90000))"),
]
for _ in range(r.randrange(20, 200)):
    try:
        r.choice(deeds)(r.choice(users)).fetchall()
    except sqlite3.OperationalError:
        pass
os.kill(os.getpid(), 9)
"""


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["wal", "delete", "persist"])
def test_what_a_crash_left_is_known_as_the_databases_own_whatever_it_did(tmp_path, mode):
    left = 0
    for seed in range(6):
        path = os.fsencode(tmp_path / f"{seed}.db")
        argv = [sys.executable, "-I", "-S", "-c", STORY, os.fsdecode(path), mode, str(seed)]
        assert subprocess.run(argv, timeout=60).returncode == -9
        frames, hot = inspect(path), is_hot(path + b"-journal")
        left += bool(frames.kept) or hot
        assert misfit(path, frames, hot=hot) == "", seed
    assert left >= 2
