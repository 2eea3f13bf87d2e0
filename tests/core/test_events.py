import msgspec
import pytest
from hypothesis import given

from healmon import events as ev
from healmon.plans import RANK, Plan
from tests.helpers.any_event import EVENT_TYPES, any_of, events


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.__name__)
def test_every_event_is_read_back_as_it_was_written(kind):
    @given(any_of(kind))
    def check(event):
        again = ev.decode(ev.encode(event))
        assert again == event
        assert type(again) is type(event)

    check()


def test_every_event_class_is_in_the_vocabulary():
    bases = [ev.Base]
    found = {sub for base in bases for sub in base.__subclasses__()}
    assert found == set(EVENT_TYPES)


def test_no_two_events_have_the_same_kind():
    kinds = {kind.__name__.lower() for kind in EVENT_TYPES}
    assert len(kinds) == len(EVENT_TYPES)


@given(events)
def test_the_kind_is_what_the_payload_says(event):
    assert msgspec.json.decode(ev.encode(event))["kind"] == ev.kind_of(event)


@given(events)
def test_every_event_is_about_something_and_loud_to_some_degree(event):
    subject = event.plan if isinstance(event, ev.PlanMade | ev.PlanRefused) else event
    named = getattr(subject, "component", "")
    if named:
        assert ev.component_of(event) == named
    assert ev.severity_of(event) in RANK


def test_an_event_is_frozen():
    event = ev.CycleStarted(1)
    with pytest.raises(AttributeError, match="immutable"):
        event.number = 2


PLAN = Plan(
    healer="workers", component="task_worker", action="restart_worker", subject="pid 1",
    why="", steps=(), proof="", on_failure="", order={},
)  # fmt: skip


@pytest.mark.parametrize(
    ("event", "component", "severity"),
    [
        (ev.PlanMade(PLAN, 0.0, 0.0), "task_worker", "INFO"),
        (ev.PlanRefused(PLAN, "dry run"), "task_worker", "INFO"),
        (ev.StepTaken("p", "session:a", "x"), "session:a", "INFO"),
        (ev.ActionFailed("p", "a", "x", "y", 1.0), "a", "WARNING"),
        (ev.AlertOpened("k", "CRITICAL", "a", "x"), "a", "CRITICAL"),
        (ev.AlertUpdated("k", "WARNING", "x"), "healmon", "WARNING"),
        (ev.HealerFailed("workers", "x"), "healmon", "CRITICAL"),
        (ev.StoreFaulted("x"), "healmon", "CRITICAL"),
        (ev.EngineStopped("x"), "healmon", "INFO"),
    ],
)
def test_component_and_severity_in_the_log(event, component, severity):
    assert ev.component_of(event) == component
    assert ev.severity_of(event) == severity


@pytest.mark.parametrize(
    "payload",
    ["", "{}", "[]", '{"kind":"nothing"}', '{"kind":"cyclestarted"}', '{"kind":1}', "nul"],
)
def test_what_is_no_event_is_refused(payload):
    with pytest.raises(msgspec.DecodeError):
        ev.decode(payload)


def test_what_a_later_version_adds_to_an_event_is_passed_over():
    assert ev.decode('{"kind":"cyclestarted","number":1,"later":[]}') == ev.CycleStarted(1)
