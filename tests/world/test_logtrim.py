"""Output logs: kept small under a worker's hands, without a line lost."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from healmon.world import fileranges, logtrim
from tests.helpers.shimfarm import PYTHON

LINE = re.compile(rb"^line (\d+) x*$")
WRITER = """
import os, sys
out = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
number, lines = 0, int(sys.argv[2])
while number < lines:
    part = b"".join(b"line %d %s\\n" % (n, b"x" * (n % 97)) for n in range(number, number + 500))
    number += 500
    os.write(out, part)
"""


@pytest.fixture(params=["here", "tmpfs"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A file system that can take ranges out, mostly, and one that can only punch holes."""
    if request.param == "here":
        yield tmp_path
        return
    if not os.access("/dev/shm", os.W_OK):
        pytest.skip("no tmpfs at /dev/shm")
    place = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="healmon-test-"))
    try:
        yield place
    finally:
        shutil.rmtree(place)


def lines(count: int, start: int = 0) -> bytes:
    return b"".join(b"line %d %s\n" % (n, b"x" * (n % 97)) for n in range(start, start + count))


def numbers(data: bytes) -> list[int]:
    """Return the numbers of all lines; blank ones, and holes, are passed over."""
    found = []
    for line in data.lstrip(b"\0").split(b"\n"):
        if line.strip(b" "):
            match = LINE.fullmatch(line)
            assert match, line[:80]
            found.append(int(match[1]))
    return found


def whole_lines(path: Path) -> bytes:
    data = path.read_bytes()
    return data[: data.rfind(b"\n") + 1]


def test_the_newest_half_stays_and_the_rest_is_set_aside(folder: Path) -> None:
    log = folder / "output.log"
    log.write_bytes(lines(20_000))
    size, used = log.stat().st_size, log.stat().st_blocks
    freed = logtrim.trim(str(log), 400_000)
    if not freed:
        pytest.skip("this file system can neither take ranges out nor punch holes")
    assert 0 <= size - freed - 200_000 <= os.statvfs(folder).f_bsize
    assert log.stat().st_blocks < used
    kept, aside = numbers(log.read_bytes()), numbers((folder / "output.log.1").read_bytes())
    assert kept[-1] == 19_999
    assert kept == list(range(kept[0], 20_000))
    assert aside == list(range(aside[0], kept[0]))
    assert 390_000 < (folder / "output.log.1").stat().st_size <= 400_000 + 200
    assert (folder / "output.log.1").stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in folder.iterdir()) == ["output.log", "output.log.1"]
    # and again, behind what the first time left
    assert logtrim.trim(str(log), 400_000) == 0
    with log.open("ab") as file:
        file.write(lines(10_000, 20_000))
    assert logtrim.trim(str(log), 400_000) > 0
    again, aside = numbers(log.read_bytes()), numbers((folder / "output.log.1").read_bytes())
    assert again[-1] == 29_999
    assert aside == list(range(aside[0], again[0]))


@pytest.mark.slow
def test_a_worker_that_writes_fifty_megabytes_meanwhile_loses_no_line(folder: Path) -> None:
    log, count = folder / "output.log", 850_000
    log.touch()
    trims, seen = 0, -1
    with subprocess.Popen([*PYTHON, WRITER, str(log), str(count)]) as writer:
        running = True
        while running:
            running = writer.poll() is None
            if not logtrim.trim(str(log), 1_000_000):
                continue
            trims += 1
            aside = numbers((folder / "output.log.1").read_bytes())
            live = numbers(whole_lines(log))
            assert aside + live == list(range(aside[0], aside[0] + len(aside) + len(live)))
            assert aside[-1] > seen
            seen = aside[-1]
    assert trims
    aside, live = numbers((folder / "output.log.1").read_bytes()), numbers(log.read_bytes())
    assert live[-1] == count - 1
    assert aside + live == list(range(aside[0], count))
    assert sum(len(line) + 1 for line in lines(count).split(b"\n")) > 45_000_000
    assert log.stat().st_blocks * 512 < 8_000_000


def test_a_line_longer_than_what_stays_is_cut_but_not_lost(folder: Path) -> None:
    log = folder / "output.log"
    text = b"a" * 1_000_000
    log.write_bytes(text)
    freed = logtrim.trim(str(log), 400_000)
    assert freed > 0
    kept = log.read_bytes().lstrip(b"\0")
    assert (folder / "output.log.1").read_bytes()[-400_000:] + kept == text[-len(kept) - 400_000 :]


def test_no_log_and_a_short_one_and_no_file_at_all_stay(folder: Path) -> None:
    assert logtrim.trim(str(folder / "none"), 10) == 0
    log = folder / "output.log"
    log.write_bytes(b"x" * 4096)
    assert logtrim.trim(str(log), 4096) == 0
    assert logtrim.trim(str(log), 4095) == 0  # nothing less than a block can be freed
    os.mkfifo(folder / "fifo")
    assert logtrim.trim(str(folder / "fifo"), 0) == 0
    (folder / "link").symlink_to(log)
    with pytest.raises(OSError, match="symbolic links"):
        logtrim.trim(str(folder / "link"), 10)
    assert log.read_bytes() == b"x" * 4096


def test_where_nothing_can_be_taken_out_nothing_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "output.log"
    log.write_bytes(lines(20_000))
    monkeypatch.setattr(fileranges, "_range", lambda *_: False)
    assert logtrim.trim(str(log), 400_000) == 0
    assert log.read_bytes() == lines(20_000)


def test_without_room_for_what_is_set_aside_nothing_is_freed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, aside = tmp_path / "output.log", tmp_path / "output.log.1"
    log.write_bytes(lines(20_000))
    aside.write_bytes(b"an earlier one\n")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "sendfile", full)
    with pytest.raises(OSError, match="No space left"):
        logtrim.trim(str(log), 400_000)
    assert log.read_bytes() == lines(20_000)
    assert aside.read_bytes() == b"an earlier one\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["output.log", "output.log.1"]
