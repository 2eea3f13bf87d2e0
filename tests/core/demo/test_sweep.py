from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from healmon.demo import manifest as marker
from healmon.demo import owned
from healmon.demo.layout import PREFIX, WORKERS, Layout
from healmon.demo.sweep import sweep
from healmon.demo.world import DemoWorld
from healmon.world.processes import Identity
from healmon.world.system_processes import SystemProcesses
from tests.helpers.wait import until

PROCESSES = SystemProcesses()
OWNER = """
import sys, time
from pathlib import Path
from healmon.demo.world import DemoWorld
world = DemoWorld.create(Path(sys.argv[1]), fast=True)
world.start()
print(world.layout.root, flush=True)
world.fault("stop-lock-holder").run()
world.fault("kill-worker").run()
print("ready", flush=True)
time.sleep(600)
"""


class Strangers:
    """Processes that only look like a demo's; all end with the test."""

    def __init__(self) -> None:
        self._all: list[subprocess.Popen[bytes]] = []

    def start(self, *words: str) -> Identity:
        child = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._all.append(child)
        return PROCESSES.identify(child.pid)

    def close(self) -> None:
        for child in self._all:
            child.kill()
            child.wait()


@pytest.fixture
def strangers() -> Iterator[Strangers]:
    made = Strangers()
    yield made
    made.close()


@pytest.fixture
def killed(shallow: Path) -> Iterator[Layout]:
    """A demo whose owner got SIGKILL in the middle of it."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(shallow)], stdout=subprocess.PIPE, text=True
    )
    try:
        with owner.stdout:
            layout = Layout(Path(owner.stdout.readline().strip()))
            assert owner.stdout.readline().strip() == "ready"
    finally:
        owner.kill()
        owner.wait()
    yield layout
    sweep(shallow)
    owned.end(PROCESSES, owned.strays(PROCESSES, layout, sys.executable))


def processes_of(layout: Layout) -> list[Identity]:
    return owned.strays(PROCESSES, layout, sys.executable)


def restart(layout: Layout, name: str) -> Identity:
    """Start a worker as healmon would: nobody writes it into the manifest."""
    layout.pid_file(name).unlink(missing_ok=True)
    subprocess.run(
        [sys.executable, str(layout.worker(name)), "--daemon"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300, check=True,
    )  # fmt: skip
    until(lambda: layout.pid_file(name).exists(), what="its pid file")
    return PROCESSES.identify(int(layout.pid_file(name).read_text()))


@pytest.mark.slow
def test_a_killed_demo_is_cleared_away_and_strangers_are_not(
    killed: Layout, shallow: Path, strangers: Strangers
) -> None:
    restarted = restart(killed, "assigner_worker")
    recorded = [s.identity for s in marker.read(killed.root).started]
    assert restarted not in recorded
    # of a restarted worker, who forked it may take a moment to leave
    until(lambda: len(processes_of(killed)) == 12, what="each part once")
    log = killed.logs / "app.log"
    others = [
        strangers.start("tail", "-f", str(log)),
        strangers.start(
            sys.executable, "-c", "import time; time.sleep(600)", str(killed.worker("task_worker"))
        ),
        strangers.start("sleep", "600"),
    ]
    elsewhere = shallow / f"{PREFIX}stranger"
    elsewhere.mkdir(mode=0o700)
    (elsewhere / "precious").write_text("mine")

    said = sweep(shallow)

    assert len(said) == 1
    assert said[0].startswith(f"removed {killed.root}")
    assert not killed.root.exists()
    assert not processes_of(killed)
    assert not [who for who in (*recorded, restarted) if owned.alive(PROCESSES, who)]
    assert all(owned.alive(PROCESSES, who) for who in others)
    assert (elsewhere / "precious").read_text() == "mine"
    assert sweep(shallow) == []


@pytest.mark.slow
def test_a_living_demo_is_left_alone(shallow: Path) -> None:
    with DemoWorld.create(shallow, fast=True) as world:
        world.start()
        before = processes_of(world.layout)
        assert sweep(shallow) == []
        assert world.layout.root.exists()
        assert set(before) <= set(processes_of(world.layout))


def dead_owner() -> Identity:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    who = PROCESSES.identify(child.pid)
    child.communicate()
    return who


def abandoned(root: Path, **changes: object) -> Path:
    """A directory that looks like the rest of a demo whose owner is dead."""
    root.mkdir(mode=0o700)
    manifest = marker.Manifest(
        directory=str(root),
        python=sys.executable,
        owner=dead_owner(),
        namespace=owned.pid_namespace(),
    )
    marker.write(Layout(root), msgspec.structs.replace(manifest, **changes))
    return root


def test_an_abandoned_directory_goes(shallow: Path) -> None:
    root = abandoned(shallow / f"{PREFIX}rest")
    assert sweep(shallow) == [f"removed {root}, 0 of its processes ended"]
    assert not root.exists()


def test_another_process_with_a_recorded_pid_is_a_stranger(
    shallow: Path, strangers: Strangers
) -> None:
    other = strangers.start("sleep", "600")
    earlier = msgspec.structs.replace(other, ticks=other.ticks - 1)
    last_boot = msgspec.structs.replace(other, boot="another boot")
    started = (marker.Started("worker", earlier), marker.Started("worker", last_boot))
    abandoned(shallow / f"{PREFIX}rest", started=started)
    assert len(sweep(shallow)) == 1
    assert owned.alive(PROCESSES, other)


def test_a_recorded_process_is_ended_even_when_it_is_stopped(
    shallow: Path, strangers: Strangers
) -> None:
    own = strangers.start("sleep", "600")
    PROCESSES.signal(own, signal.SIGSTOP)
    abandoned(shallow / f"{PREFIX}rest", started=(marker.Started("part", own),))
    assert sweep(shallow)[0].endswith("1 of its processes ended")
    assert not owned.alive(PROCESSES, own)


def test_what_is_not_provably_ours_stays(shallow: Path, strangers: Strangers) -> None:
    living = strangers.start("sleep", "600")
    boot_unknown = Identity("unknown", 1, 1)
    kept = [
        abandoned(shallow / f"{PREFIX}copy", directory=str(shallow / f"{PREFIX}original")),
        abandoned(shallow / f"{PREFIX}living", owner=living),
        abandoned(shallow / f"{PREFIX}elsewhere", namespace=1),
        abandoned(shallow / f"{PREFIX}unknown", owner=boot_unknown),
        abandoned(shallow / f"{PREFIX}later", healmon_demo=2),
        abandoned(shallow / f"{PREFIX}open"),
        abandoned(shallow / f"{PREFIX}linked-manifest"),
        abandoned(shallow / f"{PREFIX}garbled"),
        abandoned(shallow / "another-prefix"),
        abandoned(shallow / "target"),
    ]
    by = {path.name.removeprefix(PREFIX): path for path in kept}
    by["open"].chmod(0o755)
    Layout(by["linked-manifest"]).manifest.rename(shallow / "real-manifest")
    Layout(by["linked-manifest"]).manifest.symlink_to(shallow / "real-manifest")
    Layout(by["garbled"]).manifest.write_text('{"healmon_demo": 1, "directory": ')
    link = shallow / f"{PREFIX}link"
    link.symlink_to(by["target"])
    fifo = shallow / f"{PREFIX}fifo"
    fifo.mkdir(mode=0o700)
    os.mkfifo(Layout(fifo).manifest)
    (shallow / f"{PREFIX}file").write_text("a file")

    assert sweep(shallow) == []
    assert all(path.is_dir() for path in kept)
    assert link.is_symlink()
    assert fifo.is_dir()
    assert (shallow / f"{PREFIX}file").read_text() == "a file"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a directory of somebody else's")
def test_the_directory_of_another_user_stays(shallow: Path) -> None:
    root = abandoned(shallow / f"{PREFIX}theirs")
    os.chown(root, 65534, 65534)
    assert sweep(shallow) == []
    assert root.is_dir()


def test_a_link_inside_is_removed_and_not_followed(shallow: Path) -> None:
    precious = shallow / "precious"
    precious.mkdir()
    (precious / "file").write_text("mine")
    root = abandoned(shallow / f"{PREFIX}rest")
    (root / "link").symlink_to(precious)
    sweep(shallow)
    assert not root.exists()
    assert (precious / "file").read_text() == "mine"


def test_no_temp_directory_is_no_fault(shallow: Path) -> None:
    assert sweep(shallow / "none") == []


@pytest.mark.slow
def test_every_worker_is_found_by_its_script(killed: Layout) -> None:
    for name in WORKERS:
        assert str(killed.worker(name)) in {str(path) for path in killed.programs}
    shutil.copyfile(killed.worker("task_worker"), killed.root / "mine.py")
    mine = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)", str(killed.root / "mine.py")]
    )
    try:
        assert mine.pid not in {who.pid for who in processes_of(killed)}
    finally:
        mine.kill()
        mine.wait()
