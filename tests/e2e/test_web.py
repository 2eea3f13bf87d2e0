"""The web server beside a real daemon: begun, kept up, followed, ended, and what is told of it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.helpers.box import alive
from tests.helpers.freeport import free_port
from tests.helpers.wait import until

pytestmark = pytest.mark.slow


def get(port: int, path: str, token: str = "") -> tuple[int, str]:
    """Status and body; 0: nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with closing(connection):
        try:
            connection.request(
                "GET", path, headers={"Authorization": f"Bearer {token}"} if token else {}
            )
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        except (OSError, http.client.HTTPException):  # it may end in the midst of an answer
            return 0, ""


def server(box) -> int:
    """The pid of the web server of a box; 0: there is none."""
    lock = box.state / "web" / "healmon.lock"
    mark = b"healmon.web.child"
    try:
        pid = int(json.loads(lock.read_text())["pid"])
        return pid if alive(pid) and mark in Path(f"/proc/{pid}/cmdline").read_bytes() else 0
    except (OSError, ValueError):
        return 0


def up(box, *words: str) -> int:
    answer = box.run("--daemon", *words)
    assert answer.returncode == 0, answer.stderr
    return int((box.state / "healmon.pid").read_text())


def alert(box) -> tuple[str, int] | None:
    rows = box.rows(
        "SELECT message, resolved FROM health_alerts WHERE key LIKE '%/web' ORDER BY id DESC"
    )
    return rows[0] if rows else None


def test_a_daemons_server_lives_beside_it_and_ends_with_it(box):
    port = free_port()
    box.write(box.worker("a"), f'[web]\nlisten = "127.0.0.1:{port}"')
    daemon = up(box)
    until(lambda: get(port, "/readyz")[0] == 200, 60, "the server")
    first = server(box)
    assert first
    said = box.healmon("web-token", "--json")
    told = json.loads(said.stdout)
    assert told["running"]
    assert told["url"].startswith(f"http://127.0.0.1:{port}/login#")
    until(lambda: box.events("actionverified"), 60, "the worker up")

    def state():
        return json.loads(get(port, "/api/v1/state", told["token"])[1])

    until(lambda: [w["state"] for w in state()["workers"]] == ["healthy"], 60, "the state")
    assert state()["healer"]["pid"] == daemon
    for found in (box.state / "web").rglob("*"):
        assert not found.stat().st_mode & 0o077, f"{found} is for its owner alone"
    shown = [Path(f"/proc/{first}/{name}").read_bytes() for name in ("cmdline", "environ")]
    assert not any(told["token"].encode() in one for one in shown)
    kernels = Path(f"/proc/{first}/oom_score_adj"), Path(f"/proc/{daemon}/oom_score_adj")
    assert int(kernels[0].read_text()) > int(kernels[1].read_text()), "it goes before the healer"
    for library in (b"aiohttp", b"textual"):
        assert library not in Path(f"/proc/{daemon}/maps").read_bytes(), "the healer stays light"

    os.kill(first, signal.SIGKILL)
    second = until(lambda: (pid := server(box)) != first and pid, 60, "another server")
    until(lambda: get(port, "/readyz")[0] == 200, 60, "it answers")
    assert alive(daemon)

    # other settings: another server; none: none
    other = free_port()
    box.write(box.worker("a"), f'[web]\nlisten = "127.0.0.1:{other}"')
    assert box.inside("reload").returncode == 0
    until(lambda: get(other, "/readyz")[0] == 200, 60, "the other place")
    assert get(port, "/healthz")[0] == 0
    until(lambda: not alive(second), what="its end")
    assert box.run("--stop").returncode == 0
    assert not server(box)
    assert get(other, "/healthz")[0] == 0


def test_a_killed_healers_server_says_so_and_makes_way_for_the_next(box):
    port = free_port()
    box.write(box.worker("a"), f'[web]\nlisten = "127.0.0.1:{port}"')
    daemon = up(box)
    until(lambda: get(port, "/readyz")[0] == 200, 60, "the server")
    first = server(box)
    worker = until(box.started_pids, 60, "the worker")[-1]
    os.kill(daemon, signal.SIGKILL)
    until(lambda: get(port, "/readyz")[0] == 503, 60, "no healer runs")
    token = json.loads(box.inside("web-token", "--json").stdout)["token"]
    told = json.loads(get(port, "/api/v1/state", token)[1])
    assert told["verdict"]["text"].startswith("no healer runs: it was killed")
    assert box.inside("serve").returncode == 75, "there is one already"
    # it never heals: the worker that ends now stays down
    os.kill(worker, signal.SIGKILL)
    until(lambda: not alive(worker))

    daemon = up(box)
    until(lambda: server(box) not in (0, first), 60, "the next one's")
    until(lambda: get(port, "/readyz")[0] == 200, 60, "it answers")
    until(lambda: not alive(first), what="the end of the first: never two")
    os.kill(daemon, signal.SIGKILL)
    until(lambda: not alive(daemon))
    stopped = box.run("--stop")
    assert "web server" in stopped.stdout
    until(lambda: not server(box), 60, "its end")


def test_a_taken_port_is_an_alert_with_the_reason_until_it_is_free(box):
    with closing(socket.socket()) as taken:
        port = free_port()
        taken.bind(("127.0.0.1", port))
        taken.listen()
        box.write(
            f'[web]\nlisten = "127.0.0.1:{port}"\n[alerts]\nconfirm_for = "1s"\nclear_checks = 1'
        )
        up(box)
        message, resolved = until(lambda: alert(box), 60, "the alert")
        assert message.startswith(
            f"the web page cannot be served: cannot listen on 127.0.0.1:{port}"
        )
        assert "in use" in message
        assert not resolved
        until(lambda: box.events("cyclefinished"), 60, "it looks on all the same")
    until(lambda: get(port, "/readyz")[0] == 200, 60, "the server, once it can")
    until(lambda: alert(box) == (message, 1), 60, "the end of the alert")
    assert box.run("--stop").returncode == 0


def test_serve_by_hand_greets_looks_on_and_ends_in_order(box):
    box.write(box.worker("a"))
    argv = box.argv("--serve", "127.0.0.1:0")
    with subprocess.Popen(
        argv, env=box.env, cwd=box.base, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as served:
        try:
            assert served.stdout is not None
            head = [served.stdout.readline() for _ in range(3)]
            port = int(re.search(r"127\.0\.0\.1:(\d+)/#health", head[0])[1])
            assert "/login#" in head[1]
            assert "web-token --operator" in head[2]
            assert get(port, "/readyz") == (503, "not ready\n"), "no healer runs, and none is begun"
            assert not (box.state / "healmon.db").exists()
            again = box.inside("serve", "127.0.0.1:0")
            assert again.returncode == 75
            assert f"pid {served.pid}" in again.stderr
            # its own healer's server gives way to one that a person started
            box.write(f'[web]\nlisten = "127.0.0.1:{free_port()}"')
            up(box)
            until(lambda: alert(box), 60, "it is told")
            assert f"pid {served.pid}" in alert(box)[0]
            until(lambda: get(port, "/readyz")[0] == 200, 60)
            served.send_signal(signal.SIGINT)
            assert served.wait(60) == 0
        finally:
            served.kill()
    until(lambda: server(box), 180, "the healer's own, now")
    assert box.run("--stop").returncode == 0
