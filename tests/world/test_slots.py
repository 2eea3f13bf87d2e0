"""Files that leave a batch at a time: what goes, what comes back, what is known after a kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.clock import boot_id
from healmon.world import filecalls, quarantine, removal, slots
from healmon.world.filedata import Choice, Limits, Swept
from healmon.world.filewalk import found_of
from healmon.world.slots import Batch, Row, line_of, read_line
from tests.helpers.filestage import DAY, RealStage
from tests.helpers.forkkiller import ForkKiller

FAR = Limits(1_000_000, 600.0)
REPO = Path(__file__).parents[2]
TEXT = st.text(max_size=20)
NUMBER = st.integers(0, 2**63)
ROWS = st.lists(st.builds(Row, TEXT, NUMBER, NUMBER, NUMBER), max_size=4).map(tuple)
BATCH = st.builds(Batch, TEXT, TEXT, NUMBER, TEXT, ROWS)


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealStage]:
    made = RealStage(tmp_path)
    made.files.make_trash(f"{made.state}/trash")
    yield made
    made.close()


def sweep(real: RealStage, deed: str = "delete") -> Swept:
    return real.files.sweep(real.selection(), Choice(), deed, real.now, FAR, lambda: False)


def asides(real: RealStage) -> list[str]:
    return sorted(path.name for path in Path(real.state, "trash").glob("[dt].*"))


# what is written down


@given(BATCH)
def test_a_batch_is_read_as_it_was_written(batch):
    line = line_of(batch)
    assert line.count(b"\n") == 1
    assert read_line(line + b"the rest of a longer one\n") == batch


@given(BATCH, st.data())
def test_a_batch_that_is_not_whole_is_none(batch, data):
    line = line_of(batch)
    cut = data.draw(st.integers(0, len(line) - 2))
    assert read_line(line[:cut]) is None
    assert read_line(line[:cut] + b"\0" * (len(line) - cut)) is None


def test_a_stranger_is_never_put_back_by_what_an_earlier_life_of_the_machine_wrote():
    """After a loss of power what is written down may be older than what was moved."""
    row = Row("a.log", 7, 1, 2)
    old = Batch("another boot", "t", 1, "/x", (row,))
    assert slots.origin([old], "d.t.0") is None
    new = Batch(boot_id(), "t", 2, "/x", (row,))
    found = slots.origin([new, old], "d.t.0")
    assert found is not None
    assert found.path == "/x/a.log"
    assert slots.origin([new], "d.u.0") is None
    assert slots.origin([new], "d.t.1") is None


def test_a_file_with_another_name_left_is_not_the_one_that_was_judged(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"12")
    here = filecalls.inode_of(path.stat())
    row = Row(*slots.facts_of([found_of(-1, "a", "", path.stat())])[0])
    assert row.means(here)
    os.link(path, tmp_path / "b")
    assert not row.means(filecalls.inode_of(path.stat()))


# what goes, what comes back


@pytest.mark.parametrize("deed", ["delete", "trash"])
def test_many_files_of_many_directories_go_and_nothing_is_left_aside(real, deed):
    for n in range(70):
        real.write(f"a/{n}.log", 9 * DAY, 1)
    for n in range(40):
        real.write(f"b{n % 7}/{n}.log", 9 * DAY, 1)
    real.write("b1/young.log", -9 * DAY, 1)
    before = len(list(Path("/proc/self/fd").iterdir()))
    swept = sweep(real, deed)
    assert (swept.taken.files, swept.kept, swept.troubles) == (110, {}, ())
    assert real.names() == {"b1/young.log"}
    assert len(asides(real)) == (0 if deed == "delete" else 110)
    assert real.files.asides(real.selection()).leftovers == 0
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("deed", ["delete", "trash"])
def test_in_a_batch_only_what_came_along_is_put_back(real, monkeypatch, deed):
    for n in range(40):
        real.write(f"{n}.log", 9 * DAY, 1)
    rename = os.rename

    def late(name, *args, **keys):
        if name in {"3.log", "33.log"}:
            Path(real.root, "fresh").write_bytes(b"fresh")
            rename(f"{real.root}/fresh", f"{real.root}/{name}")
        if name == "5.log":
            Path(real.root, name).unlink()
        return rename(name, *args, **keys)

    monkeypatch.setattr(os, "rename", late)
    swept = sweep(real, deed)
    assert (swept.taken.files, swept.kept) == (37, {"swapped": 2, "vanished": 1})
    assert real.names() == {"3.log", "33.log"}
    assert {Path(real.root, name).read_bytes() for name in real.names()} == {b"fresh"}
    assert len(asides(real)) == (0 if deed == "delete" else 37)


def test_a_second_name_for_what_lies_in_a_slot_loses_nothing(real, monkeypatch):
    """A rename between two names of one file does nothing: the slot must not be believed."""
    monkeypatch.setattr(removal, "SIZE", 1)
    rename, done = os.rename, []
    for name in ("a.log", "b.log"):
        real.write(name, 9 * DAY, 1)

    def linked(name, *args, **keys):
        if not done:
            os.link(f"{real.root}/{name}", f"{real.root}/spare")
        elif len(done) == 1:
            rename(f"{real.root}/spare", f"{real.root}/{name}")
        done.append(name)
        return rename(name, *args, **keys)

    monkeypatch.setattr(os, "rename", linked)
    swept = sweep(real)
    assert (swept.taken.files, swept.kept) == (1, {"swapped": 1})
    assert real.names() == {done[1]}
    assert "could not be put back" in swept.troubles[0]


def test_a_sweep_beside_leftovers_goes_one_by_one_and_leaves_them_to_be_finished(real):
    real.write("a.log", 9 * DAY, 1)
    killed(real, 2)
    (aside,) = asides(real)
    real.write("b.log", 9 * DAY, 1)
    assert sweep(real).taken.files == 1
    assert asides(real) == [aside]
    assert real.files.asides(real.selection()).leftovers == 1
    assert real.files.finish(real.selection()).removed == 1
    assert asides(real) == []


# killed

KILLED = """
import os, signal, sys
from healmon.world import removal
from healmon.world.filedata import Choice, Limits, Selection
from healmon.world.files import SystemFiles
root, state, now, at, stranger = *sys.argv[1:3], float(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
selection = Selection(rule="logs", roots=(root,), patterns=("*.log",), older_than=86400.0,
                      protected=(state,), trash=state + "/trash")
removal.SIZE = 2
count = 0
def step():
    global count
    count += 1
    if count == at:
        os.kill(os.getpid(), signal.SIGKILL)
rename, unlink, pwrite = os.rename, os.unlink, os.pwrite
def renaming(name, *args, **keys):
    step()
    if stranger and name == "c.log":
        rename(stranger, root + "/b/c.log")
    rename(name, *args, **keys)
    step()
def torn(fd, data, at):
    step()
    pwrite(fd, data[:len(data) // 2], at)
    step()
    return pwrite(fd, data, at)
def unlinking(*args, **keys):
    step()
    unlink(*args, **keys)
    step()
os.rename, os.unlink, os.pwrite = renaming, unlinking, torn
SystemFiles().sweep(selection, Choice(), "delete", now, Limits(seconds=600.0), lambda: False)
"""


def killed(real: RealStage, at: int) -> None:
    script = [sys.executable, "-c", KILLED, real.root, real.state, str(real.now), str(at + 2), ""]
    env = {**os.environ, "PYTHONPATH": str(REPO / "core")}
    assert subprocess.run(script, env=env, timeout=60, check=False).returncode < 0


@pytest.mark.slow
@pytest.mark.parametrize("swapped", [True, False])
def test_a_kill_at_any_step_leaves_judged_files_or_strangers_and_both_are_told_apart(
    real, tmp_path, swapped
):
    stranger = tmp_path / "stranger"
    stranger.write_bytes(b"not judged")
    with ForkKiller(KILLED) as killer:
        for at in range(1, 200):
            for name in ("a/0.log", "a/1.log", "a/2.log", "b/b.log", "b/c.log", "b/d.log"):
                real.write(name, 9 * DAY, 3)
            if swapped:
                stranger.write_bytes(b"not judged")
            died = killer.died(real.root, real.state, real.now, at, stranger if swapped else "")
            done = real.files.finish(real.selection())
            assert not done.troubles, f"step {at}"
            assert asides(real) == [], f"step {at}"
            there = Path(real.root, "b/c.log")
            if swapped and not stranger.exists():
                assert there.read_bytes() == b"not judged", f"step {at}"
                there.unlink()
            assert not sweep(real).kept
            assert real.names() == set(), f"step {at}"
            if not died:
                assert at > 20
                return
    pytest.fail("it never came to its end")


@pytest.mark.parametrize("in_slots", [True, False])
def test_what_the_rules_spare_by_now_goes_back(real, monkeypatch, in_slots):
    real.write("a.log", 9 * DAY, 1)
    if not in_slots:
        monkeypatch.setattr(quarantine.Quarantine, "open_slots", lambda _: None)
        monkeypatch.setattr(quarantine.Quarantine, "remove", lambda *_: None)
        assert sweep(real).taken.files == 1
        monkeypatch.undo()
    else:
        killed(real, 2)
    done = real.files.finish(real.selection(), lambda path: path == f"{real.root}/a.log")
    assert (done.removed, done.restored, done.troubles) == (0, 1, ())
    assert real.names() == {"a.log"}


def test_what_lies_in_a_slot_and_is_not_known_stays_there_and_is_told(real):
    real.write("a.log", 9 * DAY, 1)
    killed(real, 2)
    (aside,) = asides(real)
    Path(real.state, "trash", slots.NAME).write_bytes(b"")
    done = real.files.finish(real.selection())
    assert (done.removed, done.restored) == (0, 0)
    assert aside in done.troubles[0]
    assert asides(real) == [aside]


# memory

GROWN = """
import json, os, sys, time, tracemalloc
from healmon.world.filedata import Choice, Limits, Selection
from healmon.world.files import SystemFiles
root = sys.argv[1]
def grow(files):
    for number in range(files):
        folder = f"{root}/{number // 500}"
        if not number % 500:
            os.makedirs(folder, exist_ok=True)
        os.close(os.open(f"{folder}/{number}.log", os.O_CREAT | os.O_WRONLY))
files, when = SystemFiles(), time.time() + 9 * 86400
selection = Selection(rule="r", roots=(root,), patterns=("*.log",), older_than=86400.0)
def clean():
    files.survey(selection, when, Limits(10**6, 600.0))
    return files.sweep(selection, Choice(), "delete", when, Limits(10**6, 600.0), lambda: False)
peaks = []
tracemalloc.start()
for count in (300, 300, 2_400):
    grow(count)
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    assert clean().taken.files == count
    peaks.append(tracemalloc.get_traced_memory()[1] - before)
print(json.dumps(peaks[1:]))
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_files(tmp_path):
    script = [sys.executable, "-c", GROWN, str(tmp_path / "logs")]
    env = {**os.environ, "PYTHONPATH": str(REPO / "core")}
    done = subprocess.run(script, env=env, timeout=120, check=True, capture_output=True, text=True)
    few, many = json.loads(done.stdout)
    assert many < few * 1.3, (few, many)
    assert many < 200_000, "a list of their names alone would be more"
