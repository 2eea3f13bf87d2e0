"""Moments worth a stop: what a person steps through, and where incidents began.

A moment is an event that changed something a person looks for: a component's status, a plan, a
touch, an alert, what people said. Moments within a second of each other are one stop, at the last
of them. An incident is an alert, or what was healed before one was needed; it begins at the first
bad look at its component.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from healmon.store.past import Past, wall_of

TOGETHER: Final = 1.0
"""Seconds between two moments of one stop."""
LONGEST: Final = 20.0
"""Seconds that one stop may span: a storm without a pause is several."""
WINDOW: Final = 1_000
"""Events looked through at once."""
INCIDENTS: Final = 32
"""Alerts on each side of a moment among which the next incident is looked for."""
LOOKS: Final = 5_000
"""Looks at one component that are gone back at most to find where an incident began."""
_WELL: Final = ("healthy", "recovered")
_QUIET: Final = frozenset(
    {
        "remembered", "cyclestarted", "cyclefinished", "alertupdated", "alertseen",
        "alertarchived", "planrefused", "noticemade", "noticesent", "noticefailed",
        "noticedropped", "overridereceived", "overrideanswered",
    }
)  # fmt: skip
"""Kinds of events that nobody steps to: they repeat, or another one says the same."""
_STATUS: Final = "CASE kind WHEN 'observed' THEN json_extract(payload, '$.status') ELSE '' END"


class Moment(NamedTuple):
    """An event worth a stop: its id and its wall seconds."""

    id: int
    wall: float


def stop_before(past: Past, number: int) -> int | None:
    """Return the last event of the stop before the one that holds an event; None: there is none."""
    oldest = past.bounds().oldest
    found = _backward(past, number, oldest)
    last = next(found, None)
    if last is None:
        return None
    if last.id < number and _parted(past, last, number):
        return last.id
    newest = last
    for moment in found:
        if _apart(moment, last, newest):
            return moment.id
        last = moment
    return None


def stop_after(past: Past, number: int) -> int | None:
    """Return the last event of the stop after an event, or of its own; None: there is none."""
    first: Moment | None = None
    last: Moment | None = None
    for moment in _forward(past, number):
        if first is None or last is None:
            first = last = moment
        elif _apart(last, moment, first):
            break
        else:
            last = moment
    return last.id if last is not None else None


def incident_before(past: Past, number: int) -> int | None:
    """Return where the newest incident began that began before an event; None: there is none."""
    oldest = past.bounds().oldest
    return max((n for n in _beginnings(past, number) if oldest <= n < number), default=None)


def incident_after(past: Past, number: int) -> int | None:
    """Return where the next incident after an event began; None: there is none."""
    oldest = past.bounds().oldest
    return min((n for n in _beginnings(past, number) if n > max(number, oldest)), default=None)


def beginning(past: Past, number: int, component: str) -> int:
    """Return where the incident began that an event of its component tells of."""
    rows = past.rows(
        "SELECT id FROM events WHERE component = ? AND id < ?"
        " AND (kind = 'alertopened' OR kind = 'alertreopened') ORDER BY id DESC LIMIT 1",
        component,
        number,
    )
    return first_bad_look(past, number, component, int(rows[0][0]) if rows else 0)


def first_bad_look(past: Past, number: int, component: str, floor: int = 0) -> int:
    """Return the look that first saw what an event tells of; the event itself if none did.

    Args:
        past: where to look.
        number: of the event that tells of it.
        component: what is bad.
        floor: the incident of the same component before it: it does not go back past that.
    """
    first, last, seen, most = number, number + 1, 0, 4
    while seen < LOOKS:
        most = min(4 * most, WINDOW)
        rows = past.rows(
            f"SELECT id, {_STATUS} FROM events WHERE component = ? AND kind = 'observed'"  # noqa: S608 - constants
            " AND id < ? AND id > ? ORDER BY id DESC LIMIT ?",
            component,
            last,
            floor,
            most,
        )
        for found, status in rows:
            if status in _WELL:
                return first
            first = last = int(found)
        seen += len(rows)
        if len(rows) < most:
            break
    return first


def _beginnings(past: Past, number: int) -> Iterator[int]:
    """Return where the incidents around an event began, in no order."""
    kinds = "(kind = 'alertopened' OR kind = 'alertreopened' OR kind = 'actionstarted')"
    earlier = past.rows(
        f"SELECT id, component, kind FROM events WHERE {kinds} AND id < ? ORDER BY id DESC LIMIT ?",  # noqa: S608 - constants
        number,
        INCIDENTS,
    )
    later = past.rows(
        f"SELECT id, component, kind FROM events WHERE {kinds} AND id >= ? ORDER BY id LIMIT ?",  # noqa: S608 - constants
        number,
        INCIDENTS,
    )
    before: dict[str, int] = {}
    oldest = past.bounds().oldest
    for found, component, kind in [*reversed(earlier), *later]:
        act = kind == "actionstarted"
        floor = 0 if act else before.get(component, 0)
        first = first_bad_look(past, int(found), str(component), floor)
        if act and first == found:
            continue  # nothing was wrong: somebody asked for it
        # of what began before all that is kept, the oldest that is kept
        yield max(first, min(int(found), oldest))
        if not act:
            before[component] = int(found)


def _apart(one: Moment, other: Moment, end: Moment) -> bool:
    """Tell whether two neighbours are of two stops; `end` is where the stop began or ends."""
    return abs(other.wall - one.wall) > TOGETHER or abs(one.wall - end.wall) > LONGEST


def _parted(past: Past, moment: Moment, number: int) -> bool:
    """Tell whether an event that is no moment itself is of another time than the one before it."""
    rows = past.rows("SELECT timestamp FROM events WHERE id = ?", number)
    return not rows or wall_of(rows[0][0]) - moment.wall > TOGETHER


def _backward(past: Past, number: int, oldest: int) -> Iterator[Moment]:
    """Pass over the moments up to an event, newest first."""
    last = number
    while last >= oldest:
        rows = past.rows(
            f"SELECT id, timestamp, kind, component, {_STATUS} FROM events"  # noqa: S608 - constants
            " WHERE id <= ? AND id >= ? ORDER BY id DESC LIMIT ?",
            last,
            oldest,
            WINDOW,
        )
        if not rows:
            return
        yield from reversed(_moments(past, list(reversed(rows))))
        last = int(rows[-1][0]) - 1


def _forward(past: Past, number: int) -> Iterator[Moment]:
    """Pass over the moments after an event, oldest first."""
    last = number
    while True:
        rows = past.rows(
            f"SELECT id, timestamp, kind, component, {_STATUS} FROM events"  # noqa: S608 - constants
            " WHERE id > ? ORDER BY id LIMIT ?",
            last,
            WINDOW,
        )
        if not rows:
            return
        yield from _moments(past, rows)
        last = int(rows[-1][0])


def _moments(past: Past, rows: list[tuple[int, str, str, str, str]]) -> list[Moment]:
    """Return those of a page of events, in their order, that are moments."""
    known: dict[str, str] = {}
    found: list[Moment] = []
    for number, timestamp, kind, component, status in rows:
        if kind in _QUIET:
            continue
        if kind == "observed":
            before = known.get(component)
            if before is None:
                before = _status_before(past, component, number)
            known[component] = status
            if status == before:
                continue
        found.append(Moment(number, wall_of(timestamp)))
    return found


def _status_before(past: Past, component: str, number: int) -> str:
    rows = past.rows(
        f"SELECT {_STATUS} FROM events WHERE component = ? AND id < ? AND kind = 'observed'"  # noqa: S608 - constants
        " ORDER BY id DESC LIMIT 1",
        component,
        number,
    )
    return str(rows[0][0]) if rows else ""
