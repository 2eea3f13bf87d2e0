"""What crashes leave, by the numbers of the thirty situations: taken over, or left and told."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from healmon.errors import RemedyError, VetoError
from healmon.world.mending import SystemMender
from tests.helpers.dbactor import ask, whole
from tests.helpers.dbcrash import (
    crashed_wal,
    cut_checkpoint,
    damage,
    hot_journals,
    rolled_back_spill,
)
from tests.helpers.dbstory import Notebook
from tests.helpers.dbwatch import files

pytestmark = pytest.mark.slow


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_20_a_left_wal_is_taken_over_with_a_copy_beside(tmp_path, watch):
    path = tmp_path / "a.db"
    rows = crashed_wal(path)
    wal, before = Path(f"{path}-wal").read_bytes(), digest(path)
    eyes = watch(path, busy_for=0.3)
    verdict = eyes.look()
    assert (verdict.metric_value, verdict.status) == ("leftover", "healthy")
    assert digest(path) == before
    hand = Notebook()
    proof = eyes.carry_out(eyes.due(), hand)
    assert len(hand.told) == 1
    assert "quick_check ok" in proof.text
    (copy,) = eyes.copies()
    assert (copy / "a.db-wal").read_bytes() == wal
    assert digest(copy / "a.db") == before
    assert copy.stat().st_mode & 0o777 == 0o700
    assert eyes.look().metric_value == "free"
    assert not Path(f"{path}-wal").exists()
    whole(path, rows)


def test_21_nothing_is_touched_while_anybody_is_there(tmp_path, actors, watch):
    path = tmp_path / "a.db"
    crashed_wal(path)
    eyes = watch(path, busy_for=0.3)
    plan = eyes.due()
    # it comes between the plan and its moment, before and after the journal
    late = actors(path)
    before = files(path)
    with pytest.raises(VetoError, match="open"):
        eyes.carry_out(plan)
    assert files(path) == before
    assert eyes.look().plan is None
    assert not eyes.copies()
    late.does("SELECT count(*) FROM rows")
    assert eyes.look().metric_value == "free"


def test_21b_the_child_alone_refuses_a_live_database(tmp_path, actors, watch):
    """Also where healmon could not see who has it open."""
    path = tmp_path / "a.db"
    crashed_wal(path)
    idle = actors(path)
    idle.does("SELECT count(*) FROM rows")
    before = files(path)
    eyes = watch(path)
    mender = eyes.healer._doors.mender
    mended = mender.heal("a", str(path), (), "20200101T000000Z")
    assert (mended.word, mended.kept) == ("live", "")
    # refused by the fence, before anything is copied
    assert not eyes.copies()
    assert files(path) == before
    assert idle.does("SELECT count(*) FROM rows") == [[150]]


def test_a_database_with_several_names_is_left_to_its_users(tmp_path, watch):
    """Users of another name have a -wal of their own: taking over one spoils the other."""
    path = tmp_path / "a.db"
    crashed_wal(path)
    os.link(path, tmp_path / "b.db")
    before = files(path)
    eyes = watch(path, busy_for=0.3)
    eyes.look()
    verdict = eyes.look()
    assert verdict.metric_value == "leftover"
    assert verdict.plan is None
    assert [found.condition for found in verdict.findings] == ["hard-links"]
    mended = SystemMender(tmp_path / "kept").heal("a", str(path), (), "20200101T000000Z")
    assert (mended.word, "several names" in mended.text) == ("live", True)
    assert files(path) == before
    (tmp_path / "b.db").unlink()
    assert eyes.due().action == "heal_database"


@pytest.mark.parametrize("where", ["frame", "header"])
def test_22_a_damaged_wal_is_refused_kept_and_told(tmp_path, watch, where):
    path = tmp_path / "a.db"
    crashed_wal(path)
    wal = Path(f"{path}-wal")
    damage(wal, 20 if where == "header" else 32 + 24 + 4120 * 40 + 100)
    before = digest(wal), digest(path), files(path)
    eyes = watch(path, busy_for=0.3)
    with pytest.raises(RemedyError, match="damaged"):
        eyes.carry_out(eyes.due())
    assert (digest(wal), digest(path), files(path)) == before
    (copy,) = eyes.copies()
    assert digest(copy / "a.db-wal") == before[0]
    verdict = eyes.look()
    (finding,) = verdict.findings
    assert (finding.condition, finding.severity) == ("left-damaged", "CRITICAL")
    assert str(copy) in finding.message
    # not again and again
    assert verdict.plan is None
    assert eyes.look().plan is None
    assert len(eyes.copies()) == 1


def test_23_frames_of_a_rolled_back_spill_are_no_damage(tmp_path, watch):
    path = tmp_path / "a.db"
    rows = rolled_back_spill(path)
    eyes = watch(path, busy_for=0.3)
    assert "quick_check ok" in eyes.carry_out(eyes.due()).text
    whole(path, rows)


def test_24_hot_journals_are_rolled_back(tmp_path, watch):
    paths = [tmp_path / f"{number}.db" for number in range(8)]
    rows = hot_journals(paths, 3000)
    for path in paths:
        eyes = watch(path, busy_for=0.05)
        assert "hot journal rolled back" in eyes.carry_out(eyes.due()).text
        assert ask(path, "SELECT count(*) FROM rows WHERE text = 'x'") == [[rows]]
        whole(path, rows)


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace to kill a checkpoint")
@pytest.mark.parametrize("number", [2, 3, 5, 20, 60, 120, 180, 240])
def test_25_a_checkpoint_cut_short_is_finished(tmp_path, watch, number):
    path = tmp_path / "a.db"
    rows = cut_checkpoint(path, number)
    eyes = watch(path, busy_for=0.1)
    assert "quick_check ok" in eyes.carry_out(eyes.due()).text
    whole(path, rows)


def fill(folder: Path) -> Path:
    fat = folder / "fat"
    with fat.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 10):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return fat


def test_28_a_full_disk_is_waited_out_and_costs_no_row(small_disk, tmp_path, watch):
    path = small_disk / "a.db"
    rows = crashed_wal(path, 600)
    fat = fill(small_disk)
    before = files(path)
    eyes = watch(path, state=tmp_path / "state", busy_for=0.1)
    plan = eyes.due()
    with pytest.raises(VetoError, match="the disk is full: free space first"):
        eyes.carry_out(plan)
    assert files(path) == before
    # told, and not tried again and again
    verdict = eyes.look()
    assert [f.condition for f in verdict.findings] == ["left-full"]
    assert (verdict.metric_value, verdict.plan) == ("leftover", None)
    fat.unlink()
    eyes.forget_pause()
    assert "quick_check ok" in eyes.carry_out(eyes.due()).text
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM rows").fetchone() == (rows,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_full_disk_for_the_copies_is_waited_out_too(small_disk, tmp_path, watch):
    path = tmp_path / "a.db"
    rows = crashed_wal(path, 600)
    fill(small_disk)
    eyes = watch(path, state=small_disk / "state", busy_for=0.1)
    before = files(path)
    with pytest.raises(VetoError, match=r"full|No space"):
        eyes.carry_out(eyes.due())
    assert files(path) == before
    whole(path, rows)


def test_a_database_that_is_ill_is_told_until_another_takes_its_place(tmp_path, watch):
    path = tmp_path / "a.db"
    crashed_wal(path, 3000)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\0" * 4096)
    subprocess_leaves_a_wal(path)
    eyes = watch(path, busy_for=0.1)
    with pytest.raises(RemedyError, match="SQLite finds it damaged"):
        eyes.carry_out(eyes.due())
    verdict = eyes.look()
    assert [f.condition for f in verdict.findings] == ["left-corrupt"]
    assert verdict.status == "critical"
    for end in ("", "-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)
    assert eyes.look().metric_value == "missing"
    crashed_wal(path, 5)
    assert not eyes.look().findings


def subprocess_leaves_a_wal(path: Path) -> None:
    import subprocess
    import sys

    program = (
        "import sqlite3, sys, os\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('CREATE TABLE other(x)')\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(path)])


def test_copies_are_kept_a_week_and_the_newest_for_ever(tmp_path):
    from healmon.world.dbcopies import Copies

    copies = Copies(tmp_path)
    made = []
    for day in (1, 2, 3):
        folder = copies.new("a", f"2020010{day}T000000Z")
        folder.mkdir()
        (folder / "a.db-wal").write_bytes(b"x")
        os.utime(folder, (day * 86400, day * 86400))
        made.append(folder)
    stranger = made[0].parent / "notes"
    stranger.mkdir()
    assert copies.prune(8.5 * 86400) == 1
    assert [folder.exists() for folder in made] == [False, True, True]
    assert copies.prune(100 * 86400) == 1
    assert [folder.exists() for folder in made] == [False, False, True]
    assert stranger.exists()
    assert copies.new("a", "20200103T000000Z").name == "20200103T000000Z-2"


def test_something_that_crashes_again_and_again_does_not_fill_the_disk(tmp_path):
    from healmon.world.dbcopies import MOST, Copies

    copies = Copies(tmp_path)
    for number in range(MOST + 5):
        folder = copies.new("a", f"20200101T0000{number:02}Z")
        folder.mkdir()
        os.utime(folder, (number, number))
        copies.prune(number)
    kept = sorted(folder.name for folder in (tmp_path / "a").iterdir())
    assert kept == [f"20200101T0000{number:02}Z" for number in range(5, MOST + 5)]
