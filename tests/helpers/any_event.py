"""Hypothesis strategies for every event there is, built from the events' own field types."""

from __future__ import annotations

import math
from typing import get_args, get_type_hints

import msgspec
from hypothesis import strategies as st

from healmon import events as ev
from healmon.plans import Overlays, Packed, Plan, Step

EVENT_TYPES = get_args(ev.Event)

# few different words, so that events of one run are about the same things
words = st.sampled_from(["a", "task_worker", "session:a", "disk:/", "healmon", "", "ü\x1b"])
floats = st.floats(allow_nan=False, allow_infinity=False, width=32).map(
    lambda number: math.copysign(number, 1.0)
)
integers = st.integers(0, 2**31)
packed = st.dictionaries(
    words,
    st.recursive(
        st.none() | st.booleans() | integers | words,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
        max_leaves=4,
    ),
    max_size=3,
)


def field_values(hint):
    """Return a strategy for one field, by its type."""
    known = {str: words, float: floats, int: integers, bool: st.booleans(), Packed: packed}
    if hint in known:
        return known[hint]
    if hint == dict[str, float]:
        return st.dictionaries(words, floats, max_size=3)
    if hint in {Overlays, Plan, Step, ev.KeyChange}:
        return any_of(hint)
    if type(None) in get_args(hint):
        (inner,) = [part for part in get_args(hint) if part is not type(None)]
        return st.none() | field_values(inner)
    if getattr(hint, "__origin__", None) is tuple:
        return st.lists(field_values(get_args(hint)[0]), max_size=3).map(tuple)
    return st.sampled_from(get_args(hint))  # a Literal


def any_of(struct):
    """Return a strategy for one struct of the vocabulary."""
    hints = get_type_hints(struct)
    return st.builds(
        struct, **{name: field_values(hints[name]) for name in struct.__struct_fields__}
    )


events = st.one_of([any_of(kind) for kind in EVENT_TYPES])


alert_events = st.one_of(
    [
        any_of(kind)
        for kind in (
            ev.AlertPended,
            ev.AlertDropped,
            ev.AlertOpened,
            ev.AlertReopened,
            ev.AlertUpdated,
            ev.AlertUpdated,
            ev.AlertStale,
            ev.AlertSeen,
            ev.AlertResolved,
            ev.AlertArchived,
            ev.AlertAcknowledged,
            ev.AlertUnacknowledged,
            ev.AlertOverlaid,
            ev.AlertNoted,
        )
    ]
).map(lambda event: msgspec.structs.replace(event, key="one" if len(event.key) < 5 else "other"))
"""What happens to two alerts."""


@st.composite
def streams(draw, max_size=25, of=events):
    """A stream of recorded events with growing ids and times that go forward, mostly."""
    wall = 1_700_000_000.0
    stream = []
    for number, event in enumerate(draw(st.lists(of, max_size=max_size)), 1):
        wall += draw(st.integers(-5_000, 60_000)) / 1000
        cause = draw(st.none() | st.integers(1, number))
        stream.append(ev.Recorded(number, round(wall, 3), event, cause))
    return stream
