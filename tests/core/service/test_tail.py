"""The newest lines of a worker, as they may be shown."""

from __future__ import annotations

import pytest

from healmon.service.tail import MOST, tail, told_of
from healmon.world.sgr import Run, plain


def log_of(tmp_path, name="w"):
    folder = tmp_path / "workers" / name
    folder.mkdir(parents=True)
    return folder / "output.log"


def test_the_newest_lines_come_last_and_more_is_told(tmp_path):
    log_of(tmp_path).write_text("".join(f"line {n}\n" for n in range(300)))
    seen = tail(tmp_path, "w", 3)
    assert seen.lines == ("line 297", "line 298", "line 299")
    assert seen.more
    assert seen.at
    assert seen.written
    whole = tail(tmp_path, "w", 5000)
    assert len(whole.lines) == 300 < MOST
    assert not whole.more


def test_a_line_that_may_be_cut_is_left_out(tmp_path):
    log_of(tmp_path).write_bytes(b"x" * 200_000 + b"\nlast\n")
    assert tail(tmp_path, "w", 5).lines == ("last",)


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"\x1b[31mred\x07\x1b[2J\n", ("red␇␛[2J",)),
        (b"10%\r50%\r100%\r\ndone", ("100%", "done")),
        (b"\xff\xfe\n", ("\\xff\\xfe",)),
        (b"a\n\n\n", ("a",)),
        (b"\x00\x00\x00text\n", ("text",)),
        (b"a\tb\n", ("a       b",)),
        (b"", ()),
    ],
)
def test_nothing_in_a_line_acts_on_a_terminal(data, wanted):
    assert tuple(plain((line,)) for line in told_of(data, whole=True)) == wanted


@pytest.mark.parametrize("name", ["none", "../../etc", "a\x00b", "x" * 5000])
def test_a_reason_is_an_answer_too(tmp_path, name):
    seen = tail(tmp_path, name, 10)
    assert seen.lines == ()
    assert seen.reason


def test_a_link_is_not_followed(tmp_path):
    target = tmp_path / "secret"
    target.write_text("secret")
    log_of(tmp_path).symlink_to(target)
    seen = tail(tmp_path, "w", 10)
    assert seen.lines == ()
    assert "cannot be read" in seen.reason


def test_colours_are_kept_and_end_with_their_line(tmp_path):
    log_of(tmp_path).write_text("\x1b[31mred\nplain\n\n\x1b[1mlast\n")
    seen = tail(tmp_path, "w", 10)
    assert seen.lines == ("red", "plain", "", "last")
    assert seen.runs == ((Run("red", "1"),), (Run("plain"),), (), (Run("last", "", "", "b"),))
