"""What comes between two effects of one act on a database changes nothing of what is known of it.

Each scene is an act and what must be known afterwards; each thing that may come between is tried.
"""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from healmon import events as ev
from healmon.databases.model import Deeds, Refusal
from healmon.databases.remember import DEEDS, NOT_TWICE, PAUSE
from healmon.errors import VetoError
from healmon.plans import pack
from healmon.world.mending import Mended
from healmon.world.simulated.processes import Program
from tests.core.databases.test_policy import DAMAGED, LIMITS, crashed, worker
from tests.helpers.dbstory import PATH, Notebook, Story


class LooksMeanwhile(Notebook):
    """A hand that looks before each touch."""

    def __init__(self, story):
        super().__init__()
        self.story = story

    async def about_to(self, text):
        self.story.judged(await self.story.healer.look())


def stopped(story):
    who = story.stopped_holder("app")
    story.machine.on_signal = lambda: story.machine.change(who, state="T")


def deaf(story):
    who = worker(story)
    return lambda: setattr(story.machine._world[who.pid], "program", Program(stuck=True))


def damaged(word):
    def scene(story):
        crashed(story)
        story.mender.answers = [replace(DAMAGED, word=word)]

    return scene


SCENES = {
    "continued in vain": stopped,
    "not to be ended": deaf,
    "damaged": damaged("damaged"),
    "mispaired": damaged("mispaired"),
    "failed": damaged("failed"),
}


def blind(story):
    """A look that sees nothing takes nothing in."""
    story.locks.refuse(PATH, "timeout")
    story.look()
    story.locks.refuse(PATH, None)


def unheard(story):
    """A look that is given up was made for nobody."""
    asyncio.run(story.healer.look())


BETWEEN = {
    "a look": lambda story: story.look(),
    "a blind look": blind,
    "a look for nobody": unheard,
    "another healer": lambda story: story.renew(),
}


def known_after(scene, between=None, *, meanwhile=False):
    story = Story("wal", **LIMITS)
    then = SCENES[scene](story)
    plan = next(verdict.plan for verdict in (story.look(after=6) for _ in range(9)) if verdict.plan)
    story.clock.advance(plan.delay)
    if then is not None:
        then()
    story.act(plan, LooksMeanwhile(story) if meanwhile else None)
    if between is not None:
        BETWEEN[between](story)
    story.look(after=60)
    last = story.look(after=60)
    story.close()
    facts = story.facts()
    return facts.why_not, facts.kept, {one.condition for one in last.findings}, last.plan is None


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("between", [None, *BETWEEN])
def test_what_is_known_of_an_act_is_the_same_whatever_came_between(scene, between):
    expected = known_after(scene)
    assert expected[2], "there is something to forget"
    assert known_after(scene, between, meanwhile=between is None) == expected


def test_a_file_in_the_place_of_a_corrupt_one_is_not_taken_for_it():
    story = Story("wal", **LIMITS)
    story.look()
    reading = story.locks.look(PATH)
    refusal = Refusal((reading.device, reading.inode, reading.db.size), "corrupt", "ill")
    told = {DEEDS: pack(Deeds(refused=refusal))}
    story.tell(ev.ActionFailed("p", "database:architect", "heal_database", "ill", 1.0, told))
    assert [one.condition for one in story.look().findings] == ["left-corrupt"]
    database = story.locks._databases.pop(PATH)
    story.look(after=60)
    story.locks._databases[PATH] = database  # the number of a deleted file is given again
    assert not story.look(after=60).findings
    assert story.known.memory["database:architect"]
    story.look(after=NOT_TWICE)
    assert not story.known.memory["database:architect"]
    story.close()


@pytest.mark.parametrize("between", BETWEEN)
def test_what_was_vetoed_is_not_tried_again_for_a_while_by_whoever_follows_either(between):
    story = Story("wal", **LIMITS)
    crashed(story)
    plan = next(verdict.plan for verdict in (story.look(after=6) for _ in range(9)) if verdict.plan)
    story.clock.advance(plan.delay)
    story.mender.answers = [Mended(word="full", text="no room")]
    with pytest.raises(VetoError):
        story.carry_out(plan)
    if between != "another healer":
        BETWEEN[between](story)
    story.look()  # as the engine has it made before anybody follows
    story.renew()
    assert story.look(after=PAUSE - 20).plan is None
    story.renew()
    assert story.look(after=19).plan is None
    assert story.look(after=2).plan is not None
    story.close()
