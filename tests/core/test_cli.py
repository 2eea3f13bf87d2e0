"""The command line's own manners: help on one screen, wrong words, and where commands are found."""

from __future__ import annotations

import inspect
import os
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from healmon import cli
from healmon.service import parsers
from healmon.service.commandtable import COMMANDS, GROUPS, Either
from tests.helpers.storekit import opened_store

SCREEN, WIDTH = 24, 80


def told(capsys, *words: str) -> tuple[int, str, str]:
    try:
        code = cli.main(words)
    except SystemExit as end:  # argparse's own way to end after --help
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def fits(text: str) -> bool:
    lines = text.rstrip("\n").split("\n")
    return len(lines) <= SCREEN and max(map(len, lines)) <= WIDTH


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_each_command_fits_a_screen_and_shows_an_example(
    capsys, monkeypatch, name
) -> None:
    for columns in ("80", "200", "20"):
        monkeypatch.setenv("COLUMNS", columns)
        code, out, err = told(capsys, name, "--help")
        assert (code, err) == (0, ""), columns
        assert fits(out), (columns, out)
        assert out.count("\nexample: healmon ") + out.count("\nexample: eval ") == 1, columns
    assert told(capsys, "help", name)[1] == out


def test_the_overview_names_every_command_and_both_fit_a_screen(capsys) -> None:
    code, out, _ = told(capsys, "--help")
    assert code == 0
    assert fits(out), out
    assert {*out.split()} >= {*COMMANDS}
    assert told(capsys, "help")[1] == out
    screen = parsers.tui_parser().format_help()
    assert fits(screen), screen
    assert "example: healmon-tui --demo" in screen


@pytest.mark.parametrize("command", COMMANDS.values(), ids=list(COMMANDS))
def test_examples_are_lines_that_work(command) -> None:
    line = command.example.removeprefix('eval "$(').removesuffix(')"')
    program, *words = shlex.split(line, comments=True)
    assert program == "healmon"
    assert parsers.parse(words).way == command.name


@pytest.mark.parametrize("command", COMMANDS.values(), ids=list(COMMANDS))
def test_each_command_names_a_function_that_takes_what_it_is_given(command) -> None:
    module, _, name = command.run.partition(":")
    place = module if "." in module else f"service.{module}"
    run = getattr(import_module(f"healmon.{place}"), name)
    assert len(inspect.signature(run).parameters) == (1 if command.bare else 2)
    assert command.group in GROUPS
    kinds = {"worker", "session", "database", "mount", "component", "alert", "silence", "channel",
             "file", "dir", "command", ""}  # fmt: skip
    args = [a for one in command.args for a in (one.args if isinstance(one, Either) else (one,))]
    assert {one.completes for one in args} <= kinds


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("statsu",), 'did you mean "status"'),
        (("restrat", "w"), 'did you mean "restart"'),
        (("help", "alrts"), 'did you mean "alerts"'),
        (("qqqqqq",), "no command 'qqqqqq'\n"),
        (("ack", "1", "--nte", "x"), 'did you mean "--note"'),
        (("status", "--jsn"), 'did you mean "--json"'),
        (("status", "--js"), "no option '--js'"),
        (("restart",), "required: WORKER"),
        (("import",), "import: give FILE"),
        (("restart", "a", "b"), "no further word 'b'"),
        (("status", "--log-level", "loud"), "choose from"),
        (("clear", "s", "--requeue", "--fail"), "not allowed with"),
        (("silence", "x", "--for", "soon"), "--for soon"),
        ((), "required: COMMAND"),
    ],
)
def test_wrong_words_are_told_what_was_meant(capsys, tmp_path, monkeypatch, words, said) -> None:
    monkeypatch.setenv("HEALMON_STATE_DIR", str(tmp_path))
    code, out, err = told(capsys, *words)
    assert (code, out) == (64, "")
    assert said in err
    assert err.startswith("healmon: ")
    assert "Traceback" not in err


@pytest.mark.parametrize("way", ["--once", "--no-ui", "--daemon", "--status", "--stop"])
def test_flags_of_the_screen_are_commands(way) -> None:
    args = parsers.tui_parser().parsed([way])
    assert cli.FLAGS.get(args.way, args.way) in COMMANDS


@pytest.mark.parametrize("way", cli.QUICK)
def test_the_quick_way_understands_the_same(way) -> None:
    flag = next(flag for flag, command in cli.QUICK_FLAGS.items() if command == way)
    for words in (
        (way,), ("--json", way), (way, "--state-dir", "/x", "--config=/y"), (way, "--dry-run"),
        ("--state-dir=/x", way, "--json"), ("--config", "stop", way),
    ):  # fmt: skip
        quick, whole = cli._plain(words, cli.QUICK), parsers.parse(words)
        flagged = cli._plain([flag if word == way else word for word in words], cli.QUICK_FLAGS)
        assert quick is not None
        assert flagged is not None
        for name in ("way", "state_dir", "config", "json", "dry_run", "log_level"):
            asked = getattr(whole, name, None) or None
            assert (getattr(quick, name, None) or None) == asked, words
            assert (getattr(flagged, name, None) or None) == asked, words
    for more in ("--help", "x", "--state-dir", "--config=", "--log-level=debug", way):
        assert cli._plain((way, more), cli.QUICK) is None
    for words in ((way, "--state-dir", "--json"), (), ("--json",), ("stop",)):
        assert cli._plain(words, cli.QUICK) is None


def test_a_healer_is_begun_as_the_table_says() -> None:
    for name, function in cli.HEALERS.items():
        command = COMMANDS[name]
        assert (command.run, command.bare) == (f"foreground:{function}", True)


@pytest.mark.parametrize("words", [["help"], ["status", "--state-dir", "/nonexistent"]])
def test_an_answer_that_nobody_can_take_is_told_in_a_line(words) -> None:
    code = "from healmon.cli import entry; entry()"
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            [sys.executable, "-c", code, *words], stdout=full, stderr=subprocess.PIPE, text=True,
            timeout=60,
        )  # fmt: skip
    assert done.returncode == 73
    assert done.stderr == "healmon: the answer cannot be written: No space left on device\n"
    with subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as gone:
        assert gone.stdout is not None
        assert gone.stderr is not None
        gone.stdout.close()
        assert gone.stderr.read() == b""
    assert gone.returncode == (0 if words == ["help"] else 3)


@pytest.mark.parametrize("loaded", ["json", "asyncio"])
@pytest.mark.parametrize("length", [9, 99_999])
def test_what_the_code_says_is_true_also_where_nobody_reads_the_answer(loaded, length) -> None:
    code = f"import {loaded}; from healmon import cli, quiet; "
    code += f"cli.leave(lambda: quiet.verdict('x' * {length}) or 2)"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as gone:
        assert gone.stdout is not None
        assert gone.stderr is not None
        gone.stdout.close()
        assert gone.stderr.read() == b""
    assert gone.returncode == 2


def entered(*words: str | bytes, shell: str = 'exec "$@"', **environ: str):
    """Run the command in a process of its own, with streams as the shell's words leave them."""
    code = "from healmon.cli import entry; entry()"
    return subprocess.run(
        ["sh", "-c", shell, "sh", sys.executable, "-c", code, *words],
        capture_output=True, text=True, timeout=60, errors="replace",
        env={**os.environ, **environ},
    )  # fmt: skip


def test_streams_that_are_closed_or_know_few_letters_are_no_fault(tmp_path) -> None:
    words = ("status", "--state-dir", tmp_path)
    for closed in (">&-", "2>&-", "<&-", "<&- >&- 2>&-"):
        done = entered(*words, shell=f'exec "$@" {closed}')
        assert (done.returncode, done.stderr) == (3, ""), closed
    done = entered("no-such", shell='exec "$@" >&-')
    assert (done.returncode, "Traceback" in done.stderr) == (64, False)
    # nothing that is opened later gets the number of a stream
    code = "from healmon import cli; cli._lend_streams(); "
    code += "import os; os.write(4, b'%d' % os.open('/', 0))"
    done = entered(code, shell='exec 4>&1 <&- >&- 2>&-; exec "$1" -c "$4"')
    assert int(done.stdout) > 2
    done = entered("help", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "[OPTION]\\u2026" in done.stdout


def test_names_that_are_no_text_and_numbers_beyond_all_are_no_fault(tmp_path) -> None:
    state_dir = os.fsencode(tmp_path) + b"/\xff?#%41"
    os.mkdir(state_dir)  # noqa: PTH102 - no text
    with opened_store(Path(os.fsdecode(state_dir)) / "healmon.db"):
        pass
    where = (b"--state-dir", state_dir)
    for words, code, says in (
        (("status",), 3, "no healer runs"),
        (("events", "--component", b"\xff"), 0, ""),
        (("alerts", "--all", "--before", "9" * 30), 0, "no alerts"),
        (("events", "--since", "\033[2J"), 64, "--since \u241b[2J"),
        (("status", "--state-dir", "x" * 300), 73, "a name in it has 300 bytes"),
    ):
        done = entered(*words, *(() if "--state-dir" in words else where))
        assert done.returncode == code, done
        assert says in done.stdout + done.stderr, done
        assert "fault" not in done.stderr, done


def test_what_nobody_thought_of_is_told_in_two_lines_with_a_code_of_its_own(
    capsys, monkeypatch
) -> None:
    monkeypatch.setattr(cli, "_healmon", lambda _: 1 // 0)
    assert cli.main(()) == 70
    said = capsys.readouterr().err
    assert said.startswith("healmon: a fault of healmon's own: ZeroDivisionError: ")
    assert len(said.splitlines()) == 2
    monkeypatch.setattr(cli.sys, "argv", ["healmon", "--log-level=debug", "status"])
    assert cli.main(()) == 70
    assert "Traceback" in capsys.readouterr().err


def test_who_may_not_look_into_a_state_directory_is_told_whose_it_is(
    capsys, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    for words in (("status",), ("stop",), ("restart", "w"), ("events",)):
        code, out, err = told(capsys, *words, "--state-dir", str(tmp_path))
        assert (code, out) == (73, ""), words
        assert f"{tmp_path} is closed to others than uid {os.geteuid()}" in err


def test_wrong_words_of_the_screens_command_are_told_by_their_own_name(capsys) -> None:
    assert cli.main_tui(["bogus"], lambda *_: 0) == 64
    assert capsys.readouterr().err.startswith("healmon: no further word 'bogus'")


def test_a_working_directory_that_was_removed_keeps_nobody_from_asking(
    capsys, monkeypatch, tmp_path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    code, out, _ = told(capsys, "status", "--state-dir", str(tmp_path / "state"))
    assert (code, out) == (3, f"no healer runs on {tmp_path / 'state'}\n")
    code, _, err = told(capsys, "once", "--state-dir", "../../../x")
    assert code == 73, "it must not be taken for /x"
    assert "the working directory was removed" in err
    code, _, err = told(capsys, "init")
    assert code == 73
    assert "the working directory was removed: go to another one first" in err


@pytest.mark.parametrize("command", ["pause --for 1h", "resume", "explain"])
def test_a_variable_that_was_never_set_does_not_mean_everything(capsys, tmp_path, command) -> None:
    code, _, err = told(capsys, *command.split(), "", "--state-dir", str(tmp_path))
    assert code == 64
    assert "invalid component value: ''" in err


@pytest.mark.parametrize("words", [["stop", "--state-dir", ""], ["--state-dir=", "status"]])
def test_an_unset_state_directory_does_not_mean_another_healers(capsys, words) -> None:
    code, out, err = told(capsys, *words)
    assert (code, out) == (64, "")
    assert "invalid directory value: ''" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--demo", "--stop"), "--demo and --stop do not go together"),
        (("--demo", "--status"), "--demo and --status do not go together"),
        (("--read-only", "--once"), "--read-only is for the screen, --once acts"),
        (("--read-only", "--daemon"), "--daemon acts"),
        (("--no-ui", "--read-only"), "--no-ui acts"),
        (("--stop", "--read-only"), "--stop acts"),
        (("--serve", "--read-only"), "--serve acts"),
    ],
)
def test_what_was_meant_for_elsewhere_or_for_looking_touches_no_healer(
    capsys, tmp_path, monkeypatch, words, said
) -> None:
    monkeypatch.setenv("HEALMON_STATE_DIR", str(tmp_path / "state"))
    assert cli.main_tui(words, lambda *_: 0) == 64
    assert said in capsys.readouterr().err
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    "words", [("import",), ("backup",), ("init",), ("metrics", "--textfile")], ids=" ".join
)
def test_a_file_of_an_overlong_name_is_wrong_usage(capsys, words) -> None:
    assert cli.main([*words, "a" * 300]) == 64
    said = capsys.readouterr().err
    assert "is too long: a name in it has 300 bytes" in said
    assert len(said) < 250
