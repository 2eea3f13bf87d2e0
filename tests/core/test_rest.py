"""What stands is not said again: until something was seen, done, held or found to be wrong."""

from __future__ import annotations

import pytest

from healmon import events as ev
from healmon.plans import Diagnosis, Finding, Plan, Verdict
from healmon.state import FOREVER, Rest, Snapshot, apply

SEEN = ("free", "free")
PLAN = Plan("databases", "database:a", "heal_database", "", "", (), "", "", {}, id="p1")
ODD = Finding("odd", "INFO", "odd")
QUIET = Verdict("database:a", "healthy", "free", "database", "free", {"verdict": "free"})
OTHER = Verdict("database:b", "healthy", "free", "database", "free", {"verdict": "free"})


def told(*events: ev.Event) -> Snapshot:
    """A host on which two databases were found to be free, and what happened then."""
    begun: list[ev.Event] = [
        ev.EngineStarted("box", "1", 1, "daemon", False, 60.0, "boot", 0.0, "digest"),
        *(
            ev.Observed("databases", one.component, one.status, one.summary, "", "", one.facts)
            for one in (QUIET, OTHER)
        ),
    ]
    return after(Snapshot(), *begun, *events)


def after(known: Snapshot, *events: ev.Event) -> Snapshot:
    for event in events:
        known = apply(known, ev.Recorded(known.last_id + 1, 1000.0 + known.last_id, event))
    return known


def resting(known: Snapshot, *said: Verdict) -> Rest:
    rest = Rest("databases")
    rest.keep(SEEN, Diagnosis(said or (QUIET, OTHER)), known)
    return rest


def test_the_same_look_at_the_same_things_stands_whatever_happens_elsewhere():
    known = told()
    rest = resting(known)
    known = after(
        known,
        ev.CycleStarted(7),
        ev.Observed("disks", "disk:/", "healthy", "12 %", "", "", {}),
        ev.Remembered("disk:/", {"level": "ok"}),
        ev.AlertOpened("box/disks/disk:/b/full", "WARNING", "disk:/b", "full", {}),
    )
    assert rest.stands(SEEN, known)
    assert not rest.stands(("free", "locked"), known)


@pytest.mark.parametrize(
    "event",
    [
        ev.Observed("databases", "database:a", "unknown", "not seen", "", "", {}),
        ev.ComponentGone("database:b"),
        ev.Remembered("database:a", {"since": 3.0}),
        ev.HealerFailed("databases", "it hangs"),
        ev.MaintenanceStarted("database:*", FOREVER, "tester"),
        ev.PlanMade(PLAN, 5.0, 1005.0),
        ev.AlertPended("box/databases/database:a/locked", "WARNING", "database:a", "locked", {}),
        ev.AlertOpened("box/databases/healmon/many", "WARNING", "healmon", "many", {}),
    ],
    ids=ev.kind_of,
)
def test_whatever_happens_to_them_ends_that(event):
    known = told()
    rest = resting(known)
    assert rest.stands(SEEN, known)
    known = after(known, event)
    assert not rest.stands(SEEN, known)
    assert not resting(known).stands(SEEN, known), "nor is it kept now"


@pytest.mark.parametrize(
    "said",
    [
        Verdict("database:a", "healthy", "busy", "database", "busy", {"verdict": "busy"}),
        Verdict(
            "database:a", "healthy", "free", "", "", QUIET.facts, (Finding("odd", "INFO", "o"),)
        ),
        Verdict("database:a", "healthy", "free", "", "", QUIET.facts, plan=PLAN),
        Verdict("database:a", "healthy", "free", "", "", QUIET.facts, memory={"since": 1.0}),
        Verdict("database:new", "healthy", "free", "", "", QUIET.facts),
    ],
    ids=["news", "finding", "plan", "memory", "new"],
)
def test_what_is_yet_to_be_told_is_not_kept(said):
    known = told()
    assert not resting(known, said, OTHER).stands(SEEN, known)


@pytest.mark.parametrize(
    "more", [{"look_again": 7.0}, {"gone": ("database:c",)}, {"systemic": (ODD,)}], ids=str
)
def test_whoever_wants_to_look_again_is_not_at_rest(more):
    known, rest = told(), Rest("databases")
    rest.keep(SEEN, Diagnosis((QUIET, OTHER), **more), known)
    assert not rest.stands(SEEN, known)


def test_it_ends_with_the_run():
    known = told()
    rest = resting(known)
    known = after(known, ev.EngineStarted("box", "1", 2, "daemon", False, 60.0, "boot", 0.0, ""))
    assert not rest.stands(SEEN, known)


def test_an_end_of_rest_lasts_until_something_is_kept_again():
    known = told()
    rest = resting(known)
    rest.end()
    assert not rest.stands(SEEN, known)
    rest.keep(SEEN, Diagnosis((QUIET, OTHER)), known)
    assert rest.stands(SEEN, known)
