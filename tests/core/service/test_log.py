"""The log: lines for people and for programs, in a file and in the journal, and no secrets."""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import re

import pytest

from healmon import events as ev
from healmon.service import log as service_log
from healmon.service.log import in_journal, log_events, log_to_file, log_to_stderr
from healmon.service.logformat import Redactor, to_journal
from tests.helpers.configs import Configs

CONFIG = """
[monitor]
name = "box"
heartbeat_url = "https://checks.example/ping/0b5f-uuid"
log_format = "{format}"
log_size = {size}
log_keep = 2
[workers.a]
command = ["sleep", "1"]
env = {{ DB_PASSWORD = "hunter2-hunter2", LEVEL = "verbose" }}
[notify.channels.ops]
url = "https://hooks.example/T000/B000/s3cr3tpart"
"""
SECRETS = ("hunter2-hunter2", "s3cr3tpart", "0b5f-uuid")


@pytest.fixture
def configs(tmp_path):
    return Configs(tmp_path)


@pytest.fixture(autouse=True)
def own_log(monkeypatch):
    """Leave the program's log as it was."""
    log = service_log.log
    before = (log.handlers, log.level, log.propagate, logging.raiseExceptions)
    monkeypatch.setattr(service_log, "REDACTOR", Redactor())
    yield log
    for handler in log.handlers:
        handler.close()
    log.handlers, log.level, log.propagate, logging.raiseExceptions = before
    log._cache.clear()


def settings(configs, form="text", size=5_000_000):
    return configs.settings(CONFIG.format(format=form, size=size))


def arguments(**given):
    return argparse.Namespace(**given)


def record(event, number=7):
    return ev.Recorded(number, 1_764_200_000.0, event, 3)


def written(log, path):
    for handler in log.handlers:
        handler.flush()
    return path.read_text().splitlines()


def test_lines_for_people_have_time_level_and_what_happened(configs, tmp_path, own_log):
    path = tmp_path / "healmon.log"
    log_to_file(path, arguments(), settings(configs))
    log_events(record(ev.HealerFailed("disks", "no\nanswer")))
    log_events(record(ev.CycleFinished(1, 0.1, 5.0)))
    (line,) = written(own_log, path)
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} CRITICAL #7 healerfailed healmon ", line)


def test_json_lines_are_one_object_each_with_the_event_as_stored(configs, tmp_path, own_log):
    path = tmp_path / "healmon.log"
    log_to_file(path, arguments(log_level="debug"), settings(configs, "json"))
    event = ev.ActionFailed("1.2.3", "a", "restart_worker", "it\x1b[31m said “no”", 1.5)
    log_events(record(event))
    own_log.warning("plain %s", "words\nof two lines")
    try:
        int("boom")
    except ValueError:
        own_log.exception("crashed")
    first, second, third = map(json.loads, written(own_log, path))
    assert first["id"] == 7
    assert (first["kind"], first["component"], first["cause"]) == ("actionfailed", "a", 3)
    assert first["event"]["action"] == "restart_worker"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["time"])
    assert first["level"] == "WARNING"
    assert second["message"] == "plain words␊of two lines"
    assert "event" not in second
    assert "ValueError: invalid" in third["exception"]


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_is_ever_written(configs, tmp_path, own_log, form):
    path = tmp_path / "healmon.log"
    log_to_file(path, arguments(), settings(configs, form))
    for secret in SECRETS:
        own_log.warning("the worker said: %s", f"x{secret}y")
        log_events(record(ev.HealerFailed("disks", f"cannot reach {secret}")))
    own_log.warning("postgres://app:letmein99@db/x and Authorization: Bearer abcdefghijklmnop")
    own_log.warning("export GITHUB_TOKEN=ghp_abcdefghijklmnop1234 password='open sesame 77'")
    try:
        int(SECRETS[0])
    except ValueError:
        own_log.exception("crashed")
    text = path.read_text()
    hidden = (*SECRETS, "letmein99", "abcdefghijklmnop", "sesame 77")
    assert not [secret for secret in hidden if secret in text]
    assert "cannot reach ***" in text
    assert len(written(own_log, path)) >= 9
    if form == "json":
        assert all(json.loads(line) for line in written(own_log, path))


def test_what_is_no_secret_stays_readable(configs, own_log, tmp_path):
    path = tmp_path / "healmon.log"
    log_to_file(path, arguments(), settings(configs))
    said = "key=box/workers/assigner_worker_number_12/down cleared with keys C-c, level verbose"
    own_log.warning(said)
    assert said in path.read_text()


def test_secrets_of_a_configuration_read_later_are_known_too(configs, tmp_path, own_log):
    path = tmp_path / "healmon.log"
    log_to_file(path, arguments(), settings(configs))
    newer = configs.settings(CONFIG.format(format="text", size=9).replace("hunter2", "newpass"))
    service_log.REDACTOR.learn(newer)
    own_log.warning("newpass-newpass hunter2-hunter2")
    assert "newpass" not in path.read_text()
    assert "hunter2" not in path.read_text()


def test_the_log_is_set_aside_by_size_and_so_many_are_kept(configs, tmp_path, own_log):
    path = tmp_path / "healmon.log"
    log_to_file(path, arguments(), settings(configs, size=2000))
    for number in range(200):
        own_log.warning("line %d %s", number, "x" * 60)
    names = sorted(p.name for p in tmp_path.glob("healmon.log*"))
    assert names == ["healmon.log", "healmon.log.1", "healmon.log.2"]
    assert all(p.stat().st_size <= 2000 for p in tmp_path.glob("healmon.log*"))
    assert "line 199" in path.read_text()


def test_in_the_journal_each_line_has_its_priority_and_no_time(
    configs, tmp_path, own_log, monkeypatch
):
    path = tmp_path / "journal"
    with path.open("w", encoding="utf-8") as stream:
        found = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        monkeypatch.setattr("sys.stderr", stream)
        log_to_stderr(arguments(), settings(configs))
        assert in_journal()
        log_events(record(ev.HealerFailed("disks", "hangs")))
        log_events(record(ev.HealerRecovered("disks")))
        log_events(record(ev.CycleStarted(1)))
        try:
            int("boom")
        except ValueError:
            own_log.exception("crashed")
    lines = path.read_text().splitlines()
    assert lines[0].startswith("<2>#7 healerfailed healmon healer=disks")
    assert lines[1].startswith("<6>#7 healerrecovered")
    assert len([line for line in lines if line.startswith("<3>")]) == len(lines) - 2 > 2


def test_json_in_the_journal(configs, tmp_path, monkeypatch):
    path = tmp_path / "journal"
    with path.open("w", encoding="utf-8") as stream:
        found = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        monkeypatch.setattr("sys.stderr", stream)
        log_to_stderr(arguments(), settings(configs, "json"))
        log_events(record(ev.HealerRecovered("disks")))
    prefix, text = path.read_text().split(">", 1)
    assert prefix == "<6"
    assert "time" not in json.loads(text)


def test_without_the_journal_stderr_has_warnings_only(configs, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setenv("JOURNAL_STREAM", "8:12345")
    monkeypatch.setattr("sys.stderr", stream)
    log_to_stderr(arguments(), settings(configs))
    assert not in_journal()
    log_events(record(ev.HealerRecovered("disks")))
    log_events(record(ev.HealerFailed("disks", "hangs")))
    assert len(stream.getvalue().splitlines()) == 1


@pytest.mark.parametrize("named", ["", "1", "a:b", "0:0", ":"])
def test_a_stream_that_is_not_the_journals_is_none(named, tmp_path):
    with (tmp_path / "x").open("w") as stream:
        assert not to_journal(stream.fileno(), {"JOURNAL_STREAM": named})
    assert not to_journal(9999, {"JOURNAL_STREAM": "1:1"})
