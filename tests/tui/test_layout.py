"""How room is divided: between panels, and between columns."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon_tui.columns import Column, name_cells, place
from healmon_tui.layout import Mode, Want, mode, share, strip_lines
from healmon_tui.rows import workers
from healmon_tui.viewmodel import PANELS

WANTS = st.fixed_dictionaries(
    {
        panel: st.builds(
            lambda rows, loud: Want(rows, min(rows, loud)), st.integers(0, 40), st.integers(0, 40)
        )
        for panel in PANELS
    }
)


@given(st.integers(0, 60), WANTS, st.sampled_from(PANELS))
def test_all_room_is_given_and_no_more(room, wants, focus):
    given_ = share(room, wants, focus)
    assert sum(given_.values()) == room
    assert all(given_[panel] <= wants[panel].rows for panel in PANELS if panel != "alerts")


@given(WANTS, st.sampled_from(PANELS))
def test_what_is_not_well_is_seen_before_what_is(wants, focus):
    room = sum(min(want.loud, want.rows) for want in wants.values()) + 10
    given_ = share(room, wants, focus)
    for panel in PANELS:
        if panel != "alerts":
            assert given_[panel] >= min(wants[panel].loud, wants[panel].rows)


def test_an_empty_panel_shrinks_to_its_heading():
    wants = {**dict.fromkeys(PANELS, Want(3, 0)), "databases": Want(0, 0)}
    assert share(17, wants, "workers")["databases"] == 0


def test_free_databases_give_way_first_but_not_under_the_cursor():
    wants = dict.fromkeys(PANELS, Want(4, 0))
    assert share(14, wants, "workers")["databases"] == 0
    assert share(14, wants, "databases")["databases"] == 2


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((39, 24), Mode.TINY),
        ((80, 9), Mode.TINY),
        ((60, 15), Mode.SINGLE),
        ((200, 19), Mode.SINGLE),
        ((80, 24), Mode.STACK),
        ((120, 36), Mode.STRIP),
        ((200, 50), Mode.COLUMN),
    ],
)
def test_the_shape_for_each_size(size, wanted):
    assert mode(*size) is wanted


def test_a_shape_can_be_asked_for():
    assert mode(200, 50, full=True) is Mode.SINGLE
    assert mode(200, 50, context=False) is Mode.STACK
    assert mode(30, 5, full=True) is Mode.TINY


@given(st.integers(32, 80), WANTS)
def test_the_strip_stays_within_reason(height, wants):
    assert 8 <= strip_lines(height, wants) <= 14


@given(st.integers(20, 250))
def test_columns_never_overlap_and_never_leave_the_panel(cells):
    slots = place(workers.columns(16, cells), cells)
    for before, after in pairwise(slots):
        assert before.x + before.cells < after.x
    assert slots[-1].x + slots[-1].cells <= max(cells, 60)
    assert slots[0].column.key == "name"


def test_columns_are_dropped_in_the_order_that_was_agreed():
    order = []
    shown = {slot.column.key for slot in place(workers.columns(16, 120), 119)}
    assert shown == {"name", "state", "pid", "up", "cpu", "mem", "rst", "next", "why"}
    for cells in range(120, 40, -1):
        now = {slot.column.key for slot in place(workers.columns(16, cells), cells - 1)}
        order += sorted(shown - now)
        shown = now
    assert [key for key in order if key != "next"] == ["mem", "cpu", "pid", "up"]
    assert "why" in shown


def test_room_that_is_left_goes_to_the_columns_that_stretch():
    columns = (Column("a", "", 4), Column("b", "", 5, stretch=1), Column("c", "", 5, stretch=2))
    slots = place(columns, 40)
    assert slots[-1].x + slots[-1].cells == 40
    assert slots[2].cells > slots[1].cells


def test_names_get_what_they_need_within_reason():
    assert name_cells(3, 80) == 10
    assert name_cells(16, 80) == 16
    assert name_cells(500, 80) == 16
    assert name_cells(500, 200) == 40
