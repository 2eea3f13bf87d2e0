"""What rules may do in a target, and how that is told, before anything is looked at."""

from __future__ import annotations

from healmon.clock import ManualClock
from healmon.config.settings import Budget, Disk, Rule
from healmon.disks.cover import cover_of, targets_of
from healmon.disks.model import DiskFacts
from healmon.disks.planning import clean_plan


def disk_of(path: str, *, protect: tuple[str, ...] = (), **keys: object) -> Disk:
    rule = Rule(name="logs", paths=(path,), patterns=("*.log.*",), older_than=1.0, **keys)
    budgets = (Budget(path=path, limit=1000),)
    return Disk(paths=(), budgets=budgets, rules=(rule,), protect=protect)


def test_a_place_below_a_protected_one_is_told_and_not_entered():
    disk = disk_of("/srv/app/logs", protect=("/srv/app",))
    cover = cover_of(disk, targets_of(disk)[0], None, "/state", lambda _: "")
    assert not cover.jobs
    assert "is protected" in cover.idle[0]


def test_a_protected_place_below_a_rule_s_own_is_entered_by_none_of_its_walks():
    for keys in ({}, {"action": "trash"}, {"action": "truncate"}, {"backup": "/copies"}):
        disk = disk_of("/srv", protect=("/srv/app",), **keys)
        (job,) = cover_of(disk, targets_of(disk)[0], None, "/state", lambda _: "").jobs
        assert {"/srv/app", "/state"} <= set(job.selection.protected)


def test_who_owns_what_is_looked_up_and_a_stranger_frees_nothing():
    users = {"app": 1001, "7": 7}.get
    disk = disk_of("/srv", owner=("app", "7"), larger_than=5)
    (job,) = cover_of(disk, targets_of(disk)[0], None, "/state", lambda _: "", users).jobs
    assert (job.selection.owners, job.selection.larger_than) == ((1001, 7), 5)
    disk = disk_of("/srv", owner=("app", "ghost"))
    cover = cover_of(disk, targets_of(disk)[0], None, "/state", lambda _: "", users)
    assert not cover.jobs
    assert cover.idle == ("rule logs: there is no user ghost",)


def test_the_plan_says_which_files_a_rule_means():
    disk = disk_of("/srv", owner=("app",), larger_than=5, smaller_than=10**6)
    facts = DiskFacts(kind="budget", path="/srv")
    plan = clean_plan(targets_of(disk)[0], facts, disk, ManualClock().read(), by_hand=True)
    assert "files older than 1s, larger than 5B, smaller than 1MB, of app" in plan.steps[0].text
