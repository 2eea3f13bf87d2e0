"""Alerts that another one explains: the table, line by line."""

from __future__ import annotations

import pytest

from healmon import events as ev
from healmon.alerts import inhibit
from healmon.plans import RANK, Verdict
from healmon.state import open_alerts
from tests.helpers.inbox import HOST, Inbox, finding

HERE, THERE = 64_768, 2_049


def said(component: str, *found, status="unhealthy", **facts) -> Verdict:
    return Verdict(component, status, "x", "", "", facts, tuple(found))


def disk(level: str | None, *, device: int = HERE, kind: str = "filesystem") -> Verdict:
    found = (finding("full", level),) if level else ()
    return said("disk:/", *found, kind=kind, device=device)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def database(condition: str = "locked", device: int = HERE) -> Verdict:
    return said("database:a", finding(condition), device=device)


def test_a_full_disk_explains_locks_and_crashes_on_it_and_nothing_else(inbox: Inbox) -> None:
    inbox.look(database(), said("database:b", finding("locked"), device=THERE), healer="databases")
    inbox.look(
        said("w", finding("down"), devices=[THERE, HERE]),
        said("v", finding("down"), devices=[THERE]),
        said("u", finding("second_copy"), devices=[HERE]),
        healer="workers",
    )
    inbox.look(disk("CRITICAL"), healer="disks")
    key = f"{HOST}/disks/disk://full"
    explained = {a.component for a in open_alerts(inbox.snapshot) if a.overlays.inhibited_by == key}
    assert explained == {"database:a", "w"}
    assert inbox.audible() == ["disk://full", "database:b/locked", "v/down", "u/second_copy"]


@pytest.mark.parametrize(
    "verdict",
    [
        disk("WARNING"),
        disk("CRITICAL", kind="budget"),
        disk("CRITICAL", device=THERE),
        disk("CRITICAL", device=0),
        disk(None),
    ],
    ids=["not full yet", "a budget", "another", "unknown", "well"],
)
def test_what_is_not_the_cause_explains_nothing(inbox: Inbox, verdict: Verdict) -> None:
    inbox.look(said("database:a", finding("locked"), device=HERE), healer="databases")
    inbox.look(said("database:z", finding("locked"), device=0), healer="databases")
    inbox.look(verdict, healer="disks")
    assert {"database:a/locked", "database:z/locked"} <= set(inbox.audible())


@pytest.mark.parametrize("condition", ["left-corrupt", "deleted-open", "mixed-locking", "missing"])
def test_lost_data_is_never_explained_away(inbox: Inbox, condition: str) -> None:
    inbox.look(database(condition), healer="databases")
    inbox.look(disk("CRITICAL"), healer="disks")
    assert f"database:a/{condition}" in inbox.audible()


def test_when_the_cause_ends_what_still_holds_is_told(inbox: Inbox) -> None:
    inbox.look(disk("CRITICAL"), healer="disks")
    inbox.look(database(), healer="databases")
    assert inbox.audible() == ["disk://full"]
    inbox.look(disk(None), healer="disks")
    assert inbox.audible() == ["database:a/locked"]
    assert inbox.all(ev.AlertOverlaid)[-1].overlays.inhibited_by == ""


def test_an_acknowledged_or_stale_cause_still_explains_and_a_pending_one_does_not(
    inbox: Inbox,
) -> None:
    key = f"{HOST}/disks/disk://full"
    inbox.tell(ev.AlertPended(key, "CRITICAL", "disk:/", "full"))
    inbox.observe(disk("CRITICAL"), "disks")
    inbox.look(database(), healer="databases")
    assert inbox.audible() == ["database:a/locked"]
    inbox.tell(ev.AlertAcknowledged(key, "me"))
    inbox.look(database(), healer="databases")
    assert inbox.audible() == ["disk://full"]
    inbox.tell(ev.AlertStale(key, "blind"))
    inbox.look(database(), healer="databases")
    assert inbox.audible() == ["disk://full"]


@pytest.mark.parametrize(
    ("healer", "condition", "listed", "member", "stranger", "told"),
    [
        ("workers", "storm", {"workers": ["a", "b"]}, "a", "c", "down"),
        ("workers", "storm", {"workers": ["a", "b"]}, "b", "c", "unhealthy"),
        ("sessions", "outage", {"sessions": ["a"]}, "session:a", "session:b", "stuck"),
        ("sessions", "server-gone", {"sessions": ["a"]}, "session:a", "session:b", "gone"),
    ],
)
def test_a_cause_of_many_explains_those_it_names(
    inbox: Inbox, healer: str, condition: str, listed: dict, member: str, stranger: str, told: str
) -> None:
    many = said("healmon", finding(condition, "CRITICAL", **listed))
    inbox.look(many, said(member, finding(told)), said(stranger, finding(told)), healer=healer)
    assert inbox.audible() == [f"healmon/{condition}", f"{stranger}/{told}"]
    inbox.look(many, said(member, finding("quarantined", "CRITICAL")), healer=healer)
    assert f"{member}/quarantined" in inbox.audible()


def test_no_rule_explains_itself_or_goes_in_a_circle() -> None:
    causes = {(rule.healer, rule.condition) for rule in inhibit.RULES}
    others = [pair for rule in inhibit.RULES for pair in rule.others.items()]
    assert not causes & {(healer, word) for healer, words in others for word in words}
    assert all(RANK[rule.level] for rule in inhibit.RULES)


def test_a_session_that_the_cause_names_by_its_bare_name_is_no_worker(inbox: Inbox) -> None:
    many = said("healmon", finding("outage", "CRITICAL", sessions=["a"]))
    inbox.look(many, healer="sessions")
    inbox.look(said("a", finding("down")), healer="workers")
    assert "a/down" in inbox.audible()
