"""The evidence chain in words."""

from __future__ import annotations

import typing

from healmon.databases.explain import MEANING, explain
from healmon.databases.model import VerdictWord
from tests.helpers.dbstory import PATH, Story


def test_every_verdict_has_its_meaning():
    assert set(MEANING) == set(typing.get_args(VerdictWord))


def test_a_holder_that_may_be_ended_is_explained_with_the_plan():
    story = Story("wal", may_kill=("app",))
    holder = story.holder("app", "--x")
    story.locks.connect(PATH, story.somebody("other").pid)
    story.look()
    story.look(after=20)
    told = "\n".join(explain(story.facts()))
    for part in (
        "no commit, no growth, no CPU time", f"pid {holder.pid} (app): app --x", "WAL_WRITE",
        "have it open, and may wait: pid", "no sign of life since", "send SIGTERM",
    ):  # fmt: skip
        assert part in told, part
    story.close()


def test_one_that_is_left_alone_says_why_and_what_to_type():
    story = Story()
    holder = story.holder("psql\x1b[2J")
    story.look()
    lines = explain(story.facts())
    assert any(line.startswith("left:    healmon ends nobody") for line in lines)
    assert lines[-1].endswith(f"kill -TERM {holder.pid} (SQLite rolls back)")
    assert all(line.isprintable() for line in lines)
    story.close()


def test_a_free_or_missing_database_is_explained_too():
    story = Story()
    story.look()
    assert explain(story.facts())[0].startswith("verdict: free")
    story.locks.remove(PATH)
    story.look()
    assert explain(story.facts())[0].startswith("verdict: missing")
    story.close()
