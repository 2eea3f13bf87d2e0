"""Storms: many failures at once are one incident, and its workers stand up one after the other."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from healmon import events as ev
from healmon.config.settings import Monitor
from healmon.plans import Severity, unpack
from healmon.state import replay
from healmon.workers import storm
from healmon.workers.model import HostSeen, Memory, WorkerSeen
from healmon.world.processes import Ended
from tests.helpers.judging import Judging, gone, record, up, verified
from tests.helpers.workerbench import a_worker

KILLED = Ended(signal=9)
NAMES = ("base", "api", "web", "mail", "cron", "logs")


def six(**critical: bool) -> Judging:
    """Six workers: `api` builds on `base`, `web` on `api`; all are up and have long been."""
    after = {"api": ("base",), "web": ("api",)}
    workers = [
        a_worker(name=name, after=after.get(name, ()), critical=critical.get(name, False))
        for name in NAMES
    ]
    judging = Judging(*workers[::-1])
    judging.look(**alive())
    judging.look(**alive(), after=700.0)
    return judging


def alive(*names: str, pid: int = 100) -> dict:
    return {name: up(pid + NAMES.index(name), age=2000.0) for name in (names or NAMES)}


def dead(*names: str, pid: int = 100) -> dict:
    return {name: gone(pid + NAMES.index(name), KILLED) for name in names}


def storm_of(judging: Judging) -> ev.AlertOpened | None:
    found = [e for e in judging.events if isinstance(e, ev.AlertOpened) if "/storm" in e.key]
    return found[-1] if found else None


@pytest.mark.parametrize(
    ("failures", "workers", "least"),
    [(3, 1, 0), (3, 2, 2), (3, 3, 2), (3, 4, 2), (3, 5, 3), (3, 6, 3), (3, 300, 3), (0, 9, 0),
     (1, 9, 2), (10, 8, 4)],
)  # fmt: skip
def test_three_or_half_of_them_but_never_one_alone(failures: int, workers: int, least: int) -> None:
    limits = Monitor(name="here", storm_failures=failures)
    assert storm.threshold(limits, workers) == least


def test_15_all_that_die_in_one_second_are_one_alert() -> None:
    judging = six()
    judging.look(**dead(*NAMES))
    assert judging.open_keys() == {"healmon/storm"}
    alert = storm_of(judging)
    assert alert is not None
    assert alert.level == "WARNING"
    assert alert.component == "healmon"
    assert "6 of 6 workers failed within 1m" in alert.message
    assert all(name in alert.message for name in NAMES)
    assert judging.planned() == {"base": storm.HOLD}, "one, once there was time to look for a cause"
    states = judging.states()
    assert states["api"] == states["web"] == "waiting_dependency"
    judging.look(**dead(*NAMES), after=29.0)
    assert judging.planned() == {"base": pytest.approx(1.0)}


def test_15_they_stand_up_one_after_the_other_in_the_order_of_dependency() -> None:
    judging = six()
    seen = dead(*NAMES)
    judging.look(**seen)
    order: list[str] = []
    judging.clock.advance(storm.HOLD)
    for _ in NAMES:
        judging.look(**seen)
        planned = judging.planned()
        assert len(planned) == 1, f"one at a time, not {planned}"
        (name,) = planned
        order.append(name)
        plan = judging.plan(name)
        assert plan is not None
        judging.make(name)
        judging.look(**seen, after=0.5)
        assert set(judging.planned()) <= {name}, "nobody else while it is under way"
        judging.end(plan)
        seen = recover_now(judging, name, seen)
        assert "healmon/storm" in judging.open_keys()
    judging.look(**seen)
    assert [name for name in order if name in ("base", "api", "web")] == ["base", "api", "web"]
    assert not judging.open_keys(), "all are well: it is over"
    assert not [e for e in judging.events if isinstance(e, ev.AlertOpened) if "/down" in e.key]
    judging.look(**seen, after=20.0)
    assert not judging.open_keys(), "and its failures begin no new one"


def recover_now(judging: Judging, name: str, seen: dict) -> dict:
    pid, born = 200 + NAMES.index(name), judging.now
    judging.clock.advance(1.0)
    return seen | {name: up(pid, age=1.0, record=verified(1, pid, born))}


def test_a_critical_worker_in_it_makes_it_critical() -> None:
    judging = six(mail=True)
    judging.look(**alive("base", "api", "web"), **dead("mail", "cron", "logs"))
    alert = storm_of(judging)
    assert alert is not None
    assert alert.level == "CRITICAL"
    assert "3 of 6 workers" in alert.message


def test_failures_that_are_a_minute_apart_are_no_storm() -> None:
    judging = six()
    seen = alive()
    for name in ("mail", "cron", "logs"):
        seen |= dead(name)
        judging.look(**seen, after=31.0)
    assert storm_of(judging) is None
    assert set(judging.planned()) == {"mail", "cron", "logs"}


def test_the_third_failure_calls_off_the_starts_that_wait() -> None:
    judging = six()
    seen = alive() | dead("mail")
    judging.look(**seen)
    judging.make("mail")
    seen |= dead("cron")
    judging.look(**seen, after=1.0)
    judging.make("cron")
    assert not judging.diagnosis.hold
    seen |= dead("logs")
    judging.look(**seen, after=1.0)
    assert set(judging.diagnosis.hold) == {"mail", "cron"}
    assert judging.plan("logs") is None


def test_a_persons_start_is_never_called_off() -> None:
    judging = six()
    seen = alive() | dead("mail")
    judging.look(**seen)
    judging.make("mail", origin="you")
    judging.look(**seen | dead("cron", "logs"), after=1.0)
    assert not judging.diagnosis.hold


def test_an_alert_that_is_open_stays_open_and_does_not_rise() -> None:
    judging = six()
    seen = alive() | dead("mail")
    judging.look(**seen)
    judging.look(**seen, after=130.0)
    assert judging.open_keys() == {"mail/down"}
    judging.look(**seen | dead("cron", "logs", "base"), after=1.0)
    assert judging.open_keys() == {"mail/down", "healmon/storm"}
    alert = judging.alert("down", "mail")
    assert alert is not None
    assert alert.severity == "WARNING"


def test_quarantine_is_told_when_the_storm_is_over() -> None:
    judging = six()
    failed = {
        name: gone(record=record(1, outcome="failed", fault="command", reason="no such file"))
        for name in ("mail", "cron", "logs")
    }
    judging.look(**alive() | failed)
    assert judging.states()["mail"] == "quarantined"
    assert judging.open_keys() == {"healmon/storm"}
    judging.look(**alive() | failed, after=storm.CALM + 1)
    left = {"mail/down", "cron/down", "logs/down"}
    assert judging.open_keys() == left | {"healmon/storm"}
    assert "quarantined: no such file" in judging.message("down", "mail")
    told = judging.snapshot.alerts["here/workers/healmon/storm"]
    assert told.severity == "CRITICAL", "what was given up makes the one incident worse"
    assert told.message == "3 workers that failed together are still down: logs, cron, mail"


def test_what_is_left_of_a_storm_is_one_incident_as_long_as_it_is_more_than_one() -> None:
    judging = six()
    failed = {
        name: gone(record=record(1, outcome="failed", fault="command", reason="no such file"))
        for name in ("mail", "cron", "logs")
    }
    judging.look(**alive() | failed)
    judging.look(**alive() | failed, after=storm.CALM + 1)
    seen = alive() | failed
    seen["mail"] = up(900, age=2_000.0)  # a person has started it
    judging.look(**seen, after=2_000.0)
    alert = judging.snapshot.alerts["here/workers/healmon/storm"]
    assert alert.evidence["workers"] == ["logs", "cron"]
    seen["cron"] = up(901, age=2_000.0)
    judging.look(**seen, after=2_000.0)
    judging.look(**seen, after=2_000.0)
    assert judging.open_keys() == {"logs/down"}


def test_a_host_that_lacks_something_fails_them_all_and_that_is_a_storm() -> None:
    judging = six()
    reason = "cannot run x: out of processes"
    failed = {
        name: gone(record=record(1, outcome="failed", fault="host", reason=reason))
        for name in ("mail", "cron", "logs")
    }
    judging.look(**alive() | failed)
    assert judging.open_keys() == {"healmon/storm"}
    assert judging.memory("mail").failures == ()


def test_one_that_falls_while_it_lasts_joins_it() -> None:
    judging = six()
    seen = alive() | dead("mail", "cron", "logs")
    judging.look(**seen)
    seen |= dead("base")
    judging.look(**seen, after=100.0)
    assert judging.open_keys() == {"healmon/storm"}
    evidence = judging.snapshot.alerts["here/workers/healmon/storm"].evidence
    assert "base" in evidence["workers"]


def test_what_falls_in_maintenance_is_no_storm() -> None:
    judging = six()
    judging.emit(ev.MaintenanceStarted("*", judging.clock.read().wall + 3600, "me"))
    judging.look(**dead(*NAMES))
    assert storm_of(judging) is None
    assert judging.memory("mail").failures == ()


def test_a_storm_outlives_healmon_and_a_replay() -> None:
    judging = six()
    seen = alive() | dead("mail", "cron", "logs")
    judging.look(**seen)
    since = judging.memory("mail").storm
    assert since is not None
    judging.restarted()
    judging.look(**seen)
    assert judging.memory("mail").storm == since
    assert judging.open_keys() == {"healmon/storm"}
    again = replay(
        ev.Recorded(n, judging.clock.read().wall, event)
        for n, event in enumerate(judging.events, 1)
    )
    assert unpack(again.memory["mail"], Memory).storm == since


# What they may have in common.


def observed(
    judging: Judging, healer: str, name: str, status: Severity, summary: str, **facts: object
) -> None:
    judging.emit(ev.Observed(healer, name, status, summary, "t", "v", facts))


def test_the_shared_causes_are_named() -> None:
    judging = six()
    observed(judging, "disks", "disk:/", "critical", "98 % used, 2 GB free")
    observed(judging, "disks", "disk:/srv", "warning", "86 % used")
    observed(
        judging, "databases", "database:main", "critical", "locked by pid 9", verdict="stopped"
    )
    observed(judging, "databases", "database:wal", "warning", "x", verdict="reader-pins-wal")
    judging.host = HostSeen(memory_total=100, memory_available=4)
    judging.look(**dead(*NAMES))
    alert = storm_of(judging)
    assert alert is not None
    for words in ("disk:/ is full: 98 % used", "database:main: locked by pid 9", "out of memory"):
        assert words in alert.message
    assert "srv" not in alert.message
    assert "reader" not in alert.message


def test_that_there_is_no_shared_cause_to_be_seen_is_said() -> None:
    judging = six()
    judging.host = HostSeen(memory_total=100, memory_available=50)
    judging.look(**dead(*NAMES))
    alert = storm_of(judging)
    assert alert is not None
    assert "none is to be seen" in alert.message


def test_a_cause_that_shows_later_is_told_in_the_same_alert() -> None:
    judging = six()
    judging.look(**dead(*NAMES))
    observed(judging, "disks", "disk:/", "critical", "98 % used, 2 GB free")
    judging.look(**dead(*NAMES), after=10.0)
    assert judging.open_keys() == {"healmon/storm"}
    message = judging.snapshot.alerts["here/workers/healmon/storm"].message
    assert "disk:/ is full" in message


def test_the_memory_says_nothing_of_storms_that_are_over() -> None:
    memory = Memory(storm=5.0, fell=6.0)
    assert storm.marked(memory, "w", None) == Memory()
    assert replace(memory) == storm.marked(
        memory, "w", storm.Storm(since=5.0, motion=6.0, members=frozenset({"w"}))
    )


# What is no storm: one that fails anyway, and another one's first fall.


def two(**more: object) -> Judging:
    return Judging(a_worker(name="bad", critical=True, **more), a_worker(name="good"))


def refused(number: int, **more: object) -> WorkerSeen:
    """A look after a start that came to nothing."""
    told = {"outcome": "failed", "fault": "worker", "reason": "exit code 3 at once", **more}
    return gone(record=record(number, **told))


@pytest.mark.parametrize("fault", ["command", "worker"])
def test_one_that_can_never_start_makes_no_storm_of_anothers_first_fall(fault: str) -> None:
    judging = two()
    judging.look(bad=gone(), good=up(20))
    judging.look(bad=refused(1, fault=fault), good=up(20), after=1.0)
    assert judging.memory("bad").failures, "it has failed"
    judging.look(bad=refused(1, fault=fault), good=gone(20, KILLED), after=10.0)
    assert storm_of(judging) is None
    assert judging.planned()["good"] == 5.0, "its own delay, and no half minute more"


def test_one_that_has_failed_for_minutes_makes_no_storm_of_anothers_first_fall() -> None:
    judging = two(max_failures=50, slow_failures=50)
    judging.look(bad=up(10, age=2000.0), good=up(20, age=2000.0))
    judging.look(bad=gone(10, KILLED), good=up(20))
    for number in range(1, 5):
        judging.look(bad=refused(number), good=up(20), after=25.0)
    judging.look(bad=refused(4), good=gone(20, KILLED), after=1.0)
    assert storm_of(judging) is None
    assert judging.planned()["good"] == 5.0


def test_both_that_fell_within_a_minute_are_a_storm_whatever_became_of_the_first() -> None:
    judging = two()
    judging.look(bad=up(10, age=2000.0), good=up(20, age=2000.0))
    judging.look(bad=gone(10, KILLED), good=up(20))
    judging.look(bad=refused(1), good=up(20), after=20.0)
    judging.look(bad=refused(1), good=gone(20, KILLED), after=20.0)
    assert storm_of(judging) is not None


def test_none_that_can_be_started_when_the_host_begins_is_a_storm() -> None:
    judging = six()
    judging.boot = "another boot"
    judging.look()
    names = ("mail", "cron", "logs")
    judging.look(**{name: refused(1) for name in names}, after=5.0)
    assert storm_of(judging) is not None


def test_what_falls_together_again_and_again_is_a_storm_each_time() -> None:
    judging = six()
    for number in range(1, 4):
        judging.look(**dead(*NAMES, pid=100 * number))
        assert judging.memory("mail").storm == judging.now
        fresh = {n: up(100 * (number + 1) + NAMES.index(n), age=1.0) for n in NAMES}
        judging.look(**fresh, after=60.0)
        judging.look(**fresh, after=90.0)
        assert judging.memory("mail").storm is None


def test_one_that_fails_again_and_again_does_not_join_a_storm() -> None:
    judging = six()
    seen = alive() | dead("mail")
    for number in range(4):
        judging.look(**seen, after=25.0)
        seen["mail"] = refused(number + 1)
    judging.look(**seen | dead("cron", "logs", "base"), after=25.0)
    alert = storm_of(judging)
    assert alert is not None
    assert "3 of 6 workers" in alert.message


def test_in_a_storm_whoever_was_not_tried_comes_before_whoever_failed_again() -> None:
    judging = two()
    judging.look(bad=up(10, age=2000.0), good=up(20, age=2000.0))
    judging.look(bad=gone(10, KILLED), good=gone(20, KILLED))
    judging.look(bad=gone(10, KILLED), good=gone(20, KILLED), after=storm.HOLD)
    assert set(judging.planned()) == {"bad"}, "the critical one first"
    judging.look(bad=refused(1), good=gone(20, KILLED), after=1.0)
    judging.look(bad=refused(1), good=gone(20, KILLED), after=60.0)
    assert set(judging.planned()) == {"good"}, "both are due: now it is the other's turn"


def test_those_that_hang_in_each_start_leave_a_place_to_others() -> None:
    limits = Monitor(name="here", storm_failures=0)
    names = ("bad1", "bad2", "good")
    judging = Judging(*(a_worker(name=name, critical=name != "good") for name in names),
                      limits=limits)  # fmt: skip
    judging.look(*(up(10 * n, age=2000.0) for n in (1, 2, 3)))
    seen = {"bad1": gone(10, KILLED), "bad2": gone(20, KILLED), "good": up(30)}
    judging.look(**seen)
    seen |= {"bad1": refused(1), "bad2": refused(1)}
    judging.look(**seen, after=30.0)
    judging.look(**seen, after=60.0)
    assert judging.order("bad1").again
    for name in ("bad1", "bad2"):
        if name in judging.planned():
            judging.make(name)
    judging.look(**seen, after=10.0)
    seen["good"] = gone(30, KILLED)
    judging.look(**seen)
    assert judging.planned()["good"] == 5.0
    judging.look(**seen, after=5.0)
    assert judging.planned()["good"] == 0.0, "both of them hang in their starts, and it has a place"
