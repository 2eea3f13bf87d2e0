"""Somebody swaps names below a cleaner ten thousand times: nothing that was not judged is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from healmon.world import filecalls
from healmon.world.filedata import Choice, Limits, Swept
from tests.helpers.attacker import NOBODY, Attacker, built
from tests.helpers.filestage import DAY, RealStage

pytestmark = pytest.mark.slow

SWAPS = 10_000
PASSES = 150
"""Least passes of the cleaner under attack, as the attacker is the faster one."""
FILES = 60
FAR = Limits(1_000_000, 600.0)
CORE = Path(__file__).parents[2] / "core"
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount or change users")


@pytest.fixture
def base() -> Iterator[Path]:
    # pytest's own directories are closed to other users
    with tempfile.TemporaryDirectory(prefix="hm") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def real(base: Path) -> Iterator[RealStage]:
    made = RealStage(base)
    Path(made.root).chmod(0o777)
    if os.geteuid() == 0:
        os.chown(made.root, NOBODY, NOBODY)
    yield made
    made.close()


def sweep(stage: RealStage) -> Swept:
    return stage.files.sweep(
        stage.selection(), Choice(), "delete", stage.now, FAR, lambda: False
    )  # everything that is due goes


def precious(base: Path) -> Path:
    victim = base / "victim"
    victim.mkdir()
    for n in range(FILES):
        (victim / f"{n}.log").write_bytes(b"precious")
        os.utime(victim / f"{n}.log", (0, 0))
    return victim


def unharmed(victim: Path) -> bool:
    return {p.read_bytes() for p in victim.iterdir()} == {b"precious"} and (
        len(list(victim.iterdir())) == FILES
    )


def refill(stage: RealStage, *folders: Path) -> None:
    """Put old files where the attacker's real directory is now: the swaps go on meanwhile."""
    for folder in folders:
        try:
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue
        for n in range(FILES):
            file = os.open(f"{n}.log", os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=fd)
            os.write(file, b"old")
            os.utime(file, (stage.now - 9 * DAY, stage.now - 9 * DAY))
            os.close(file)
        os.close(fd)


@pytest.mark.parametrize("openat2", [True, False])
def test_a_directory_exchanged_for_a_link_to_a_strangers(real, base, monkeypatch, openat2):
    if not openat2:
        monkeypatch.setattr(filecalls, "has_openat2", lambda: False)
    victim = precious(base)
    inside, link = Path(real.root, "in"), Path(real.root, "link")
    inside.mkdir()
    link.symlink_to(victim)
    taken = passes = 0
    with Attacker(built(base), "exchange", inside, link, root=False) as attacker:
        while attacker.swaps < SWAPS or passes < PASSES:
            passes += 1
            refill(real, inside, link)
            taken += sweep(real).taken.files
            assert unharmed(victim)
    assert unharmed(victim)
    assert taken, "it did clean meanwhile"


def test_a_file_exchanged_for_a_fresh_one(real, base):
    old, fresh = Path(real.root, "a.log"), Path(real.root, "fresh")
    fresh.write_bytes(b"fresh")
    number = fresh.stat().st_ino
    os.utime(fresh, (real.now, real.now))
    taken = passes = 0
    with Attacker(built(base), "exchange", old, fresh, root=False) as attacker:
        while attacker.swaps < SWAPS or passes < 10 * PASSES:
            passes += 1
            # the old one may be under either name, when it is there
            for name in ("a.log", "fresh"):
                try:
                    fd = os.open(f"{real.root}/{name}", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
                except FileExistsError:
                    continue
                os.utime(fd, (real.now - 9 * DAY, real.now - 9 * DAY))
                os.close(fd)
            swept = sweep(real)
            taken += swept.taken.files
            assert not swept.troubles
    assert number in {p.stat().st_ino for p in Path(real.root).iterdir()}
    assert taken


def test_two_directories_exchanged_while_one_of_them_is_cleaned(real, base):
    inside, other = Path(real.root, "in"), base / "other"
    inside.mkdir()
    other.mkdir()
    for folder in (inside, other):
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
    base.chmod(0o777)
    (other / "keep.txt").write_bytes(b"not named by the rule")
    for n in range(FILES):
        (other / f"{n}.log").write_bytes(b"young")
        os.utime(other / f"{n}.log", (real.now, real.now))
    with Attacker(built(base), "exchange", inside, other, root=False) as attacker:
        for _ in range(PASSES):
            sweep(real)
        while attacker.swaps < SWAPS:
            sweep(real)
    found = [p for folder in (inside, other) for p in folder.iterdir()]
    young = [p for p in found if p.suffix == ".log" and p.read_bytes() == b"young"]
    assert len(young) == FILES
    assert (len([p for p in found if p.name == "keep.txt"])) == 1


@pytest.mark.parametrize("per_second", [0, 1000])
def test_a_directory_moved_elsewhere_while_it_is_cleaned_keeps_the_rest(real, base, per_second):
    """A descriptor goes along with it: what was saved from a rule must not go after all."""
    for n in range(200):
        real.write(f"in/deep/{n}.log", 9 * DAY, 3)
    calls, saved = iter(range(10_000)), base / "saved"

    def at_some_time() -> bool:
        if next(calls) == 12:
            Path(real.root, "in").rename(saved)
        return False

    limits = Limits(1_000_000, 60.0, per_second)
    selection = real.selection()
    swept = real.files.sweep(selection, Choice(), "delete", real.now, limits, at_some_time)
    left = len(list(saved.rglob("*.log")))
    assert left == 200 - swept.taken.files
    assert swept.kept.keys() == {"moved"}
    assert left > (180 if per_second else 100), "but those that were in hand"


MOUNTED = """
import sys
from pathlib import Path
from tests.world import test_files_attacked as t
from tests.helpers.attacker import Attacker
from tests.helpers.filestage import RealStage
base, program = Path(sys.argv[1]), Path(sys.argv[2])
stage = RealStage(base)
victim, inside = t.precious(base), Path(stage.root, "in")
inside.mkdir()
taken = 0
with Attacker(program, "mount", victim, inside, root=True) as attacker:
    while attacker.swaps < t.SWAPS or not taken:
        for n in range(9):
            stage.write(f"{n}.log", 9 * t.DAY, 3)
        taken += t.sweep(stage).taken.files
        assert t.unharmed(victim)
print("unharmed")
"""

STILL = """
import subprocess, sys
from pathlib import Path
from tests.world import test_files_attacked as t
from tests.helpers.filestage import RealStage
stage = RealStage(Path(sys.argv[1]))
victim, inside = t.precious(Path(sys.argv[1])), Path(stage.root, "in")
inside.mkdir()
stage.write("a.log", 9 * t.DAY)
subprocess.run(["mount", "--bind", str(victim), str(inside)], check=True)
swept = t.sweep(stage)
assert t.unharmed(victim)
assert (swept.taken.files, swept.kept) == (1, {"mount": 1}), swept
print("unharmed")
"""


@ROOT_ONLY
@pytest.mark.parametrize("script", [MOUNTED, STILL])
def test_a_strangers_directory_mounted_over_one_that_is_cleaned(base, script):
    program = built(base)
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", script,
         str(base), str(program)],
        capture_output=True, text=True, timeout=300, check=False,
        cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONPATH": str(CORE)},
    )  # fmt: skip
    if "unshare" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.stdout == "unharmed\n", done.stderr


def test_a_second_name_made_while_it_is_judged_is_not_lost(real, base):
    """A hard link to a stranger's file is no file of ours, whenever it appears."""
    victim = base / "victim"
    victim.write_bytes(b"precious")
    os.utime(victim, (0, 0))
    decoy, link = Path(real.root, "a.log"), Path(real.root, "b.log")
    os.link(victim, link)
    taken = passes = 0
    with Attacker(built(base), "exchange", decoy, link, root=False) as attacker:
        while attacker.swaps < SWAPS or passes < 10 * PASSES:
            passes += 1
            for name in (decoy, link):
                try:
                    fd = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
                except FileExistsError:
                    continue
                os.utime(fd, (real.now - 9 * DAY, real.now - 9 * DAY))
                os.close(fd)
            taken += sweep(real).taken.files
    assert taken
    assert victim.read_bytes() == b"precious"
    assert victim.stat().st_nlink == 2, "its other name is where it was put"


@ROOT_ONLY
def test_a_holder_in_another_pid_namespace_and_a_running_program_are_seen(real):
    real.write("held.log", 9 * DAY)
    running = Path(real.root, "run.log")
    running.write_bytes(Path("/bin/sleep").resolve().read_bytes())
    running.chmod(0o755)
    os.utime(running, (real.now - 9 * DAY,) * 2)
    hold = "import sys; f = open(sys.argv[1], 'ab'); print('up', flush=True); sys.stdin.read()"
    away = subprocess.Popen(
        ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-c", hold,
         f"{real.root}/held.log"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    program = subprocess.Popen([str(running), "60"])
    try:
        assert away.stdout is not None
        if away.stdout.readline() != b"up\n":
            pytest.skip("no pid namespaces here")
        swept = sweep(real)
    finally:
        program.kill()
        program.wait()
        away.communicate()
    assert (swept.taken.files, swept.kept) == (0, {"open": 2})
