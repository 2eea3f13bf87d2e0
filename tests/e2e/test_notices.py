"""Notices of a real daemon, through a web hook and a mail server that are down for a while."""

from __future__ import annotations

import json
import os
import signal

import pytest

from healmon.service.host import _report
from tests.helpers.box import alive
from tests.helpers.sinks import SmtpSink, WebhookSink
from tests.helpers.wait import until

pytestmark = pytest.mark.slow

CHANNELS = """
budgets = [{{ path = "data", limit = "1MB" }}]
[notify]
group_within = "0s"
[notify.channels.hook]
url_file = "hook.url"
[notify.channels.mail]
url = "{mail}"
[[notify.steps]]
after = "0s"
channels = ["hook", "mail"]
"""


@pytest.fixture
def sinks():
    hook, mail = WebhookSink(), SmtpSink()
    yield hook, mail
    hook.close()
    mail.close()


def up(box):
    answer = box.run("--daemon")
    assert answer.returncode == 0, answer.stderr
    return int(answer.stdout.split("pid ")[1].split(",")[0])


@pytest.mark.long(15)
def test_both_are_down_healmon_is_killed_and_everything_is_told(box, sinks):
    hook, mail = sinks
    (box.base / "data").mkdir()
    (box.base / "hook.url").write_text(hook.url)
    box.write(CHANNELS.format(mail=mail.url))
    tried = box.healmon("notify", "--test")
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert [body["topic"] for body in hook.bodies] == ["test"]
    assert len(mail.got) == 1
    hook.down()
    mail.down()
    tried = box.healmon("notify", "--test", "hook", "--json")
    assert tried.returncode == 69
    assert json.loads(tried.stdout)[0]["text"] == "not taken: Connection refused"
    assert box.healmon("notify", "--test", "nobody").returncode == 65

    pid = up(box)
    (box.base / "data" / "big").write_bytes(b"x" * 2_000_000)
    until(
        lambda: {event["channel"] for event in box.events("noticefailed")} == {"hook", "mail"},
        90, "both to be tried",
    )  # fmt: skip
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid), 60)
    assert "sesame" not in (box.state / "healmon.log").read_text()
    assert b"sesame" not in (box.state / "healmon.db").read_bytes()
    listed = box.healmon("notify").stdout
    assert "hook (CRITICAL): takes nothing since" in listed
    assert "1 waiting" in listed
    assert "channel hook: 1 notice waits: Connection refused" in box.run("--status").stdout

    hook.got.clear()
    mail.got.clear()
    hook.up()
    mail.up()
    up(box)
    until(lambda: hook.got and mail.got, 90, "both to be told")
    (box.base / "data" / "big").unlink()
    until(lambda: len(hook.got) >= 2 and len(mail.got) >= 2, 90, "both to be told of the end")
    waiting = "SELECT count(*) FROM notices WHERE state = 'waiting'"
    until(lambda: box.rows(waiting) == [(0,)], 60, "both to be heard")
    assert box.run("--stop").returncode == 0
    assert [body["topic"] for body in hook.bodies] == ["opened", "recovered"]
    assert all("disk:" in body["title"] for body in hook.bodies)
    assert [str(letter["Subject"])[:6] for letter in mail.got] == ["[CRITI", "[RECOV"]
    made = dict(box.rows("SELECT id, channel FROM notices WHERE state = 'sent'"))
    assert {body["notice"] for body in hook.bodies} <= {n for n, c in made.items() if c == "hook"}
    ids = [body["id"] for body in hook.bodies] + [str(m["Idempotency-Key"]) for m in mail.got]
    assert len(set(ids)) == 4
    assert box.rows(waiting) == [(0,)]
    explained = box.healmon("explain", str(hook.bodies[0]["alerts"][0]["id"])).stdout
    assert explained.count("noticesent") == 4, explained
    title, body = _report(box.state / "healmon.db", 3600.0)
    assert title.startswith("[REPORT] box: nothing needs you")
    assert "CAME AND WENT" in body
