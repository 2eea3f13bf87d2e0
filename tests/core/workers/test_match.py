"""Which command line is the worker's, and which only looks like it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.text import clean
from healmon.workers import match
from healmon.workers.match import Index, likeness, needle
from healmon.world.processes import Identity, Origin, ProcessFacts
from healmon.world.procfs import ARGUMENT_SHOWN
from tests.helpers.workerbench import SCRIPT, a_worker

DAEMON = a_worker()
PLAIN = a_worker(argv=("/usr/bin/python3", SCRIPT))
COMMAND = a_worker(argv=("/opt/app/bin/indexer", "--port", "80"), script="")


def like(worker, *argv: str, directories: tuple[str, ...] = ()) -> str:
    return likeness(worker, Origin(argv, directories))


@pytest.mark.parametrize(
    "argv",
    [
        ("/usr/bin/python3", SCRIPT, "--daemon"),
        ("python", SCRIPT, "--daemon"),
        ("python3.12", "-u", SCRIPT, "--daemon"),
        ("/venv/bin/python3.11", "-X", "dev", "-W", "error", SCRIPT, "--daemon"),
        ("pypy3", "-O", SCRIPT, "--daemon"),
        (SCRIPT, "--daemon"),
        ("/usr/bin/python3", "/srv/app/../app/workers/task_worker.py", "--daemon"),
    ],
)
def test_these_are_the_worker(argv: tuple[str, ...]) -> None:
    assert like(DAEMON, *argv) == "exact"


@pytest.mark.parametrize(
    "argv",
    [
        (),
        ("",),
        ("python3",),
        ("python3", "-u"),
        ("python3", SCRIPT),
        ("python3", SCRIPT, "--daemon", ""),
        ("python3", SCRIPT, "--Daemon"),
        ("python3", SCRIPT, "daemon"),
        ("python3", SCRIPT, "--", "--daemon"),
        ("python3", "-c", SCRIPT, "--daemon"),
        ("python3", "-Im", SCRIPT, "--daemon"),
        ("python3", "-", SCRIPT, "--daemon"),
        ("python3", "-m", "pdb", SCRIPT, "--daemon"),
        ("python3", f"{SCRIPT} --daemon"),
        ("python3 " + SCRIPT, "--daemon"),
        ("vim", SCRIPT, "--daemon"),
        ("sudo", "python3", SCRIPT, "--daemon"),
        ("strace", "-f", "python3", SCRIPT, "--daemon"),
        ("python3", SCRIPT + ".bak", "--daemon"),
        ("python3", "/elsewhere/task_worker.py", "--daemon"),
        ("pythonista", SCRIPT, "--daemon"),
    ],
)
def test_these_are_not(argv: tuple[str, ...]) -> None:
    assert like(DAEMON, *argv) == ""


def test_an_editor_of_a_script_without_arguments_is_not_the_worker() -> None:
    assert like(PLAIN, "python3", SCRIPT) == "exact"
    for editor in ("vim", "less", "cat", "tail", "emacs", "tmux", "bash"):
        assert like(PLAIN, editor, SCRIPT) == ""


def test_a_relative_path_counts_from_a_directory_that_is_known() -> None:
    argv = ("python3", "workers/task_worker.py", "--daemon")
    assert like(DAEMON, *argv, directories=("/srv/app",)) == "exact"
    assert like(DAEMON, *argv, directories=("/", "/srv/app")) == "exact"
    assert like(DAEMON, *argv, directories=("/somewhere",)) == "unclear"
    assert like(DAEMON, *argv) == "unclear"
    assert like(DAEMON, "python3", "other/task_worker.py", "--daemon") == ""
    assert like(DAEMON, "python3", "sk_worker.py", "--daemon") == ""


def test_where_it_is_now_counts_before_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "task_worker.py").touch()
    argv = ("python3", "workers/task_worker.py", "--daemon")
    assert like(DAEMON, *argv, directories=(str(tmp_path), "/srv/app")) == ""


def test_links_are_followed_to_the_same_file(tmp_path: Path) -> None:
    release = tmp_path / "release-7"
    release.mkdir()
    (release / "w.py").touch()
    (tmp_path / "current").symlink_to(release)
    worker = a_worker(
        argv=("python3", f"{tmp_path}/current/w.py"), script=f"{tmp_path}/current/w.py"
    )
    assert like(worker, "python3", f"{release}/w.py") == "exact"
    assert like(worker, "python3", "w.py", directories=(str(release),)) == "exact"


@pytest.mark.parametrize(
    ("argv", "answer"),
    [
        (("/opt/app/bin/indexer", "--port", "80"), "exact"),
        (("/bin/sh", "/opt/app/bin/indexer", "--port", "80"), "exact"),
        (("/usr/bin/perl", "-w", "/opt/app/bin/indexer", "--port", "80"), "exact"),
        (("/opt/app/bin/indexer", "--port", "8080"), ""),
        (("/opt/app/bin/indexer", "--port"), ""),
        (("/opt/other/bin/indexer", "--port", "80"), ""),
        (("less", "/opt/app/bin/indexer", "--port", "80"), ""),
        (("sh", "-c", "/opt/app/bin/indexer", "--port", "80"), "exact"),
        (("sh", "x", "/opt/app/bin/indexer", "--port", "80"), ""),
        (("a", "b", "c", "/opt/app/bin/indexer", "--port", "80"), ""),
        (("indexer", "--port", "80"), ""),
    ],
)
def test_a_command_is_compared_whole(argv: tuple[str, ...], answer: str) -> None:
    assert like(COMMAND, *argv) == answer


@pytest.mark.parametrize(
    "words",
    [
        ("server.js",),
        ("-c", "./server.js"),
        ("--config=server.js",),
        ("-m", "app.web"),
        ("pkg:api",),
    ],
)
def test_files_among_the_arguments_of_a_command_are_those_of_its_directory(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    mine, theirs, empty = (tmp_path / name for name in ("mine", "theirs", "empty"))
    for place in (mine, theirs):
        (place / "app").mkdir(parents=True)
        (place / "pkg").mkdir()
        for name in ("server.js", "app/web.py", "pkg/__init__.py"):
            (place / name).touch()
    (tmp_path / "link").symlink_to(mine)
    worker = a_worker(argv=("/bin/node", *words), script="", cwd=str(mine))

    def seen(*directories: Path) -> str:
        return like(worker, "/bin/node", *words, directories=tuple(map(str, directories)))

    assert seen(mine) == seen(Path("/"), mine) == seen(tmp_path / "link") == "exact"
    assert seen(theirs) == "", "another project's program"
    assert seen(theirs, mine) == "unclear", "it may have gone there from here"
    assert seen(empty) == seen() == "unclear"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(match.notes, "is_file", None)
        assert seen(mine) == "exact", "no file is asked for that"
        patch.setattr(match, "far", lambda _: True)
        assert (seen(Path("/"), mine), seen(theirs)) == ("exact", "unclear"), "nor a dead mount"
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to(theirs)
    worker = a_worker(argv=worker.argv, script="", cwd=str(tmp_path / "link"))
    assert seen(mine, tmp_path / "link") == "unclear", "of the release before"
    assert seen(mine) == ""


def test_a_program_in_path_is_the_same_by_either_name() -> None:
    bare = a_worker(argv=("sleep", "300"), script="")
    assert like(bare, "sleep", "300") == "exact"
    assert like(bare, "/bin/sleep", "300") == "exact"
    assert like(bare, "/opt/sleep", "300") == ""
    full = a_worker(argv=("/bin/sleep", "300"), script="")
    assert like(full, "sleep", "300") == "exact"


def test_the_needle_is_what_every_scan_looks_for() -> None:
    assert needle(DAEMON) == "task_worker.py"
    assert needle(COMMAND) == "indexer"


words = st.text(st.sampled_from("ab-/."), max_size=4)


@given(st.lists(words | st.sampled_from([SCRIPT, "--daemon", "python3", "-u"]), max_size=6))
def test_what_matches_ends_in_the_script_and_all_its_arguments(argv: list[str]) -> None:
    if like(DAEMON, *argv) == "exact":
        assert argv[-2:] == [SCRIPT, "--daemon"]
        assert all(part.startswith(("-", "python")) for part in argv[:-2] if part) or len(argv) <= 4


@given(st.lists(st.text(max_size=6), max_size=5))
def test_nothing_that_others_write_breaks_it(argv: list[str]) -> None:
    assert like(DAEMON, *argv) in ("", "unclear", "exact")
    assert like(COMMAND, *argv) in ("", "unclear", "exact")


def facts_of(argv: tuple[str, ...]) -> ProcessFacts:
    command = tuple(clean(part, limit=ARGUMENT_SHOWN) for part in argv)
    return ProcessFacts(Identity("b", 1, 1), 1, "S", "x", command, 0.0, 1, 1.0, 0)


@given(
    st.lists(st.sampled_from(["-u", "-X", "dev", "--daemon", "x", "", "\x1b[2J", "é" * 1001])),
    st.sampled_from([DAEMON, PLAIN, COMMAND]),
    st.sampled_from(
        ["python3", "/usr/bin/python3", SCRIPT, "/opt/app/bin/indexer", "indexer", "sh"]
    ),
)
def test_the_index_leaves_out_nobody_who_is_the_worker(more, worker, program) -> None:
    for argv in ((program, *more), (program, *worker.argv[1:], *more), (program, *worker.argv)):
        if like(worker, *argv):
            assert worker in Index([DAEMON, PLAIN, COMMAND]).may_be(facts_of(argv))


def test_the_index_tells_many_of_one_program_apart() -> None:
    workers = [a_worker(name=str(n), argv=("/bin/w", "-n", str(n)), script="") for n in range(50)]
    index = Index(workers)
    for worker in workers:
        assert index.may_be(facts_of(worker.argv)) == [worker]
    assert index.may_be(facts_of(("/bin/w", "-n"))) == []
    assert index.may_be(facts_of(("-n", "1"))) == []
    assert index.may_be(facts_of(())) == []
