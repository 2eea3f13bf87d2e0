"""The door to tmux: one contract for both, then what only the real one does."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from healmon.clock import ManualClock, SystemClock
from healmon.errors import ProbeError, RemedyError, VetoError
from healmon.world import sockets, tmux_wire
from healmon.world.pane import Pane
from healmon.world.simulated.processes import SimulatedProcesses
from healmon.world.simulated.tmux import Job, SimulatedTmux
from healmon.world.tmux import SystemTmux, Tmux, TmuxAbsentError
from tests.helpers.tmuxes import DEAF, HANG, SHELL, PatientTmux, PrivateTmux
from tests.helpers.wait import until

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class RealWorld:
    """Real servers and how to make things happen in them."""

    def __init__(self, base: Path) -> None:
        self.servers = {"one": PrivateTmux(base, "one"), "two": PrivateTmux(base, "two")}
        self.tmux: Tmux = PatientTmux(deadline=2.0)

    def socket(self, which: str = "one") -> str:
        return self.servers[which].socket

    def new(self, name: str, which: str = "one") -> None:
        pane = self.servers[which].new(name)
        until(lambda: self.servers[which].screen(pane).strip(), 30, "a prompt")

    def hang(self, pane: Pane) -> None:
        self.servers["one"].start(pane.id, HANG)

    def deaf(self, pane: Pane) -> None:
        self.servers["one"].start(pane.id, DEAF)

    def say(self, pane: Pane, text: str) -> None:
        self.servers["one"].write(pane.id, f"{text}\r\n")

    def kill(self, pane: Pane) -> None:
        self.servers["one"].run("kill-pane", "-t", pane.id)

    def end(self, pane: Pane) -> None:
        """Let a pane's own program end, and the pane stay."""
        self.servers["one"].run("set-option", "-w", "-t", pane.id, "remain-on-exit", "on")
        self.servers["one"].run("respawn-pane", "-k", "-t", pane.id, "exit 3")
        until(lambda: self.servers["one"].ask(pane.id, "pane_dead") == "1", 30, "a dead pane")

    def set(self, pane: Pane, fact: str) -> None:
        words = {
            "mode": ("copy-mode", "-t", pane.id),
            "clock": ("clock-mode", "-t", pane.id),
            "input_off": ("select-pane", "-d", "-t", pane.id),
            "synchronized": ("set-option", "-w", "-t", pane.id, "synchronize-panes", "on"),
        }
        self.servers["one"].run(*words[fact])

    def attach(self, pane: Pane) -> None:
        self.servers["one"].attach(pane.name)

    def detach(self) -> None:
        self.servers["one"].detach()

    def hold(self, pane: Pane) -> None:
        self.servers["one"].run("send-keys", "-t", pane.id, "C-s")

    def release(self, pane: Pane) -> None:
        self.servers["one"].run("send-keys", "-t", pane.id, "C-q")

    def stop(self) -> None:
        self.servers["one"].stop()

    def go_on(self) -> None:
        self.servers["one"].go_on()

    def close(self) -> None:
        for server in self.servers.values():
            server.close()


class MadeUpWorld:
    """The same in memory."""

    def __init__(self) -> None:
        clock = ManualClock()
        self.sim = SimulatedTmux(clock, SimulatedProcesses(clock))
        self.tmux: Tmux = self.sim

    def socket(self, which: str = "one") -> str:
        return which

    def new(self, name: str, which: str = "one") -> None:
        self.sim.new(name, socket=which)

    def _find(self, pane: Pane):
        return next(p for p in self.sim._servers["one"] if p.facts.id == pane.id)

    def hang(self, pane: Pane) -> None:
        self._find(pane).run(Job())

    def deaf(self, pane: Pane) -> None:
        self._find(pane).run(Job(keys={}))

    def say(self, pane: Pane, text: str) -> None:
        self._find(pane).say(text)

    def kill(self, pane: Pane) -> None:
        self.sim.kill(self._find(pane))

    def end(self, pane: Pane) -> None:
        found = self._find(pane)
        self.sim._processes.end(found.own)
        found.facts = replace(found.facts, dead=True, status="ended with status 3")

    def set(self, pane: Pane, fact: str) -> None:
        found = self._find(pane)
        found.facts = replace(found.facts, **{"mode" if fact == "clock" else fact: True})

    def attach(self, pane: Pane) -> None:
        self.sim.attach(self._find(pane))

    def detach(self) -> None:
        for pane in self.sim._servers["one"]:
            self.sim.detach(pane)

    def hold(self, pane: Pane) -> None:
        self._find(pane).held = True

    def release(self, pane: Pane) -> None:
        self._find(pane).held = False

    def stop(self) -> None:
        self.sim.stop("one")

    def go_on(self) -> None:
        self.sim.go_on("one")

    def close(self) -> None:
        pass


World = RealWorld | MadeUpWorld


@pytest.fixture(params=["real", "simulated"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    made = RealWorld(tmp_path) if request.param == "real" else MadeUpWorld()
    try:
        yield made
    finally:
        made.close()


def named(world: World, name: str) -> Pane:
    return next(p for p in world.tmux.panes(world.socket()) if p.name == name)


def shown(world: World, pane: Pane) -> str:
    return world.tmux.screens(pane.socket, [pane]).get(pane.id, "")


def foreground(world: World, pane: Pane) -> int:
    terminal = world.tmux.terminal(pane)
    assert terminal is not None
    return terminal.foreground


def test_no_server_is_absent_and_not_unknown(world: World) -> None:
    with pytest.raises(TmuxAbsentError):
        world.tmux.panes(world.socket())
    world.new("a")
    pane = named(world, "a")
    world.kill(pane)
    until(lambda: _absent(world), 30, "the server gone with its last session")
    with pytest.raises(VetoError):
        world.tmux.press(pane, ("C-c",))


def _absent(world: World) -> bool:
    try:
        world.tmux.panes(world.socket())
    except TmuxAbsentError:
        return True
    return False


def test_names_that_begin_alike_are_different_panes(world: World) -> None:
    for name in ("architect2", "architect", "codex_worker"):
        world.new(name)
    panes = world.tmux.panes(world.socket())
    assert [p.name for p in panes] == ["architect", "architect2", "codex_worker"]
    assert len({p.key for p in panes}) == len({p.id for p in panes}) == 3
    assert {p.socket for p in panes} == {world.socket()}
    assert not any(p.dead or p.mode or p.attached or p.input_off for p in panes)


def test_a_second_look_names_the_same_pane_alike(world: World) -> None:
    world.new("a")
    world.new("b")
    assert named(world, "a").key == named(world, "a").key != named(world, "b").key


def test_one_healmon_at_a_time_is_at_a_pane(world: World) -> None:
    world.new("a")
    world.new("b")
    a, b = named(world, "a"), named(world, "b")

    def claimed(pane: Pane) -> None:
        with world.tmux.claim(pane):
            pass

    with world.tmux.claim(a):
        claimed(b)
        with pytest.raises(VetoError, match=f"another healmon .* is at pane {a.id}"):
            claimed(a)
    claimed(a)


def test_screens_show_what_was_printed_and_leave_out_what_is_gone(world: World) -> None:
    world.new("a")
    world.new("b")
    a, b = named(world, "a"), named(world, "b")
    world.say(a, "one line of text")
    until(lambda: "one line of text" in shown(world, a), 30, "the text on the screen")
    assert "one line" not in shown(world, b)
    world.kill(a)
    assert world.tmux.screens(world.socket(), [a, b]).keys() == {b.id}
    assert world.tmux.screens(world.socket(), []) == {}


def test_a_pane_is_shown_in_its_colours_and_says_that_it_is_gone(world: World) -> None:
    world.new("a")
    world.new("b")
    a = named(world, "a")
    world.say(a, "plain \x1b[1;31mloud\x1b[0m after")
    until(lambda: "after" in shown(world, a), 30, "the text on the screen")
    lines = world.tmux.painted(a)
    line = next(one for one in lines if any(run.text == "loud" for run in one))
    runs = {run.text: run for run in line}
    assert runs["loud"].fg == "1"
    assert runs["loud"].style == "b"
    assert not any(run.fg for text, run in runs.items() if text != "loud")
    world.kill(a)
    assert world.tmux.painted(a) is None


def test_an_interrupt_reaches_exactly_one_program(world: World) -> None:
    for name in ("architect", "architect2"):
        world.new(name)
        world.hang(named(world, name))
    one, other = named(world, "architect"), named(world, "architect2")
    assert foreground(world, one) != one.pid
    world.tmux.press(one, ("C-c",))
    until(lambda: foreground(world, one) == one.pid, 30, "the shell in the foreground again")
    assert foreground(world, other) != other.pid


def test_a_deaf_program_stays(world: World) -> None:
    world.new("a")
    pane = named(world, "a")
    world.deaf(pane)
    before = foreground(world, pane)
    world.tmux.press(pane, ("C-c",))
    until(lambda: "^C" in shown(world, pane), 30, "the terminal's echo")
    assert foreground(world, pane) == before != pane.pid


def test_the_terminal_tells_a_prompt_from_a_program(world: World) -> None:
    world.new("a")
    pane = named(world, "a")
    prompt = world.tmux.terminal(pane)
    assert prompt is not None
    assert (prompt.signals, prompt.canonical, prompt.foreground) == (True, False, pane.pid)
    world.hang(pane)
    job = world.tmux.terminal(pane)
    assert job is not None
    assert (job.signals, job.canonical, job.echo, job.reading) == (True, True, True, False)
    assert not job.secret


def test_a_newcomer_of_the_same_name_gets_no_key(world: World) -> None:
    world.new("other")
    world.new("a")
    old = named(world, "a")
    world.kill(old)
    world.new("a")
    new = named(world, "a")
    assert new.key != old.key
    before = shown(world, new)
    with pytest.raises(VetoError):
        world.tmux.press(old, ("x",))
    with pytest.raises(VetoError):
        world.tmux.leave_mode(old)
    assert world.tmux.terminal(old) is None or world.tmux.terminal(old).foreground != old.pid
    assert shown(world, new) == before


@pytest.mark.parametrize(
    "change",
    [
        {"server_start": 1}, {"server_pid": 1}, {"session_created": 1}, {"pid": 1},
        {"session_id": "$77"}, {"id": "%77"},
    ],
    ids=str,
)  # fmt: skip
def test_a_key_needs_every_part_of_the_identity(world: World, change: dict[str, object]) -> None:
    world.new("a")
    pane = named(world, "a")
    before = shown(world, pane)
    with pytest.raises(VetoError):
        world.tmux.press(replace(pane, **change), ("x",))
    world.tmux.press(pane, ("y",))
    if isinstance(world, RealWorld):
        until(lambda: shown(world, pane).split() == [*before.split(), "y"], 30, "only y typed")


@pytest.mark.parametrize("mode", ["mode", "clock"])
def test_a_mode_swallows_no_key_and_is_left_at_will(world: World, mode: str) -> None:
    world.new("a")
    pane = named(world, "a")
    world.tmux.leave_mode(pane)  # outside a mode it does nothing
    world.set(pane, mode)
    assert named(world, "a").mode
    with pytest.raises(VetoError):
        world.tmux.press(pane, ("C-c",))
    assert named(world, "a").mode
    world.tmux.leave_mode(pane)
    assert not named(world, "a").mode
    world.tmux.press(pane, ("C-c",))


def test_only_a_dead_pane_is_given_another_program(world: World) -> None:
    world.new("a")
    world.new("other")
    pane = named(world, "a")
    with pytest.raises(VetoError):
        world.tmux.respawn(pane, ("sleep", "1000"))
    world.end(pane)
    dead = named(world, "a")
    assert dead.dead
    with pytest.raises(ValueError, match="no command"):
        world.tmux.respawn(dead, ("sleep", "1'; kill-server"))
    with pytest.raises(VetoError):
        world.tmux.respawn(replace(dead, server_start=1), ("sleep", "1000"))
    world.tmux.respawn(dead, ("sleep", "1000"))
    again = named(world, "a")
    assert not again.dead
    assert again.pid != dead.pid
    with pytest.raises(VetoError):
        world.tmux.respawn(dead, ("sleep", "1000"))


@pytest.mark.parametrize("fact", ["input_off", "synchronized"])
def test_panes_that_do_not_take_keys_alone_get_none(world: World, fact: str) -> None:
    world.new("a")
    pane = named(world, "a")
    world.set(pane, fact)
    assert getattr(named(world, "a"), fact)
    with pytest.raises(VetoError):
        world.tmux.press(pane, ("C-c",))


def test_who_is_attached_is_counted(world: World) -> None:
    world.new("a")
    world.new("b")
    assert named(world, "a").last_attached == 0
    world.attach(named(world, "a"))
    until(lambda: named(world, "a").attached == 1, 30, "the client counted")
    assert named(world, "a").client_activity > 0
    assert len(named(world, "a").viewers) == 1
    assert named(world, "b").attached == 0
    assert named(world, "b").viewers == ()
    world.detach()
    until(lambda: named(world, "a").attached == 0, 30, "the client gone")
    assert named(world, "a").viewers == ()
    assert named(world, "a").last_attached > 0


def test_a_terminal_whose_output_is_stopped_takes_none(world: World) -> None:
    world.new("a")
    pane = named(world, "a")
    world.hang(pane)

    def takes() -> bool:
        terminal = world.tmux.terminal(pane)
        assert terminal is not None
        return terminal.writable

    assert takes()
    world.hold(pane)
    until(lambda: not takes(), 30, "the output stopped")
    world.release(pane)
    until(takes, 30, "the output going on")


@pytest.mark.slow
def test_a_stopped_server_is_unknown_and_others_are_not_concerned(world: World) -> None:
    world.new("a")
    world.new("b", "two")
    pane = named(world, "a")
    world.stop()
    began = time.monotonic()
    with pytest.raises(ProbeError):
        world.tmux.panes(world.socket())
    with pytest.raises(ProbeError):
        world.tmux.screens(world.socket(), [pane])
    assert time.monotonic() - began < 60
    assert [p.name for p in world.tmux.panes(world.socket("two"))] == ["b"]
    world.go_on()
    assert named(world, "a").key == pane.key


@pytest.mark.slow
def test_a_key_for_a_stopped_server_never_comes_late(world: World) -> None:
    world.new("a")
    pane = named(world, "a")
    before = shown(world, pane)
    world.stop()
    with pytest.raises(RemedyError):
        world.tmux.press(pane, ("x",))
    time.sleep(1.5 if isinstance(world, RealWorld) else 0)  # the deadline is in whole seconds
    world.go_on()
    world.say(pane, "awake")
    until(lambda: "awake" in shown(world, pane), 30, "the server awake")
    assert f"{before}x".replace("$x", "$ x") not in shown(world, pane)


@pytest.mark.parametrize("keys", [(), ("",), ("C-c ; kill-server",), ("-X",), ("#{pid}",), ("'",)])
def test_only_names_of_keys_are_pressed(world: World, keys: tuple[str, ...]) -> None:
    world.new("a")
    with pytest.raises(ValueError, match="no keys"):
        world.tmux.press(named(world, "a"), keys)


# What only real servers do.


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PrivateTmux]:
    made = PrivateTmux(tmp_path)
    try:
        yield made
    finally:
        made.close()


HOSTILE = [
    "with\nnewline", "with\ttab", "record␞separator", "esc\x1b[31mred", "a|b;c", "$5", "%3",
    "-dash", "=eq", "star*", "'quote\"", "#{pid}", "#(touch pwned)", "émoji 🚀", "n" * 300,
    "[bold]x[/]",
]  # fmt: skip


@pytest.mark.slow
def test_hostile_names_titles_and_directories(server: PrivateTmux, tmp_path: Path) -> None:
    server.new("first")
    for name in HOSTILE:
        literal = name.replace("#", "##")  # new-session itself expands formats in -s
        server.run("new-session", "-d", "-x", "80", "-y", "24", "-s", literal, SHELL)
    nasty = tmp_path / "a\nP1,2,3\tb"
    nasty.mkdir()
    server.run("new-session", "-d", "-s", "dir", "-c", str(nasty), SHELL)
    server.run("rename-window", "-t", "=dir:", "new\nline\ttab")
    pane = server.run("list-panes", "-t", "=first:", "-F", "#{pane_id}")
    server.write(pane, "\x1b]2;title ␞ | {n} é\x07")
    tmux = PatientTmux()
    count = len(server.run("list-sessions").splitlines())
    panes = tmux.panes(server.socket)
    assert len(panes) == count >= len(HOSTILE)
    assert all(p.session.isprintable() and p.title.isprintable() for p in panes)
    assert len({p.name for p in panes}) == len(panes)
    assert {"#{pid}", "#(touch pwned)"} <= {p.name for p in panes}
    until(lambda: any(p.title == "title ␞ | {n} é" for p in tmux.panes(server.socket)), 30, "title")
    assert len(tmux.screens(server.socket, panes)) == len(panes)
    for one in panes:
        tmux.press(one, ("z",))
    until(lambda: all("z" in s for s in tmux.screens(server.socket, panes).values()), 30, "typed")
    assert not (tmp_path / "pwned").exists()


def test_grouped_and_linked_sessions_are_one_row(server: PrivateTmux) -> None:
    server.new("a")
    server.run("new-session", "-d", "-t", "=a:", "-s", "b")
    server.new("c")
    server.run("link-window", "-s", "=a:0", "-t", "=c:5")
    panes = PatientTmux().panes(server.socket)
    assert [(p.name, p.aliases) for p in panes] == [("a", ("b", "c")), ("c", ())]
    server.attach("b")
    a = next(p for p in PatientTmux().panes(server.socket) if p.name == "a")
    assert a.attached == 1, "a client of any of its sessions sees the pane"
    PatientTmux().press(a, ("z",))
    until(lambda: "z" in server.screen(a.id), 30, "the key in the shared pane")


def test_watchers_that_cannot_type_do_not_count(server: PrivateTmux) -> None:
    server.new("a")
    server.attach("a", "-r")
    server.attach("a", "-C")
    assert PatientTmux().panes(server.socket)[0].attached == 0


def test_a_dead_pane_says_how_it_ended(server: PrivateTmux) -> None:
    server.new("keep")
    server.run("set-option", "-g", "remain-on-exit", "on")
    server.new("code", "exit 3")
    server.new("signal", "kill -9 $$")
    tmux = PatientTmux()

    def status() -> dict[str, str]:
        server.reap()
        return {p.name: p.status for p in tmux.panes(server.socket) if p.dead}

    ends = {"code": "ended with status 3", "signal": "ended by signal 9"}
    until(lambda: status() == ends, 30, "both dead, and how")
    dead = next(p for p in tmux.panes(server.socket) if p.dead)
    assert tmux.terminal(dead) is None
    with pytest.raises(VetoError):
        tmux.press(dead, ("C-c",))
    assert dead.id in tmux.screens(server.socket, [dead])


def says_where_it_waits() -> bool:
    """Whether this kernel tells of a process that sleeps where it does so."""
    with subprocess.Popen(["sleep", "1000"]) as asleep:
        try:
            until(lambda: Path(f"/proc/{asleep.pid}/wchan").read_text() not in {"", "0"}, 30)
        except AssertionError:
            return False
        else:
            return True
        finally:
            asleep.kill()


def test_questions_are_seen_in_the_terminal(server: PrivateTmux) -> None:
    server.new("ask", "bash -c 'read -p \"go on? \" x'")
    server.new("secret", "bash -c 'read -s -p \"password: \" x'")
    server.new("quiet", "sleep 1000")
    tmux = PatientTmux()

    def terminals():
        return {p.name: tmux.terminal(p) for p in tmux.panes(server.socket)}

    until(lambda: (t := terminals()["secret"]) and t.secret, 30, "the password prompt")
    if not says_where_it_waits():
        pytest.skip("this kernel does not say where a process waits")
    until(lambda: (t := terminals()["ask"]) and t.reading, 30, "the question")
    assert not terminals()["quiet"].reading


def test_a_server_without_sessions_has_no_panes(server: PrivateTmux) -> None:
    server.new("a")
    server.run("set-option", "-s", "exit-empty", "off")
    server.run("kill-session", "-t", "=a")
    assert PatientTmux().panes(server.socket) == ()


def fake(tmp_path: Path, script: str, deadline: float = 60.0) -> SystemTmux:
    path = tmp_path / "fake-tmux"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return SystemTmux(program=str(path), deadline=deadline)


HANGS = "sleep 60"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 0", "broke off"),
        ("kill -TERM $$", "exit"),
        ("echo garbage", "broke off"),
        ("echo 'error connecting to /x (Permission denied)' >&2; exit 1", "Permission denied"),
        ("echo 'protocol version mismatch (client 8, server 7)' >&2; exit 1", "version mismatch"),
        ("echo 'lost server' >&2; exit 1", "lost server"),
        pytest.param(HANGS, "no answer within 2 s", marks=pytest.mark.slow),
    ],
)
def test_answers_that_say_nothing_are_unknown(tmp_path: Path, script: str, said: str) -> None:
    with pytest.raises(ProbeError, match=said):
        fake(tmp_path, script, 2.0 if script == HANGS else 60.0).panes(str(tmp_path / "s"))


@pytest.mark.parametrize(
    ("version", "watched"),
    [
        ("3.2", True), ("3.2a", True), ("3.10", True), ("4.0", True), ("next-3.4", True),
        ("master", True), ("openbsd-7.6", True),
        ("3.1c", False), ("2.9", False), ("next-3.1", False), ("", False), ("x", False),
    ],
)  # fmt: skip
def test_a_server_too_old_to_be_relied_on_is_not_watched(
    server: PrivateTmux, tmp_path: Path, version: str, watched: bool
) -> None:
    server.new("a")
    real = server.ask("%0", "version")
    other = fake(tmp_path, f"""{shutil.which("tmux")} "$@" | sed 's/,{real},/,{version},/'""")
    if watched:
        assert [p.name for p in other.panes(server.socket)] == ["a"]
        return
    with pytest.raises(ProbeError, match=r"is older than 3\.2: not watched") as found:
        other.panes(server.socket)
    assert "newer tmux" in found.value.remedy


def test_split_windows_and_viewers_are_told(server: PrivateTmux) -> None:
    server.new("a")
    server.run("split-window", "-d", "-t", "=a:", "sleep 1000")
    server.new("b")
    server.attach("b")
    panes = PatientTmux().panes(server.socket)
    assert [(p.name, p.panes) for p in panes] == [("a", 2), ("a", 2), ("b", 1)]
    ttys = server.run("list-clients", "-F", "#{client_tty}").split()
    assert [p.viewers for p in panes] == [(), (), tuple(ttys)]


# Somebody else's servers.


@pytest.fixture
def theirs() -> Iterator[PrivateTmux]:
    """A server of another user, in a folder of that user."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can be somebody else")
    base = Path(tempfile.mkdtemp(prefix="hm-", dir="/tmp"))
    base.chmod(0o755)
    (base / "their").mkdir()
    os.chown(base / "their", 65534, 65534)
    made = PrivateTmux(base / "their")
    made.program = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "tmux"]
    try:
        made.new("a", "sleep 1000")  # a shell may find a reason to end, and the server with it
        yield made
    finally:
        made.close()
        shutil.rmtree(base)


def test_root_speaks_to_anothers_server_with_that_ones_rights(
    theirs: PrivateTmux, tmp_path: Path
) -> None:
    folder = Path(theirs.socket).parent
    who = folder / "who"
    program = folder / "tmux"
    program.write_text(f'#!/bin/sh\nid -u >> {who}\nexec {shutil.which("tmux")} "$@"\n')
    program.chmod(0o755)
    tmux = PatientTmux(program=str(program))
    panes = tmux.panes(theirs.socket)
    assert [p.name for p in panes] == ["a"]
    assert tmux.screens(theirs.socket, panes).keys() == {panes[0].id}
    assert set(who.read_text().split()) == {"65534"}


def test_whoever_can_put_a_socket_there_is_whose_rights_count(
    theirs: PrivateTmux, server: PrivateTmux, tmp_path: Path
) -> None:
    server.new("ours")
    folder = Path(theirs.socket).parent
    assert sockets.rights_for(theirs.socket) == (65534, 65534)
    link = folder / "link"
    link.symlink_to(server.socket)
    assert sockets.rights_for(str(link)) == (65534, 65534), "the link may lead elsewhere soon"
    assert sockets.rights_for(server.socket) is None
    far = folder.parent / "far"
    far.symlink_to(link)
    assert sockets.rights_for(str(far)) == (65534, 65534)
    circle = folder.parent / "circle"
    circle.symlink_to(circle)
    assert sockets.rights_for(str(circle)) is None
    open_to_all = folder.parent / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    (open_to_all / "s").symlink_to(server.socket)
    with pytest.raises(ProbeError, match="others may write"):
        sockets.rights_for(str(open_to_all / "s"))


def test_anothers_server_says_whose_it_is(theirs: PrivateTmux) -> None:
    """A user who is neither its owner nor root."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setresgid(65533, 65533, 65533)
        os.setresuid(65533, 65533, 65533)
        try:
            PatientTmux().panes(theirs.socket)
            said = "it answered"
        except ProbeError as error:
            said = str(error)
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(pid, 0)
    with os.fdopen(reading) as answer:
        said = answer.read()
    assert "it belongs to user nobody" in said
    assert "run healmon as the user that the tmux server belongs to" in said


def test_a_server_that_ends_as_the_next_one_begins_is_asked_once_more(
    server: PrivateTmux, tmp_path: Path
) -> None:
    server.new("a")
    first = tmp_path / "asked"
    script = f"[ -e {first} ] || {{ touch {first}; echo 'server exited' >&2; exit 1; }}"
    other = fake(tmp_path, f'{script}\nexec {shutil.which("tmux")} "$@"')
    assert [p.name for p in other.panes(server.socket)] == ["a"]


def test_a_cut_off_answer_is_unknown(server: PrivateTmux, tmp_path: Path) -> None:
    server.new("a")
    real = shutil.which("tmux")
    cut = fake(tmp_path, f'{real} "$@" | head -c 150')
    with pytest.raises(ProbeError):
        cut.panes(server.socket)


def test_a_missing_tmux_is_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TmuxAbsentError, match="not installed"):
        PatientTmux().panes(str(tmp_path / "none"))


def test_a_server_that_no_tmux_is_there_to_ask_is_unknown_not_absent(
    server: PrivateTmux, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.new("s")
    monkeypatch.setenv("PATH", str(tmp_path))
    tmux = SystemTmux()
    with socket.socket(socket.AF_UNIX) as foreign:
        # anybody may take such a name, which stands in the kernel's list as it is
        foreign.bind(f"\0hm-{os.getpid()}\n1 2 3 zz 5 6 7 /{server.socket[-40:]}")
        with pytest.raises(ProbeError, match="tmux is not found") as told:
            tmux.panes(server.socket)
    assert not isinstance(told.value, TmuxAbsentError)
    monkeypatch.undo()
    server.run("kill-server")
    monkeypatch.setenv("PATH", str(tmp_path))
    until(lambda: absent(tmux, server.socket), 30, "the server's end")


def absent(tmux: SystemTmux, socket: str) -> bool:
    try:
        tmux.panes(socket)
    except TmuxAbsentError:
        return True
    except ProbeError:
        return False
    raise AssertionError


def test_a_stale_socket_is_absent(tmp_path: Path) -> None:
    (tmp_path / "stale").touch()
    with pytest.raises(TmuxAbsentError):
        PatientTmux().panes(str(tmp_path / "stale"))


def test_a_socket_by_name_is_found(
    monkeypatch: pytest.MonkeyPatch, server: PrivateTmux, tmp_path: Path
) -> None:
    folder = tmp_path / f"tmux-{os.getuid()}"
    folder.mkdir(mode=0o700)
    named_server = PrivateTmux(folder, "x")
    named_server.socket = str(folder / "mine")
    try:
        named_server.new("a")
        monkeypatch.setenv("TMUX_TMPDIR", str(tmp_path))
        monkeypatch.setenv("TMUX", f"{server.socket},1,0")
        assert [p.name for p in PatientTmux().panes("mine")] == ["a"]
    finally:
        named_server.close()


def test_a_client_hands_no_secret_of_ours_to_its_server(
    monkeypatch: pytest.MonkeyPatch, server: PrivateTmux, tmp_path: Path
) -> None:
    server.new("a")
    given = tmp_path / "given"
    monkeypatch.setenv("MY_TOKEN", "hunter2")
    monkeypatch.setenv("LC_TIME", "C")
    told = fake(tmp_path, f'env > {given}; exec {shutil.which("tmux")} "$@"')
    assert told.panes(server.socket)
    words = given.read_text()
    assert "hunter2" not in words
    assert "LC_TIME=C" in words
    assert "PATH=" in words


def test_any_number_of_panes_costs_two_calls(server: PrivateTmux, tmp_path: Path) -> None:
    for number in range(12):
        server.new(f"s{number}", "sleep 1000")
    calls = tmp_path / "calls"
    counted = fake(tmp_path, f'echo x >> {calls}; exec {shutil.which("tmux")} "$@"')
    panes = counted.panes(server.socket)
    assert len(counted.screens(server.socket, panes)) == 12
    assert calls.read_text().count("x") == 2


def test_a_plain_locale_does_not_mangle_names(
    monkeypatch: pytest.MonkeyPatch, server: PrivateTmux
) -> None:
    server.new("zażółć")
    monkeypatch.setenv("LC_ALL", "C")
    assert [p.name for p in PatientTmux().panes(server.socket)] == ["zażółć"]


def test_a_key_that_is_too_old_is_not_pressed(server: PrivateTmux) -> None:
    class Behind:
        def read(self):
            now = SystemClock().read()
            return type(now)(now.wall - 60, now.steady, now.boot)

        async def sleep(self, seconds: float) -> None:
            raise NotImplementedError

    server.new("a")
    pane = PatientTmux().panes(server.socket)[0]
    with pytest.raises(VetoError):
        SystemTmux(Behind(), deadline=30.0).press(pane, ("x",))


def test_it_may_be_asked_from_many_threads(server: PrivateTmux) -> None:
    server.new("a")
    tmux, answers = PatientTmux(), list[int]()

    def ask() -> None:
        answers.append(len(tmux.panes(server.socket)))

    some = [threading.Thread(target=ask) for _ in range(8)]
    for thread in some:
        thread.start()
    for thread in some:
        thread.join()
    assert answers == [1] * 8


def answer(*parts: str, nonce: str = "N0") -> bytes:
    return nonce.join(parts).encode()


@pytest.mark.parametrize("cut", range(2, 60, 7))
def test_no_part_of_an_answer_passes_for_the_whole(cut: int) -> None:
    numbers = ",".join(["1"] * 20)
    whole = answer(f"P{numbers},3.2a,$0,%0", "name", "title", "sh", "/dev/pts/1", "\nE", "\n")
    assert [p.name for p in tmux_wire.read_list(whole, "N0", "s")] == ["name"]
    with pytest.raises(ProbeError):
        tmux_wire.read_list(whole[:-cut], "N0", "s")
