"""Any sequence of kills, stops and healings: every acknowledged row survives, nobody is wronged.

Real processes live a few stories, made-up ones many.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healmon.errors import HealmonError
from healmon.plans import Plan
from healmon.world.processes import Identity
from healmon.world.simulated.processes import Program
from tests.helpers.dbactor import Actor, ask, create
from tests.helpers.dbstory import PATH, Story
from tests.helpers.dbwatch import Watch
from tests.helpers.examples import examples
from tests.helpers.wait import until

# Real processes


class Stage:
    def __init__(self, base: Path, mode: str) -> None:
        self.path = base / "a.db"
        self.promised = base / "promised"
        create(self.path, mode, rows=0)
        self.writers: list[Actor] = []
        self.watch = Watch(self.path, busy_for=0.05, act_after=0.1, may_kill=("*python*",))

    def begin(self, style: str) -> None:
        for writer in self.writers:
            if writer.process.poll() is not None:
                writer.end()
        self.writers = [writer for writer in self.writers if writer.process.poll() is None]
        if len(self.writers) < 3:
            self.writers.append(Actor(self.path))
            self.writers[-1].loop(style, self.promised)

    def signal(self, number: int, which: int) -> None:
        if self.writers:
            with suppress(ProcessLookupError):
                os.kill(self.writers[which % len(self.writers)].pid, number)

    def heal(self) -> None:
        """Look a few times, and do whatever healmon plans by then."""
        for _ in range(4):
            verdict = self.watch.look()
            if verdict.plan is not None and verdict.plan.delay == 0:
                with suppress(HealmonError):
                    self.watch.carry_out(verdict.plan)

    def write_on(self) -> None:
        """Give the writers a moment: until one more row is promised, if any can."""
        before = self.promises()
        with suppress(AssertionError):
            until(lambda: len(self.promises()) > len(before), 0.5)

    def promises(self) -> list[str]:
        return self.promised.read_text().split() if self.promised.exists() else []

    def close(self) -> None:
        for writer in self.writers:
            writer.end()
        self.watch.close()


STEP = st.one_of(
    st.tuples(st.just("begin"), st.sampled_from(["quick", "spill", "idle"])),
    st.tuples(st.just("signal"), st.sampled_from([9, 15, 19, 18]), st.integers(0, 2)),
    st.tuples(st.just("heal")),
    st.tuples(st.just("write_on")),
)


@pytest.mark.slow
@settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow], database=None)
@given(st.sampled_from(["delete", "wal"]), st.lists(STEP, min_size=4, max_size=10))
def test_every_promised_row_survives(mode, steps):
    base = Path(tempfile.mkdtemp(prefix="hm"))
    stage = Stage(base, mode)
    try:
        stage.begin("quick")
        stage.begin("idle")
        for verb, *words in steps:
            {"begin": stage.begin, "signal": stage.signal, "heal": stage.heal,
             "write_on": stage.write_on}[verb](*words)  # fmt: skip
        for writer in stage.writers:
            writer.end()
        promised = set(stage.promises())
        stage.heal()
        stage.heal()
        assert stage.watch.look().metric_value == "free"
        if promised:
            rows = ask(stage.path, "SELECT substr(text, 1, instr(text, ' ') - 1) FROM rows")
            assert promised <= {row[0] for row in rows}
        assert ask(stage.path, "PRAGMA integrity_check") == [["ok"]]
    finally:
        stage.close()
        shutil.rmtree(base)


# Made-up processes

SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "may_kill": st.sampled_from([("app*",), ("*",)]),
        "keep": st.sampled_from([("app1",), ("*",)]),
        "end_readers": st.just(True),
        "on_stale": st.sampled_from(["heal", "alert"]),
    },
)
VERBS = ["begin", "write", "commit", "grow", "read", "cpu", "stop", "go on", "end", "come", "wait"]
WHO = st.integers(0, 2)
ONE = st.tuples(st.sampled_from(VERBS), WHO, st.floats(0.5, 40.0)).map(lambda step: [step])
LEFT = WHO.map(lambda n: [("begin", n, 1), ("write", n, 1), ("end", n, 1), ("wait", n, 12)])
FORGOTTEN = WHO.map(lambda n: [("begin", n, 1), ("write", n, 12), ("wait", n, 12), ("wait", n, 12)])
PINNED = WHO.map(
    lambda n: [("read", n, 1), ("grow", (n + 1) % 3, 12), ("wait", n, 12), ("wait", n, 12)]
)
STORY = st.lists(st.one_of(ONE, ONE, LEFT, FORGOTTEN, PINNED), min_size=2, max_size=12)
"""Steps, and scenes in which healmon may have something to do, in any order."""


@dataclass
class Life:
    """What a story knows of its people that healmon must find out: who is allowed what."""

    story: Story
    people: list[Identity] = field(default_factory=list)
    alive_at: dict[int, float] = field(default_factory=dict)
    commits: int = 0

    def does(self, verb: str, number: int) -> None:
        story, who = self.story, self.people[number]
        if story.machine.identify(who.pid) != who:
            if verb == "come":
                self.born(number, who)
            return
        locks = story.locks
        mine = who.pid == locks._databases[PATH].writer
        if verb == "begin" and not mine:
            with suppress(ValueError):
                locks.begin(PATH, who.pid)
                self.alive_at[number] = self.now
        elif verb == "write" and mine:
            locks.write(PATH, who.pid, spilled=True)
            self.alive_at[number] = self.now
        elif verb == "commit" and mine:
            self.commit(number)
        elif verb == "grow":
            with suppress(ValueError):
                locks.begin(PATH, who.pid)
                for _ in range(1200):
                    locks.write(PATH, who.pid)
                self.commit(number)
        elif verb == "read" and not mine:
            locks.read(PATH, who.pid)
            self.alive_at[number] = self.now
        elif verb == "cpu":
            cpu = story.machine.inspect(who).cpu_seconds
            story.machine.change(who, cpu_seconds=cpu + 5)
            self.alive_at[number] = self.now
        elif verb in {"stop", "go on"}:
            story.machine.change(who, state="T" if verb == "stop" else "S")
        elif verb == "end":
            story.machine.end(who)
        elif verb == "come":
            locks.connect(PATH, who.pid)

    def born(self, number: int, before: Identity) -> None:
        """Somebody takes the place of one that has ended; a worker's new process is a worker."""
        self.people[number] = self.story.somebody(f"app{number}")
        if before in self.story.workers["w"]:
            self.story.employ(self.people[number])

    def commit(self, number: int) -> None:
        self.story.locks.commit(PATH, self.people[number].pid)
        self.commits += 1
        self.alive_at[number] = self.now

    @property
    def now(self) -> float:
        return self.story.clock.read().steady

    def carry_out(self, plan: Plan) -> None:
        """Do what healmon plans, once its moment has come, and judge it."""
        story, before = self.story, len(self.story.machine.signals)
        reading = story.locks.look(PATH)
        connected = {p for p in story.locks._databases[PATH].connected if self.lives(p)}
        healed = len(story.mender.healed)
        with suppress(HealmonError):
            story.carry_out(plan)
        signals = story.machine.signals[before:]
        assert len({who for who, _ in signals}) <= 1  # one process, if any
        for who, number in signals:
            holds = reading.held_by(who.pid)
            assert holds
            names = story.database
            (at,) = [n for n, one in enumerate(self.people) if one == who]
            assert not (at == 1 and names.keep)
            assert names.keep != ("*",)
            if number == signal.SIGCONT:
                continue
            assert number in {signal.SIGTERM, signal.SIGKILL}
            assert who in story.workers.get("w", ()) or names.may_kill
            # no life for as long as the configuration says
            assert self.now - self.alive_at.get(at, 0.0) >= names.act_after
            assert reading.writer is not None or names.end_readers
        if len(story.mender.healed) > healed:
            # never while anybody is there: nobody was, or the one that has just been ended
            assert connected <= {who.pid for who, _ in signals}

    def lives(self, pid: int) -> bool:
        return self.story.machine.identify(pid) is not None


@pytest.mark.slow
@settings(max_examples=examples(120))
@given(st.sampled_from(["rollback", "wal"]), SETTINGS, st.booleans(), STORY)
def test_nobody_is_wronged_and_no_commit_is_undone(mode, keys, deaf, scenes):
    story = Story(mode, busy_for=10.0, act_after=30.0, **keys)
    program = Program(ignores=frozenset({signal.SIGTERM})) if deaf else Program()
    life = Life(story, [story.somebody(f"app{n}", program=program) for n in range(3)])
    story.employ(life.people[0])
    try:
        for verb, number, seconds in chain.from_iterable(scenes):
            life.does(verb, number)
            plan = story.look(after=seconds).plan
            if plan is not None:
                assert story.database.on_stale == "heal"
                if plan.delay <= 15:
                    story.clock.advance(plan.delay)
                    life.carry_out(plan)
            shown = story.locks._databases[PATH]
            assert shown.commits + shown.change - 2 == life.commits
    finally:
        story.close()
