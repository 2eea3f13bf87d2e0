"""What rules must spare, how much goes at once, and what must stand before a file may go."""

from __future__ import annotations

import gzip
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import healmon.world
from healmon.world import filecontent, packing, saving, squeezing
from healmon.world.fileages import Allowance
from healmon.world.filedata import Choice, Limits, Swept
from healmon.world.filematch import OPT_OUT
from healmon.world.manifest import read_line
from healmon.world.squeezing import SUFFIXES
from healmon.world.zstdstream import zstd
from tests.helpers.filestage import DAY, SIZE, MadeUpStage, RealStage
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
    yield made
    made.close()


def sweep(
    stage: RealStage | MadeUpStage, deed: str = "delete", choice: Choice | None = None, **keys
) -> Swept:
    selection = stage.selection(**keys)
    found = choice or Choice()
    return stage.files.sweep(selection, found, deed, stage.now, FAR, lambda: False)


# the contract


def test_the_newest_of_each_directory_stay(stage):
    for n in range(5):
        stage.write(f"{n}.log", (n + 3) * DAY)
        stage.write(f"in/{n}.log", (n + 3) * DAY)
    stage.write("0.txt", DAY)
    survey = stage.files.survey(stage.selection(keep_newest=2), stage.now, FAR)
    assert (survey.due.files, survey.kept["newest"]) == (6, 4)
    assert sweep(stage, keep_newest=2).taken.files == 6
    assert stage.names() == {"0.log", "1.log", "in/0.log", "in/1.log", "0.txt"}
    assert sweep(stage, keep_newest=2).taken.files == 0


def test_the_newest_count_even_when_they_are_young(stage):
    stage.write("young.log", 0)
    stage.write("old.log", 9 * DAY)
    assert sweep(stage, keep_newest=1).taken.files == 1
    assert stage.names() == {"young.log"}


@pytest.mark.parametrize(
    ("keys", "kept", "left"),
    [
        ({"larger_than": 2000}, {"small": 2}, {"1.log", "2.log"}),
        ({"smaller_than": 2000}, {"large": 2}, {"2.log", "3.log"}),
        ({"larger_than": 1000, "smaller_than": 3000}, {"small": 1, "large": 1}, {"1.log", "3.log"}),
    ],
)
def test_only_files_of_the_wanted_sizes_go(stage, keys, kept, left):
    for n in (1, 2, 3):
        stage.write(f"{n}.log", 9 * DAY, n * 1000)
    survey = stage.files.survey(stage.selection(**keys), stage.now, FAR)
    assert survey.kept == kept
    assert sweep(stage, **keys).taken.files == 3 - len(left)
    assert stage.names() == left


def test_only_files_of_the_wanted_owners_go(stage):
    if isinstance(stage, RealStage) and os.geteuid():
        pytest.skip("only root may give files away")
    for n in (0, 1, 2):
        stage.write(f"{n}.log", 9 * DAY)
        stage.own(f"{n}.log", 1000 + n)
    keys = {"owners": (1000, 1002)}
    survey = stage.files.survey(stage.selection(**keys), stage.now, FAR)
    assert (survey.due.files, survey.kept) == (2, {"other owner": 1})
    assert sweep(stage, **keys).taken.files == 2
    assert stage.names() == {"1.log"}


def test_a_directory_that_opts_out_stays_whole(stage):
    stage.write("a.log", 9 * DAY)
    stage.write(f"kept/{OPT_OUT}", DAY, 1)
    stage.write("kept/a.log", 9 * DAY)
    stage.write("kept/deeper/a.log", 9 * DAY)
    assert sweep(stage).taken.files == 1
    assert stage.names() == {f"kept/{OPT_OUT}", "kept/a.log", "kept/deeper/a.log"}
    stage.write("a.log", 9 * DAY)
    stage.write(OPT_OUT, DAY, 1)
    assert sweep(stage).taken.files == 0, "the rule's own directory may opt out too"


def test_a_place_below_what_opts_out_stays_whole(stage):
    """`.healmon-keep` keeps all below it, from rules too that name a place further down."""
    stage.write("in/deep/a.log", 9 * DAY)
    stage.write(f"in/{OPT_OUT}", DAY, 1)
    assert sweep(stage, roots=(f"{stage.root}/in/deep",)).taken.files == 0
    assert "in/deep/a.log" in stage.names()


@pytest.mark.parametrize("barred", ["data", "da*"])
def test_a_place_below_an_excluded_directory_is_not_entered_for_a_budget_there(stage, barred):
    """A rule for /srv that excludes `data` frees nothing for a budget of /srv/data/app."""
    stage.write("data/app/a.log", 9 * DAY)
    stage.write("b.log", 9 * DAY)
    below = {"roots": (f"{stage.root}/data/app",), "named": (stage.root,)}
    swept = sweep(stage, exclude=(barred,), **below)
    assert (swept.taken.files, stage.names()) == (0, {"data/app/a.log", "b.log"})
    named = {**below, "named": (stage.root, f"{stage.root}/data")}
    assert sweep(stage, exclude=(barred,), **named).taken.files == 1, "it names a place below, too"


def test_a_place_below_another_name_of_a_protected_directory_is_not_entered(real, tmp_path):
    real.write("in/a.log", 9 * DAY)
    (tmp_path / "keep").symlink_to(real.root)
    survey = real.files.survey(
        real.selection(roots=(f"{real.root}/in",), protected=(f"{tmp_path}/keep",)), real.now, FAR
    )
    assert (survey.due.files, survey.kept) == (0, {"protected": 1})


def test_protected_files_and_directories_stay(stage):
    for name in ("a.log", "b.log", "in/a.log"):
        stage.write(name, 9 * DAY)
    protected = (f"{stage.root}/b.log", f"{stage.root}/in")
    assert sweep(stage, protected=protected).taken.files == 1
    assert stage.names() == {"b.log", "in/a.log"}


@pytest.mark.parametrize(
    "choice", [Choice(most_files=3), Choice(most_held=3 * SIZE), Choice(most_held=4 * SIZE - 1)]
)
def test_no_more_goes_than_may_go_at_once(stage, choice):
    for n in range(10):
        stage.write(f"{n}.log", (n + 2) * DAY)
    swept = sweep(stage, choice=choice)
    assert swept.taken.files == 3
    assert swept.kept == {"over the limit of one run": 7}
    assert len(stage.names()) == 7


@given(
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=40),
    st.builds(Choice, st.integers(0, 99), st.integers(0, 99), st.integers(0, 99),
              st.integers(0, 9), st.integers(0, 9), st.integers(0, 300)),
)  # fmt: skip
def test_an_allowance_is_never_overdrawn(files, choice):
    allowance, gone = Allowance(choice), []
    for newest, held in files:
        if allowance.takes(newest, held):
            allowance.went(newest, held)
            gone.append(held)
    assert len(gone) <= choice.most_files
    assert sum(gone) <= choice.most_held


def test_compressing_leaves_a_smaller_twin_and_no_plain_file(stage):
    stage.write("a.log", 9 * DAY)
    stage.write("old.log.gz", 9 * DAY)
    if isinstance(stage, RealStage):
        text(stage, "a.log")
    keys = {"patterns": ("*.log", "*.gz"), "compress": True}
    survey = stage.files.survey(stage.selection(**keys), stage.now, FAR)
    assert (survey.due.files, survey.kept["compressed"]) == (1, 1)
    swept = sweep(stage, "compress", **keys)
    assert swept.taken.files == 1
    assert 0 < swept.taken.held < SIZE
    assert stage.names() == {"a.log.gz", "old.log.gz"}


@given(st.binary(max_size=3000), st.integers(1, 500), st.sampled_from(sorted(SUFFIXES)), st.data())
def test_what_is_compressed_reads_back_and_a_broken_one_is_seen(plain, step, how, data):
    squeeze = squeezing.squeezer(how)
    parts = [plain[at : at + step] for at in range(0, len(plain), step)]
    packed = b"".join(map(squeeze.compress, parts)) + squeeze.flush()

    def read(stream: bytes) -> bytes:
        cut = (stream[at : at + step] for at in range(0, len(stream), step))
        return b"".join(squeezing.expanded(cut, how))

    assert read(packed) == plain
    for broken in (packed[: data.draw(st.integers(0, len(packed) - 1))], packed + b"x"):
        with pytest.raises(filecontent.DamagedError):
            read(broken)


def test_without_the_library_nothing_is_touched(real, monkeypatch):
    real.write("a.log", 9 * DAY)
    text(real, "a.log")
    monkeypatch.setitem(sys.modules, "healmon.world.zstdstream", None)
    monkeypatch.delattr(healmon.world, "zstdstream")
    assert pack(real, "zstd").kept == {"not compressed": 1}
    assert real.names() == {"a.log"}


# only the real ones: compressing


def text(real: RealStage, name: str, size: int = SIZE) -> bytes:
    """Give a file a content that can be compressed; returns it."""
    path, content = Path(real.root, name), (b"a line of a log\n" * (size // 16))[:size]
    path.write_bytes(content)
    os.utime(path, (real.now - 9 * DAY,) * 2)
    return content


def pack(real: RealStage, how: str = "gzip") -> Swept:
    return sweep(real, "compress", compress=True, compression=how)


def unpacked(path: Path) -> bytes:
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    return zstd.decompress(path.read_bytes())


@pytest.mark.parametrize("how", SUFFIXES)
def test_a_twin_has_the_content_owner_mode_and_times_of_the_file(real, how):
    real.write("a.log", 9 * DAY)
    content, path = text(real, "a.log", 3_000_001), Path(real.root, "a.log")
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 12, 34)
    before = path.stat()
    assert pack(real, how).taken.files == 1
    twin = Path(real.root, f"a.log{SUFFIXES[how]}")
    assert unpacked(twin) == content
    after = twin.stat()
    for name in ("st_uid", "st_gid", "st_mode", "st_mtime_ns"):
        assert getattr(after, name) == getattr(before, name), name
    assert after.st_size < before.st_size


def test_what_is_in_use_or_does_not_shrink_or_has_no_place_stays(real):
    for name in ("held.log", "random.log", "taken.log"):
        real.write(name, 9 * DAY)
    text(real, "held.log")
    content = text(real, "taken.log")
    Path(real.root, "taken.log.gz").write_bytes(b"somebody's")
    real.hold("held.log", "append")
    assert pack(real).kept == {"open": 1, "does not shrink": 1, "name taken": 1}
    assert real.names() == {"held.log", "random.log", "taken.log", "taken.log.gz"}
    assert Path(real.root, "taken.log").read_bytes() == content
    assert Path(real.root, "taken.log.gz").read_bytes() == b"somebody's"


def test_a_planted_link_of_the_twins_name_is_not_followed(real, tmp_path):
    real.write("a.log", 9 * DAY)
    text(real, "a.log")
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    Path(real.root, "a.log.gz").symlink_to(victim)
    assert pack(real).kept == {"name taken": 1}
    assert victim.read_bytes() == b"precious"
    assert "a.log" in real.names()


@pytest.mark.parametrize("how", SUFFIXES)
def test_a_twin_that_reads_back_wrong_is_never_believed(real, monkeypatch, how):
    real.write("a.log", 9 * DAY)
    content, write, first = text(real, "a.log"), filecontent.write, []

    def flipped(fd, data):
        if not first and len(data) > 30:
            first.append(1)
            data = data[:20] + bytes([data[20] ^ 1]) + data[21:]
        write(fd, data)

    monkeypatch.setattr(filecontent, "write", flipped)
    assert pack(real, how).kept == {"not verified": 1}
    assert first
    assert real.names() == {"a.log"}
    assert Path(real.root, "a.log").read_bytes() == content


@pytest.mark.parametrize(
    "spoil", [lambda b: b[:-3], lambda b: b + b"x", lambda b: b"", bytes.upper]
)
def test_only_a_whole_gzip_file_and_nothing_more_is_a_content(tmp_path, spoil):
    path = tmp_path / "a.gz"
    whole = gzip.compress(b"hello" * 1000)
    path.write_bytes(whole)
    with path.open("rb") as file:
        assert packing.content_of(file.fileno()) == hashlib.sha256(b"hello" * 1000).hexdigest()
    path.write_bytes(spoil(whole))
    with path.open("rb") as file:
        assert packing.content_of(file.fileno()) == ""


# only the real ones: a backup first


def save(real: RealStage, place: Path) -> Swept:
    return sweep(real, backup=str(place))


def test_a_file_goes_once_its_copy_was_read_back(real, tmp_path):
    place = tmp_path / "backup"
    place.mkdir()
    real.write("in/a\nb.log", 9 * DAY)
    path = Path(real.root, "in/a\nb.log")
    content, before = path.read_bytes(), path.stat()
    assert save(real, place).taken.files == 1
    assert real.names() == set()
    (line,) = (place / saving.MANIFEST).read_bytes().splitlines()
    record = read_line(line)
    assert record is not None
    assert record.path == str(path)
    assert record.digest == hashlib.sha256(content).hexdigest()
    copy = place / record.entry
    assert copy.read_bytes() == content
    assert (copy.stat().st_mode, copy.stat().st_mtime_ns) == (before.st_mode, before.st_mtime_ns)


def test_the_same_name_with_another_content_is_another_copy(real, tmp_path):
    place = tmp_path / "backup"
    place.mkdir()
    for _ in range(2):
        real.write("a.log", 9 * DAY)
        assert save(real, place).taken.files == 1
    assert len(list(place.glob("*a.log.*"))) == 2


def test_every_copy_is_written_down_also_behind_a_line_that_a_full_disk_cut(real, tmp_path):
    place = tmp_path / "backup"
    place.mkdir()
    (place / "healmon-manifest").write_bytes(b'["cut sho')
    # the same content, and the same end of a long path
    long = "x" * 120 + "/" + "y" * 120
    names = {f"{who}/{long}/a.log" for who in "ab"}
    for name in names:
        real.write(name, 9 * DAY)
        Path(real.root, name).write_bytes(b"the same\n" * 999)
    assert sweep(real, backup=str(place)).taken.files == 2
    records = map(read_line, (place / "healmon-manifest").read_bytes().split(b"\n"))
    found = {one.path: place / one.entry for one in records if one is not None}
    assert found.keys() == {f"{real.root}/{name}" for name in names}
    assert all(copy.read_bytes() == b"the same\n" * 999 for copy in found.values())


def test_a_backup_on_the_very_file_system_that_is_full_keeps_the_file(real, tmp_path):
    """The mount point of what is not mounted: copies there free nothing and are hidden later."""
    place = tmp_path / "backup"
    place.mkdir()
    real.write("a.log", 9 * DAY)
    device = place.stat().st_dev
    swept = sweep(real, backup=str(place), device=device)
    assert swept.kept == {"unsaved": 1}
    assert "is it mounted?" in swept.troubles[0]
    assert not list(place.iterdir())
    assert real.names() == {"a.log"}
    assert sweep(real, backup=str(place)).taken.files == 1, "a budget becomes smaller all the same"


def test_without_a_verified_copy_the_file_stays(real, tmp_path, monkeypatch):
    real.write("a.log", 9 * DAY)
    assert save(real, tmp_path / "none").kept == {"unsaved": 1}
    place = tmp_path / "backup"
    place.mkdir()
    (tmp_path / "link").symlink_to(place)
    assert save(real, tmp_path / "link").kept == {"unsaved": 1}
    write = filecontent.write

    def flipped(fd, data):
        write(fd, bytes([data[0] ^ 1]) + data[1:])

    monkeypatch.setattr(filecontent, "write", flipped)
    assert save(real, place).kept == {"unsaved": 1}
    monkeypatch.undo()
    assert not list(place.glob("*a.log.*"))
    digest = hashlib.sha256(Path(real.root, "a.log").read_bytes()).hexdigest()
    (place / saving.name_of(f"{real.root}/a.log", digest)).write_bytes(b"not it")
    assert save(real, place).kept == {"unsaved": 1}, "existence proves nothing"
    assert real.names() == {"a.log"}


# killed at every step

STEPS = """
import os, signal, sys
from healmon.world.filedata import Choice, Limits, Selection
from healmon.world.files import SystemFiles
root, state, now, what, place, at = *sys.argv[1:3], float(sys.argv[3]), *sys.argv[4:6], int(sys.argv[6])
selection = Selection(rule="logs", roots=(root,), patterns=("*.log",), older_than=86400.0,
                      protected=(state,), compress=what == "compress",
                      backup=place if what == "backup" else "")
count = 0
def step():
    global count
    count += 1
    if count == at:
        os.kill(os.getpid(), signal.SIGKILL)
def stepped(name):
    inner = getattr(os, name)
    def call(*args, **keys):
        step()
        done = inner(*args, **keys)
        step()
        return done
    setattr(os, name, call)
for name in ("rename", "unlink", "write", "fsync", "link", "fchmod"):
    stepped(name)
deed = "compress" if what == "compress" else "delete"
SystemFiles().sweep(selection, Choice(), deed, now, Limits(seconds=600.0), lambda: False)
"""  # noqa: E501 - a program


def contents(real: RealStage, place: Path) -> set[bytes]:
    """Every content that is whole somewhere: plain, compressed, aside, saved."""
    found = set()
    files = [*Path(real.root).rglob("*"), *place.iterdir()]
    for path in files:
        if path.is_file():
            data = path.read_bytes()
            found.add(gzip.decompress(data) if path.suffix == ".gz" else data)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("what", ["compress", "backup"])
def test_a_kill_at_any_step_keeps_each_content_and_the_next_run_ends_it(real, tmp_path, what):
    place = tmp_path / "backup"
    place.mkdir()
    wanted = set()
    for n in range(2):
        real.write(f"{n}.log", 9 * DAY)
    with ForkKiller(STEPS) as killer:
        for at in range(1, 200):
            for n in range(2):
                wanted.add(text(real, f"{n}.log", SIZE + n))
            killed = killer.died(real.root, real.state, real.now, what, place, at)
            assert wanted <= contents(real, place), f"step {at}"
            deed = "compress" if what == "compress" else "delete"
            keys = {"compress": True} if what == "compress" else {"backup": str(place)}
            assert not real.files.finish(real.selection()).troubles
            again = sweep(real, deed, trash="", **keys)
            assert not again.kept, f"step {at}"
            assert wanted <= contents(real, place)
            left = {"0.log.gz", "1.log.gz"} if what == "compress" else set()
            assert real.names() == left, f"step {at}"
            assert len(list(place.glob("*.log.*"))) == (0 if what == "compress" else 2)
            for path in [*Path(real.root).glob("*.gz"), *place.iterdir()]:
                path.unlink()
            if not killed:
                assert at > 5
                return
    pytest.fail("it never came to its end")
