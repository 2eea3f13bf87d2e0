"""Stored evidence: the real folder, and one suite for both twins."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
import time

import pytest

from healmon.clock import SystemClock
from healmon.world import evidencefiles
from healmon.world.evidencefiles import FILE_LIMIT, EvidenceError, SystemEvidenceFiles
from healmon.world.simulated import evidencefiles as simulated
from healmon.world.simulated.evidencefiles import SimulatedEvidenceFiles


@pytest.fixture(params=["real", "simulated"])
def files(request, tmp_path):
    if request.param == "real":
        return SystemEvidenceFiles(tmp_path / "state" / "evidence")
    return SimulatedEvidenceFiles(SystemClock())


def test_what_was_written_is_read_again(files):
    assert files.read("4.5.6") is None
    files.write("4.5.6", b"one")
    files.write("4.5.6", b"two")
    assert files.read("4.5.6") == b"two"


def test_the_newest_comes_first(files):
    assert files.idents() == ()
    for ident in ("a", "b", "c"):
        files.write(ident, ident.encode())
        time.sleep(0.02)  # a file system counts its times in ticks
    files.write("a", b"again")
    assert files.idents() == ("a", "c", "b")


def test_what_is_too_old_goes_and_nothing_else(files):
    files.write("a", b"x")
    files.prune(time.time() - 60)
    assert files.idents() == ("a",)
    files.prune(time.time() + 60)
    assert files.idents() == ()


@pytest.mark.parametrize("name", ["../x", "", "a/b", ".hidden", "a\n", "x" * 200])
def test_only_ids_are_names(files, name):
    with pytest.raises(EvidenceError):
        files.write(name, b"x")
    with pytest.raises(EvidenceError):
        files.read(name)


def test_there_is_a_limit_to_one(files):
    with pytest.raises(EvidenceError, match="more than"):
        files.write("a", b"x" * (FILE_LIMIT + 1))
    assert files.read("a") is None


def test_the_oldest_of_too_many_go(files, monkeypatch):
    for module in (evidencefiles, simulated):
        monkeypatch.setattr(module, "COUNT_LIMIT", 2)
    for ident in ("a", "b", "c"):
        files.write(ident, b"x")
        time.sleep(0.02)
    files.prune(0.0)
    assert files.idents() == ("c", "b")


def test_the_oldest_of_too_many_bytes_go(files, monkeypatch):
    for module in (evidencefiles, simulated):
        monkeypatch.setattr(module, "TOTAL_LIMIT", 25)
    for ident in ("a", "b", "c"):
        files.write(ident, b"x" * 10)
        time.sleep(0.02)
    files.prune(0.0)
    assert files.idents() == ("c", "b")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "evidence"


def test_nobody_else_can_read_it_whatever_the_umask(folder):
    before = os.umask(0)
    try:
        SystemEvidenceFiles(folder).write("a", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "a.json").stat().st_mode) == 0o600
    assert [p.name for p in folder.iterdir()] == ["a.json"]


def test_a_folder_that_is_open_to_others_gets_nothing(folder):
    folder.mkdir(mode=0o755)
    with pytest.raises(EvidenceError, match="open to others"):
        SystemEvidenceFiles(folder).write("a", b"x")
    assert not list(folder.iterdir())


def test_a_link_in_place_of_the_folder_or_a_file_is_not_followed(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    folder.symlink_to(elsewhere)
    with pytest.raises(EvidenceError):
        SystemEvidenceFiles(folder).write("a", b"x")
    assert not list(elsewhere.iterdir())
    folder.unlink()
    folder.mkdir(mode=0o700)
    (elsewhere / "mine").write_bytes(b"secret")
    (folder / "a.json").symlink_to(elsewhere / "mine")
    with pytest.raises(EvidenceError):
        SystemEvidenceFiles(folder).read("a")
    SystemEvidenceFiles(folder).write("a", b"x")
    assert (elsewhere / "mine").read_bytes() == b"secret"


def test_what_a_killed_healmon_left_half_is_no_evidence_and_no_hindrance(folder):
    files = SystemEvidenceFiles(folder)
    files.write("a", b"old")
    (folder / ".a.json.new").write_bytes(b"ha")
    assert files.idents() == ("a",)
    files.write("a", b"new")
    assert files.read("a") == b"new"
    assert [p.name for p in folder.iterdir()] == ["a.json"]


FULL = """
import resource, signal, sys
from pathlib import Path
from healmon.world.evidencefiles import EvidenceError, SystemEvidenceFiles
files = SystemEvidenceFiles(Path(sys.argv[1]))
files.write("a", b"old")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
try:
    files.write("a", b"x" * 1000)
except EvidenceError as error:
    print("refused:", error)
print(files.read("a"))
"""


def test_where_no_byte_more_can_be_written_the_old_evidence_stays(folder):
    assert resource.RLIMIT_FSIZE
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(folder)], capture_output=True, text=True, timeout=60
    )
    assert "refused: evidence cannot be stored" in done.stdout, done.stderr
    assert "b'old'" in done.stdout
    assert [p.name for p in folder.iterdir()] == ["a.json"]
