"""The gate: who is held back by what, and for how long."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from healmon import gate
from healmon.plans import Plan
from healmon.state import ActionView, AlertView, EngineView, Snapshot

NOW = 1_700_000_000.0
PLAN = Plan(
    healer="disks", component="disk:/", action="clean", subject="/", why="", steps=(), proof="",
    on_failure="", order={}, cooldown=600.0,
)  # fmt: skip
FAILED = ActionView("disk:/", "clean", ok=False, outcome="still full", seconds=1.0, at=NOW - 60)
WORKED = replace(FAILED, ok=True)


def said(*recent, plan=PLAN, alerts=None, maintenance=None, dry_run=False):
    known = Snapshot(
        engine=EngineView(host="h"), recent=recent, alerts=alerts or {},
        maintenance=maintenance or {},
    )  # fmt: skip
    return gate.refusal(plan, known, NOW, dry_run=dry_run)


def flapping(state="open"):
    key = "h/disks/disk://flapping"
    return {key: AlertView(1, key, "disk:/", "WARNING", state, "", 3, NOW - 900, NOW)}


def test_an_attempt_that_failed_is_not_made_again_before_its_time():
    assert said() == ""
    assert "still full" in said(FAILED)
    assert said(replace(FAILED, at=NOW - 600)) == ""
    assert said(FAILED, WORKED) == "", "the newest counts"
    assert said(replace(FAILED, component="disk:/srv"), replace(FAILED, action="other")) == ""


def test_an_attempt_of_the_future_holds_nobody_back_for_longer_than_the_cool_down():
    """A moment is rounded; where the clock was set back unheard, it might be years ahead."""
    assert said(replace(FAILED, at=NOW + 0.001)) != ""
    assert said(replace(FAILED, at=NOW + PLAN.cooldown)) == ""


def test_what_works_and_does_not_last_cools_down_once_it_is_told_as_flapping():
    assert said(WORKED) == ""
    assert said(WORKED, alerts=flapping("pending")) == ""
    assert "again and again" in said(WORKED, alerts=flapping())


def test_a_person_passes_the_cool_down_and_nothing_else():
    asked = replace(PLAN, origin="tui")
    assert said(FAILED, plan=asked) == ""
    assert said(WORKED, plan=asked, alerts=flapping()) == ""
    assert said(plan=asked, dry_run=True) == "dry run"
    assert said(plan=asked, maintenance={"disk:/": NOW + 60})
    assert "never to touch" in said(plan=asked, maintenance={"disk:/": gate.FOREVER})


@pytest.mark.parametrize("name", ["disk:/", "disk:*", gate.EVERYTHING])
def test_a_pause_holds_until_its_moment(name):
    assert said(maintenance={name: NOW + 1})
    assert said(maintenance={name: NOW - 1}) == ""


def test_an_attempt_of_the_run_before_cools_down_as_well():
    known = Snapshot(outcomes={"disk:/": {"clean": FAILED}})
    assert "still full" in gate.refusal(PLAN, known, NOW, dry_run=False)
    assert not gate.refusal(replace(PLAN, action="other"), known, NOW, dry_run=False)
