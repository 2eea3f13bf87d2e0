"""One contract for real and simulated files, then what only the real ones have."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.errors import ProbeError
from healmon.world import filecalls, fileuse, quarantine, removal
from healmon.world.fileages import Allowance, choose
from healmon.world.filedata import Choice, Limits, Need, Selection, Swept
from healmon.world.files import SystemFiles
from healmon.world.filewalk import Walk
from tests.helpers.filestage import DAY, HOUR, SIZE, MadeUpStage, RealStage
from tests.helpers.wait import until

FAR = Limits(1_000_000, 600.0)
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount or change users")
CORE = Path(__file__).parents[2] / "core"


def never() -> bool:
    return False


@pytest.fixture(params=["real", "simulated"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RealStage | MadeUpStage]:
    made = RealStage(tmp_path) if request.param == "real" else MadeUpStage()
    yield made
    made.close()


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealStage]:
    made = RealStage(tmp_path)
    yield made
    made.close()


def clean(
    stage: RealStage | MadeUpStage,
    selection: Selection | None = None,
    need: Need | None = None,
    deed: str = "delete",
) -> Swept:
    selection = selection or stage.selection()
    survey = stage.files.survey(selection, stage.now, FAR, need=need)
    choice = survey.choice or Choice(sure=0, edge=0)
    return stage.files.sweep(selection, choice, deed, stage.now, FAR, never)


# the contract


def test_what_is_due_goes_and_the_rest_stays(stage):
    stage.write("old.log", 3 * DAY)
    stage.write("deep/er/old.log", 3 * DAY)
    stage.write("young.log", HOUR)
    stage.write("future.log", -9 * DAY)
    stage.write("old.txt", 3 * DAY)
    stage.write(".hidden.log", 3 * DAY)
    swept = clean(stage)
    assert stage.names() == {"young.log", "future.log", "old.txt", ".hidden.log"}
    assert swept.taken.files == 2
    assert swept.taken.held == 2 * SIZE
    assert set(swept.names) == {"old.log", "deep/er/old.log"}


def test_it_is_told_where_a_directory_is_mounted_and_whether_anything_is(stage):
    stage.write("a.log", DAY)
    point = stage.files.space(stage.root).mount
    assert stage.files.usage(stage.root, FAR).mount == point
    assert stage.root.startswith(point)
    assert point != stage.root
    assert stage.files.mounted(point)
    assert not stage.files.mounted(stage.root)
    assert stage.files.space(stage.root).real == os.path.realpath(stage.root)
    assert stage.files.usage(stage.root, FAR).real == os.path.realpath(stage.root)


def test_a_survey_touches_nothing_and_counts_what_is_due(stage):
    for n in range(5):
        stage.write(f"{n}.log", (n + 2) * DAY)
    stage.write("young.log", 1)
    before = stage.names()
    survey = stage.files.survey(stage.selection(), stage.now, FAR)
    assert (survey.due.files, survey.due.held, survey.roots) == (5, 5 * SIZE, 1)
    assert survey.kept == {"young": 1}
    assert stage.names() == before


def test_the_oldest_go_first_and_no_more_than_needed(stage):
    for n in range(20):
        stage.write(f"{n:02}.log", (n + 2) * DAY)
    swept = clean(stage, need=Need(5 * SIZE - 100))
    assert swept.taken.files == 5
    assert stage.names() == {f"{n:02}.log" for n in range(15)}


def test_the_line_is_drawn_to_the_second_within_one_hour(stage):
    for n in range(50):
        stage.write(f"{n:02}.log", 2 * DAY + 60 + n)
    clean(stage, need=Need(7 * SIZE))
    assert stage.names() == {f"{n:02}.log" for n in range(43)}


def test_inodes_can_be_what_is_needed(stage):
    for n in range(10):
        stage.write(f"{n}.log", (n + 2) * DAY, size=1)
    assert clean(stage, need=Need(0, files=4)).taken.files == 4
    assert stage.names() == {f"{n}.log" for n in range(6)}


@pytest.mark.parametrize("how", ["append", "read", "mmap", "flock"])
def test_a_file_in_use_stays_and_is_not_chosen_again(stage, how):
    stage.write("held.log", 9 * DAY)
    stage.write("free.log", 3 * DAY)
    stage.write("newer.log", 2 * DAY)
    stage.hold("held.log", how)
    swept = clean(stage, need=Need(SIZE))
    assert swept.taken.files == 0
    assert swept.kept == {"locked" if how == "flock" else "open": 1}
    again = stage.files.survey(
        stage.selection(), stage.now, FAR, need=Need(SIZE), passed=swept.passed
    )
    stage.files.sweep(stage.selection(), again.choice, "delete", stage.now, FAR, never)
    assert stage.names() == {"held.log", "newer.log"}


def test_files_with_two_names_pipes_and_databases_stay(stage):
    for name in ("a.log", "pipe.log", "data.db", "data.db-wal", "x-journal", "run.pid"):
        stage.write(name, 9 * DAY)
    stage.link("a.log", "b.log")
    stage.make_special("pipe.log")
    before = stage.names()
    assert clean(stage, stage.selection(patterns=("*",))).taken.files == 0
    assert stage.names() == before


def test_exclusions_and_depth_are_obeyed(stage):
    for name in ("keep.log", "no/a.log", "yes/a.log", "yes/b.log"):
        stage.write(name, 9 * DAY)
    clean(stage, stage.selection(exclude=("keep*", "no", "yes/b.log")))
    assert stage.names() == {"keep.log", "no/a.log", "yes/b.log"}
    clean(stage, stage.selection(recursive=False))
    assert stage.names() == {"no/a.log", "yes/b.log"}


def test_trash_is_put_aside_counted_and_emptied_oldest_first(stage):
    stage.files.make_trash(f"{stage.state}/trash")
    for n in range(6):
        stage.write(f"{n}.log", (n + 2) * DAY)
    clean(stage, deed="trash")
    asides = stage.files.asides(stage.selection())
    assert asides.place == f"{stage.state}/trash"
    assert (asides.trash.files, asides.trash.held, asides.leftovers) == (6, 6 * SIZE, 0)
    swept = stage.files.empty(stage.selection(), Need(2 * SIZE), never)
    assert swept.taken.files == 2
    assert stage.files.asides(stage.selection()).trash.files == 4
    assert stage.names() == set()


def test_a_missing_directory_is_a_trouble_not_a_crash(stage):
    stage.write("a.log", 9 * DAY)
    survey = stage.files.survey(stage.selection(roots=(f"{stage.root}/none",)), stage.now, FAR)
    assert survey.roots == 0
    assert "does not exist" in survey.troubles[0]
    with pytest.raises(ProbeError):
        stage.files.usage(f"{stage.root}/none", FAR)


def test_a_sweep_that_is_called_off_takes_nothing_more(stage):
    for n in range(5):
        stage.write(f"{n}.log", 9 * DAY)
    survey = stage.files.survey(stage.selection(), stage.now, FAR)
    swept = stage.files.sweep(
        stage.selection(), survey.choice, "delete", stage.now, FAR, lambda: True
    )
    assert swept.taken.files == 0
    assert swept.partial == "called off"
    assert len(stage.names()) == 5


def test_usage_counts_a_file_with_two_names_once(stage):
    stage.write("a.log", DAY)
    before = stage.files.usage(stage.root, FAR).held
    stage.link("a.log", "b.log")
    assert stage.files.usage(stage.root, FAR).held == before


# choosing, whatever the files

AGES = st.lists(st.tuples(st.integers(0, 10**16), st.integers(0, 10**6)), max_size=60)


@given(AGES, st.integers(0, 10**7), st.integers(0, 30))
def test_a_choice_meets_the_need_with_the_oldest_and_no_file_too_many(files, held, count):
    need = Need(held, count)
    chosen = choose(lambda add: [add(*file) for file in files] and None, need)
    allowance = Allowance(chosen.choice or Choice(sure=0, edge=0))
    gone, left = [], []
    for newest, size in files:
        if allowance.takes(newest):
            allowance.went(newest, size)
            gone.append((newest, size))
        else:
            left.append((newest, size))
    total = need.less(sum(size for _, size in gone), len(gone))
    assert total.met or not left, "short of the need only when nothing is left"
    if gone and left:
        slack = 1_000_000  # files within one millisecond count as equally old
        assert max(newest for newest, _ in gone) <= min(newest for newest, _ in left) + slack
    if gone and need.met:
        pytest.fail("nothing was needed")


# only the real ones: measuring


def test_space_is_what_statvfs_says(tmp_path):
    space, told = SystemFiles().space(str(tmp_path)), os.statvfs(tmp_path)
    assert space.size == told.f_blocks * told.f_frsize
    assert space.device == tmp_path.stat().st_dev
    assert space.kind
    assert SystemFiles().space("/proc").size == 0


def test_usage_is_what_du_says(real):
    real.write("a.log", DAY, 100_000)
    real.write("b/c/d.log", DAY, 3)
    real.link("a.log", "again.log")
    Path(real.root, "out").symlink_to("/usr")
    with Path(real.root, "sparse.log").open("wb") as file:
        file.truncate(10**10)
    du = subprocess.run(
        ["du", "-sxB1", real.root], capture_output=True, text=True, check=True, timeout=300
    )
    assert real.files.usage(real.root, FAR).held == int(du.stdout.split()[0])


def test_usage_that_is_cut_short_says_so(real):
    for n in range(30):
        real.write(f"{n}.log", DAY, 10)
    assert "10 entries" in real.files.usage(real.root, Limits(10, 60.0)).partial
    assert real.files.usage(real.root, FAR).partial == ""


# only the real ones: attacks


def test_a_directory_swapped_for_a_link_while_it_is_cleaned_loses_no_strangers_file(real, tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    for n in range(50):
        (victim / f"{n}.log").write_bytes(b"precious")
        os.utime(victim / f"{n}.log", (0, 0))
    swapped = Path(real.root, "in")
    for n in range(300):
        real.write(f"in/{n}.log", 9 * DAY, 10)
    ended = threading.Event()

    def attack() -> None:
        while not ended.is_set():
            try:
                swapped.rename(real.root + "/aside")
                swapped.symlink_to(victim)
                swapped.unlink()
                Path(real.root, "aside").rename(swapped)
            except OSError:
                continue

    attacker = threading.Thread(target=attack)
    attacker.start()
    try:
        for _ in range(20):
            clean(real)
    finally:
        ended.set()
        attacker.join()
    assert len(list(victim.iterdir())) == 50


@pytest.mark.parametrize("openat2", [True, False])
def test_a_directory_that_became_a_link_before_it_is_entered_is_not_entered(
    real, tmp_path, monkeypatch, openat2
):
    if not openat2:
        monkeypatch.setattr(filecalls, "has_openat2", lambda: False)
    elif not filecalls.has_openat2():
        pytest.skip("this kernel has no openat2")
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "a.log").write_bytes(b"precious")
    real.write("in/a.log", 9 * DAY)
    descend = Walk._descend
    survey = real.files.survey(real.selection(), real.now, FAR)
    assert survey.due.files == 1

    def swap_first(self, stack, name, number):
        if not Path(real.root, "aside").exists():
            Path(real.root, "in").rename(real.root + "/aside")
            Path(real.root, "in").symlink_to(victim)
        return descend(self, stack, name, number)

    monkeypatch.setattr(Walk, "_descend", swap_first)
    swept = real.files.sweep(real.selection(), survey.choice, "delete", real.now, FAR, never)
    assert (victim / "a.log").exists()
    assert (swept.taken.files, swept.kept) == (0, {"swapped": 1})


@pytest.mark.parametrize("openat2", [True, False])
def test_a_root_that_is_a_link_is_refused(real, tmp_path, monkeypatch, openat2):
    if not openat2:
        monkeypatch.setattr(filecalls, "has_openat2", lambda: False)
    real.write("a.log", 9 * DAY)
    link = tmp_path / "link"
    link.symlink_to(real.root)
    survey = real.files.survey(real.selection(roots=(str(link),)), real.now, FAR)
    assert survey.due.files == 0
    assert "symbolic link" in survey.troubles[0]
    swept = real.files.sweep(
        real.selection(roots=(str(link),)), Choice(), "delete", real.now, FAR, never
    )
    assert swept.taken.files == 0
    assert real.names() == {"a.log"}
    assert real.files.survey(real.selection(), real.now, FAR).due.files == 1


def replace_by_stranger(path: str) -> int:
    """Put a fresh file in the place of another; returns its inode number."""
    fresh = f"{path}.fresh"
    Path(fresh).write_bytes(b"fresh")
    number = Path(fresh).stat().st_ino
    Path(fresh).rename(path)
    return number


def test_a_file_replaced_before_it_is_opened_stays(real, monkeypatch):
    real.write("a.log", 9 * DAY)
    numbers = []

    def first(key, but=()):
        if not numbers:
            numbers.append(replace_by_stranger(f"{real.root}/a.log"))
        return False

    monkeypatch.setattr(fileuse, "opened_here", first)
    swept = clean(real)
    assert swept.kept == {"changed": 1}
    assert Path(real.root, "a.log").read_bytes() == b"fresh"


def test_a_file_replaced_right_before_the_rename_is_put_back(real, monkeypatch):
    real.write("a.log", 9 * DAY)
    rename, numbers = os.rename, []

    def late(*args, **keys):
        monkeypatch.setattr(os, "rename", rename)
        numbers.append(replace_by_stranger(f"{real.root}/a.log"))
        return rename(*args, **keys)

    survey = real.files.survey(real.selection(), real.now, FAR)
    monkeypatch.setattr(os, "rename", late)
    swept = real.files.sweep(real.selection(), survey.choice, "delete", real.now, FAR, never)
    assert swept.kept == {"swapped": 1}
    assert Path(real.root, "a.log").stat().st_ino == numbers[0]
    assert Path(real.root, "a.log").read_bytes() == b"fresh"


def test_what_cannot_be_put_back_is_kept_and_named(real, monkeypatch):
    real.write("a.log", 9 * DAY)
    rename = os.rename

    def late(*args, **keys):
        monkeypatch.setattr(os, "rename", rename)
        replace_by_stranger(f"{real.root}/a.log")
        rename(*args, **keys)
        Path(real.root, "a.log").write_bytes(b"a third one")

    survey = real.files.survey(real.selection(), real.now, FAR)
    monkeypatch.setattr(os, "rename", late)
    swept = real.files.sweep(real.selection(), survey.choice, "delete", real.now, FAR, never)
    assert swept.taken.files == 0
    assert "kept as" in swept.troubles[0]
    assert Path(swept.troubles[0].split("kept as ")[1]).read_bytes() == b"fresh"
    assert Path(real.root, "a.log").read_bytes() == b"a third one"


@pytest.mark.parametrize("slots", [True, False])
def test_what_was_wanted_and_cannot_be_put_back_is_not_removed_by_the_next_run(
    real, monkeypatch, slots
):
    """It is the very file that was judged; but somebody had come for it."""
    real.write("a.log", 9 * DAY)
    content, rename = Path(real.root, "a.log").read_bytes(), os.rename

    def late(*args, **keys):
        monkeypatch.setattr(os, "rename", rename)
        rename(*args, **keys)
        Path(real.root, "a.log").write_bytes(b"another one")

    survey = real.files.survey(real.selection(), real.now, FAR)
    monkeypatch.setattr(os, "rename", late)
    monkeypatch.setattr(removal, "alone", lambda _: False)
    if not slots:
        monkeypatch.setattr(quarantine.Quarantine, "open_slots", lambda _: None)
    swept = real.files.sweep(real.selection(), survey.choice, "delete", real.now, FAR, never)
    assert swept.kept == {"open": 1}
    kept = Path(swept.troubles[0].split("kept as ")[1])
    assert kept.read_bytes() == content
    done = real.files.finish(real.selection())
    assert (done.removed, done.restored) == (0, 0)
    assert str(kept) in done.troubles[0]
    assert kept.read_bytes() == content


def test_a_file_system_that_fails_meanwhile_ends_the_sweep_and_what_went_is_told(real, monkeypatch):
    for n in range(70):
        real.write(f"{n:02}.log", 9 * DAY, size=1)
    numbers, calls = quarantine.Quarantine.numbers, iter(range(99))

    def fails(place, kind):
        if next(calls):
            # one that came along instead, and that nobody has looked at yet
            (slot,) = Path(real.root).glob(".healmon-trash-*/d.*.5")
            replace_by_stranger(str(slot))
            raise OSError(5, "Input/output error")
        return numbers(place, kind)

    monkeypatch.setattr(quarantine.Quarantine, "numbers", fails)
    swept = clean(real)
    gone = 70 - len(real.names())
    assert 32 < gone == swept.taken.files < 70
    assert "Input/output error" in swept.troubles[0]
    assert swept.partial == "ended by an error: Input/output error"
    monkeypatch.undo()
    done = real.files.finish(real.selection())
    assert (done.removed > 20, done.restored, done.troubles) == (True, 1, ())
    contents = [Path(real.root, name).read_bytes() for name in real.names()]
    assert contents.count(b"fresh") == 1
    assert len(contents) == 70 - gone + 1


def test_a_file_opened_while_it_is_set_aside_is_put_back(real, monkeypatch):
    real.write("a.log", 9 * DAY)
    rename, late_openers = os.rename, []

    def opened_meanwhile(*args, **keys):
        # waits for the lease in a thread; the break is pending as soon as it asks
        path = f"{real.root}/a.log"
        child = subprocess.Popen(
            [sys.executable, "-c", "import sys; print(open(sys.argv[1], 'rb').read(1))", path],
            stdout=subprocess.DEVNULL,
        )
        late_openers.append(child)
        until(lambda: Path(f"/proc/{child.pid}/wchan").exists() and waits(child), what="waiting")
        monkeypatch.setattr(os, "rename", rename)
        return rename(*args, **keys)

    def waits(child) -> bool:
        syscall = Path(f"/proc/{child.pid}/wchan").read_text()
        return "lease" in syscall or "break" in syscall

    if os.geteuid() != 0:
        pytest.skip("only root may see what a process waits for")
    survey = real.files.survey(real.selection(), real.now, FAR)
    monkeypatch.setattr(os, "rename", opened_meanwhile)
    swept = real.files.sweep(real.selection(), survey.choice, "delete", real.now, FAR, never)
    for child in late_openers:
        assert child.wait(40) == 0, "the opener got its file"
    assert swept.kept == {"open": 1}
    assert real.names() == {"a.log"}


def test_an_opener_at_the_instant_of_the_question_harms_nobody(real):
    real.write("a.log", 9 * DAY)
    path, ended, opened = f"{real.root}/a.log", threading.Event(), []
    program = (
        "import sys\nfor _ in range(3000):\n    open(sys.argv[1]).close()\nprint('all opened')"
    )
    child = subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE)
    users, directory = fileuse.Users(), os.open(real.root, os.O_RDONLY)
    while child.poll() is None:
        fd, _ = users.hold(directory, "a.log", Path(path).stat(), "ext4")
        if fd >= 0:
            os.close(fd)
    os.close(directory)
    assert child.stdout is not None
    with child.stdout:
        opened.append(child.stdout.read())
    ended.set()
    assert opened == [b"all opened\n"], "and this process was not killed by SIGIO"


def test_the_name_of_a_pipe_is_never_opened(real):
    os.mkfifo(f"{real.root}/app.log")
    real.write("old.log", 9 * DAY)
    clean(real)  # would block for ever
    assert real.names() == {"app.log"}


def test_a_file_that_this_process_has_open_keeps_its_locks(real):
    """Closing any descriptor of a file drops the POSIX locks that its process has on it."""
    import fcntl

    asks = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'ab'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    before = len(list(Path("/proc/self/fd").iterdir()))
    real.write("a.log", 9 * DAY)
    real.write("0.log", 9 * DAY)
    with Path(real.root, "a.log").open("ab") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        for _ in range(3):
            assert clean(real).kept == {"open": 1}
        asked = [sys.executable, "-c", asks, f"{real.root}/a.log"]
        child = subprocess.run(asked, stderr=subprocess.PIPE, text=True, check=False, timeout=300)
        assert "BlockingIOError" in child.stderr
    real.write("b.log", 9 * DAY)
    swept = clean(real)
    assert (swept.taken.files, swept.kept) == (2, {})
    assert len(list(Path("/proc/self/fd").iterdir())) <= before, "no descriptor is left open"


def test_hostile_names_are_taken_exactly_and_told_in_one_line(real):
    names = [b"a\nb.log", b"\x1b[31mred.log", b"\xff\xfe.log", b"x" * 251 + b".log", b"-rf.log"]
    for name in names:
        real.write(os.fsdecode(name), 9 * DAY, 10)
    real.write("stays.txt", 9 * DAY, 10)
    swept = clean(real)
    assert swept.taken.files == len(names)
    assert real.names() == {"stays.txt"}
    assert all(c.isprintable() for name in swept.names for c in name)


def test_a_tree_deeper_than_anybody_needs_is_left_and_the_rest_cleaned(real):
    fd = os.open(real.root, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    bottom = os.open("bottom.log", os.O_CREAT | os.O_WRONLY, dir_fd=fd)
    os.close(bottom)
    real.write("z/old.log", 9 * DAY)
    before = len(list(Path("/proc/self/fd").iterdir()))
    swept = clean(real)
    assert (swept.taken.files, swept.kept) == (1, {"deep": 1})
    assert os.stat("bottom.log", dir_fd=fd)
    os.close(fd)
    assert len(list(Path("/proc/self/fd").iterdir())) < before, "no descriptor is left open"


def test_healmons_own_directory_below_a_rule_is_never_entered(real):
    real.write("state/own.log", 9 * DAY)
    real.write("a.log", 9 * DAY)
    clean(real, real.selection(protected=(f"{real.root}/state",)))
    assert real.names() == {"state/own.log"}


def test_a_quarantine_made_by_somebody_else_is_not_used(real, monkeypatch):
    real.write("a.log", 9 * DAY)
    Path(real.root, f".healmon-trash-{os.geteuid()}").mkdir(mode=0o777)
    Path(real.root, f".healmon-trash-{os.geteuid()}").chmod(0o777)
    swept = clean(real)
    assert swept.taken.files == 0
    assert "no place" in swept.troubles[0]
    assert real.names() == {"a.log"}


# only the real ones: killed in between

KILLED = """
import os, signal, sys, time
from healmon.world import fileages
from healmon.world.filedata import Choice, Limits, Selection
from healmon.world.files import SystemFiles
root, state, now, swap = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]
selection = Selection(rule="logs", roots=(root,), patterns=("*.log",), older_than=86400.0,
                      protected=(state,), trash=state + "/trash")
rename = os.rename
def and_die(*args, **keys):
    if swap:
        rename(swap, root + "/a.log")
    rename(*args, **keys)
    os.kill(os.getpid(), signal.SIGKILL)
os.rename = and_die
SystemFiles().sweep(selection, Choice(), "delete", now, Limits(seconds=600.0), lambda: False)
"""


@pytest.mark.slow
@pytest.mark.parametrize("place", ["state", "root"])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_kill_between_rename_and_unlink_is_finished_by_the_next_run(
    real, tmp_path, place, swapped
):
    if place == "state":
        real.files.make_trash(f"{real.state}/trash")
    real.write("a.log", 9 * DAY)
    stranger = tmp_path / "stranger"
    stranger.write_bytes(b"not judged")
    program = subprocess.run(
        [sys.executable, "-c", KILLED, real.root, real.state, str(real.now),
         str(stranger) if swapped else ""],
        env={**os.environ, "PYTHONPATH": str(CORE)}, timeout=300, check=False,
    )  # fmt: skip
    assert program.returncode == -signal.SIGKILL
    assert real.names() == set(), "it lies aside"
    asides = real.files.asides(real.selection())
    assert asides.leftovers == 1
    done = real.files.finish(real.selection())
    assert (done.removed, done.restored) == ((0, 1) if swapped else (1, 0))
    assert real.files.asides(real.selection()).leftovers == 0
    if swapped:
        assert Path(real.root, "a.log").read_bytes() == b"not judged"
    else:
        assert real.names() == set()
    assert real.files.finish(real.selection()).removed == 0


def test_a_leftover_that_is_in_use_again_is_not_removed(real):
    real.write("a.log", 9 * DAY)
    program = subprocess.run(
        [sys.executable, "-c", KILLED, real.root, real.state, str(real.now), ""],
        env={**os.environ, "PYTHONPATH": str(CORE)}, timeout=300, check=False,
    )  # fmt: skip
    assert program.returncode == -signal.SIGKILL
    (aside,) = Path(real.root, f".healmon-trash-{os.geteuid()}").glob("d.*")
    with aside.open():
        done = SystemFiles().finish(real.selection())
    assert done.removed == 0
    assert real.names() == {"a.log"} or done.troubles


# only the real ones: is it in use


def test_a_list_of_open_files_is_complete_or_none(real):
    real.write("a.log", DAY)
    real.hold("a.log", "append")
    listed = fileuse.files_in_use()
    key = filecalls.inode_of(Path(real.root, "a.log").stat()).key
    assert listed is None or key in listed


def test_without_leases_and_without_a_complete_list_everything_stays(real, monkeypatch):
    real.write("a.log", 9 * DAY)
    monkeypatch.setattr(fileuse, "_leased", lambda _: "unknown")
    monkeypatch.setattr(fileuse, "files_in_use", lambda: None)
    assert clean(real).kept == {"unknown": 1}
    assert real.names() == {"a.log"}


def test_without_leases_a_complete_list_decides(real, monkeypatch):
    real.write("free.log", 9 * DAY)
    real.write("held.log", 9 * DAY)
    held = filecalls.inode_of(Path(real.root, "held.log").stat()).key
    monkeypatch.setattr(fileuse, "_leased", lambda _: "unknown")
    monkeypatch.setattr(fileuse, "files_in_use", lambda: frozenset({held}))
    assert clean(real).kept == {"open": 1}
    assert real.names() == {"held.log"}


@pytest.mark.parametrize("slots", [True, False])
def test_without_leases_who_opens_it_after_the_list_was_made_keeps_it(real, monkeypatch, slots):
    """A list is believed for a second; what has left its name is looked for on one more."""
    for name in ("came.log", "free.log"):
        real.write(name, 9 * DAY)
    came = filecalls.inode_of(Path(real.root, "came.log").stat()).key
    lists = iter([frozenset[tuple[int, int]]()])
    monkeypatch.setattr(fileuse, "_leased", lambda _: "unknown")
    monkeypatch.setattr(fileuse, "files_in_use", lambda: next(lists, frozenset({came})))
    if not slots:
        monkeypatch.setattr(quarantine.Quarantine, "open_slots", lambda _: None)
    assert clean(real).kept == {"open": 1}
    assert real.names() == {"came.log"}


def test_leases_that_are_granted_to_everybody_are_not_believed(real, monkeypatch):
    real.write("a.log", 9 * DAY)
    real.hold("a.log", "append")
    monkeypatch.setattr(fileuse, "_leased", lambda _: "leased")
    monkeypatch.setattr(fileuse, "files_in_use", lambda: None)
    assert clean(real).kept == {"unknown": 1}
    assert real.names() == {"a.log"}
