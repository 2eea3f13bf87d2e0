from __future__ import annotations

from healmon import alerts
from healmon.clock import Gap
from tests.helpers import inbox
from tests.helpers.inbox import Inbox


def test_all_that_is_wrong_with_healmon_itself() -> None:
    found = alerts.engine_findings(
        {"disks": "no answer within 5 s", "databases": "crashed: KeyError"},
        store="disk full",
        repaired="healmon.db was damaged; kept as x",
        config="line 3: no such key",
    )
    assert [(f.condition, f.severity) for f in found] == [
        ("healer-databases", "CRITICAL"),
        ("healer-disks", "WARNING"),
        ("store", "CRITICAL"),
        ("store-repaired", "WARNING"),
        ("configuration", "WARNING"),
    ]
    assert "disk full" in found[2].message


def test_the_verdict_is_judged_like_any_other() -> None:
    verdict = alerts.engine_verdict(alerts.engine_findings({}, store="locked"))
    assert (verdict.component, verdict.status) == ("healmon", "critical")
    (told,) = inbox.told(Inbox().snapshot, alerts.ENGINE, verdict, 0.0)
    assert told.key == "box/healmon/healmon/store"
    well = alerts.engine_verdict(())
    assert well.status == "healthy"
    assert alerts.engine_verdict((alerts.store_repaired("x"),)).status == "warning"


def test_clock_changes_are_notes() -> None:
    note = alerts.clock_note("box", Gap(suspended=28_800.0, stepped=0.0))
    assert note.message == "the host slept for 28800 s"
    assert note.key == "box/healmon/healmon/clock"
    both = alerts.clock_note("box", Gap(suspended=5.0, stepped=-3_600.0))
    assert both.message == "the host slept for 5 s and the wall clock was set by -3600 s"
