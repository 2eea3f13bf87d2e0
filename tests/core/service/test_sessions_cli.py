"""The commands about sessions, as they are typed wrongly, or with nobody there to do them."""

from __future__ import annotations

import json

import pytest

from healmon import cli
from healmon import events as ev
from healmon.plans import pack
from healmon.service import instance, sessions_cli
from healmon.service.chain import kept_lines
from healmon.sessions.facts import SessionFacts
from healmon.sessions.signs import Choice
from tests.helpers.shapes import fits
from tests.helpers.storekit import Engine, opened_store

ENDS = {"unknown": 65, "usage": 64, "nobody": 75}


@pytest.fixture
def healmon(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("HEALMON_CONFIG", "HEALMON_STATE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))

    def run(*words):
        code = cli.main([words[0], "--state-dir", str(tmp_path / "state"), *words[1:]])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


@pytest.mark.parametrize(
    ("words", "why", "said"),
    [
        (("clear", "a", "--requeue", "--fail"), "usage", "not allowed with"),
        (("clear",), "usage", "SESSION"),
        (("answer", "a", "first"), "usage", "invalid int"),
        (("snooze", "a"), "usage", "--for"),
        (("snooze", "a", "--for", "soon"), "usage", "soon"),
        (("clear", "a"), "nobody", "no healer runs"),
        (("snooze", "a", "--for", "1h"), "nobody", "no healer runs"),
        (("never-touch", "a"), "nobody", "no healer runs"),
        (("touch", "a"), "nobody", "no healer runs"),
        (("answer", "a"), "nobody", "no health store"),
        (("explain", "a"), "nobody", "no health store"),
        (("explain", "12"), "nobody", "no health store"),
        (("explain", "x.txt", "--pack", "nobody"), "unknown", "there are:"),
    ],
)
def test_each_way_to_be_wrong_has_its_exit_code_and_its_words(healmon, words, why, said):
    code, out, err = healmon(*words)
    assert (code, out) == (ENDS[why], "")
    assert said in err
    assert "Traceback" not in err


def test_a_question_is_told_with_the_answers_it_offers(healmon, tmp_path):
    (tmp_path / "state").mkdir(mode=0o700)
    facts = SessionFacts(
        state="question", session="dev", question="Run rm -r build?", matched="claude/permission",
        choices=(Choice("1. Yes", ("1",)), Choice("2. No", ("2",))),
    )  # fmt: skip
    with opened_store(tmp_path / "state" / "healmon.db") as kept:
        Engine(kept).tell(
            ev.Observed("sessions", "session:dev", "healthy", "asks", "t", "v", pack(facts))
        )
    code, out, _ = healmon("answer", "dev", "--json")
    assert code == 0
    told = json.loads(out)
    fits("question", told)
    assert (told["session"], told["rule"]) == ("dev", "claude/permission")
    assert told["choices"] == ["1. Yes", "2. No"]
    assert healmon("answer", "dev")[1].splitlines() == [
        "Run rm -r build?", "  1  1. Yes", "  2  2. No",
    ]  # fmt: skip


def test_without_tmux_a_session_that_nobody_knows_is_a_missing_part(healmon, tmp_path, monkeypatch):
    (tmp_path / "state").mkdir(mode=0o700)
    with opened_store(tmp_path / "state" / "healmon.db") as kept:
        Engine(kept).tell(ev.Observed("sessions", "session:dev", "healthy", "", "t", "v", {}))
    monkeypatch.setattr(sessions_cli, "override", lambda *_words, **_faces: 0)
    lock = instance.Lock.acquire(tmp_path / "state", version="9.9", mode="daemon")
    try:
        for tmux, code in ((True, 0), (False, 69)):
            if not tmux:
                monkeypatch.setenv("PATH", str(tmp_path))
            for words in (("clear",), ("snooze", "--for", "1h"), ("never-touch",), ("touch",)):
                found, _, err = healmon(words[0], "other", *words[1:])
                assert (found, "tmux is not installed" in err) == (code, not tmux)
                assert healmon(words[0], "dev", *words[1:])[0] == 0, "what is known was seen"
        assert healmon("answer", "other")[0] == 69
    finally:
        lock.release()


def test_a_saved_screen_needs_neither_healer_nor_store(healmon, tmp_path):
    (tmp_path / "screen.txt").write_text("# x title=[⠐ mend the roof] y\nhello\n")
    code, out, _ = healmon("explain", "screen.txt", "--pack", "claude", "--json")
    assert code == 0
    assert json.loads(out)["sign"]["rule"] == "claude/busy-title"


def test_evidence_of_any_shape_is_told_without_acting_on_the_terminal():
    kept = {
        "why": "\x1b[2J", "before": {"screen": "a\x1b]0;x\x07\nb"}, "after": [],
        "tasks": [{"id": 1}], "empty": "", "odd name": None,
    }  # fmt: skip
    lines = kept_lines(kept)
    assert not any("\x1b" in line or "\x07" in line for line in lines)
    assert "before:" in lines
    assert "  │ b" in lines
    assert not any(line.startswith(("empty", "odd")) for line in lines)
