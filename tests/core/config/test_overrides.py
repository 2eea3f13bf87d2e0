# ruff: noqa: E501 - one case a line
import pytest

from healmon.config.load import load
from healmon.errors import ConfigError

BASE = """\
[monitor]
check_interval = "60s"
[workers.assigner_worker]
script = "a.py"
env = { KEEP = "1" }
[workers."web.front-end"]
command = ["x"]
[workers.my__worker]
script = "m.py"
[workers.my]
script = "my.py"
[databases.architect]
path = "a.db"
[sessions]
socket = "one"
[disk]
budgets = [{ path = "b", limit = "1GB" }]
[[disk.rules]]
name = "logs"
paths = ["logs"]
patterns = ["*.log"]
"""


def worker(settings, name):
    return next(worker for worker in settings.workers if worker.name == name)


@pytest.mark.parametrize(
    ("variable", "text", "read", "value"),
    [
        ("MONITOR__CHECK_INTERVAL", "5s", lambda s: s.monitor.check_interval, 5.0),
        ("MONITOR__CHECK_INTERVAL", "90", lambda s: s.monitor.check_interval, 90.0),
        ("monitor__check_interval", "5s", lambda s: s.monitor.check_interval, 5.0),
        ("MONITOR__NAME", "42", lambda s: s.monitor.name, "42"),
        ("MONITOR__DRY_RUN", "true", lambda s: s.monitor.dry_run, True),
        ("MONITOR__DRY_RUN", "1", lambda s: s.monitor.dry_run, True),
        ("DISK__RULES__0__RECURSIVE", "Off", lambda s: s.disk.rules[0].recursive, False),
        ("DISK__WARNING", "84.5", lambda s: s.disk.warning, 84.5),
        ("DISK__PATHS", "/, /srv ,/home", lambda s: s.disk.paths, ("/", "/srv", "/home")),
        ("DISK__PATHS", "", lambda s: s.disk.paths, ()),
        ("DISK__BUDGETS__0__LIMIT", "2GiB", lambda s: s.disk.budgets[0].limit, 2 * 1024**3),
        ("DISK__RULES__0__OLDER_THAN", "2d", lambda s: s.disk.rules[0].older_than, 172_800.0),
        ("STORE__RETENTION", "90d", lambda s: s.store.retention, 90 * 86_400.0),
        ("SESSIONS__SOCKETS", "two,three", lambda s: s.sessions.sockets, ("two", "three")),
        ("DATABASES__ARCHITECT__ON_STALE", "alert", lambda s: s.databases[0].on_stale, "alert"),
        (
            "WORKERS__ASSIGNER_WORKER__RESTART_DELAY", "7s",
            lambda s: worker(s, "assigner_worker").restart_delay, 7.0,
        ),
        (
            "WORKERS__ASSIGNER_WORKER__MAX_FAILURES", "9",
            lambda s: worker(s, "assigner_worker").max_failures, 9,
        ),
        (
            "WORKERS__ASSIGNER_WORKER__ENV__NewOne", "a=b,c",
            lambda s: worker(s, "assigner_worker").env, {"KEEP": "1", "NewOne": "a=b,c"},
        ),
        (
            "WORKERS__ASSIGNER_WORKER__READY__TCP", "8080",
            lambda s: getattr(worker(s, "assigner_worker").ready, "tcp", None), 8080,
        ),
        (
            "WORKERS__ASSIGNER_WORKER__COMMAND", "sleep,5",
            lambda s: worker(s, "assigner_worker").argv, ("sleep", "5"),
        ),
        (
            "WORKERS__WEB_FRONT_END__CRITICAL", "yes",
            lambda s: worker(s, "web.front-end").critical, True,
        ),
        (
            "WORKERS__MY__WORKER__CRITICAL", "yes",
            lambda s: (worker(s, "my__worker").critical, worker(s, "my").critical), (True, False),
        ),
        ("WORKERS__MY__CRITICAL", "yes", lambda s: worker(s, "my").critical, True),
    ],
)  # fmt: skip
def test_a_variable_overrides_its_key(configs, variable, text, read, value):
    assert read(configs.settings(BASE)) != value
    assert read(configs.settings(BASE, **{f"HEALMON_{variable}": text})) == value


def test_variables_work_without_a_file():
    assert load(None, {"HEALMON_MONITOR__NAME": "x"}).monitor.name == "x"


@pytest.mark.parametrize(
    "variable",
    ["HEALMON_CONFIG", "HEALMON_STATE_DIR", "HEALMON_LOG", "MONITOR__NAME", "XHEALMON_MONITOR__X"],
)
def test_other_variables_are_left_alone(configs, variable):
    assert configs.settings(BASE, **{variable: "x"}) == configs.settings(BASE)


@pytest.mark.parametrize(
    ("variable", "text", "told"),
    [
        ("MONITOR__CHEK_INTERVAL", "5s", 'monitor.chek_interval: unknown key; did you mean "check_interval"?'),
        ("MONITR__NAME", "x", 'monitr: unknown key; did you mean "monitor"?'),
        ("STORE__QQQQ", "x", "store.qqqq: unknown key; allowed: retention"),
        ("MONITOR__", "x", "monitor: is a table; the variable must name a key in it"),
        ("MONITOR__NAME__X", "x", 'monitor.name.x: "name" has no keys of its own'),
        ("MONITOR__CHECK_INTERVAL", "fast", 'monitor.check_interval: found "fast"; allowed: a duration'),
        ("MONITOR__DRY_RUN", "maybe", 'monitor.dry_run: found "maybe"; allowed: true | false'),
        ("WORKERS__ASSIGNER_WORKER__MAX_FAILURES", "many", 'workers.assigner_worker.max_failures: found "many"'),
        ("WORKERS__ASIGNER_WORKER__CRITICAL", "1", 'workers.asigner_worker: is not in the file; did you mean "assigner_worker"?'),
        ("WORKERS__NEW__SCRIPT", "x", "workers.new: is not in the file"),
        ("WORKERS__QQQQ__SCRIPT", "x", "workers.qqqq: is not in the file; allowed: assigner_worker"),
        ("TASKS__NEW__PATH", "x", "tasks.new: is not in the file"),
        ("DISK__RULES__1__NAME", "x", "disk.rules.1: there are 1, numbered from 0"),
        ("DISK__RULES__LOGS__NAME", "x", "disk.rules.LOGS: there are 1, numbered from 0"),
        ("DISK__WARNING", "96", "disk.warning: warning (96) must be below critical (95)"),
        ("SESSIONS__INTERRUPT", "C-c,Ctrl-C", 'sessions.interrupt[1]: found "Ctrl-C"; allowed: a tmux key'),
        ("MONITOR__NAME", "\udcff", "is not UTF-8"),
        ("MONITOR__NAME", "a\x1bb", 'monitor.name: found "a\\u001bb"; allowed: text without control characters'),
    ],
)  # fmt: skip
def test_a_variable_that_cannot_override_is_told_by_its_name(configs, variable, text, told):
    (line,) = configs.lines(BASE, **{f"HEALMON_{variable}": text})
    assert line.startswith(f"$HEALMON_{variable}: {told}")
    assert line.isprintable()


def test_faults_of_file_and_environment_come_together(configs):
    faults = configs.faults(
        BASE + "older_than = 0", HEALMON_MONITOR__NAME="", HEALMON_STORE__RETENTION="x"
    )
    assert [(fault.file, fault.line) for fault in faults] == [
        ("healmon.toml", 22),
        ("$HEALMON_MONITOR__NAME", None),
        ("$HEALMON_STORE__RETENTION", None),
    ]


def test_a_variable_mends_a_fault_of_the_file(configs):
    text = '[monitor]\ncheck_interval = "fast"'
    assert configs.settings(text, HEALMON_MONITOR__CHECK_INTERVAL="5s").monitor.check_interval == 5


@pytest.mark.parametrize(
    ("text", "variable"),
    [
        ("monitor = 5", "HEALMON_MONITOR__NAME"),
        ("[workers]\na = 5", "HEALMON_WORKERS__A__SCRIPT"),
        ("[workers.a]\nscript = 'x'\nenv = 5", "HEALMON_WORKERS__A__ENV__X"),
        ("[disk]\nrules = [5]", "HEALMON_DISK__RULES__0__NAME"),
    ],
)
def test_a_file_with_the_wrong_shape_is_told_as_the_files_fault(configs, text, variable):
    (fault,) = configs.faults(text, **{variable: "x"})
    assert fault.file == "healmon.toml"
    assert fault.found == "5"


def test_without_a_file_faults_name_the_variable():
    with pytest.raises(ConfigError) as caught:
        load(None, {"HEALMON_DISK__WARNING": "x"})
    assert str(caught.value).startswith("$HEALMON_DISK__WARNING: disk.warning: found")


def test_a_variable_that_may_mean_two_names_means_none(configs):
    text = "[workers.a-b]\nscript = 'x'\n[workers.a_b]\nscript = 'y'\n[workers.ab]\nscript = 'z'"
    (line,) = configs.lines(text, HEALMON_WORKERS__A_B__CRITICAL="true")
    assert 'may mean "a-b" and "a_b"' in line
    assert configs.settings(text, HEALMON_WORKERS__AB__CRITICAL="true").workers[2].critical
