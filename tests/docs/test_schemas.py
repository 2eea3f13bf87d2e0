"""Every `--json` answer of a real healer is as the published schemas say, to the last field."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
from typing import Any

import jsonschema
import pytest
from tools import schemas

from healmon import cli
from healmon.service.commandtable import COMMANDS
from tests.helpers.box import Box
from tests.helpers.shapes import fits
from tests.helpers.tmuxes import PrivateTmux
from tests.helpers.wait import until


@pytest.mark.parametrize("name", schemas.SHAPES)
def test_schemas_are_up_to_date_and_schemas(name: str) -> None:
    kept = (schemas.SCHEMAS / f"{name}.json").read_text("utf-8")
    assert kept == schemas.text(name), "python -m tools.schemas"
    jsonschema.Draft202012Validator.check_schema(json.loads(kept))


def test_nothing_is_published_that_is_not_made() -> None:
    kept = {path.stem for path in schemas.SCHEMAS.iterdir()}
    assert kept == {*schemas.SHAPES, "openapi"}


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("beat", {"source": "s", "task": "1", "token": "t", "at": 1.0, "new": 1}),
        ("beat", {"source": "s", "task": "1", "token": "t"}),
        ("answers", {"ok": True, "verb": "ack", "answers": [{"id": 1, "ok": True, "text": ""}]}),
        ("events", {"kind": "nosuchevent"}),
        ("events", {"kind": "cyclestarted", "number": 1}),
    ],
)
def test_what_does_not_fit_is_found(name: str, answer: object) -> None:
    with pytest.raises(AssertionError):
        fits(name, answer)


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """A host with a healer that has a worker, a broken worker, a session, a database."""
    base = tmp_path_factory.mktemp("host")
    box, tmux = Box(base), PrivateTmux(base)
    try:
        tmux.new("s1", "cat")
        box.write(
            box.worker("a"),
            box.worker("gone", script=str(base / "missing.py"), critical=False),
            f'[databases.d]\npath = "{base / "d.db"}"\n',
            '[notify.channels.hook]\nurl = "json://127.0.0.1:9/none"\n',
        )
        # with a session to see
        text = box.config.read_text().replace(str(base / "no-tmux"), tmux.socket)
        text = text.replace(
            "paths = []", f'paths = []\nbudgets = [{{path = "{base}", limit = "1GB"}}]'
        )
        box.config.write_text(text)
        once = box.run("--once", "--json")
        started = box.run("--daemon", "--json")
        assert started.returncode == 0
        box.up = json.loads(started.stdout)
        until(lambda: box.rows("SELECT 1 FROM health_alerts WHERE resolved = 0"), 60, "an alert")
        until(lambda: box.events("actionverified"), 60, "the worker up")
        box.once = json.loads(once.stdout)
        yield box
    finally:
        box.run("--stop")
        box.close()
        tmux.run("kill-server")


def asked(host: Box, *words: str, code: int | None = 0) -> Any:
    """What a command really answers, in this process: to start one each costs a second."""
    where = ["--config", str(host.config), "--state-dir", str(host.state)]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        found = cli.main([*where, *words, "--json"])
    assert code is None or found == code, out.getvalue() + err.getvalue()
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    return lines if words[0] == "events" else lines[0]


@pytest.mark.slow
def test_what_is_looked_at(host) -> None:
    fits("cycle", host.once)
    fits("daemon", host.up)
    fits("status", asked(host, "status", code=None))
    fits("alerts", asked(host, "alerts"))
    fits("alerts", asked(host, "alerts", "--all"))
    fits("report", asked(host, "report"))
    lines = asked(host, "events", "--since", "1h")
    assert len(lines) > 10
    for line in lines:
        fits("events", line)
    fits("channels", asked(host, "notify"))
    fits("tried", asked(host, "notify", "--test", code=69))
    fits("tried", asked(host, "notify", "--test", "--dry-run"))  # sent, it would be 69 again
    fits("trash", asked(host, "restore"))
    fits("backup", asked(host, "backup", str(host.base / "copy.db")))
    number = str(asked(host, "alerts")[0]["id"])
    for what in ("a", "session:s1", "database:d", number):
        answer = asked(host, "explain", what)
        fits("explain", answer)
        assert isinstance(answer, list) == (what == number)


@pytest.mark.slow
def test_what_is_asked_for(host) -> None:
    number = str(asked(host, "alerts")[0]["id"])
    fits("answers", asked(host, "ack", number, "--dry-run"))
    assert asked(host, "alerts")[0]["acknowledged_by"] == ""
    fits("answers", asked(host, "ack", number, "--note", "known"))
    fits("answers", asked(host, "unack", number, "999999", code=65))
    fits("matching", asked(host, "silence", "gone", "--for", "1h"))
    silences = until(lambda: asked(host, "silences"), 60, "the silence stored")
    fits("silences", silences)
    fits("alerts", asked(host, "alerts"))
    silence = str(silences[0]["id"])
    told = asked(host, "unsilence", silence, "999999", "--dry-run", code=65)
    fits("answers", told)
    assert [one["ok"] for one in told["answers"]] == [True, False]
    assert asked(host, "silences") == silences
    fits("answers", asked(host, "unsilence", silence))
    fits("matching", asked(host, "pause", "a", "--for", "1h"))
    fits("status", asked(host, "status", code=None))
    fits("answer", asked(host, "resume", "a"))
    fits("answer", asked(host, "release", "a", code=None))
    fits("answer", asked(host, "restart", "nobody", code=65))
    fits("answer", asked(host, "snooze", "s1", "--for", "1h", code=None))


@pytest.mark.slow
def test_what_is_read_again(host) -> None:
    good = host.config.read_text()
    host.config.write_text(f"{good}[store]\nretention = '3d'\n")
    answer = asked(host, "reload", "--dry-run")
    fits("reload", answer)
    assert answer["changes"]
    host.config.write_text(f"{good}[nonsense]\n")
    answer = asked(host, "reload", code=78)
    fits("reload", answer)
    assert answer["problems"]
    host.config.write_text(good)
    fits("reload", asked(host, "reload"))


@pytest.mark.slow
def test_what_is_set_up(host) -> None:
    fits("doctor", asked(host, "doctor", code=None))
    new = host.base / "new.toml"
    for words, written in (["--print"], False), ([], True):
        answer = asked(host, "init", str(new), *words)
        fits("init", answer)
        assert (answer["written"], new.exists()) == (written, written)
    unit = asked(host, "init", "--systemd", "--print", str(new))
    fits("unit", unit)
    assert unit["text"].startswith("[Unit]")
    checked = asked(host, "check")
    fits("check", checked)
    assert checked["file"] == str(host.config)
    assert checked["settings"]["workers"]["a"]["restart"] == "always"


@pytest.mark.slow
def test_what_is_imported(tmp_path) -> None:
    box = Box(tmp_path)
    box.write()
    assert box.run("--once").returncode in {0, 3}
    with sqlite3.connect(tmp_path / "old.db") as old:
        old.execute(
            "CREATE TABLE health_metrics (id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT,"
            " component TEXT, metric_type TEXT, metric_value TEXT, status TEXT, action_taken TEXT,"
            " details TEXT)"
        )
        old.execute(
            "INSERT INTO health_metrics (timestamp, component, metric_type, metric_value, status)"
            " VALUES ('2026-01-02 03:04:05', 'worker', 'status', '1', 'healthy'),"
            " ('nonsense', 'worker', 'status', '1', 'healthy')"
        )
    old.close()
    fits("import", asked(box, "import", str(tmp_path / "old.db"), "--zone=+00:00", code=None))
    fits("removed", asked(box, "import", "--remove"))


def test_every_command_with_a_shape_is_one() -> None:
    for _, title in schemas.SHAPES.values():
        assert "healmon" in title or "override" in title
        assert any(name in title for name in COMMANDS), title
