"""What differs between two configurations, in words, with secrets masked."""

from __future__ import annotations

from msgspec.structs import replace

from healmon.config.changes import FIXED, changes, in_force
from tests.helpers.configs import EXAMPLE

BASE = """
[monitor]
name = "box"
[workers.a]
command = ["sleep", "1"]
env = { API_TOKEN = "s3cret-one", LEVEL = "1" }
[workers.b]
command = ["sleep", "2"]
[disk]
paths = []
[[disk.rules]]
name = "logs"
paths = ["/srv/logs"]
patterns = ["*.log"]
[notify.channels.ops]
url = "https://hooks.example/T0/secret-path"
"""


def told(configs, *edits):
    text = BASE
    for before, after in edits:
        assert before in text
        text = text.replace(before, after)
    found = changes(configs.settings(BASE), configs.settings(text))
    return [str(change) for change in found]


def test_the_same_configuration_has_no_changes(configs):
    assert changes(configs.settings(EXAMPLE), configs.settings(EXAMPLE)) == ()
    assert told(configs) == []


def test_a_value_that_changed_is_told_with_both(configs):
    assert told(configs, ("[monitor]\n", '[monitor]\ncheck_interval = "5s"\n')) == [
        'monitor.check_interval: "1m" → "5s"'
    ]
    assert told(configs, ("[workers.b]\n", '[workers.b]\nmemory_limit = "5MB"\n')) == [
        'workers.b.memory_limit: not set → "5MB"'
    ]


def test_how_a_worker_is_started_waits_for_its_next_start(configs):
    (line,) = told(configs, ('["sleep", "2"]', '["sleep", "3"]'))
    assert line == (
        'workers.b.command: ["sleep", "2"] → ["sleep", "3"]; from its next start on'
        " (at once: healmon restart b)"
    )


def test_secrets_are_masked_and_their_change_is_told_all_the_same(configs):
    (env,) = told(configs, ("s3cret-one", "s3cret-two"))
    assert "s3cret" not in env
    assert "(not shown)" in env
    (url,) = told(configs, ("secret-path", "other-path"))
    assert "-path" not in url
    assert url.startswith("notify.channels.ops.url: ")


def test_whole_tables_come_and_go(configs):
    without = BASE.replace('[workers.b]\ncommand = ["sleep", "2"]\n', "")
    a, b = configs.settings(BASE), configs.settings(without)
    assert [str(c) for c in changes(b, a)] == ["workers.b: added"]
    assert [str(c) for c in changes(a, b)] == [
        "workers.b: removed; it is left as it is and no longer looked after"
    ]
    assert told(configs, ('name = "logs"', 'name = "old"\nolder_than = "3d"')) == [
        "disk.rules.logs: removed", "disk.rules.old: added",
    ]  # fmt: skip


def test_what_a_running_healmon_keeps_is_said_and_kept(configs):
    before = configs.settings(BASE)
    after = configs.settings(
        BASE.replace('name = "box"', 'name = "other"\nstate_dir = "/x"\nstart_spacing = "9s"')
    )
    said = {c.key: c.effect for c in changes(before, after)}
    assert said == {
        "monitor.name": "restart of healmon",
        "monitor.state_dir": "restart of healmon",
        "monitor.start_spacing": "now",
    }
    kept = in_force(before, after)
    assert (kept.monitor.name, kept.monitor.state_dir) == ("box", "")
    assert kept.monitor.start_spacing == 9.0
    assert [c.key for c in changes(before, kept)] == ["monitor.start_spacing"]
    # told again at each reload for as long as it is so
    assert {c.key for c in changes(kept, after)} == {"monitor.name", "monitor.state_dir"}


def test_every_fixed_key_exists(configs):
    settings = configs.settings(BASE)
    assert all(hasattr(settings.monitor, name) for name in FIXED)
    replace(settings.monitor, **{name: getattr(settings.monitor, name) for name in FIXED})


def test_a_long_or_hostile_value_is_cut_and_clean(configs):
    (line,) = told(configs, ('"sleep", "2"', f'"sleep", "{"x" * 5000}\\u001b[31m"'))
    assert len(line) < 600
    assert "\x1b" not in line
