"""One contract for the real and the simulated way out, then what only the real one can do."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from healmon.config.settings import Channel
from healmon.errors import DeliveryError
from healmon.world.notifying import (
    Message,
    Messenger,
    SystemMessenger,
    address,
    way_of,
    without_parts,
)
from healmon.world.simulated.notifying import SimulatedMessenger
from tests.helpers.box import alive
from tests.helpers.sinks import SmtpSink, WebhookSink
from tests.helpers.wait import until

MESSAGE = Message(
    id="epoch-12-1770000000000", notice=12, host="box", channel="ops", topic="opened",
    level="CRITICAL", title="[CRITICAL] box: a is down", body="What: ä\n\nNotice 12", at=1.77e9,
    alerts=({"id": 3, "key": "box/workers/a/down"},),
)  # fmt: skip


class RealStage:
    def __init__(self) -> None:
        self.sink = WebhookSink()
        self.messenger: Messenger = SystemMessenger()
        self.channel = Channel(name="ops", url=self.sink.url, timeout=20.0)

    def refuses(self) -> None:
        self.sink.status = 503

    def hangs(self) -> None:
        self.sink.hangs = True

    def taken(self) -> list[str]:
        return [body["id"] for body in self.sink.bodies]

    def close(self) -> None:
        self.sink.close()


class SimulatedStage:
    def __init__(self) -> None:
        self.simulated = SimulatedMessenger()
        self.messenger: Messenger = self.simulated
        self.channel = Channel(name="ops", url="json://made.up", timeout=20.0)

    def refuses(self) -> None:
        self.simulated.faults["ops"] = "answered with status 503"

    def hangs(self) -> None:
        self.simulated.lost.add("ops")

    def taken(self) -> list[str]:
        return [message.id for message in self.simulated.taken]

    def close(self) -> None:
        return


@pytest.fixture(params=["real", "simulated"])
def stage(request) -> Iterator[RealStage | SimulatedStage]:
    made = RealStage() if request.param == "real" else SimulatedStage()
    yield made
    made.close()


def test_a_notice_is_taken_once(stage) -> None:
    stage.messenger.deliver(stage.channel, MESSAGE)
    assert stage.taken() == [MESSAGE.id]


def test_a_refusal_says_why(stage) -> None:
    stage.refuses()
    with pytest.raises(DeliveryError) as caught:
        stage.messenger.deliver(stage.channel, MESSAGE)
    assert str(caught.value) == "answered with status 503"


def test_a_channel_that_does_not_answer_in_time_may_have_taken_it(stage) -> None:
    stage.hangs()
    channel = Channel(name="ops", url=stage.channel.url, timeout=1.0)
    began = time.monotonic()
    with pytest.raises(DeliveryError, match="no answer within 1 s"):
        stage.messenger.deliver(channel, MESSAGE)
    assert time.monotonic() - began < 25, "the sink itself lets go after 30"


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    made = WebhookSink()
    yield made
    made.close()


@pytest.fixture
def smtp() -> Iterator[SmtpSink]:
    made = SmtpSink()
    yield made
    made.close()


def channel(**keys) -> Channel:
    return Channel(**{"name": "ops", "timeout": 30.0, **keys})


def failure(made: Channel, **environ: str) -> str:
    with pytest.raises(DeliveryError) as caught:
        SystemMessenger({**os.environ, **environ}).deliver(made, MESSAGE)
    return str(caught.value)


def test_a_web_hook_gets_all_of_it_as_json_and_the_url_stays_hidden(sink) -> None:
    seen: list[bytes] = []

    def look() -> None:
        for child in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split():
            seen.append(Path(f"/proc/{child}/cmdline").read_bytes())
            seen.append(Path(f"/proc/{child}/environ").read_bytes())

    sink.hook = look
    url = sink.url.replace("http://", "http://me:sesame%40word@")
    SystemMessenger().deliver(channel(url=url), MESSAGE)
    ((headers, body),) = sink.got
    assert headers["Idempotency-Key"] == body["id"] == MESSAGE.id
    assert headers["Authorization"] == "Basic bWU6c2VzYW1lQHdvcmQ="
    assert sink.paths == ["/sesame-path?token=sesame-token"]
    assert (body["notice"], body["severity"], body["topic"]) == (12, "CRITICAL", "opened")
    assert body["text"] == f"{MESSAGE.title}\n{MESSAGE.body}"
    assert body["at"] == "2026-02-02T02:40:00.000Z"
    assert body["alerts"] == list(MESSAGE.alerts)
    assert any(b"notifychild" in line for line in seen)
    assert not any(b"sesame" in line for line in seen)


@pytest.mark.slow
def test_mail_leaves_through_apprise_with_its_id(smtp) -> None:
    SystemMessenger().deliver(channel(url=smtp.url), MESSAGE)
    (mail,) = smtp.got
    assert mail["Subject"] == MESSAGE.title
    assert mail["Idempotency-Key"] == MESSAGE.id
    assert "What: ä" in mail.get_body(("plain",)).get_content()


@pytest.mark.slow
def test_a_mail_server_that_is_down_is_told_without_the_url(smtp) -> None:
    smtp.down()
    url = smtp.url.replace("mailto://", "mailto://sesame:sesameword@")
    said = failure(channel(url=url))
    assert said
    assert "sesame" not in said


@pytest.mark.slow
def test_a_web_hook_that_is_down_or_sends_elsewhere_is_told(sink) -> None:
    sink.status, sink.headers = 302, {"Location": "/elsewhere"}
    assert failure(channel(url=sink.url)) == "answered with status 302"
    sink.down()
    assert failure(channel(url=sink.url)) == "Connection refused"


def test_without_apprise_it_is_said_how_to_get_it(tmp_path) -> None:
    (tmp_path / "apprise.py").write_text("raise ImportError")
    said = failure(channel(url="slack://a/b/c"), PYTHONPATH=str(tmp_path))
    assert said == "apprise is not installed: pip install 'healmon[notify]'"


@pytest.mark.slow
def test_an_url_that_apprise_does_not_know_is_told() -> None:
    assert failure(channel(url="sesame://host/x")) == "apprise knows no such URL"


def test_a_command_gets_it_on_its_input_and_in_its_environment(tmp_path) -> None:
    out = tmp_path / "out"
    code = (
        f"import json, os, sys; e = os.environ; out = open({str(out)!r}, 'w');"
        " told = [e['HEALMON_NOTICE'], e['HEALMON_SEVERITY'], e['HEALMON_TITLE']];"
        " json.dump([json.load(sys.stdin), *told], out)"
    )
    SystemMessenger().deliver(channel(command=(sys.executable, "-c", code)), MESSAGE)
    body, *told = json.loads(out.read_text())
    assert body["id"] == MESSAGE.id
    assert told == ["12", "CRITICAL", MESSAGE.title]


def test_a_command_that_fails_is_told_by_its_last_words() -> None:
    assert failure(channel(command=("sh", "-c", "echo a >&2; echo no\\ pager >&2; exit 3"))) == (
        "no pager"
    )
    assert failure(channel(command=("sh", "-c", "exit 3"))) == "it failed with exit code 3"
    assert "cannot be run" in failure(channel(command=("/no/such/program",)))


@pytest.mark.slow
def test_a_command_that_hangs_is_ended_with_all_below_it(tmp_path) -> None:
    pids = tmp_path / "pids"
    code = f"sleep 60 & echo $! $$ > {pids}; wait"
    said = failure(channel(command=("sh", "-c", code), timeout=3.0))
    assert said == "no answer within 3 s"
    for pid in pids.read_text().split():
        until(lambda pid=pid: not alive(int(pid)), 30, "its end")


def test_what_a_command_leaves_behind_ends_with_it(tmp_path) -> None:
    pid = tmp_path / "pid"
    SystemMessenger().deliver(channel(command=("sh", "-c", f"sleep 60 & echo $! > {pid}")), MESSAGE)
    until(lambda: not alive(int(pid.read_text())), 30, "its end")


def test_where_the_url_is_kept(tmp_path) -> None:
    file = tmp_path / "url"
    file.write_text("# the hook\n\n  json://host/token  \n")
    assert address(channel(url_file=str(file)), {}) == "json://host/token"
    assert address(channel(url_env="HOOK"), {"HOOK": "json://h"}) == "json://h"
    for made, said in (
        (channel(url_env="HOOK"), "environment variable HOOK is not set"),
        (channel(url_file=str(tmp_path / "no")), f"{tmp_path}/no: No such file or directory"),
        (channel(url_file=str(tmp_path)), f"{tmp_path}: Is a directory"),
    ):
        with pytest.raises(DeliveryError) as caught:
            address(made, {})
        assert str(caught.value) == said
    file.write_text("no url")
    with pytest.raises(DeliveryError, match="holds no URL"):
        address(channel(url_file=str(file)), {})


@pytest.mark.parametrize(
    ("url", "way"),
    [
        ("https://example.org/hook", "webhook"),
        ("http://127.0.0.1:80/x", "webhook"),
        ("https://hooks.slack.com/services/T1/B2/x3", "apprise"),
        ("https://discord.com/api/webhooks/1/x", "apprise"),
        ("https://hooks.slack.com.evil.org/services/T1/B2/x3", "webhook"),
        ("mailtos://u:p@host", "apprise"),
        ("slack://a/b/c", "apprise"),
    ],
)
def test_how_an_url_is_served(url, way) -> None:
    assert way_of(url) == way


@pytest.mark.parametrize(
    ("text", "url", "left"),
    [
        ("failed: tokenA at /tokenB", "slack://tokenA/tokenB/", "failed: *** at /***"),
        ("host example.org: u p4ss%40 p4ss@", "https://u:p4ss%40@example.org/x", None),
        ("Connection refused", "https://example.org/x", "Connection refused"),
    ],
)
def test_no_part_of_an_url_is_left(text, url, left) -> None:
    said = without_parts(text, url)
    assert said == left if left is not None else "p4ss" not in said
    assert "example.org" not in url or "example.org" in said or "example.org" not in text
