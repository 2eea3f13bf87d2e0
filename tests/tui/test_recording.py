"""The recording tells its story, the same each time."""

from __future__ import annotations

import pytest

from screenshots import demo, film

pytestmark = pytest.mark.slow


def text(frame):
    return "\n".join("".join(segment.text for segment in line) for line in frame.lines)


def test_it_shows_every_fault_and_how_it_ended():
    frames = demo.frames()
    told = [text(frame) for frame in frames]
    story = iter(told)
    for words in (
        ("all well", "LIVE 20:47:0"),
        ("restart in 3s", "killed by SIGKILL"),
        ("verified 1.2 s", "all well"),
        ("stalled", "1 stuck"),
        ("send Ctrl+C to pane %14", "do it"),
        ("verified 0.8 s", "queue task 77 again"),
        ("93.1%", "cleaning"),
        ("78.4%", "verified 2.4 s"),
        ("sqlite3 47001", "1 of 2 locked"),
        ("2 free", "the lock is free"),
        ("waits for an answer", "▲1"),
        ("acknowledged by olga", "0 open · 1 acknowledged"),
    ):
        assert any(all(word in picture for word in words) for picture in story), words
    seconds = sum(frame.shown for frame in frames) / 1000
    assert 14 <= seconds <= 26
    assert all(len(frame.lines) == demo.SIZE[1] for frame in frames)


def test_a_film_is_the_same_bytes_each_time_and_equal_pictures_are_one(tmp_path):
    from rich.segment import Segment
    from rich.style import Style

    def one(word, shown):
        line = (Segment(f"─│█ {word}", Style(color="#ffffff", bgcolor="#000000")),)
        return film.Frame((line, line), shown)

    frames = [one("ab", 100), one("ab", 200), one("cd", 300)]
    for name in ("a", "b"):
        film.write(frames, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    from PIL import Image

    with Image.open(tmp_path / "a", formats=["GIF"]) as picture:
        assert (picture.size, picture.n_frames) == ((6 * film.CELL, 2 * film.LINE), 2)
        assert picture.info["duration"] == 300
