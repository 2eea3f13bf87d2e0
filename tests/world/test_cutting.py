"""Logs that others hold open are made shorter, and no line of them is lost."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from healmon.world import cutting, filecontent, fileholders, fileranges
from healmon.world.filedata import Choice, Limits, Swept
from healmon.world.fileholders import Holders
from tests.helpers.filestage import SIZE, MadeUpStage, RealStage
from tests.helpers.wait import until

FAR = Limits(1_000_000, 600.0)
REPO = Path(__file__).parents[2]
LINE = re.compile(rb"^line (\d+) x*$")
WRITER = """
import os, select, sys, time
out = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
number = 0
while not select.select([0], [], [], 0)[0]:
    part = b"".join(b"line %d %s\\n" % (n, b"x" * (n % 97)) for n in range(number, number + 50))
    os.write(out, part)
    number += 50
    time.sleep(0.002)
print(number, flush=True)
"""


@pytest.fixture(params=["here", "tmpfs"])
def real(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RealStage]:
    """A file system that can take ranges out, mostly, and one that can only punch holes."""
    place = tmp_path
    if request.param == "tmpfs":
        if not os.access("/dev/shm", os.W_OK):
            pytest.skip("no tmpfs at /dev/shm")
        place = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="healmon-test-"))
    made = RealStage(place)
    yield made
    made.close()
    if place != tmp_path:
        shutil.rmtree(place)


@pytest.fixture(autouse=True)
def really_seen(monkeypatch: pytest.MonkeyPatch) -> Callable[[tuple[int, int]], Holders]:
    """Who may not be read here holds none of the files of these tests; returns the real look."""
    look = fileholders.holders
    monkeypatch.setattr(fileholders, "holders", lambda key: look(key)._replace(all_seen=True))
    return look


@pytest.fixture
def here(tmp_path: Path) -> Iterator[RealStage]:
    made = RealStage(tmp_path)
    yield made
    made.close()


def cut(stage: RealStage | MadeUpStage, **keys: object) -> Swept:
    selection = stage.selection(**{"live": True, "compress": True, "larger_than": 4096, **keys})
    return stage.files.sweep(selection, Choice(), "truncate", stage.now, FAR, lambda: False)


def lines(count: int, start: int = 0) -> bytes:
    return b"".join(b"line %d %s\n" % (n, b"x" * (n % 97)) for n in range(start, start + count))


def log(stage: RealStage, name: str = "a.log", count: int = 4000) -> Path:
    path = Path(stage.root, name)
    path.write_bytes(lines(count))
    return path


def copies(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.*.gz"))


def numbers(data: bytes) -> list[int]:
    return [int(found[1]) for line in data.split(b"\n") if (found := LINE.fullmatch(line))]


def story(path: Path) -> tuple[list[list[int]], list[int]]:
    """Return the numbers of the lines in each copy, and in the log."""
    return [numbers(gzip.decompress(p.read_bytes())) for p in copies(path)], numbers(
        path.read_bytes().lstrip(b"\0")
    )


# the contract


@pytest.mark.parametrize("kind", ["real", "simulated"])
@pytest.mark.slow
def test_a_log_in_use_gets_shorter_and_its_older_copies_go(kind, tmp_path):
    stage = RealStage(tmp_path) if kind == "real" else MadeUpStage()
    try:
        stage.write("a.log", 0)
        if isinstance(stage, RealStage):
            log(stage, count=2000)
        stage.hold("a.log", "append")
        for n in range(3):
            stage.now += 60
            swept = cut(stage, copies=2)
            assert (swept.taken.files, swept.kept) == (1, {}), n
            assert 0 < swept.taken.held < 2 * SIZE
            if isinstance(stage, RealStage):
                with Path(stage.root, "a.log").open("ab") as file:
                    file.write(lines(2000))
            else:
                stage.write("a.log", 0)
                stage.hold("a.log", "append")
        assert len(stage.names()) == 3
        assert all(re.fullmatch(r"a\.log(\.\d{8}-\d{6}\.gz)?", name) for name in stage.names())
    finally:
        stage.close()


@pytest.mark.parametrize("kind", ["real", "simulated"])
def test_what_was_taken_out_just_now_is_no_old_copy_after_the_clock_was_ahead(kind, tmp_path):
    """Copies made while the clock was a year ahead bear later names than all that follow."""
    stage = RealStage(tmp_path) if kind == "real" else MadeUpStage()
    try:
        ahead, made = 365 * 86_400.0, set[str]()
        for step in (ahead, 60, 60 - ahead, 60, 60):
            stage.now += step
            stage.write("a.log", 0)
            if isinstance(stage, RealStage):
                log(stage, count=2000)
            before = stage.names()
            assert cut(stage, copies=2).taken.files == 1
            (new,) = stage.names() - before
            made |= {new}
            assert len(stage.names()) == 1 + min(2, len(made))
        assert stage.names() - {"a.log"} == set(sorted(made)[1:3]), "the two of the right clock"
    finally:
        stage.close()


# only the real ones


@pytest.mark.slow
def test_nothing_is_lost_while_it_is_written(real):
    path, cuts = Path(real.root, "a.log"), []

    def cut_twice() -> bool:
        real.now += 60
        swept = cut(real)
        assert set(swept.kept) <= {"small", "does not shrink"}, swept.kept
        cuts.extend([swept.taken] * swept.taken.files)
        return len(cuts) == 2

    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        until(lambda: path.exists() and path.stat().st_size > 50_000)
        until(cut_twice, what="two cuts")
        writer.stdin.close()
        count = int(writer.stdout.read())
    parts, live = story(path)
    told = [*parts, live]
    for part in told:
        assert part == list(range(part[0], part[0] + len(part))), "whole lines, none missing"
    for before, after in pairwise(told):
        assert after[0] <= before[-1] + 1, "each goes on where the one before it ended"
    assert (told[0][0], live[-1]) == (0, count - 1)
    assert path.stat().st_blocks < sum(len(gzip.decompress(p.read_bytes())) for p in copies(path))


def test_the_copy_is_what_was_taken_out_and_ends_with_a_line(here):
    path = log(here)
    before = path.read_bytes()
    here.hold("a.log", "append")
    assert cut(here).taken.files == 1
    (copy,) = copies(path)
    told, live = gzip.decompress(copy.read_bytes()), path.read_bytes()
    assert told.endswith(b"\n")
    assert before.startswith(told)
    if len(live) == len(before):
        pytest.skip("this file system cannot take ranges out")
    assert 0 < len(live) <= os.statvfs(here.root).f_bsize
    assert before.endswith(live)
    assert len(told) + len(live) >= len(before)
    assert (copy.stat().st_mode, copy.stat().st_uid) == (path.stat().st_mode, path.stat().st_uid)


def test_a_log_that_nobody_holds_is_copied_and_emptied(real):
    path = log(real)
    before = path.read_bytes()
    assert cut(real).taken.files == 1
    assert path.read_bytes() == b""
    (copy,) = copies(path)
    assert gzip.decompress(copy.read_bytes()) == before


HOLD = """
import mmap, os, sys
how, path = sys.argv[1:]
flags = {"write": os.O_WRONLY, "both": os.O_RDWR, "read": os.O_RDONLY, "mapped": os.O_RDONLY}[how]
fd = os.open(path, flags)
if how == "mapped":
    held = mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
    os.close(fd)
print("up", flush=True)
sys.stdin.read()
"""


def test_where_not_everybody_can_be_seen_only_blocks_are_freed(here, monkeypatch):
    look = fileholders.holders
    monkeypatch.setattr(fileholders, "holders", lambda key: look(key)._replace(all_seen=False))
    path = log(here)
    before = path.read_bytes()
    here.hold("a.log", "append")
    assert cut(here).taken.files == 1
    (copy,) = copies(path)
    told = gzip.decompress(copy.read_bytes())
    assert path.stat().st_size == len(before)
    assert path.stat().st_blocks * 512 <= 2 * os.statvfs(here.root).f_bsize
    assert told + path.read_bytes()[len(told) :] == before


@pytest.mark.parametrize(
    ("how", "why"),
    [("write", "not appending"), ("both", "not appending"), ("mapped", "mapped"), ("read", "")],
)
def test_who_would_be_hurt_by_a_shorter_log_keeps_it(here, how, why):
    path = log(here)
    before = path.read_bytes()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, how, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"up\n"
        swept = cut(here)
        holder.stdin.close()
    assert swept.kept == ({why: 1} if why else {})
    assert len(copies(path)) == (0 if why else 1)
    if why:
        assert path.read_bytes() == before


def test_who_may_not_be_read_is_not_taken_for_nobody(really_seen, monkeypatch):
    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(fileholders, "_has", refused)
    assert really_seen((1, 2)) == Holders("", appends=False, all_seen=False)


def test_only_what_the_rule_means_is_cut(here, tmp_path):
    (tmp_path / "victim").write_bytes(lines(4000))
    Path(here.root, "link.log").symlink_to(tmp_path / "victim")
    log(here, "two.log")
    here.link("two.log", "names.log")
    log(here, "small.log", 20)
    os.mkfifo(Path(here.root, "pipe.log"))
    log(here, "old.log.gz")
    swept = cut(here, patterns=("*.log", "*.gz"))
    assert swept.taken.files == 0
    assert len(here.names()) == 6, "no copy of any"
    assert (tmp_path / "victim").read_bytes() == lines(4000)
    log(here, "foreign.log")
    assert cut(here, owners=(os.geteuid() + 1,)).taken.files == 0


@pytest.mark.slow
def test_what_cannot_be_done_leaves_the_log_and_no_copy(here, monkeypatch):
    path = log(here)
    before, write = path.read_bytes(), filecontent.write
    here.hold("a.log", "append")

    def full(fd, data):
        raise OSError(28, "No space left on device")

    def flipped(fd, data):
        write(fd, data[:20] + bytes([data[20] ^ 1]) + data[21:] if len(data) > 30 else data)

    for where, what, value in (
        (filecontent, "write", full), (filecontent, "write", flipped),
        (fileranges, "_range", lambda *_: False),
        (fileholders, "holders", lambda _: Holders("", appends=False, all_seen=False)),
    ):  # fmt: skip
        with monkeypatch.context() as patch:
            patch.setattr(where, what, value)
            (reason,) = cut(here).kept
        assert reason in {"no room", "not verified", "cannot be cut", "unknown"}
        assert path.read_bytes() == before, reason
        assert not copies(path), reason
    Path(here.root, f"a.log.{cutting.stamp(here.now)}.gz").write_bytes(b"somebody's")
    assert cut(here).kept == {"name taken": 1}


def test_a_log_that_was_emptied_by_somebody_else_meanwhile_is_not_touched(here, monkeypatch):
    path = log(here)
    here.hold("a.log", "append")
    asked, look = [], fileholders.holders

    def emptied(key):
        asked.append(key)
        if len(asked) == 2:
            path.write_bytes(lines(9000, 50_000))
        return look(key)

    monkeypatch.setattr(fileholders, "holders", emptied)
    assert cut(here).kept == {"changed": 1}
    assert path.read_bytes() == lines(9000, 50_000)
    assert not copies(path)


@pytest.mark.parametrize("by", ["link", "file", "pipe"])
def test_what_comes_in_the_place_of_the_judged_log_is_not_touched(here, tmp_path, monkeypatch, by):
    path, victim = log(here), tmp_path / "victim"
    victim.write_bytes(lines(4000))
    opened = os.open

    def swapped(name, *args, **keys):
        if name == "a.log" and path.exists():
            path.unlink()
            if by == "pipe":
                os.mkfifo(path)
            elif by == "link":
                path.symlink_to(victim)
            else:
                os.link(victim, path)
        return opened(name, *args, **keys)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", swapped)
        (reason,) = cut(here).kept
    assert reason in {"swapped", "changed", "unknown"}
    assert victim.read_bytes() == lines(4000)
    assert not copies(path)


KILLED = """
import os, signal, sys
from healmon.world import filecontent, fileholders, fileranges
from healmon.world.files import SystemFiles
from tests.helpers.filestage import RealStage
from tests.world.test_cutting import cut
base, at, steps = sys.argv[1], 0, 0

def counted(call):
    def step(*args, **keys):
        reached()
        done = call(*args, **keys)
        reached()
        return done
    return step

def reached():
    global steps
    steps += 1
    if steps == at:
        os.kill(os.getpid(), signal.SIGKILL)

for where, names in ((os, ("link", "fsync", "ftruncate", "unlink", "rename")),
                     (filecontent, ("write",)), (fileranges, ("take_out",))):
    for name in names:
        setattr(where, name, counted(getattr(where, name)))
look = fileholders.holders
fileholders.holders = lambda key: look(key)._replace(all_seen=True)
stage = RealStage.__new__(RealStage)
stage.files, stage.root, stage.state = SystemFiles(), f"{base}/logs", f"{base}/state"
for line in sys.stdin:
    words = line.split()
    at, stage.now = int(words[0]), float(words[1])
    pid = os.fork()
    if not pid:
        cut(stage, copies=2)
        os._exit(0)
    print(os.waitpid(pid, 0)[1], flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("held", [True, False])
def test_a_kill_at_any_step_loses_no_line(here, tmp_path, held):
    path, written = log(here, count=0), 0
    if held:
        here.hold("a.log", "append")
    paths = os.pathsep.join([str(REPO / "core"), str(REPO)])
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], text=True, bufsize=1,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": paths},
    ) as killer:  # fmt: skip
        for at in range(1, 60):
            with path.open("ab") as file:
                file.write(lines(500, written))
            written += 500
            here.now += 60
            killer.stdin.write(f"{at} {here.now}\n")
            status = int(killer.stdout.readline())
            assert status in {0, signal.SIGKILL}
            parts, live = story(path)
            kept = {number for part in (*parts, live) for number in part}
            assert kept == set(range(min(kept), written)), f"step {at}"
            assert min(kept) == 0 or len(parts) >= 2, "only the copies that are too many have gone"
            if not status:
                break
        killer.stdin.close()
    assert 12 < at < 59
