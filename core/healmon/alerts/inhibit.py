"""Alerts that another alert explains are not told as long as that one lasts. Pure.

`RULES` is the table: which alert explains which others, and of whom. What inhibits must be
confirmed; whether it is acknowledged or silenced does not matter, and one that is stale still
counts. Alerts about lost data, what is given up for good and what only a person can decide are in
no rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, TypeAlias, cast

from healmon.plans import RANK, Packed, Severity
from healmon.state import AlertView, Snapshot

Covers: TypeAlias = Callable[[Snapshot, AlertView, AlertView], bool]
"""From the state, the alert that explains and another one to whether it explains that one."""


class Rule(NamedTuple):
    """One line of the table.

    Attributes:
        healer, condition: of the alert that explains.
        level: how bad that one is at least.
        others: conditions of the alerts that it explains, by healer.
        covers: which of them.
    """

    healer: str
    condition: str
    level: Severity
    others: dict[str, frozenset[str]]
    covers: Covers


def _facts(snapshot: Snapshot, alert: AlertView) -> Packed:
    view = snapshot.components.get(alert.component)
    return view.facts if view is not None else {}


def on_the_file_system(snapshot: Snapshot, full: AlertView, other: AlertView) -> bool:
    """Return whether files of the other's component are on the file system that is full.

    A budget of a directory is no file system, and one whose number is not known is none of them.
    """
    disk, facts = _facts(snapshot, full), _facts(snapshot, other)
    if disk.get("kind") != "filesystem" or not disk.get("device"):
        return False
    return disk["device"] in {facts.get("device"), *_listed(facts.get("devices"))}


def named(what: str, prefix: str = "") -> Covers:
    """Return the rule that covers whom the evidence of the alert that explains lists as `what`."""

    def covers(_snapshot: Snapshot, cause: AlertView, other: AlertView) -> bool:
        names = _listed(cause.evidence.get(what))
        return other.component in {f"{prefix}{name}" for name in names}

    return covers


def _listed(value: object) -> list[object]:
    """Return a list out of packed facts; empty: it is none."""
    return list(cast("list[object]", value)) if isinstance(value, list | tuple) else []


LOCKS: Final = frozenset({"locked", "long-transaction", "wal-growth", "left-full", "left-failed"})
CRASHES: Final = frozenset({"down", "unhealthy", "silent", "flapping"})
STANDSTILL: Final = frozenset({"stuck", "retrying", "idle", "flapping"})

RULES: Final = (
    Rule("disks", "full", "CRITICAL", {"databases": LOCKS, "workers": CRASHES}, on_the_file_system),
    Rule("workers", "storm", "WARNING", {"workers": CRASHES | {"memory"}}, named("workers")),
    Rule(
        "sessions", "server-gone", "WARNING", {"sessions": frozenset({"gone", "dead"})},
        named("sessions", "session:"),
    ),
    Rule("sessions", "outage", "WARNING", {"sessions": STANDSTILL}, named("sessions", "session:")),
)  # fmt: skip


_CAUSES: Final = tuple(f"/{rule.condition}" for rule in RULES)


class Causes:
    """The alerts of a snapshot that explain others."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._host = f"{snapshot.engine.host}/"
        self._found = [
            (rule, alert)
            for key, alert in snapshot.alerts.items()
            if key.endswith(_CAUSES) and not alert.pending
            for rule in self._rules(alert)
        ]

    def _place(self, alert: AlertView) -> tuple[str, str]:
        healer = alert.key.removeprefix(self._host).partition("/")[0]
        return healer, alert.key.rpartition("/")[2]

    def _rules(self, alert: AlertView) -> Iterable[Rule]:
        place = self._place(alert)
        return (
            rule
            for rule in RULES
            if (rule.healer, rule.condition) == place and RANK[alert.severity] >= RANK[rule.level]
        )

    def of(self, alert: AlertView) -> str:
        """Return the key of the alert that explains another one, or empty."""
        if not self._found:
            return ""
        healer, condition = self._place(alert)
        return next(
            (
                cause.key
                for rule, cause in self._found
                if cause.key != alert.key
                and condition in rule.others.get(healer, ())
                and rule.covers(self._snapshot, cause, alert)
            ),
            "",
        )
