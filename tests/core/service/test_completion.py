"""What may come next on a line, by itself and in the shells themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from healmon import cli
from healmon import events as ev
from healmon.clock import SystemClock
from healmon.service.commandtable import COMMANDS
from healmon.service.completion_cli import following, known
from healmon.service.wake import WakePipe
from tests.helpers.storekit import Engine, opened_store
from tests.helpers.tmuxes import PrivateTmux
from tests.helpers.wait import until

SEEN = (
    ("workers", "assigner_worker"), ("workers", "other"), ("sessions", "session:build-7"),
    ("sessions", "session:a b"), ("databases", "database:architect"), ("disks", "disk:/var"),
)  # fmt: skip
QUOTED = ("session:c d e", "session:z\\z")
BIN = Path(sys.executable).parent


@pytest.fixture
def state(tmp_path):
    (tmp_path / "state").mkdir(mode=0o700)
    with opened_store(tmp_path / "state" / "healmon.db") as kept:
        Engine(kept, SystemClock().read().wall - 60).tell(
            *(ev.Observed(h, c, "healthy", "up", "t", "v", {}) for h, c in SEEN),
            ev.AlertOpened("k", "WARNING", "other", "down \x1b[2J", {}),
            ev.SilenceStarted("component=other", 9e9, "olga", ""),
            *(ev.Observed("sessions", n, "healthy", "up", "t", "v", {}) for n in QUOTED),
        )
    return tmp_path / "state"


def next_of(line: str, state: Path | None = None) -> list[str]:
    return [value for value, _ in following(line.split(" "), lambda kind: known(state, kind))]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("healmon sta", ["status", "start-worker"]),
        ("healmon restart ", ["assigner_worker", "other"]),
        ("healmon restart a", ["assigner_worker"]),
        ("healmon restart other ", []),
        ("healmon --json --state-dir /x restart o", ["other"]),
        ("healmon snooze b", ["build-7"]),
        ("healmon unlock ", ["architect"]),
        ("healmon clean /", ["/var"]),
        ("healmon explain session:b", ["session:build-7"]),
        ("healmon ack ", ["7"]),
        ("healmon ack 7 7", ["7"]),
        ("healmon unsilence ", ["8"]),
        ("healmon ack --not", ["--note"]),
        ("healmon ack --note ", []),
        ("healmon clear --r", ["--requeue"]),
        ("healmon --log-level w", ["warning"]),
        ("healmon status --log-level=in", ["--log-level=info"]),
        ("healmon status --config ", ["@file"]),
        ("healmon status --state-dir=", ["@dir"]),
        ("healmon backup ", ["@file"]),
        ("healmon completion ", ["bash", "zsh", "fish"]),
        ("healmon help sil", ["silences", "silence"]),
        ("healmon nonsense ", []),
        ("healmon-tui --st", ["--status", "--stop", "--state-dir"]),
        ("healmon-tui --state-dir ", ["@dir"]),
        ("/usr/bin/healmon sto", ["stop", "stop-worker"]),
    ],
)
def test_what_may_come_next(state, line, found) -> None:
    assert sorted(next_of(line, state)) == sorted(found)


def test_every_command_is_offered_and_each_name_has_a_word_about_it(state, capsys) -> None:
    assert next_of("healmon ") == [*COMMANDS]
    assert cli.main(["completion", "fish", "--", "healmon", "--state-dir", str(state),
                     "ack", ""]) == 0  # fmt: skip
    out = capsys.readouterr().out
    assert out.startswith("7\tother: down ")
    assert "\x1b" not in out


@pytest.mark.parametrize("words", [("healmon", "status", "--"), ("healmon-tui", "--")])
def test_two_dashes_are_the_beginning_of_an_option(capsys, words) -> None:
    assert cli.main(["completion", "zsh", "--", *words]) == 0
    said = capsys.readouterr().out
    assert "--json" in said
    assert all(line.startswith("--") for line in said.splitlines())


@pytest.mark.parametrize("wrong", ["none", "file", "garbage"])
def test_without_a_store_there_are_no_names_and_no_noise(tmp_path, capsys, wrong) -> None:
    if wrong == "file":
        (tmp_path / "s").write_text("")
    if wrong == "garbage":
        (tmp_path / "s").mkdir()
        (tmp_path / "s" / "healmon.db").write_bytes(b"no database" * 1000)
    words = ["healmon", "--state-dir", str(tmp_path / "s"), "restart", ""]
    assert cli.main(["completion", "zsh", "--", *words]) == 0
    assert capsys.readouterr() == ("", "")


def test_nobody_is_woken(state) -> None:
    pipe = WakePipe.open(state)
    try:
        assert next_of("healmon restart ", state)
        assert not pipe.drain()
    finally:
        pipe.close()


@pytest.fixture
def shell(tmp_path, state):
    """Run a line of a shell with our commands on its path; the test skips where there is none."""

    def run(name: str, *argv: str) -> str:
        if shutil.which(name) is None:
            pytest.skip(f"no {name} here")
        env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(tmp_path)}
        done = subprocess.run(
            [name, *argv], capture_output=True, text=True, timeout=60, env=env, cwd=tmp_path
        )  # fmt: skip
        assert done.stderr == ""
        return done.stdout

    return run


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_the_script_is_read_without_a_word(shell, name) -> None:
    load = {"fish": "healmon completion fish | source"}.get(
        name, f'eval "$(healmon completion {name})"'
    )
    first = "autoload -Uz compinit && compinit -u -D; " if name == "zsh" else ""
    assert shell(name, "-c", f"{first}{load}; echo fine") == "fine\n"


@pytest.mark.slow
def test_bash_itself(shell, state) -> None:
    ask = (
        'eval "$(healmon completion bash)"; COMP_LINE=$1 COMP_POINT=${#1}; _healmon healmon;'
        ' printf "%s\\n" "${COMPREPLY[@]}"'
    )
    where = f"--state-dir {state}"
    for line, found in (
        (f"healmon {where} restart ", ["assigner_worker", "other"]),
        (f"healmon {where} explain session:", ["a\\ b", "build-7", "c\\ d\\ e", "z\\\\z"]),
        ("healmon status --log-level=w", ["warning"]),
    ):
        assert shell("bash", "--norc", "-c", ask, "bash", line).splitlines() == found, line


@pytest.mark.parametrize(
    ("typed", "put"),
    [
        ("my", ["my\\ a", "my\\ b"]),
        ("my\\ ", ["my\\ a", "my\\ b"]),
        ("'my ", ["my a", "my b"]),
        ('my" ', [" a", " b"]),
        ("it\\'", ["it\\'s"]),
        ("'it", ["it'\\''s"]),
        ('"q\\"', ['q\\"x \\$y']),
        ("dev@", ["box"]),
        ("back\\\\", ["back\\\\slash"]),
    ],
)
def test_a_name_that_needs_quotes_goes_on_as_it_was_begun(tmp_path, capsys, typed, put) -> None:
    odd = ("my a", "my b", "it's", 'q"x $y', "dev@box", "back\\slash")
    with opened_store(tmp_path / "healmon.db") as kept:
        Engine(kept, SystemClock().read().wall - 60).tell(
            *(ev.Observed("sessions", f"session:{o}", "healthy", "up", "t", "v", {}) for o in odd)
        )
    line = f"A=1 healmon --state-dir {tmp_path} clear {typed}"
    assert cli.main(["completion", "bash", "--", line]) == 0
    assert sorted(capsys.readouterr().out.splitlines()) == sorted(put)


@pytest.mark.slow
def test_fish_itself(shell, state) -> None:
    for line, found in (
        (f"healmon --state-dir {state} restart ", ["assigner_worker\thealthy", "other\thealthy"]),
        (f'healmon --state-dir {state} clear "a ', ["a b\thealthy"]),
        ("healmon-tui --da", ["--daemon"]),
    ):
        ask = f"healmon completion fish | source; complete -C '{line}'"
        assert sorted(shell("fish", "-c", ask).splitlines()) == found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "start", "load"),
    [
        ("bash", "bash --norc --noprofile", 'eval "$(healmon completion bash)"'),
        ("zsh", "zsh -f",
         'autoload -Uz compinit && compinit -u -D && eval "$(healmon completion zsh)"'),
        ("fish", "fish --no-config", "healmon completion fish | source"),
    ],
)  # fmt: skip
def test_a_person_types_and_presses_tab(tmp_path, state, name, start, load) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"no {name} here")
    tmux = PrivateTmux(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    command = f"env PATH={BIN}:$PATH HOME={home} HEALMON_STATE_DIR={state} {start}"
    try:
        pane = tmux.new("s", command, width=150, height=40)
        tmux.type(pane, f"{load}; echo rea''dy")
        until(lambda: "\nready" in f"\n{tmux.screen(pane)}", 30, "the script")
        for words, found in (
            ("restart assi", "healmon restart assigner_worker"),
            ('clear "c d', 'healmon clear "c d e"'),
            ("clear z", "healmon clear z\\\\z"),
        ):
            tmux.run("send-keys", "-t", pane, "-l", f"healmon {words}")
            until(lambda words=words: words in tmux.screen(pane), 30, "the words")
            tmux.run("send-keys", "-t", pane, "Tab")
            until(lambda found=found: found in tmux.screen(pane), 30, "the name")
            tmux.run("send-keys", "-t", pane, "C-c")
    finally:
        tmux.run("kill-server")
