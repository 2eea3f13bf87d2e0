"""Small files: what others left is read with care, what we write appears whole."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from healmon.errors import ProbeError
from healmon.world import notes


@pytest.mark.parametrize(
    ("content", "pid"),
    [
        ("4711\n", 4711), ("  4711", 4711), ("4711 assigner", 4711), ("", None), ("x", None),
        ("-1", None), ("0", 0), ("47x", None), ("12345678901234567890", None), ("\n\n7", 7),
    ],
)  # fmt: skip
def test_a_pid_is_what_a_pid_file_begins_with(
    tmp_path: Path, content: str, pid: int | None
) -> None:
    path = tmp_path / "pid"
    path.write_text(content)
    assert notes.read_pid(str(path)) == pid


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    assert notes.read_small(tmp_path / "none") is None
    assert notes.read_small(tmp_path / "none" / "deeper") is None
    assert notes.read_pid(str(tmp_path / "none")) is None
    assert notes.changed_at(str(tmp_path / "none")) is None
    assert notes.tail(tmp_path / "none", 3) == ""
    assert not notes.is_file(str(tmp_path / "none"))
    assert not notes.is_file("a\0b")


def test_no_fifo_hangs_us_and_no_directory_is_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path):
        with pytest.raises(ProbeError):
            notes.read_small(path)


def test_a_name_that_no_file_can_have_is_unknown() -> None:
    with pytest.raises(ProbeError):
        notes.changed_at("a\0b")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("1")
    path.chmod(0)
    with pytest.raises(ProbeError, match="Permission denied"):
        notes.read_pid(str(path))


def test_a_file_is_never_read_beyond_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(b"1" * (notes.SMALL * 3))
    assert notes.read_small(path) == b"1" * notes.SMALL


def test_a_record_is_private_and_replaces_the_old_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "record.json"
    notes.write_record(path, b"one")
    notes.write_record(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [p.name for p in path.parent.iterdir()] == ["record.json"]


def test_a_log_is_set_aside_only_above_its_limit(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    notes.rotate(log, 10)
    log.write_text("x" * 10)
    notes.rotate(log, 10)
    assert log.exists()
    log.write_text("x" * 11)
    notes.rotate(log, 10)
    assert not log.exists()
    assert (tmp_path / "output.log.1").read_text() == "x" * 11


def test_the_last_words_are_harmless(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    log.write_bytes(b"first\n" * 5000 + b"\x1b[31mred\xff\nlast\n\n")
    assert notes.tail(log, 2) == "␛[31mred\\xff\nlast"
    assert len(notes.tail(log, 1000)) <= 4000


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("task_worker", "task_worker"), ("a b", "a b"), ("a/b", "a%2Fb"), ("..", "%2E."),
        ("ä", "%C3%A4"),
    ],
)  # fmt: skip
def test_a_worker_s_name_is_one_folder(name: str, folder: str) -> None:
    assert notes.folder_name(name) == folder


def test_a_worker_s_folder_is_as_the_guide_tells() -> None:
    guide = (Path(__file__).parents[2] / "docs/operating.md").read_text("utf-8")
    told = re.findall(r'`workers\."?([^"`]+)"?` has\s`workers/([^`]+)/`', guide)
    assert [name for name, _ in told] == ["mail", "mail (süd)"]
    assert all(notes.folder_name(name) == folder for name, folder in told)


def test_a_text_is_found_from_an_offset_on_and_looked_for_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"listening\nold\n")
    found, place = notes.find_text(log, b"listening", 14)
    assert (found, place) == (False, 14 - 8)
    with log.open("ab") as file:
        file.write(b"x" * 300_000 + b"list")
    found, place = notes.find_text(log, b"listening", 14)
    assert not found
    with log.open("ab") as file:
        file.write(b"ening on 8080\n")
    assert notes.find_text(log, b"listening", place)[0], "also when it came in two pieces"
    assert notes.find_text(log, b"listening", 0)[0]
    assert not notes.find_text(log, b"listening", log.stat().st_size)[0]


def test_a_text_across_the_edge_of_what_is_read_at_once_is_found(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for start in range((1 << 18) - 8, (1 << 18) + 2):
        log.write_bytes(b"." * start + b"ready" + b"." * 10)
        assert notes.find_text(log, b"ready", 0)[0]


def test_a_log_that_was_begun_anew_is_read_whole(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"ready\n")
    assert notes.find_text(log, b"ready", 1000)[0]
    assert notes.find_text(tmp_path / "none", b"ready", 10) == (False, 0)


def test_only_so_much_is_read_at_once_and_the_rest_next_time(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"." * 1000 + b"ready")
    place = 0
    for _ in range(20):
        found, place = notes.find_text(log, b"ready", place, limit=100)
        if found:
            return
    pytest.fail("never found")


def test_sizes_are_told_and_nothing_is_none(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"12345")
    assert notes.size_of(tmp_path / "log") == 5
    assert notes.size_of(tmp_path / "none") == 0
