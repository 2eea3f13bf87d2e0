"""The life of alerts, and what people lay over it: acknowledged, silenced, in maintenance."""

from __future__ import annotations

from healmon.events.base import Base
from healmon.plans import Overlays, Packed, Severity


class AlertPended(Base, frozen=True):
    """Something was found once and is not confirmed; the event's own id is the alert's id."""

    key: str
    level: Severity
    component: str
    message: str
    evidence: Packed = {}


class AlertOpened(Base, frozen=True):
    """Something needs attention; an alert that was not pending has this event's id as its own."""

    key: str
    level: Severity
    component: str
    message: str
    evidence: Packed = {}


class AlertDropped(Base, frozen=True):
    """What was pending was gone before it was confirmed."""

    key: str
    reason: str


class AlertUpdated(Base, frozen=True):
    """An open alert was seen again with something new to say; its level may have risen."""

    key: str
    level: Severity
    message: str
    evidence: Packed = {}


class AlertResolved(Base, frozen=True):
    """What an alert was about is over."""

    key: str
    reason: str


class AlertReopened(Base, frozen=True):
    """What had ended a short while ago is there again: the same incident goes on.

    `incident` is the alert's id; `first_seen`, `count`, `reopened` and `peak` are what it says now.
    """

    key: str
    level: Severity
    component: str
    message: str
    evidence: Packed
    incident: int
    first_seen: float
    count: int
    reopened: int
    peak: Severity


class AlertStale(Base, frozen=True):
    """Nobody has been able to look for too long; whether the condition holds is not known."""

    key: str
    reason: str


class AlertSeen(Base, frozen=True):
    """The condition of a stale alert was looked at again and still holds."""

    key: str


class AlertArchived(Base, frozen=True):
    """An alert ended too long ago to come back; the same condition is a new incident now."""

    key: str


class AlertOverlaid(Base, frozen=True):
    """What mutes the notices of an alert changed."""

    key: str
    overlays: Overlays


class AlertNoted(Base, frozen=True):
    """Good to know, nothing to do: born resolved ("auto-recovered")."""

    key: str
    component: str
    message: str
    evidence: Packed = {}


class AlertAcknowledged(Base, frozen=True):
    """A person said "I know"; expires at `until` (wall seconds) unless None."""

    key: str
    by: str
    note: str = ""
    until: float | None = None


class AlertUnacknowledged(Base, frozen=True):
    """An acknowledgement was taken back or ran out."""

    key: str
    reason: str


class SilenceStarted(Base, frozen=True):
    """Notices of what matches are muted until `until` (wall seconds); its id is this event's."""

    match: str
    until: float
    by: str
    note: str = ""


class SilenceEnded(Base, frozen=True):
    """A silence ran out or was taken back."""

    silence: int
    reason: str


class MaintenanceStarted(Base, frozen=True):
    """Actions are paused for a component, or all that are like it, until `until` (wall seconds).

    `component` is a name or a pattern: `session:build-*`, `*` for everything.
    """

    component: str
    until: float
    by: str
    note: str = ""


class MaintenanceEnded(Base, frozen=True):
    """Actions are allowed again; `would` says what would have been done meanwhile."""

    component: str
    reason: str
    would: tuple[str, ...] = ()
