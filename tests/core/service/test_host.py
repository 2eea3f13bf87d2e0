"""A healer's process: what it is made of, what goes on beside the engine, how it ends."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from healmon import events as ev
from healmon.clock import ManualClock
from healmon.config.load import load
from healmon.config.settings import Settings
from healmon.errors import ConfigError, StoreFaultError
from healmon.service import alongside, background, commands, instance, links
from healmon.service.asking import ask_healer
from healmon.service.host import Host
from healmon.store import store
from healmon.waiting import Nap
from tests.helpers.wait import until

CONFIG = '[monitor]\nname = "box"\n[sessions]\nsockets = []\n[disk]\npaths = []\n'


def settings_of(base: Path) -> Settings:
    file = base / "healmon.toml"
    file.write_text(CONFIG)
    return load(file, {"HOME": "/nonexistent"})


def test_a_healer_that_cannot_be_put_together_gives_the_state_directory_back(
    tmp_path: Path,
) -> None:
    settings, state = settings_of(tmp_path), tmp_path / "state"
    packs = tmp_path / "packs"
    packs.mkdir()
    (packs / "wrong.toml").write_text("no = [")
    wrong = replace(settings, sessions=replace(settings.sessions, packs=str(packs)))
    with pytest.raises(ConfigError):
        Host.open(wrong, state, mode="tui", dry_run=False)
    assert instance.holder(state) is None, "a screen that could not take over keeps nobody out"
    Host.open(settings, state, mode="tui", dry_run=False).close()


def test_what_crashes_beside_the_engine_is_an_alert_and_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alongside, "ANEW", 0.02)
    made = Host.open(settings_of(tmp_path), tmp_path / "state", mode="tui", dry_run=False)
    tries: list[str] = []

    async def fails_once() -> None:
        tries.append("try")
        if len(tries) == 1:
            raise OSError(28, "No space left on device")
        await asyncio.sleep(60)

    async def scenario() -> None:
        await made.engine._open()
        doing = asyncio.create_task(
            alongside.kept(made.engine, made.clock, "overrides", fails_once)
        )
        async with asyncio.timeout(30):
            while not (len(tries) == 2 and not made.engine._sides["overrides"]):
                await asyncio.sleep(0.01)
        doing.cancel()
        await asyncio.gather(doing, return_exceptions=True)
        await made.engine._close()

    told: list[ev.Event] = []
    made.engine.subscribe(lambda record: told.append(record.event))
    asyncio.run(scenario())
    made.close()
    opened = [str(getattr(event, "message", "")) for event in told]
    assert any("what people ask for is not done: crashed: OSError" in text for text in opened)


def test_a_wal_that_somebody_keeps_from_shrinking_is_an_alert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "WAL_LARGE", 1)
    made = Host.open(settings_of(tmp_path), tmp_path / "state", mode="tui", dry_run=False)

    async def scenario() -> None:
        await made.engine._open()
        await asyncio.wait([house := asyncio.create_task(made._keep_house())], timeout=0.05)
        house.cancel()
        await made.engine._close()

    asyncio.run(scenario())
    made.close()
    (alert,) = made.engine.snapshot.alerts.values()
    assert alert.key.endswith("/store-wal")
    assert "fuser" in alert.message
    assert made.store.pinned == "", "it shrank"


def test_what_was_done_while_the_healer_ends_is_answered_and_not_lost(tmp_path: Path) -> None:
    made = Host.open(settings_of(tmp_path), tmp_path / "state", mode="tui", dry_run=False)
    begun, answers = threading.Event(), []

    async def slow(*_args: object, **_more: object) -> object:
        begun.set()
        await asyncio.sleep(0.3)  # it ends after the engine has
        return await original("check", "", {}, origin="me")

    original = made.engine.ask
    made.engine.ask = slow  # type: ignore[method-assign]

    def person() -> None:
        answers.append(ask_healer(tmp_path / "state", "check", "", {}))

    def stop() -> None:
        begun.wait(30)
        made.engine.stop()

    others = [threading.Thread(target=who) for who in (person, stop)]
    for one in others:
        one.start()
    asyncio.run(made.run())  # nothing goes on once it has ended
    for one in others:
        one.join(60)
    made.close()
    assert answers[0].text == "the healer is not running", "answered, by the one that was asked"


def test_an_answer_that_could_not_be_written_is_with_the_next_round(tmp_path: Path) -> None:
    made = Host.open(settings_of(tmp_path), tmp_path / "state", mode="tui", dry_run=False)
    original, use, locked = made.engine.ask, made.store.beside.use, list[bool]()

    async def answered(*words: Any, **more: Any) -> object:
        answer = await original(*words, **more)
        locked.append(True)  # from now on, once
        return answer

    def used(patience: float) -> object:
        if locked.count(True) > locked.count(False):
            locked.append(False)
            raise StoreFaultError("it is locked")
        return use(patience)

    made.engine.ask = answered  # type: ignore[method-assign]
    made.store.beside.use = used  # type: ignore[method-assign, assignment]
    told: list[str] = []

    def person() -> None:
        asked = commands.send(made.store.path, "check", "", {}, "me")
        made.engine.check_now()
        until(lambda: False in locked, 30, "an answer that cannot be written")
        made.engine.check_now()
        told.append(commands.wait(made.store.path, asked, 60)[0])
        made.engine.stop()

    one = threading.Thread(target=person)
    one.start()
    asyncio.run(made.run())
    one.join(90)
    made.close()
    assert told == ["done"]


def test_a_pid_file_that_cannot_be_written_ends_no_daemon(tmp_path: Path) -> None:
    (tmp_path / "healmon.pid").mkdir()
    background.write_pid_file(tmp_path / "healmon.pid")
    background.remove_pid_file(tmp_path / "healmon.pid")
    assert (tmp_path / "healmon.pid").is_dir(), "what is not ours stays"


def test_an_engine_that_failed_heals_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "RESTART_AFTER", (0.0,))
    made = Host.open(settings_of(tmp_path), tmp_path / "state", mode="tui", dry_run=False)
    cycles: list[ev.CycleFinished] = []

    def heard(record: ev.Recorded) -> None:
        if isinstance(record.event, ev.CycleFinished):
            cycles.append(record.event)
            if len(cycles) == 1:
                raise ZeroDivisionError("by design")

    link = links.EngineLink(made)
    link.open(heard)
    try:
        until(lambda: len(cycles) > 1, 30, "a cycle after the one that failed")
        assert not cycles[-1].late, "all healers answer"
        assert not made.engine.snapshot.failing
        assert not made.engine._acts.closing
        assert not link.trouble()
        assert any("ZeroDivisionError" in a.message for a in made.engine.snapshot.alerts.values())
    finally:
        asyncio.run(link.close())


STARTER = """
import os, signal, sys
from pathlib import Path
from healmon.service.background import detach

starter, place = os.getpid(), Path(sys.argv[1])

def serve(up):
    os.kill(starter, signal.SIGKILL)
    while os.path.exists(f"/proc/{starter}/exe"):
        pass
    up()
    place.write_text("goes on")

detach(serve)
"""


def test_a_starter_that_was_interrupted_ends_no_daemon(tmp_path: Path) -> None:
    place = tmp_path / "said"
    subprocess.run([sys.executable, "-c", STARTER, str(place)], check=False)
    until(place.exists, 30, "the daemon goes on after its starter was killed")


@pytest.mark.parametrize("turns", range(4))
def test_housekeeping_ends_though_a_round_begins_at_that_moment(turns: int) -> None:
    async def scene() -> bool:
        host = object.__new__(Host)
        host.clock = ManualClock(autojump=False)
        host._between = Nap(host.clock)
        task = asyncio.create_task(host._house_time(1e12))
        for _ in range(3):
            await asyncio.sleep(0)
        host._between.end()
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task}, timeout=30)
        return task.cancelled()

    assert asyncio.run(scene())


def test_why_a_daemon_did_not_come_up_is_told_with_its_own_lines_of_the_log(tmp_path):
    log = tmp_path / "healmon.log"
    log.write_text("of a run before\n")
    before = log.stat().st_size
    ended = background.Started(None, "the disk is full", 73)
    assert str(ended.error(log, before)).endswith("\n  earlier log: of a run before")
    with log.open("a") as file:
        file.write("of this one\n")
    said = str(ended.error(log, before))
    assert said == "the daemon did not come up: the disk is full\n  log: of this one"
    log.write_text("after rotation\n")
    assert "log: after rotation" in str(ended.error(log, before))
