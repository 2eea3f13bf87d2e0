"""Lives of disks that are cleaned, and of people who are told, with anything in between.

`make midway WHAT=disks LIVES=1000` and `WHAT=notices` live more of them.
"""

from __future__ import annotations

import pytest

from healmon.disks.healer import DisksHealer
from healmon.engine.alarms import Alarms
from tests.helpers.examples import first_fast
from tests.simulation import cleaning, telling

SHORT = 25
"""What happens in one of these lives."""


@pytest.mark.parametrize("seed", first_fast("1:0", "1:1"))
def test_whatever_comes_between_two_files_nothing_goes_that_may_not(seed: str) -> None:
    assert cleaning.simulate(seed, 1, SHORT) == 1


@pytest.mark.parametrize("seed", first_fast("1:0", "1:1"))
def test_whatever_comes_before_a_notice_is_told_it_is_told_once_and_to_no_sleeper(
    seed: str,
) -> None:
    assert telling.simulate(seed, 1, SHORT) == 1


# A simulation that finds nothing is worth nothing: what is broken on purpose is found.


@pytest.mark.slow
def test_a_cleaning_that_goes_on_in_a_pause_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DisksHealer, "give_way", lambda *_: False)
    with pytest.raises(AssertionError, match="replay: make midway WHAT=disks SEED=1:"):
        cleaning.simulate("1:10", 1)


@pytest.mark.slow
def test_a_notice_in_a_silence_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Alarms, "overlay", lambda _: None)
    with pytest.raises(AssertionError, match="replay: make midway WHAT=notices SEED=1:"):
        telling.simulate("1", 20)
