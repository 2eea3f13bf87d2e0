"""Lives with acts that are called off midway; `make midway LIVES=1000` lives more of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from healmon import events as ev
from healmon.events import Recorded
from healmon.workers import calm
from healmon.workers.yielding import Way
from tests.helpers.examples import first_fast
from tests.simulation.journal import audit
from tests.simulation.midway import simulate
from tests.simulation.test_simulation import folder

__all__ = ["folder"]


@pytest.mark.parametrize("seed", first_fast("1:0", "1:1", "1:2", "1:3", "1:4", "1:5"))
def test_whatever_is_called_off_the_promises_hold(folder: Path, seed: str) -> None:
    assert simulate(seed, folder, 1) == 1


# A simulation that finds nothing is worth nothing: what is broken on purpose is found.


@pytest.mark.slow
def test_acts_that_do_not_give_way_are_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Way, "check", lambda *_, **__: None)
    with pytest.raises(AssertionError, match="replay: make midway SEED=1:"):
        simulate("1", folder, 60)


@pytest.mark.slow
def test_verdicts_that_outlive_their_time_are_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calm, "_lasts", lambda *_: True)
    with pytest.raises(AssertionError, match="stands, and is otherwise by now"):
        simulate("1:1", folder, 1)


def story(*events: ev.Event) -> Iterator[Recorded]:
    return (Recorded(n, 0.0, event) for n, event in enumerate(events, 1))


def test_an_act_without_an_end_is_found() -> None:
    with pytest.raises(AssertionError, match="began unplanned"):
        audit(list(story(ev.ActionStarted("1", "w"))))
