"""The mark of a worker: one copy on the host, whatever folders the healers have."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import closing

import pytest
from msgspec.structs import replace

from healmon.errors import VetoError
from healmon.world import system_shims
from healmon.world.launching import prepare
from healmon.world.programs import mark
from healmon.world.programs.begin import Failed
from healmon.world.shims import Grant
from tests.helpers.shimfarm import DAEMON, PYTHON, farming
from tests.helpers.wait import until

SLEEP = ("/bin/sleep", "600")
SQUAT = """
import os, socket, sys
if len(sys.argv) > 2: os.setuid(int(sys.argv[2]))
one = socket.socket(socket.AF_UNIX); one.bind("\\0" + sys.argv[1]); one.listen()
print("held", flush=True); sys.stdin.read()
"""


@pytest.fixture
def farm(tmp_path, monkeypatch):
    with farming(tmp_path, monkeypatch.setenv) as farm:
        yield farm


def order(farm, state, *argv, number=1):
    """Return the order of a healer: the same worker for each state directory."""
    order = farm.order(*(argv or SLEEP), number=number, cwd=str(farm.folder))
    return replace(order, folder=str(farm.folder / state / "workers" / "w"), sole=True)


def mark_of(order):
    return system_shims._mark(order, prepare(order.launch))


def test_of_two_healers_one_gets_it_and_the_other_is_told_who(farm):
    first = farm.shims.start(order(farm, "a"))
    with pytest.raises(VetoError) as refused:
        farm.door().start(order(farm, "b"))
    said = str(refused.value)
    assert "one copy lives already" in said
    assert f"pid {first.worker.pid} (/bin/sleep 600)" in said
    assert f"shim {first.shim.pid}" in said
    assert str(farm.folder / "a/workers/w") in said
    # nothing of the refused start is left, and once the first has ended it can be made
    look = farm.shims.look(order(farm, "b").folder)
    assert look is None or not look.locked
    farm.kill(first.worker)
    second = until(lambda: _started(farm, order(farm, "b")), what="the second copy")
    assert farm.lives(second.worker)


def _started(farm, wanted):
    try:
        return farm.shims.start(wanted)
    except VetoError:
        return None


def test_others_of_the_same_folder_name_are_others(farm):
    farm.shims.start(order(farm, "a"))
    farm.shims.start(order(farm, "b", "/bin/sleep", "601"))
    other = order(farm, "c")
    farm.shims.start(replace(other, launch=replace(other.launch, env={"PORT": "8002"})))
    farm.shims.start(replace(order(farm, "d"), folder=f"{farm.folder}/d/workers/v"))


def test_it_is_kept_over_a_granted_start_and_let_go_with_the_program(farm):
    wanted = order(farm, "a", "/bin/sh", "-c", "sleep 600 & exec sleep 601")
    first = farm.shims.start(wanted)
    left = until(lambda: farm.below(first), what="the program")
    farm.kill(first.worker)
    # what it left behind is not the worker: another may begin
    until(lambda: farm.below(first) and first.worker not in farm.below(first), what=f"{left}")
    assert farm.shims.look(wanted.folder).locked
    farm.kill(farm.shims.start(replace(wanted, folder=f"{farm.folder}/b/workers/w")).worker)

    wanted = order(farm, "c")
    first = farm.shims.start(wanted)
    again = replace(wanted, number=2)
    farm.shims.grant(Grant(order=again, worker=first.worker))
    farm.kill(first.worker)
    until(lambda: farm.shims.look(wanted.folder).number == 2, what="the granted start")
    with pytest.raises(VetoError, match="one copy lives already"):
        farm.door().start(order(farm, "d"))


def test_a_restart_waits_for_the_mark_of_the_copy_before(farm):
    wanted = order(farm, "a", *PYTHON, "import time; time.sleep(600)")
    for number in range(1, 6):
        shim = farm.shims.start(replace(wanted, number=number))
        farm.kill(shim.worker)
        until(lambda who=shim.worker: not farm.lives(who), what="its end")


def test_a_daemon_keeps_it_and_may_be_started_again(farm):
    wanted = replace(order(farm, "a", *PYTHON, DAEMON), forks=True)
    first = farm.shims.start(wanted)
    daemon = until(lambda: farm.daemon(first), what="the daemon")
    with pytest.raises(VetoError, match=f"one copy lives already: pid {daemon.pid}"):
        farm.door().start(replace(wanted, folder=f"{farm.folder}/b/workers/w"))
    farm.kill(daemon)
    until(lambda: not farm.shims.look(wanted.folder).locked, what="the end of the shim")
    farm.shims.start(replace(wanted, number=2))


def test_what_a_daemon_leaves_to_others_keeps_none_from_starting(farm):
    with tempfile.TemporaryDirectory(prefix="hm-") as short:  # a socket's path has a limit
        tmux = f"env -u TMUX tmux -f /dev/null -S {short}/s new-session -d 'sleep 600'"
        wanted = replace(order(farm, "a", "/bin/sh", "-c", f"{tmux}; exec sleep 601"), forks=True)
        first = farm.shims.start(wanted)

        def server():
            below = (f for f in farm.processes.everyone() if f.parent == first.shim.pid)
            return next((f for f in below if f.name == "tmux: server"), None)

        until(server, what="the server")
        until(lambda: farm.processes.inspect(first.worker).command == ("sleep", "601"))
        farm.kill(first.worker)
        until(lambda: first.worker not in farm.below(first), what="its end")
        again = farm.shims.start(replace(wanted, number=2))
        assert farm.lives(again.worker)
        assert server() is not None


def test_who_asks_often_wears_nothing_out(monkeypatch):
    monkeypatch.setattr(mark, "CALLERS", 5)
    monkeypatch.setattr(mark, "PAUSE", 0.0)
    name = f"hm-{os.getpid()}".encode()
    with closing(mark.hold(name, os.geteuid())):
        for _ in range(3):
            with pytest.raises(Failed):
                mark.hold(name, os.geteuid())


def test_who_is_about_to_hold_it_is_waited_for(monkeypatch):
    name = f"hm-{os.getpid()}-2".encode()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(b"\0" + name)
        monkeypatch.setattr(mark.time, "sleep", lambda _: other.listen())
        with pytest.raises(Failed) as rival:
            mark.hold(name, os.geteuid())
        assert rival.value.number == os.getpid()


@pytest.mark.parametrize("trusted", [True, False])
def test_a_name_taken_by_somebody_who_could_not_have_started_it_stops_nobody(farm, trusted):
    if os.geteuid() and not trusted:
        pytest.skip("only root can be somebody else")
    wanted = order(farm, "a")
    argv = [sys.executable, "-c", SQUAT, mark_of(wanted), *([] if trusted else ["65534"])]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as squatter:
        try:
            assert squatter.stdout.readline() == b"held\n"
            if trusted:
                with pytest.raises(VetoError, match=f"shim {squatter.pid}"):
                    farm.shims.start(wanted)
            else:
                assert farm.lives(farm.shims.start(wanted).worker)
        finally:
            squatter.send_signal(signal.SIGKILL)
