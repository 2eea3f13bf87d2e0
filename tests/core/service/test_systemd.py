"""sd_notify: what the service manager hears, on real sockets."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest
from msgspec.structs import replace

from healmon import events as ev
from healmon.clock import ManualClock, process_seconds
from healmon.plans import Overlays
from healmon.service.systemd import Notifier, Pulse, beats, headline
from healmon.state import AlertView, Snapshot


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    """A service manager's socket, and its address as the environment has it."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    name = str(tmp_path / "notify")
    if request.param == "abstract":
        name = f"@healmon-test-{os.getpid()}"
    listener.bind(name.replace("@", "\0", 1))
    listener.setblocking(False)
    yield listener, name
    listener.close()


def heard(listener):
    lines = []
    while True:
        try:
            lines += listener.recv(4096).decode().split("\n")
        except BlockingIOError:
            return lines


def test_everything_is_said_in_the_managers_words(manager):
    listener, address = manager
    environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "4000000", "PATH": "/bin"}
    notifier = Notifier.take(environ)
    assert environ == {"PATH": "/bin"}, "no worker may speak for us"
    assert notifier.watchdog == 4.0
    notifier.status("looks after 3 components\nREADY=1")
    notifier.status("looks after 3 components\nREADY=1")
    notifier.ready()
    notifier.alive()
    said = heard(listener)
    assert said == [
        "STATUS=looks after 3 components␊READY=1", "READY=1",
        "STATUS=looks after 3 components␊READY=1", "WATCHDOG=1",
    ]  # fmt: skip
    before = int(process_seconds() * 1e6)
    notifier.reloading()
    reloading, stamp = heard(listener)
    assert reloading == "RELOADING=1"
    assert before <= int(stamp.removeprefix("MONOTONIC_USEC=")) <= int(process_seconds() * 1e6)
    notifier.main_pid = 4711
    notifier.stopping()
    assert heard(listener)[0::2] == ["STOPPING=1", "MAINPID=4711"]
    notifier.ready()
    notifier.status("the cycle that was under way has ended")
    notifier.reloading()
    assert heard(listener) == [], "who stops is not ready any more, and says why it takes time"


@pytest.mark.parametrize(
    "address", ["", "relative", "/nowhere/at/all", "vsock:2:1", "@" + "x" * 300]
)
def test_nobody_who_listens_is_no_fault(address):
    notifier = Notifier.take({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000"})
    notifier.ready()
    notifier.alive()
    notifier.stopping()


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "2000000"}, 2.0),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getpid())}, 2.0),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
        ({}, 0.0),
    ],
)
def test_the_watchdog_is_ours_only(environ, seconds):
    assert Notifier.take({"NOTIFY_SOCKET": "/x", **environ}).watchdog == seconds
    assert Notifier.take(dict(environ)).watchdog == 0.0


def test_a_full_socket_never_keeps_us_waiting(tmp_path):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with listener:
        listener.bind(str(tmp_path / "notify"))
        notifier = Notifier(str(tmp_path / "notify"))
        for _ in range(2000):
            notifier.alive()


def test_an_engine_whose_cycles_finish_beats_and_one_that_hangs_does_not():
    snapshot = Snapshot(engine=replace(Snapshot().engine, interval=10.0))
    assert beats(snapshot, 0.0, 90.0)
    assert not beats(snapshot, 0.0, 90.1)


def test_the_watchdog_goes_silent_with_the_cycles_and_comes_back(manager):
    listener, address = manager
    clock = ManualClock(autojump=False)
    snapshot = Snapshot(engine=replace(Snapshot().engine, interval=10.0))
    pulse = Pulse(Notifier(address, watchdog=20.0), clock, lambda: snapshot)

    async def turn(seconds):
        clock.advance(seconds)
        for _ in range(5):
            await asyncio.sleep(0)

    async def scenario():
        running = asyncio.create_task(pulse.run())
        await turn(0.0)
        assert heard(listener) == ["WATCHDOG=1"]
        await turn(9.9)
        assert heard(listener) == []
        await turn(0.1)
        assert heard(listener) == ["WATCHDOG=1"], "at half the time"
        for _ in range(8):
            await turn(10.0)
        heard(listener)
        await turn(10.0)
        assert heard(listener) == [], "no cycle has finished for too long"
        pulse.heard(ev.Recorded(1, 0.0, ev.CycleFinished(1, 0.1, 1.0)))
        await turn(10.0)
        assert "WATCHDOG=1" in heard(listener)
        running.cancel()

    asyncio.run(scenario())


def test_ready_comes_with_the_first_finished_cycle_and_status_only_when_new(manager):
    listener, address = manager
    snapshot = Snapshot()
    pulse = Pulse(Notifier(address), ManualClock(autojump=False), lambda: snapshot)
    pulse.heard(ev.Recorded(1, 0.0, ev.CycleStarted(1)))
    assert heard(listener) == []
    for number in (1, 2, 3):
        pulse.heard(ev.Recorded(number, 0.0, ev.CycleFinished(number, 0.1, 1.0)))
    said = heard(listener)
    assert said.count("READY=1") == 1
    assert said[0] == "STATUS=looks after 0 components, nothing is wrong"
    assert len(said) == 3


def alert(number, severity, message):
    return AlertView(
        id=number, key=f"k{number}", component="mailer", severity=severity, message=message,
        evidence={}, state="open", count=1, first_seen=0.0, last_seen=0.0, overlays=Overlays(),
    )  # fmt: skip


def test_the_status_line_names_what_is_worst():
    alerts = {"a": alert(1, "CRITICAL", "down: it died"), "b": alert(2, "WARNING", "slow")}
    text = headline(Snapshot(alerts=alerts))
    assert text == "looks after 0 components, 2 alerts (1 CRITICAL): mailer: down: it died"
