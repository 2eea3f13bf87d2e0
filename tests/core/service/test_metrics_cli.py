"""`healmon metrics`: once, as a file, served; with a healer and without."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess

import pytest

from healmon import events as ev
from healmon.service.instance import Lock
from tests.helpers.box import Box
from tests.helpers.prometheus import fetched, port_of
from tests.helpers.storekit import Engine, observed, opened_store, started
from tests.helpers.wait import until

CYCLE = ev.CycleFinished(1, 0.1, 60.0)


@pytest.fixture
def box(tmp_path):
    made = Box(tmp_path)
    made.write()
    yield made
    made.close()


@contextlib.contextmanager
def healer(box):
    """A healer that holds its directory and has said that it started."""
    box.state.mkdir(mode=0o700)
    lock = Lock.acquire(box.state, version="1", mode="test")
    try:
        with opened_store(box.state / "healmon.db") as store:
            Engine(store).tell(started(), observed("w", state="healthy"), CYCLE)
            assert asyncio.run(store.flush(60))
            yield
    finally:
        lock.release()


def test_without_a_healer_it_says_so_and_ends_well(box):
    done = box.inside("metrics")
    assert done.returncode == 0
    assert "\nhealmon_up 0.0\n" in done.stdout
    assert "healmon_worker_up" not in done.stdout
    assert not box.state.exists(), "who looks makes nothing"


def test_with_a_healer_it_is_what_a_scrape_says(box):
    with healer(box):
        told = box.inside("metrics").stdout
    assert "\nhealmon_up 1.0\n" in told
    assert '\nhealmon_worker_up{worker="w"} 1.0\n' in told
    assert "\nhealmon_cycles_total 1.0\n" in told
    assert "\nprocess_open_fds " in told
    assert '\nhealmon_build_info{version="0.1.0"} 1.0\n' in box.inside("metrics").stdout


def test_a_textfile_is_written_with_a_name_that_is_read(box, tmp_path):
    path = tmp_path / "healmon.prom"
    assert "would write" in box.inside("metrics", "--textfile", str(path), "--dry-run").stdout
    assert not path.exists()
    assert box.inside("metrics", "--textfile", str(path)).returncode == 0
    assert path.read_text() == box.inside("metrics").stdout
    wrong = box.inside("metrics", "--textfile", str(tmp_path / "healmon.txt"))
    assert (wrong.returncode, ".prom" in wrong.stderr) == (64, True)
    nowhere = box.inside("metrics", "--textfile", str(tmp_path / "none" / "a.prom"))
    assert nowhere.returncode == 73
    assert "No such file or directory" in nowhere.stderr


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("9646", "such as"),
        ("", "such as"),
        ("127.0.0.1:99999", "such as"),
        ("0.0.0.0:9646", "network = true"),
    ],
)
def test_an_address_that_will_not_do_is_refused(box, address, why):
    done = box.inside("metrics", "--listen", address)
    assert done.returncode == 64
    assert why in done.stderr


@pytest.mark.slow
def test_it_is_served_until_it_is_told_to_end(box):
    serving = subprocess.Popen(
        box.argv("metrics", "--listen", "127.0.0.1:0", program="healmon"),
        env=box.env, cwd=box.base, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        port = until(lambda: port_of(serving.pid), 30, "it listens")
        url = f"http://127.0.0.1:{port}/metrics"
        assert serving.stdout.readline() == f"metrics are at {url}\n"
        assert "\nhealmon_up 0.0\n" in fetched(url)[2]
        with healer(box):
            until(lambda: "\nhealmon_up 1.0\n" in fetched(url)[2], 30, "the healer is seen")
            until(lambda: '{worker="w"} 1.0' in fetched(url)[2], 30, "its worker is seen")
        until(lambda: "\nhealmon_up 0.0\n" in fetched(url)[2], 30, "its end is seen")
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(30) == 0
    finally:
        serving.kill()
        serving.communicate()
