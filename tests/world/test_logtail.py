"""The end of a log, read without following anything."""

from __future__ import annotations

import os

import pytest

from healmon.errors import ProbeError
from healmon.world.logtail import end_of


def test_the_end_is_read_and_what_is_before_it_is_known_of(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"x" * 100)
    found = end_of(log, 30)
    assert (found.data, found.size, found.whole) == (b"x" * 30, 100, False)
    whole = end_of(log)
    assert whole.whole
    assert whole.data == b"x" * 100
    assert abs(whole.written - log.stat().st_mtime) < 0.01


def test_no_log_is_none_and_an_empty_one_is_empty(tmp_path):
    assert end_of(tmp_path / "none") is None
    (tmp_path / "empty").touch()
    assert end_of(tmp_path / "empty").data == b""


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_what_is_no_log_is_not_read(tmp_path, kind):
    target = tmp_path / "secret"
    target.write_text("secret")
    log = tmp_path / "log"
    if kind == "link":
        log.symlink_to(target)
    elif kind == "fifo":
        os.mkfifo(log)
    else:
        log.mkdir()
    with pytest.raises(ProbeError):
        end_of(log)


def test_the_hole_that_a_trim_left_is_no_text(tmp_path):
    log = tmp_path / "log"
    with log.open("wb") as file:
        file.truncate(1 << 20)
        file.seek(1 << 20)
        file.write(b"after the hole\n")
    found = end_of(log, 1 << 19)
    assert found.data.lstrip(b"\x00") == b"after the hole\n"
