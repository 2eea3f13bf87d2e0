"""The state machine: the table, and that every look of every worker ends in it."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from healmon import events as ev
from healmon.plans import unpack
from healmon.workers import machine
from healmon.workers.machine import ACTIVE, GOALS, READY, SIGNALS, STATES, TABLE, WAITING, step
from healmon.workers.model import (
    Blocker,
    Check,
    Goal,
    Memory,
    StartRecord,
    Use,
    Wish,
    WorkerSeen,
)
from healmon.world.processes import Ended
from healmon.world.shims import ShimEnd
from tests.helpers.examples import examples
from tests.helpers.judging import Judging, gone, record, shim, stranger, up, who
from tests.helpers.workerbench import a_worker

goals: tuple[Goal, ...] = get_args(Goal)
ANY = list(itertools.product(STATES, SIGNALS, goals))


# The table.


def test_every_state_answers_every_signal() -> None:
    assert set(TABLE) == set(itertools.product(STATES, SIGNALS))
    assert set(TABLE.values()) == set(STATES), "and each state can be reached"


def test_the_states_are_those_of_the_issue() -> None:
    assert set(STATES) == {
        "down", "waiting_dependency", "starting", "probation", "healthy", "unhealthy", "stopping",
        "stop_failed", "backoff", "quarantined", "trial", "blocked", "completed", "unknown",
    }  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(SIGNALS), st.sampled_from(goals)), max_size=40))
def test_no_row_of_signals_leaves_the_table(row: list) -> None:
    state = Memory().state
    for signal, goal in row:
        state = step(state, signal, goal)
        assert state in STATES


@pytest.mark.parametrize("state", sorted(WAITING))
def test_what_is_wanted_down_waits_for_nothing(state: str) -> None:
    for before, signal in TABLE:
        if TABLE[before, signal] == state:
            assert step(before, signal, "down") == "down"
            assert step(before, signal, "maintenance") == state, "maintenance only stays its hand"


def test_a_persons_wish_moves_nothing_that_lives() -> None:
    assert not {state for _, state in GOALS} & machine.ALIVE


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_look_finds_the_right_state_wherever_healmon_thought_it_was(signal: str) -> None:
    after = {TABLE[state, signal] for state in STATES}
    assert len(after) == (len(STATES) if signal == "looking" else 1)


def test_what_is_not_known_is_not_acted_on() -> None:
    assert "unknown" not in ACTIVE
    assert {TABLE[state, "hidden"] for state in STATES} == {"unknown"}
    idle = {"healthy", "trial", "completed", "down", "blocked", "waiting_dependency",
            "stop_failed", "starting"}  # fmt: skip
    assert not ACTIVE & idle


def test_nobody_is_waited_for_who_is_not_well() -> None:
    assert frozenset({"healthy", "completed"}) == READY


# Every look ends in it, whatever is seen and remembered.


CHECKS = st.builds(Check, ok=st.booleans(), failures=st.integers(0, 9), hard=st.booleans())
BLOCKERS = st.lists(
    st.builds(
        Blocker,
        what=st.sampled_from(["port 8080", "instance lock"]),
        identity=st.sampled_from([None, who(77), who(78)]),
        orphan=st.booleans(),
    ),
    max_size=2,
).map(tuple)
ENDS = st.sampled_from([Ended(), Ended(code=0), Ended(code=1), Ended(code=127), Ended(signal=9)])
IDENTITIES = st.sampled_from([None, who(10), who(11), who(12), who(10, "boot before")])


@st.composite
def records(draw: st.DrawFn) -> StartRecord:
    return record(
        draw(st.integers(1, 8)),
        steady=draw(st.floats(1.7e9 - 1000, 1.7e9 + 1000)),
        launched=draw(IDENTITIES),
        worker=draw(IDENTITIES),
        old=draw(IDENTITIES),
        outcome=draw(st.sampled_from(["begun", "verified", "completed", "failed"])),
        fault=draw(st.sampled_from(["", "host", "command", "worker", "blocked", "stop"])),
        verb=draw(st.sampled_from(["start", "restart", "stop", "release"])),
        phase=draw(
            st.sampled_from(["decided", "stopping", "stopped", "spawning", "spawned", "verified"])
        ),
        trial=draw(st.booleans()),
        fresh=draw(st.booleans()),
        reason="why",
    )


@st.composite
def looks(draw: st.DrawFn) -> WorkerSeen:
    alive = draw(st.sampled_from([None, None, 10, 11, 12]))
    one = up(alive, draw(st.floats(0.0, 2000.0))) if alive else gone(10, draw(ENDS))
    end = ShimEnd(identity=who(11), ended=draw(ENDS), wall=0.0, oom=draw(st.booleans()))
    wish = draw(st.sampled_from([None, "up", "down"]))
    return replace(
        one,
        record=draw(st.none() | records()),
        wish=Wish(number=draw(st.integers(1, 5)), desired=wish, wall=0.0, origin="me")
        if wish
        else None,
        trouble=draw(st.sampled_from(["", "", "", "hidden"])),
        acting=draw(st.booleans()),
        shim=draw(st.sampled_from([None, shim(11, end), shim(11, end, alive=False)])),
        liveness=draw(st.none() | CHECKS),
        use=draw(st.none() | st.builds(Use, over=st.integers(0, 5))),
        blockers=draw(BLOCKERS),
        left=draw(st.sampled_from([(), (), (who(13),)])),
        output=draw(st.sampled_from(["", "last words"])),
    )


class AnyLife(RuleBasedStateMachine):
    """Random looks, wishes, pauses and boots; what must hold after each."""

    def __init__(self) -> None:
        super().__init__()
        self.judging = Judging(a_worker(memory_limit=5_000_000))
        self.seen = WorkerSeen()

    @rule(look=looks(), seconds=st.sampled_from([0.0, 1.0, 60.0, 1000.0, 30_000.0]))
    def looked(self, look: WorkerSeen, seconds: float) -> None:
        self.seen = look
        self.judging.look(look, after=seconds)

    @rule()
    def again(self) -> None:
        """The same look twice is told once: nothing chatters."""
        if self.judging.diagnosis.verdicts:
            self.judging.look(self.seen)
            memory = self.judging.memory()
            self.judging.look(self.seen)
            assert self.judging.memory() == memory

    @rule()
    def paused(self) -> None:
        self.judging.emit(ev.MaintenanceStarted("*", self.judging.clock.read().wall + 60, "me"))

    @rule()
    def rebooted(self) -> None:
        self.judging.boot = f"{self.judging.boot}'"

    @rule()
    def begun_again(self) -> None:
        self.judging.restarted()

    @invariant()
    def the_promises_hold(self) -> None:
        if not self.judging.diagnosis.verdicts:
            return
        verdict, facts = self.judging.verdict(), self.judging.facts()
        memory = unpack(verdict.memory, Memory)
        assert facts.state == memory.state in STATES
        if verdict.plan is not None:
            assert facts.state in ACTIVE, "healmon acts in no other"
            assert not self.seen.acting
        if facts.state == "unknown":
            assert [f.condition for f in verdict.findings if f.condition == "down"] == []
        if facts.desired == "down":
            assert facts.state not in WAITING, "the wish wins at once"
            order = self.judging.order() if verdict.plan is not None else None
            assert order is None or order.verb == "stop", "and never is anything started"
        if facts.pid is None and facts.state in machine.ALIVE and not self.seen.acting:
            assert facts.state == "stop_failed", "what lives has a pid"
        assert len({f.condition for f in verdict.findings}) == len(verdict.findings)
        if stranger().identity in [b.identity for b in facts.blockers if not b.orphan]:
            assert verdict.plan is None or facts.pid is not None or facts.state == "stopping"


AnyLife.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=25)
TestAnyLife = AnyLife.TestCase
