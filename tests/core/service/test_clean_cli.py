"""What `healmon clean` asks for, and when it asks for nothing more."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from healmon.cli import main
from healmon.errors import DataError, HealmonError, HolderError, RefusedError
from healmon.service import clean_cli, restore_cli


@pytest.fixture
def words(tmp_path: Path) -> argparse.Namespace:
    """Two budgets, a rule in the first, and one that reaches neither."""
    rule = 'patterns = ["*.log"]\nolder_than = "1d"\n'
    config = tmp_path / "healmon.toml"
    config.write_text(
        f'[disk]\npaths = []\nbudgets = [{{ path = "{tmp_path}/a", limit = "1MB" }},'
        f' {{ path = "{tmp_path}/b", limit = "1MB" }}]\n'
        f'[[disk.rules]]\nname = "logs"\npaths = ["{tmp_path}/a/logs"]\n{rule}'
        f'[[disk.rules]]\nname = "far"\npaths = ["{tmp_path}/far"]\n{rule}'
    )
    return argparse.Namespace(config=str(config), target=None)


def asked(
    monkeypatch: pytest.MonkeyPatch, error: HealmonError | None = None
) -> list[tuple[str, dict[str, object]]]:
    """Note what is asked for; the first is answered with this error."""
    found: list[tuple[str, dict[str, object]]] = []

    def override(_dir: Path, _verb: str, target: str, more: dict[str, object], **_: object) -> int:
        found.append((target, more))
        if error is not None and len(found) == 1:
            raise error
        return 0

    monkeypatch.setattr(clean_cli, "override", override)
    return found


@pytest.mark.parametrize("error", [RefusedError("called off", 130), HolderError("nobody")])
def test_nothing_more_is_asked_for_once_nobody_wants_it_or_hears(
    tmp_path: Path, words: argparse.Namespace, monkeypatch: pytest.MonkeyPatch, error: HealmonError
) -> None:
    found = asked(monkeypatch, error)
    with pytest.raises(type(error)):
        clean_cli.clean(tmp_path, words)
    assert len(found) == 1


def test_one_that_is_refused_keeps_no_other_from_being_cleaned(
    tmp_path: Path, words: argparse.Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = asked(monkeypatch, RefusedError("maintenance"))
    assert clean_cli.clean(tmp_path, words) == DataError.exit_code
    assert [target for target, _ in found] == [f"disk:{tmp_path}/a", f"disk:{tmp_path}/b"]


def test_a_rule_goes_where_it_reaches_and_says_where_it_reaches_nothing(
    tmp_path: Path, words: argparse.Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = asked(monkeypatch)
    words.target = "logs"
    assert clean_cli.clean(tmp_path, words) == 0
    assert found == [(f"disk:{tmp_path}/a", {"rule": "logs"})]
    words.target = "far"
    with pytest.raises(DataError, match="reaches nothing that is watched"):
        clean_cli.clean(tmp_path, words)


def test_what_a_healer_did_not_take_back_is_told_by_the_code_also_in_json(
    tmp_path: Path, words: argparse.Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([0, 65, 0])
    monkeypatch.setattr(restore_cli, "override", lambda *_words, **_faces: next(answers))
    monkeypatch.setattr(restore_cli.instance, "holder", lambda _dir: "somebody")
    vars(words).update(backup=False, host=None, json=True, ids=["1", "2", "3"])
    assert restore_cli.restore(tmp_path, words) == 65


def test_an_option_that_would_be_passed_over_is_refused(tmp_path: Path) -> None:
    for option in (("restore", "--host", "other"), ("alerts", "--before", "9")):
        assert main([*option, "--state-dir", str(tmp_path)]) == 64
