"""The log: one line an event worth reading, to a rotated file, to stderr or to the journal."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from healmon import events as ev
from healmon.config.settings import Settings
from healmon.events import Recorded, component_of, kind_of, severity_of
from healmon.plans import Overlays
from healmon.service.logformat import EVENT, Journal, JsonLines, Lines, Redactor, to_journal
from healmon.text import clean
from healmon.world.logfile import SetAside

if TYPE_CHECKING:
    import argparse

log = logging.getLogger("healmon")

REDACTOR = Redactor()
"""What is taken out of every line."""
SIZE = 5_000_000
KEEP = 5
LEVELS = {"INFO": logging.INFO, "WARNING": logging.WARNING, "CRITICAL": logging.CRITICAL}
ROUTINE = ev.Observed | ev.Remembered | ev.CycleStarted | ev.CycleFinished


def _level(args: argparse.Namespace, default: str) -> int:
    return logging.getLevelNamesMapping()[str(getattr(args, "log_level", default)).upper()]


def _use(handler: logging.Handler, level: int) -> None:
    for before in log.handlers:
        before.close()
    log.handlers = [handler]
    log.setLevel(level)
    log.propagate = False
    # a log that cannot be written (full disk) must never stop a healer
    logging.raiseExceptions = False


def _formatter(settings: Settings | None, *, journal: bool) -> logging.Formatter:
    if settings is not None:
        REDACTOR.learn(settings)
    json_wanted = settings is not None and settings.monitor.log_format == "json"
    kind = JsonLines if json_wanted else Lines
    made = kind(REDACTOR, stamped=not journal)
    return Journal(made) if journal else made


def log_to_file(path: Path, args: argparse.Namespace, settings: Settings | None = None) -> None:
    """Send the log to a file, rotated by size."""
    size = settings.monitor.log_size if settings is not None else SIZE
    keep = settings.monitor.log_keep if settings is not None else KEEP
    handler = SetAside(str(path), size, keep)
    handler.setFormatter(_formatter(settings, journal=False))
    _use(handler, _level(args, "info"))


def log_to_stderr(args: argparse.Namespace, settings: Settings | None = None) -> None:
    """Send warnings and worse to stderr, or all that is worth a line where that is the journal."""
    handler = logging.StreamHandler()
    try:
        journal = to_journal(handler.stream.fileno(), os.environ)
    except (OSError, ValueError):
        journal = False  # a stream that is no file
    handler.setFormatter(_formatter(settings, journal=journal))
    _use(handler, _level(args, "info" if journal else "warning"))


def in_journal() -> bool:
    """Return whether the log goes to the journal."""
    return any(isinstance(handler.formatter, Journal) for handler in log.handlers)


def log_events(record: Recorded) -> None:
    """Log one event; what every cycle says goes to the debug level."""
    event = record.event
    level = logging.DEBUG if isinstance(event, ROUTINE) else LEVELS[severity_of(event)]
    if log.isEnabledFor(level):
        log.log(level, "#%d %s", record.id, clean(line(event), limit=2000), extra={EVENT: record})


def line(event: ev.Event) -> str:
    """Return an event as one line: kind, component, and what it says."""
    said = {
        name: value
        for name in event.__struct_fields__
        if name not in {"component", "facts", "memory", "evidence", "details", "body", "keys"}
        and (value := getattr(event, name)) not in ("", None, ())
    }
    if isinstance(event, ev.PlanMade | ev.PlanRefused):
        said["plan"] = f"{event.plan.action}: {event.plan.why}"
    if isinstance(event, ev.ConfigurationChanged):
        said["changes"] = "; ".join(map(str, event.changes))
    if isinstance(event, ev.ConfigurationRefused):
        said["problems"] = "; ".join(event.problems)
    if isinstance(event, ev.AlertOverlaid):
        said["overlays"] = _overlays(event.overlays)
    words = " ".join(f"{name}={value}" for name, value in said.items())
    return f"{kind_of(event)} {component_of(event)} {words}"


def _overlays(overlays: Overlays) -> str:
    over = [
        name if value is True else f"{name} {value}"
        for name in overlays.__struct_fields__
        if (value := getattr(overlays, name))
    ]
    return ", ".join(over).replace("_", " ") or "none"
