"""One contract for the real and the simulated mender, then the sweep of its deaths."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healmon.world.mending import _ROOT, _RUN, Mender, SystemMender
from healmon.world.simulated.mending import SimulatedMender
from healmon.world.simulated.sqlite import SimulatedLocks
from healmon.world.sqlite import Locks, SystemLocks
from healmon.world.walframes import walk
from tests.helpers.dbactor import Actors, ask, create
from tests.helpers.dbcrash import CRASHES, crashed_wal, damage, hot_journal
from tests.helpers.examples import examples

STAMP = "20200101T000000Z"


class RealStage:
    def __init__(self, base: Path) -> None:
        self.path = str(base / "a.db")
        self.locks: Locks = SystemLocks()
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
