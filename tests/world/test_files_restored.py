"""What was put aside comes back: the same file, to the same place, over nothing; kills included."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.world.filedata import Choice, Limits, Need
from healmon.world.manifest import Record, line_of, read_line
from healmon.world.quarantine import local_name, open_local
from tests.helpers.filestage import DAY, MadeUpStage, RealStage
from tests.helpers.forkkiller import ForkKiller

FAR = Limits(1_000_000, 600.0)
REPO = Path(__file__).parents[2]


@pytest.fixture(params=["real", "simulated"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RealStage | MadeUpStage]:
    made = RealStage(tmp_path) if request.param == "real" else MadeUpStage()
    yield made
    made.close()


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealStage]:
    made = RealStage(tmp_path)
    made.files.make_trash(f"{made.state}/trash")
    yield made
    made.close()


def put_aside(stage: RealStage | MadeUpStage, later: float = 0.0) -> None:
    stage.files.sweep(
        stage.selection(), Choice(), "trash", stage.now + later, FAR, lambda: False
    )  # everything that is due


def told(stage: RealStage | MadeUpStage):
    return stage.files.trashed(stage.selection(), 1000)


# the contract


def test_what_was_put_aside_is_listed_newest_first_and_comes_back_one_by_one(stage):
    stage.files.make_trash(f"{stage.state}/trash")
    stage.write("a.log", 9 * DAY)
    put_aside(stage)
    stage.write("b.log", 9 * DAY)
    put_aside(stage, later=60.0)
    newest, oldest = told(stage)
    assert (newest.path, oldest.path) == (f"{stage.root}/b.log", f"{stage.root}/a.log")
    assert newest.run != oldest.run
    assert newest.rule == "logs"
    assert len(stage.files.trashed(stage.selection(), 1)) == 1
    done = stage.files.restore(stage.selection(), oldest.id)
    assert (done.back.files, done.paths, done.troubles) == (1, (f"{stage.root}/a.log",), ())
    assert stage.names() == {"a.log"}
    assert [one.id for one in told(stage)] == [newest.id]
    assert stage.files.restore(stage.selection(), oldest.id).back.files == 0, "only once"


def test_a_whole_run_comes_back_at_once(stage):
    stage.files.make_trash(f"{stage.state}/trash")
    for n in range(5):
        stage.write(f"deep/{n}.log", 9 * DAY)
    put_aside(stage)
    (run,) = {one.run for one in told(stage)}
    assert stage.files.restore(stage.selection(), run).back.files == 5
    assert len(stage.names()) == 5
    assert not told(stage)


def test_nothing_is_replaced_by_what_comes_back(stage):
    stage.files.make_trash(f"{stage.state}/trash")
    stage.write("a.log", 9 * DAY)
    put_aside(stage)
    stage.write("a.log", 0)
    (one,) = told(stage)
    done = stage.files.restore(stage.selection(), one.id)
    assert done.back.files == 0
    assert "stands there now" in done.troubles[0]
    assert [again.id for again in told(stage)] == [one.id]
    assert stage.files.restore(stage.selection(), "0" * 16).troubles == ()


# the manifest, whatever stands in it

TEXT = st.text(max_size=30)
NUMBER = st.integers(-(2**63), 2**63)


@given(st.builds(Record, TEXT, TEXT, TEXT, NUMBER, NUMBER, NUMBER, NUMBER, NUMBER, NUMBER, TEXT))
def test_a_line_says_what_was_written(record):
    line = line_of(record)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert read_line(line) == record


@given(st.binary(max_size=60) | st.recursive(
    st.none() | NUMBER | TEXT, lambda inner: st.lists(inner, max_size=12)
).map(lambda found: json.dumps(found).encode()))  # fmt: skip
def test_a_damaged_line_is_nothing_and_no_error(line):
    record = read_line(line)
    assert record is None or isinstance(record.path, str)


def test_a_line_of_an_older_healmon_still_tells_where_from():
    assert read_line(b'["t.1", "/a/b", "logs"]') == Record("t.1", "/a/b", "logs")


# only the real ones


def test_the_file_is_the_same_one_with_owner_mode_times_and_content(real):
    real.write("a.log", 9 * DAY)
    path = Path(real.root, "a.log")
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 12, 34)
    before, content = path.stat(), path.read_bytes()
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))
    put_aside(real)
    (line,) = Path(real.state, "trash", "manifest").read_bytes().splitlines()
    record = read_line(line)
    assert record is not None
    assert (record.path, record.user, record.group) == (str(path), before.st_uid, before.st_gid)
    assert (record.mode, record.modified) == (before.st_mode, before.st_mtime_ns)
    assert (record.accessed, record.size) == (before.st_mtime_ns, before.st_size)
    assert record.digest == hashlib.sha256(content).hexdigest()
    (one,) = told(real)
    assert real.files.restore(real.selection(), one.id).back.files == 1
    after = path.stat()
    for name in ("st_ino", "st_uid", "st_gid", "st_mode", "st_size", "st_mtime_ns", "st_atime_ns"):
        expected = before.st_mtime_ns if name == "st_atime_ns" else getattr(before, name)
        assert getattr(after, name) == expected, name
    assert path.read_bytes() == content
    assert Path(real.state, "trash", "manifest").read_bytes() == b""


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda p: p.write_bytes(b"x" * p.stat().st_size), "is not the file"),
        (lambda p: p.write_bytes(b"short"), "is not the file"),
    ],
)
def test_what_was_changed_in_the_trash_is_kept_there_and_named(real, spoil, says):
    real.write("a.log", 9 * DAY)
    put_aside(real)
    (aside,) = Path(real.state, "trash").glob("t.*")
    spoil(aside)
    (one,) = told(real)
    done = real.files.restore(real.selection(), one.id)
    assert says in done.troubles[0]
    assert aside.name in done.troubles[0]
    assert aside.exists()
    assert real.names() == set()


def test_a_directory_that_is_gone_or_a_link_now_is_told_and_followed_nowhere(real, tmp_path):
    real.write("in/a.log", 9 * DAY)
    put_aside(real)
    (one,) = told(real)
    Path(real.root, "in").rmdir()
    assert "directory is gone" in real.files.restore(real.selection(), one.id).troubles[0]
    away = tmp_path / "away"
    away.mkdir()
    Path(real.root, "in").symlink_to(away)
    assert "symbolic link" in real.files.restore(real.selection(), one.id).troubles[0]
    assert not list(away.iterdir())
    assert [again.id for again in told(real)] == [one.id]


def test_hostile_names_come_back_as_the_same_bytes(real):
    names = [b"a\nb.log", b"\x1b[31mred.log", b"\xff\xfe.log", b"x" * 251 + b".log"]
    for name in names:
        real.write(os.fsdecode(name), 9 * DAY, 10)
    put_aside(real)
    assert all(c.isprintable() for one in told(real) for c in one.path)
    (run,) = {one.run for one in told(real)}
    assert real.files.restore(real.selection(), run).back.files == len(names)
    assert {os.fsencode(name) for name in real.names()} == set(names)


def test_a_file_of_an_application_that_is_called_manifest_is_never_touched(real):
    """What lies in the open may be planted; a file beside it is no manifest of healmon's."""
    Path(real.root, "manifest").write_text("an application's\n")
    entry = f"{local_name()}.t.1.1.1.1.1.{'ab' * 8}"
    Path(real.root, entry).write_bytes(b"planted")
    back = real.files.restore(real.selection(), "ab" * 8)
    assert back.back.files == 0
    assert "not written down" in back.troubles[0]
    real.files.empty(real.selection(), Need(held=2**62), lambda: False)
    assert Path(real.root, "manifest").read_text() == "an application's\n"


def test_where_others_can_write_nothing_is_believed_and_nothing_written(real, monkeypatch):
    """On a disk too full for a directory, entries lie in the rule's own: names there prove less."""
    Path(real.root, "manifest").write_bytes(b"somebody's\n")
    Path(real.root, "intent").write_bytes(json.dumps(["x", "/etc/y"]).encode() + b"\n")
    mkdir = os.mkdir

    def full(path, *args, **keys):
        if str(path).startswith(".healmon-trash"):
            raise OSError(28, "No space left on device")
        mkdir(path, *args, **keys)

    real.write("a.log", 9 * DAY)
    monkeypatch.setattr(os, "mkdir", full)
    fd = os.open(real.root, os.O_RDONLY)
    place = open_local(fd, real.root, make=True)
    os.close(fd)
    assert place is not None
    assert not place.private
    assert place.intended() is None
    place.close()
    swept = real.files.sweep(
        real.selection(trash=""), Choice(), "trash", real.now, FAR, lambda: False
    )
    assert swept.kept == {"not recorded": 1}
    assert Path(real.root, "manifest").read_bytes() == b"somebody's\n"
    assert "a.log" in real.names()


# killed at every step

STEPS = """
import os, signal, sys
from healmon.world.filedata import Choice, Limits, Need, Selection
from healmon.world.files import SystemFiles
from healmon.world import filecalls, removal
root, state, now, what, at = *sys.argv[1:3], float(sys.argv[3]), sys.argv[4], int(sys.argv[5])
selection = Selection(rule="logs", roots=(root,), patterns=("*.log",), older_than=86400.0,
                      protected=(state,), trash=state + "/trash" if what != "local" else "")
count = 0
def step():
    global count
    count += 1
    if count == at:
        os.kill(os.getpid(), signal.SIGKILL)
def stepped(holder, name):
    inner = getattr(holder, name)
    def call(*args, **keys):
        step()
        done = inner(*args, **keys)
        step()
        return done
    setattr(holder, name, call)
for name in ("rename", "unlink", "write", "pwrite", "fdatasync", "fsync", "ftruncate", "mkdir"):
    stepped(os, name)
stepped(filecalls, "put_back")
removal.SIZE = 2  # three files are two batches
def full(*args):
    raise OSError(28, "No space left on device")
if what == "full":
    os.posix_fallocate = full  # no room for batches: one by one
files = SystemFiles()
if what == "restore":
    for run in {one.run for one in files.trashed(selection, 100)}:
        files.restore(selection, run)
elif what == "empty":
    files.empty(selection, Need(2**60), lambda: False)
else:
    deed = "trash" if what == "trash" else "delete"
    files.sweep(selection, Choice(), deed, now, Limits(seconds=600.0), lambda: False)
"""


def everywhere(real: RealStage) -> list[bytes]:
    """The contents of all files that are anywhere: in place, or aside."""
    asides = [*Path(real.state, "trash").glob("[dt].*"), *Path(real.root).glob(".heal*/[dt].*")]
    return sorted([p.read_bytes() for p in asides] +
                  [Path(real.root, name).read_bytes() for name in real.names()])  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("what", ["trash", "restore", "delete", "local", "full", "empty"])
def test_a_kill_at_any_step_loses_nothing_and_leaves_nothing_twice(real, tmp_path, what):
    with ForkKiller(STEPS) as killer:
        for at in range(1, 200):
            for n in range(3):
                real.write(f"{n}.log", 9 * DAY, 10 + n)
            real.write("young.log", -9 * DAY, 3)
            wanted = everywhere(real)
            if what in {"restore", "empty"}:
                put_aside(real)
                assert real.names() == {"young.log"}
            killed = killer.died(real.root, real.state, real.now, what, at)
            left = everywhere(real)
            if what in {"trash", "restore"}:
                assert left == wanted, f"step {at}"
            else:
                assert set(left) <= set(wanted), f"step {at}"
                assert len(left) == len(set(left)), f"step {at}"
            selection = real.selection(trash="" if what == "local" else f"{real.state}/trash")
            done = real.files.finish(selection)
            assert not done.troubles, f"step {at}"
            assert real.files.asides(selection).leftovers == 0
            for run in {one.run for one in told(real)}:
                assert not real.files.restore(real.selection(), run).troubles, f"step {at}"
            assert not told(real)
            if what in {"trash", "restore"}:
                assert len(real.names()) == 4, f"step {at}: all is back"
            assert "young.log" in real.names()
            for name in real.names():
                Path(real.root, name).unlink()
            if not killed:
                assert at > 5
                return
    pytest.fail("it never came to its end")


def test_the_trash_is_emptied_by_need_and_the_rest_still_comes_back(real):
    for n in range(4):
        real.write(f"{n}.log", (n + 2) * DAY)
    put_aside(real)
    real.files.empty(real.selection(), Need(files=2), lambda: False)
    (run,) = {one.run for one in told(real)}
    assert real.files.restore(real.selection(), run).back.files == 2
    assert real.names() == {"0.log", "1.log"}, "the oldest are gone"
    assert local_name().startswith(".healmon-trash-")
