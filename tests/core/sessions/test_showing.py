"""An age that merely goes on is no news of a session."""

from __future__ import annotations

import pytest

from healmon.plans import Packed, Verdict, pack
from healmon.sessions.facts import SessionFacts
from healmon.sessions.showing import GRAIN, PAINTS, unaged
from healmon.state import ComponentView

SEEN = 1_770_000_000.0


def facts(painted: float, **more: str) -> Packed:
    return pack(SessionFacts(state="idle", session="a", pane="%1", painted=painted, **more))


def view(painted: float, status: str = "healthy") -> ComponentView:
    return ComponentView("session:a", "sessions", status, "idle", facts(painted), SEEN, SEEN)


def verdict(painted: float, status: str = "healthy", **more: str) -> Verdict:
    return Verdict("session:a", status, "idle", "session", "idle", facts(painted, **more))


def test_what_grew_by_the_time_that_passed_is_as_it_was_told():
    before = view(30.0)
    for passed in (60.0, 120.0, 86_400.0):
        assert unaged(verdict(30.0 + passed), before, SEEN + passed).facts == before.facts


@pytest.mark.parametrize(
    ("now", "before"),
    [
        (verdict(1.0), view(30.0)),  # it painted
        (verdict(90.0 + 2 * GRAIN), view(30.0)),
        (verdict(90.0, last_line="done"), view(30.0)),
        (verdict(90.0, status="warning"), view(30.0)),
        (verdict(60.0 + PAINTS), view(PAINTS)),  # such an age does not grow where it is shown
        (verdict(90.0), None),
    ],
)
def test_everything_else_is_news(now: Verdict, before: ComponentView | None):
    assert unaged(now, before, SEEN + 60.0) is now
