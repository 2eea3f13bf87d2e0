"""Cells that are made when they are asked for say what they would have said at once."""

from __future__ import annotations

import asyncio

import pytest

from healmon import events as ev
from healmon.state import of_healer
from healmon_tui.paint import Span
from healmon_tui.rows import sessions, workers
from healmon_tui.rows.late import LateCells, made
from healmon_tui.rows.scene import WELL, Row, Scene
from tests.helpers.screen import open_screen
from tests.helpers.scripted import NOW, ScriptedLink, lived_world, world

LIMIT = 60.0


def counting(**texts):
    """Return cells that say these texts, and what was made of them so far."""
    done = []

    def maker(key):
        return lambda seen: (done.append(key), (Span(seen[key]),))[1]

    return LateCells({key: maker(key) for key in texts}, texts), done


def test_a_cell_is_made_once_and_only_if_somebody_asks():
    cells, done = counting(name="a", why="b")
    assert (len(cells), list(cells), done) == (2, ["name", "why"], [])
    assert cells["why"] == cells.get("why") == (Span("b"),)
    assert done == ["why"]
    assert cells.get("else", ()) == ()


def test_cells_are_the_same_when_all_of_them_say_the_same():
    cells, done = counting(name="a", why="b")
    assert cells == counting(name="a", why="b")[0] == {"name": (Span("a"),), "why": (Span("b"),)}
    assert cells != counting(name="a", why="c")[0]
    assert cells != {"name": (Span("a"),)}
    assert done == ["name", "why"]


def test_who_made_all_cells_holds_nothing_else():
    cells, _ = counting(name="a", why="b")
    made(Row("k", "c", WELL, cells, (0,)))
    assert cells._seen is None
    assert (cells["name"], cells["why"]) == ((Span("a"),), (Span("b"),))


@pytest.mark.parametrize("panel", [workers, sessions])
def test_rows_that_stand_for_a_while_hold_no_moment(panel):
    link = ScriptedLink(lived_world())
    snapshot, memory = link.open(lambda _record: None), panel.remembered()
    late = panel.rows(Scene.of(snapshot, NOW), memory)
    assert all(row.cells._seen is not None for row in late)
    rows = panel.rows(Scene.of(snapshot, NOW + 1), memory)
    assert len(rows) == len(of_healer(snapshot, panel.HEALER)) > 2
    assert all(row.cells._seen is None for row in rows)


def test_a_frozen_view_says_of_rows_out_of_sight_what_they_were():
    link = ScriptedLink(world())

    async def scenario():
        async with open_screen(link, (80, 24)) as screen:
            screen.app.freeze()
            rows = screen.app.overview._panels["sessions"].view.rows
            assert all(row.cells._seen is None for row in rows)
            said = {row.key: dict(row.cells.all()) for row in rows}
            for name, view in of_healer(screen.app.snapshot, "sessions").items():
                facts = {**view.facts, "last_line": "later", "state": "dead"}
                link.emit(ev.Observed("sessions", name, "healthy", "", "t", "v", facts))
            link.clock.advance(90)
            await screen.settle()
            rows = screen.app.overview._panels["sessions"].view.rows
            assert {row.key: dict(row.cells.all()) for row in rows} == said

    asyncio.run(asyncio.wait_for(scenario(), LIMIT))
