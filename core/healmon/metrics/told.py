"""What is told of alerts, acts, overrides and notices. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from healmon.metrics.model import Family, Sample, counter, gauge
from healmon.metrics.watched import restarts
from healmon.state import Snapshot
from healmon.state.counts import place_of

SEVERITIES: Final = ("CRITICAL", "WARNING", "INFO")
STATES: Final = ("pending", "open", "acknowledged", "stale")
ENDED: Final = ("verified", "failed")
"""Outcomes of acts that were carried out."""
MAIN: Final = {
    "workers": "restart_worker", "sessions": "clear_stuck_session",
    "databases": "clear_database_lock", "disks": "clean_disk",
}  # fmt: skip
"""The act of each healer that is told before there was one: a rate needs a zero to begin at."""


def always(s: Snapshot) -> Iterator[Family]:
    """Give what was counted."""
    counts = s.counts
    yield restarts(s)
    acts = _acts(s)
    yield counter(
        "actions_total", "Acts of healmon by what came of them; sessions are counted as one.",
        acts, "action", "component", "outcome",
    )  # fmt: skip
    yield _durations(s, acts)
    yield counter(
        "alerts_opened_total", "Alerts that opened, or were opened again.",
        {level: counts.alerts.get(level, 0) for level in SEVERITIES}, "severity",
    )  # fmt: skip
    yield counter(
        "overrides_total", "Requests of people and scripts, by how they were answered.",
        {word: counts.overrides.get(word, 0) for word in ("done", "refused")}, "outcome",
    )  # fmt: skip
    yield counter(
        "notifications_total", "Deliveries of notices by channel and what came of them.",
        {
            (channel, outcome): counts.notices.get(channel, {}).get(outcome, 0)
            for channel in {**s.channels, **counts.notices}
            for outcome in ("sent", "failed", "dropped")
        },
        "target", "outcome",
    )  # fmt: skip


def _acts(s: Snapshot) -> dict[tuple[str, str, str], int]:
    acts: dict[tuple[str, str, str], int] = {}
    for view in s.components.values():
        for outcome in ENDED if view.healer in MAIN else ():
            acts[(MAIN[view.healer], place_of(view.name), outcome)] = 0
    for component, done in s.counts.actions.items():
        for act, count in done.items():
            action, _, outcome = act.partition(" ")
            acts[(action, component, outcome)] = count
    return acts


def _durations(s: Snapshot, acts: dict[tuple[str, str, str], int]) -> Family:
    ended: dict[str, int] = {}
    for (action, _, outcome), count in acts.items():
        if outcome in ENDED:
            ended[action] = ended.get(action, 0) + count
    samples = tuple(
        Sample((action,), s.counts.seconds.get(action, 0.0), count)
        for action, count in ended.items()
    )
    text = "Seconds from the beginning of an act to its proof, or its failure."
    return Family("healmon_action_duration_seconds", "summary", text, samples, ("action",))


def now(s: Snapshot) -> Iterator[Family]:
    """Give what stands open."""
    alerts: dict[tuple[str, str], float] = {
        (level, state): 0.0 for level in SEVERITIES for state in STATES
    }
    muted: dict[str, float] = dict.fromkeys(SEVERITIES, 0.0)
    for alert in s.alerts.values():
        key = (alert.severity, alert.state)
        alerts[key] = alerts.get(key, 0.0) + 1
        muted[alert.severity] += alert.overlays.muted and alert.state == "open"
    yield gauge("alerts", "Alerts that are not over, by severity and state.", alerts,
                "severity", "state")  # fmt: skip
    yield gauge("alerts_muted", "Open ones whose notices are held back.", muted, "severity")
    acting = sum(view.acting for view in s.plans.values())
    yield gauge("actions_in_flight", "Acts that are being carried out.", acting)
    yield gauge("plans_waiting", "Plans that wait for their moment.", len(s.plans) - acting)
    waiting: dict[str, float] = dict.fromkeys(s.channels, 0.0)
    for notice in s.notices.values():
        waiting[notice.channel] = waiting.get(notice.channel, 0.0) + 1
    yield gauge("notifications_waiting", "Notices that have not left yet.", waiting, "target")
    failing = {name: float(bool(channel.failing_since)) for name, channel in s.channels.items()}
    yield gauge("notification_failing", "Whether a channel does not take notices.", failing,
                "target")  # fmt: skip
