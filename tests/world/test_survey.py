"""What runs on a host, as far as a starter configuration wants to know."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from healmon.world import survey, surveyfiles
from healmon.world.system_processes import SystemProcesses
from tests.helpers.wait import until

NOW = 2e9


def database(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as conn:
        conn.execute("CREATE TABLE t (a)")
    conn.close()
    return path


def test_pid_files_are_numbers_in_regular_files(tmp_path: Path) -> None:
    (tmp_path / "a.pid").write_text("4711\n")
    (tmp_path / "b.pid").write_text("no number")
    (tmp_path / "c.txt").write_text("4711")
    (tmp_path / "d.lock").write_text(" 12 x")
    (tmp_path / "healmon.pid").write_text("1")
    os.mkfifo(tmp_path / "e.pid")
    (tmp_path / "f.pid").mkdir()
    found = list(survey.pid_files([str(tmp_path), str(tmp_path), str(tmp_path / "none")]))
    assert [(Path(one.path).name, one.pid, one.owner) for one in found] == [
        ("a.pid", 4711, os.geteuid()), ("d.lock", 12, os.geteuid()),
    ]  # fmt: skip


def test_a_pid_file_is_found_among_many_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "MOST_FILES", 3)
    for number in range(9):
        (tmp_path / f"{number}.txt").touch()
    (tmp_path / "z.pid").write_text("4711\n")
    assert [one.pid for one in survey.pid_files([str(tmp_path)])] == [4711]


def test_a_process_tells_its_files_program_and_environment(tmp_path: Path) -> None:
    path = tmp_path / "open.db"
    code = f"import sys, time\nfile = open({str(path)!r}, 'w')\nwhile True: time.sleep(0.1)"
    run = subprocess.Popen([sys.executable, "-c", code], env={"APP": "1", "ODD": "a=b"})
    try:
        who = SystemProcesses().identify(run.pid)
        assert who is not None
        until(lambda: str(path) in survey.open_paths(who), 60, "its file")
        assert survey.environment(who)["ODD"] == "a=b"
        assert os.path.realpath(survey.program(who)) == os.path.realpath(sys.executable)
    finally:
        run.kill()
        run.wait(60)
    assert survey.open_paths(who) == frozenset()
    assert survey.environment(who) == {}
    assert survey.program(who) == ""
    assert survey.unit(who) == ""


@pytest.mark.parametrize(
    ("group", "unit"),
    [
        ("0::/system.slice/app.service", "app.service"),
        ("0::/system.slice/cron.service", ""),
        ("0::/system.slice/ssh.service", ""),
        ("0::/user.slice/user-0.slice/user@0.service/app.slice/mine.service", "mine.service"),
        ("0::/user.slice/user-0.slice/session-3.scope", ""),
        ("0::/", ""),
    ],
)
def test_the_service_that_looks_after_a_process(
    group: str, unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_: group)
    assert survey.unit(SystemProcesses().identify(os.getpid())) == unit


def test_sockets_only(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "s"))
        (tmp_path / "file").touch()
        assert survey.tmux_sockets(str(tmp_path)) == (str(tmp_path / "s"),)
    assert survey.tmux_sockets(str(tmp_path / "none")) == ()


def test_file_systems_are_those_of_disks() -> None:
    for one in survey.file_systems():
        assert one.total >= one.free >= 0
        assert 0 <= one.percent <= 100
        assert Path(one.path).is_dir()


# -- trees


def test_databases_are_known_by_their_first_bytes_and_the_store_is_never_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database(tmp_path / "data" / "a.db")
    database(tmp_path / "healmon.db")
    database(tmp_path / ".hidden" / "b.db")
    database(tmp_path / "node_modules" / "c.db")
    (tmp_path / "text.db").write_text("no database")
    (tmp_path / "link.db").symlink_to(tmp_path / "data" / "a.db")
    os.mkfifo(tmp_path / "pipe.db")
    opened: list[str] = []
    real = os.open

    def noted(path, *rest, **more):
        opened.append(str(path))
        return real(path, *rest, **more)

    monkeypatch.setattr(os, "open", noted)
    tree = surveyfiles.walk(str(tmp_path), NOW)
    assert tree.databases == (str(tmp_path / "data" / "a.db"),)
    assert tree.whole
    # closing a descriptor of the store would drop the healer's own locks on it
    assert not [path for path in opened if "healmon.db" in path]


@pytest.mark.parametrize(
    ("path", "of"),
    [
        ("/a.db", "/a.db"),
        ("/a.db-wal", "/a.db"),
        ("/a-shm", "/a"),
        ("/a.txt", ""),
        ("/x.sqlite3", "/x.sqlite3"),
    ],
)
def test_an_open_file_tells_of_its_database(path: str, of: str) -> None:
    assert surveyfiles.database_of(path) == of


def test_logs_and_their_age(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    (logs / "deep").mkdir(parents=True)
    (logs / "a.log").write_bytes(b"x" * 10)
    (logs / "a.log.1").write_bytes(b"x" * 20)
    os.utime(logs / "a.log.1", (NOW - 8 * 86400, NOW - 8 * 86400))
    os.utime(logs / "a.log", (NOW, NOW))
    (tmp_path / "mixed").mkdir()
    for name in ("a.log", "b.py", "c.py"):
        (tmp_path / "mixed" / name).touch()
    (found,) = surveyfiles.walk(str(tmp_path), NOW).logs
    assert found == surveyfiles.Log(str(logs), 2, 30, 20)


def test_a_tree_without_end_is_cut_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        (tmp_path / str(number)).mkdir()
    for number in range(60):
        (tmp_path / "0" / f".{number}").mkdir()
    monkeypatch.setattr(surveyfiles, "MOST", 20)
    assert not surveyfiles.walk(str(tmp_path), NOW).whole
    assert not surveyfiles.walk(str(tmp_path / "0"), NOW).whole
    assert [count for _, _, count in surveyfiles._folders(str(tmp_path / "0"))] == [21]
    monkeypatch.setattr(surveyfiles, "MOST", 200)
    assert surveyfiles.walk(str(tmp_path), NOW).whole
    assert not surveyfiles.walk(str(tmp_path), NOW, until=0.0).whole
    assert surveyfiles.walk(str(tmp_path / "none"), NOW) == surveyfiles.Tree()
