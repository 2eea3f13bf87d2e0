"""Rows are kept while nothing in them can be another: most of a screen stands still.

A row is made anew when what it is about, or anything on hand about its component, is another
object. Time alone changes it too (ages, countdowns): a row that the last second changed is made
anew each second; one that it did not is asked again only after a while, `AT_MOST` seconds, and
`CALM` seconds where nothing is going on: there only long ages are left.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from operator import is_
from typing import Final, Generic, NamedTuple, TypeVar

from healmon_tui.rows.scene import Row, Scene

AT_MOST: Final = 4.0
"""Seconds after which a row is made anew, whatever is known of it."""
CALM: Final = 30.0
AT_ONCE: Final = 0.2
"""Seconds for which a row just made is as good as new: a screen that opens draws many times."""

Thing = TypeVar("Thing")


class _Kept(NamedTuple):
    inputs: tuple[object, ...]
    row: Row
    since: float
    until: float


class RowMemory(Generic[Thing]):
    """The rows of one panel, as they were last made.

    Args:
        build: makes one row.
        about: what keeps a row apart from the others, and the component it is about.
    """

    def __init__(
        self, build: Callable[[Scene, Thing], Row], about: Callable[[Thing], tuple[object, str]]
    ) -> None:
        self._build = build
        self._about = about
        self._kept: dict[object, _Kept] = {}
        self._before: tuple[object, ...] = ()
        self._snapshot: object = None
        self._known: dict[str, float] = {}
        self._rows: list[Row] = []
        self._still = (math.inf, -math.inf)

    def rows(self, scene: Scene, things: Iterable[Thing]) -> list[Row]:
        """Return a row for each thing, in their order; the others are forgotten.

        The same list as before: they are the same rows.
        """
        if self._stands(scene):
            return self._rows
        fresh: dict[object, _Kept] = {}
        now, here = scene.now, scene.all_on_hand
        calm = _same(here, self._before)
        for thing in things:
            key, component = self._about(thing)
            kept = self._kept.get(key)
            due = kept is None or not kept.since <= now < kept.until
            if (
                kept is None
                or due
                or not calm
                or kept.inputs[0] is not thing
                or kept.inputs[1] is not scene.known.get(component)
            ):
                kept = self._one(scene, thing, component, kept, due=due)
            fresh[key] = kept
        self._kept, self._before = fresh, here
        self._snapshot, self._known = scene.snapshot, dict(scene.known)
        kept_rows = fresh.values()
        self._still = (
            max((kept.since for kept in kept_rows), default=math.inf),
            min((kept.until for kept in kept_rows), default=-math.inf),
        )
        rows = [kept.row for kept in kept_rows]
        if len(rows) != len(self._rows) or not all(map(is_, rows, self._rows)):
            self._rows = rows
        return self._rows

    def _stands(self, scene: Scene) -> bool:
        """Tell whether nothing was folded since, and no row is due."""
        since, until = self._still
        return (
            scene.snapshot is self._snapshot
            and since <= scene.now < until
            and _same(scene.all_on_hand, self._before)
            and scene.known == self._known
        )

    def _one(
        self, scene: Scene, thing: Thing, component: str, kept: _Kept | None, *, due: bool
    ) -> _Kept:
        inputs = (thing, scene.known.get(component), *scene.on_hand(component))
        now, wait = scene.now, AT_ONCE
        if kept is not None and _same(kept.inputs, inputs):
            if not due:
                return kept
            row = self._build(scene, thing)
            if row == kept.row:
                most = CALM if scene.calm(component) else AT_MOST
                row, wait = kept.row, min(max(2.0, 2 * (kept.until - kept.since)), most)
        else:
            row = self._build(scene, thing)
        return _Kept(inputs, row, now, now + wait)


def _same(before: tuple[object, ...], after: tuple[object, ...]) -> bool:
    return len(before) == len(after) and all(map(is_, before, after))
