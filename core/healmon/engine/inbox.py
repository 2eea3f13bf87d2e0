"""What people say of alerts: "I know", "do not tell me", and both taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from healmon import alerts
from healmon import events as ev
from healmon.clock import Clock
from healmon.errors import DataError
from healmon.plans import Answer, Packed
from healmon.state import AlertView, Snapshot
from healmon.text import clean
from healmon.units import format_duration

KNOWN_AT_MOST: Final = 30 * 86400.0
"""Seconds that an acknowledgement lasts at most."""
NOTE: Final = 500
"""Characters of a note."""


class Telling(Protocol):
    """Where events go, and what they have come to: the engine's stream, or `Unheard`."""

    @property
    def snapshot(self) -> Snapshot:
        """What all events so far fold into."""
        ...

    def emit(self, event: ev.Event, cause: int | None = None) -> int:
        """Record an event and return its id."""
        ...


class Unheard:
    """A stream that keeps nothing: what is said into it is only tried.

    Args:
        snapshot: on which it is tried.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def emit(self, event: ev.Event, cause: int | None = None) -> int:  # noqa: ARG002 - not kept
        """Return the id that an event would have had, if it were the next."""
        return self.snapshot.last_id + 1


def lasting(arguments: Packed, at_most: float, what: str) -> float:
    """Return for how many seconds something is asked.

    Raises:
        DataError: it has no end, or none that is near enough.
    """
    seconds = arguments.get("for")
    days = format_duration(at_most)
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        raise DataError(f"{what} needs an end within {days}")
    if not 0 < seconds <= at_most:
        raise DataError(f"{what} lasts at most {days} and ends after now")
    return float(seconds)


def note_of(arguments: Packed) -> str:
    """Return why, in a person's words."""
    return clean(str(arguments.get("note") or ""), limit=NOTE)


class Inbox:
    """Answers requests about alerts.

    Args:
        stream: where events go.
        clock: the engine's clock.
        acknowledge_for: seconds an acknowledgement holds unless said otherwise.
        changed: called when what lies over alerts may have changed.
    """

    def __init__(
        self, stream: Telling, clock: Clock, acknowledge_for: float, changed: Callable[[], None]
    ) -> None:
        self._stream = stream
        self._clock = clock
        self.acknowledge_for = acknowledge_for
        self._changed = changed

    @property
    def _known(self) -> Snapshot:
        return self._stream.snapshot

    def _alert(self, name: str) -> AlertView:
        for alert in self._known.alerts.values():
            if name in (str(alert.id), alert.key):
                return alert
        over = any(name in (str(alert.id), alert.key) for alert in self._known.ended.values())
        said = f"alert {name} is over already" if over else f"no open alert {name}"
        raise DataError(said, remedy="see: healmon alerts")

    def rehearse(self, verb: str, name: str, arguments: Packed, origin: str) -> Answer:
        """Return what would be answered to a request, by the same rules; nothing is done.

        Raises:
            DataError: as the request; or it is none that can be tried.
        """
        tried = Inbox(Unheard(self._known), self._clock, self.acknowledge_for, lambda: None)
        ways: dict[str, Callable[[], Answer]] = {
            "acknowledge": lambda: tried.acknowledge(name, arguments, origin),
            "unacknowledge": lambda: tried.unacknowledge(name, origin),
            "unsilence": lambda: tried.unsilence(name, origin),
        }
        if verb not in ways:
            raise DataError(f"{clean(verb)} cannot be tried without being done")
        answer = ways[verb]()
        if not answer.ok:
            return answer
        return Answer(ok=True, text=f"dry run: nothing was done; without it: {answer.text}")

    def acknowledge(self, name: str, arguments: Packed, origin: str) -> Answer:
        """Note that somebody knows of an alert, for a while."""
        alert = self._alert(name)
        asked = arguments if arguments.get("for") is not None else {"for": self.acknowledge_for}
        seconds = lasting(asked, KNOWN_AT_MOST, "an acknowledgement")
        until = self._clock.read().wall + seconds
        note = note_of(arguments)
        self._stream.emit(ev.AlertAcknowledged(alert.key, clean(origin), note, until))
        text = f"acknowledged for {format_duration(seconds)}: {alert.message}"
        return Answer(ok=True, text=text)

    def unacknowledge(self, name: str, origin: str) -> Answer:
        """Take an acknowledgement back."""
        alert = self._alert(name)
        if alert.acknowledged_at is None:
            return Answer(ok=False, text=f"no acknowledged alert {name}")
        self._stream.emit(ev.AlertUnacknowledged(alert.key, f"taken back by {clean(origin)}"))
        return Answer(ok=True, text=f"open again: {alert.message}")

    def silence(self, text: str, arguments: Packed, origin: str) -> Answer:
        """Mute the notices of what matches, for a while."""
        match = alerts.parse(clean(text))
        unknown = alerts.unknown_ids(self._known, match)
        if unknown:
            raise DataError(f"no open alert {', '.join(unknown)}", remedy="see: healmon alerts")
        seconds = lasting(arguments, alerts.SILENCED_AT_MOST, "a silence")
        until = self._clock.read().wall + seconds
        number = self._stream.emit(
            ev.SilenceStarted(str(match), until, clean(origin), note_of(arguments))
        )
        self._changed()
        found = len(alerts.matched(self._known, match))
        now = {0: "no alert now", 1: "1 alert now"}.get(found, f"{found} alerts now")
        said = f"silence {number} for {format_duration(seconds)}: {match} ({now})"
        return Answer(ok=True, text=said)

    def unsilence(self, name: str, origin: str) -> Answer:
        """End a silence before its time."""
        silence = self._known.silences.get(name)
        if silence is None:
            there = ", ".join(self._known.silences) or "none"
            raise DataError(f"no silence {name}", remedy=f"there are: {there}")
        event = alerts.end_silence(self._known, silence, f"taken back by {clean(origin)}")
        self._stream.emit(event)
        self._changed()
        return Answer(ok=True, text=f"silence {name} ended: {event.reason}")
