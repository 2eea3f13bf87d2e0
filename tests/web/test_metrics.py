"""`/metrics` of the web server: for whoever has a token, live, and true when nobody heals."""

from __future__ import annotations

import pytest

from tests.helpers.everything import observed
from tests.helpers.wait import until
from tests.helpers.webstage import WebStage


@pytest.fixture
def alone(tmp_path):
    made = WebStage(tmp_path / "state")
    yield made
    made.close()


def test_a_token_is_asked_for_and_prometheus_has_one(alone):
    assert alone.ask("GET", "/metrics").status == 401
    assert alone.ask("GET", "/metrics", token="wrong").status == 401
    assert alone.get("/metrics", host="evil.example").status == 421
    reply = alone.get("/metrics")
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert "\nhealmon_up 1.0\n" in reply.text
    asked = alone.get("/metrics", Accept="application/openmetrics-text;version=1.0.0")
    assert asked.text.endswith("# EOF\n")


def test_it_is_live_and_tells_that_nobody_heals(alone):
    alone.emit(observed("workers", "w", state="healthy"))
    up = '\nhealmon_worker_up{worker="w"} 1.0\n'
    until(lambda: up in alone.get("/metrics").text, 60, "the worker is told")
    until(lambda: "\nprocess_open_fds " in alone.get("/metrics").text, 60, "its costs are told")
    alone.end_healer()
    until(lambda: "\nhealmon_up 0.0\n" in alone.get("/metrics").text, 60, "its end is told")
    assert up not in alone.get("/metrics").text
