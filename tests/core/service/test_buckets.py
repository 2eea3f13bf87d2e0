"""Time in pieces: nothing is lost between them, nothing is made up in them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healmon.service import buckets
from healmon.service.buckets import Frame, Held, Point, Seen, frame
from tests.helpers.examples import examples

BEGIN = 1_770_000_000
SECOND = st.integers(BEGIN - 400, BEGIN + 1_000)
MOMENT = SECOND.map(float) | st.floats(BEGIN - 400, BEGIN + 1_000, allow_nan=False)
FRAMES = st.builds(
    lambda at, length, step: frame(BEGIN + at, BEGIN + at + length, step),
    st.integers(0, 300), st.floats(0.5, 600), st.sampled_from((0.0, 7.0, 30.0, 600.0)),
)  # fmt: skip
GAPS = st.lists(st.tuples(MOMENT, MOMENT).map(lambda gap: (min(gap), max(gap))), max_size=3)


@settings(max_examples=examples(60), deadline=None)
@given(
    begin=st.floats(0, 2e9), length=st.floats(1e-3, 9 * 365 * 86_400), step=st.floats(0, 1e7)
)  # fmt: skip
def test_a_frame_holds_its_stretch_in_a_few_hundred_pieces(begin, length, step):
    end = begin + length
    if end <= begin:
        return
    where = frame(begin, end, step)
    assert where.begin <= begin
    assert where.begin % where.step == 0
    assert where.step >= step
    assert 1 <= where.pieces <= buckets.LIMIT
    assert where.edges(0)[0] == where.begin
    assert where.edges(where.pieces - 1)[1] == end
    for place in range(1, where.pieces):
        assert where.edges(place)[0] == where.edges(place - 1)[1]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ((5.0, 5.0), "the end must be after the beginning"),
        ((-1.0, 5.0), "both after 1970"),
        ((math.nan, 5.0), "must be numbers"),
        ((0.0, math.inf), "must be numbers"),
        ((0.0, 1e9), "ten years at most"),
        ((0.0, 5.0, -1.0), "not below zero"),
        ((1e17, 2e17), "ten years at most"),
    ],
)
def test_a_stretch_that_is_none_is_refused_with_its_reason(values, why):
    with pytest.raises(ValueError, match=why):
        frame(*values)


@settings(max_examples=examples(60), deadline=None)
@given(moments=st.lists(MOMENT, max_size=30), where=FRAMES, blind=GAPS)
def test_counts_add_up_to_what_there_was(moments, where, blind):
    inside = [at for at in moments if where.begin <= at < where.end]
    points = buckets.counts(buckets.tally(moments, where), where, blind)
    assert sum(point.value for point in points) == len(inside)
    for point in points:
        start, end = where.edges((point.at - where.begin) // where.step)
        assert point.value == sum(start <= at < end for at in inside)
        # no zero where nobody looked
        covered = any(a <= start and end <= b for a, b in blind)
        assert point.value or not covered


@settings(max_examples=examples(60), deadline=None)
@given(found=st.lists(st.tuples(MOMENT, st.floats(0, 100)), max_size=20), where=FRAMES)
def test_durations_keep_shortest_longest_and_the_middle(found, where):
    points = buckets.durations(found, where)
    for point in points:
        start, end = where.edges((point.at - where.begin) // where.step)
        took = sorted(seconds for at, seconds in found if start <= at < end)
        assert (point.low, point.high) == (took[0], took[-1])
        assert took[(len(took) - 1) // 2] <= point.value <= took[len(took) // 2]
    places = {where.place(at) for at, _ in found} - {None}
    assert len(points) == len(places)


@settings(max_examples=examples(60), deadline=None)
@given(
    ends=st.lists(st.tuples(MOMENT, MOMENT | st.just(math.inf)).map(sorted), max_size=8),
    where=FRAMES,
)
def test_what_stands_is_counted_at_every_moment(ends, where):
    held = [Held(since, until) for since, until in ends]
    points = buckets.standing(held, where, [])
    assert len(points) == where.pieces
    moments = {at for one in held for at in one if where.begin <= at < where.end}
    for place, point in enumerate(points):
        start, end = where.edges(place)
        there = [
            sum(one.since <= at < one.until for one in held)
            for at in {start, *(at for at in moments if start <= at < end)}
        ]
        assert point.low <= min(there)
        assert point.high >= max(there)
        assert point.value == there_at_the_end(held, start, end)


def there_at_the_end(held: list[Held], start: float, end: float) -> int:
    """How many stand at the last moment before a piece ends."""
    last = max([at for one in held for at in one if start <= at < end], default=start)
    return sum(one.since <= last < one.until for one in held)


def test_what_came_and_went_within_a_piece_is_seen():
    where = frame(BEGIN, BEGIN + 600, 60)
    points = buckets.standing([Held(BEGIN + 61.0, BEGIN + 62.0)], where, [])
    assert points[1] == Point(BEGIN + 60, 0, 1, 0)
    assert all(point[1:] == (0, 0, 0) for point in (points[0], *points[2:]))


def test_what_stood_is_not_known_where_nobody_looked():
    where = frame(BEGIN, BEGIN + 600, 60)
    points = buckets.standing([Held(0, math.inf)], where, [(BEGIN + 110, BEGIN + 310)])
    assert [(point.at - BEGIN) // 60 for point in points] == [0, 1, 5, 6, 7, 8, 9]


def test_a_level_holds_until_nobody_looks():
    where = frame(BEGIN, BEGIN + 600, 60)
    seen = {
        1: Seen(0.5, 0.7, BEGIN + 100, 0.6),
        4: Seen(0.8, 0.8, BEGIN + 250, None),  # in the end it could not be measured
        6: Seen(None, None, BEGIN + 400, None),
        7: Seen(0.9, 0.9, BEGIN + 450, 0.9),
    }
    gap = (BEGIN + 450.0, BEGIN + 500.0)
    points = buckets.levels(seen, (BEGIN - 5.0, 0.4), where, [gap], math.inf)
    assert [((p.at - BEGIN) // 60, *p[1:]) for p in points] == [
        (0, 0.4, 0.4, 0.4),
        (1, 0.5, 0.7, 0.6),
        (2, 0.6, 0.6, 0.6),
        (3, 0.6, 0.6, 0.6),
        (4, 0.8, 0.8, 0.8),
        (7, 0.9, 0.9, 0.9),
    ]
    # of what is gone, or of a healer that ended, nothing is known afterwards
    short = buckets.levels({1: seen[1]}, None, where, [], BEGIN + 130.0)
    assert [(p.at - BEGIN) // 60 for p in short] == [1, 2]


@settings(max_examples=examples(60), deadline=None)
@given(
    seen=st.dictionaries(st.integers(0, 9), st.floats(0, 1), max_size=6),
    before=st.none() | st.tuples(st.just(BEGIN - 9.0), st.floats(0, 1)),
    blind=GAPS,
)
def test_no_level_is_made_up(seen, before, blind):
    where = Frame(BEGIN, BEGIN + 600.0, 60)
    found = {
        place: Seen(value, value, BEGIN + place * 60 + 30, value) for place, value in seen.items()
    }
    points = buckets.levels(found, before, where, blind, math.inf)
    assert {(p.at - BEGIN) // 60 for p in points} >= set(seen)
    known = {place: found[place].at for place in seen}
    for point in points:
        place = (point.at - BEGIN) // 60
        source = max((one for one in seen if one <= place), default=None)
        value = seen[source] if source is not None else before[1]
        assert point[1:] == (value, value, value)
        if source != place:
            at = known[source] if source is not None else before[0]
            assert not any(at <= start <= point.at for start, end in blind if end > start)
