import tomllib

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healmon.config import settings as cfg
from healmon.config.keys import ROOT
from healmon.config.load import load
from healmon.config.schema import table_of
from healmon.config.show import show
from tests.helpers.configs import EXAMPLE
from tests.helpers.examples import examples


def without_source(loaded):
    return msgspec.structs.replace(loaded, source=None)


def test_the_example_reads_back_to_itself(configs):
    loaded = configs.settings(EXAMPLE)
    assert configs.settings(show(loaded)) == loaded


def test_no_configuration_reads_back_to_itself(configs):
    assert without_source(configs.settings(show(load(None, {})))) == load(None, {})


def test_what_is_shown_is_resolved_complete_and_for_people(configs):
    document = tomllib.loads(show(configs.settings(EXAMPLE)))
    base = str(configs.directory)
    worker = document["workers"]["assigner_worker"]
    assert worker["script"] == f"{base}/workers/assigner_worker.py"
    assert worker["restart_delay_max"] == "5m"
    assert worker["memory_limit"] == "500MB"
    assert worker["ready"] == {
        "log": "listening", "every": "10s", "failures": 3, "timeout": "5s",
    }  # fmt: skip
    assert document["disk"]["log_retention"] == "7d"
    assert document["disk"]["rules"][0]["paths"] == [f"{base}/logs"]
    assert document["workers"]["other_worker"]["command"] == ["sleep", "infinity"]


def test_an_escape_in_the_file_never_reaches_the_terminal(configs):
    shown = show(configs.settings('[workers.a]\ncommand = ["x", "\\u001b[31m\\u202e\\u009b"]'))
    assert "\\u001b[31m\\u202e\\u009b" in shown
    assert all(line.isprintable() for line in shown.splitlines())


def durations(least=0.001):
    return st.floats(least, 1e6) | st.integers(1, 10**6).map(float)


words = st.text("abcXYZ äß日-_.#\"'\\=[]{},$~", min_size=1, max_size=8).filter(
    lambda text: text == text.strip()
)
names = words.filter(lambda name: name[0] not in ".-" and name != "healmon")
paths = (
    st.lists(words, min_size=1, max_size=3)
    .map(lambda parts: "/data/" + "/".join(parts))
    .filter(lambda path: "/./" not in f"{path}/" and "/../" not in f"{path}/")
)
arguments = st.text(max_size=10).filter(lambda text: "\0" not in text)
percents = (
    st.tuples(*[st.floats(0, 100)] * 3)
    .map(sorted)
    .filter(lambda three: three[0] < three[1] < three[2])
)


@st.composite
def probes(draw, sorts):
    sort = draw(st.sampled_from(sorts))
    values = {
        "log": words,
        "tcp": st.integers(1, 65_535),
        "http": st.just("http://localhost:1/x"),
        "command": st.lists(arguments, max_size=2).map(lambda rest: ("prog", *rest)),
        "heartbeat": st.just(True),
    }
    return cfg.Ready(every=draw(durations()), failures=draw(st.integers(1, 99)),
                     timeout=draw(durations()), **{sort: draw(values[sort])})  # fmt: skip


@st.composite
def workers(draw, name, others):
    import sys

    script = draw(st.none() | paths)
    args = tuple(draw(st.lists(arguments, max_size=3)))
    delays = sorted([draw(durations()), draw(durations())])
    return cfg.Worker(
        name=name,
        argv=(sys.executable, script, *args) if script else ("prog", *args),
        script=script or "",
        critical=draw(st.booleans()),
        restart=draw(st.sampled_from(["always", "on-failure", "never"])),
        restart_delay=delays[0],
        restart_delay_max=delays[1],
        min_uptime=draw(durations()),
        max_failures=draw(st.integers(1, 100)),
        forks=draw(st.none() | st.booleans()),
        pid_file=draw(st.just("") | st.just(f"/run/{name}.pid")),
        heartbeat_file=f"/run/{name}.beat",
        ready=draw(st.none() | probes(["log", "tcp", "http", "command", "heartbeat"])),
        liveness=draw(st.none() | probes(["tcp", "http", "command", "heartbeat"])),
        after=tuple(draw(st.lists(st.sampled_from(others), unique=True))) if others else (),
        memory_limit=draw(st.none() | st.integers(1, 2**50)),
        cwd=draw(paths),
        env=draw(st.dictionaries(words.filter(lambda key: "=" not in key), arguments, max_size=2)),
        user=draw(st.sampled_from(["", "svc"])),
    )


@st.composite
def configurations(draw):
    known = draw(st.lists(names, unique=True, max_size=3))
    target, warning, critical = draw(percents)
    truncating = cfg.Rule(
        name="live", paths=("/var/log/app",), patterns=("*.log",), older_than=0.0,
        action="truncate", larger_than=draw(st.integers(1, 2**40)), keep_newest=3,
    )  # fmt: skip
    rules = (truncating,) * draw(st.booleans()) + tuple(
        cfg.Rule(
            name=name,
            paths=tuple(draw(st.lists(paths, min_size=1, max_size=2, unique=True))),
            patterns=("*.log", "[a-z]?"),
            older_than=draw(durations()),
            action=draw(st.sampled_from(["delete", "compress", "trash"])),
            recursive=draw(st.booleans()),
            backup=draw(st.sampled_from(["", "s3://bucket/prefix", "/backup"])),
            larger_than=draw(st.none() | st.integers(1, 2**40)),
            smaller_than=draw(st.none() | st.integers(2**40 + 1, 2**50)),
            owner=tuple(draw(st.lists(st.sampled_from(["root", "0", "a.b-c"]), unique=True))),
        )
        for name in draw(st.lists(names, unique=True, max_size=2))
    )
    return cfg.Settings(
        monitor=cfg.Monitor(
            name=draw(words), check_interval=draw(durations(1.0)), dry_run=draw(st.booleans()),
            state_dir=draw(st.just("") | paths),
        ),
        workers=tuple(draw(workers(name, known[:place])) for place, name in enumerate(known)),
        sessions=cfg.Sessions(
            sockets=tuple(draw(st.lists(st.sampled_from(["default", "/a/b", "x"]), unique=True))),
            protect=tuple(draw(st.lists(words, unique=True, max_size=2))),
            typing_marker=draw(st.sampled_from(["", "##"])),
            interrupt=tuple(draw(st.lists(st.sampled_from(["C-c", "Escape"]), min_size=1))),
        ),
        tasks=tuple(
            cfg.Tasks(
                name=name, path=f"/tasks/{place}", history=draw(st.sampled_from([None, "", "h"])),
                error=draw(st.sampled_from([None, "", "e"])),
                requeue_backoff=draw(st.sampled_from([(), (5.0,)])),
                max_requeues=draw(st.sampled_from([0, 7])),
            )
            for place, name in enumerate(known)
        ),
        databases=tuple(
            cfg.Database(name=name, path=f"/db/{place}", on_stale="alert", busy_for=0.5)
            for place, name in enumerate(known)
        ),
        disk=cfg.Disk(
            warning=warning, critical=critical, target=target, rules=rules,
            paths=tuple(draw(st.lists(paths, unique=True, max_size=2))),
            budgets=(cfg.Budget(path="/b", limit=draw(st.integers(1, 2**60))),),
        ),
        notify=cfg.Notify(
            quiet=draw(st.sampled_from(["", "22:00-07:00"])), repeat_every=draw(durations()),
            channels=tuple(
                cfg.Channel(name=name, url="json://h", rate=cfg.Rate(7, draw(durations())))
                for name in known
            ),
            steps=(cfg.Rung(after=draw(durations()), channels=tuple(known)),) if known else (),
        ),
        store=cfg.Store(retention=draw(durations())),
    )  # fmt: skip


@settings(
    max_examples=examples(50),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(configurations())
def test_any_configuration_reads_back_to_itself(configs, made):
    assert without_source(configs.settings(show(made))) == made


def test_every_section_is_shown(configs):
    document = tomllib.loads(
        show(configs.settings(EXAMPLE.replace("[disk]", "[disk]\nprotect = ['keep']")))
    )
    assert set(document) == {key.name for key in ROOT.keys}
    disk = next(table_of(key) for key in ROOT.keys if key.name == "disk")
    assert set(document["disk"]) == {key.name for key in disk.keys}
