"""A healmon killed between any two steps of acting on a session; the next one goes on.

No task is lost, none is given back twice, and no program feels more keys than the rules allow.
"""

from __future__ import annotations

import pytest

from tests.helpers.sessionkills import REPEAT, Player, Script

pytestmark = pytest.mark.slow
LIMITS = {
    "stuck_after": "1s",
    "warn_after": "1s",
    "idle_after": "1s",
    "confirm_for": "0s",
    "confirm_looks": 1,
    "cooldown": "0s",
    "acts_per_session": 100,
    "acts_per_hour": 1000,
    "requeue_backoff": ["1s"],
}
SCENES = {
    "obeys": lambda stage: stage.hung("a"),
    "cancels": lambda stage: stage.agent("a", "claude", "hung"),
    "deaf": lambda stage: stage.hung("a", deaf=True),
}
MOST = {"obeys": 1, "cancels": 1, "deaf": 2}
"""Keys that each may feel, whatever happens to healmon."""
STEPS = 15
"""At least so many steps as the longest play has."""


@pytest.fixture(scope="module")
def player():
    made = Player()
    yield made
    made.close()


def script(stage, scene, kill_at=0):
    # of those that take their key nobody waits for the rest, and they may be slow to
    stage.configure(**LIMITS, verify_within="0.5s" if scene == "deaf" else "30s")
    return Script(
        config=str(stage.config),
        state=str(stage.state),
        database=str(stage.database),
        steps=str(stage.base / f"steps{'' if kill_at else '-next'}"),
        kill_at=kill_at,
    )


def steps_of(stage, which=""):
    path = stage.base / f"steps{which}"
    return path.read_text().split("\n") if path.exists() else []


# each step is one of somebody's: those that obey are led through the first steps of the deaf one
AT = {"deaf": range(1, 16, 2), "obeys": range(2, 14, 4), "cancels": range(4, 14, 4)}


@pytest.mark.long(10)
@pytest.mark.parametrize(("scene", "kill_at"), [(scene, n) for scene in SCENES for n in AT[scene]])
def test_the_next_healmon_goes_on(stage, player, scene, kill_at):
    stage.tmux.new("other")
    SCENES[scene](stage)
    tasks = [stage.task("a"), stage.task("a", "assigned")]
    if player.play(script(stage, scene, kill_at)):
        assert kill_at > 10, "it should have had more to do"
    else:
        assert player.play(script(stage, scene)), "the next one ends by itself"
    told = steps_of(stage) + steps_of(stage, "-next")
    assert [stage.status(task) for task in tasks] == ["pending", "pending"], told
    retries = stage.sql("SELECT retry_count FROM prompts ORDER BY id")
    assert retries == [(1,), (1,)], "each is given back once"
    given = stage.sql("SELECT prompt_id FROM assignment_history WHERE action = 'requeued'")
    assert sorted(given) == [(task,) for task in tasks], told
    keys = stage.keys("a")
    assert len(keys) <= MOST[scene], told
    pressed = sum(step.startswith("press") for step in told)
    assert len(keys) <= pressed
    if scene == "deaf" and len(keys) == 2:
        at = sorted(
            t["at"] for e in stage.evidence() for t in e["touches"]
            if t["work"] == "press" and not t.get("held")
        )  # fmt: skip
        assert at[-1] - at[0] >= REPEAT


def test_the_sweep_reaches_every_step(stage, player):
    SCENES["deaf"](stage)
    stage.task("a")
    assert player.play(script(stage, "deaf"))
    told = steps_of(stage, "-next")
    kinds = {step.split(":")[0].split()[0] for step in told if step}
    assert kinds == {"journal", "press", "settle", "give", "evidence"}
    assert len(told) <= STEPS, "more steps than the sweep goes through"
