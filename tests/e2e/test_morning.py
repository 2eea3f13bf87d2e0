"""A night with a real daemon: its heartbeat outside and inside, and the page of the morning."""

from __future__ import annotations

import http.server
import json
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from tests.helpers.wait import until

pytestmark = pytest.mark.slow


class Checker(http.server.BaseHTTPRequestHandler):
    """A checker outside: remembers who asked, and answers that it heard."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@pytest.fixture
def checker() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    handler = type("Handler", (Checker,), {"asked": asked})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/uuid", asked
    finally:
        server.shutdown()
        thread.join(60)
        server.server_close()


def test_the_page_tells_of_a_night_with_a_death_and_a_killed_healer(box, checker):
    url, asked = checker
    box.env["HEALMON_MONITOR__HEARTBEAT_URL"] = url
    box.write(box.worker("task_worker"))
    assert box.run("--daemon").returncode == 0
    until(lambda: box.events("actionverified"), 90, "the first start proved")
    os.kill(until(box.started_pids, 60, "the worker's start")[0], signal.SIGKILL)
    until(lambda: len(box.events("actionverified")) == 2, 90, "the second start proved")
    until(lambda: asked, 60, "the checker to be asked")
    assert asked[0] == "/uuid"
    told = json.loads((box.state / "healmon.heartbeat").read_text())
    assert told["interval"] == 1.0
    (beat,) = box.rows("SELECT value FROM meta WHERE key = 'heartbeat'")
    assert beat[0] >= told["at"]
    os.kill(json.loads(box.run("--status", "--json").stdout)["pid"], signal.SIGKILL)

    until(lambda: box.run("--status").returncode == 3, 60, "the end of the healer")
    page = json.loads(box.run("report", "--json", program="healmon").stdout)
    assert page["itself"][0].startswith("no healer runs now; the last round finished ")
    assert not page["well"]
    (healed,) = [item for item in page["healed"] if item["component"] == "task_worker"]
    assert healed["count"] == 2
    assert "SIGKILL" in healed["why"]
    text = box.run("report", "--since", "1h", program="healmon").stdout
    assert "HEALED, AND THE PROOF" in text
    assert "restart worker: " in text


def test_without_a_store_there_is_nothing_to_report(box):
    box.write()
    done = box.run("report", program="healmon")
    assert done.returncode == 75
    assert "no health store" in done.stderr
