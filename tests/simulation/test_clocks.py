"""Lives under clocks that are set; `HEALMON_CLOCKS=500` lives so many of each kind."""

from __future__ import annotations

import os

import pytest

from healmon.clock import Gap
from healmon.state import stepping
from tests.helpers.examples import first_fast
from tests.simulation import clocks

LIVES = int(os.environ.get("HEALMON_CLOCKS", "3"))


@pytest.fixture(autouse=True)
def boot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each life tell its own boots."""
    now = [""]
    inner = clocks.Life.begin

    async def begin(life: clocks.Life) -> None:
        now[0] = f"boot {life.boot}"
        await inner(life)

    monkeypatch.setattr(clocks.Life, "begin", begin)
    monkeypatch.setattr("healmon.engine.engine.boot_id", lambda: now[0])


@pytest.mark.parametrize("seed", first_fast(*range(LIVES)))
def test_the_same_life_is_lived_whatever_the_wall_clock_is_set_to(seed: int) -> None:
    straight, turned = clocks.lived(str(seed)), clocks.lived(str(seed), f"turns {seed}")
    assert not clocks.parted(straight.story, turned.story)
    assert any(
        record.event.__class__.__name__ == "ClockJumped" for record in turned.journal.records
    )


@pytest.mark.parametrize("seed", range(LIVES))
def test_over_a_boot_nothing_that_holds_ends_too_early_or_lives_for_ever(seed: int) -> None:
    clocks.lived(str(seed), f"turns {seed}", boots=True)


# A simulation that finds nothing is worth nothing: what is broken on purpose is found.


@pytest.mark.parametrize(
    ("what", "broken"),
    [
        ("_alert", lambda alert, move: alert),
        pytest.param("_channel", lambda view, move: view, marks=pytest.mark.slow),
        ("missed", lambda *_: Gap(0.0, 0.0)),
    ],
)
def test_a_moment_that_does_not_move_along_is_found(
    what: str, broken: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"healmon.state.stepping.{what}", broken)
    monkeypatch.setattr("healmon.engine.stream.missed", stepping.missed)
    with pytest.raises(AssertionError):  # noqa: PT012 - one of them finds it
        for seed in range(20):
            straight, turned = clocks.lived(str(seed)), clocks.lived(str(seed), f"turns {seed}")
            assert not clocks.parted(straight.story, turned.story)
