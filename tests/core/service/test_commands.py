from __future__ import annotations

import asyncio
import json
import os
import pwd
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from healmon.clock import SystemClock
from healmon.errors import DataError, StoreFaultError, StoreVersionError
from healmon.service import commands
from healmon.service.commands import Queue, send, wait
from healmon.service.instance import Lock
from healmon.service.wake import WakePipe
from healmon.store.backup import backup
from healmon.store.beside import Beside
from tests.helpers.storekit import Engine, line, observed, opened_store, program
from tests.helpers.wait import until


def now() -> float:
    return SystemClock().read().wall


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Path]:
    with opened_store(tmp_path / "healmon.db") as store:
        yield store.path


def queue_of(db: Path) -> Queue:
    return Queue(Beside(db))


def row(db: Path, number: int) -> dict:
    conn = sqlite3.connect(db)
    conn.row_factory = sqlite3.Row
    found = dict(conn.execute("SELECT * FROM commands WHERE id = ?", (number,)).fetchone())
    conn.close()
    return found


def test_asked_taken_done(db: Path) -> None:
    queue = queue_of(db)
    number = send(db, "acknowledge", "7", {"note": "on it", "for": 3600}, "alice on pts/3")
    assert row(db, number)["state"] == "queued"
    (command,) = queue.take(now())
    assert command.id == number
    assert (command.verb, command.target, command.origin) == ("acknowledge", "7", "alice on pts/3")
    assert command.arguments == {"note": "on it", "for": 3600}
    assert row(db, number)["state"] == "taken"
    assert wait(db, number, 0.05) == ("taken", "")
    queue.answer(number, '{"ok": true, "text": "done"}', ok=True)
    assert wait(db, number, 5) == ("done", '{"ok": true, "text": "done"}')


def test_refused(db: Path) -> None:
    queue = queue_of(db)
    number = send(db, "restart", "no_such", {}, "me")
    queue.take(now())
    queue.answer(number, '{"ok": false}', ok=False)
    assert wait(db, number, 5)[0] == "refused"


def test_taken_once_only_and_in_order(db: Path) -> None:
    numbers = [send(db, "check", str(n), {}, "me") for n in range(5)]
    first, second = queue_of(db), queue_of(db)
    assert [c.id for c in first.take(now())] == numbers
    assert second.take(now()) == []
    assert first.take(now()) == []


def test_two_takers_at_once_share_without_overlap(db: Path) -> None:
    wanted = 60
    got: list[list[int]] = [[], []]
    stop = threading.Event()

    def take(mine: list[int]) -> None:
        queue = queue_of(db)
        while not stop.is_set():
            mine += [c.id for c in queue.take(now())]

    threads = [threading.Thread(target=take, args=(mine,)) for mine in got]
    for thread in threads:
        thread.start()
    try:
        sent = [send(db, "check", "", {}, "me") for _ in range(wanted)]
        until(lambda: len(got[0]) + len(got[1]) >= wanted, what="all taken")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert sorted(got[0] + got[1]) == sent


def test_late_is_never(db: Path) -> None:
    number = send(db, "restart", "w", {}, "me", 60)
    queue = queue_of(db)
    assert queue.take(now() + 61) == []
    state, outcome = wait(db, number, 0)
    assert state == "expired"
    assert "nothing was done" in json.loads(outcome)["text"]
    assert queue.take(now()) == []
    other = send(db, "restart", "w", {}, "me", 60)
    queue.expire(now() + 61)
    assert row(db, other)["state"] == "expired"


def test_what_was_asked_before_the_clock_was_set_back_is_not_done_hours_later(db: Path) -> None:
    number = send(db, "restart", "w", {}, "me", 60)
    queue = queue_of(db)
    assert queue.take(now() - 3600) == []
    assert row(db, number)["state"] == "expired"


def test_a_client_that_waits_in_vain_withdraws_it(db: Path) -> None:
    number = send(db, "restart", "w", {}, "me", 0.1)
    state, outcome = wait(db, number, 20)
    assert state == "expired"
    assert json.loads(outcome)["ok"] is False
    assert queue_of(db).take(now() - 3600) == []  # not even by a healer whose clock is behind


def test_waiting_has_an_end(db: Path) -> None:
    number = send(db, "check", "", {}, "me")
    assert wait(db, number, 0.05) == ("queued", "")
    assert [c.id for c in queue_of(db).take(now())] == [number]


def test_what_a_dead_healer_took_is_lost_and_not_done_again(db: Path) -> None:
    number = send(db, "restart", "w", {}, "me")
    waiting = send(db, "check", "", {}, "me")
    code = """
import sys
from pathlib import Path
from healmon.clock import SystemClock
from healmon.service.commands import Queue
from healmon.store.beside import Beside
taken = Queue(Beside(Path(sys.argv[1]))).take(SystemClock().read().wall)
print(taken[0].id, flush=True)
sys.stdin.read()
"""
    conn = sqlite3.connect(db)
    conn.execute("UPDATE commands SET state = 'held' WHERE id = ?", (waiting,))
    conn.commit()
    with program(code, db) as healer:
        assert int(healer.stdout.readline()) == number
        healer.kill()
        healer.wait(30)
    conn.execute("UPDATE commands SET state = 'queued' WHERE id = ?", (waiting,))
    conn.commit()
    conn.close()
    queue = queue_of(db)
    queue.abandon_taken(now())
    state, outcome = wait(db, number, 0)
    assert state == "lost"
    assert "ended before it answered" in json.loads(outcome)["text"]
    assert [c.id for c in queue.take(now())] == [waiting]
    queue.answer(waiting, "{}", ok=True)
    queue.abandon_taken(now())
    assert wait(db, waiting, 0)[0] == "done"


@pytest.mark.parametrize("arguments", ["no json", "[1]", "7", "null", ""])
def test_arguments_of_another_shape_are_refused(db: Path, arguments: str) -> None:
    number = send(db, "check", "", {}, "me")
    conn = sqlite3.connect(db)
    conn.execute("UPDATE commands SET arguments = ?", (arguments,))
    conn.commit()
    conn.close()
    assert queue_of(db).take(now()) == []
    assert wait(db, number, 0)[0] == "refused"


def test_while_the_store_is_locked_nothing_is_taken_and_answers_wait(db: Path, monkeypatch) -> None:
    monkeypatch.setattr(commands, "HEALER_PATIENCE", 0.05)
    monkeypatch.setattr(commands, "CLIENT_PATIENCE", 0.05)
    queue = queue_of(db)
    taken = send(db, "check", "", {}, "me")
    queue.take(now())
    waiting = send(db, "check", "", {}, "me")
    rival = sqlite3.connect(db, isolation_level=None)
    rival.execute("BEGIN IMMEDIATE")
    assert queue.take(now()) == []
    queue.answer(taken, '{"ok": true}', ok=True)
    with pytest.raises(StoreFaultError, match="cannot be used now"):
        send(db, "check", "", {}, "me")
    assert wait(db, taken, 0)[0] == "taken"
    rival.execute("COMMIT")
    rival.close()
    queue.close()
    assert wait(db, taken, 0) == ("done", '{"ok": true}')
    assert [c.id for c in queue.take(now())] == [waiting]


def test_an_abandoning_that_failed_is_made_up_for_before_anything_is_taken(
    db: Path, monkeypatch
) -> None:
    monkeypatch.setattr(commands, "HEALER_PATIENCE", 0.05)
    lost = send(db, "restart", "w", {}, "me")
    queue_of(db).take(now())
    queue = queue_of(db)
    rival = sqlite3.connect(db, isolation_level=None)
    rival.execute("BEGIN IMMEDIATE")
    queue.abandon_taken(now())
    rival.execute("COMMIT")
    rival.close()
    mine = send(db, "check", "", {}, "me")
    assert [c.id for c in queue.take(now())] == [mine]
    assert row(db, lost)["state"] == "lost"
    assert row(db, mine)["state"] == "taken"


def test_there_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreFaultError):
        send(tmp_path / "none.db", "check", "", {}, "me")
    assert not (tmp_path / "none.db").exists()  # asking makes no database
    queue = queue_of(tmp_path / "none.db")
    queue.abandon_taken(now())
    assert queue.take(now()) == []
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE commands (x)")
    other.commit()
    other.close()
    with pytest.raises(StoreVersionError):
        send(tmp_path / "other.db", "check", "", {}, "me")


def test_no_such_command(db: Path) -> None:
    with pytest.raises(DataError, match="no command 99"):
        wait(db, 99, 1)


def test_what_others_write_is_made_harmless(db: Path) -> None:
    send(db, "check\x1b[2J", "w\u202e", {"n": "\x1b"}, "me\nyou")
    (command,) = queue_of(db).take(now())
    assert "\x1b" not in command.verb
    assert "\u202e" not in command.target
    assert "\n" not in command.origin
    assert command.arguments == {"n": "\x1b"}  # the verb's business


def test_who_asks_is_named_by_user_host_and_terminal(monkeypatch) -> None:
    user = pwd.getpwuid(os.getuid()).pw_name
    ours, theirs = os.openpty()
    monkeypatch.setattr(os, "ttyname", lambda _fd, name=os.ttyname: name(theirs))
    where = f"on {os.ttyname(theirs).removeprefix('/dev/')}"
    monkeypatch.delenv("SUDO_USER", raising=False)
    assert commands.origin() == f"{user}@{os.uname().nodename} {where}"
    monkeypatch.setenv("SUDO_USER", "alice b.")
    assert commands.origin() == f"{user}@{os.uname().nodename} (sudo by alice b.) {where}"
    os.close(ours)
    os.close(theirs)


CLIENT = """
import sys
from pathlib import Path
from healmon.service import commands
from healmon.service.commands import send, wait
commands.CLIENT_PATIENCE = 60.0
db = Path(sys.argv[1])
for n in range(int(sys.argv[2])):
    number = send(db, "check", str(n), {"n": n}, "client")
    print(number, *wait(db, number, 60), flush=True)
"""


@pytest.mark.slow
def test_another_process_asks_while_the_store_writes(tmp_path: Path) -> None:
    path = tmp_path / "healmon.db"
    with opened_store(path) as store, program(CLIENT, path, 40) as client:
        engine = Engine(store)
        queue = Queue(store.beside)
        answered: set[int] = set()
        while client.poll() is None:
            for _ in range(50):
                engine.emit(observed(blob="x" * 200))
            assert asyncio.run(store.flush(60))
            for command in queue.take(now()):
                assert command.id not in answered
                answered.add(command.id)
                queue.answer(command.id, json.dumps(command.arguments), ok=True)
        said = [text.split(maxsplit=2) for text in client.stdout.read().splitlines()]
        assert [s[1] for s in said] == ["done"] * 40
        assert [json.loads(s[2])["n"] for s in said] == list(range(40))
        assert {int(s[0]) for s in said} == answered
        assert store.fault == ""
    with opened_store(path) as again:
        assert again.snapshot == engine.snapshot


def test_whoever_gives_up_takes_it_back_whatever_the_wall_clock_says(db: Path) -> None:
    number = send(db, "restart", "w", {}, "me", expires_in=3600.0)  # the clock was set back, say
    assert wait(db, number, 0.05)[0] == "queued"
    state, outcome = commands.withdraw(db, number)
    assert state == "expired"
    assert json.loads(outcome)["ok"] is False
    assert queue_of(db).take(now()) == []


def test_what_was_taken_meanwhile_is_not_taken_back(db: Path) -> None:
    number = send(db, "restart", "w", {}, "me")
    assert queue_of(db).take(now())
    assert commands.withdraw(db, number) == ("taken", "")


def moved_in_its_place(db: Path, copy: Path) -> None:
    copy.replace(db)


def moved_away(db: Path, _: Path) -> None:
    for end in ("", "-wal", "-shm"):
        db.with_name(f"{db.name}{end}").rename(db.with_name(f"gone{end}"))


def without_its_index(db: Path, _: Path) -> None:
    db.with_name(f"{db.name}-shm").unlink()


@pytest.mark.slow
@pytest.mark.parametrize("attack", [moved_in_its_place, moved_away, without_its_index])
def test_whoever_asks_waits_until_the_healer_has_mended_its_files(
    tmp_path: Path, attack: Callable[[Path, Path], None]
) -> None:
    """Else it would write the healer's -wal into another database, or a second index beside it."""
    db, copy, knocked = tmp_path / "healmon.db", tmp_path / "copy.db", threading.Event()
    lock = Lock.acquire(tmp_path, version="1", mode="daemon")
    pipe = WakePipe.open(tmp_path)
    try:
        with opened_store(db) as store:
            engine, queue = Engine(store), Queue(store.beside)
            store.on_recover = lambda _: knocked.set()
            engine.tell(*(observed(blob="x" * 300) for _ in range(50)))
            assert asyncio.run(store.flush(30))
            backup(store._held._conn, copy)
            engine.tell(*(observed(blob="y" * 300) for _ in range(50)))
            assert asyncio.run(store.flush(30))
            attack(db, copy)
            with program(CLIENT, db, 1) as client:
                # it is not even sent until then
                until(lambda: pipe.drain() and not queue.take(now()), what="a knock")
                assert knocked.wait(30)
                (command,) = until(lambda: queue.take(now()), what="the command")
                queue.answer(command.id, "{}", ok=True)
                assert line(client) == f"{command.id} done {{}}"
    finally:
        pipe.close()
        lock.release()
    with closing(sqlite3.connect(db)) as conn:
        assert conn.execute("SELECT count(*) FROM events").fetchone() == (100,)
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("known", [True, False])
def test_who_waits_follows_into_the_file_that_takes_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    db, other = tmp_path / "healmon.db", tmp_path / "other.db"
    for path in (db, other):
        with opened_store(path):
            pass
    assert send(other, "check", "", {}, "somebody else") == 1
    number = send(db, "check", "", {}, "me")
    looked = threading.Event()
    real = commands.Place.look

    def look(place: commands.Place) -> bool:
        looked.set()
        return real(place)

    monkeypatch.setattr(commands.Place, "look", look)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait, db, number, 30)
        assert looked.wait(30)
        if known:
            shutil.copy(db, other)
        other.replace(db)
        if known:
            queue = queue_of(db)
            assert [command.id for command in queue.take(now())] == [number]
            queue.answer(number, "{}", ok=True)
            assert waiting.result() == ("done", "{}")
        else:
            state, outcome = waiting.result()
            assert state == "expired"
            assert "replaced before it was taken" in outcome
            assert row(db, 1)["state"] == "queued"
    assert commands.withdraw(db, number)[0] == ("done" if known else "expired")
    assert row(db, 1)["origin"] == ("me" if known else "somebody else")
    assert row(db, 1)["state"] == ("done" if known else "queued")


def test_what_was_taken_is_not_done_again_where_an_older_copy_takes_the_place(
    tmp_path: Path,
) -> None:
    db, copy = tmp_path / "healmon.db", tmp_path / "copy.db"
    with opened_store(db):
        pass
    numbers = [send(db, "restart", name, {}, "me") for name in "ab"]
    shutil.copy(db, copy)
    queue = queue_of(db)
    assert [command.id for command in queue.take(now())] == numbers
    queue.answer(numbers[0], '{"ok": true}', ok=True)
    copy.replace(db)
    assert queue.take(now()) == []
    assert wait(db, numbers[0], 0) == ("done", '{"ok": true}')
    assert wait(db, numbers[1], 0) == ("taken", "")
    queue.answer(numbers[1], '{"ok": true}', ok=True)
    assert wait(db, numbers[1], 0) == ("done", '{"ok": true}')
