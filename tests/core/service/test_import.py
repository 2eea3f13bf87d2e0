"""`healmon import`: generated copies of all three layouts into a real store."""

from __future__ import annotations

import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from healmon.cli import main
from healmon.clock import Reading
from healmon.demo.architect_db import build_architect
from healmon.service import import_cli
from healmon.service.instance import Lock
from healmon.store.store import Store
from tests.helpers.examples import first_sets_fast
from tests.helpers.wait import until

EVERYTHING = (
    "SELECT id, timestamp, component, metric_type, status, details FROM health_metrics ORDER BY id"
)


class Place:
    def __init__(self, base: Path) -> None:
        self.base, self.state = base, base / "state"
        self.config = base / "healmon.toml"
        self.config.write_text('[monitor]\nname = "box"\n')

    def words(self, *words: object) -> list[str]:
        where = ["--config", str(self.config), "--state-dir", str(self.state)]
        return ["import", *map(str, words), *where]

    def run(self, *words: object) -> int:
        return main(self.words(*words))

    def rows(self, sql: str, *values: object) -> list[tuple]:
        with closing(sqlite3.connect(self.state / "healmon.db")) as conn:
            return conn.execute(sql, values).fetchall()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        p.name: (p.stat().st_ino, p.stat().st_mtime_ns, p.read_bytes())
        for p in folder.iterdir()
        if p.is_file()
    }


@pytest.mark.parametrize(
    ("variant", "metrics", "alerts"),
    first_sets_fast(("ci", 155, 0), ("v2", 100, 20), ("v1", 857, 910)),
)
def test_each_layout_comes_over_once_and_stays_as_it_is(
    place: Place, variant: str, metrics: int, alerts: int, capsys: pytest.CaptureFixture[str]
) -> None:
    source = place.base / "source"
    source.mkdir()
    build_architect(source / "a.db", variant=variant)
    before = snapshot(source)
    assert place.run(source / "a.db", "--zone=-08:00") == 0
    assert snapshot(source) == before
    assert place.rows("SELECT count(*) FROM health_metrics WHERE id < 0") == [(metrics,)]
    assert place.rows("SELECT count(*), sum(resolved) FROM health_alerts") == [
        (alerts, alerts or None)
    ]
    first = place.rows(EVERYTHING)
    assert first[0][1] == "2026-02-07 22:26:00.000"
    # a copy elsewhere, in another zone: nothing is new
    (source / "a.db").rename(place.base / "b.db")
    capsys.readouterr()
    assert place.run(place.base / "b.db", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (sum(told["added"].values()), sum(told["known"].values())) == (0, metrics + alerts)
    assert place.rows(EVERYTHING) == first


def test_two_files_with_the_same_seconds_lie_side_by_side(place: Place) -> None:
    for variant in ("v2", "ci"):
        build_architect(place.base / f"{variant}.db", variant=variant)
        assert place.run(place.base / f"{variant}.db") == 0
    count = "SELECT count(*) FROM health_metrics WHERE id < 0"
    assert place.rows(count) == [(255,)]
    assert place.run(place.base / "v2.db") == place.run(place.base / "ci.db") == 0
    assert place.rows(count) == [(255,)]


def test_what_grew_brings_only_what_is_new_and_resolving_later_is_no_new_row(place: Place) -> None:
    path = place.base / "a.db"
    build_architect(path, variant="v2")
    assert place.run(path) == 0
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("UPDATE health_alerts SET resolved = 1, resolved_at = '2026-02-08T00:00:00'")
        conn.execute(
            "INSERT INTO health_metrics (timestamp, component, metric_type)"
            " VALUES ('2026-02-09 00:00:00', 'new', 'process')"
        )
    assert place.run(path) == 0
    assert place.rows("SELECT count(*) FROM health_metrics WHERE id < 0") == [(101,)]
    assert place.rows("SELECT count(*) FROM health_alerts") == [(20,)]


@pytest.mark.slow
def test_bad_rows_are_named_and_the_others_come(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    path = place.base / "a.db"
    build_architect(path, variant="v1")
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("UPDATE health_metrics SET timestamp = '' WHERE id = 17")
        conn.execute("UPDATE health_metrics SET timestamp = NULL WHERE id = 18")
        conn.execute("UPDATE health_alerts SET message = '' WHERE id = 3")
    assert place.run(path) == 0
    out = capsys.readouterr().out
    assert "left out: health_metrics row 17: '' is no time" in out
    assert "health_metrics row 18: None is no time" in out
    assert "health_alerts row 3: it has no message" in out
    assert place.rows("SELECT count(*) FROM health_metrics WHERE id < 0") == [(855,)]


def test_a_killed_writers_wal_is_read_and_left(place: Place) -> None:
    source = place.base / "source"
    source.mkdir()
    path = source / "a.db"
    build_architect(path, variant="v2")
    code = f"""
import os, signal, sqlite3
conn = sqlite3.connect({str(path)!r})
conn.execute("PRAGMA wal_autocheckpoint = 0")
conn.execute("INSERT INTO health_metrics (timestamp, component, metric_type)"
             " VALUES ('2026-02-09 00:00:00', 'late', 'process')")
conn.commit()
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], timeout=30)
    assert (source / "a.db-wal").stat().st_size
    before = snapshot(source)
    assert place.run(path) == 0
    assert snapshot(source) == before
    assert place.rows("SELECT component FROM health_metrics WHERE timestamp > '2026-02-08'")[0] == (
        "late",
    )


@pytest.mark.slow
def test_nobody_is_told_and_retention_spares_it(place: Place) -> None:
    path = place.base / "a.db"
    build_architect(path, variant="v1")
    assert place.run(path) == 0
    assert place.rows("SELECT * FROM health_alerts WHERE resolved = 0") == []
    now = Reading(wall=2_000_000_000.0, steady=1.0, boot=1.0)
    store = Store.open(place.state / "healmon.db", host="box", now=now)
    assert store.snapshot.alerts == {}
    store.prune(now.wall)
    assert store.close(30)
    assert place.rows("SELECT count(*) FROM health_metrics WHERE id < 0") == [(857,)]
    assert place.rows("SELECT count(*) FROM health_alerts") == [(910,)]
    # the next metric of our own has an id of its own
    with closing(sqlite3.connect(place.state / "healmon.db")) as conn, conn:
        conn.execute(
            "INSERT INTO health_metrics (timestamp, component, metric_type) VALUES ('x', 'y', 'z')"
        )
        assert conn.execute("SELECT max(id) FROM health_metrics").fetchone() == (1,)
    assert place.run("--remove") == 0
    assert place.rows("SELECT count(*) FROM health_alerts") == [(0,)]


def test_while_a_healer_runs_it_is_refused(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    path = place.base / "a.db"
    build_architect(path, variant="v1")
    place.state.mkdir(mode=0o700)
    lock = Lock.acquire(place.state, version="1", mode="daemon")
    try:
        assert place.run(path) == 75
    finally:
        lock.release()
    assert "is held by" in capsys.readouterr().err
    assert not (place.state / "healmon.db").exists()


def odd(path: Path) -> None:
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("CREATE TABLE health_metrics (a, b)")


def damaged(path: Path) -> None:
    build_architect(path, variant="v1")
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        for page in range(size // 4096 - 4, size // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 4096)


@pytest.mark.parametrize(
    ("make", "code", "word"),
    [
        (lambda p: None, 65, "there is no such file"),
        (lambda p: p.write_bytes(b""), 65, "is empty"),
        (lambda p: p.write_text("no database at all"), 65, "is no SQLite database"),
        (lambda p: build_architect(p, variant="none"), 65, "has no table"),
        (odd, 65, "columns that are not known: a, b"),
        (damaged, 65, "cannot be read"),
    ],
)
def test_what_is_no_history_is_refused_and_nothing_is_there(
    place: Place, make, code: int, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = place.base / "a.db"
    make(path)
    assert place.run(path) == code
    assert word in capsys.readouterr().err
    assert not list(place.state.glob("import-*"))
    if (place.state / "healmon.db").exists():
        assert place.rows("SELECT count(*) FROM health_metrics") == [(0,)]


def test_a_store_of_healmon_is_no_history(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    path = place.base / "a.db"
    build_architect(path, variant="v2")
    assert place.run(path) == 0
    assert place.run(place.state / "healmon.db") == 65
    assert "health store of healmon already" in capsys.readouterr().err


def test_dry_run_counts_and_changes_nothing(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    path = place.base / "a.db"
    build_architect(path, variant="v1")
    assert place.run(path, "--dry-run") == 0
    assert "857 rows would be imported" in capsys.readouterr().out
    assert not (place.state / "healmon.db").exists()


@pytest.mark.parametrize("words", [(), ("x", "--remove"), ("x", "--zone", "Nowhere/At_All")])
def test_wrong_words_are_usage(place: Place, words: tuple[str, ...]) -> None:
    assert place.run(*words) == 64


@pytest.mark.slow
def test_killed_in_the_middle_nothing_half_is_there_and_the_next_one_brings_all(
    place: Place,
) -> None:
    path = place.base / "a.db"
    build_architect(path, variant="v1")
    with closing(sqlite3.connect(path)) as conn, conn:
        copy = "timestamp, component, status, details, action_taken"
        for _ in range(5):
            conn.execute(f"INSERT INTO health_metrics ({copy}) SELECT {copy} FROM health_metrics")
        (total,) = conn.execute("SELECT count(*) FROM health_metrics").fetchone()
    code = "import sys; from healmon.cli import main; sys.exit(main(sys.argv[1:]))"
    run = subprocess.Popen([sys.executable, "-c", code, *place.words(path)])
    fd = os.pidfd_open(run.pid)
    try:
        wal = place.state / "healmon.db-wal"
        until(lambda: wal.exists() and wal.stat().st_size > 200_000, 30, "rows on their way")
        signal.pidfd_send_signal(fd, signal.SIGKILL)
    finally:
        os.close(fd)
        run.wait(30)
    assert place.rows("SELECT count(*) FROM health_metrics") == [(0,)]
    assert list(place.state.glob("import-*"))
    assert place.run(path) == 0
    assert place.rows("SELECT count(*) FROM health_metrics WHERE id < 0") == [(total,)]
    assert not list(place.state.glob("import-*"))


def test_local_times_without_a_zone_are_told(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    path = place.base / "a.db"
    build_architect(path, variant="v2")
    assert place.run(path, "--dry-run") == 0
    assert "120 times say no zone and were read as this host's" in capsys.readouterr().out
    assert place.run(path, "--dry-run", "--zone", "America/Los_Angeles", "--json") == 0
    assert json.loads(capsys.readouterr().out)["local_times"] == 0


@pytest.mark.slow
def test_the_morning_page_and_the_status_are_silent_on_it(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    path = place.base / "a.db"
    build_architect(path, variant="v1", since_wall=time.time() - 3 * 3600)
    assert place.run(path) == 0
    where = ["--config", str(place.config), "--state-dir", str(place.state)]
    capsys.readouterr()
    assert main(["report", *where]) == 0
    page = capsys.readouterr().out
    assert "assigner" not in page
    assert main(["status", *where]) == 3
    assert "restart_failed" not in capsys.readouterr().out
    assert main(["alerts", "--all", *where]) == 0
    assert "Failed to restart assigner" in capsys.readouterr().out


def test_an_answer_that_cannot_be_written_is_no_want_of_room_for_the_copy(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build_architect(place.base / "a.db", variant="ci")

    def full(_: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(import_cli, "say", full)
    assert place.run(place.base / "a.db", "--zone=-08:00") == 73
    assert "the answer cannot be written" in capsys.readouterr().err
    assert place.rows("SELECT count(*) FROM health_metrics WHERE id < 0") == [(155,)]


def test_what_was_never_imported_is_removed_in_json_too(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.run("--remove", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"removed": 0}


def test_a_view_and_columns_of_any_name_and_endless_figures_come_over_once(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    path = place.base / "a.db"
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.executescript(
            "CREATE TABLE hm (id, rowid, timestamp, workers_running, disk_usage_percent,"
            " imported, was);"
            "INSERT INTO hm VALUES (7, 'x', '1770503160', 1, 9e999, 1, 'z'),"
            " (8, 'x', '1770503160', 1, 50, 1, 'z');"
            "CREATE VIEW health_metrics AS SELECT * FROM hm;"
            "CREATE TABLE health_alerts (timestamp, severity, component, message, k PRIMARY KEY)"
            " WITHOUT ROWID;"
            "INSERT INTO health_alerts VALUES ('2026-02-07 22:26:00', 'info', 'c', 'm', 'a')"
        )
    assert place.run(path) == place.run(path) == 0
    kept = [json.loads(text) for (text,) in place.rows("SELECT details FROM health_metrics"
                                                       " WHERE id < 0 ORDER BY id")]  # fmt: skip
    assert [one["imported"]["row"] for one in kept] == [7, 8]
    assert [(one["imported_"], one["was_"]) for one in kept] == [(1, "z")] * 2
    assert kept[0]["disk_usage_percent"] == "inf"
    assert place.rows("SELECT count(*) FROM health_alerts") == [(1,)]


def test_what_was_imported_is_explained_and_counted_before_it_is_removed(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    build_architect(place.base / "a.db", variant="v2")
    assert place.run(place.base / "a.db") == 0
    where = ["--config", str(place.config), "--state-dir", str(place.state)]
    ((number,),) = place.rows("SELECT max(id) FROM health_alerts")
    assert main(["explain", str(number), *where]) == 0
    assert "imported: {" in capsys.readouterr().out
    assert place.run("--remove", "--dry-run") == 0
    assert capsys.readouterr().out == "120 imported rows would be removed\n"
    assert place.run("--remove") == 0
    assert capsys.readouterr().out == "120 imported rows were removed\n"
