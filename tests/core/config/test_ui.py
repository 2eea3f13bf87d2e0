"""`[ui]`: theme, mouse and keys of the screen, and theme files."""

from __future__ import annotations

import os

import pytest

from healmon.config import keynames, screenchecks, themefiles
from healmon.config.load import load
from healmon.config.screennames import ACTIONS, SHEETS, THEMES
from healmon.config.show import show
from healmon.errors import ConfigError
from healmon.service.screenlook import look_of


def problems(text, tmp_path, **environ):
    file = tmp_path / "healmon.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file, environ, screen=True)
    return [str(problem) for problem in caught.value.problems]


def settings(text, tmp_path, **environ):
    file = tmp_path / "healmon.toml"
    file.write_text(text, "utf-8")
    return load(file, environ, screen=True)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("r", "r"), ("R", "R"), ("?", "?"), ("é", "é"), ("-", "-"), ("+", "+"),
        ("space", "space"), ("Escape", "esc"), ("esc", "esc"), ("RETURN", "enter"),
        ("alt-X", "alt-X"), ("ctrl+y", "ctrl-y"), ("Ctrl-Y", "ctrl-y"), ("alt-x", "alt-x"),
        ("shift-tab", "shift-tab"), ("PgDn", "pgdn"), ("PageDown", "pgdn"), ("↓", "down"),
        ("shift+ctrl+left", "ctrl-shift-left"), ("F5", "f5"), ("f12", "f12"), ("del", "delete"),
    ],
)  # fmt: skip
def test_a_key_is_written_as_people_do(text, key):
    assert keynames.parse(text) == key
    assert keynames.parse(key) == key


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "^$"), ("rr", "^$"), ("F13", "^$"), (" ", "^$"), ("\x1b", "^$"), ("ctrl-", "^$"),
        ("hyper-x", "^$"), ("ctrl-i", "sends it as tab"), ("ctrl+M", "sends it as enter"),
        ("ctrl-j", "as enter"), ("ctrl-h", "backspace"), ("alt-enter", "as enter"),
        ("ctrl-z", "stops a program"), ("ctrl-c", "copies"), ("ctrl-s", "output"),
        ("shift-a", '"A"'), ("ctrl-alt-x", "few terminals"), ("ctrl-1", "few terminals"),
        ("ctrl-?", "few terminals"), ("ctrl-space", "few terminals"), ("alt-tab", "few terminals"),
        ("shift-f5", "few terminals"),
    ],
)  # fmt: skip
def test_what_is_no_key_or_gets_lost_is_refused(text, said):
    with pytest.raises(ValueError, match=said):
        keynames.parse(text)


def test_the_defaults_of_the_screen_can_be_written_in_the_configuration():
    for keys in (*ACTIONS.values(), *SHEETS.values()):
        for key in keys:
            assert keynames.parse(key) == key


def test_keys_are_given_by_id_flat_or_as_tables(tmp_path):
    text = '[ui.keys]\n"worker.restart" = "R"\nmove.down = ["down", "ctrl-n"]\nlock.clear = []\n'
    ui = settings(text, tmp_path).ui
    assert ui.keys == {"worker.restart": ("R",), "move.down": ("down", "ctrl-n"), "lock.clear": ()}
    assert settings(show(settings(text, tmp_path)), tmp_path).ui == ui


def test_a_key_that_two_actions_would_share_names_both(tmp_path):
    found = problems('[ui.keys]\n"worker.restart" = "x"\n', tmp_path)
    assert len(found) == 1
    assert "healmon.toml:2: ui.keys" in found[0]
    assert "worker.restart" in found[0]
    assert '"x" is the key of session.clear as well' in found[0]


def test_two_that_change_places_do_not_clash(tmp_path):
    text = '[ui.keys]\n"worker.restart" = "x"\n"session.clear" = "r"\n'
    assert settings(text, tmp_path).ui.keys["session.clear"] == ("r",)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('"sheet.yes" = "n"', '"n" is the key of sheet.no as well'),
        ('"sheet.yes" = "j"', '"j" is the key of move.down as well'),
        ('"sheet.yes" = "1"', '"1" answers questions where sheet.yes works too'),
        ('"sheet.no" = "esc"', '"esc" is reserved for view.back'),
        ('"sheet.each" = "tab"', '"tab" goes on to the next wherever sheet.each works'),
        ('"sheet.yes" = []', "needs a key"),
        ('"sheet.yess" = "J"', 'no such action; did you mean "sheet.yes"?'),
    ],
)
def test_answers_differ_from_each_other_and_from_what_scrolls(tmp_path, given, said):
    (found,) = problems(f"[ui.keys]\n{given}\n", tmp_path)
    assert "healmon.toml:2: " in found
    assert said in found


def test_an_answer_may_be_what_means_something_else_on_the_screen_below(tmp_path):
    text = '[ui.keys]\n"sheet.yes" = ["J", "x"]\n"sheet.no" = []\n"move.down" = "n"\n'
    text += '"find.next" = []\n'
    assert settings(text, tmp_path).ui.keys["sheet.yes"] == ("J", "x")


def test_all_faults_come_at_once_with_their_lines(tmp_path):
    text = """\
[monitor]
check_intervall = "5s"
[ui]
theme = "drak"
mouse = "no"
[ui.keys]
"worker.restrat" = "R"
session.clear = "esc"
"move.up" = "ctrl-i"
"move.down" = ["y"]
"app.help" = []
"app.quit" = 5
"view.theme" = "a"
"""
    found = problems(text, tmp_path)
    for line, said in (
        (2, "check_interval"), (4, 'no such theme; found "drak"; did you mean "dark"?'),
        (5, "mouse"), (7, 'no such action; did you mean "worker.restart"?'),
        (8, '"esc" is reserved for view.back'), (9, "a terminal sends it as tab"),
        (10, '"y" answers questions where move.down works too'), (11, "needs a key"),
        (12, "found 5; allowed: a key"), (13, '"a" is the key of alert.ack as well'),
    ):  # fmt: skip
        assert any(f"healmon.toml:{line}: " in one and said in one for one in found), (line, found)
    assert len(found) == 10


def test_reserved_keys_stay_with_their_actions():
    given = {"view.back": ("backspace",), "app.end": (), "view.detail": ("enter",), "x.y": ("a",)}
    assert screenchecks.effective(given) == {
        "view.back": ("backspace", "esc"), "app.end": ("ctrl-q",), "view.detail": ("enter",),
        "x.y": ("a",),
    }  # fmt: skip


@pytest.mark.parametrize("action", sorted(screenchecks.RESERVED.values()))
def test_what_keys_are_reserved_for_exists(action):
    assert set(screenchecks.RESERVED) & set(ACTIONS[action])
    assert action in ACTIONS


def test_sheets_work_with_actions_that_exist():
    assert ACTIONS.keys() >= screenchecks.ON_SHEETS


def test_the_environment_chooses_a_theme(tmp_path):
    assert settings("", tmp_path, HEALMON_UI__THEME="safe").ui.theme == "safe"
    assert not settings("", tmp_path, HEALMON_UI__MOUSE="no").ui.mouse
    found = problems("", tmp_path, HEALMON_UI__THEME="nrod")
    assert "$HEALMON_UI__THEME" in found[0]
    assert '"nord"' in found[0]


def test_no_healer_fails_for_its_looks(tmp_path):
    file = tmp_path / "healmon.toml"
    file.write_text('[ui]\ntheme = "nowhere"\n', "utf-8")
    assert load(file, {}).ui.theme == "nowhere"
    assert len(problems(file.read_text("utf-8"), tmp_path)) == 1


@pytest.mark.parametrize("name", THEMES)
def test_every_theme_of_the_screen_is_known(tmp_path, name):
    assert settings(f'[ui]\ntheme = "{name}"\n', tmp_path).ui.theme == name


GOOD = """\
base = "safe-light"
[tones]
warn = "#Fa0"
[grounds]
base = "#FEFEFE"
[chips]
bad = ["#fff", "#8b0000"]
"""


def test_a_theme_file_beside_the_configuration_or_below_xdg(tmp_path):
    (tmp_path / "themes").mkdir()
    (tmp_path / "themes" / "mine.toml").write_text(GOOD, "utf-8")
    (tmp_path / "xdg" / "healmon" / "themes").mkdir(parents=True)
    for name in ("mine", "other"):
        path = tmp_path / "xdg" / "healmon" / "themes" / f"{name}.toml"
        path.write_text('[tones]\nok = "#123456"\n', "utf-8")
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    loaded = settings('[ui]\ntheme = "mine"\nmouse = false\n', tmp_path, **environ)
    look = look_of(loaded, environ)
    assert look.theme == "mine"
    assert not look.mouse
    assert {theme.name for theme in look.themes} == {"mine", "other"}
    mine = next(theme for theme in look.themes if theme.name == "mine")
    assert mine == themefiles.ThemeFile(
        name="mine", base="safe-light", tones={"warn": "#ffaa00"}, grounds={"base": "#fefefe"},
        chips={"bad": ("#ffffff", "#8b0000")},
    )  # fmt: skip
    assert settings('[ui]\ntheme = "other"\n', tmp_path, **environ).ui.theme == "other"


def test_what_is_wrong_with_a_theme_file_is_told_with_file_line_and_key(tmp_path):
    (tmp_path / "themes").mkdir()
    text = """\
base = "drak"
tone = 5
[tones]
txt = "#123456"
warn = "yellow"
ok = 7
[chips]
bad = ["#fff"]
warn = ["#fff", "#12"]
"""
    (tmp_path / "themes" / "mine.toml").write_text(text, "utf-8")
    found = problems('[ui]\ntheme = "mine"\n', tmp_path)
    for line, said in (
        (1, '"dark" | "light"'), (2, 'did you mean "tones"?'), (4, 'did you mean "text"?'),
        (5, 'tones.warn: found "yellow"'), (6, "tones.ok"), (8, "two colours"),
        (9, "chips.warn[1]"),
    ):  # fmt: skip
        assert any(f"mine.toml:{line}: " in one and said in one for one in found), (line, found)
    assert len(found) == 7


@pytest.mark.parametrize(
    ("content", "said"), [(b"\xff\xfe", "UTF-8"), (b"[tones", "TOML"), (b"tones = 3", "a table")]
)
def test_a_theme_file_that_is_none(tmp_path, content, said):
    (tmp_path / "themes").mkdir()
    (tmp_path / "themes" / "mine.toml").write_bytes(content)
    assert said in problems('[ui]\ntheme = "mine"\n', tmp_path)[0]


def test_a_broken_file_that_was_not_chosen_harms_nobody(tmp_path):
    (tmp_path / "themes").mkdir()
    (tmp_path / "themes" / "odd.toml").write_text("tones = 3", "utf-8")
    os.mkfifo(tmp_path / "themes" / "pipe.toml")
    loaded = settings("", tmp_path)
    look = look_of(loaded, {"XDG_CONFIG_HOME": str(tmp_path)})
    assert look.themes == ()
    assert len(look.problems) == 2
    assert "odd.toml:1: tones: found 3; allowed: a table" in look.problems[0]
    assert "regular file" in look.problems[1]


def test_a_theme_that_looks_like_no_other_is_told_what_there_is(tmp_path):
    assert "safe" in problems('[ui]\ntheme = "qqqqqqqq"\n', tmp_path)[0]
