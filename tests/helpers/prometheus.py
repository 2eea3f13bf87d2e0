"""Real programs of Prometheus: where they are, and a server that scrapes what a test says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.helpers.wait import until

ROOT = Path(__file__).parents[2]
UNPACKED = ROOT / ".venv" / "prometheus" / "usr" / "bin"
"""Where `make prometheus` has them."""
QUIET = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def program(name: str) -> str:
    """Return the path of `prometheus` or `promtool`; empty: it is not here."""
    ours = UNPACKED / name
    return shutil.which(name) or (str(ours) if ours.exists() else "")


needs_prometheus = pytest.mark.skipif(
    not (program("promtool") and program("prometheus")) and os.environ.get("CI") != "true",
    reason="no Prometheus here: make prometheus",
)


def promtool(*words: str, given: str | None = None, cwd: Path | None = None) -> str:
    """Return what promtool says; it must be content."""
    done = subprocess.run(
        [program("promtool"), *words], input=given, cwd=cwd, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def port_of(pid: int) -> int:
    """Return the TCP port that a process listens on; 0: none yet."""
    try:
        found = psutil.Process(pid).net_connections(kind="tcp")
    except psutil.Error:
        return 0
    return next((one.laddr.port for one in found if one.status == psutil.CONN_LISTEN), 0)


def fetched(url: str, **headers: str) -> tuple[int, str, str]:
    """Return status, content type and body of an answer."""
    try:
        with QUIET.open(urllib.request.Request(url, headers=headers), timeout=60) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


class Prometheus:
    """A server that scrapes one exporter each half second, and goes by some rules."""

    def __init__(self, folder: Path, target: int, rules: str) -> None:
        folder.mkdir()
        (folder / "rules.yml").write_text(rules)
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 500ms, evaluation_interval: 500ms}\n"
            "rule_files: [rules.yml]\n"
            "scrape_configs:\n"
            f"  - {{job_name: healmon, static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}\n"
        )
        self._log = (folder / "log").open("w")
        self._process = subprocess.Popen(
            [
                program("prometheus"), f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data", "--web.listen-address=127.0.0.1:0",
            ],
            stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL, cwd=folder,
        )  # fmt: skip
        port = until(lambda: port_of(self._process.pid), 60, "Prometheus listens")
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, path: str, **words: str) -> Any:
        """Return the data of an answer of its API."""
        body = fetched(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(words)}")[2]
        told = json.loads(body)
        assert told["status"] == "success", told
        return told["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Return what an expression is now: labels and value of each sample."""
        found = self.ask("query", query=expression)["result"]
        return [(one["metric"], float(one["value"][1])) for one in found]

    def firing(self) -> set[tuple[str, str]]:
        """Return name and worker of the alerts that fire."""
        return {
            (one["labels"]["alertname"], one["labels"].get("worker", ""))
            for one in self.ask("alerts")["alerts"]
            if one["state"] == "firing"
        }

    def until(self, condition: Callable[[], object], limit: float, what: str) -> None:
        """Wait for a condition that asks this server; it knows nothing new within a blink."""
        end = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < end, f"{what} did not come true within {limit:g} s"
            time.sleep(0.25)

    def evaluated(self) -> str:
        """Return when the rules were evaluated last."""
        return str(self.ask("rules")["groups"][0]["lastEvaluation"])

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(20)
        self._log.close()
