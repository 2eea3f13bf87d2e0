"""Parts under each other, in whatever room there is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from healmon_tui.arrange import Part, arranged, beside, flow
from healmon_tui.paint import Line, Span, dump


def lines(name, count):
    return [Line((Span(f"{name}{number}"),)) for number in range(count)]


def text(shown):
    return [dump([line], 40).strip() for line in shown]


def test_what_fits_is_shown_whole():
    parts = [Part("", lines("a", 2)), Part("B", lines("b", 2), "x"), Part("C", [])]
    shown = text(arranged(parts, 20, 10))
    assert shown[:2] == ["a0", "a1"]
    assert shown[2].startswith("B x ─")
    assert shown[3:] == ["b0", "b1"]


def test_what_does_not_fit_is_cut_and_says_so_at_the_end_that_matters():
    parts = [Part("A", lines("a", 9), least=2), Part("B", lines("b", 9), "of 9", 2, end=True)]
    shown = text(arranged(parts, 30, 9))
    assert len(shown) == 9
    assert shown[0].startswith("A +5 more")
    assert shown[1:5] == ["a0", "a1", "a2", "a3"]
    assert shown[5].startswith("B of 9  +6 more")
    assert shown[6:] == ["b6", "b7", "b8"]


def test_the_last_ones_go_first_and_the_late_ones_get_what_is_left():
    parts = [
        Part("A", lines("a", 3)),
        Part("B", lines("b", 3)),
        Part("M", lines("m", 3), late=True),
    ]
    assert not any(line.startswith("M") for line in text(arranged(parts, 20, 8)))
    assert text(arranged(parts, 20, 10))[-2].startswith("M")
    assert [line for line in text(arranged(parts, 20, 5)) if line.startswith("b")] == []


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6), st.booleans(), st.booleans())),
    st.integers(0, 40),
)
def test_never_more_than_the_room_and_all_where_it_suffices(shapes, room):
    parts = [
        Part(f"P{number}", lines(f"p{number}-", count), least=least, end=end, late=late)
        for number, (count, least, end, late) in enumerate(shapes)
    ]
    shown = arranged(parts, 30, room)
    assert len(shown) <= room
    whole = [
        *(p for p in parts if p.lines and not p.late),
        *(p for p in parts if p.lines and p.late),
    ]
    if room >= len(flow(whole, 30)) + 1:
        assert shown == flow(whole, 30)


def test_two_columns():
    shown = beside(lines("l", 1), lines("r", 2), 6, (Span(" | "),))
    assert text(shown) == ["l0     | r0", "| r1"]
