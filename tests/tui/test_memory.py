"""Rows that are kept: never older than a few seconds, and made anew at once for anything new."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from healmon import events as ev
from healmon.state import apply, replay
from healmon_tui.paint import Span
from healmon_tui.rows import workers
from healmon_tui.rows.memory import AT_MOST, CALM, RowMemory
from healmon_tui.rows.scene import WELL, Row, Scene
from tests.helpers.scripted import NOW, key, restart_plan, world


@pytest.fixture
def snapshot():
    return replay(world())


class Counted:
    """A memory that counts what it makes; its rows say `text`."""

    def __init__(self):
        self.made = 0
        self.text = "same"
        self.memory = RowMemory(self.build, lambda view: (view.name, view.name))

    def build(self, _scene, view):
        self.made += 1
        return Row(view.name, view.name, WELL, {"name": (Span(self.text),)}, ())

    def at(self, snapshot, second, name="api_worker"):
        before = self.made
        row = self.memory.rows(Scene.of(snapshot, second), [snapshot.components[name]])[0]
        return row, self.made - before


@pytest.mark.parametrize(("name", "most"), [("api_worker", CALM), ("assigner_worker", AT_MOST)])
def test_a_row_that_time_does_not_change_is_asked_again_only_after_a_while(snapshot, name, most):
    counted = Counted()
    made = [counted.at(snapshot, NOW + second, name)[1] for second in range(60)]
    assert made[:2] == [1, 1]
    assert 60 / most - 1 <= sum(made) <= 60 / most + 4


def test_a_row_that_the_last_second_changed_is_made_each_time(snapshot):
    counted = Counted()
    for second in range(20):
        counted.text = str(second)
        row, made = counted.at(snapshot, NOW + second)
        assert made == 1
        assert row.cells["name"] == (Span(str(second)),)


@pytest.mark.parametrize(("name", "most"), [("api_worker", CALM), ("assigner_worker", AT_MOST)])
def test_no_row_is_older_than_it_may_be(snapshot, name, most):
    counted, stale = Counted(), 0.0
    for step in range(400):
        now = NOW + step / 10
        counted.text = str(int(now / 7))
        row, _ = counted.at(snapshot, now, name)
        wrong = row.cells["name"][0].text != counted.text
        stale = stale + 0.1 if wrong else 0.0
        assert stale <= most + 0.01


@pytest.mark.parametrize(
    "event",
    [
        ev.Observed("workers", "api_worker", "healthy", "healthy", "t", "v", {"pid": 1}),
        ev.AlertOpened(key("api_worker", "down"), "CRITICAL", "api_worker", "down"),
        ev.PlanMade(restart_plan("api_worker"), NOW, NOW),
        ev.PlanRefused(restart_plan("api_worker"), "dry run"),
        ev.MaintenanceStarted("api_*", NOW + 600, "ann"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_whatever_happens_to_its_component_makes_it_anew_at_once(snapshot, event):
    counted = Counted()
    for second in range(8):
        counted.at(snapshot, NOW + second)
    assert counted.at(snapshot, NOW + 8.2)[1] == 0, "it is kept"
    after = apply(snapshot, ev.Recorded(snapshot.last_id + 1, NOW + 8, event))
    assert counted.at(after, NOW + 8.2)[1] == 1


def test_what_happens_to_another_does_not(snapshot):
    counted = Counted()
    for second in range(8):
        counted.at(snapshot, NOW + second)
    other = ev.Observed("workers", "task_worker", "healthy", "healthy", "t", "v", {"pid": 1})
    after = apply(snapshot, ev.Recorded(snapshot.last_id + 1, NOW + 8, other))
    assert counted.at(after, NOW + 8.2)[1] == 0


def test_going_back_in_time_makes_it_anew(snapshot):
    counted = Counted()
    for second in range(8):
        counted.at(snapshot, NOW + second)
    assert counted.at(snapshot, NOW - 600)[1] == 1


def test_what_is_gone_is_forgotten(snapshot):
    memory = workers.remembered()
    scene = Scene.of(snapshot, NOW)
    assert len(workers.rows(scene, memory)) > 3
    empty = replace(scene, snapshot=replay([]))
    assert workers.rows(empty, memory) == []
    assert memory._kept == {}
