"""Heartbeats of tasks: kept whole, bounded, never believed beyond their attempt."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.errors import StateDirError
from healmon.world import beats
from healmon.world.beats import KEEP, Beat, BeatFiles, belongs, with_beats
from healmon.world.taskwords import Task

NOW = 1_770_503_580.0
TASK = Task(source="assigner", id=77, session="dev", status="assigned", token="now")


@pytest.fixture
def files(tmp_path: Path) -> BeatFiles:
    return BeatFiles(tmp_path)


def names(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "beats").iterdir())


def aged(path: Path, at: float) -> None:
    os.utime(path, (at, at))


def test_where_nobody_beat_there_are_none(files, tmp_path):
    assert files.all() == ()
    files.sweep(NOW)
    assert list(tmp_path.iterdir()) == []


def test_a_beat_takes_the_place_of_the_one_before(files, tmp_path):
    first = Beat("assigner", "77", NOW, "t", "begun")
    files.note(first)
    assert files.all() == (first,)
    second = Beat("assigner", "77", NOW + 9, "t", "half")
    files.note(second)
    assert files.all() == (second,)
    (name,) = names(tmp_path)
    assert (tmp_path / "beats").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "beats" / name).stat().st_mode & 0o777 == 0o600


def test_each_attempt_of_each_task_has_its_own(files):
    some = [
        Beat(source, number, NOW, token)
        for source in ("a", "b")
        for number in ("1", "11")
        for token in ("", "t")
    ]
    for beat in some:
        files.note(beat)
    assert sorted(files.all(), key=repr) == sorted(some, key=repr)


HOSTILE = ("../../x", "a\0b", "-rf", "é🚀", "\udcff", "x" * 5000, " ", "'; --", "\x1b[31m")


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_are_no_paths_and_hostile_notes_are_shown_harmlessly(files, tmp_path, text):
    files.note(Beat("assigner", text, NOW, "t", text))
    (beat,) = files.all()
    assert ascii(beat.id) == ascii(text)
    assert beat.note.isprintable()
    assert len(beat.note) <= beats.NOTE
    assert len(names(tmp_path)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["beats"]


def test_what_is_too_long_is_refused_and_leaves_nothing(files, tmp_path):
    with pytest.raises(StateDirError, match="File too large"):
        files.note(Beat("assigner", "x" * beats.LIMIT, NOW))
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "beats").write_text("no folder")
    with pytest.raises(
        StateDirError, match=r"the heartbeat cannot be kept in .*/beats: "
    ) as caught:
        BeatFiles(tmp_path).note(Beat("assigner", "77", NOW))
    assert caught.value.exit_code == 73
    assert BeatFiles(tmp_path).all() == ()


def test_what_is_no_beat_is_passed_over(files, tmp_path):
    good = Beat("assigner", "77", NOW, "t")
    files.note(good)
    folder = tmp_path / "beats"
    data = json.dumps({"source": "a", "id": "1", "at": 1.0})
    (folder / "cut.json").write_text(data[:20])
    (folder / "list.json").write_text("[1]")
    (folder / "other.json").write_text('{"source": 1, "id": "1", "at": 1}')
    (folder / "bytes.json").write_bytes(b"\xff\xfe")
    (folder / "other.txt").write_text(data)
    (folder / ".draft.json.9").write_text(data)
    (folder / "folder.json").mkdir()
    os.mkfifo(folder / "pipe.json")
    (tmp_path / "real").write_text(data)
    (folder / "link.json").symlink_to(tmp_path / "real")
    assert files.all() == (good,)


def test_old_beats_and_drafts_are_removed_and_others_stay(files, tmp_path):
    folder = tmp_path / "beats"
    files.note(Beat("assigner", "1", NOW))
    (old,) = folder.iterdir()
    (folder / ".draft.json.9").write_text("{")
    (folder / "mine.txt").write_text("x")
    for path in folder.iterdir():
        aged(path, NOW - KEEP - 1)
    files.note(Beat("assigner", "2", NOW))
    assert old.name not in names(tmp_path)
    assert [beat.id for beat in files.all()] == ["2"]
    assert "mine.txt" in names(tmp_path)
    assert ".draft.json.9" not in names(tmp_path)


def test_there_are_never_too_many(files, tmp_path, monkeypatch):
    monkeypatch.setattr(beats, "MOST", 3)
    for number in range(6):
        files.note(Beat("assigner", str(number), NOW))
        for path in (tmp_path / "beats").iterdir():
            found = json.loads(path.read_text())
            aged(path, NOW + int(found["id"]))
    assert sorted(beat.id for beat in files.all()) == ["3", "4", "5"]


@pytest.mark.slow
def test_a_beat_is_whole_whoever_is_killed_while_writing(files, tmp_path):
    """Several beat for one task at once, and are killed: what is read is always one of theirs."""
    code = (
        "import sys; from pathlib import Path; from healmon.world.beats import Beat, BeatFiles\n"
        "files = BeatFiles(Path(sys.argv[1]))\n"
        "n = 0\n"
        "while True:\n"
        "    n += 1; files.note(Beat('a', '1', float(n), 't', 'x' * 400))\n"
        "    if n == 1: print('on', flush=True)"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    try:
        for one in started:
            assert one.stdout is not None
            assert one.stdout.readline() == b"on\n"
        for one in started:
            for _ in range(50):
                found = files.all()
                assert all(beat.note == "x" * 400 for beat in found)
            one.kill()
            one.wait()
    finally:
        for one in started:
            one.kill()
            one.wait()
            assert one.stdout is not None
            one.stdout.close()
    assert len(files.all()) == 1


# whose life it shows: pure


@pytest.mark.parametrize(
    ("token", "at", "assigned_at", "of_it"),
    [("now", 5.0, 9.0, True), ("old", 5.0, 1.0, False), ("", 5.0, 1.0, True),
     ("", 5.0, 9.0, False), ("", 5.0, None, True), ("", 5.0, 5.0, True)],
)  # fmt: skip
def test_a_beat_is_of_the_attempt_whose_token_it_has(token, at, assigned_at, of_it):
    task = Task("assigner", 77, "dev", "assigned", assigned_at=assigned_at, token="now")
    assert belongs(Beat("assigner", "77", at, token), task) == of_it
    (joined,) = with_beats([task], [Beat("assigner", "77", at, token, "n")])
    assert (joined.beat_at, joined.beat_note) == ((at, "n") if of_it else (None, ""))


@given(
    st.lists(
        st.builds(
            Beat,
            source=st.sampled_from(("assigner", "other")),
            id=st.sampled_from(("77", "7", "77 ")),
            at=st.floats(0, 100),
            token=st.sampled_from(("", "now", "old")),
        )
    ),
    st.none() | st.floats(0, 100),
)
def test_the_newest_sign_of_life_counts_and_nothing_else_changes(some, own):
    task = Task("assigner", 77, "dev", "assigned", token="now", beat_at=own)
    (joined,) = with_beats([task], some)
    times = [b.at for b in some if (b.source, b.id) == ("assigner", "77") and b.token != "old"]
    times += [own] if own is not None else []
    assert joined.beat_at == (max(times) if times else None)
    assert Task("assigner", 77, "dev", "assigned", token="now") == Task(
        source=joined.source, id=joined.id, session=joined.session, status=joined.status,
        token=joined.token,
    )  # fmt: skip
