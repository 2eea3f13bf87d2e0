"""Rows of the sessions panel, in the order of need."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from healmon.state import ComponentView
from healmon_tui import glyphs
from healmon_tui.columns import Column
from healmon_tui.facts import Facts
from healmon_tui.paint import Span, Spans, Tone
from healmon_tui.rows.late import LateCells
from healmon_tui.rows.memory import RowMemory
from healmon_tui.rows.scene import WELL, Mark, Row, Scene, age, short

HEALER: Final = "sessions"
STUCK, PERSON, RETRYING, UNKNOWN, QUIET, WORKING, IDLE, PROTECTED = range(8)
"""Who needs somebody most, first."""
_NEEDS: Final[dict[str, int]] = {
    "stalled": STUCK, "frozen": STUCK, "gave_up": STUCK, "idle_with_task": STUCK, "dead": STUCK,
    "gone": STUCK, "approval": PERSON, "question": PERSON, "secret": PERSON, "unsent": PERSON,
    "suspended": PERSON, "flow_stopped": PERSON, "retrying": RETRYING, "rate_limited": RETRYING,
    "unknown": UNKNOWN, "quiet": QUIET, "working": WORKING, "tool": WORKING, "starting": WORKING,
    "human": WORKING, "idle": IDLE, "protected": PROTECTED,
}  # fmt: skip
_ALARMS: Final[dict[str, int]] = {
    "stuck": STUCK, "idle": STUCK, "gone": STUCK, "dead": STUCK, "waiting": PERSON,
    "unsent": PERSON, "suspended": PERSON, "flapping": PERSON, "quarantined": PERSON,
    "late_result": PERSON, "retrying": RETRYING,
}  # fmt: skip
"""The same by what an open alert says: a tool past its limit is stuck, though it is a tool."""
_BUSY: Final = frozenset({"working", "tool", "starting", ""})
"""States in which something new may have come since the look, so that its age is not known."""
_TONES: Final[dict[int, Tone]] = {
    STUCK: "bad", PERSON: "warn", RETRYING: "warn", UNKNOWN: "warn", IDLE: "dim", PROTECTED: "dim",
}  # fmt: skip
PAINTING: Final = 5.0
"""Seconds since the last output for which a program paints: then its age does not grow."""


def columns(names: int, width: int) -> tuple[Column, ...]:
    """Return the panel's columns."""
    return (
        Column("name", "", names),
        Column("state", "STATE", 14),
        Column("quiet", "QUIET", 6, right=True, drop=1),
        Column("painted", "PAINT", 6, right=True, drop=2),
        Column("novelty", "NEW/MIN", 12 if width >= 100 else 8, drop=3, last=True),
        Column("task", "TASK", 5, right=True),
        Column("pane", "PANE", 10, drop=5),
        Column("command", "CMD", 9, drop=6),
        *((Column("rule", "RULE", 24, drop=7),) if width >= 150 else ()),
        Column("why", "WHY", 20, drop=4, stretch=1),
        Column("line", "SAYS", 12, stretch=2),
    )


def rows(scene: Scene, memory: RowMemory[ComponentView] | None = None) -> list[Row]:
    """Return one row per session, in no order."""
    views = scene.views(HEALER)
    return (memory or remembered()).rows(scene, views)


def remembered() -> RowMemory[ComponentView]:
    """Return an empty memory of such rows."""
    return RowMemory(_row, lambda view: (view.name, view.name))


def tally(scene: Scene) -> tuple[int, int, int]:
    """Return how many sessions are stuck, how many wait for a person, how many there are."""
    return scene.once(_tally)


def _tally(scene: Scene) -> tuple[int, int, int]:
    views = [view for view in scene.views(HEALER) if is_session(view)]
    needs = [need(scene, view) for view in views]
    return needs.count(STUCK), needs.count(PERSON), len(needs)


def stuck_lately(scene: Scene) -> tuple[int, ...]:
    """Return how many sessions were stuck in each cell of a strip, the newest last."""
    views = scene.views(HEALER)
    return scene.strips.stuck((view.name for view in views if is_session(view)), scene.now)


def need(scene: Scene, view: ComponentView) -> int:
    """Return how much a session needs somebody: `STUCK` is most."""
    facts = Facts(view.facts)
    state = facts.text("state")
    found = need_of(state)
    if view.status == "unknown" and found not in (STUCK, UNKNOWN):
        found = UNKNOWN
    if state in ("dead", "gone") and not facts.texts("tasks"):
        found = IDLE
    alarms = (
        _ALARMS.get(alert.key.rpartition("/")[2], PERSON)
        for alert in scene.alerts.get(view.name, [])
        if alert.state != "acknowledged" and alert.severity != "INFO"
    )
    return min([found, *alarms])


def need_of(state: str) -> int:
    """Return how much a session in this state needs somebody, its alerts apart."""
    return _NEEDS.get(state, WORKING)


def is_session(view: ComponentView) -> bool:
    """Return whether a component is a session, and not a task database or a tmux socket."""
    return view.name.startswith("session:")


def word_of(view: ComponentView, facts: Facts) -> str:
    """Return a state as people read it: `idle with task`; of a task database, `owes` or its own."""
    if not is_session(view) and facts.texts("tasks"):
        return "owes"
    return facts.text("state").replace("_", " ")


def quiet_for(facts: Facts, view: ComponentView, now: float) -> float | None:
    """Return for how many seconds there was no progress; None: nothing is expected of it."""
    quiet = facts.number("quiet")
    if quiet is None or not (quiet or (facts.texts("tasks") and facts.text("pane"))):
        return None
    grown = 0.0 if facts.text("state") in _BUSY else now - view.seen_at
    return max(quiet + grown, 0.0)


def painted_for(facts: Facts, view: ComponentView, now: float) -> float | None:
    """Return for how many seconds the program has written nothing to its screen."""
    painted = facts.number("painted")
    if painted is None or not facts.text("pane"):
        return None
    return max(painted + (now - view.seen_at if painted > PAINTING else 0.0), 0.0)


@lru_cache(maxsize=256)
def spark(counts: tuple[float, ...], cells: int) -> str:
    """Return new lines per minute as a line of bars, the newest minute last.

    The scale is the same for all (each bar is twice the one before), so that two can be compared.
    """
    top = len(glyphs.BARS) - 1
    levels = [min(int(math.log2(count)) + 1, top) if count >= 1 else 0 for count in counts]
    return "".join(glyphs.BARS[level] for level in levels[-cells:])


class _Seen(NamedTuple):
    """A session, as its cells need it."""

    scene: Scene
    view: ComponentView
    facts: Facts
    word: str
    needs: int
    tone: Tone
    quiet: float | None
    rank: int


def _row(scene: Scene, view: ComponentView) -> Row:
    facts = Facts(view.facts)
    word, needs = word_of(view, facts) or view.status, need(scene, view)
    mark = scene.mark(view)
    tone = _TONES.get(needs, "text")
    if mark.rank == WELL.rank and needs >= IDLE:
        mark = Mark(glyphs.OFF, "dim", 8)
    if tone in ("bad", "warn"):
        tone = mark.tone if mark.rank < WELL.rank else "text"
    quiet = quiet_for(facts, view, scene.now)
    seen = _Seen(scene, view, facts, word, needs, tone, quiet, mark.rank)
    order = (needs, mark.rank, -(quiet or 0.0), view.name)
    return Row(view.name, view.name, mark, LateCells(_CELLS, seen), order)


def _why(seen: _Seen) -> Spans:
    facts, ill = seen.facts, seen.rank < WELL.rank
    said = facts.text("held", "why", "rule") if ill else facts.text("held")
    return seen.scene.why(seen.view, seen.word, said)


def _says(facts: Facts) -> Spans:
    """Return what it asks, else the line a rule matched in trouble, else its last line."""
    question = facts.text("question")
    if question:
        return (Span(question, "text"),)
    if not facts.text("pane"):
        return (Span(facts.text("rule"), "dim"),)
    told = facts.text("state") in ("retrying", "rate_limited", "gave_up", "unsent")
    return (Span(facts.text("text", "last_line") if told else facts.text("last_line"), "dim"),)


def place_of(facts: Facts) -> str:
    """Return where a session's pane is: window, index and id, as far as known."""
    pane, window, index = facts.text("pane"), facts.text("window"), facts.text("pane_index")
    if not pane:
        return window
    where = f"{window}.{index}" if window and index else window
    return f"{where} {pane}" if where else pane


def _tasks(tasks: tuple[str, ...]) -> Spans:
    more = f"+{len(tasks) - 1}" if len(tasks) > 1 else ""
    return (Span(tasks[0] + more),) if tasks else (Span("-", "faint"),)


def _age(seconds: float | None, tone: Tone) -> Spans:
    if seconds is None:
        return (Span("-", "faint"),)
    return (Span(age(seconds), tone),)


@lru_cache(maxsize=128)
def _dim(text: str) -> Spans:
    return (Span(text, "dim"),) if text else (Span("-", "faint"),)


_CELLS: Final[dict[str, Callable[[_Seen], Spans]]] = {
    "name": lambda s: (Span(short(s.view.name), "dim" if s.rank == 8 else "text"),),
    "state": lambda s: (s.scene.state(s.view, s.word, s.tone),),
    "quiet": lambda s: _age(s.quiet, "text" if s.needs in (STUCK, QUIET) else "dim"),
    "painted": lambda s: _age(painted_for(s.facts, s.view, s.scene.now), "dim"),
    "novelty": lambda s: (Span(spark(s.facts.numbers("novelty"), 12), "accent"),),
    "task": lambda s: _tasks(s.facts.texts("tasks")),
    "pane": lambda s: _dim(place_of(s.facts)),
    "command": lambda s: _dim(s.facts.text("command")),
    "rule": lambda s: _dim(s.facts.text("matched")),
    "why": _why,
    "line": lambda s: _says(s.facts),
}
"""What makes each cell."""
