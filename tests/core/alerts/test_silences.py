"""Silences and maintenance: what they cover, how they end, what they tell of the time between."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from healmon import alerts
from healmon import events as ev
from healmon.gate import FOREVER, refusal
from healmon.plans import Overlays, Plan
from healmon.state import Snapshot, replay

NOW = 1_000_000.0
NAMES = ("task_worker", "session:a", "session:build-1", "session:build-2", "disk:/", "healmon")


def folded(*events) -> Snapshot:
    return replay(ev.Recorded(n, NOW + n, event) for n, event in enumerate(events, 1))


def opened(component, condition="bad", level="WARNING"):
    return ev.AlertOpened(f"box/x/{component}/{condition}", level, component, f"{component} is bad")


def seen(component):
    return ev.Observed("x", component, "healthy", "", "t", "1", {})


def silence(match, until=NOW + 3600):
    return ev.SilenceStarted(match, until, "olga", "on it")


def plan(component, action="restart_worker", **more) -> Plan:
    return Plan("x", component, action, "s", "why", (), "", "", {}, id="1", **more)


def alert_in(snapshot, component):
    return next(a for a in snapshot.alerts.values() if a.component == component)


def test_the_silence_that_lasts_longest_lies_over_an_alert():
    known = folded(
        opened("session:a"),
        silence("component=session:*", NOW + 100),
        silence("id=1", NOW + 200),
        silence("component=disk:*", NOW + 900),
    )
    alert = alert_in(known, "session:a")
    assert alerts.silence_of(known, alert, NOW + 50) == "3"
    assert alerts.silence_of(known, alert, NOW + 200) == ""
    assert alerts.silence_of(known, alert, NOW + 199.9) == "3"


def test_a_silence_of_a_severity_ends_with_a_rise():
    known = folded(opened("disk:/", "full"), silence("component=disk:* severity=WARNING"))
    assert alerts.silence_of(known, alert_in(known, "disk:/"), NOW)
    worse = ev.AlertUpdated("box/x/disk://full", "CRITICAL", "fuller")
    known = folded(opened("disk:/", "full"), silence("component=disk:* severity=WARNING"), worse)
    assert not alerts.silence_of(known, alert_in(known, "disk:/"), NOW)


def test_a_silence_that_is_not_understood_mutes_nothing():
    known = folded(opened("session:a"), silence("weather=rain"), silence(""))
    assert alerts.silence_of(known, alert_in(known, "session:a"), NOW) == ""


def test_the_end_of_a_silence_says_what_it_muted():
    over = ev.AlertOverlaid("box/x/session:a/bad", Overlays(silenced_by="1"))
    both = (silence("component=session:*", NOW + 60), opened("session:a"), opened("disk:/"), over)
    (ended,) = alerts.expire_silences(folded(*both, over), NOW + 60)
    assert ended == ev.SilenceEnded(1, "its time is over; 1 alert was muted, still open")
    gone = ev.AlertResolved("box/x/session:a/bad", "fine")
    (ended,) = alerts.expire_silences(folded(*both, gone), NOW + 60)
    assert ended == ev.SilenceEnded(1, "its time is over; 1 alert was muted, all over now")
    (ended,) = alerts.expire_silences(folded(silence("id=9", NOW)), NOW)
    assert ended == ev.SilenceEnded(1, "its time is over; nothing was muted")
    assert folded(*both, ended).silences == {}
    assert alerts.expire_silences(folded(*both), NOW + 59) == []


def test_what_a_match_means_now_is_known_before_it_is_saved():
    known = folded(opened("session:a"), opened("disk:/", "full", "CRITICAL"))
    everything = alerts.matched(known, alerts.parse("*"))
    assert [alert.component for alert in everything] == ["disk:/", "session:a"]
    assert alerts.unknown_ids(known, alerts.parse("1,7,8")) == ("7", "8")
    assert alerts.unknown_ids(known, alerts.parse("id!=9")) == ()


def test_a_pause_stays_the_hand_over_all_that_is_like_it():
    known = folded(
        *map(seen, NAMES),
        ev.MaintenanceStarted("session:build-*", NOW + 100, "olga", "new compiler"),
    )

    def said(component, now=NOW):
        return refusal(plan(component), known, now, dry_run=False)

    assert said("session:build-2") == "maintenance of session:build-*"
    assert said("session:a") == ""
    assert said("session:build-2", NOW + 100) == ""
    covered = alerts.covered(known, "session:build-*")
    assert [view.name for view in covered] == ["session:build-1", "session:build-2"]
    assert len(alerts.covered(known, "*")) == len(NAMES)


def test_maintenance_mutes_what_it_covers_but_never_healmon_nor_what_is_never_touched():
    known = folded(
        *(opened(name) for name in NAMES),
        ev.MaintenanceStarted("*", NOW + 100, "olga"),
        ev.MaintenanceStarted("session:a", FOREVER, "olga"),
        ev.MaintenanceStarted("session:build-*", NOW + 200, "olga"),
    )
    over = {n: alerts.maintenance_of(known, alert_in(known, n), NOW) for n in NAMES}
    assert over == {
        "task_worker": "*", "session:a": "*", "session:build-1": "session:build-*",
        "session:build-2": "session:build-*", "disk:/": "*", "healmon": "",
    }  # fmt: skip
    only = folded(opened("session:a"), ev.MaintenanceStarted("session:a", FOREVER, "olga"))
    assert alerts.maintenance_of(only, alert_in(only, "session:a"), NOW) == ""


def refused(component, pause, action="restart_worker", **more):
    reason = "maintenance" if pause == "*" else f"maintenance of {pause}"
    return ev.PlanRefused(plan(component, action, **more), reason)


def test_the_end_of_maintenance_sums_up_what_would_have_been_done():
    known = folded(
        ev.MaintenanceStarted("*", NOW + 100, "olga"),
        ev.MaintenanceStarted("session:*", NOW + 900, "olga"),
        refused("task_worker", "*"),
        refused("disk:/", "*", "clean_disk"),
        refused("task_worker", "*"),
        refused("session:a", "session:*", "clear_stuck_session"),
        refused("task_worker", "*", origin="alice"),
        ev.PlanRefused(plan("task_worker"), "dry run"),
        ev.EngineStarted("box", "1", 2, "m", dry_run=False, interval=1, boot="", steady_offset=0),
    )
    (ended,) = alerts.expire_maintenance(known, NOW + 100)
    assert ended == ev.MaintenanceEnded(
        "*", "its time is over", ("restart_worker task_worker, 2 times", "clean_disk disk:/")
    )
    other = alerts.end_maintenance(known, "session:*", "resumed by olga")
    assert other.would == ("clear_stuck_session session:a",)


def test_what_is_refused_in_the_next_maintenance_counts_anew():
    first = (ev.MaintenanceStarted("*", NOW + 9, "olga"), refused("task_worker", "*"))
    longer = folded(*first, ev.MaintenanceStarted("*", NOW + 99, "ann", "more"))
    assert longer.pauses["*"].would == {"restart_worker task_worker": 1}
    assert (longer.pauses["*"].since, longer.pauses["*"].by) == (NOW + 1, "ann")
    assert "task_worker" in longer.refusals
    again = folded(*first, ev.MaintenanceEnded("*", ""), ev.MaintenanceStarted("*", NOW + 99, "a"))
    assert again.pauses["*"].would == {}
    assert again.refusals == {}


starts = st.tuples(
    st.sampled_from(["*", "session:*", "session:build-?", *NAMES]), st.integers(-50, 200)
)


@given(st.lists(starts, max_size=5), st.sampled_from(NAMES))
def test_gate_and_overlay_agree(pauses, component):
    known = folded(
        opened(component), *(ev.MaintenanceStarted(n, NOW + left, "x") for n, left in pauses)
    )
    said = refusal(plan(component), known, NOW, dry_run=False)
    over = alerts.maintenance_of(known, alert_in(known, component), NOW)
    if component == "healmon":
        assert not over
    else:
        assert bool(said) is bool(over)
        assert said == (
            "" if not over else "maintenance" if over == "*" else f"maintenance of {over}"
        )
