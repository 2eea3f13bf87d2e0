"""Plans that the world has overtaken: told on the sheet, refused by the engine."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from healmon import events as ev
from healmon.clock import ManualClock
from healmon.config.settings import Alerts
from healmon.engine import Engine, Run
from healmon.errors import VetoError
from healmon.plans import Answer
from healmon.state import Snapshot, apply, replay
from healmon_tui.app import HealmonApp
from healmon_tui.screens.many import ManySheet
from healmon_tui.screens.overview import Overview
from healmon_tui.screens.plan import PlanSheet
from healmon_tui.stale import bind, made_after, overtaken
from tests.helpers.made_up import MemoryJournal, ScriptedHealer
from tests.helpers.screen import Screen, open_screen
from tests.helpers.scripted import (
    NOW,
    ScriptedLink,
    clean_plan,
    clear_plan,
    restart_plan,
    world,
)

PLAN = restart_plan("task_worker", id="4711.1.1", delay=0.0)


def seen(healer, name, status="healthy", **facts):
    return ev.Observed(healer, name, status, status, "t", "v", facts)


def told(plan, *events, start=None):
    """Return what is said of a plan after events that came since it was shown."""
    known = replay(world()) if start is None else start
    was = bind(known, plan.component)
    for number, event in enumerate(events, 1):
        known = apply(known, ev.Recorded(known.last_id + 1, NOW + number, event))
    found = overtaken(plan, was, known, NOW + 4)
    return found.text(NOW + 4) if found is not None else ""


UP = {"state": "healthy", "pid": 48_213, "identity": {"boot": "b", "pid": 48_213, "ticks": 7}}


@pytest.mark.parametrize(
    ("plan", "events", "said"),
    [
        (PLAN, [], ""),
        (PLAN, [seen("workers", "mail_worker", pid=9)], ""),
        (PLAN, [seen("workers", "task_worker", pid=48_213, cpu=99)], ""),
        (
            PLAN,
            [seen("workers", "task_worker", pid=50_000)],
            "task_worker restarted by itself 3s ago, nothing to do",
        ),
        (
            PLAN,
            [seen("workers", "task_worker", "unhealthy", state="down")],
            "task_worker ended 3s ago, ask for a new plan",
        ),
        (
            PLAN,
            [seen("workers", "task_worker", "unhealthy", pid=50_000)],
            "task_worker restarted by itself 3s ago, ask for a new plan",
        ),
        (
            restart_plan("mail_worker"),
            [seen("workers", "mail_worker", pid=50_000)],
            "mail_worker restarted by itself 3s ago, nothing to do",
        ),
        (PLAN, [ev.DryRunChanged(on=True, by="olga")],
         "the dry run began 0s ago, nothing is done"),
        (PLAN, [ev.MaintenanceStarted("task_*", NOW + 900, "olga")],
         "maintenance of task_worker began 0s ago, nothing is done"),
        (PLAN, [ev.ComponentGone("task_worker")], "task_worker went away 0s ago, nothing to do"),
        (
            PLAN,
            [ev.ActionVerified("p", "task_worker", "restart_worker", "pid 9 lives", 1.0)],
            "healmon restarted task_worker 3s ago, nothing to do",
        ),
        (
            PLAN,
            [ev.ActionFailed("p", "task_worker", "restart_worker", "no", 1.0)],
            "healmon tried to restart task_worker and failed 3s ago, ask for a new plan",
        ),
        (
            PLAN,
            [ev.PlanMade(restart_plan("task_worker", id="o"), NOW, NOW),
             ev.ActionStarted("o", "task_worker")],
            "healmon began restarting task_worker 4s ago, wait for its end",
        ),
        (PLAN, [ev.PlanMade(restart_plan("task_worker", id="o"), NOW, NOW)], ""),
        (PLAN, [ev.PlanMade(PLAN, NOW, NOW), ev.ActionStarted(PLAN.id, "task_worker")], ""),
        (
            clear_plan("session:claude_tests"),
            [seen("sessions", "session:claude_tests", "warning", pane="%77", key="x",
                  question="Do you want to proceed? (make clean)")],
            "claude_tests became another pane 3s ago, ask for a new plan",
        ),
        (
            clear_plan("session:claude_tests"),
            [seen("sessions", "session:claude_tests", "warning", pane="%12",
                  key="9.1.$1.1.%12.41900", question="Really?")],
            "claude_tests began to ask something else 3s ago, ask for a new plan",
        ),
        (
            clear_plan(),
            [seen("sessions", "session:claude_architect", pane="%14",
                  key="9.1.$1.1.%14.41822")],
            "claude_architect got well by itself 3s ago, nothing to do",
        ),
        (
            clean_plan(),
            [seen("disks", "disk:/", "warning", kind="filesystem", device=9)],
            "/ became another file system 3s ago, ask for a new plan",
        ),
    ],
)  # fmt: skip
def test_what_overtakes_a_plan(plan, events, said):
    assert told(plan, *events) == said


def test_what_was_under_way_when_it_was_shown_does_not_overtake_it():
    hangs = restart_plan("task_worker", id="hangs")
    start = replay(world())
    for event in (ev.PlanMade(hangs, NOW, NOW), ev.ActionStarted("hangs", "task_worker")):
        start = apply(start, ev.Recorded(start.last_id + 1, NOW, event))
    assert told(PLAN, start=start) == ""


def test_the_same_pid_started_anew_is_another_process():
    first = apply(replay(world()), ev.Recorded(900, NOW, seen("workers", "task_worker", **UP)))
    again = {**UP, "identity": {"boot": "b", "pid": 48_213, "ticks": 8}}
    assert told(PLAN, seen("workers", "task_worker", **again), start=first).startswith(
        "task_worker restarted by itself"
    )
    more = {**UP, "rss": 5}
    assert told(PLAN, seen("workers", "task_worker", **more), start=first) == ""


def test_another_holder_of_a_lock():
    name = "database:assigner"
    held = {"verdict": "stopped", "holder": {"pid": 7, "name": "a"}}
    start = apply(
        replay(world()), ev.Recorded(900, NOW, seen("databases", name, "critical", **held))
    )
    plan = restart_plan(name)
    grown = {**held, "holder": {"pid": 7, "name": "a", "cwd": "/"}}
    assert told(plan, seen("databases", name, "critical", **grown), start=start) == ""
    other = {**held, "holder": {"pid": 8, "name": "a"}}
    assert "another holder" in told(plan, seen("databases", name, "critical", **other), start=start)


def test_nothing_is_known_of_what_was_never_seen():
    assert overtaken(PLAN, bind(Snapshot(), "task_worker"), Snapshot(), NOW) is None
    assert made_after(PLAN) == 1
    assert made_after(replace(PLAN, id="odd")) == 0


# on the screen


def run(scenario, plans):
    link = ScriptedLink(world())
    link.answers["offer"] = lambda target, _: Answer(ok=True, text="", plan=plans(target))

    async def whole():
        async with open_screen(link, (100, 40)) as screen:
            await scenario(screen)

    asyncio.run(whole())


async def restarted(screen, name):
    facts = {"state": "healthy", "pid": 60_000}
    screen.link.emit(ev.Observed("workers", name, "healthy", "healthy", "t", "v", facts))
    screen.link.clock.advance(3)
    await screen.settle()


@pytest.mark.slow
def test_an_open_sheet_says_so_and_takes_the_yes_away():
    async def scenario(screen):
        await screen.press("r")
        assert "y do it" in screen.text()
        await restarted(screen, "mail_worker")
        assert "mail_worker restarted by itself 3s ago, nothing to do." in screen.text()
        assert "do it" not in screen.text()
        await screen.press("y")
        assert isinstance(screen.app.screen, PlanSheet)
        await screen.press("escape")
        assert [verb for verb, _, _ in screen.link.asked] == ["offer"]

    run(scenario, lambda name: restart_plan(name, id="1.1.1"))


@pytest.mark.slow
def test_one_that_destroys_takes_no_name_any_more():
    async def scenario(screen):
        await screen.press("3", "c", *"disk", "colon")
        facts = {"percent": 50.0, "kind": "filesystem"}
        screen.link.emit(ev.Observed("disks", "disk:/", "healthy", "", "t", "v", facts))
        await screen.settle()
        assert "/ got well by itself 0s ago" in screen.text()
        await screen.press("slash", "enter")
        assert [verb for verb, _, _ in screen.link.asked] == ["offer"]

    run(scenario, lambda name: clean_plan(name, id="1.1.1"))


@pytest.mark.slow
def test_of_many_plans_the_overtaken_drop_out_and_the_count_with_them():
    async def scenario(screen):
        await screen.press(*["space"] * 6, "r")
        sheet = screen.app.screen
        assert isinstance(sheet, ManySheet)
        assert "type 6 and press enter" in screen.text()
        await screen.press("6")
        await restarted(screen, "mail_worker")
        assert "mail_worker restarted by itself" in screen.text()
        assert "type 5 and press enter" in screen.text()
        await screen.press("enter")  # what was typed is the count of before
        assert isinstance(screen.app.screen, Overview)
        assert "apply" not in {verb for verb, _, _ in screen.link.asked}
        await screen.press("r", *["escape"] * 2, "g", *["space"] * 6, "r", "6", "enter")
        assert len([1 for verb, _, _ in screen.link.asked if verb == "apply"]) == 6
        assert screen.answer == "restart: 6 of 6 under way"

    run(scenario, lambda name: restart_plan(name, id=f"1.1.{name}"))


@pytest.mark.slow
def test_a_few_are_done_with_a_letter_one_by_one_or_not_at_all():
    async def scenario(screen):
        link = screen.link
        await screen.press("space", "space", "r")
        assert "y do all 2" in screen.text()
        await screen.press("enter")
        assert [verb for verb, _, _ in link.asked] == ["offer", "offer"]
        assert "nothing done" in screen.answer
        await screen.press("g", "space", "space", "r", "y")
        assert [target for verb, target, _ in link.asked if verb == "apply"] == [
            "1.1.mail_worker", "1.1.assigner_worker",
        ]  # fmt: skip
        await screen.press("g", "space", "space", "r", "o")
        assert "plan 1 of 2" in screen.text()
        await screen.press("n")
        assert "plan 2 of 2" in screen.text()
        await screen.press("y")
        assert [target for verb, target, _ in link.asked if verb == "apply"][2:] == [
            "1.1.assigner_worker"
        ]

    run(scenario, lambda name: restart_plan(name, id=f"1.1.{name}", delay=0.0))


@pytest.mark.slow
def test_many_that_destroy_ask_for_their_count_and_refused_ones_are_named():
    async def scenario(screen):
        def offer(target, _):
            if target == "disk:/data":
                return Answer(ok=False, text="no cleaning rule is configured")
            return Answer(ok=True, text="", plan=clean_plan(target, id=f"1.1.{target}"))

        screen.link.answers["offer"] = offer
        await screen.press("3", "space", "space", "space", "c")
        assert "type 2 and press enter" in screen.text()
        assert "not now: /data: no cleaning rule is configured" in screen.text()
        await screen.press("y", "enter")
        assert isinstance(screen.app.screen, Overview)
        assert "apply" not in {verb for verb, _, _ in screen.link.asked}

    run(scenario, clean_plan)


@pytest.mark.slow
def test_in_a_dry_run_many_plans_are_shown_and_none_can_be_done():
    async def scenario(screen):
        screen.link.answers["offer"] = lambda name, _: Answer(
            ok=True, text="dry run", plan=restart_plan(name, id=f"1.1.{name}")
        )
        await screen.press("space", "space", "r")
        assert "not now: mail_worker: dry run" in screen.text()
        assert "start it with its configured command" in screen.text()
        await screen.press("y", "o", "tab", "enter")
        assert isinstance(screen.app.screen, Overview)
        await screen.press("g", "space", "u")
        assert "none of the marked rows is of that kind" in screen.answer
        assert {verb for verb, _, _ in screen.link.asked} == {"offer"}

    run(scenario, restart_plan)


class EngineFace(ScriptedLink):
    """The real engine behind the screen, in the same loop."""

    def __init__(self, engine):
        super().__init__()
        self.engine = engine
        self.clock = engine._clock

    def open(self, sink):
        return self.engine.subscribe(sink)

    def history(self, count):
        return []

    async def ask(self, verb, target, arguments):
        return await self.engine.ask(verb, target, arguments, origin="tester")

    async def close(self):
        self.engine.stop("done")


class Fickle(ScriptedHealer):
    """Its component changes between the plan and the hand."""

    async def carry_out(self, plan, hand):
        raise VetoError("pid 7 is another process by now")


@pytest.mark.slow
def test_a_stale_plan_that_is_applied_is_refused_by_the_engine_and_that_is_told():
    healer = Fickle("workers")
    healer.component = "mail_worker"

    async def scenario():
        run_of = Run(host="box", alerts=Alerts(confirm_checks=1))
        engine = Engine([healer], MemoryJournal(), ManualClock(NOW, autojump=False), run_of)
        running = asyncio.create_task(engine.run())
        while not engine.snapshot.cycle.finished_at:
            await asyncio.sleep(0.01)
        link = EngineFace(engine)
        app = HealmonApp(link, plain=False, ascii_only=False, clock=link.clock)
        async with app.run_test(size=(120, 36)) as pilot:
            screen = Screen(app, pilot, link)
            await screen.settle()
            await screen.press("r")
            assert isinstance(app.screen, PlanSheet)
            await screen.press("y")
            async with asyncio.timeout(60):
                while engine.snapshot.plans:
                    await asyncio.sleep(0.01)
            await screen.settle()
            assert "not done: pid 7 is another process by now" in screen.answer
            assert "not done" in screen.line_of("mail_worker")
            assert not engine.snapshot.recent
        engine.stop("done")
        await running

    asyncio.run(scenario())
