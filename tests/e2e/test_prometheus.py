"""A real Prometheus beside a real healer: what it sees of a crash, and of the healer's death."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3

import psutil
import pytest
from tools import grafana

from tests.helpers.box import alive
from tests.helpers.prometheus import (
    ROOT,
    Prometheus,
    fetched,
    needs_prometheus,
    port_of,
    promtool,
)
from tests.helpers.wait import until

pytestmark = [pytest.mark.slow, needs_prometheus]

RULES = (ROOT / "contrib" / "prometheus" / "rules.yml").read_text()
NOTIFY = """
[notify]
group_within = "0s"
[notify.channels.ops]
command = ["true"]
[[notify.steps]]
after = "0s"
channels = ["ops"]
"""
WATCHED = """
[databases.things]
path = "{base}/things.db"
[[disk.budgets]]
path = "{base}"
limit = "50GB"
[metrics]
listen = "127.0.0.1:0"
"""


def exporter_of(box) -> int:
    """The pid of the exporter that the healer started; 0: none listens yet."""
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "healmon.service.exporter" in words and str(box.state) in words and port_of(process.pid):
            return process.pid
    return 0


def pid_of(box, worker: str) -> int:
    (facts,) = box.rows(
        "SELECT json_extract(payload, '$.facts.pid') FROM events"
        " WHERE kind = 'observed' AND component = ? ORDER BY id DESC LIMIT 1", worker,
    )  # fmt: skip
    return int(facts[0])


@pytest.fixture
def watched(box):
    """A daemon with a worker, a database and a budget, its exporter, and a Prometheus."""
    sqlite3.connect(box.base / "things.db").execute("CREATE TABLE a (b)").connection.close()
    box.write(
        box.worker("steady"),
        box.worker("mailer", max_failures=1, quarantine="1h"),
        WATCHED.format(base=box.base), NOTIFY,
    )  # fmt: skip
    assert box.run("--daemon").returncode == 0
    exporter = until(lambda: exporter_of(box), 60, "the exporter listens")
    rules = re.sub(r"for: \d+[ms]", "for: 1s", RULES)
    prometheus = Prometheus(box.base / "prometheus", port_of(exporter), rules)
    yield prometheus, exporter
    prometheus.close()


def test_what_prometheus_sees_of_a_crash_and_of_the_healers_death(box, watched):
    prometheus, exporter = watched

    def worker_is(up: float) -> bool:
        found = prometheus.query('healmon_worker_up{worker="mailer"}')
        return [value for _, value in found] == [up]

    box.healmon("start-worker", "mailer")
    prometheus.until(lambda: worker_is(1), 60, "the worker is up")
    os.kill(pid_of(box, "mailer"), signal.SIGKILL)
    prometheus.until(lambda: worker_is(0), 60, "a crash shows")
    down, left = ("HealmonWorkerDown", "mailer"), ("HealmonWorkerQuarantined", "mailer")
    prometheus.until(lambda: {down, left} <= prometheus.firing(), 60, "the rules fire")
    every_panel_has_something_to_draw(prometheus)
    url = f"http://127.0.0.1:{port_of(exporter)}/metrics"
    assert promtool("check", "metrics", given=fetched(url)[2]) == ""

    healer = json.loads((box.state / "healmon.lock").read_text())["pid"]
    os.kill(healer, signal.SIGKILL)
    absent = ("HealmonAgentAbsent", "")
    prometheus.until(lambda: absent in prometheus.firing(), 60, "its death is told")
    assert [value for _, value in prometheus.query("healmon_up")] == [0]
    assert prometheus.query("healmon_worker_up") == [], "nobody knows any more"
    assert {down, left} <= prometheus.firing(), "not known to be over, so not told to be over"
    os.kill(exporter, signal.SIGKILL)
    until(lambda: not alive(exporter), 60)
    prometheus.until(lambda: prometheus.query("healmon_up") == [], 60, "its series end")
    # a rule that lost its series would be over with the next evaluation
    seen = prometheus.evaluated()
    prometheus.until(lambda: prometheus.evaluated() != seen, 60, "the rules are evaluated")
    assert {absent, down, left} <= prometheus.firing()


def every_panel_has_something_to_draw(prometheus: Prometheus) -> None:
    asked = [
        target["expr"]
        .replace("$job", ".+").replace("$instance", ".+").replace("$__rate_interval", "10s")
        for panel in grafana.dashboard()["panels"]
        for target in panel.get("targets", [])
    ]  # fmt: skip
    assert len(asked) > 25

    def silent() -> list[str]:
        return [expression for expression in asked if not prometheus.query(expression)]

    prometheus.until(lambda: not silent(), 60, "something to draw for each panel")


def test_the_next_healer_has_an_exporter_of_its_own_and_counts_on(box):
    numbers = box.base / "later" / "healmon.prom"
    box.write(
        box.worker("w"), f'[metrics]\nlisten = "127.0.0.1:0"\ntextfile = "{numbers}"\n'
    )  # fmt: skip
    assert box.run("--daemon").returncode == 0
    first = until(lambda: exporter_of(box), 60, "the exporter listens")
    port = port_of(first)
    asked = "SELECT message FROM health_alerts WHERE key LIKE '%/textfile' AND state = ?"
    (told,) = until(lambda: box.rows(asked, "open"), 60, "what cannot be written is told")
    assert told[0].endswith(f"{numbers}: No such file or directory")
    numbers.parent.mkdir()
    until(lambda: box.rows(asked, "resolved"), 60, "it is over")
    assert "\nhealmon_up 1.0\n" in numbers.read_text()

    # from now on this very port: the next one has to wait for it
    box.config.write_text(box.config.read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}"))
    healer = json.loads((box.state / "healmon.lock").read_text())["pid"]
    os.kill(healer, signal.SIGKILL)
    url = f"http://127.0.0.1:{port}/metrics"
    until(lambda: "\nhealmon_up 0.0" in fetched(url)[2], 60, "no healer is told")
    assert box.run("--daemon").returncode == 0
    until(lambda: not alive(first), 60, "the first makes way")
    second = until(lambda: exporter_of(box), 60, "the second one listens")
    assert second != first
    assert port_of(second) == port
    until(lambda: "\nhealmon_up 1.0" in fetched(url)[2], 60, "a healer is told")
    until(lambda: "\nhealmon_starts_total 2.0\n" in fetched(url)[2], 60, "its start is counted")
    box.run("--stop")
    until(lambda: not alive(second), 60, "it ends with its healer")
    assert "\nhealmon_up 0.0\n" in numbers.read_text(), "the healer's last word"
