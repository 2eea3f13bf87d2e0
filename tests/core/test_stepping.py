"""A wall clock that is set moves every moment of the snapshot; what tells it over a restart."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from msgspec.structs import replace

from healmon import events as ev
from healmon import state
from healmon.attempts import Attempt
from healmon.clock import BELIEVED, Gap, Reading
from healmon.plans import Plan
from healmon.state import FOREVER, Snapshot, apply
from healmon.state.stepping import missed, resumed
from healmon.state.views import EngineView

AT = 1_700_000_000.0
HOUR = 3600.0
PLAN = Plan("workers", "w", "restart_worker", "1", "why", (), "", "", {}, id="p")
STAY = {
    "attempts.x.0.due",  # steady seconds
    "plans.w.due", "recent.0.seconds", "outcomes.w.x.seconds", "cycle.seconds",
    "cycle.looks.a", "engine.interval",
    "engine.steady_offset", "engine.slept", "counts.seconds.x", "memory.w.failures.0",
    "notices.4.stamp",  # a part of its name
}  # fmt: skip
"""Numbers that are no moment of the wall clock. Whoever adds one says here which kind it is."""


def everything() -> Snapshot:
    """A state in which every field that may hold a moment holds one."""
    alert = state.AlertView(
        1, "box/w/down", "w", "WARNING", "open", "down", 1, AT, AT, {}, AT, "a", "", AT, AT, AT,
        told={"mail": AT}, unanswered_since=AT, turns=(AT,),
    )  # fmt: skip
    held = state.HeldAlert(1, "w", "WARNING", "down", over_at=AT)
    view = state.ComponentView("w", "workers", "healthy", "", {}, AT, AT)
    disk = state.ComponentView("d", "disks", "healthy", "", {}, AT, AT)
    base = state.ComponentView("b", "databases", "healthy", "", {}, AT, AT)
    return Snapshot(
        at=AT,
        engine=EngineView(lead=50.0, slept=5.0, started_at=AT, steady_offset=7.0),
        cycle=state.CycleView(1, False, AT, AT, 1.5, AT, (), {"a": 0.5}),
        components={"w": view, "d": disk, "b": base, "s": replace(view, healer="sessions")},
        memory={
            "w": {"since": AT, "down_wall": AT, "retry_wall": AT, "at_wall": AT, "failures": [5.5]},
            "d": {"cleaned_at": AT, "failure": AT, "swapped_at": AT},
            "b": {"since_wall": AT, "heard": AT},
            "s": {"attempt_wall": AT},
        },
        plans={"w": state.PlanView(PLAN, False, AT, 9.5, AT)},
        refusals={"w": state.RefusalView("x", "1", "no", AT)},
        alerts={alert.key: alert},
        ended={"box/w/hung": replace(alert, key="box/w/hung")},
        silences={"3": state.SilenceView(3, "x", AT, AT, "a")},
        notices={"4": state.NoticeView(4, "mail", "opened", "", "", (), AT, AT, stamp=AT)},
        channels={"mail": state.ChannelView((AT,), AT, "", 1, AT, AT)},
        held={"silence:3": state.HeldView(AT, {"k": held}, AT)},
        maintenance={"w": AT, "never": FOREVER},
        pauses={"w": state.PauseView(AT, "a")},
        recent=(state.ActionView("w", "x", True, "", 2.5, AT),),
        outcomes={"w": {"x": state.ActionView("w", "x", True, "", 2.5, AT)}},
        attempts={"x": (Attempt("w", "1", "healmon", AT, 9.5),)},
        counts=state.Counts(seconds={"x": 3.5}),
    )


def numbers(value: object, path: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, float):
        yield path.removeprefix("."), value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from numbers(part, f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for place, part in enumerate(value):
            yield from numbers(part, f"{path}.{place}")


def flat(snapshot: Snapshot) -> dict[str, float]:
    return dict(numbers(msgspec.to_builtins(replace(snapshot, steps=()))))


@pytest.mark.parametrize("by", [365 * 24 * HOUR, -365 * 24 * HOUR, -AT - 5.0, 0.25])
def test_every_moment_is_as_far_away_as_before(by):
    before = everything()
    after = apply(before, ev.Recorded(9, AT + by, ev.ClockJumped(0.0, by)))
    moves = flat(after)
    for path, number in flat(before).items():
        if path in {"at", "engine.lead"}:
            continue
        stays = path in STAY or number == FOREVER or path.startswith("plans.w.plan.")
        assert moves[path] == pytest.approx(number if stays else number + by, abs=0.001), path
    assert after.engine.lead == 50.0 + by
    assert after.steps == ((AT + by, by, 0.0),)


def test_every_kind_of_moment_is_in_the_state_that_is_tested():
    given = flat(everything())
    assert [path for path, number in given.items() if number == 0.0] == ["plans.w.plan.delay"]
    empty = {name for name in Snapshot.__struct_fields__ if not getattr(everything(), name)}
    assert empty == {"last_id", "failing", "tallies", "steps"}


def test_a_host_that_slept_moves_nothing():
    before = everything()
    after = apply(before, ev.Recorded(9, AT, ev.ClockJumped(60.0, 0.0)))
    assert replace(after, last_id=0, engine=before.engine) == before
    assert (after.engine.lead, after.engine.slept) == (110.0, 65.0)


# The run before was one of the boot "b": 1000 s after it began, its last word 100 s after that.

LAST = EngineView(boot="b", steady_offset=AT - 900.0, lead=0.0, slept=0.0)
OFFSET = LAST.steady_offset


def later(passed: float, *, stepped: float = 0.0, slept: float = 0.0) -> Reading:
    boot = 1000.0 + passed
    return Reading(AT + 100.0 + passed + stepped, OFFSET + boot - slept, boot)


@pytest.mark.parametrize("by", [0.0, 1.0, 60.0, -60.0, 3e7, -3e7])
@pytest.mark.parametrize("slept", [0.0, 500.0])
def test_in_the_same_boot_a_step_is_told_whatever_else_happened(by, slept):
    found = missed(LAST, AT + 100, later(5000.0, stepped=by, slept=slept), "b", OFFSET)
    assert found == Gap(slept, by if abs(by) > 2.0 else 0.0)


@pytest.mark.parametrize(
    ("away", "stepped"),
    [(20.0, 0.0), (BELIEVED, 0.0), (BELIEVED + 1, BELIEVED + 1), (-1.0, 0.0), (-60.0, -60.0),
     (-AT, -AT), (3e7, 3e7)],
)  # fmt: skip
def test_over_a_boot_a_clock_is_believed_for_a_while_and_never_backwards(away, stepped):
    found = missed(LAST, AT, Reading(AT + away, AT + away, 3.0), "another", 0.0)
    assert found == Gap(0.0, stepped)


def test_nothing_is_missed_by_the_first_run_of_all():
    assert not missed(EngineView(), 0.0, later(0.0), "b", OFFSET)
    assert resumed(Snapshot(), later(0.0), "b", 12.5) == (12.5, ())


def test_what_an_older_healmon_stored_is_taken_as_it_is():
    old = replace(LAST, lead=None)
    assert not missed(old, AT, Reading(AT + 3e7, AT, 3.0), "b", 0.0)
    assert missed(old, AT, Reading(AT - 3e7, AT, 3.0), "b", 0.0) == Gap(0.0, -3e7)


def test_the_steady_timeline_never_goes_back_and_counts_what_is_believed():
    last = Snapshot(at=AT, engine=replace(LAST, lead=40.0), steps=((9.0, 40.0, 0.0),))
    for away, passed in ((600.0, 600.0), (-AT + 7, 0.0), (3e7, 0.0)):
        wall = AT + away
        now = Reading(wall, 5000.0, 33.0)  # by the clock of a new boot, with an offset of 4970
        offset, steps = resumed(last, now, "another", 4970.0)
        assert 30.0 + offset == pytest.approx(AT - 40.0 + passed)
        assert steps == last.steps + (
            () if away == 600.0 else ((pytest.approx(AT + away), away, pytest.approx(0.0)),)
        )


def test_a_host_without_a_battery_that_is_set_right_later_ends_no_pause_and_keeps_none_for_ever():
    s = replace(everything(), maintenance={"w": AT + HOUR}, alerts={}, ended={})
    for wall in (100.0, AT + 2 * HOUR):  # booted in 1970; NTP a while later
        by = wall - s.at
        s = apply(s, ev.Recorded(s.last_id + 1, wall, ev.ClockJumped(0.0, by)))
        assert s.maintenance["w"] - wall == pytest.approx(HOUR)
