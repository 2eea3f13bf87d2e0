from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from healmon import alerts
from healmon import events as ev
from healmon.alerts import escalation
from healmon.alerts.judge import REFRESH, SOONEST
from healmon.plans import RANK
from tests.helpers import inbox
from tests.helpers.examples import examples
from tests.helpers.inbox import COMPONENT, HOST, WALL, Inbox, finding, verdict


@pytest.fixture
def life() -> Inbox:
    return Inbox()


def test_found_opens_and_not_found_resolves(life: Inbox) -> None:
    (told,) = life.look(verdict(finding(message="pid 7 is gone", pid=7)))
    key = "box/workers/task_worker/down"
    assert told == ev.AlertOpened(key, "WARNING", COMPONENT, "pid 7 is gone", {"pid": 7})
    assert life.snapshot.alerts[key].state == "open"
    assert life.look(verdict(status="healthy")) == [ev.AlertResolved(key, "all is well")]
    assert life.snapshot.alerts == {}
    assert life.look(verdict(status="healthy")) == []


def test_the_same_again_says_nothing(life: Inbox) -> None:
    life.look(verdict(finding(pid=7)))
    for _ in range(100):
        assert life.look(verdict(finding(pid=7))) == []


def test_worse_is_told_at_once_and_better_never(life: Inbox) -> None:
    life.look(verdict(finding(level="WARNING")))
    life.tell(ev.AlertAcknowledged(life.key(), "me"))
    (told,) = life.look(verdict(finding(level="CRITICAL")), after=0.1)
    assert isinstance(told, ev.AlertUpdated)
    assert life.snapshot.alerts[life.key()].severity == "CRITICAL"
    assert life.snapshot.alerts[life.key()].state == "open"  # what was known was less
    assert life.look(verdict(finding(level="INFO"))) == []
    assert life.snapshot.alerts[life.key()].severity == "CRITICAL"


def test_other_words_are_told_at_once_and_other_numbers_seldom(life: Inbox) -> None:
    life.look(verdict(finding("full", message="disk 86.9 % used", free="121.0 GB", files=[1, 2])))
    wandering = verdict(finding("full", message="disk 87.1 % used", free="120.1 GB", files=[1, 3]))
    assert life.look(wandering) == []
    other = verdict(finding("full", message="disk 87.1 % used, growing", free="120.1 GB", files=[]))
    assert len(life.look(other)) == 1
    drift = verdict(finding("full", message="disk 88.0 % used, growing", free="118 GB", files=[]))
    assert life.look(drift, after=SOONEST - 1) == []
    assert len(life.look(drift, after=1)) == 1
    assert life.snapshot.alerts[life.key("full")].count == 3


def test_what_an_alert_says_of_minutes_is_never_less_than_half_and_costs_few_words(
    life: Inbox,
) -> None:
    told = 0
    for minute in range(61):
        told += len(life.look(verdict(finding(message=f"idle for {minute + 2} min"))))
        said = int(life.snapshot.alerts[life.key()].message.split()[2]) - 2
        assert minute - said <= min(REFRESH / 60, max(minute / 2, 1))
    assert told == 1 + 4 + 4  # it opened; at 2, 4, 8 and 16 minutes; every ten from then on


def test_evidence_of_another_shape_is_news(life: Inbox) -> None:
    life.look(verdict(finding(who={"pid": 7, "name": "sqlite3"}, idle=True)))
    for changed in (
        {"who": {"pid": 9, "name": "python"}, "idle": True},
        {"who": {"pid": 9, "name": "python"}, "idle": False},
        {"who": None, "idle": False},
    ):
        assert len(life.look(verdict(finding(**changed)))) == 1


def test_numbers_are_told_when_the_clock_was_set_back(life: Inbox) -> None:
    life.look(verdict(finding(n=1)))
    assert len(life.look(verdict(finding(n=2)), after=-7_200)) == 1


def test_blind_is_not_healthy(life: Inbox) -> None:
    life.look(verdict(finding("down"), finding("old")))
    assert life.look(verdict(status="unknown")) == []
    assert len(life.snapshot.alerts) == 2
    unseen = verdict(finding("unseen", message="cannot look"), status="unknown")
    assert [type(e) for e in life.look(unseen)] == [ev.AlertOpened]
    told = life.look(verdict(finding("down"), status="unhealthy"))
    assert {(type(e), e.key) for e in told} == {
        (ev.AlertResolved, life.key("old")),
        (ev.AlertResolved, life.key("unseen")),
    }


def test_the_worst_of_two_findings_of_one_condition_counts(life: Inbox) -> None:
    found = (finding(level="INFO"), finding(level="CRITICAL", message="bad"), finding())
    (told,) = life.look(verdict(*found))
    assert isinstance(told, ev.AlertOpened)
    assert (told.level, told.message) == ("CRITICAL", "bad")


def test_only_its_own_alerts_are_resolved(life: Inbox) -> None:
    life.look(verdict(finding()))
    life.look(verdict(finding(), component="task_worker2"))
    life.look(verdict(finding("locked")), healer="databases")
    life.look(verdict(finding(component="disk:/")), healer="disks")
    life.look(verdict(finding("full"), component="disk:/"), healer="disks")
    life.look(verdict(finding("full"), component="disk:/var"), healer="disks")
    told = life.look(verdict(status="healthy"))
    assert [e.key for e in told] == [life.key()]
    told = life.look(verdict(status="healthy", component="disk:/"), healer="disks")
    assert [e.key for e in told] == [life.key("full", "disk:/", "disks")]
    assert len(life.snapshot.alerts) == 4


def test_a_component_that_is_gone_takes_its_alerts_with_it(life: Inbox) -> None:
    life.look(verdict(finding("down"), finding("old")))
    life.look(verdict(finding(), component="other"))
    life.tell(*alerts.gone(life.snapshot, COMPONENT, "taken out of the configuration"))
    assert set(life.snapshot.alerts) == {life.key(component="other")}
    assert alerts.gone(life.snapshot, COMPONENT) == []


def test_acknowledgements_run_out(life: Inbox) -> None:
    life.look(verdict(finding("a"), finding("b"), finding("c")))
    life.tell(
        ev.AlertAcknowledged(life.key("a"), "me", "", WALL + 100),
        ev.AlertAcknowledged(life.key("b"), "me"),
    )
    assert alerts.expire(life.snapshot, WALL + 99.9) == []
    told = alerts.expire(life.snapshot, WALL + 100)
    assert [e.key for e in told] == [life.key("a")]
    life.tell(*told)
    assert life.snapshot.alerts[life.key("a")].state == "open"
    assert alerts.expire(life.snapshot, WALL + 1e9) == []


def test_what_nobody_looks_after_any_more_ends(life: Inbox) -> None:
    life.look(verdict(finding()))
    life.look(verdict(finding("full")), healer="disks")
    life.tell(ev.AlertOpened("oldname/workers/x/down", "WARNING", "x", "down"))
    told = alerts.strays(life.snapshot, HOST, ["workers", "healmon"])
    assert {e.key for e in told} == {life.key("full", healer="disks"), "oldname/workers/x/down"}


# -- random lives

CONDITIONS = ("down", "stuck", "full")
_finding = st.builds(
    finding,
    st.sampled_from(CONDITIONS),
    st.sampled_from(("INFO", "WARNING", "CRITICAL")),
    st.sampled_from(("down", "pid 7", "pid 8", "hangs")),
    n=st.integers(0, 3),
)
_look = st.tuples(
    st.sampled_from(("workers", "disks")),
    st.sampled_from(("a", "a/b", "disk:/")),
    st.sampled_from(("healthy", "unhealthy", "unknown")),
    st.lists(_finding, max_size=3),
    st.sampled_from((0.5, 60.0, 700.0, -50.0)),
    st.sampled_from(("nothing", "acknowledge", "expire")),
)


@settings(max_examples=examples(120))
@given(st.lists(_look, max_size=30))
def test_for_any_life_there_is_one_alert_per_cause_that_is_there(looks: list) -> None:
    life = Inbox()
    true: dict[str, str] = {}  # key -> worst severity since it opened; the plain model
    for healer, component, status, findings, after, act in looks:
        made = verdict(*findings, status=status, component=component)
        told = life.look(made, healer=healer, after=after)
        found = {life.key(f.condition, component, healer): f for f in findings}
        for key in list(true):
            mine = key in {life.key(c, component, healer) for c in CONDITIONS}
            if mine and key not in found and status != "unknown":
                del true[key]
        for f in findings:
            key = life.key(f.condition, component, healer)
            true[key] = max(true.get(key, "INFO"), f.severity, key=RANK.__getitem__)
        assert {k: a.severity for k, a in life.snapshot.alerts.items()} == true
        keys = [(type(e), e.key) for e in told]
        assert len(keys) == len(set(keys))
        # said again at once, nothing is new
        assert inbox.told(life.snapshot, healer, made, life.wall) == []
        if act == "acknowledge" and life.snapshot.alerts:
            life.tell(ev.AlertAcknowledged(min(life.snapshot.alerts), "me", "", life.wall + 100))
        if act == "expire":
            life.tell(*alerts.expire(life.snapshot, WALL + 1e9))
            states = {a.state for a in life.snapshot.alerts.values()}
            assert states <= {"open", "stale"}


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_counts_are_incidents_not_cycles(story: list[bool]) -> None:
    """However long it lasts, one incident is one opening; each return is a new one."""
    life = Inbox()
    told = [e for bad in story for e in life.look(verdict(*([finding()] if bad else [])))]
    rises = sum(now and not before for before, now in zip([False, *story], story, strict=False))
    assert sum(isinstance(e, ev.AlertOpened) for e in told) == rises
    assert sum(isinstance(e, ev.AlertUpdated) for e in told) == 0
    assert sum(isinstance(e, ev.AlertResolved) for e in told) == rises - story[-1]
    assert life.snapshot.tallies.get("alerts", 0) == rises


def test_an_acknowledgement_runs_out_also_while_nobody_can_look(life: Inbox) -> None:
    life.look(verdict(finding(level="CRITICAL")))
    life.tell(ev.AlertAcknowledged(life.key(), "olga", "", life.wall + 3600.0))
    life.tell(ev.AlertStale(life.key(), "the server hangs"))
    assert alerts.expire(life.snapshot, life.wall + 3599.0) == []
    life.tell(*alerts.expire(life.snapshot, life.wall + 3600.0))
    assert life.alert().state == "stale"
    assert escalation.calls(life.alert())
    life.look(verdict(finding(level="CRITICAL")))
    assert life.alert().state == "open"


@pytest.mark.parametrize("after", [3600.0, -3600.0])
def test_who_was_told_of_an_alert_is_told_of_its_end_however_short_the_memory(
    life: Inbox, after: float
) -> None:
    rules = replace(life.rules, reopen_within=0.0, flapping=False)
    life.look(verdict(finding()))
    life.tell(ev.NoticeMade("ops", "opened", "t", "b", (life.key(),)))
    life.look(verdict(status="healthy"))
    assert alerts.archive(life.snapshot, rules, life.wall + after) == []
    life.tell(ev.NoticeMade("ops", "recovered", "t", "b", (life.key(),)))
    assert alerts.archive(life.snapshot, rules, life.wall + after)


def test_a_remedy_from_before_the_clock_was_set_back_proves_nothing(life: Inbox) -> None:
    life.rules = replace(life.rules, clear_checks=2)
    life.tell(ev.ActionVerified("p1", COMPONENT, "restart_worker", "up", 1.0))
    life.wall -= 7200.0
    life.look(verdict(finding()))
    (ended,) = [*life.look(verdict(status="healthy")), None]
    assert ended is None
