"""What is told besides the level: exchanged files, refused places, deleted files that pin. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from healmon.clock import ManualClock
from healmon.config.settings import Disk
from healmon.disks.culprits import Culprits, Pinned
from healmon.disks.diagnose import diagnose
from healmon.disks.model import CLEAN, Count, DiskSeen, Gauge, Seen, Target
from healmon.plans import Finding, Packed
from healmon.state import ActionView, Snapshot

ROOT = Target("disk:/", "filesystem", "/")
MB = 1_000_000
NOW = ManualClock().read()


def gauge(percent: float) -> Gauge:
    used = int(percent * MB)
    return Gauge(used=used, free=100 * MB - used, size=100 * MB, capacity=100 * MB, percent=percent)


def judged(seen: DiskSeen, memory: Packed | None = None, *recent: ActionView, at: float = 0.0):
    known = Snapshot(memory={ROOT.component: memory or {}}, recent=recent)
    now = replace_wall(at)
    (verdict,) = diagnose(Seen((seen,)), Disk(), known, now).verdicts
    return verdict


def replace_wall(by: float):
    clock = ManualClock()
    clock.advance(by)
    return clock.read()


def named(verdict, condition: str) -> list[Finding]:
    return [one for one in verdict.findings if one.condition == condition]


def cleaning(swapped: int, at: float = NOW.wall, *, ok: bool = True) -> ActionView:
    return ActionView(ROOT.component, CLEAN, ok, "done", 1.0, at, {"kept": {"swapped": swapped}})


def test_files_exchanged_while_they_were_cleaned_are_told_for_a_day():
    seen = DiskSeen(target=ROOT, gauge=gauge(50))
    for ok in (True, False):
        verdict = judged(seen, None, cleaning(2, ok=ok))
        (found,) = named(verdict, "swapped")
        assert "2 files were exchanged" in found.message
        assert verdict.status == "warning"
    later = judged(seen, verdict.memory, at=3600.0)
    assert named(later, "swapped") == [found], "the same words while it lasts"
    assert not named(judged(seen, later.memory, at=90_000.0), "swapped")
    assert not named(judged(seen, verdict.memory, cleaning(0, NOW.wall + 60), at=61.0), "swapped")


def test_a_rule_whose_place_became_a_link_is_told_though_others_go_on():
    text = "rule logs: /logs goes through a symbolic link: name the real directory"
    seen = DiskSeen(target=ROOT, gauge=gauge(90), count=Count(refused=(text,), idle=(text,)))
    (found,) = named(judged(seen), "refused")
    assert text in found.message
    assert not named(judged(replace(seen, count=Count(idle=(text,)))), "refused")


def held(*by: str, size: int = 40 * MB) -> Culprits:
    pinned = tuple(Pinned(path=f"/x/{n}", held=size, by=one, remedy="") for n, one in enumerate(by))
    return Culprits(at=1.0, pinned=pinned, pinned_bytes=size * len(pinned))


def test_the_alert_names_who_holds_deleted_files_and_does_not_chatter():
    seen = DiskSeen(target=ROOT, gauge=gauge(96), culprits=held("rsyslogd (12)"))
    verdict = judged(seen)
    (found,) = named(verdict, "full")
    assert "40.0 MB of it in deleted files that are still open: rsyslogd (12)" in found.message
    grown = judged(replace(seen, culprits=held("rsyslogd (12)", size=41 * MB)), verdict.memory)
    assert named(grown, "full")[0].message == found.message
    other = judged(replace(seen, culprits=held("a (1)", "b (2)")), verdict.memory)
    assert "80.0 MB" in named(other, "full")[0].message
    assert "a (1), b (2)" in named(other, "full")[0].message
    gone = judged(replace(seen, culprits=held()), other.memory)
    assert "still open" not in named(gone, "full")[0].message
    small = replace(seen, culprits=held("a (1)", size=MB // 2))
    assert "still open" not in named(judged(small), "full")[0].message
