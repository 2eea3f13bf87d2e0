"""A link beside another healer: how that one ended, and who becomes the healer after it."""

from __future__ import annotations

import argparse
import asyncio
import threading

import pytest

from healmon import events as ev
from healmon.errors import ConfigError, HolderError
from healmon.service import foreground, instance
from healmon.service.archive import Reader
from healmon.service.instance import Lock
from healmon.service.link import Link
from healmon.service.takeover import Relay
from tests.helpers.storekit import Engine, observed, opened_store, started
from tests.helpers.wait import until


@pytest.fixture
def state(tmp_path):
    (tmp_path / "state").mkdir(mode=0o700)
    return tmp_path / "state"


def lived(state, *events: ev.Event) -> Engine:
    with opened_store(state / "healmon.db") as store:
        engine = Engine(store)
        engine.tell(*events)
    return engine


def relay(state, take=None) -> Relay:
    return Relay(state, "", take)


def closed(link: Relay) -> None:
    asyncio.run(link.close())


def refused(error: Exception):
    def take():
        raise error

    return take


def test_one_that_ended_in_order_says_its_last_word(state):
    engine = lived(state, started(), observed(), ev.EngineStopped("SIGTERM"))
    link = relay(state, refused(HolderError("no")))
    link.open(lambda _: None)
    gone = link.gone()
    assert gone is not None
    assert gone.how == "ended: SIGTERM"
    assert gone.since == engine.snapshot.at
    assert gone.offered
    closed(link)


def test_one_without_a_last_word_was_killed_and_lookers_are_offered_nothing(state):
    engine = lived(state, started(), observed())
    link = relay(state)
    link.open(lambda _: None)
    gone = link.gone()
    assert gone is not None
    assert gone.how == "was killed or crashed"
    assert gone.since == engine.snapshot.at
    assert not gone.offered
    assert not asyncio.run(link.take_over()).ok
    closed(link)


def test_one_that_runs_is_not_gone_and_not_taken_over(state):
    lived(state, started())
    lock = Lock.acquire(state, version="0", mode="test")
    taken = []
    link = relay(state, lambda: taken.append(1))
    link.open(lambda _: None)
    assert link.gone() is None
    assert link.attached == f"pid {lock.holder.pid}"
    answer = asyncio.run(link.take_over())
    assert not answer.ok
    assert f"pid {lock.holder.pid} was first" in answer.text
    assert taken == []
    lock.release()
    until(lambda: link.gone() is not None, 30, "the end seen")
    closed(link)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (HolderError("held"), "another healer was first"),
        (ConfigError("healmon.toml:3: no"), "cannot be taken over: healmon.toml:3: no"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ],
)
def test_what_keeps_from_taking_over_is_an_answer_and_looking_goes_on(state, error, said):
    lived(state, started())
    link = relay(state, refused(error))
    heard: list[ev.Recorded] = []
    link.open(heard.append)
    answer = asyncio.run(link.take_over())
    assert not answer.ok
    assert said in answer.text
    link.open(heard.append)
    lived(state, observed(n=7))
    until(lambda: heard, 30, "what was stored afterwards")
    assert len(heard) == 1, "heard once"
    closed(link)


@pytest.mark.slow
def test_a_healer_that_comes_back_is_heard_again(state):
    lived(state, started(), ev.EngineStopped("asked to"))
    link = relay(state, refused(HolderError("no")))
    link.open(lambda _: None)
    assert link.gone() is not None
    lock = Lock.acquire(state, version="0", mode="test")
    lived(state, started())
    until(lambda: link.gone() is None, 30, "it is back")
    lock.release()
    until(lambda: link.gone() is not None, 30, "it is gone again")
    gone = link.gone()
    assert gone is not None
    assert gone.how == "was killed or crashed"
    closed(link)


def test_a_healer_that_is_just_starting_gets_time_to_make_its_store(state):
    lock = Lock.acquire(state, version="0", mode="test")
    link = relay(state)
    timer = threading.Timer(0.3, lived, (state, started()))
    timer.start()
    heard: list[ev.Recorded] = []
    try:
        # the file may be there a moment before what is written into it
        running = link.open(heard.append).engine.running
        until(lambda: running or [r for r in heard if isinstance(r.event, ev.EngineStarted)], 30)
    finally:
        timer.join()
        lock.release()
        closed(link)


def test_of_two_that_start_at_once_the_second_attaches(tmp_path, state, monkeypatch):
    lived(state, started())
    real, calls = instance.holder, []

    def blind_at_first(where):
        calls.append(1)
        return None if len(calls) <= 2 else real(where)

    lock = Lock.acquire(state, version="0", mode="test")
    monkeypatch.setattr(instance, "holder", blind_at_first)
    config = tmp_path / "healmon.toml"
    config.write_text("[disk]\npaths = []\n")
    args = argparse.Namespace(config=str(config), state_dir=str(state))
    shown = []

    def open_screen(link, **_options):
        shown.append((type(link), link.attached))
        asyncio.run(link.close())
        return 0

    try:
        assert foreground.screen(args, open_screen) == 0
    finally:
        lock.release()
    assert shown[0][0] is Relay


def test_a_reader_opens_the_file_that_bears_the_name_now(state):
    lived(state, started(), observed())
    reader = Reader(state / "healmon.db")

    def count() -> int:
        with reader.use() as conn:
            return conn.execute("SELECT count(*) FROM events").fetchone()[0]

    assert count() == 2
    for name in ("healmon.db", "healmon.db-wal", "healmon.db-shm"):
        (state / name).unlink(missing_ok=True)
    lived(state, started())
    assert count() == 1
    reader.close()
    assert count() == 1
    reader.close()


def test_all_that_a_screen_asks_of_a_link_is_passed_on(state):
    lived(state, started(), observed())
    link = relay(state)
    asked = [name for name in vars(Link) if not name.startswith("_")]
    assert len(asked) > 12
    assert not [name for name in asked if not hasattr(link, name)]
    asyncio.run(link.tail("nobody", 10))
    assert [record.id for record in link.older(2, 10)] == [1]
    assert asyncio.run(link.explain("task_worker"))
    closed(link)
