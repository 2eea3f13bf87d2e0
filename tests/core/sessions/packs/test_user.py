"""A user's folder of packs, through the command line as a person meets it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from healmon.errors import ConfigError
from healmon.sessions.packs import bundled
from healmon.sessions.packs.user import packs_of, tried
from healmon.world import packfiles
from healmon.world.terminal import Terminal

RAW = Terminal(signals=False, canonical=False, echo=False, foreground=1)
GOOD = """\
format = 1
name = "aider"
version = "1"
[programs]
names = ["aider"]
[keys]
interrupt = [["C-c"]]
[[rules]]
name = "waits"
kind = "idle"
last.any = ['^>$']
"""
TRIAL = """\
agent = "aider"
[[screens]]
name = "idle"
kind = "idle"
rule = "aider/waits"
screen = "Tokens: 1k\\n> "
[[screens]]
name = "saved"
kind = "idle"
file = "aider.screens/idle.txt"
"""


def healmon(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    config = folder / "healmon.toml"
    config.write_text('[sessions]\nsockets = []\npacks = "packs"\n[disk]\npaths = []\n')
    return subprocess.run(
        [str(Path(sys.executable).with_name("healmon")), *words, "--config", str(config)],
        cwd=folder, capture_output=True, text=True, timeout=60,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "HEALMON_STATE_DIR": str(folder / "s")},
    )  # fmt: skip


@pytest.fixture
def packs(tmp_path: Path) -> Path:
    folder = tmp_path / "packs"
    (folder / "aider.screens").mkdir(parents=True)
    (folder / "aider.toml").write_text(GOOD)
    (folder / "aider.test.toml").write_text(TRIAL)
    (folder / "aider.screens/idle.txt").write_text("# aider: idle\nhello\n>\n")
    (folder / "notes.txt").write_text("not a pack")
    return folder


def test_a_folder_adds_packs(packs: Path) -> None:
    found = packs_of(str(packs))
    assert found.agent_of(["aider", "--model", "x"]) == "aider"
    assert found.read("aider", "hello\n> ", "", RAW).rule == "aider/waits"
    assert found.agent_of(["claude"]) == "claude"
    assert tried(str(packs)) == 1
    assert packs_of("") is bundled()
    assert tried("") == 0


def test_check_passes(packs: Path) -> None:
    done = healmon(packs.parent, "check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "[sessions]" in done.stdout


@pytest.mark.slow
def test_a_bad_pack_ends_check_and_every_start(packs: Path) -> None:
    (packs / "aider.toml").write_text(GOOD.replace('"idle"', '"happy"'))
    (packs / "other.toml").write_text("what = ")
    for words in (["check"], ["once"], ["run"], ["daemon"]):
        done = healmon(packs.parent, *words)
        assert done.returncode == 78, done
        assert "packs/aider.toml:10: rules[0].kind: " in done.stderr
        assert "packs/other.toml: is not TOML" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_pack_that_reads_its_own_screen_wrong_is_told_by_check(packs: Path) -> None:
    (packs / "aider.toml").write_text(GOOD.replace("'^>$'", "'^nothing$'"))
    done = healmon(packs.parent, "check")
    assert done.returncode == 78
    assert "packs/aider.test.toml:2: screens[0].kind: idle: expected idle, the packs say none" in (
        done.stderr
    )
    assert "screens[1].kind" in done.stderr
    assert packs_of(str(packs)).agent_of(["aider"]) == "aider", "which does not hinder a start"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("agent = 1", "is no test file of a pack"),
        ("[[screens]]", "is no test file of a pack"),
        (TRIAL + 'terminal = ["raw", "cooked"]', "screens[1].terminal: is no terminal"),
        (TRIAL.replace("idle.txt", "gone.txt"), "gone.txt: cannot be read"),
        (TRIAL + 'never = ["aider/waits"]', "must not match, and does"),
        (TRIAL + "seconds = 3.0", "expected 3.0, the packs say -"),
    ],
)
def test_a_test_file_that_is_wrong_is_told(packs: Path, text: str, says: str) -> None:
    (packs / "aider.test.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        tried(str(packs))
    assert says in str(caught.value)
    assert caught.value.problems


def test_two_packs_of_one_name(packs: Path) -> None:
    (packs / "second.toml").write_text(GOOD)
    with pytest.raises(ConfigError, match=r"is the name of the pack in .*aider\.toml too"):
        packs_of(str(packs))


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="packs cannot be read: No such file or directory"):
        packs_of(str(tmp_path / "gone"))
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="Not a directory"):
        packs_of(str(tmp_path / "file"))


def test_files_that_cannot_be_read_are_all_told(packs: Path) -> None:
    (packs / "latin.toml").write_bytes(b"name = '\xff'")
    (packs / "folder.toml").mkdir()
    with pytest.raises(ConfigError) as caught:
        packfiles.read(packs)
    said = str(caught.value)
    assert "latin.toml:1: is not UTF-8" in said
    assert "folder.toml: is not a regular file" in said


ASKS = """\
[[rules]]
name = "asks"
kind = "approval"
tail.any = ['^Run it']
choices = '(?P<key>[\\[a-z])(?P<text>\\w+)'
seconds = 'Run it(?: in (\\d+))?'
attempt = 'Run it(?: again (\\d+))?'
"""
ASKED = """\
[[screens]]
name = "asks"
kind = "approval"
screen = "Run it?\\n[Yes\\n"
"""


@pytest.mark.slow
def test_check_tells_an_answer_whose_key_is_none(packs: Path, tmp_path: Path):
    (packs / "aider.toml").write_text(GOOD + ASKS)
    (packs / "aider.test.toml").write_text(TRIAL + ASKED)
    ran = healmon(tmp_path, "check")
    assert ran.returncode == 78
    assert "aider.test.toml" in ran.stderr
    assert "rule aider/asks takes it for the key of an answer" in ran.stderr
    sign = packs_of(str(packs)).read("aider", "Run it?\n[Yes\n", "", RAW)
    assert sign.kind == "approval"
    assert (sign.seconds, sign.attempt) == (None, ""), "groups that took no part say nothing"
