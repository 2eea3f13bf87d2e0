"""How things went lately: up and down, and how much, folded from the same events as the snapshot.

Bounded in every direction. What a strip says of a moment depends on the events up to that moment
only, so a frozen view and one of the past draw it right: later events are passed over.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, Literal, NamedTuple, TypeAlias

from healmon import events as ev
from healmon.plans import Packed
from healmon.state import Snapshot
from healmon_tui import glyphs
from healmon_tui.facts import Facts
from healmon_tui.paint import Span, Spans, Tone

CELL: Final = 120.0
"""Seconds that one cell of a strip stands for."""
CELLS: Final = 15
SPAN: Final = CELL * CELLS
"""Half an hour."""
KEPT: Final = 200
"""Turns kept of each component, at least, once there are so many."""
LEVELS: Final = 4 * CELLS
"""Likewise levels: there are three in a cell at most."""
COMPONENTS: Final = 500
"""Components of which anything is kept."""
GAPS: Final = 50

Kind: TypeAlias = Literal["", "up", "off", "blind", "part", "down"]
"""What a cell says, the worse the later: nothing known, up, meant to be down, nobody looked, on its
way, down. A cell says the worst of its time, so that no crash is too short to be seen."""
_RANK: Final[dict[Kind, int]] = {
    "": 0, "up": 1, "off": 2, "blind": 3, "part": 4, "down": 5,
}  # fmt: skip
_UP: Final = frozenset({"healthy", "trial", "probation"})
_PART: Final = frozenset({"starting", "backoff", "stopping", "waiting_dependency"})
_OFF: Final = frozenset({"stopped", "completed"})
STUCK: Final = frozenset({"stalled", "frozen", "gave_up", "idle_with_task", "dead", "gone"})
"""States of sessions that are stuck."""
_LOOK: Final[dict[Kind, tuple[str, Tone]]] = {
    "": (" ", "faint"),
    "up": (glyphs.BARS[1], "ok"),
    "off": (glyphs.DOT, "dim"),
    "blind": (glyphs.UNKNOWN, "dim"),
    "part": (glyphs.BARS[4], "heal"),
    "down": (glyphs.BARS[7], "bad"),
}
"""What is well stays low and calm; trouble stands out, by its height as much as by its tone."""


class Turn(NamedTuple):
    """From when on something was so."""

    at: float
    kind: Kind


class Level(NamedTuple):
    """How much it was, from when on."""

    at: float
    value: float


class Strips:
    """The last turns and levels of every component.

    Attributes:
        reaches: grows when older events were put in front.
    """

    def __init__(self) -> None:
        self._turns: dict[str, list[Turn]] = {}
        self._levels: dict[str, list[Level]] = {}
        self._gaps: list[tuple[float, float]] = []
        self._first: dict[str, float] = {}
        self._last = 0.0
        self._known: dict[str, tuple[tuple[int, int, int], tuple[Kind, ...]]] = {}
        self.reaches = 0

    def add(self, record: ev.Recorded) -> None:
        """Fold one more event."""
        event = record.event
        if isinstance(event, ev.Observed):
            self._observed(event, record.wall)
        elif isinstance(event, ev.ComponentGone):
            self._turn(event.component, record.wall, "")
        elif isinstance(event, ev.EngineStarted) and self._last:
            self._gaps = [*self._gaps, (self._last, record.wall)][-GAPS:]
        elif isinstance(event, ev.ClockJumped) and event.stepped:
            self._moved(event.stepped)
        self._last = max(self._last, record.wall)

    def _moved(self, by: float) -> None:
        """Take in that the wall clock was set: all that is kept is as long ago as it was."""
        for turns in self._turns.values():
            turns[:] = [turn._replace(at=turn.at + by) for turn in turns]
        for levels in self._levels.values():
            levels[:] = [level._replace(at=level.at + by) for level in levels]
        self._gaps = [(begin + by, end + by) for begin, end in self._gaps]
        self._first = {name: at + by for name, at in self._first.items()}
        self._last += by
        self._known.clear()

    def seed(self, snapshot: Snapshot) -> None:
        """Begin with what is known now of whatever no event has told anything of."""
        for view in snapshot.components.values():
            if view.healer in ("workers", "sessions") and view.name not in self._turns:
                self._first[view.name] = view.seen_at
                self._turn(view.name, view.since, kind_of(view.healer, view.status, view.facts))

    def before(self, older: Strips) -> None:
        """Put in front what older events tell."""
        for name, turns in older._turns.items():
            mine = self._turns.get(name, [])
            if not mine and len(self._turns) >= COMPONENTS:
                continue
            # what was only concluded of the time before the first event gives way
            first = self._first.get(name, older._last)
            mine = [turn if turn.at >= first else Turn(first, turn.kind) for turn in mine]
            self._turns[name] = _merged([*turns, *mine])
            self._first[name] = older._first.get(name, first)
        for name, levels in older._levels.items():
            own = self._levels.get(name, [])
            if len(self._levels) < COMPONENTS or own:
                self._levels[name] = [*levels, *own][-2 * LEVELS :]
        self._gaps = [*older._gaps, *self._gaps][-GAPS:]
        self._known.clear()
        self.reaches += 1

    def uptime(self, component: str, now: float) -> tuple[Kind, ...]:
        """Return how a component was in each cell of the last half hour, the newest last."""
        turns = self._turns.get(component)
        if not turns:
            return ("",) * CELLS
        upto = bisect_right(turns, now, key=_at)
        key = (int(now // CELL), upto, len(self._gaps))
        known = self._known.get(component)
        if known is None or known[0] != key:
            begin = (key[0] + 1 - CELLS) * CELL
            cells = _cells(turns[:upto], begin)
            known = self._known[component] = (key, _blinded(cells, begin, self._gaps))
        return known[1]

    def levels(self, component: str, now: float) -> tuple[float, ...]:
        """Return the highest level in each cell, the newest last; cells before the first: none."""
        found: list[float] = []
        kept = self._levels.get(component, [])
        begin = (int(now // CELL) + 1 - CELLS) * CELL
        highest: dict[int, float] = {}
        before: float | None = None
        for level in kept:
            if level.at > now:
                break
            if level.at < begin:
                before = level.value
                continue
            cell = int((level.at - begin) // CELL)
            highest[cell] = max(highest.get(cell, level.value), level.value)
        last = int((now - begin) // CELL)
        for cell in range(last + 1):
            value = highest.get(cell, before)
            if value is not None:
                found.append(value)
            before = value
        return tuple(found)

    def stuck(self, names: Iterable[str], now: float) -> tuple[int, ...]:
        """Return how many of these sessions were stuck in each cell, the newest last."""
        strips = [strip for name in names if "down" in (strip := self.uptime(name, now))]
        return tuple(sum(strip[cell] == "down" for strip in strips) for cell in range(CELLS))

    def _observed(self, event: ev.Observed, at: float) -> None:
        name, facts = event.component, Facts(event.facts)
        if event.healer in ("workers", "sessions"):
            kind = kind_of(event.healer, event.status, event.facts)
            self._first.setdefault(name, at)
            since = None
            if name not in self._turns and event.healer == "workers":
                since = facts.number("since")
            if since is not None and kind in ("up", "down"):
                # the first that is heard of it: it says itself since when it is so
                self._turn(name, min(since, at), kind)
            self._turn(name, at, kind)
        value = facts.number({"workers": "cpu", "disks": "percent"}.get(event.healer, ""))
        if value is not None:
            self._level(name, at, value)

    def _turn(self, name: str, at: float, kind: Kind) -> None:
        turns = self._turns.get(name)
        if turns is None:
            if len(self._turns) >= COMPONENTS:
                self._forget()
            turns = self._turns[name] = []
        if turns and turns[-1].kind == kind:
            return
        turns.append(Turn(max(at, turns[-1].at) if turns else at, kind))
        if len(turns) > 2 * KEPT:
            del turns[:KEPT]

    def _forget(self) -> None:
        gone = (name for name, turns in self._turns.items() if turns[-1].kind == "")
        name = next(gone, next(iter(self._turns)))
        del self._turns[name]
        self._first.pop(name, None)
        self._known.pop(name, None)

    def _level(self, name: str, at: float, value: float) -> None:
        levels = self._levels.get(name)
        if levels is None:
            if len(self._levels) >= COMPONENTS:
                del self._levels[next(iter(self._levels))]
            levels = self._levels[name] = []
        if len(levels) > 1 and levels[-2].at // CELL == at // CELL:
            # the highest of a cell is all that is ever asked for, and what it ended with
            last = levels.pop()
            if last.value > levels[-1].value:
                levels[-1] = Level(levels[-1].at, last.value)
        levels.append(Level(max(at, levels[-1].at) if levels else at, value))
        if len(levels) > 2 * LEVELS:
            del levels[:LEVELS]


NOTHING: Final = Strips()
"""For scenes of which no past is known."""


def kind_of(healer: str, status: str, packed: Packed) -> Kind:
    """Return what a cell says of a component so observed."""
    facts = Facts(packed)
    word = facts.text("state")
    if status == "unknown":
        return "blind"
    if healer == "sessions":
        return "down" if word in STUCK and facts.texts("tasks") else "up"
    if word in _OFF or (word == "down" and facts.text("desired") == "down"):
        return "off"
    if word in _UP or (not word and status in ("healthy", "recovered")):
        return "up"
    return "part" if word in _PART else "down"


@lru_cache(maxsize=128)
def spans(cells: tuple[Kind, ...]) -> Spans:
    """Return a strip as it is drawn: height and tone both say it."""
    done: list[Span] = []
    for kind in cells:
        sign, tone = _LOOK[kind]
        if done and done[-1].tone == tone:
            done[-1] = Span(done[-1].text + sign, tone)
        else:
            done.append(Span(sign, tone))
    return tuple(done)


def spark(values: Sequence[float], least: float, top: float | None = None) -> str:
    """Return values as a line of bars.

    Args:
        values: the newest last.
        least: the smallest difference that fills the height: less is no drama.
        top: the value of a full bar; default: the highest, and the lowest is an empty one.
    """
    if not values:
        return ""
    low = 0.0 if top is not None else min(values)
    high = top if top is not None else max(values)
    room = max(high - low, least)
    steps = len(glyphs.BARS) - 1
    bars = (int(max(0.0, min((value - low) / room, 1.0)) * steps + 0.5) for value in values)
    return "".join(glyphs.BARS[bar] for bar in bars)


def _cells(turns: Sequence[Turn], begin: float) -> list[Kind]:
    cells: list[Kind] = [""] * CELLS
    for number, turn in enumerate(turns):
        until = turns[number + 1].at if number + 1 < len(turns) else begin + SPAN
        first = max(int((turn.at - begin) // CELL), 0)
        last = min(int((until - begin) // CELL), CELLS - 1)
        if number + 1 < len(turns) and until == begin + last * CELL:
            last -= 1
        for cell in range(first, last + 1):
            cells[cell] = max(cells[cell], turn.kind, key=_rank)
    return cells


def _blinded(
    cells: list[Kind], begin: float, gaps: Iterable[tuple[float, float]]
) -> tuple[Kind, ...]:
    """Return the cells without those through which nobody looked at all."""
    for start, end in gaps:
        for cell in range(CELLS):
            at = begin + cell * CELL
            if start <= at and at + CELL <= end and cells[cell]:
                cells[cell] = "blind"
    return tuple(cells)


def _merged(turns: Iterable[Turn]) -> list[Turn]:
    done: list[Turn] = []
    for turn in turns:
        if not done or done[-1].kind != turn.kind:
            done.append(turn)
    return done[-2 * KEPT :]


def _at(turn: Turn) -> float:
    return turn.at


def _rank(kind: Kind) -> int:
    return _RANK[kind]
