"""Made-up histories, a stand-in for the engine, and programs of one's own that always end."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from hypothesis import strategies as st

from healmon import events as ev
from healmon.clock import ManualClock, Reading
from healmon.plans import Overlays, Plan, Step
from healmon.state import Snapshot, apply
from healmon.store.store import Store

WALL = 1_770_000_000.0
COMPONENTS = ("task_worker", "session:a b", "database:x", "disk:/var")
KEYS = tuple(f"box/{h}/{c}/{n}" for h, c in zip("wsdk", COMPONENTS, strict=True) for n in "ab")


def reading(wall: float = WALL) -> Reading:
    return Reading(wall=wall, steady=wall, boot=100.0)


def plan(
    component: str = "task_worker", action: str = "restart_worker", subject: str = "1"
) -> Plan:
    steps = (Step("start it", "python3 w.py"),)
    return Plan(
        "workers", component, action, subject, "it is down", steps, "alive", "alert", {}, id="p1"
    )


def observed(
    component: str = "task_worker", status="healthy", summary="up", **facts
) -> ev.Observed:
    return ev.Observed("workers", component, status, summary, "process", "1", facts)


def opened(key: str = KEYS[0], level="WARNING", message: str = "down") -> ev.AlertOpened:
    return ev.AlertOpened(key, level, key.rsplit("/", 1)[0].split("/", 2)[2], message, {"n": 1})


def pended(key: str = KEYS[0], level="WARNING", message: str = "down") -> ev.AlertPended:
    return ev.AlertPended(key, level, opened(key).component, message, {"n": 1})


def reopened(key: str, level="WARNING", message: str = "down") -> ev.AlertReopened:
    incident = 1_000_000 + KEYS.index(key)  # no two keys have one in common
    return ev.AlertReopened(
        key, level, opened(key).component, message, {}, incident, first_seen=WALL, count=2,
        reopened=1, peak=level,
    )  # fmt: skip


def started(mode: str = "test") -> ev.EngineStarted:
    return ev.EngineStarted("box", "0.1.0", 4711, mode, False, 60.0, "boot", 0.5)


class Engine:
    """Gives events their ids and folds them, as the engine does."""

    def __init__(self, store: Store, wall: float = WALL) -> None:
        self.store = store
        self.snapshot = store.snapshot
        self.next = max(store.last_id, store.snapshot.last_id) + 1
        self.clock = ManualClock(max(wall, store.snapshot.at))

    def emit(
        self, event: ev.Event, *, after: float = 0.25, cause: int | None = None
    ) -> ev.Recorded:
        self.clock.step(after)
        record = ev.Recorded(self.next, round(self.clock.read().wall, 3), event, cause)
        self.next += 1
        self.snapshot = apply(self.snapshot, record)
        self.store.append(record)
        return record

    def tell(self, *events: ev.Event) -> None:
        for event in events:
            self.emit(event)


class Faults:
    """Listens to a store's faults."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.recovered: list[int] = []
        self.back = threading.Event()

    def on_fault(self, reason: str) -> None:
        self.back.clear()
        self.told.append(reason)

    def on_recover(self, dropped: int) -> None:
        self.recovered.append(dropped)
        self.back.set()


@contextlib.contextmanager
def opened_store(path: Path, **options) -> Iterator[Store]:
    store = Store.open(path, host="box", now=reading(), **options)
    try:
        yield store
    finally:
        store.close(10.0)


@contextlib.contextmanager
def program(
    code: str, *arguments: object, under: tuple[str, ...] = ()
) -> Iterator[subprocess.Popen]:
    """A Python program in a process of its own; killed at the end if it still runs."""
    argv = [*under, sys.executable, "-c", code, *map(str, arguments)]
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                stream.close()


def line(process: subprocess.Popen) -> str:
    return process.stdout.readline().strip()


# -- random histories

_text = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
_number = st.floats(allow_nan=False, allow_infinity=False, width=32) | st.integers(-(2**53), 2**53)
_json = st.recursive(
    st.none() | st.booleans() | _number | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=6,
)
_packed = st.dictionaries(_text, _json, max_size=3)
_seconds = st.floats(0, 1e6, allow_nan=False)
_component = st.sampled_from(COMPONENTS)
_key = st.sampled_from(KEYS)
_level = st.sampled_from(("CRITICAL", "WARNING", "INFO"))
_topic = st.sampled_from(("opened", "reminder", "recovered", "summary", "report", "test"))
_status = st.sampled_from(("healthy", "unhealthy", "error", "warning", "critical", "unknown"))
_plan = st.builds(plan, _component, st.sampled_from(("restart_worker", "clean_disk")), _text)

KINDS = (
    st.just(started()),
    st.builds(ev.EngineStopped, _text),
    st.builds(ev.DryRunChanged, st.booleans(), _text),
    st.builds(ev.CycleStarted, st.integers(1, 99)),
    st.builds(ev.CycleFinished, st.integers(1, 99), _seconds, _seconds, st.just(("disks",))),
    st.builds(ev.HealerFailed, st.sampled_from(("disks", "workers")), _text),
    st.builds(ev.HealerRecovered, st.sampled_from(("disks", "workers"))),
    st.builds(ev.ClockJumped, _seconds, _seconds),
    st.builds(ev.Observed, st.just("workers"), _component, _status, _text, _text, _text, _packed),
    st.builds(ev.Remembered, _component, _packed),
    st.builds(ev.ComponentGone, _component),
    st.builds(ev.PlanMade, _plan, _seconds, _seconds),
    st.builds(ev.PlanRefused, _plan, _text),
    st.builds(ev.PlanVetoed, _text, _component, _text),
    st.builds(ev.ActionStarted, _text, _component),
    st.builds(ev.StepTaken, _text, _component, _text),
    st.builds(ev.ActionVerified, _text, _component, _text, _text, _seconds, _text, _packed),
    st.builds(ev.ActionFailed, _text, _component, _text, _text, _seconds),
    st.builds(ev.PlanAbandoned, _text, _component, _text),
    st.builds(opened, _key, _level, _text),
    st.builds(pended, _key, _level, _text),
    st.builds(reopened, _key, _level, _text),
    st.builds(ev.AlertDropped, _key, _text),
    st.builds(ev.AlertStale, _key, _text),
    st.builds(ev.AlertSeen, _key),
    st.builds(ev.AlertArchived, _key),
    st.builds(ev.AlertOverlaid, _key, st.builds(Overlays, _text, _key)),
    st.builds(ev.SilenceStarted, _text, _seconds, _text, _text),
    st.builds(ev.SilenceEnded, st.integers(1, 40), _text),
    st.builds(ev.NoticeMade, _text, _topic, _text, _text, st.lists(_key).map(tuple), _seconds),
    st.builds(ev.NoticeSent, st.integers(1, 40), _text),
    st.builds(ev.NoticeFailed, st.integers(1, 40), _text, _text, _seconds),
    st.builds(ev.NoticeDropped, st.integers(1, 40), _text, _text),
    st.builds(ev.AlertUpdated, _key, _level, _text, _packed),
    st.builds(ev.AlertResolved, _key, _text),
    st.builds(ev.AlertNoted, _key, _component, _text, _packed),
    st.builds(ev.AlertAcknowledged, _key, _text, _text, st.none() | _seconds),
    st.builds(ev.AlertUnacknowledged, _key, _text),
    st.builds(ev.MaintenanceStarted, _component, _seconds, _text),
    st.builds(ev.MaintenanceEnded, _component, _text),
    st.builds(ev.OverrideReceived, st.integers(1, 9), _text, _component, _text),
    st.builds(ev.OverrideAnswered, st.integers(1, 9), st.booleans(), _text),
    st.builds(ev.StoreFaulted, _text),
    st.builds(ev.StoreRecovered, st.integers(0, 9)),
    st.builds(
        ev.ConfigurationChanged,
        _text,
        _text,
        st.lists(st.builds(ev.KeyChange, _text, _text, _text), max_size=2).map(tuple),
        _seconds,
        _text,
    ),
    st.builds(ev.ConfigurationRefused, _text, _text, st.lists(_text, max_size=2).map(tuple)),
)
"""One strategy for each event; `test_every_event_is_in_the_stories` keeps it complete."""

EVENT = st.one_of(*KINDS)

PAUSE = st.sampled_from((0.0, 0.001, 0.25, 59.9, 86_400.0, -3_600.0))
"""Seconds between two events; clocks also step back."""

STORY = st.lists(st.tuples(EVENT, PAUSE), max_size=40)


def play(engine: Engine, story: list[tuple[ev.Event, float]]) -> Snapshot:
    for event, after in story:
        engine.emit(event, after=after)
    return engine.snapshot
