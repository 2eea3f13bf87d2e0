"""One look at all processes that serves several: for how long, and when it does not."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Container, Iterator

import pytest

from healmon.clock import ManualClock
from healmon.workers import finder
from healmon.workers.finder import Finder
from healmon.world.processes import ProcessFacts
from healmon.world.simulated.processes import SimulatedProcesses
from healmon.world.system_processes import SystemProcesses
from tests.helpers.wait import until
from tests.helpers.workerbench import a_worker


class Slow(SimulatedProcesses):
    """Processes to look at which takes time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, takes: float) -> None:
        super().__init__(ManualClock())
        self.now, self.takes, self.looks = 100.0, takes, 0
        monkeypatch.setattr(finder, "process_seconds", lambda: self.now)

    def everyone(self, skip: Container[int] = ()) -> Iterator[ProcessFacts]:
        self.looks += 1
        self.now += self.takes
        return super().everyone(skip)


@pytest.mark.parametrize("takes", [0.0, 0.3, 3.0])
def test_a_look_that_takes_long_serves_others_when_it_is_done(
    monkeypatch: pytest.MonkeyPatch, takes: float
) -> None:
    slow = Slow(monkeypatch, takes)
    found = Finder((), slow, own_pid=1, glance=0.2)
    first = found.around()
    slow.now += 0.1
    assert (found.around() is first) is (takes < 3), "not for ever, however long it took"
    slow.now += finder.LONGEST_GLANCE + 0.2
    assert found.around() is not first


def test_a_look_serves_nobody_who_has_touched_something_since(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = Slow(monkeypatch, takes=0.3)
    found = Finder((), slow, own_pid=1, glance=0.2)
    first = found.around()
    assert first.began == 100.0
    assert found.around(touched=100.0) is first
    assert found.around(touched=100.01) is not first, "it may not show what was done"
    assert found.around(finder.process_seconds() + 1) is not first
    looks = slow.looks
    found.around(float("inf"))
    assert slow.looks == looks + 1


def test_without_a_glance_each_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch, takes=0.3)
    found = Finder((), slow, own_pid=1)
    assert found.around() is not found.around()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a process of another user")
def test_the_same_words_run_by_another_user_are_not_taken_for_the_worker() -> None:
    argv = ("/bin/sleep", "86399.25")
    with subprocess.Popen(argv, user=65_534, cwd="/") as theirs:
        try:

            def found(user: str) -> tuple[list[int], str]:
                worker = a_worker(argv=argv, script="", user=user)
                finder = Finder((worker,), SystemProcesses(), os.getpid())
                everyone, candidates = finder.scan(full=True)
                seen = candidates.get(worker.name, ())
                matches, trouble = finder.matches(worker, (), seen, everyone)
                return [one.facts.identity.pid for one in matches], trouble

            until(lambda: found("nobody") == ([theirs.pid], ""), what="the worker of its user")
            pids, trouble = found("")
            assert pids == []
            assert f"pid {theirs.pid} may be it, but is run by user id 65534" in trouble
            assert found("root") == ([], ""), "it is not to run as that one, and keeps nobody down"
        finally:
            theirs.kill()
