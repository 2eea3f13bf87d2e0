"""What `healmon explain` tells of a component."""

from __future__ import annotations

from healmon import events as ev
from healmon.service.explaining import Component, tell
from healmon.sessions.packs import bundled
from tests.helpers.everything import STARTED, fold, observed


def test_what_was_done_is_told_also_after_another_start() -> None:
    known = fold(
        STARTED,
        observed("workers", "w", state="healthy"),
        ev.ActionFailed("p", "w", "restart_worker", "it died again", 1.0),
        STARTED,
    )
    lines = tell(Component(known, known.components["w"], {}), bundled(), lambda _: None).lines
    assert lines[-2] == "done before:"
    assert "restart_worker" in lines[-1]
    assert "it died again" in lines[-1]
