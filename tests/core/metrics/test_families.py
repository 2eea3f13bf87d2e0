"""The snapshot as numbers: what is told, what is not, and that both writers say the same."""

from __future__ import annotations

import math
from typing import get_args

import pytest
from hypothesis import given
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from healmon import events as ev
from healmon.metrics import Facts, Process, collector, exposition, families
from healmon.metrics.collector import Exposition
from healmon.metrics.watched import ALIVE
from healmon.sessions.words import STUCK
from healmon.sessions.words import State as SessionState
from healmon.state import Snapshot, replay
from healmon.workers import machine
from tests.helpers.any_event import streams
from tests.helpers.everything import HOSTILE, LOOKS, NOW, STARTED, fold, observed, told


def numbers(snapshot: Snapshot, running: bool = True, process: Process | None = None):
    """Return every sample by its name and labels."""
    found: dict[tuple[str, ...], float] = {}
    for family in families(snapshot, Facts(running, NOW, process)):
        for sample in family.samples:
            key = (family.name.removeprefix("healmon_"), *sample.labels)
            assert key not in found, key
            found[key] = sample.value
    return found


def test_workers_are_up_wanted_and_in_one_state():
    found = numbers(told())
    assert found["worker_up", HOSTILE] == 1
    assert found["worker_up", "down"] == 0
    assert ("worker_up", "blind") not in found, "what is unknown is not told to be up or down"
    assert found["worker_state", "blind", "unknown"] == 1
    assert found["worker_state", "down", "quarantined"] == 1
    wanted = {name: found["worker_wanted", name] for name in (HOSTILE, "down", "done", "stopped")}
    assert wanted == {HOSTILE: 1, "down": 1, "done": 0, "stopped": 0}
    assert found["worker_paused", "done"] == 1
    assert found["worker_paused", "down"] == 0
    assert found["worker_start_timestamp_seconds", HOSTILE] == NOW - 50
    assert ("worker_start_timestamp_seconds", "down") not in found
    assert found["worker_cpu_ratio", HOSTILE] == 0.5
    assert found["worker_restarts_total", "down", "verified"] == 1
    assert found["worker_restarts_total", "down", "failed"] == 0


def test_sessions_databases_disks_and_alerts():
    found = numbers(told())
    assert found["sessions", "stalled"] == found["sessions", "idle"] == 1
    assert found["sessions_stuck",] == found["sessions_with_task",] == 1
    assert found["db_lock_seconds", "x"] == 30
    assert found["db_lock_seconds", "y"] == 0
    assert found["db_locked", "x"] == 1
    assert found["disk_used_ratio", "/", "filesystem"] == 0.96
    assert found["disk_state", "/", "filesystem", "critical"] == 1
    assert found["disk_time_to_full_seconds", "/", "filesystem"] == 60
    assert math.isinf(found["disk_time_to_full_seconds", "/logs", "budget"])
    assert found["alerts", "CRITICAL", "open"] == 1
    assert found["alerts_muted", "WARNING"] == 1
    assert found["actions_total", "restart_worker", "down", "verified"] == 1
    assert found["action_duration_seconds", "restart_worker"] == 2.5
    assert found["notifications_total", "ops", "failed"] == 1
    assert found["notification_failing", "ops"] == 1
    assert found["check_duration_seconds", "sessions"] == 0.2
    assert found["check_failures_total", "sessions"] == 1
    assert found["check_up", "sessions"] == 1


def test_without_a_healer_only_what_was_counted_and_its_last_cycle_are_told():
    found = numbers(told(), running=False)
    assert found["up",] == 0
    assert (
        found["last_cycle_timestamp_seconds",] == numbers(told())["last_cycle_timestamp_seconds",]
    )
    assert found["worker_restarts_total", "down", "verified"] == 1
    now = {"worker_up", "worker_state", "sessions", "db_locked", "disk_used_ratio", "alerts"}
    assert not {name for name, *_ in found} & now


def test_nobody_ever_healed_here():
    found = numbers(Snapshot(), running=False)
    assert found["up",] == 0
    assert found["cycles_total",] == 0
    assert ("last_cycle_timestamp_seconds",) not in found


def test_sessions_that_nobody_could_look_at_are_not_none():
    blind = fold(STARTED, ev.HealerFailed("sessions", "hangs"), ev.CycleFinished(1, 1.0, 1.0))
    assert not [key for key in numbers(blind) if key[0].startswith("sessions")]
    seen = fold(STARTED, ev.CycleFinished(1, 1.0, 1.0, (), LOOKS))
    assert numbers(seen)["sessions", "idle"] == 0


def test_what_the_healer_costs_is_told_by_the_usual_names_or_left_out():
    cost = Process(1.5, 1 << 20, NOW - 100)
    assert numbers(told(), process=cost)["process_cpu_seconds_total",] == 1.5
    assert ("process_open_fds",) not in numbers(told(), process=cost)
    assert not [key for key in numbers(told()) if key[0].startswith("process")]


def test_facts_of_another_version_are_left_out_and_nothing_else_is():
    odd = fold(STARTED, observed("workers", "w", state=["?"]), observed("disks", "disk:/", path=1))
    found = numbers(odd)
    assert found["worker_state", "w", "unknown"] == 1
    assert ("worker_up", "w") not in found
    assert found["up",] == 1


def test_words_are_those_of_the_healers():
    assert ALIVE == machine.ALIVE
    assert set(get_args(SessionState)) >= STUCK


def test_the_screen_calls_the_same_sessions_stuck():
    strips = pytest.importorskip("healmon_tui.strips")
    assert strips.STUCK == STUCK


def parsed(metrics) -> dict[tuple, float]:
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for metric in metrics
        for sample in metric.samples
    }


def same_everywhere(snapshot: Snapshot, running: bool = True) -> dict[tuple, float]:
    """Both writers, read by prometheus-client's own readers, say the same."""
    now = families(snapshot, Facts(running, NOW))
    ours = parsed(plain(exposition(now)))
    content_type, body = Exposition(lambda: now).answer("")
    assert content_type.startswith("text/plain; version=0.0.4")
    assert parsed(plain(body.decode())) == ours
    content_type, body = Exposition(lambda: now).answer(
        "application/openmetrics-text;version=1.0.0"
    )
    assert content_type.startswith("application/openmetrics-text")
    assert parsed(openmetrics(body.decode())) == ours
    return ours


def test_hostile_names_come_through_every_format():
    found = same_everywhere(told())
    assert found["healmon_worker_up", ("worker", HOSTILE)] == 1


@given(streams())
def test_whatever_happens_is_told_the_same_in_every_format(stream):
    found = same_everywhere(replay(stream))
    assert found[("healmon_up",)] == 1


def test_a_registered_collector_is_not_asked_before_it_is_scraped():
    asked = []
    Exposition(lambda: asked.append(1) or ())
    assert not asked


def test_an_answer_is_given_again_while_nothing_is_new(monkeypatch):
    clock, asked = [100.0], []
    monkeypatch.setattr(collector, "process_seconds", lambda: clock[0])
    state = [object()]
    one = Exposition(lambda: asked.append(1) or (), lambda: (state[0],))
    for _ in range(5):
        one.answer("")
    assert len(asked) == 1
    one.answer("application/openmetrics-text")
    assert len(asked) == 2, "another format is another answer"
    state[0] = object()
    one.answer("")
    assert len(asked) == 3
    clock[0] += collector.AGAIN
    one.answer("")
    assert len(asked) == 4, "ages grow, though nothing is new"
