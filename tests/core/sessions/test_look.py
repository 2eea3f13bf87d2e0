"""One look at real sessions: what it costs, what it sees, and what cannot fool it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from healmon.errors import ProbeError
from healmon.sessions import probe
from healmon.sessions.probe import SessionSeen
from tests.helpers.looks import Looker, labels, named
from tests.helpers.tmuxes import HANG, SHELL, PrivateTmux
from tests.helpers.wait import until

pytestmark = [
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
    pytest.mark.slow,
]
# a raw terminal program with a spinner in its title; what follows is its own
AGENT = """
import os, subprocess, sys, time, tty
tty.setraw(0)
def show(*lines):
    sys.stdout.write('\\x1b[H\\x1b[2J' + '\\r\\n'.join(lines)); sys.stdout.flush()
show('begun')
"""
BUSY = AGENT + "show('work goes on\\x1b]2;\\u2802 work\\x07', '', 'esc to interrupt')\n"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may be slow to answer."""
    monkeypatch.setattr(probe, "LOOK_WITHIN", 60.0)


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="hm-", dir="/tmp"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def server(folder: Path) -> Iterator[PrivateTmux]:
    made = PrivateTmux(folder)
    yield made
    made.close()


@pytest.fixture
def other(folder: Path) -> Iterator[PrivateTmux]:
    made = PrivateTmux(folder, "other")
    yield made
    made.close()


def agent(name: str, code: str) -> str:
    """The command of a program that is called as an agent is."""
    return f"exec -a {name} {shlex.join([sys.executable, '-c', code])}"


def start(server: PrivateTmux, session: str, command: str, shows: str = "") -> str:
    pane = server.new(session, f"bash -c {shlex.quote(command)}")
    until(lambda: shows in server.screen(pane) if shows else True, 60, f"{shows} in {session}")
    return pane


# What it costs.


def test_25_two_tmux_processes_however_many_sessions(server: PrivateTmux, folder: Path) -> None:
    names = [f"s{number}" for number in range(30)]
    panes = {name: server.new(name, f"echo {name} is up; exec sleep 1000") for name in names}
    for name, pane in panes.items():
        until(lambda n=name, p=pane: f"{n} is up" in server.screen(p), 60, f"{name}'s word")
    looker = Looker(folder, server.socket)
    looker.task(*names)
    seen = looker.look()
    assert looker.calls == 2
    assert sorted(labels(seen.sessions)) == sorted(names)
    until(lambda: not any(s.fresh for s in looker.look().sessions), 60, "still screens")
    assert looker.calls == 1, "nothing moved: the list alone"
    server.write(panes["s7"], "something new\r\n")
    until(lambda: "something new" in server.screen(panes["s7"]), 60, "the text")
    seen = looker.look()
    assert looker.calls == 2
    assert [s.label for s in seen.sessions if s.fresh] == ["s7"]
    assert "something new" in named(seen, "s7").screen
    assert "s8 is up" in named(seen, "s8").screen, "shown again as it was"
    assert all(s.fresh for s in looker.look(fresh=True).sessions)


def test_a_session_without_tasks_that_does_nothing_is_the_very_same_one(
    server: PrivateTmux, folder: Path
) -> None:
    pane = server.new("still", "echo up; exec sleep 1000")
    looker = Looker(folder, server.socket)

    def same() -> bool:
        before, after = (named(looker.look(), "still") for _ in range(2))
        return before is after

    until(same, 60, "a still screen")
    server.run("resize-window", "-t", pane, "-x", "91", "-y", "17")
    assert named(looker.look(), "still").pane.width == 91


def test_a_second_socket_costs_two_more(
    server: PrivateTmux, other: PrivateTmux, folder: Path
) -> None:
    for one in (server, other):
        one.new("a")
    looker = Looker(folder, server.socket, other.socket)
    looker.task("a")
    seen = looker.look()
    assert looker.calls == 4
    assert sorted(labels(seen.sessions)) == ["a", "a@other.sock"]
    assert all(one.twins for one in seen.sessions)


def test_looks_at_the_same_time_see_the_same(server: PrivateTmux, folder: Path) -> None:
    names = [f"s{number}" for number in range(5)]
    for name in names:
        start(server, name, f"echo {name} is up; exec sleep 1000", f"{name} is up")
    looker = Looker(folder, server.socket)
    looker.task(*names)
    for seen in looker.looks(4):
        assert labels(seen.sessions) == names
        assert all(f"{s.label} is up" in s.screen for s in seen.sessions)


def test_without_tasks_no_process_is_looked_at(server: PrivateTmux, folder: Path) -> None:
    server.new("a")
    looker = Looker(folder, server.socket)
    looker._probe.processes = None
    assert looker.one("a").family is None


# Who it is.


def test_16_a_session_made_again_is_another_one(server: PrivateTmux, folder: Path) -> None:
    start(server, "keep", "sleep 1000")
    start(server, "a", "echo the old one; sleep 1000", "the old one")
    looker = Looker(folder, server.socket)
    looker.task("a")
    old = until(lambda: (s := looker.one("a")) and not s.fresh and s, 60, "a still screen")
    server.run("kill-session", "-t", "=a")
    start(server, "a", "echo the new one; sleep 1000", "the new one")
    new = looker.one("a")
    assert new.pane.key != old.pane.key
    assert new.fresh
    assert "the new one" in new.screen
    assert "the old one" not in new.screen


def test_17_a_server_begun_again_with_the_same_ids_is_another_one(
    server: PrivateTmux, folder: Path
) -> None:
    start(server, "a", "echo the old one; sleep 1000", "the old one")
    looker = Looker(folder, server.socket)
    looker.task("a")
    old = looker.one("a")
    server.run("kill-server")
    until(lambda: not looker_answers(looker), 60, "the server gone")
    start(server, "a", "echo the new one; sleep 1000", "the new one")
    new = looker.one("a")
    assert (new.pane.id, new.pane.session_id) == (old.pane.id, old.pane.session_id) == ("%0", "$0")
    assert new.pane.key != old.pane.key
    assert "the new one" in new.screen
    assert "the old one" not in new.screen


def looker_answers(looker: Looker) -> bool:
    return bool(looker.look().answered)


# Servers that do not answer.


def test_18_a_stopped_server_is_unknown_and_recovers_alone(
    server: PrivateTmux, other: PrivateTmux, folder: Path
) -> None:
    server.new("a")
    other.new("b")
    looker = Looker(folder, server.socket, other.socket, deadline=1.0)
    looker.task("a", "b")
    assert labels(looker.look().sessions) == ["a", "b"]
    server.stop()
    seen = looker.look()
    assert labels(seen.sessions) == ["b"]
    assert seen.missing == {"a": seen.missing["a"]}
    assert [(f.kind, f.name) for f in seen.faults] == [("tmux", server.socket)]
    assert "no answer within 1 s" in seen.faults[0].reason
    assert not seen.absent, "it is not gone"
    server.go_on()
    seen = looker.look()
    assert labels(seen.sessions) == ["a", "b"]
    assert not seen.faults
    assert not seen.missing


def test_two_sessions_of_one_name_stay_two_while_one_of_them_is_not_seen(
    server: PrivateTmux, other: PrivateTmux, folder: Path
) -> None:
    for one in (server, other):
        one.new("a")
    looker = Looker(folder, server.socket, other.socket, deadline=1.0)
    looker.task("a")
    looker.look()
    server.stop()
    (left,) = looker.look().sessions
    assert left.label == "a@other.sock"
    assert left.twins, "the task may be that of the one which is not seen"
    server.go_on()
    assert all(one.twins for one in looker.look().sessions)
    server.run("kill-server")
    until(lambda: bool(looker.look().absent), 60, "no server there")
    (left,) = looker.look().sessions
    assert (left.label, left.twins) == ("a", False)


def test_18_a_server_that_stops_between_list_and_captures_is_unknown(
    server: PrivateTmux, other: PrivateTmux, folder: Path
) -> None:
    server.new("a")
    other.new("b")
    looker = Looker(folder, server.socket, other.socket, deadline=1.0)
    looker.task("a", "b")
    tmux, screens = looker._probe.tmux, looker._probe.tmux.screens

    def stop_first(socket_name, panes):
        if socket_name == server.socket and server._stopped is None:
            server.stop()
        return screens(socket_name, panes)

    tmux.screens = stop_first
    seen = looker.look()
    assert labels(seen.sessions) == ["b"]
    assert [f.name for f in seen.faults] == [server.socket]
    server.go_on()
    tmux.screens = screens
    assert labels(looker.look().sessions) == ["a", "b"]


def test_18_when_no_server_answers_nothing_is_known(server: PrivateTmux, folder: Path) -> None:
    server.new("a")
    looker = Looker(folder, server.socket, deadline=1.0)
    looker.task("a")
    server.stop()
    with pytest.raises(ProbeError, match="no answer within 1 s"):
        looker.look()
    server.go_on()
    assert labels(looker.look().sessions) == ["a"]


def test_19_each_socket_says_why_it_is_not_watched(server: PrivateTmux, folder: Path) -> None:
    server.new("a")
    stale, plain, absent = folder / "stale", folder / "plain", folder / "absent"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(stale))
    plain.write_text("x")
    looker = Looker(folder, server.socket, str(absent), str(stale), str(plain))
    looker.task("a")
    seen = looker.look()
    assert labels(seen.sessions) == ["a"]
    assert seen.answered == (server.socket,)
    assert not seen.faults
    said = {Path(name).name: text for name, text in seen.absent.items()}
    assert said.keys() == {"stale", "plain", "absent"}
    assert "no such socket" in said["absent"]
    assert "left the socket behind" in said["stale"]
    assert "no socket" in said["plain"]


# Names.


def test_20_names_that_try_to_look_like_something_else(server: PrivateTmux, folder: Path) -> None:
    nasty = folder / "a\nP1,2,3\tb"
    nasty.mkdir()
    names = ["with\nline", "tab\there", "rec␞ord", "a|b", "$5", "-x", "n" * 300, "#{pid}", "[b]x"]
    for name in names:
        literal = name.replace("#", "##")
        server.run("new-session", "-d", "-c", str(nasty), "-s", literal, SHELL)
    panes = server.run("list-panes", "-a", "-F", "#{pane_id}").split()
    for pane in panes:
        server.write(pane, "\x1b]2;t ␞ | \x1b[31m $5\x07")
    looker = Looker(folder, server.socket)
    exact = {p.name for p in looker._probe.tmux.panes(server.socket)}
    looker.task(*exact)
    seen = looker.look()
    assert len(seen.sessions) == len(names)
    assert len(set(labels(seen.sessions))) == len(names)
    assert all(one.label.isprintable() and one.pane.title.isprintable() for one in seen.sessions)
    assert all(len(one.tasks) == 1 for one in seen.sessions), "each got its own task"
    assert {one.tasks[0].session for one in seen.sessions} == exact
    assert not seen.missing


# Several panes, several servers.


def test_21_the_agent_of_a_split_window_is_judged_by_its_own_clock(
    server: PrivateTmux, folder: Path
) -> None:
    start(server, "work", agent("codex", BUSY + HANG), "esc to interrupt")
    log = folder / "log"
    log.write_text("")
    server.run("split-window", "-d", "-t", "=work:", f"tail -f {log}")
    looker = Looker(folder, server.socket)
    looker.task("work")

    def settled() -> SessionSeen | None:
        with log.open("a") as file:
            file.write(f"line {time.monotonic()}\n")
        one = looker.one("work")
        window = int(server.ask(one.pane.id, "window_activity"))
        return one if one.sure and window - one.pane.window_activity > 2 else None

    one = until(settled, 60, "the neighbour painting and the agent not")
    assert one.family is not None
    assert one.family.agent == "codex"
    assert one.sign.pack == "codex"
    assert "line" not in one.screen
    assert len(looker.look().sessions) == 1


def test_two_agents_in_one_session_are_nobody_for_sure(server: PrivateTmux, folder: Path) -> None:
    start(server, "a", agent("codex", BUSY + HANG), "esc to interrupt")
    second = f"bash -c {shlex.quote(agent('claude', BUSY + HANG))}"
    pane = server.run("split-window", "-d", "-P", "-F", "#{pane_id}", "-t", "=a:", second)
    until(lambda: "esc to interrupt" in server.screen(pane), 60, "the second agent")
    looker = Looker(folder, server.socket)
    looker.task("a")
    one = looker.one("a")
    assert not one.sure
    assert one.screen.count("esc to interrupt") == 2


def test_21_grouped_and_linked_sessions_are_one_row(server: PrivateTmux, folder: Path) -> None:
    server.new("a")
    server.run("new-session", "-d", "-t", "=a:", "-s", "b")
    looker = Looker(folder, server.socket)
    looker.task("a", "b")
    seen = looker.look()
    assert labels(seen.sessions) == ["a"]
    assert len(seen.sessions[0].tasks) == 2
    server.run("split-window", "-d", "-t", "=a:", "sleep 1000")
    server.run("set-option", "-w", "-t", "=a:", "synchronize-panes", "on")
    assert all(p.synchronized for p in looker._probe.tmux.panes(server.socket))


def test_21_inside_a_nested_tmux_the_inner_pane_is_judged(
    server: PrivateTmux, other: PrivateTmux, folder: Path
) -> None:
    start(other, "inner", agent("codex", BUSY + HANG), "esc to interrupt")
    client = f"env -u TMUX tmux -S {other.socket} attach -t inner"
    start(server, "outer", client, "esc to interrupt")
    both = Looker(folder, server.socket, other.socket)
    both.task("outer")
    seen = both.look()
    assert not named(seen, "outer").tasks
    inner = named(seen, "inner")
    assert [task.session for task in inner.tasks] == ["outer"]
    assert inner.pane.socket == other.socket
    assert "outer" in inner.pane.aliases
    assert inner.family is not None
    assert inner.family.agent == "codex"
    alone = Looker(folder, server.socket)
    alone.task("outer")
    outer = alone.one("outer")
    assert outer.tasks
    assert outer.pane.command == "tmux", "and so it is never typed into"


# What runs behind a pane.


def test_the_sign_is_that_of_the_agents_pack(server: PrivateTmux, folder: Path) -> None:
    start(server, "a", agent("claude", BUSY + HANG), "esc to interrupt")
    looker = Looker(folder, server.socket)
    looker.task("a")
    one = looker.one("a")
    assert (one.sign.kind, one.sign.pack) == ("busy", "claude")
    assert one.terminal is not None
    assert not one.terminal.signals


def test_tools_and_silent_work_are_seen(server: PrivateTmux, folder: Path) -> None:
    code = BUSY + "subprocess.run(['bash', '-c', 'dd if=/dev/zero of=/dev/null bs=4096 & wait'])"
    start(server, "a", agent("claude", code), "esc to interrupt")
    looker = Looker(folder, server.socket)
    looker.task("a")
    one = until(lambda: (s := looker.one("a")) and "dd" in s.family.tool and s, 60, "the tool")
    assert one.family.tool == ("bash", "dd")
    before = sum(one.family.io.values())
    until(lambda: sum(looker.one("a").family.io.values()) - before > 1 << 20, 60, "reading")
    assert set(one.family.io) <= set(one.family.cpu)
    assert any("wait" in where for where in one.family.waits.values())


def test_a_program_that_was_stopped_is_named(server: PrivateTmux, folder: Path) -> None:
    pane = server.new("a", SHELL)
    server.start(pane, HANG)
    looker = Looker(folder, server.socket)
    looker.task("a")
    assert looker.one("a").family.stopped == ""
    server.run("send-keys", "-t", pane, "C-z")
    one = until(lambda: (s := looker.one("a")) and s.family.stopped and s, 60, "the stop")
    assert one.family.stopped.startswith("python")
    server.type(pane, "fg")
    until(lambda: looker.one("a").family.stopped == "", 60, "going on")


def test_output_that_is_stopped_is_told(server: PrivateTmux, folder: Path) -> None:
    pane = server.new("a", SHELL)
    server.start(
        pane, "import time; n = 0\nwhile True: time.sleep(0.05); n += 1; print(n, flush=True)"
    )
    looker = Looker(folder, server.socket)
    looker.task("a")
    assert not looker.one("a").family.flow_stopped
    server.run("send-keys", "-t", pane, "C-s")
    until(lambda: looker.one("a").family.flow_stopped, 60, "the output stopped")
    server.run("send-keys", "-t", pane, "C-q")
    until(lambda: not looker.one("a").family.flow_stopped, 60, "the output going on")


def test_what_an_agent_wrote_down_is_there(server: PrivateTmux, folder: Path) -> None:
    (folder / ".claude" / "sessions").mkdir(parents=True)
    pane = start(
        server, "a", f"export HOME={folder}; {agent('claude', BUSY + HANG)}", "esc to interrupt"
    )
    looker = Looker(folder, server.socket)
    looker.task("a")
    assert looker.one("a").agent_file is None
    pid = int(server.ask(pane, "pane_pid"))
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    said = {"procStart": ticks, "status": "busy", "version": "2.1.197"}
    (folder / ".claude" / "sessions" / f"{pid}.json").write_text(json.dumps(said))
    one = looker.one("a")
    assert one.agent_file is not None
    assert (one.agent_file.status, one.agent_file.version) == ("busy", "2.1.197")


def test_sockets_are_asked_only_of_agents_that_are_busy_for_long(
    server: PrivateTmux, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = BUSY + (
        "import socket\n"
        "a = socket.create_server(('127.0.0.1', 0))\n"
        "b = socket.create_connection(a.getsockname())\n"
        "c, _ = a.accept()\n"
        "open(sys.argv[1], 'w').write('x')\n"
        "while True: time.sleep(1000)"
    )
    connected = folder / "connected"
    command = f"exec -a claude {shlex.join([sys.executable, '-c', code, str(connected)])}"
    start(server, "a", command, "esc to interrupt")
    until(connected.exists, 60, "the connection")
    looker = Looker(folder, server.socket)
    looker.task("a")
    assert looker.one("a").received is None
    monkeypatch.setattr("healmon.sessions.backstage.SUSPECT_AFTER", 0.0)
    received = looker.one("a").received
    assert received is not None
    assert 0 <= received < 120


def test_a_resize_is_seen_though_no_clock_moves(server: PrivateTmux, folder: Path) -> None:
    pane = start(server, "a", "printf 'x%.0s' {1..90}; sleep 1000", "xxx")
    looker = Looker(folder, server.socket)
    looker.task("a")
    until(lambda: not looker.one("a").fresh, 60, "a still screen")
    server.run("resize-window", "-t", pane, "-x", "50", "-y", "20")
    one = looker.one("a")
    assert one.fresh
    assert one.pane.width == 50


def test_a_pane_that_ends_between_list_and_captures_is_gone(
    server: PrivateTmux, folder: Path
) -> None:
    server.new("keep")
    server.new("a")
    looker = Looker(folder, server.socket)
    looker.task("a")
    screens = looker._probe.tmux.screens

    def kill_first(socket_name, panes):
        server.run("kill-session", "-t", "=a")
        return screens(socket_name, panes)

    looker._probe.tmux.screens = kill_first
    seen = looker.look()
    assert labels(seen.sessions) == ["keep"]
    assert seen.missing.keys() == {"a"}


def test_a_dead_mount_under_agents_files_delays_nobody(
    server: PrivateTmux, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(server, "a", agent("claude", BUSY + HANG), "esc to interrupt")
    looker = Looker(folder, server.socket)
    looker.task("a")
    reading, writing = os.pipe()
    monkeypatch.setattr("healmon.sessions.backstage.PATIENCE", 0.2)
    looker._probe.processes.agent_file = lambda who, name: os.read(reading, 1) and None
    try:
        assert looker.one("a").sign.kind == "busy"
    finally:
        os.write(writing, b"x" * 100)
        os.close(writing)
        os.close(reading)
