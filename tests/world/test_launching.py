"""Plain starts: mask and limits, and what is refused before the kernel is asked."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from healmon.errors import SpawnError
from healmon.world.launching import prepare
from healmon.world.processes import Ended, Identity, Launch
from healmon.world.procfs import children_of
from healmon.world.system_processes import SystemProcesses
from tests.helpers.wait import until

LIMITS = "while ! [ $(ulimit -Sn) = 77 ]; do :; done; ulimit -Sn; ulimit -Hn; umask"


@pytest.fixture
def processes() -> Iterator[SystemProcesses]:
    door = SystemProcesses()
    yield door
    list(door.everyone())  # reaps


def run(door: SystemProcesses, folder: Path, *argv: str, **more: object) -> Ended:
    log = str(folder / "log")
    identity = door.spawn(Launch(argv=argv, log_path=log, cwd="/", **more))
    try:
        return until(lambda: door.ended(identity), what="the end")
    finally:
        end(door, identity)


def end(door: SystemProcesses, identity: Identity) -> None:
    door.signal(identity, 9)
    until(lambda: door.ended(identity), what="the end")


def test_a_plain_start_has_its_mask_and_soon_its_limits(
    processes: SystemProcesses, tmp_path: Path
) -> None:
    more = {"umask": 0o027, "limits": {"nofile": 77}}
    assert run(processes, tmp_path, "/bin/sh", "-c", LIMITS, **more) == Ended(code=0)
    soft, hard, mask = (tmp_path / "log").read_text().split()
    known = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert (soft, hard) == ("77", str(known) if known != resource.RLIM_INFINITY else "unlimited")
    assert int(mask, 8) == 0o027


def test_without_a_mask_it_has_ours(processes: SystemProcesses, tmp_path: Path) -> None:
    own = os.umask(0o031)
    try:
        run(processes, tmp_path, "/bin/sh", "-c", "umask")
    finally:
        os.umask(own)
    assert int((tmp_path / "log").read_text(), 8) == 0o031


def test_limits_of_one_that_has_ended_already_harm_nothing(
    processes: SystemProcesses, tmp_path: Path
) -> None:
    for _ in range(5):
        assert run(processes, tmp_path, "/bin/true", limits={"core": 0}) == Ended(code=0)


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (Launch(argv=(), log_path="log"), "the command is empty"),
        (Launch(argv=("a\0b",), log_path="log"), "embedded null byte"),
        (Launch(argv=("a", "\ud800"), log_path="log"), "surrogates not allowed"),
        (Launch(argv=("a",), log_path="log", env={"x=y": "1"}), "illegal environment variable"),
        (Launch(argv=("a",), log_path="log", limits={"luck": 7}), "no resource limit 'luck'"),
        (Launch(argv=("a",), log_path="log", limits={"nofile": 1 << 50}), "above the hard limit"),
        (Launch(argv=("a",), log_path="log", user="nobody-here"), "no user 'nobody-here'"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_touched(order: Launch, why: str) -> None:
    with pytest.raises(SpawnError, match=why) as caught:
        prepare(order)
    assert caught.value.host_fault is False


def test_a_program_without_a_slash_is_looked_for_in_its_own_path() -> None:
    order = Launch(argv=("tool",), log_path="log", env={"PATH": "/one:/two"})
    assert prepare(order).programs == ["/one/tool", "/two/tool"]
    assert prepare(Launch(argv=("./tool",), log_path="log")).programs == ["./tool"]


def test_children_are_told_by_the_kernel(processes: SystemProcesses, tmp_path: Path) -> None:
    launch = Launch(argv=("/bin/sleep", "600"), log_path=str(tmp_path / "log"))
    child = processes.spawn(launch)
    try:
        assert child.pid in children_of(os.getpid())
        assert children_of(child.pid) == set()
    finally:
        end(processes, child)
    assert children_of(child.pid) == set()
