"""`/api/v1` before a made-up healer: what is told, page by page, and what is asked."""

from __future__ import annotations

import time

import pytest

from healmon import events as ev
from healmon.plans import Answer, pack
from healmon.web import live
from tests.docs.test_schemas import fits
from tests.helpers import scripted
from tests.helpers.webstage import Stream, staged

OVERRIDES = "/api/v1/overrides"


def observed(name: str, status="unhealthy", **facts) -> ev.Observed:
    return ev.Observed("workers", name, status, "it is down", "t", "v", facts)


def test_the_state_is_as_its_schema_says(stage):
    state = stage.get("/api/v1/state").json
    fits("state", state)
    assert state["healer"]["running"]
    assert state["host"] == "atlas"
    assert {w["name"] for w in state["workers"]} >= {"task_worker", "mail_worker"}
    assert state["alerts"][0]["severity"] == "CRITICAL", "worst first"
    assert state["epoch"]


def test_what_happens_is_told_at_once_to_who_looks_on(stage):
    # what others of this module told is told
    stage.shown(lambda state: state["last_id"] == stage.newest)
    with Stream(stage) as stream:
        name, first = stream.next()
        assert (name, first) == ("state", stage.get("/api/v1/state").json)
        stage.emit(observed("fresh_worker", state="backoff", pid=17))
        told = stream.until(
            "state", lambda s: any(w["name"] == "fresh_worker" for w in s["workers"])
        )
    worker = next(w for w in told["workers"] if w["name"] == "fresh_worker")
    assert (worker["state"], worker["pid"], worker["level"]) == ("backoff", 17, "critical")
    fits("state", told)


@pytest.mark.slow
def test_all_viewers_share_one_text_and_a_storm_is_told_in_bites(stage):
    with Stream(stage) as one, Stream(stage) as other:
        one.next()
        other.next()
        began = time.monotonic()
        for n in range(300):
            stage.emit(observed("storm", state="backoff", restarts=n))
        states = [one.until("state")]
        while states[-1]["workers"][-1]["restarts"] < 299:
            states.append(one.until("state"))
        turns = (time.monotonic() - began) / live.CALM
        assert len(states) < min(turns + 3, 300), "not one for each event"
        assert states[-1] == other.until("state", lambda s: s["last_id"] == states[-1]["last_id"])


def test_a_viewer_hears_that_the_server_is_there(monkeypatch, stage):
    monkeypatch.setattr("healmon.web.sse.BEAT", 0.1)
    with Stream(stage) as stream:
        beat = stream.until("beat")
        assert beat["running"] is True
        assert beat["now"].endswith("Z")


@pytest.mark.slow
def test_a_healer_that_ends_and_the_next_one(tmp_path):
    with staged(tmp_path / "state", past=scripted.world()) as stage, Stream(stage) as stream:
        assert stream.next()[0] == "state"
        assert stage.ask("GET", "/readyz").status == 200
        stage.end_healer()
        gone = stream.until("gone")
        assert gone["healer"]["running"] is False
        assert gone["healer"]["ended"] == "was killed or crashed"
        assert gone["verdict"] == {"level": "unknown",
                                   "text": "no healer runs: it was killed or crashed"}  # fmt: skip
        assert gone["workers"], "what was known is still told"
        fits("state", gone)
        assert stage.ask("GET", "/readyz").status == 503
        assert stage.ask("GET", "/healthz").status == 200
        reply = stage.login().post(OVERRIDES, {"verb": "check"})
        assert reply.status == 503
        assert "healmon daemon" in reply.json["remedy"]
        stage.begin_healer(stage.state_dir)
        assert stream.until("state")["healer"]["running"]


def test_what_is_not_well_is_said_before_there_is_an_alert(tmp_path):
    with staged(tmp_path / "state", past=scripted.calm_world()) as stage:
        stage.emit(observed("task_worker"))
        state = stage.shown(lambda s: s["verdict"]["text"] != "all well")
        assert state["verdict"]["text"] == "1 not well"


def test_no_healer_ever_ran_here(tmp_path):
    from tests.helpers.webstage import Served

    served = Served(tmp_path)
    try:
        state = served.get("/api/v1/state").json
        fits("state", state)
        assert state["verdict"] == {"level": "unknown", "text": "no healer runs"}
        for path in ("/api/v1/alerts", "/api/v1/events", "/api/v1/history"):
            reply = served.get(path)
            assert reply.status == 503
            assert "no health store" in reply.json["error"]
        assert served.get("/api/v1/components").json["workers"] == []
    finally:
        served.close()


def test_a_damaged_store_is_told_and_read_again_once_it_is_mended(tmp_path):
    with staged(tmp_path / "state", past=scripted.world()) as other:
        before = other.get("/api/v1/state").json["epoch"]
        database = other.state_dir / "healmon.db"
        database.rename(database.with_suffix(".away"))
        other.shown(lambda s: s["healer"]["trouble"])
        database.with_suffix(".away").rename(database)
        state = other.shown(lambda s: not s["healer"]["trouble"])
        assert state["epoch"] == before


def test_a_fault_of_the_server_is_told_instead_of_an_old_state(monkeypatch, tmp_path, caplog):
    with staged(tmp_path / "state", past=scripted.calm_world()) as stage:
        with monkeypatch.context() as broken:
            broken.setattr("healmon.web.live.state_of", lambda *_: 1 / 0)
            stage.emit(observed("other_worker"))
            state = stage.shown(lambda s: "ZeroDivisionError" in s["healer"]["trouble"])
        assert state["verdict"]["level"] == "unknown"
        assert stage.ask("GET", "/readyz").status in (200, 503)
        stage.emit(observed("third_worker"))
        stage.shown(lambda s: not s["healer"]["trouble"])
        # once for each server: that of this module has the same fault meanwhile
        assert caplog.text.count("the state cannot be told") in (1, 2)


def test_alerts_page_by_page(stage):
    for n in range(5):
        stage.emit(ev.AlertNoted(f"atlas/workers/w{n}/noted", f"w{n}", f"note {n}"))
    first = stage.get("/api/v1/alerts?all=true&limit=3").json
    assert len(first["alerts"]) == 3
    second = stage.get(f"/api/v1/alerts?all=1&limit=3&before={first['before']}").json
    ids = [a["id"] for a in (*first["alerts"], *second["alerts"])]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 6
    open_ones = stage.get("/api/v1/alerts").json["alerts"]
    assert {a["id"] for a in open_ones} == {
        a["id"] for a in stage.get("/api/v1/state").json["alerts"]
    }
    assert not any(a["resolved"] for a in open_ones)


def test_events_both_ways(stage):
    newest = stage.get("/api/v1/events?limit=4").json
    last = newest["events"][0]["id"]
    assert [e["id"] for e in newest["events"]] == [last, last - 1, last - 2, last - 3]
    older = stage.get(f"/api/v1/events?limit=4&before={newest['next']}").json["events"]
    assert older[0]["id"] == last - 4
    later = stage.get(f"/api/v1/events?after={last - 2}").json
    assert [e["id"] for e in later["events"]] == [last - 1, last]
    assert later["next"] is None
    assert later["events"][0]["payload"]["kind"] == later["events"][0]["kind"]
    mine = stage.get("/api/v1/events?component=disk:/&limit=500").json["events"]
    assert mine
    assert {e["component"] for e in mine} == {"disk:/"}
    recent = stage.get("/api/v1/events?since=1s&limit=500").json["events"]
    assert {e["id"] for e in recent}.isdisjoint(e["id"] for e in mine), "all of them are older"


def test_history_is_what_the_screen_draws(stage):
    told = stage.get("/api/v1/history?since=6h&step=600").json
    assert told["step"] == 600
    assert {line["name"] for line in told["series"]} >= {"restarts", "stuck_sessions"}
    assert all(len(line["points"]) < 500 for line in told["series"])


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/events?limit=0", "/api/v1/events?limit=9999", "/api/v1/events?after=-1",
        "/api/v1/events?after=99999999999999999999", "/api/v1/events?since=soon",
        "/api/v1/events?nonsense=1", "/api/v1/alerts?all=perhaps", "/api/v1/history?since=0s",
        "/api/v1/history?since=900y", "/api/v1/history?step=-1", "/api/v1/history?step=nan",
        "/api/v1/history?since=1h&until=2h", "/api/health/system?hours=99999",
    ],
)  # fmt: skip
def test_bad_questions_are_told_what_is_wrong(stage, path):
    reply = stage.get(path)
    assert reply.status == 400, reply.text
    assert reply.json["error"]


def test_components_one_by_one(stage):
    disk = stage.get("/api/v1/components/disk:/").json
    assert disk["healer"] == "disks"
    assert disk["now"]["used_ratio"] == pytest.approx(disk["facts"]["percent"] / 100)
    assert disk["alerts"][0]["component"] == "disk:/"
    worker = stage.get("/api/v1/components/index_worker").json
    assert worker["actions"][0]["outcome"] == "verified"
    reply = stage.get("/api/v1/components/nobody")
    assert reply.status == 404
    assert "task_worker" in reply.json["remedy"]


def test_an_override_goes_to_the_healer_and_its_answer_comes_back(stage):
    browser = stage.login()
    wanted = {"for": 3600, "note": "on it"}
    reply = browser.post(OVERRIDES, {"verb": "acknowledge", "target": "14", "arguments": wanted})
    assert reply.status == 200
    assert reply.json["text"] == "acknowledge done"
    assert stage.asked == [("acknowledge", "14", wanted, "web operator from 127.0.0.1")]
    stage.answers["restart"] = Answer(ok=False, text="not done: dry run")
    reply = browser.post(OVERRIDES, {"verb": "restart", "target": "task_worker"})
    assert reply.status == 409
    assert reply.json["ok"] is False
    assert reply.json["text"] == "not done: dry run"


def test_the_plan_comes_first_where_one_is_asked_for(stage):
    browser, plan = stage.login(), scripted.restart_plan()
    stage.answers["offer"] = Answer(ok=True, text="", plan=plan)
    asked = {"verb": "restart", "target": plan.component, "dry_run": True}
    reply = browser.post(OVERRIDES, asked)
    assert reply.json["plan"] == pack(plan)
    assert stage.asked == [("offer", plan.component, {"verb": "restart"}, stage.asked[0][3])]
    reply = browser.post(OVERRIDES, {"verb": "pause", "arguments": {"for": 60}, "dry_run": True})
    assert "nothing was done" in reply.json["text"]
    assert len(stage.asked) == 1
    assert browser.post(OVERRIDES, {"verb": "apply", "target": plan.id}).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{", b"null", b'{"verb": "rm"}', b'{"verb": "check", "more": 1}',
        b'{"verb": "check", "target": 7}', b'{"verb": "check", "arguments": []}', b"\xff\xfe",
        b'{"verb": "check", "target": "' + b"x" * 600 + b'"}',
        b'{"verb": "check", "arguments": {"a": ' + b"[" * 9 + b"]" * 9 + b"}}",
        b'{"verb": "check", "arguments": {"a": ' + b"[" * 30_000 + b"]" * 30_000 + b"}}",
    ],
)  # fmt: skip
def test_what_is_no_override_never_reaches_the_healer(stage, body):
    reply = stage.login().post(OVERRIDES, body)
    assert reply.status == 400
    assert stage.asked == []


def test_renewed_tokens_end_all_logins_and_streams(tmp_path, monkeypatch):
    from healmon.web import tokens

    monkeypatch.setattr("healmon.web.sse.BEAT", 0.1)
    with staged(tmp_path / "state") as stage:
        browser, old = stage.login(), stage.token()
        with Stream(stage) as stream:
            stream.next()
            tokens.known(stage.state_dir, renew=True)
            end = time.monotonic() + 60
            while stream.reply.readline():
                assert time.monotonic() < end
        assert browser.get("/api/v1/state").status == 401
        assert stage.ask("GET", "/api/v1/state", token=old).status == 401
        assert stage.ask("GET", "/api/v1/state", token=stage.token()).status == 200


def test_without_operators_nobody_acts(tmp_path):
    from healmon.config.facesettings import Web

    with staged(tmp_path / "state", settings=Web(operator=False)) as stage:
        browser = stage.login("operator")
        assert browser.get("/api/v1/me").json["role"] == "viewer"
        assert browser.post(OVERRIDES, {"verb": "check"}).status == 403


def test_a_large_state_is_told_less_often_but_within_three_seconds():
    """Thousands of sessions and a hundred pages must not take the processor from the healer."""
    assert live.calm_after(20_000) == 0.25
    assert live.calm_after(800_000) == pytest.approx(0.8)
    assert live.calm_after(50_000_000) == 2.0
