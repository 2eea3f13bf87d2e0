"""How a line of the log looks, and what must never stand in it."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from typing import Any, Final, cast

from healmon.clock import format_utc
from healmon.config.mask import MASK, secrets_of, without_userinfo
from healmon.config.settings import Settings
from healmon.events import Recorded, component_of, encode, kind_of
from healmon.redact import redact_line
from healmon.text import clean

TEXT: Final = "%(asctime)s %(levelname)s %(message)s"
EVENT: Final = "healmon_event"
"""The attribute of a log record that has the event it tells of."""
PRIORITIES: Final = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}
"""Levels of syslog(3), as sd-daemon(3) wants them before a line."""


class Redactor:
    """Takes out what the configuration keeps secret, and whatever looks like a key or password."""

    def __init__(self) -> None:
        self._known: tuple[str, ...] = ()

    def learn(self, settings: Settings) -> None:
        """Take in what a configuration keeps secret; what was known before stays so."""
        found = {*self._known, *secrets_of(settings, os.environ)}
        self._known = tuple(sorted(found, key=len, reverse=True))

    def text(self, text: str) -> str:
        """Return a text as it may be written down."""
        for secret in self._known:
            text = text.replace(secret, MASK)
        return redact_line(without_userinfo(text))

    def value(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        """Return a JSON value as it may be written down."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            pairs = cast("dict[str, object]", value)
            return {key: self.value(one) for key, one in pairs.items()}
        if isinstance(value, list):
            return [self.value(one) for one in cast("list[object]", value)]
        return value


class Lines(logging.Formatter):
    """Lines for people: time, level and what is said.

    Args:
        redactor: what takes secrets out.
        stamped: with the time; False where the journal writes it.
    """

    def __init__(self, redactor: Redactor, *, stamped: bool = True) -> None:
        super().__init__(TEXT if stamped else "%(message)s")
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; an exception is in it, too."""
        rows = super().format(record).split("\n")
        return "\n".join(self._redactor.text(clean(row, limit=4000)) for row in rows)


class JsonLines(logging.Formatter):
    """One JSON object a line.

    `time` (RFC 3339, UTC; not in the journal), `level`, `message`, and of an event `id`, `kind`,
    `component`, `cause` and `event`, which is what the store keeps as `payload`.

    Args:
        redactor: what takes secrets out.
        stamped: with the time.
    """

    def __init__(self, redactor: Redactor, *, stamped: bool = True) -> None:
        super().__init__()
        self._redactor = redactor
        self._stamped = stamped

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        time = format_utc(record.created).replace(" ", "T") + "Z"
        told: dict[str, Any] = {"time": time} if self._stamped else {}
        told |= {"level": record.levelname, "message": clean(record.getMessage(), limit=4000)}
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        event = getattr(record, EVENT, None)
        if isinstance(event, Recorded):
            told |= {
                "id": event.id,
                "kind": kind_of(event.event),
                "component": component_of(event.event),
                "cause": event.cause,
                "event": json.loads(encode(event.event)),
            }
        return json.dumps(self._redactor.value(told), ensure_ascii=False)


class Journal(logging.Formatter):
    """Puts before each line how much it matters, as journald reads it.

    Args:
        inner: makes the lines.
    """

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines with their priorities."""
        priority = PRIORITIES.get(record.levelno, 6)
        rows = self._inner.format(record).split("\n")
        return "\n".join(f"<{priority}>{row}" for row in rows)


def to_journal(fd: int, environ: Mapping[str, str]) -> bool:
    """Return whether a descriptor is the journal's: systemd.exec(5), `JOURNAL_STREAM`."""
    named = environ.get("JOURNAL_STREAM", "")
    try:
        found = os.fstat(fd)
    except OSError:
        return False
    return named == f"{found.st_dev}:{found.st_ino}"
