"""Labelled sessions: packs name what is shown, the judge acts where it must, nowhere else."""

from __future__ import annotations

import functools
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import pytest

from healmon.sessions.packs import bundled, explain
from healmon.sessions.packs.explaining import saved
from healmon.sessions.packs.trials import Trial, try_out
from tests.corpus.sessions import record, replay
from tests.corpus.sessions.recording import HERE, read, recorded, write
from tests.corpus.sessions.replay import Judged, Label, labels
from tests.helpers.examples import some

SCREENS = tomllib.loads((HERE / "screens.toml").read_text())["screens"]
PATHS = recorded()
SETTLED = 180.0
"""Seconds after which a session is in a state that its label allows."""


def screen(name: str) -> str:
    return (HERE / "screens" / name).read_text()


@functools.cache
def judged(name: str) -> Judged:
    return replay.judge(read(HERE / "recorded" / f"{name}.jsonl"))


@pytest.mark.parametrize("one", SCREENS, ids=lambda one: one["file"])
def test_screens_of_real_programs(one: dict[str, Any]) -> None:
    trial = Trial(name=one["file"], file=one["file"], agent=one["agent"], kind=one["kind"])
    sign = try_out(trial, bundled(), screen)
    found = {
        "kind": sign.kind, "rule": sign.rule, "question": sign.question, "seconds": sign.seconds,
        "attempt": sign.attempt, "cancelled": sign.cancelled,
        "choices": [f"{c.text} = {' '.join(c.keys)}" for c in sign.choices],
    }  # fmt: skip
    text, title = saved(screen(one["file"]))
    why = explain(bundled(), one["agent"], text, title, None)
    wanted = {"question": "", "seconds": None, "attempt": "", "cancelled": 0, "choices": []} | one
    assert found == {key: wanted[key] for key in found}, "\n".join(why)


def test_every_screen_has_a_label() -> None:
    files = {path.name for path in (HERE / "screens").glob("*.txt")}
    assert files == {one["file"] for one in SCREENS}


def test_every_play_is_recorded() -> None:
    assert {path.stem for path in PATHS} == set(record.plays())
    for name, play in record.plays().items():
        recording = read(HERE / "recorded" / f"{name}.jsonl")
        assert (recording.kind, recording.label) == (play["kind"], play["label"])
        assert recording.label in labels()
        assert len(recording.frames) == play["minutes"] + 1


@pytest.mark.parametrize("name", [path.stem for path in some(PATHS)])
def test_what_healmon_makes_of_it(name: str) -> None:
    one = judged(name)
    label: Label = labels()[one.label]
    said = f"{one.states}, told {one.told}, rule {one.rule}"
    assert one.act == label.act, said
    assert {state for t, state in one.states if t >= SETTLED} <= set(label.states), said
    if label.alert != "any":
        assert (label.alert in one.told) if label.alert else not one.told, said
    the_right_key_and_none_too_early(name, one)


@pytest.mark.slow
def test_it_acts_only_where_it_is_right_and_misses_hardly_anything() -> None:
    found = replay.score([judged(path.stem) for path in PATHS])
    assert found.precision == 1.0, found.wrong
    assert found.recall >= 0.95, found.wrong


def the_right_key_and_none_too_early(name: str, one: Judged) -> None:
    if one.act == "interrupt":
        agent = name.partition("-")[0]
        packs = bundled()
        assert one.keys == (packs.interrupt(agent) or (("C-c",),))
    else:
        assert one.keys == ()
    assert one.act == "never" or one.acted_at >= labels()[one.label].after


@pytest.mark.slow
def test_a_judge_that_takes_repainting_for_work_would_be_seen() -> None:
    """The corpus tells a good judge from a bad one: the seed's rule is wrong on it both ways."""
    wrong = {"missed": 0, "hurt": 0}
    for path in PATHS:
        recording = read(path)
        last = recording.frames[-1]
        silent = last.t - last.painted >= 1800
        stuck = labels()[recording.label].stuck
        wrong["missed"] += stuck and not silent
        wrong["hurt"] += silent and labels()[recording.label].act == "never"
    assert wrong["missed"] >= 5
    assert wrong["hurt"] >= 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "play", "label"),
    [("claude", "hung", "hung"), ("job", "log", "working"), ("codex", "approval", "approval")],
)
def test_the_recorder_records_what_is_replayed(kind: str, play: str, label: str) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        recorder = record.Recorder(Path(folder))
        try:
            made = recorder.play(f"{kind}-{play}", kind, play, label, 5)
        finally:
            recorder.close()
        path = Path(folder) / "made.jsonl"
        write(made, path)
        assert read(path) == made
    before = read(HERE / "recorded" / f"{kind}-{play}.jsonl")
    for old, new in zip(before.frames, made.frames, strict=False):
        assert (old.t, old.painted, old.screen) == (new.t, new.painted, new.screen)
        assert replay.seen(old, bundled()).sign == replay.seen(new, bundled()).sign
