"""What one run of the engine is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from healmon.config.settings import Alerts, Notify
from healmon.world.notifying import Messenger


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """Where notices go.

    Attributes:
        messenger: the door.
        notify: who is told, and when.
        epoch: the store's, which makes a notice's id the only one of its name.
        report: title and text of the report about the last so many seconds; may hang.
    """

    messenger: Messenger
    notify: Notify
    epoch: str = ""
    report: Callable[[float], tuple[str, str]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run of the engine is told.

    Attributes:
        host: this host's name in alerts.
        interval: seconds between cycle starts.
        mode: for people: `tui`, `daemon`, `no-ui`, `once`.
        dry_run: decide and report everything, touch nothing.
        alerts: `[alerts]` of the configuration.
        steady_offset: the clock's offset, kept for the next run in this boot.
        repaired: what the journal set aside; an alert of this run says so.
        outlet: where notices go; None: nowhere. A dry run tells nobody.
        configuration: a digest of the one that was read; empty: there is none to compare.
        source: the file.
    """

    host: str
    interval: float = 60.0
    mode: str = "no-ui"
    dry_run: bool = False
    alerts: Alerts = field(default_factory=Alerts)
    steady_offset: float = 0.0
    repaired: str = ""
    outlet: Outlet | None = None
    configuration: str = ""
    source: str = ""
