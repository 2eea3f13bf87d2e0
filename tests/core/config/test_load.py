import os
import sys
from pathlib import Path

import msgspec
import pytest

from healmon.config.load import load
from healmon.config.settings import (
    Budget,
    Disk,
    Monitor,
    Ready,
    Rule,
    Sessions,
    Settings,
    Store,
    Thresholds,
)
from healmon.config.show import show
from healmon.errors import ConfigError
from tests.helpers.configs import EXAMPLE


def test_without_a_file_healmon_observes_and_acts_on_nothing():
    assert load(None, {}) == Settings(monitor=Monitor(name=os.uname().nodename))
    settings = load(None, {})
    assert settings.disk.paths == ("/",)
    assert settings.workers == settings.tasks == settings.databases == settings.disk.rules == ()
    assert settings.source is None


def test_an_empty_file_is_all_defaults(configs):
    settings = configs.settings("")
    assert settings.source == str(configs.path)
    assert msgspec.structs.replace(settings, source=None) == load(None, {})


def test_the_specifications_constants_are_the_defaults(configs):
    settings = configs.settings('[workers.a]\nscript = "a.py"')
    assert settings.monitor.check_interval == 60
    assert settings.sessions.stuck_after == 1800
    assert (settings.disk.warning, settings.disk.critical) == (85, 95)
    assert settings.disk.log_retention == 7 * 86_400
    assert settings.disk.temp_age == 24 * 3600
    assert settings.workers[0].restart_delay == 5
    assert settings.workers[0].critical is False


def test_the_contracts_example_is_read_word_for_word(configs):
    base = configs.directory
    settings = configs.settings(EXAMPLE)
    assert settings.monitor == Monitor(name="build-box", check_interval=60.0)
    other, worker = settings.workers
    assert other.name == "other_worker"
    assert other.argv == ("sleep", "infinity")
    assert other.script == ""
    assert other.cwd == str(base)
    assert worker.argv == (sys.executable, str(base / "workers/assigner_worker.py"), "--daemon")
    assert worker.script == str(base / "workers/assigner_worker.py")
    assert worker.critical is True
    assert worker.forks is True
    assert worker.pid_file == "/tmp/architect_assigner_worker.pid"
    assert worker.ready == Ready(log="listening")
    assert worker.liveness == Ready(tcp=8080, every=10.0, failures=3)
    assert worker.after == ("other_worker",)
    assert worker.memory_limit == 500_000_000
    assert worker.cwd == str(base)
    assert worker.env == {"APP_ENV": "prod"}
    assert worker.user == "svc"
    assert settings.sessions == Sessions(
        protect=("architect", "inspector"), typing_marker="##", sockets=("default",)
    )
    assert [(t.name, t.path) for t in settings.tasks] == [
        ("assigner", str(base / "data/assigner/assigner.db"))
    ]
    (database,) = settings.databases
    assert (database.name, database.path) == ("architect", str(base / "data/architect.db"))
    assert (database.busy_for, database.act_after, database.on_stale) == (10.0, 120.0, "heal")
    assert settings.disk == Disk(
        horizon=12 * 3_600.0,
        thresholds=(Thresholds(path=str(base / "logs"), warning=90.0),),
        budgets=(Budget(path=str(base / "logs"), limit=5_000_000_000),),
        rules=(
            Rule(
                name="logs",
                paths=(str(base / "logs"),),
                patterns=("*.log", "*.log.*"),
                older_than=7 * 86_400.0,
                backup="s3://bucket/prefix",
            ),
        ),
    )
    assert settings.store == Store(retention=30 * 86_400.0)


def test_settings_have_the_types_they_declare(configs):
    settings = configs.settings(EXAMPLE)
    assert msgspec.json.decode(msgspec.json.encode(settings), type=Settings) == settings


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("logs/x", "{base}/logs/x"),
        ("./a/../b", "{base}/b"),
        ("~/x", "{base}/home/x"),
        ("~", "{base}/home"),
        ("/abs//x/", "/abs/x"),
        ("//etc", "/etc"),
        ("~root/x", "{root}/x"),
    ],
)
def test_paths_are_relative_to_the_file(configs, monkeypatch, written, read):
    monkeypatch.chdir("/")
    root = os.path.expanduser("~root")  # noqa: PTH111 - what the code under test asks too
    settings = configs.settings(f'[databases.a]\npath = "{written}"')
    assert settings.databases[0].path == read.format(base=configs.directory, root=root)


@pytest.mark.parametrize(
    ("command", "argv"),
    [
        ('["prog", "./arg"]', ("prog", "./arg")),
        ('["./bin/prog"]', ("{base}/bin/prog",)),
        ('["~/prog"]', ("{base}/home/prog",)),
        ('["/bin/sh", "-c", "a\\nb", ""]', ("/bin/sh", "-c", "a\nb", "")),
    ],
)
def test_a_command_is_found_from_the_file_when_it_is_a_path(configs, command, argv):
    settings = configs.settings(f"[workers.a]\ncommand = {command}\nargs = ['x']")
    expected = tuple(part.format(base=configs.directory) for part in argv)
    assert settings.workers[0].argv == (*expected, "x")
    settings = configs.settings(f"[workers.a]\nscript = 'x'\nready.command = {command}")
    assert settings.workers[0].ready.command == expected


def test_sockets_are_names_or_paths(configs):
    settings = configs.settings("[sessions]\nsockets = ['work', 'run/tmux.sock', '~/s']")
    base = configs.directory
    assert settings.sessions.sockets == ("work", f"{base}/run/tmux.sock", f"{base}/home/s")
    assert configs.settings("[sessions]\nsockets = []").sessions.sockets == ()


@pytest.mark.parametrize(
    ("name", "patterns", "age"),
    [
        ("logs", ["*"], 3 * 86_400.0),
        ("app-log", ["*"], 3 * 86_400.0),
        ("rotated", ["*.log.*", "*.log"], 3 * 86_400.0),
        ("tmp", ["*"], 7200.0),
        ("Build temp", ["*"], 7200.0),
        ("temp", ["*.log"], 7200.0),
    ],
)
def test_rules_for_logs_and_temporary_files_have_a_default_age(configs, name, patterns, age):
    settings = configs.settings(f"""
        [disk]
        log_retention = "3d"
        temp_age = "2h"
        rules = [{{ name = "{name}", paths = ["x"], patterns = {patterns} }}]
    """)
    assert settings.disk.rules[0].older_than == age


@pytest.mark.parametrize("name", ["catalog", "attempt", "cache", "blogs"])
def test_other_rules_must_say_their_age(configs, name):
    (line,) = configs.lines(f"""
        [[disk.rules]]
        name = "{name}"
        paths = ["x"]
        patterns = ["*"]
    """)
    assert line.startswith("healmon.toml:2: disk.rules[0].older_than: is missing")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a = ", "1: is not TOML: Invalid value"),
        ("[monitor]\nname = 'x'\nname = 'y'\n", "3: is not TOML: Cannot overwrite a value"),
        ("[a]\n[a]", "2: is not TOML: Cannot declare"),
        ("a = 1\n\nb = [1,\n2", "4: is not TOML: Unclosed array"),
        ('a = 1\nb = "\x1b"', "2: is not TOML: Illegal character '\\x1b'"),
        ("x = 1\ny = 0000", "2: is not TOML"),
        ("a = " + "9" * 5000, " is not TOML: "),
        ("a = " + "[" * 5000, " is nested too deeply"),
        ("a = " + "[" * 300 + "]" * 300, None),
        ("a = 0x" + "f" * 5000, "1: a: unknown key"),
        ("[monitor]\ncheck_interval = 0x" + "f" * 5000, "2: monitor.check_interval: found 0xff"),
    ],
)
def test_what_is_no_toml_is_one_problem_with_its_line(configs, text, told):
    (line,) = configs.lines(text)
    if told is not None:
        assert line.startswith(f"healmon.toml:{told}")
    assert "\x1b" not in line


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(configs):
    configs.path.write_bytes(b"\xef\xbb\xbf[monitor]\r\nname = 'x'\r\nnme = 1\r\n")
    with pytest.raises(ConfigError) as caught:
        load(configs.path, {})
    assert [problem.line for problem in caught.value.problems] == [3]


def test_a_file_that_cannot_be_read_is_a_problem_not_a_traceback(configs):
    def told(path):
        with pytest.raises(ConfigError) as caught:
            load(path, {})
        (problem,) = caught.value.problems
        return str(problem)

    base = configs.directory
    (base / "dir").mkdir()
    os.mkfifo(base / "fifo")
    (base / "latin1").write_bytes(b"a = 1\nb = '\xe4'\n")
    (base / "huge").write_bytes(b"#" * 1_000_001)
    (base / "loop").symlink_to("loop")
    assert told(base / "absent") == "absent: cannot be read: No such file or directory"
    assert told(base / "dir") == "dir: is not a regular file"
    assert told(base / "fifo") == "fifo: is not a regular file"
    assert told(base / "latin1") == "latin1:2: is not UTF-8: byte \\xe4"
    assert told(base / "huge") == "huge: is larger than 1000 kB"
    assert told(base / "loop").startswith("loop: cannot be read: ")
    assert told(base / "a\0b").startswith("a␀b: cannot be read: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_a_problem(configs):
    configs.path.write_text("")
    configs.path.chmod(0)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        load(configs.path, {})


def test_a_file_elsewhere_is_named_in_full(configs, monkeypatch):
    configs.path.write_text("x = 1")
    monkeypatch.chdir("/")
    with pytest.raises(ConfigError) as caught:
        load(configs.path, {})
    assert caught.value.problems[0].file == str(configs.path)


def test_a_relative_file_is_as_good(configs):
    configs.settings('[workers.a]\nscript = "a.py"')
    settings = load(Path("healmon.toml"), {})
    assert settings.workers[0].script == str(configs.directory / "a.py")
    assert settings.source == str(configs.path)


def test_a_source_of_tasks_has_the_limits_of_the_sessions_unless_it_says_otherwise(configs):
    loaded = configs.settings("""
        [sessions]
        requeue_backoff = ["1s"]
        max_requeues = 7
        [tasks.a]
        path = "x.db"
        layout = "assigner"
        [tasks.b]
        path = "x.db"
        table = "task_queue"
        requeue_backoff = []
        max_requeues = 0
        error = ""
        [tasks.c]
        command = ["./queue.py", "list"]
        settle_command = ["queue", "settle"]
    """)
    limits = [(t.name, t.requeue_backoff, t.max_requeues) for t in loaded.tasks]
    assert limits == [("a", (1.0,), 7), ("b", (), 0), ("c", (1.0,), 7)]
    assert [t.error for t in loaded.tasks] == [None, "", None]
    command = loaded.tasks[2]
    assert command.command == (str(configs.directory / "queue.py"), "list")
    assert command.settle_command == ("queue", "settle")
    assert configs.settings(show(loaded)) == loaded
    (one,) = configs.settings("[tasks.a]\npath = 'x'").tasks
    assert (one.requeue_backoff, one.max_requeues) == ((60.0, 300.0, 900.0), 3)


@pytest.mark.parametrize("path", ["/srv/" + "a" * 300, "/srv" + "/a" * 3000])
def test_a_path_that_nothing_can_have_is_told_with_its_line(configs, path):
    (line,) = configs.lines(f"[databases.a]\npath = '{path}'")
    assert ":2: databases.a.path: is too long" in line
    assert len(line) < 600


def test_a_state_directory_in_which_no_store_can_be_opened_is_told_with_its_line(configs):
    path = f"{configs.directory}{'/b' * 300}"
    (line,) = configs.lines(f"[monitor]\nstate_dir = '{path}'")
    assert ":2: monitor.state_dir: is too long" in line
    assert "and SQLite opens none beyond 493" in line
    assert configs.settings(f"[databases.a]\npath = '{path}'").databases[0].path == path
