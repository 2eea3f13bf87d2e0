"""Stories from events: found, planned, did, verified."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from healmon import events as ev
from healmon.state import replay
from healmon_tui.chronicle import COMPONENTS, STORIES, Chronicle
from tests.helpers.scripted import NOW, restart_plan, world


class Told:
    """A chronicle that is told events one second apart."""

    def __init__(self):
        self.chronicle = Chronicle()
        self.ids = itertools.count(1)

    def tell(self, *events):
        for event in events:
            number = next(self.ids)
            self.chronicle.add(ev.Recorded(number, NOW + number, event))
        return self

    @property
    def stories(self):
        return list(self.chronicle.incidents())


OPENED = ev.AlertOpened("k", "CRITICAL", "w", "exited with 1")
PLAN = restart_plan("w", id="p")
MADE = ev.PlanMade(PLAN, NOW, NOW)
STARTED = ev.ActionStarted("p", "w")
STEP = ev.StepTaken("p", "w", "start it")
VERIFIED = ev.ActionVerified("p", "w", "restart_worker", "alive", 1.2, "restarted")
RESOLVED = ev.AlertResolved("k", "up again")
NOTED = ev.AlertNoted("n", "w", "w restarted after exit 1")


def test_one_story_from_beginning_to_end():
    (story,) = Told().tell(OPENED, MADE, STARTED, STEP, VERIFIED, RESOLVED, NOTED).stories
    assert story.found == "exited with 1"
    assert story.did == ("start it",)
    assert (story.outcome, story.result, story.seconds) == ("verified", "alive", 1.2)
    assert story.note == "w restarted after exit 1"
    assert story.state == "closed"


def test_a_second_try_takes_the_place_of_the_first():
    failed = ev.ActionFailed("p", "w", "restart_worker", "no such file", 2.0)
    told = Told().tell(OPENED, MADE, STARTED, STEP, failed)
    assert told.stories[0].outcome == "failed"
    assert told.stories[0].state == "open"
    told.tell(MADE, STARTED, STEP, VERIFIED)
    (story,) = told.stories
    assert story.outcome == "verified"
    assert story.did == ("start it",)


def test_what_ends_by_itself_says_so():
    (story,) = Told().tell(OPENED, RESOLVED).stories
    assert (story.outcome, story.result, story.state) == ("", "up again", "closed")


def test_what_a_person_asked_for_is_a_story_too():
    plan = restart_plan("w", id="p", origin="olga", why="olga asked")
    (story,) = Told().tell(ev.PlanMade(plan, NOW, NOW), STARTED, STEP, VERIFIED).stories
    assert (story.found, story.state, story.outcome) == ("olga asked", "closed", "verified")


def test_an_alert_after_its_plan_is_the_same_story():
    told = Told().tell(MADE, OPENED)
    (story,) = told.stories
    assert (story.key, story.found, story.action) == ("k", "exited with 1", "restart_worker")


def test_refusals_vetoes_and_abandoned_plans():
    told = Told().tell(OPENED, ev.PlanRefused(PLAN, "dry run"))
    assert (told.stories[0].outcome, told.stories[0].result) == ("refused", "dry run")
    told = Told().tell(OPENED, MADE, ev.PlanVetoed("p", "w", "it runs"))
    assert (told.stories[0].outcome, told.stories[0].result) == ("vetoed", "it runs")
    told = Told().tell(OPENED, MADE, ev.PlanAbandoned("p", "w", "healmon stopped"))
    assert told.stories[0].outcome == "abandoned"
    told = Told().tell(ev.PlanRefused(PLAN, "dry run"))
    assert told.stories[0].state == "closed"


def test_acknowledging_and_taking_it_back():
    told = Told().tell(OPENED, ev.AlertAcknowledged("k", "olga", "later"))
    assert told.stories[0].state == "acknowledged"
    told.tell(ev.AlertUnacknowledged("k", "ran out"))
    assert told.stories[0].state == "open"
    told.tell(ev.AlertAcknowledged("k", "olga"), ev.AlertUpdated("k", "CRITICAL", "worse"))
    assert told.stories[0].found == "worse"


def test_an_alert_that_rises_is_open_again():
    warning = ev.AlertOpened("k", "WARNING", "w", "slow")
    told = Told().tell(
        warning, ev.AlertAcknowledged("k", "o"), ev.AlertUpdated("k", "CRITICAL", "x")
    )
    assert (told.stories[0].level, told.stories[0].state) == ("CRITICAL", "open")


def test_a_note_long_after_is_a_story_of_its_own():
    told = Told().tell(OPENED, MADE, STEP, VERIFIED, RESOLVED)
    for _ in range(100):
        next(told.ids)
    told.tell(NOTED)
    assert [story.found for story in told.stories] == ["exited with 1", "w restarted after exit 1"]


def test_what_healmon_itself_does():
    started = ev.EngineStarted(
        "h", "1", 7, "tui", dry_run=True, interval=60, boot="b", steady_offset=0
    )
    told = Told().tell(
        started, ev.ClockJumped(3600, 0), ev.MaintenanceStarted("*", NOW + 60, "olga"),
        ev.MaintenanceEnded("*", "resumed"), ev.EngineStopped("told to"),
    )  # fmt: skip
    texts = [story.found for story in told.stories]
    assert texts[0] == "healmon 1 started, pid 7, dry run"
    assert texts[1] == "the host slept 1h00m"
    assert texts[2].startswith("paused till")
    assert {story.component for story in told.stories} == {"healmon"}
    assert all(story.state == "closed" for story in told.stories)


def test_what_became_of_the_configuration():
    change = ev.KeyChange("monitor.check_interval", '"1m"', '"5s"')
    told = Told().tell(
        ev.ConfigurationChanged("SIGHUP", "/h.toml", (change,), 5.0, "1"),
        ev.ConfigurationChanged("start", "/h.toml", (), 5.0, "2"),
        ev.ConfigurationRefused("olga on pts/3", "/h.toml", ("h.toml:3: x: unknown key",)),
    )
    assert [story.found for story in told.stories] == [
        'configuration read (SIGHUP): monitor.check_interval: "1m" → "5s"',
        "configuration read (start): it changed while no healmon ran",
        "configuration refused (olga on pts/3): h.toml:3: x: unknown key",
    ]
    assert {story.component for story in told.stories} == {"healmon"}


def test_open_alerts_from_before_are_there_and_closed_ones_are_not():
    snapshot = replay(world())
    chronicle = Chronicle()
    chronicle.seed(snapshot)
    assert {story.key for story in chronicle.incidents()} == set(snapshot.alerts)
    told = Told().tell(OPENED)
    told.chronicle.seed(snapshot)
    assert told.stories[0].state == "closed"


def test_history_and_seed_do_not_tell_anything_twice():
    chronicle = Chronicle()
    for record in world():
        chronicle.add(record)
    before = list(chronicle.incidents())
    chronicle.seed(replay(world()))
    assert list(chronicle.incidents()) == before


def test_timelines_and_the_journal():
    told = Told().tell(OPENED, MADE, STARTED, STEP, VERIFIED, RESOLVED)
    kinds = [moment.kind for moment in told.chronicle.timeline("w")]
    assert kinds == ["found", "plan", "did", "good", "good"]
    assert [touch.text for touch in told.chronicle.ledger.touches()] == ["start it"]
    assert told.chronicle.timeline("nobody") == ()


def test_it_stays_bounded_and_keeps_what_is_open():
    told = Told().tell(OPENED)
    for number in range(3 * STORIES):
        name = f"w{number}"
        told.tell(ev.AlertOpened(name, "WARNING", name, "x"), ev.AlertResolved(name, "y"))
        told.tell(ev.StepTaken("p", name, "x"))
    assert len(told.stories) == STORIES
    assert told.stories[0].key == "k"
    assert told.chronicle.skipped == 0
    assert len(told.chronicle._timelines) <= COMPONENTS
    for number in range(STORIES + 5):
        told.tell(ev.AlertOpened(f"o{number}", "WARNING", f"o{number}", "x"))
    assert len(told.stories) == STORIES
    assert told.chronicle.skipped > 0


EVENTS = st.sampled_from(
    [
        OPENED, MADE, STARTED, STEP, VERIFIED, RESOLVED, NOTED,
        ev.ActionFailed("p", "w", "restart_worker", "no", 1.0),
        ev.PlanVetoed("p", "w", "no"), ev.PlanRefused(PLAN, "dry run"),
        ev.AlertAcknowledged("k", "o"), ev.AlertUnacknowledged("k", "o"),
        ev.AlertUpdated("k", "CRITICAL", "x"), ev.AlertOpened("k2", "WARNING", "w", "also"),
        ev.AlertResolved("k2", "y"), ev.ComponentGone("w"), ev.CycleStarted(1),
    ]
)  # fmt: skip


@given(st.lists(EVENTS, max_size=30))
def test_whatever_the_order_an_open_story_is_an_open_alert(events):
    told = Told().tell(*events)
    opened = set()
    for event in events:
        if isinstance(event, ev.AlertOpened):
            opened.add(event.key)
        elif isinstance(event, ev.AlertResolved):
            opened.discard(event.key)
    shown = {s.key for s in told.stories if s.key and s.state != "closed"}
    assert shown == opened
