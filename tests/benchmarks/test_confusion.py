"""The score of the judgement on sessions: a wrong act, a missed one and a wrong kind all count."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.sessions import confusion
from tests.corpus.sessions.replay import Judged, matrix, score


def one(name: str, label: str, act: str, state: str = "stalled") -> Judged:
    return Judged(name, label, states=[(0.0, "working"), (60.0, state)], act=act)


RIGHT = [
    one("a", "hung", "interrupt"),
    one("b", "idle", "settle", "idle_with_task"),
    one("c", "working", "never", "working"),
    one("d", "approval", "never", "approval"),
]


def test_all_right() -> None:
    found = score(RIGHT)
    assert (found.precision, found.recall, found.wrong) == (1.0, 1.0, ())
    assert found.confusion["hung", "stalled"] == 1
    assert found.acts["never", "never"] == 2


@pytest.mark.parametrize(
    ("wrong", "precision", "recall"),
    [
        (one("e", "working", "interrupt"), 2 / 3, 1.0),
        (one("e", "approval", "settle"), 2 / 3, 1.0),
        (one("e", "hung", "never"), 1.0, 2 / 3),
        (one("e", "hung", "settle"), 2 / 3, 2 / 3),
    ],
)
def test_what_is_wrong_counts(wrong: Judged, precision: float, recall: float) -> None:
    found = score([*RIGHT, wrong])
    assert (found.precision, found.recall) == (pytest.approx(precision), pytest.approx(recall))
    assert found.wrong[0].startswith(f"e: {wrong.act} instead of ")


def test_the_matrix_has_every_count() -> None:
    lines = matrix(score(RIGHT).acts, "right act", "act")
    assert lines[0] == "right act (down) by act (across)"
    assert [line.split() for line in lines[2:]] == [
        ["interrupt", "1"], ["never", "2"], ["settle", "1"],
    ]  # fmt: skip


def test_it_fails_when_the_judgement_is_not_good_enough(
    monkeypatch, tmp_path: Path, capsys
) -> None:
    for judged, code in ((RIGHT, 0), ([*RIGHT, one("e", "working", "interrupt")], 1)):
        monkeypatch.setattr(confusion, "every", lambda judged=judged: iter(judged))
        file = tmp_path / "out.json"
        assert confusion.main(["--json", str(file)]) == code
        said = capsys.readouterr().out
        assert "label (down) by state in the end (across)" in said
        assert ("wrong: e: interrupt instead of never" in said) == bool(code)
        assert set(json.loads(file.read_text())["sessions"]) == {j.name for j in judged}
