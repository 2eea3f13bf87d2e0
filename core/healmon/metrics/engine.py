"""What is told of healmon itself. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from healmon.metrics.model import Facts, Family, Sample, counter, gauge
from healmon.state import Snapshot


def always(s: Snapshot, facts: Facts) -> Iterator[Family]:
    """Give what is true whether a healer runs or not."""
    engine, cycle, counts = s.engine, s.cycle, s.counts
    yield gauge("up", "Whether a healer holds the state directory.", float(facts.running))
    if engine.version:
        yield gauge("build_info", "Version of the newest healer.", {engine.version: 1}, "version")
        yield gauge(
            "cycle_interval_seconds", "Seconds between the starts of two cycles.", engine.interval
        )
    yield gauge(
        "last_cycle_timestamp_seconds",
        "When the newest check cycle finished.",
        cycle.finished_at or None,
    )
    yield counter("cycles_total", "Check cycles that finished.", counts.cycles)
    yield counter("starts_total", "Starts of the healer.", counts.starts)
    yield counter(
        "check_failures_total", "Times that a check crashed or did not answer.", counts.failures,
        "check",
    )  # fmt: skip
    yield counter("events_total", "Events in the health store, ever.", s.last_id)
    yield counter("events_lost_total", "Events that could not be stored.", counts.lost)


def now(s: Snapshot, facts: Facts) -> Iterator[Family]:
    """Give what is true while a healer runs."""
    engine, cycle = s.engine, s.cycle
    yield gauge("start_timestamp_seconds", "When the healer started.", engine.started_at or None)
    yield gauge("dry_run", "Whether it only plans and touches nothing.", float(engine.dry_run))
    yield gauge(
        "store_up", "Whether the health store can be written.", float(not engine.store_fault)
    )
    looks = {**dict.fromkeys(s.failing, 0.0), **cycle.looks}
    if cycle.finished_at:
        yield gauge("cycle_duration_seconds", "How long the newest cycle took.", cycle.seconds)
        yield gauge(
            "check_duration_seconds", "How long each check's look took in the newest cycle.",
            cycle.looks, "check",
        )  # fmt: skip
    up = {name: float(name not in s.failing) for name in looks}
    yield gauge("check_up", "Whether the check answers.", up, "check")
    paused = sum(until > facts.now for until in s.maintenance.values())
    yield gauge("pauses", "Pauses in force: healmon looks and does not act.", paused)
    silences = sum(one.until > facts.now for one in s.silences.values())
    yield gauge("silences", "Silences in force.", silences)
    yield from _process(facts)


def _process(facts: Facts) -> Iterator[Family]:
    """Give what the healer's process costs, by the names that every client library uses."""
    process = facts.process
    if process is None:
        return
    told: list[tuple[str, str, str, float | None]] = [
        ("process_cpu_seconds_total", "counter", "CPU seconds of the healer.", process.cpu_seconds),
        ("process_resident_memory_bytes", "gauge", "Resident memory of the healer.",
         process.resident),
        ("process_start_time_seconds", "gauge", "When the healer's process began.",
         process.started),
        ("process_open_fds", "gauge", "Open descriptors of the healer.", process.open_files),
    ]  # fmt: skip
    for name, kind, text, value in told:
        if value is not None:
            samples = (Sample((), float(value)),)
            yield Family(name, "counter" if kind == "counter" else "gauge", text, samples)
