"""From a finding to an alert, and to its end: nothing is told on one look alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from healmon import alerts
from healmon import events as ev
from healmon.alerts import stale
from healmon.alerts.confirm import APART
from healmon.config.settings import Alerts
from healmon.plans import RANK
from healmon.state import open_alerts, pending_alerts, replay, worst
from tests.helpers.examples import examples
from tests.helpers.inbox import COMPONENT, HEALER, HOST, WALL, Inbox, finding, verdict, well

MINUTE = 60.0
DOWN = verdict(finding(pid=7))


@pytest.fixture
def inbox() -> Inbox:
    return Inbox(Alerts())


def kinds(told: list[ev.Event]) -> list[str]:
    return [type(event).__name__ for event in told]


def test_one_look_proves_little_two_checks_are_an_alert(inbox: Inbox) -> None:
    assert kinds(inbox.look(DOWN)) == ["AlertPended"]
    assert not open_alerts(inbox.snapshot)
    assert worst(inbox.snapshot) is None
    assert [a.key for a in pending_alerts(inbox.snapshot)] == [inbox.key()]
    assert inbox.snapshot.tallies.get("alerts", 0) == 0
    assert kinds(inbox.look(DOWN)) == ["AlertOpened"]
    alert = inbox.alert()
    assert (alert.state, alert.count, alert.first_seen) == ("open", 2, WALL + MINUTE)
    assert alert.opened_at == WALL + 2 * MINUTE
    assert not pending_alerts(inbox.snapshot)
    assert inbox.look(DOWN) == []


def test_what_is_gone_before_it_is_confirmed_is_history_only(inbox: Inbox) -> None:
    inbox.look(DOWN)
    (told,) = inbox.look(well())
    assert isinstance(told, ev.AlertDropped)
    assert not inbox.snapshot.alerts
    assert not inbox.snapshot.ended
    assert inbox.look(well()) == []


def test_looks_that_follow_each_other_closely_are_one_check(inbox: Inbox) -> None:
    inbox.look(DOWN)
    for _ in range(4):
        assert inbox.look(DOWN, after=1.0) == []
    assert kinds(inbox.look(DOWN, after=1.0)) == ["AlertOpened"], "5 s after the first"


def test_a_clock_that_is_set_back_does_not_hold_up_a_second_check(inbox: Inbox) -> None:
    inbox.look(DOWN)
    assert kinds(inbox.look(DOWN, after=-3_600.0)) == ["AlertOpened"]


def test_more_checks_or_a_while_whichever_comes_first() -> None:
    patient = Inbox(Alerts(confirm_checks=5, confirm_for=1_000.0))
    told = [kinds(patient.look(DOWN)) for _ in range(5)]
    assert told == [["AlertPended"], *[["AlertUpdated"]] * 3, ["AlertOpened"]]
    short = Inbox(Alerts(confirm_checks=5, confirm_for=30.0))
    assert [kinds(short.look(DOWN, after=15.0)) for _ in range(3)] == [
        ["AlertPended"], ["AlertUpdated"], ["AlertOpened"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        (Alerts(), replace(finding(), urgent=True)),
        (Alerts(), replace(finding(), confirmed=True)),
        (Alerts(confirm_checks=1), finding()),
        (Alerts(confirm_for=0.0), finding()),
    ],
    ids=["urgent", "confirmed", "one check", "no time"],
)
def test_what_needs_no_second_look_is_an_alert_at_once(rules: Alerts, found) -> None:
    inbox = Inbox(rules)
    assert kinds(inbox.look(verdict(found))) == ["AlertOpened"]


def test_what_is_pending_opens_at_once_when_it_becomes_urgent(inbox: Inbox) -> None:
    inbox.look(verdict(finding("full", "WARNING")))
    told = inbox.look(verdict(replace(finding("full", "CRITICAL"), urgent=True)), after=0.2)
    assert kinds(told) == ["AlertOpened"]
    assert inbox.alert("full").severity == "CRITICAL"


def test_an_alert_is_over_when_two_checks_find_nothing(inbox: Inbox) -> None:
    inbox.look(DOWN)
    inbox.look(DOWN)
    assert inbox.look(well()) == []
    assert inbox.look(well(), after=1.0) == [], "that was no other check"
    assert inbox.look(DOWN) == [], "it was there all the time"
    assert inbox.look(well()) == []
    assert kinds(inbox.look(well())) == ["AlertResolved"]
    assert inbox.snapshot.ended[inbox.key()].resolved_at == inbox.wall


def test_blind_looks_between_do_not_count_as_clear(inbox: Inbox) -> None:
    inbox.look(DOWN)
    inbox.look(DOWN)
    inbox.look(well())
    inbox.look(verdict(status="unknown"))
    assert inbox.look(well()) == []
    assert kinds(inbox.look(well())) == ["AlertResolved"]


def acted(component: str = COMPONENT, *, ok: bool = True, **details) -> ev.Event:
    if ok:
        return ev.ActionVerified("p", component, "restart_worker", "it is up", 1.0, "", details)
    return ev.ActionFailed("p", component, "restart_worker", "it is not", 1.0)


@pytest.mark.parametrize(
    ("action", "over"),
    [
        (acted(), True),
        (acted(ok=False), False),
        (acted("another"), False),
        (acted(released=False), False),
    ],
    ids=["proved", "failed", "of another", "freed nothing"],
)
def test_a_proved_recovery_ends_an_alert_at_once(
    inbox: Inbox, action: ev.Event, over: bool
) -> None:
    inbox.look(DOWN)
    inbox.look(DOWN)
    inbox.wall += 5.0
    inbox.tell(action)
    told = inbox.look(well(), after=0.5)
    assert kinds(told) == (["AlertResolved"] if over else [])


def test_a_proof_of_long_ago_or_of_before_vouches_for_nothing(inbox: Inbox) -> None:
    inbox.look(DOWN)
    inbox.look(DOWN)
    inbox.tell(acted())
    inbox.look(DOWN, after=10.0)
    assert inbox.look(well(), after=10.0) == [], "it was found again after that"
    inbox.look(DOWN)
    inbox.tell(acted())
    inbox.look(DOWN)
    inbox.look(DOWN)
    assert inbox.look(well()) == []


def opened_and_over(inbox: Inbox, condition: str = "down") -> None:
    for _ in range(2):
        inbox.look(verdict(finding(condition, "CRITICAL")))
    for _ in range(2):
        inbox.look(well())
    assert not inbox.snapshot.alerts


def test_the_same_again_within_half_an_hour_is_the_same_incident(inbox: Inbox) -> None:
    opened_and_over(inbox)
    first = inbox.snapshot.ended[inbox.key()]
    inbox.look(DOWN, after=1_000.0)
    assert inbox.snapshot.ended, "until it is confirmed, nothing has gone on"
    (told,) = inbox.look(DOWN)
    assert isinstance(told, ev.AlertReopened)
    alert = inbox.alert()
    assert (alert.id, alert.first_seen, alert.reopened) == (first.id, first.first_seen, 1)
    assert (alert.severity, alert.peak) == ("WARNING", "CRITICAL")
    assert alert.count == first.count + 1
    assert not inbox.snapshot.ended
    opened = [r for r in inbox.events if isinstance(r.event, ev.AlertOpened)]
    assert len(opened) == 1


def test_what_only_looked_like_it_does_not_reopen_anything(inbox: Inbox) -> None:
    opened_and_over(inbox)
    inbox.look(DOWN)
    inbox.look(well())
    assert list(inbox.snapshot.ended) == [inbox.key()]
    inbox.look(DOWN)
    assert kinds(inbox.look(DOWN)) == ["AlertReopened"]


def test_later_it_is_a_new_incident(inbox: Inbox) -> None:
    opened_and_over(inbox)
    assert alerts.archive(inbox.snapshot, inbox.rules, inbox.wall + 1_799.0) == []
    inbox.look(DOWN, after=1_790.0)
    assert kinds(inbox.look(DOWN)) == ["AlertOpened"]
    assert inbox.alert().reopened == 0


def test_what_was_over_too_long_ago_is_archived(inbox: Inbox) -> None:
    opened_and_over(inbox)
    told = alerts.archive(inbox.snapshot, inbox.rules, inbox.wall + 1_800.0)
    assert told == [ev.AlertArchived(inbox.key())]
    inbox.tell(*told)
    assert not inbox.snapshot.ended
    slow = Inbox(Alerts(), interval=600.0)
    opened_and_over(slow)
    assert alerts.archive(slow.snapshot, slow.rules, slow.wall + 7_200.0) == [], "it may flap"


def test_an_acknowledgement_is_of_one_time_only(inbox: Inbox) -> None:
    inbox.look(DOWN)
    inbox.look(DOWN)
    inbox.tell(ev.AlertAcknowledged(inbox.key(), "me", "known", None))
    inbox.look(well())
    inbox.look(well())
    inbox.look(DOWN)
    inbox.look(DOWN)
    alert = inbox.alert()
    assert (alert.state, alert.acknowledged_by) == ("open", "")


# -- nobody can look


def blind(inbox: Inbox, checks: int) -> list[ev.Event]:
    return [e for _ in range(checks) for e in inbox.look(verdict(status="unknown"))]


def test_after_three_checks_without_an_answer_an_alert_is_stale(inbox: Inbox) -> None:
    inbox.look(DOWN)
    inbox.look(DOWN)
    assert blind(inbox, 3) == []
    (told,) = blind(inbox, 1)
    assert isinstance(told, ev.AlertStale)
    assert "3m" in told.reason
    assert inbox.alert().state == "stale"
    assert blind(inbox, 50) == [], "said once"
    assert open_alerts(inbox.snapshot), "it never ends because nobody could look"


def test_the_next_reading_decides(inbox: Inbox) -> None:
    inbox.look(DOWN)
    inbox.look(DOWN)
    blind(inbox, 4)
    assert kinds(inbox.look(DOWN)) == ["AlertSeen"]
    assert inbox.alert().state == "open"
    blind(inbox, 4)
    inbox.look(well())
    assert kinds(inbox.look(well())) == ["AlertResolved"]


def test_an_acknowledged_alert_is_acknowledged_again_after_the_dark(inbox: Inbox) -> None:
    inbox.look(DOWN)
    inbox.look(DOWN)
    inbox.tell(ev.AlertAcknowledged(inbox.key(), "me", "known", None))
    blind(inbox, 4)
    inbox.look(DOWN)
    assert (inbox.alert().state, inbox.alert().note) == ("acknowledged", "known")


def test_what_was_pending_and_is_there_after_the_dark_is_confirmed(inbox: Inbox) -> None:
    inbox.look(DOWN)
    assert kinds(blind(inbox, 4)) == ["AlertStale"]
    assert not open_alerts(inbox.snapshot)
    assert kinds(inbox.look(DOWN)) == ["AlertOpened"]


def test_what_an_unknown_verdict_finds_is_seen(inbox: Inbox) -> None:
    unreadable = verdict(finding("unreadable"), status="unknown")
    for _ in range(10):
        inbox.look(unreadable)
    assert inbox.alert("unreadable").state == "open"


def test_a_healer_that_fails_makes_its_alerts_stale_and_no_others(inbox: Inbox) -> None:
    inbox.look(DOWN)
    inbox.look(DOWN)
    disk = verdict(finding("full"), component="disk:/")
    inbox.look(disk, healer="disks")
    inbox.look(disk, healer="disks")
    mine = [a for a in inbox.snapshot.alerts.values() if f"/{HEALER}/" in a.key]
    assert stale.unseen(inbox.snapshot, mine, inbox.rules, 179.0, "hangs") == []
    (told,) = stale.unseen(inbox.snapshot, mine, inbox.rules, 180.0, "hangs")
    assert (told.key, told.reason) == (inbox.key(), "not looked at for 3m00s: hangs")


def test_after_a_long_absence_of_healmon_nobody_knows(inbox: Inbox) -> None:
    inbox.look(DOWN)
    inbox.look(DOWN)
    left = inbox.snapshot.at
    assert stale.absence(inbox.snapshot, inbox.rules, left, left + 179.0) == []
    (told,) = stale.absence(inbox.snapshot, inbox.rules, left, left + 7_200.0)
    assert told.reason == "not looked at for 2h00m: healmon did not run"


# -- any life


_story = st.lists(
    st.tuples(
        st.sampled_from(("found", "found worse", "well", "unknown")),
        st.sampled_from((1.0, 60.0, 60.0, 60.0, 2_000.0)),
    ),
    max_size=40,
)


@settings(max_examples=examples(80))
@given(_story, st.integers(1, 3), st.integers(1, 3))
def test_in_any_life_opening_and_end_are_confirmed(
    story: list, confirm_checks: int, clear_checks: int
) -> None:
    rules = Alerts(confirm_checks=confirm_checks, clear_checks=clear_checks, confirm_for=1e9)
    inbox = Inbox(rules)
    seen: list[tuple[float, str]] = []
    for what, after in story:
        level = "CRITICAL" if what == "found worse" else "WARNING"
        status = {"well": "healthy", "unknown": "unknown"}.get(what, "unhealthy")
        found = (finding(level=level),) if what.startswith("found") else ()
        before = inbox.snapshot.alerts.get(inbox.key())
        told = [
            event
            for event in inbox.look(verdict(*found, status=status), after=after)
            if getattr(event, "key", inbox.key()) == inbox.key()  # that it flaps is another alert
        ]
        seen.append((inbox.wall, "found" if found else what))
        for event in told:
            if isinstance(event, ev.AlertOpened | ev.AlertReopened):
                # so many checks found it, and none found it well, since it was pending
                assert apart(seen, "found") >= confirm_checks
            if isinstance(event, ev.AlertResolved):
                assert apart(seen, "well") >= clear_checks
                assert before is not None
        assert len(kinds(told)) == len(set(kinds(told)))
        inbox.tell(*alerts.archive(inbox.snapshot, rules, inbox.wall))
        assert inbox.snapshot == replay(inbox.events)
        after_ = inbox.snapshot.alerts.get(inbox.key())
        if before is not None and after_ is not None and before.opened_at:
            assert RANK[after_.severity] >= RANK[before.severity]


def apart(seen: list[tuple[float, str]], what: str) -> int:
    """Return how many checks in a row, but for blind ones, found this."""
    row: list[float] = []
    for at, found in reversed(seen):
        if found == what:
            row.insert(0, at)
        elif found != "unknown":
            break
    checks = row[:1]
    for at in row:
        if at - checks[-1] >= APART:
            checks.append(at)
    return len(checks)


def test_the_host_is_in_the_key() -> None:
    assert Inbox().key() == f"{HOST}/{HEALER}/{COMPONENT}/down"
