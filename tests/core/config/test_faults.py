# ruff: noqa: E501 - one case a line
"""What is refused, and in which words: the wording is part of the promise to tell how to mend it."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healmon.config import extras
from healmon.config.keys import ROOT
from healmon.config.load import load
from healmon.config.toml import key_text, literal
from healmon.errors import ConfigError, Problem
from tests.helpers.examples import examples


def test_an_unknown_key_is_told_with_line_and_nearest(configs):
    (problem,) = configs.faults("""\
        # a comment


        [workers.assigner_worker]
        script = "a.py"
        args = [
          "--daemon",
        ]

        critical = true
        # the slip
        restart_dely = "5s"
    """)
    assert str(problem) == (
        "healmon.toml:12: workers.assigner_worker.restart_dely: "
        'unknown key; did you mean "restart_delay"?'
    )
    assert problem == Problem(
        file="healmon.toml",
        line=12,
        key="workers.assigner_worker.restart_dely",
        what="unknown key",
        nearest="restart_delay",
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[monitr]", 'monitr: unknown key; did you mean "monitor"?'),
        ("check_interval = 5", 'check_interval: unknown key; did you mean "monitor.check_interval"?'),
        ("[workers.a]\nscript = 'x'\nqqqq = 5", "workers.a.qqqq: unknown key; allowed: script, command, args, "),
        ("[disk]\nWarning = 5", 'disk.Warning: unknown key; did you mean "warning"?'),
        ("[disk]\nlog-retention = 5", 'disk.log-retention: unknown key; did you mean "log_retention"?'),
        ("[disk]\nstuck_after = 5", 'disk.stuck_after: unknown key; did you mean "sessions.stuck_after"?'),
        ("[store]\nqqq = 5", "store.qqq: unknown key; allowed: retention"),
        (
            "[notify]\nurl = 'x'",
            'notify.url: unknown key; did you mean "notify.channels.NAME.url"?',
        ),
        ('"a\\u001b[31m" = 5', '"a\\u001b[31m": unknown key'),
    ],
)  # fmt: skip
def test_unknown_keys_anywhere(configs, text, told):
    (line,) = configs.lines(text)
    assert line.partition(": ")[2].startswith(told)
    assert "\x1b" not in line


def test_all_faults_come_at_once_in_the_order_of_the_file(configs):
    found = configs.faults("""\
        [monitor]
        check_interval = "fast"
        dry_run = 1
        [workers.a]
        critical = 1
        [workers.b]
        script = "b.py"
        command = ["b"]
        env.A = 1
        env."B=" = "x"
        after = ["c",
          "aa"]
        [tasks.t]
        pth = "x"
        [disk]
        warning = 101
        budgets = [{ path = "logs", limit = "5GB" },
          { path = "logs", limit = "5 apples" }]
        [[disk.rules]]
        name = "x"
        paths = [5, "/etc/x"]
        patterns = []
        [databases]
        d = 5
    """)
    assert [(p.line, p.key) for p in found] == [
        (2, "monitor.check_interval"),
        (3, "monitor.dry_run"),
        (4, "workers.a.script"),
        (5, "workers.a.critical"),
        (8, "workers.b.command"),
        (9, "workers.b.env.A"),
        (10, 'workers.b.env."B="'),
        (11, "workers.b.after[0]"),
        (12, "workers.b.after[1]"),
        (14, "tasks.t.pth"),
        (16, "disk.warning"),
        (18, "disk.budgets[1].limit"),
        (18, "disk.budgets[1].path"),
        (21, "disk.rules[0].paths[0]"),
        (21, "disk.rules[0].paths[1]"),
        (22, "disk.rules[0].patterns"),
        (24, "databases.d"),
    ]


def test_the_message_is_one_line_for_each_fault(configs):
    configs.path.write_text("a = 1\nb = 2\n")
    with pytest.raises(ConfigError) as caught:
        load(configs.path, {})
    assert str(caught.value).splitlines() == [str(problem) for problem in caught.value.problems]
    assert caught.value.exit_code == 78


WORKER = '[workers.a]\nscript = "a.py"\n'
RULE = '[[disk.rules]]\nname = "logs"\npaths = ["logs"]\npatterns = ["*.log"]\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("monitor = 5", "1: monitor: found 5; allowed: a table"),
        ("workers = []", "1: workers: found []; allowed: tables [workers.NAME]"),
        ("[workers]\nscript = 'x'", '2: workers.script: found "x"; allowed: a table'),
        ("[monitor]\nname = ''", '2: monitor.name: found ""; allowed: text without control'),
        ("[monitor]\nname = 'a\u202eb'", '2: monitor.name: found "a\\u202eb"; allowed: text without'),
        ("[monitor]\ncheck_interval = '0.9s'", '2: monitor.check_interval: found "0.9s"; allowed: at least "1s"'),
        ("[monitor]\ncheck_interval = 0", '2: monitor.check_interval: found 0; allowed: at least "1s"'),
        ("[monitor]\ncheck_interval = 1.5", "2: monitor.check_interval: found 1.5; allowed: a duration such as"),
        ("[monitor]\ncheck_interval = true", "2: monitor.check_interval: found true; allowed: a duration"),
        ("[monitor]\ncheck_interval = 1979-05-27", "2: monitor.check_interval: found 1979-05-27; allowed: a dur"),
        ("[monitor]\ndry_run = 'yes'", '2: monitor.dry_run: found "yes"; allowed: true | false'),
        ("[monitor]\nstate_dir = ''", '2: monitor.state_dir: found ""; allowed: a path'),
        ("[monitor]\nstate_dir = 'a\\u0000b'", None),
        ('[monitor]\nstate_dir = "a\\u0000b"', '2: monitor.state_dir: found "a\\u0000b"; allowed: a path'),
        (WORKER + "critical = 1", "3: workers.a.critical: found 1; allowed: true | false"),
        (WORKER + "restart = 'sometimes'", '3: workers.a.restart: found "sometimes"; allowed: "always" | "on-failure" | "never"'),
        (WORKER + "min_uptime = '0s'", '3: workers.a.min_uptime: found "0s"; allowed: a duration longer than nothing'),
        (WORKER + "quarantine = '7h'", "3: workers.a.quarantine: the first quarantine (7h) is longer than the longest (6h)"),
        (WORKER + "umask = '088'", '3: workers.a.umask: found "088"; allowed: a mask in octal digits'),
        (WORKER + "umask = 22", "3: workers.a.umask: found 22; allowed: a mask in octal digits"),
        (WORKER + "limits = { nofiles = 10 }", "3: workers.a.limits.nofiles: no such resource limit; allowed: as, core"),
        (WORKER + "limits = { nofile = 'many' }", '3: workers.a.limits.nofile: found "many"; allowed: a size such as'),
        (WORKER + "no_restart_codes = [0]", "3: workers.a.no_restart_codes[0]: found 0; allowed: an exit code, 1 to 255"),
        ("[monitor]\nstarts_in_flight = -1", "2: monitor.starts_in_flight: found -1; allowed: a whole number; 0: no limit"),
        (WORKER + "restart_delay = '-5s'", '3: workers.a.restart_delay: found "-5s"; allowed: a duration such'),
        (WORKER + "restart_delay = '10m'", "3: workers.a.restart_delay: the first delay (10m) is longer than the longest (5m)"),
        (WORKER + "restart_delay_max = '1s'", "3: workers.a.restart_delay_max: the first delay (5s) is longer than the longest (1s)"),
        (WORKER + "args = 'x'", '3: workers.a.args: found "x"; allowed: a list, each text'),
        (WORKER + "args = ['x', 5]", "3: workers.a.args[1]: found 5; allowed: text"),
        (WORKER + "max_failures = 0", "3: workers.a.max_failures: found 0; allowed: a whole number from 1 on"),
        (WORKER + "memory_limit = '5M'", '3: workers.a.memory_limit: found "5M"; allowed: a size such as'),
        (WORKER + "memory_limit = 0", "3: workers.a.memory_limit: found 0; allowed: a size above zero"),
        (WORKER + "env = ['A']", '3: workers.a.env: found ["A"]; allowed: a table, each value text'),
        (WORKER + "forks = 'auto'", '3: workers.a.forks: found "auto"; allowed: true | false'),
        (WORKER + "ready = 'log'", '3: workers.a.ready: found "log"; allowed: a table'),
        (WORKER + "ready = {}", "3: workers.a.ready.log: has no probe; give exactly one of log, tcp, http, command, heartbeat"),
        (WORKER + "ready = { every = '1s' }", "3: workers.a.ready.log: has no probe"),
        (WORKER + "ready = { tcp = 80, log = 'x' }", "3: workers.a.ready.log: has log and tcp; give exactly one"),
        (WORKER + "ready = { tcp = 65536 }", "3: workers.a.ready.tcp: found 65536; allowed: a port number, 1 to 65535"),
        (WORKER + "ready = { http = 'localhost' }", '3: workers.a.ready.http: found "localhost"; allowed: a URL'),
        (WORKER + "ready = { heartbeat = true }", "3: workers.a.ready: heartbeat needs a heartbeat_file"),
        (WORKER + "ready = { heartbeat = false }", "3: workers.a.ready.heartbeat: has no probe"),
        (WORKER + "liveness = { log = 'x' }", "3: workers.a.liveness.log: a line in the log shows"),
        (WORKER + "after = ['a']", "3: workers.a.after: goes in a circle: a waits for a"),
        (WORKER + "after = ['b']", '3: workers.a.after[0]: no such worker; found "b"'),
        (WORKER + "[workers.bee]\nscript='b'\nafter = ['a', 'a']", "5: workers.bee.after[1]: is the same as workers.bee.after[0]"),
        ("[workers.bee]\nscript='b'\nafter = ['bea']", '3: workers.bee.after[0]: no such worker; found "bea"; did you mean "bee"?'),
        ("[workers.a]", '1: workers.a.script: is missing; give "script" or "command"'),
        ("[workers.a]\nscrpt = 'x'", '2: workers.a.scrpt: unknown key; did you mean "script"?'),
        ("[workers.a]\ncommand = []", "2: workers.a.command: found []; allowed: a list, not empty, each text"),
        ("[workers.a]\nscript = 'x'\ncommand = ['y']", '3: workers.a.command: give "script" or "command", not both'),
        (WORKER + "pid_file='p'\n[workers.b]\nscript='b'\npid_file='./p'", "6: workers.b.pid_file: is the same as workers.a.pid_file"),
        ("[sessions]\nsocket = 'a'\nsockets = ['b']", '3: sessions.sockets: give "socket" or "sockets", not both'),
        ("[sessions]\nsockets = ['a', 'b', 'a']", "2: sessions.sockets[2]: is the same as sessions.sockets[0]"),
        ("[sessions]\ninterrupt = []", "2: sessions.interrupt: found []; allowed: a list, not empty"),
        ("[sessions]\ninterrupt = ['C-c', '']", '2: sessions.interrupt[1]: found ""; allowed: a tmux key such as "C-c"'),
        ("[sessions]\ninterrupt = ['Ctrl-C']", '2: sessions.interrupt[0]: found "Ctrl-C"; allowed: a tmux key'),
        ("[sessions]\non_stuck = 'kill'", '2: sessions.on_stuck: found "kill"; allowed: "requeue" | "fail" | "alert"'),
        ("[tasks.a]", '1: tasks.a.path: is missing; give "path" or "command"'),
        ("[tasks.a]\npath='x'\ncommand=['y']", '3: tasks.a.command: give "path" or "command", not both'),
        ("[tasks.a]\nsettle_command=['y']\npath='x'", "2: tasks.a.settle_command: settles tasks that a command tells"),
        ("[tasks.a]\ncommand=['y']\nerror=''", "3: tasks.a.error: error says how a database is laid out"),
        ("[tasks.a]\npath='x'\nlayout='other'", '3: tasks.a.layout: found "other"; allowed: "assigner" | "task_queue" | "table"'),
        ("[tasks.a]\npath='x'\nlayout='table'", '3: tasks.a.layout: layout "table" needs a table'),
        ("[tasks.a]\npath='x'\nerror='E'\nsession='e'", "3: tasks.a.error: is the same column as session"),
        ("[tasks.a]\npath='x'\nid=''", '3: tasks.a.id: found ""; allowed: text without control characters'),
        ("[tasks.a]\npath='x'\n[tasks.b]\npath='./x'\ntable='t'", "4: tasks.b.path: is the same as tasks.a.path"),
        ("[tasks.a]\npath='x'\ntable='Prompts'\n[tasks.b]\npath='x'\nlayout='assigner'", "5: tasks.b.path: is the same as tasks.a.path"),
        ("[tasks.a]\npath='x'\nmax_requeues=-1", "3: tasks.a.max_requeues: found -1; allowed: a whole number"),
        ("[tasks.a]\npath='x'\nactive=[]", "3: tasks.a.active: found []; allowed: a list, not empty"),
        ("[databases.a]", "1: databases.a.path: is missing; allowed: a path"),
        ("[databases.a]\npath='x'\n[databases.b]\npath='./x'", "4: databases.b.path: is the same as databases.a.path"),
        ("[databases.a]\npath='x'\nact_after='5s'", "3: databases.a.act_after: act_after (5s) is shorter than busy_for (10s)"),
        ("[disk]\nwarning = 100.5", "2: disk.warning: found 100.5; allowed: a percentage from 0 to 100"),
        ("[disk]\nwarning = nan", "2: disk.warning: found nan; allowed: a percentage from 0 to 100"),
        ("[disk]\nwarning = true", "2: disk.warning: found true; allowed: a percentage from 0 to 100"),
        ("[disk]\ncritical = 85", "2: disk.critical: warning (85) must be below critical (85)"),
        ("[disk]\nwarning = 95.5", "2: disk.warning: warning (95.5) must be below critical (95)"),
        ("[disk]\ntarget = 85", "2: disk.target: target (85) must be below warning (85)"),
        ("[disk]\nwarning = 70", "2: disk.warning: target (80) must be below warning (70)"),
        ("[disk]\npaths = ['/', '//']", "2: disk.paths[1]: is the same as disk.paths[0]"),
        ("[disk]\nbudgets = { path = 'x' }", '2: disk.budgets: found { path = "x" }; allowed: an array of tables'),
        ("[disk]\nbudgets = [5]", "2: disk.budgets[0]: found 5; allowed: a table"),
        (RULE + "action = 'shred'", '5: disk.rules[0].action: found "shred"; allowed: "delete"'),
        (RULE + "larger_than = 'huge'", '5: disk.rules[0].larger_than: found "huge"; allowed: '),
        (RULE + "larger_than = 5\nsmaller_than = 5", "5: disk.rules[0].larger_than: no file is larger than 5B and smaller than 5B"),
        (RULE + "owner = ['a b']", '5: disk.rules[0].owner[0]: found "a b"; allowed: a user, "app" or 1001'),
        (RULE + "owner = [-1]", '5: disk.rules[0].owner[0]: found -1; allowed: a user, "app" or 1001'),
        (RULE + "owner = ['root', 'root']", "5: disk.rules[0].owner[1]: is the same as disk.rules[0].owner[0]"),
        (RULE + "action = 'compress'\ncompression = 'lzma'", '6: disk.rules[0].compression: found "lzma"; allowed: "gzip" | "zstd"'),
        (RULE + "compression = 'zstd'", '5: disk.rules[0].compression: is for action = "compress" and "truncate", not for "delete"'),
        (RULE + "action = 'truncate'", "1: disk.rules[0].larger_than: is missing; action = "),
        (RULE + "action = 'truncate'\nlarger_than = 5\nolder_than = '1d'", '7: disk.rules[0].older_than: is not for action = "truncate"'),
        (RULE + "action = 'truncate'\nlarger_than = 5\nbackup = '/b'", '7: disk.rules[0].backup: is not for action = "truncate"'),
        (RULE + "older_than = 0", "5: disk.rules[0].older_than: found 0; allowed: a duration longer than nothing"),
        (RULE + "exclude = ['a/b']", '5: disk.rules[0].exclude[0]: found "a/b"; allowed: a pattern of file names'),
        (RULE + RULE, "6: disk.rules[1].name: is the same as disk.rules[0].name"),
        ("[store]\nretention = 'forever'", '2: store.retention: found "forever"; allowed: a duration'),
    ],
)  # fmt: skip
def test_what_is_refused_and_how_it_is_told(configs, text, told):
    if told is None:  # a literal string has no escapes, so this is a path with a backslash
        assert configs.settings(text).monitor.state_dir.endswith("a\\u0000b")
        return
    (line,) = configs.lines(text)
    assert line.startswith(f"healmon.toml:{told}")


@pytest.mark.parametrize(
    "name",
    ["a/b", "a:b", "*", "healmon", "-a", ".", "..", "", " a", "a\\u001b", "a\\nb", "x" * 101],
)
def test_names_that_could_mislead_are_refused(configs, name):
    for section, key in (("workers", "script"), ("tasks", "path"), ("databases", "path")):
        (problem,) = configs.faults(f'\n[{section}."{name}"]\n{key} = "x"')
        assert problem.line == 2
        assert "name" in problem.what
    (problem,) = configs.faults(RULE.replace('"logs"', f'"{name}"', 1))
    assert problem.line == 2


@pytest.mark.parametrize("name", ["a", "task-worker_2", "Arbeiter für Aufträge", "日本"])
def test_other_names_are_free(configs, name):
    settings = configs.settings(f'[workers."{name}"]\nscript = "x"')
    assert settings.workers[0].name == name


@pytest.mark.parametrize(
    "path",
    [
        *("/", "//", "/.", "/etc", "/etc/app", "/usr", "/usr/lib/x", "/bin", "/dev/shm", "/proc/1"),
        *("/boot", "/sys", "/home", "/home/somebody", "/root", "/var", "/var/lib", "/var/lib/app"),
        *("/opt", "/run", "/var/log/journal", "/var/log/journal/x", "~", "~/", "./home", "."),
        *("logs/../../../../../../../../etc", "/var/log/../lib"),
    ],
)
def test_rules_never_reach_where_others_live(configs, path):
    (problem,) = configs.faults(RULE.replace('"logs"]', f'"{path}"]'))
    assert (problem.line, problem.key) == (3, "disk.rules[0].paths[0]")
    assert "never cleaned" in problem.what


@pytest.mark.parametrize(
    "path", ["/tmp", "/var/tmp", "/var/log", "/var/log/app", "/var/lib/app/logs", "~/logs", "logs"]
)
def test_rules_may_reach_what_is_meant_to_be_cleaned(configs, monkeypatch, path):
    monkeypatch.setattr("healmon.config.paths.pwd.getpwall", list)
    text = RULE.replace('"logs"]', f'"{path}"]')
    environ = {"HOME": "/home/somebody"}
    configs.path.write_text(text)
    assert len(load(configs.path, environ).disk.rules) == 1


def test_circles_are_told_once_each(configs):
    lines = configs.lines("""\
        [workers]
        a = { script = "a", after = ["b"] }
        b = { script = "b", after = ["c"] }
        c = { script = "c", after = ["a", "d"] }
        d = { script = "d", after = ["d"] }
        e = { script = "e", after = ["a", "b"] }
    """)
    assert len(lines) == 2
    assert any("d waits for d" in line for line in lines)
    (circle,) = [line for line in lines if "d waits for d" not in line]
    names = circle.rpartition("circle: ")[2].split(" waits for ")
    assert names[0] == names[-1]
    assert " ".join(names) in "a b c a b c a"


def test_a_faulty_worker_still_exists_for_those_that_wait_for_it(configs):
    (line,) = configs.lines("""\
        [workers.a]
        script = "a"
        after = ["b"]
        [workers.b]
        script = 5
    """)
    assert line.startswith("healmon.toml:5: workers.b.script")


junk = (
    st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["5s", "1GB", "a", "logs", "C-c", "always", "delete", "/"])
)  # fmt: skip
deeper = st.recursive(
    junk,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=4,
)


def tables_of(table):
    """Return a strategy for anything that looks a little like this table."""
    shapes = {
        "table": lambda key: tables_of(key.table),
        "named": lambda key: st.dictionaries(
            st.sampled_from(["a", "b", "a/b"]), tables_of(key.table), max_size=2
        ),
        "tables": lambda key: st.lists(tables_of(key.table), max_size=2),
    }
    known = {
        key.name: deeper | shapes[key.shape](key)
        if key.shape in shapes
        else deeper | st.lists(junk)
        for key in table.keys
    }
    return st.fixed_dictionaries({}, optional={**known, "unknown": deeper})


@settings(max_examples=examples(60), suppress_health_check=list(HealthCheck))
@given(tables_of(ROOT))
def test_whatever_stands_in_the_file_is_read_or_told(configs, document):
    text = "".join(f"{key_text(name)} = {literal(value)}\n" for name, value in document.items())
    for problem in configs.faults_if_any(text):
        assert problem.line
        assert problem.key
        assert str(problem).isprintable()


def test_lines_of_one_path_must_fit_together_and_name_what_is_watched(configs):
    text = '[disk]\npaths = ["/"]\nthresholds = [{ path = "/", warning = 97 }, { path = "/vra" }]\n'
    faults = str(configs.faults(text))
    assert "warning (97) must be below critical (95)" in faults
    assert "is neither in disk.paths nor a budget" in faults


def test_zstd_that_is_not_installed_is_told_with_what_to_say(configs, monkeypatch):
    text = RULE + "action = 'compress'\ncompression = 'zstd'"
    assert configs.settings(text).disk.rules[0].compression == "zstd"
    monkeypatch.setattr(extras, "ZSTD", "no_such_package.zstd")
    (line,) = configs.lines(text)
    assert line.startswith("healmon.toml:6: disk.rules[0].compression: zstd is not installed")
    assert "pip install 'healmon[zstd]'" in line
