"""The rows of notices say the same as the fold."""

from __future__ import annotations

import sqlite3

from hypothesis import given, settings
from hypothesis import strategies as st

from healmon import events as ev
from healmon.clock import format_utc
from healmon.events import Recorded
from healmon.state import Snapshot, apply
from healmon.store import schema
from healmon.store.project import Projector, rebuild
from tests.helpers.examples import examples
from tests.helpers.postroom import WALL

numbers = st.integers(1, 12)
told = st.one_of(
    st.builds(
        ev.NoticeMade,
        st.sampled_from(["ops", "boss"]),
        st.sampled_from(["opened", "reminder", "recovered", "summary"]),
        st.just("title"), st.just("body"), st.just(("k",)), st.just(5.0),
        st.sampled_from(["CRITICAL", "WARNING"]), st.lists(numbers, max_size=3).map(tuple),
    ),
    st.builds(ev.NoticeSent, numbers, st.just("ops")),
    st.builds(ev.NoticeFailed, numbers, st.just("ops"), st.just("down"), st.just(9.0)),
    st.builds(ev.NoticeDropped, numbers, st.just("ops"), st.just("gone")),
)  # fmt: skip


def waiting(connection: sqlite3.Connection) -> list[tuple]:
    return connection.execute(
        "SELECT id, channel, topic, level, attempts, next_at, reason FROM notices"
        " WHERE state = 'waiting' ORDER BY id"
    ).fetchall()


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(told, max_size=12))
def test_what_waits_is_the_same_in_both(stream):
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for step in schema.MIGRATIONS:
        step(connection)
    snapshot, projector = Snapshot(), Projector()
    for number, event in enumerate(stream, 1):
        record = Recorded(number, WALL + number, event)
        snapshot = apply(snapshot, record)
        for sql, values in projector.rows(record):
            connection.execute(sql, values)
    expected = [
        (n.id, n.channel, n.topic, n.level, n.attempts, format_utc(n.next_at), n.reason)
        for n in sorted(snapshot.notices.values(), key=lambda n: n.id)
    ]
    assert waiting(connection) == expected
    for sql, values in rebuild(snapshot):
        connection.execute(sql, values)
    assert waiting(connection) == expected
    connection.close()


def test_a_notice_that_another_tells_says_which():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for step in schema.MIGRATIONS:
        step(connection)
    made = [ev.NoticeMade("ops", "opened", "t", "b"), ev.NoticeMade("ops", "opened", "t", "b")]
    made.append(ev.NoticeMade("ops", "summary", "t", "b", replaces=(1, 2)))
    for number, event in enumerate(made, 1):
        for sql, values in Projector().rows(Recorded(number, WALL, event)):
            connection.execute(sql, values)
    rows = connection.execute("SELECT id, state, reason FROM notices").fetchall()
    connection.close()
    assert rows == [
        (1, "dropped", "notice 3 tells it"), (2, "dropped", "notice 3 tells it"),
        (3, "waiting", ""),
    ]  # fmt: skip
