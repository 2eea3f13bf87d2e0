"""Each exit code of the contract, by a real run of the real command."""

from __future__ import annotations

import json
import socket

import pytest

from tests.helpers.wait import until

pytestmark = pytest.mark.slow


def told(done, code: int, words: str = "") -> None:
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def filled(box, kilobytes: int) -> None:
    """A directory of 100 kB at most that holds so much, and nothing that may be cleaned."""
    heap = box.base / "heap"
    heap.mkdir(exist_ok=True)
    (heap / "one").write_bytes(b"x" * 1024 * kilobytes)
    box.write(interval="1s")
    text = box.config.read_text()
    budget = f'paths = []\nbudgets = [{{path = "{heap}", limit = "100KiB"}}]'
    box.config.write_text(text.replace("paths = []", budget))


def test_of_rounds_and_of_the_status(box) -> None:
    filled(box, 8)
    told(box.run("--once"), 0)
    told(box.run("--status"), 3, "no healer runs")
    filled(box, 88)
    told(box.run("--once"), 1)
    told(box.run("--daemon"), 0)
    until(lambda: box.rows("SELECT 1 FROM health_alerts WHERE severity = 'WARNING'"), 60)
    told(box.healmon("status"), 1)
    told(box.healmon("restart", "nobody"), 65, "nobody")
    told(box.healmon("ack", "999999"), 65)
    told(box.run("--daemon"), 75, "is held by pid")
    filled(box, 99)
    until(
        lambda: box.rows(
            "SELECT 1 FROM health_alerts WHERE severity = 'CRITICAL' AND resolved = 0"
            " AND opened_at IS NOT NULL"
        ),
        60,
    )
    told(box.healmon("status"), 2)
    told(box.run("--stop"), 0)
    told(box.run("--once"), 2)
    told(box.run("--stop"), 0, "nothing to stop")


@pytest.mark.long(15)
def test_of_a_round_that_could_not_look_everywhere(box) -> None:
    filled(box, 8)
    # a tmux server that takes calls and never answers
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(box.base / "no-tmux"))
        deaf.listen()
        told(done := box.run("--once", "--json"), 3)
        cycle = json.loads(done.stdout)
        assert cycle["exit_code"] == 3
        assert "no answer within" in cycle["unknown"]["sessions"]
        filled(box, 88)
        told(box.run("--once"), 1)  # what is known to be wrong is worse than what is not known


def test_of_what_cannot_be_done(box) -> None:
    box.write('[notify.channels.hook]\nurl = "json://127.0.0.1:9/none"\n')
    told(box.healmon("statsu"), 64, 'did you mean "status"')
    told(box.run("--once", "--status"), 64, "not allowed")
    told(box.healmon("restart", "a"), 75, "no healer runs")
    told(box.healmon("notify", "--test"), 69, "not taken")
    box.state = box.config / "below"  # a file is no directory
    told(box.run("--once"), 73)
    box.state = box.base / "state"
    box.state.mkdir()
    box.state.chmod(0o777)
    told(box.run("--daemon"), 73, "others")
    box.config.write_text("[monitor]\nchek_interval = 1\n")
    told(box.run("--daemon"), 78, 'did you mean "check_interval"')
    told(box.healmon("check"), 78, "healmon.toml:2")


def test_a_healer_heals_though_its_faces_cannot_be_served(box) -> None:
    gone = "import sys; sys.modules.update(aiohttp=None, prometheus_client=None)"
    (box.base / "sitecustomize.py").write_text(gone)
    box.env["PYTHONPATH"] = str(box.base)
    web, numbers = '[web]\nlisten = "127.0.0.1:1"\n', '[metrics]\nlisten = "127.0.0.1:2"\n'
    box.write(box.worker("one"), web, numbers)
    told(box.healmon("check"), 78, "pip install 'healmon[web]'")
    told(box.run("--daemon"), 0)
    sql = "SELECT group_concat(message) FROM health_alerts WHERE component = 'healmon'"
    until(lambda: (box.rows(sql)[0][0] or "").count("pip install") == 2, 60, "both alerts")
    until(lambda: box.events("actionverified"), 60, "the worker that was started")
    told(box.run("--stop"), 0)
