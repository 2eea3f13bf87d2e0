"""What a starter configuration says of what was found: pure, and always a configuration."""

from __future__ import annotations

import json
import os
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from healmon.cli import main
from healmon.clock import ManualClock
from healmon.config.load import understood
from healmon.config.settings import Tasks
from healmon.errors import DataError, ProbeError, StateDirError
from healmon.service import starter, systemd_units
from healmon.service.starter import decide, programs, wording
from healmon.service.starter import look as looking
from healmon.service.starter.look import Look
from healmon.service.starter.model import Database, Found, Session, Worker
from healmon.world.newfile import write_new
from healmon.world.processes import Identity, Origin, ProcessFacts
from healmon.world.simulated.processes import SimulatedProcesses
from healmon.world.survey import FileSystem, PidFile
from healmon.world.surveyfiles import Log
from healmon.world.taskwords import Task

WORKER = Worker(
    pid=4711,
    age=100.0,
    argv=("/usr/bin/python3", "workers/task_worker.py", "--daemon"),
    script="/srv/app/workers/task_worker.py",
    place=1,
    interpreter="/usr/bin/python3",
    ours=True,
    directory="/srv/app",
    pid_file="/tmp/architect_worker.pid",
)


def text_of(*workers: Worker, **more: object) -> str:
    return wording.text(decide.document(Found(host="box", workers=workers, **more)))


def tables(text: str) -> dict:
    understood(text, Path("/etc/healmon/healmon.toml"), {})
    return tomllib.loads(text)


def facts(pid: int, parent: int, *command: str, name: str = "python") -> ProcessFacts:
    return ProcessFacts(Identity("b", pid, pid), parent, "S", name, command, 0.0, 0, 1.0, 0)


def test_what_runs_is_written_as_it_runs() -> None:
    text = text_of(WORKER)
    assert tables(text)["workers"]["task_worker"] == {
        "script": "/srv/app/workers/task_worker.py", "args": ["--daemon"], "cwd": "/srv/app",
        "pid_file": "/tmp/architect_worker.pid",
    }  # fmt: skip
    assert "# seen: pid 4711 running /usr/bin/python3 workers/task_worker.py --daemon" in text


def test_another_python_runs_it_with_the_words_it_has() -> None:
    written = tables(text_of(replace(WORKER, ours=False)))["workers"]["task_worker"]
    assert written["command"] == ["/usr/bin/python3", "workers/task_worker.py", "--daemon"]
    assert "script" not in written
    options = replace(WORKER, argv=("/usr/bin/python3", "-u", *WORKER.argv[1:]), place=2)
    assert tables(text_of(options))["workers"]["task_worker"]["command"][1] == "-u"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"script": ""}, "its script is not where"),
        ({"directory": ""}, "in which directory"),
        ({"copies": (8, 9)}, "others run with the same words (pid 8, 9)"),
        ({"healer": "pid 3 on /x"}, "another healer looks after it (pid 3 on /x)"),
        ({"unit": "app.service"}, "systemd looks after it (app.service)"),
        ({"script": "/x/health_monitor_v2.py"}, "looks after the same things"),
        ({"env": (("API_TOKEN", "hush"),)}, "the value of API_TOKEN"),
        ({"env": (("DB", "mysql://me:hush@box/x"),)}, "the value of DB"),
        ({"argv": (*WORKER.argv, "--password", "hush")}, "what stands as [redacted] among its"),
        ({"env": tuple((f"V{n}", "1") for n in range(17))}, "many variables"),
        ({"argv": ("nginx: master process",), "place": None, "script": ""}, "given itself a title"),
        ({"argv": ("/usr/sbin/cron", "-f"), "place": None, "script": ""}, "its own way to start"),
        ({"env": (("A", "x\udcff"),)}, "are no plain text"),
        ({"directory": "/srv/\n"}, "are no plain text"),
        ({"argv": ("/x\udcff", "a.py"), "ours": False}, "are no plain text"),
    ],
)
def test_what_is_not_proved_is_commented_out_with_what_is_missing(
    change: dict[str, object], word: str
) -> None:
    text = text_of(replace(WORKER, **change))
    assert "workers" not in tables(text)
    assert "# missing: " in text
    assert word in " ".join(text.replace("\n#   ", " ").split())
    assert "hush" not in text


def test_what_it_was_started_with_goes_with_it_but_no_secret() -> None:
    written = tables(text_of(replace(WORKER, env=(("APP_ENV", "prod"),), user="svc")))
    assert written["workers"]["task_worker"]["env"] == {"APP_ENV": "prod"}
    assert written["workers"]["task_worker"]["user"] == "svc"


def test_a_heartbeat_is_only_one_that_was_seen_to_beat() -> None:
    quiet = replace(WORKER, quiet="/tmp/architect_worker_state.json")
    assert "heartbeat_file" not in tables(text_of(quiet))["workers"]["task_worker"]
    beats = programs.with_beat(quiet, {"/tmp/architect_worker_state.json"})
    written = tables(text_of(beats))["workers"]["task_worker"]
    assert written["heartbeat_file"] == "/tmp/architect_worker_state.json"


def test_nothing_is_pressed_mended_or_deleted_by_a_guess() -> None:
    text = text_of(
        WORKER,
        sessions=(Session("default", "architect", "vim", attached=True),
                  Session("/x/y.sock", "agent", "python", attached=False)),
        databases=(Database(path="/srv/a.db", near=True, layout="assigner", users=((7, "py"),)),
                   Database(path="/srv/b/a.db", near=True, layout="task_queue"),
                   Database(path="/home/x/places.sqlite")),
        disks=(FileSystem("/", "ext4", 100, 40),),
        logs=(Log("/srv/logs", 3, 5 << 30, 1 << 30),),
        stale=(PidFile("/tmp/old.pid", 99, 0, 0.0),),
    )  # fmt: skip
    found = tables(text)
    assert found["sessions"]["on_stuck"] == "alert"
    assert found["sessions"]["protect"] == ["architect"]
    assert found["sessions"]["sockets"] == ["default", "/x/y.sock"]
    assert found["tasks"] == {"a": {"path": "/srv/a.db", "layout": "assigner"}}
    assert {name: one["on_stale"] for name, one in found["databases"].items()} == {
        "a": "alert", "a_2": "alert",
    }  # fmt: skip
    assert found["disk"]["paths"] == ["/"]
    assert found["disk"]["budgets"] == [{"path": "/srv/logs", "limit": "10GiB"}]
    assert "rules" not in found["disk"]
    assert '# [[disk.rules]]\n# name = "logs"' in text
    assert "/tmp/old.pid is stale" in text
    assert "# a database that lies elsewhere: /home/x/places.sqlite" in text


foreign = st.text(st.characters(), min_size=1, max_size=20)
anything = st.text(st.characters(exclude_categories=()), min_size=1, max_size=20)


@given(st.lists(anything, min_size=1, max_size=4), foreign, foreign)
def test_whatever_is_found_it_is_a_configuration(argv: list[str], name: str, host: str) -> None:
    worker = replace(WORKER, argv=("/bin/x", *argv), place=None, script="", pid_file=f"/tmp/{name}")
    words = ("/usr/bin/python3", name, *argv)
    other = replace(WORKER, argv=words, env=(("A", argv[0]),), directory=f"/{argv[-1]}")
    found = Found(
        host=host, workers=(worker, other),
        sessions=(Session("default", name, name, attached=True),),
        databases=(Database(path=f"/srv/{name}.db", near=True),), unseen=(name,),
    )  # fmt: skip
    understood(starter._fitting(decide.document(found), Path("/x/h.toml")), Path("/x/h.toml"), {})


def test_a_database_whose_name_is_no_text_is_a_comment_that_says_so() -> None:
    found = Found(host="h", databases=(Database(path="/srv/\udcff.db", near=True),))
    text = starter._fitting(decide.document(found), Path("/x/h.toml"))
    assert "databases" not in tables(text)
    assert "# missing: how to write it down: path is no plain text" in text


def test_names_are_given_once_and_fit() -> None:
    text = text_of(WORKER, replace(WORKER, pid=5, pid_file="/tmp/b.pid"))
    assert tables(text)["workers"].keys() == {"task_worker", "task_worker_2"}


# -- what a command line tells


def test_a_relative_script_is_looked_for_where_it_was_started(tmp_path: Path) -> None:
    (tmp_path / "w.py").touch()
    origin = Origin(("python3", "w.py", "--daemon"), ("/", str(tmp_path)))
    assert programs.script_of(origin) == (str(tmp_path / "w.py"), str(tmp_path), 1)
    nowhere = Origin(("python3", "w.py"), ("/",))
    assert programs.script_of(nowhere) == ("", "", 1)
    assert programs.script_of(Origin(("python3", "-c", "x"), ("/a",))) == ("", "/a", None)


def test_a_look_that_takes_long_makes_no_pid_file_of_the_living_stale(tmp_path: Path) -> None:
    clock = ManualClock()
    door = SimulatedProcesses(clock)
    here = {name: door.add(("/srv/app/w", name)).pid for name in ("own", "old")}
    born = clock.read().wall
    for name, written in (("own", born), ("old", born - 60)):
        path = tmp_path / f"{name}.pid"
        path.write_text(f"{here[name]}\n")
        os.utime(path, (written, written))
    everyone = door.everyone
    door.everyone = lambda: (replace(one, uid=os.geteuid()) for one in everyone())
    look = Look(starter.Roots(folders=(str(tmp_path),)), processes=door, clock=clock)
    found = look._everyone()
    clock.advance(60)  # a large tree, or a busy machine
    named, stale = look._named(found)
    assert named.keys() == {here["own"]}
    assert [Path(one.path).name for one in stale] == ["old.pid"], "born after its file"


def test_a_directory_full_of_databases_is_asked_for_a_while_those_of_workers_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, asked = [0.0], list[str]()

    class Slow:
        def read(self, tasks: Tasks) -> tuple[Task, ...]:
            now[0] += 1.0
            asked.append(tasks.path)
            raise ProbeError("x: has no table prompts")

    monkeypatch.setattr(looking, "process_seconds", lambda: now[0])
    paths = [str(tmp_path / f"{number:02}.db") for number in range(40)]
    for path in paths:
        with closing(sqlite3.connect(path)) as conn:
            conn.execute("CREATE TABLE t (a)")
    look = Look(starter.Roots(), processes=SimulatedProcesses(ManualClock()), tasks=Slow())
    worker = replace(WORKER, open=frozenset({paths[-1]}))
    found = look._databases({}, (worker,), set(paths))
    assert [one.path for one in found] == paths
    assert asked[:4] == [paths[-1], paths[-1], paths[0], paths[0]]
    assert len(asked) == looking.PATIENCE + 1
    assert {one.path for one in found if not one.unclear} == {paths[-1], *paths[:2]}


def test_copies_are_neither_parents_nor_children() -> None:
    words = ("python3", "w.py", "--daemon")
    there = {f.identity.pid: f for f in (
        facts(1, 0, "init"), facts(10, 1, *words), facts(11, 10, *words), facts(20, 1, *words),
    )}  # fmt: skip
    assert programs.copies(there[10], there) == (20,)
    assert programs.copies(there[11], there) == (20,)
    assert programs.family(there, 11) == {11, 10, 1}


@pytest.mark.parametrize(
    ("command", "ours"),
    [
        (("/x/python", "/x/bin/healmon", "run"), True),
        (("python", "-m", "healmon_tui", "--daemon"), True),
        (("python", "-P", "-m", "healmon.web.child", "127.0.0.1:8080"), True),
        (("python", "-P", "-m", "healmonitor"), False),
        (("python", "/x/healmon/world/programs/shim.py"), True),
        (("python", "/srv/healmon/worker.py", "--daemon"), False),
    ],
)
def test_healmon_is_no_worker_of_its_own(command: tuple[str, ...], ours: bool) -> None:
    assert programs.is_healmon(facts(1, 0, *command)) is ours


def test_sockets_of_servers_elsewhere_are_found() -> None:
    servers = {1: facts(1, 0, "tmux", "-S", "/x/s.sock", "new", name="tmux: server"),
               2: facts(2, 0, "tmux", "-L", "own", name="tmux: server"),
               3: facts(3, 0, "vim", "-S", "/x/y", name="vim")}  # fmt: skip
    assert list(programs.tmux_sockets(servers)) == ["/x/s.sock", "own"]


# -- the file


def test_it_appears_whole_for_its_owner_and_never_replaces(tmp_path: Path) -> None:
    path = tmp_path / "new" / "healmon.toml"
    write_new(path, "a\n")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        write_new(path, "b\n")
    assert path.read_text() == "a\n"
    assert [p.name for p in path.parent.iterdir()] == ["healmon.toml"]


def empty(tmp_path: Path) -> starter.Roots:
    return starter.Roots(
        folders=(), tree=str(tmp_path), sockets=str(tmp_path), follow=False,
        mine=lambda _: False, disks=lambda: (),
    )  # fmt: skip


def test_what_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "healmon.toml"
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match="is there already"):
        starter.write(path, empty(tmp_path))
    path.unlink()
    (tmp_path / "file").touch()
    with pytest.raises(StateDirError, match="cannot be written"):
        starter.write(tmp_path / "file" / "healmon.toml", empty(tmp_path))
    assert starter.write(path, empty(tmp_path)) == path.read_text()


def test_an_empty_host_gives_a_configuration_that_acts_on_nothing(tmp_path: Path) -> None:
    found = tables(starter.preview(tmp_path / "h.toml", empty(tmp_path)))
    assert found.keys() == {"monitor", "sessions", "disk"}


def test_a_unit_is_written_with_it_and_for_what_is_there(tmp_path, monkeypatch, capsys):
    where = starter.Roots(
        folders=(), tree=str(tmp_path), sockets=str(tmp_path), follow=False,
        mine=lambda _: False, disks=lambda: (),
    )  # fmt: skip
    monkeypatch.setattr(starter, "roots", lambda: where)
    monkeypatch.setattr(systemd_units, "place", lambda *_: tmp_path / "units" / "healmon.service")
    config = tmp_path / "healmon.toml"
    assert main(["init", "--systemd", "--print", str(config)]) == 0
    assert f"--config {config}" in capsys.readouterr().out
    assert not config.exists()
    # not every shell expands a ~ behind an equals sign
    monkeypatch.setenv("HOME", str(tmp_path))
    homely = ["--config=~/healmon.toml", "--state-dir=~/s"]
    assert main(["init", "--systemd", "--print", *homely]) == 0
    assert f"--config {config} --state-dir {tmp_path / 's'}" in capsys.readouterr().out
    assert main(["init", "--print", "--json", *homely]) == 0
    assert json.loads(capsys.readouterr().out)["file"] == str(config)
    assert main(["init", "--systemd", str(config), "--state-dir", str(tmp_path / "s")]) == 0
    unit = (tmp_path / "units" / "healmon.service").read_text()
    assert f"--config {config} --state-dir {tmp_path / 's'}" in unit
    assert "KillMode=process" in unit
    assert "enable --now healmon.service" in capsys.readouterr().out
    # again: both are there, and stay
    config.write_text("# mine\n")
    assert main(["init", "--systemd", str(config), "--state-dir", str(tmp_path / "s")]) == 0
    assert config.read_text() == "# mine\n"
    assert main(["init", "--systemd", str(config), "--state-dir", str(tmp_path / "t")]) == 65
    capsys.readouterr()
    # what the configuration says of the state stands, and what cannot start gets no unit
    config.write_text('[monitor]\nstate_dir = "mine"\n')
    assert main(["init", "--systemd", "--print", str(config)]) == 0
    assert "--state-dir" not in capsys.readouterr().out
    config.write_text("[monitor]\nstate = 1\n")
    assert main(["init", "--systemd", "--print", str(config)]) == 78
    assert main(["init", "--systemd", "--print", str(tmp_path)]) == 78
