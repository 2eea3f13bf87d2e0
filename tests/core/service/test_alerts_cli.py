"""The commands about alerts over a store, with no healer there."""

from __future__ import annotations

import json
import sqlite3
import threading

import pytest

from healmon import cli
from healmon import events as ev
from healmon.alerts import parse
from healmon.clock import SystemClock
from healmon.plans import Overlays
from healmon.service import alerts_cli
from healmon.service.events_cli import following
from tests.helpers.storekit import WALL, Engine, opened_store, started

STUCK, FULL, OVER = "box/sessions/session:a/stuck", "box/disks/disk://full", "box/workers/w/down"


def opened(key: str, component: str, message: str, level="WARNING") -> ev.AlertOpened:
    return ev.AlertOpened(key, level, component, message, {"screen": "still \x1b[2J", "n": 1})


@pytest.fixture
def healmon(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("HEALMON_CONFIG", "HEALMON_STATE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))

    def run(*words):
        code = cli.main([words[0], "--state-dir", str(tmp_path / "state"), *words[1:]])
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        return code, told.out, told.err

    return run


@pytest.fixture
def store(tmp_path):
    """A store in which three alerts were opened, one is silenced, one known, one over."""
    (tmp_path / "state").mkdir(mode=0o700)
    now = SystemClock().read().wall - 60
    with opened_store(tmp_path / "state" / "healmon.db") as kept:
        engine = Engine(kept, now)
        engine.tell(
            ev.Observed("sessions", "session:a", "unhealthy", "stuck", "t", "v", {}),
            opened(STUCK, "session:a", "stuck for 45 min"),
            opened(FULL, "disk:/", "95% used", "CRITICAL"),
            opened(OVER, "w", "down"),
            ev.AlertUpdated(FULL, "CRITICAL", "96% used"),
            ev.SilenceStarted("component=session:*", now + 7200, "olga", "new agents"),
            ev.MaintenanceStarted("session:*", now + 3600, "ann", "moving"),
            ev.AlertOverlaid(STUCK, Overlays(silenced_by="6", maintenance="session:*")),
            ev.AlertAcknowledged(FULL, "bob", "buying disks", now + 7200),
            ev.AlertResolved(OVER, "up again"),
        )
    return tmp_path / "state" / "healmon.db"


def test_the_inbox_says_what_lies_over_each_alert_who_until_when_and_why(healmon, store):
    code, out, _ = healmon("alerts")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split()[:3] == ["3", "CRITICAL", "acknowledged"]
    assert "disk:/: 96% used (seen 2 times)" in lines[0]
    assert "acknowledged by bob till" in lines[1]
    assert lines[1].endswith(": buying disks")
    assert lines[2].split()[:3] == ["2", "WARNING", "open"]
    assert "silenced by olga till" in lines[3]
    assert lines[3].endswith(": new agents (silence 6: component=session:*)")
    assert "paused by ann till" in lines[4]
    assert lines[4].endswith(": moving (session:*)")
    assert lines[5].startswith("silence 6 till")
    assert lines[5].endswith("by olga: component=session:*, muted 1 - new agents")
    assert lines[6].startswith("paused till")
    assert lines[6].endswith("by ann: session:* - moving")
    assert len(lines) == 7, out
    _, everything, _ = healmon("alerts", "--all")
    assert "over since" in everything
    assert "up again" in everything


def test_the_inbox_for_machines(healmon, store):
    _, out, _ = healmon("alerts", "--json")
    full, stuck = json.loads(out)
    assert (full["id"], full["state"], full["count"], full["note"]) == (
        3, "acknowledged", 2, "buying disks",
    )  # fmt: skip
    assert 0 < full["age"] < 600
    assert full["silence"] is full["maintenance"] is None
    assert stuck["evidence"]["n"] == 1
    assert stuck["overlays"]["silenced_by"] == "6"
    assert (stuck["silence"]["by"], stuck["silence"]["note"]) == ("olga", "new agents")
    assert stuck["maintenance"]["name"] == "session:*"
    code, out, _ = healmon("silences", "--json")
    assert code == 0
    assert [(s["id"], s["muted"]) for s in json.loads(out)] == [(6, [2])]


def test_an_alert_is_explained_with_all_of_its_life(healmon, store):
    code, out, _ = healmon("explain", "2")
    assert code == 0
    for said in ("(silence 6: ", "paused by ann", "alertopened", "alertoverlaid",
                 "silenced by 6, maintenance session:*", "screen: still"):  # fmt: skip
        assert said in out, out
    assert "\x1b" not in out
    _, out, _ = healmon("explain", "3")
    for kind in ("alertopened", "alertupdated", "alertacknowledged"):
        assert kind in out
    assert "session:a" not in out, "only its own life"
    _, out, _ = healmon("explain", "4")
    assert "up again" in out
    rows = json.loads(healmon("explain", "3", "--json")[1])
    assert {row["kind"] for row in rows} == {"alertopened", "alertupdated", "alertacknowledged"}


def test_the_status_says_in_a_word_what_lies_over_an_alert(healmon, store):
    _, out, _ = healmon("status")
    assert "session:a: stuck for 45 min (silenced, in maintenance)" in out
    assert "disk:/: 96% used (acknowledged by bob)" in out


def test_what_is_not_confirmed_stands_apart_and_below(healmon, tmp_path):
    (tmp_path / "state").mkdir(mode=0o700)
    with opened_store(tmp_path / "state" / "healmon.db") as kept:
        Engine(kept, SystemClock().read().wall - 60).tell(
            ev.AlertPended(FULL, "CRITICAL", "disk:/", "95% used"),
            opened(OVER, "w", "down"),
        )
    _, out, _ = healmon("alerts")
    assert [line.split()[:3] for line in out.splitlines()] == [
        ["2", "WARNING", "open"], ["1", "CRITICAL", "pending"],
    ]  # fmt: skip
    assert [row["id"] for row in json.loads(healmon("alerts", "--json")[1])] == [2]
    _, out, _ = healmon("status")
    assert "not confirmed yet:\n  1 CRITICAL disk:/: 95% used" in out
    data = json.loads(healmon("status", "--json")[1])
    assert [[row["id"] for row in data[name]] for name in ("alerts", "pending")] == [[2], [1]]


@pytest.mark.parametrize(("ago", "said"), [(100.0, ""), (3700.0, "finished 1h01m ago")])
def test_a_list_that_nobody_keeps_up_says_so(healmon, tmp_path, ago, said):
    (tmp_path / "state").mkdir(mode=0o700)
    with opened_store(tmp_path / "state" / "healmon.db") as kept:
        engine = Engine(kept, SystemClock().read().wall - ago)
        engine.tell(started(), ev.CycleFinished(1, 0.1, 59.9))
    code, out, err = healmon("alerts")
    assert (code, out) == (0, "no alerts\n")
    assert bool(err) == bool(said)
    assert said in err


def test_all_alerts_come_in_pages(healmon, tmp_path, monkeypatch):
    monkeypatch.setattr("healmon.service.alerts_cli.NEWEST", 2)
    (tmp_path / "state").mkdir(mode=0o700)
    with opened_store(tmp_path / "state" / "healmon.db") as kept:
        Engine(kept).tell(*(opened(f"box/w/{n}/down", n, "down") for n in "abc"))
    first = healmon("alerts", "--all")[1].splitlines()
    assert [line.split()[0] for line in first[:2]] == ["3", "2"]
    assert first[2] == "older ones: healmon alerts --all --before 2"
    assert healmon("alerts", "--all", "--before", "2")[1].split()[0] == "1"


def test_an_empty_house_has_an_empty_inbox_and_nobody_who_looks(healmon, tmp_path):
    code, out, err = healmon("alerts")
    assert (code, out) == (0, "no alerts\n")
    said = f"NOBODY IS LOOKING: no healer has finished a round on {tmp_path / 'state'}"
    assert err.startswith(said), "no alerts is no comfort there"
    assert healmon("silences") == (0, "no silences\n", "")
    assert healmon("silences", "--json") == (0, "[]\n", "")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("silence", "disk:*"), 64, "--for"),
        (("silence", "--for", "2h"), 64, "MATCH"),
        (("silence", "disk:*", "--for", "soon"), 64, "--for soon"),
        (("silence", "disk:*", "--for", "31d"), 64, "--for 31d: at most 30d"),
        (("silence", "disk:*", "--for", "0"), 64, "more than nothing"),
        (("pause", "--for", "31d"), 64, "--for 31d: at most 30d"),
        (("silence", "colour=red", "--for", "2h"), 64, "there are: component"),
        (("silence", "severity=LOUD", "--for", "2h"), 64, "CRITICAL, WARNING, INFO"),
        (("silence", "a", "b", "--for", "2h"), 64, "component=a,b"),
        (("silence", "disk:*", "--for", "2h"), 75, "no healer runs"),
        (("unsilence", "6"), 75, "no healer runs"),
        (("unsilence",), 64, "ID"),
        (("ack", "17"), 75, "no healer runs"),
        (("ack", "17", "--for", "x"), 64, "--for x"),
        (("unack", "17"), 75, "no healer runs"),
        (("pause", "a", "--for", "1h"), 75, "no healer runs"),
        (("pause", "a"), 64, "--for"),
        (("resume",), 75, "no healer runs"),
        (("events", "--follow"), 75, "no health store"),
    ],
)
def test_each_way_to_be_wrong_has_its_exit_code_and_its_words(healmon, words, code, said):
    found, out, err = healmon(*words)
    assert (found, out) == (code, "")
    assert said in err


@pytest.mark.slow
def test_the_event_log_goes_on_with_what_comes_also_in_a_new_file(store):
    ended = threading.Event()
    followed = following(store, "", "", ended)
    seen = [next(followed)["kind"] for _ in range(10)]
    assert seen[-1] == "alertresolved"
    with opened_store(store) as kept:
        Engine(kept, kept.snapshot.at).tell(ev.AlertArchived(OVER))
    assert next(followed)["kind"] == "alertarchived"
    store.unlink()
    for left in store.parent.glob("healmon.db-*"):
        left.unlink()
    with opened_store(store) as kept:
        engine = Engine(kept)
        engine.next = 500
        engine.tell(ev.AlertArchived("anew"))
    row = next(followed)
    assert (row["id"], "anew" in row["payload"]) == (500, True)
    ended.set()
    assert list(followed) == []


@pytest.mark.slow
def test_the_event_log_goes_on_in_a_store_that_another_healer_began(store):
    """Its numbers begin at 1 again: they are not those that were printed."""
    ended = threading.Event()
    followed = following(store, "", "", ended)
    seen = [next(followed) for _ in range(10)]
    for left in (store, *store.parent.glob("healmon.db-*")):
        left.unlink()
    with opened_store(store) as kept:
        Engine(kept).tell(ev.AlertArchived("anew"))
    row = next(followed)
    assert (row["id"], "anew" in row["payload"]) == (1, True)
    for left in (store, *store.parent.glob("healmon.db-*")):
        left.unlink()
    with opened_store(store) as kept:
        engine = Engine(kept, WALL + 900)
        for _ in range(len(seen) + 5):  # more than were printed of the one before
            engine.tell(ev.AlertArchived("again"))
    assert next(followed)["id"] == 1
    ended.set()


def test_the_log_of_one_component(store, healmon):
    code, out, _ = healmon("events", "--since", "1h", "--component", "session:a")
    assert code == 0
    assert len(out.splitlines()) == 2


def test_each_event_for_machines_has_its_number_its_time_and_its_cause(store, healmon):
    code, out, _ = healmon("events", "--since", "1h", "--json")
    told = [json.loads(line) for line in out.splitlines()]
    assert (code, [one["id"] for one in told]) == (0, list(range(1, 11)))
    second = told[1]
    assert second["timestamp"].startswith("20")
    assert (second["kind"], second["component"], second["severity"], second["cause"]) == (
        "alertopened", "session:a", "WARNING", None,
    )  # fmt: skip
    assert (second["key"], second["message"]) == (STUCK, "stuck for 45 min")
    with sqlite3.connect(store) as connection:  # a rescued row may be no JSON any more
        connection.execute("UPDATE events SET payload = '{broken' WHERE id = 2")
    _, out, _ = healmon("events", "--since", "1h", "--json")
    second = json.loads(out.splitlines()[1])
    assert (second["id"], second["payload"]) == (2, "{broken")


def test_a_name_with_blanks_is_one_word_to_a_silence(tmp_path):
    (tmp_path / "state").mkdir(mode=0o700)
    with opened_store(tmp_path / "state" / "healmon.db") as kept:
        Engine(kept).tell(ev.Observed("disks", "disk:/a=b, 7", "healthy", "", "t", "v", {}))
    for word, said in {
        "tâche worker": 'component="tâche worker"',
        "session:my *": 'component="session:my *"',
        "disk:/a=b, 7": 'component="disk:/a=b, 7"',
        "session:a,session:b": "component=session:a,session:b",
        "17,18": "id=17,18",
        "17 w": "id=17 component=w",
        "component=disk:* severity=WARNING": "component=disk:* severity=WARNING",
        '"tâche worker" severity=warning': 'component="tâche worker" severity=WARNING',
    }.items():
        assert str(parse(alerts_cli._in_quotes(tmp_path / "state", word))) == said
