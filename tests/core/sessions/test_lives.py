"""Random lives of sessions, by seed: what must hold after every look at every one of them.

The truth (who works, who hangs, who waits for a person) is made up by the test; the judge sees only
what a look shows of it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from healmon import events as ev
from healmon.plans import unpack
from healmon.sessions import caps, judging, outcome, progress, standing, verdict
from healmon.sessions.facts import Order, SessionFacts
from healmon.sessions.probe import SessionSeen
from healmon.sessions.signs import Sign
from healmon.sessions.states import CLOSED
from tests.helpers.examples import first_fast, span
from tests.helpers.sessionjudge import (
    APPROVAL,
    BUSY,
    COOKED,
    CYCLE,
    GAVE_UP,
    HOUR,
    IDLE,
    JOB,
    RAW,
    RETRYING,
    SECRET,
    SPINNER,
    BenchOfSessions,
    a_family,
    a_session,
    a_task,
    idle_for,
)

HOURS = 4
NAMES = ("a", "b", "c", "d", "e")
WORK = ("streams", "computes", "writes", "counts")
HANG = ("spins", "still", "frozen")
PERSON = ("approves", "password", "typing", "stopped")
OTHER = ("idle", "gave up", "retries", "raw", "dead")
LONGEST_HOLD = 30 * 60.0


@dataclass
class Session:
    """The truth about one session."""

    name: str
    chance: random.Random
    agent: bool = True
    mode: str = "streams"
    since: float = 0.0
    worked: float = 0.0
    lines: int = 0
    size: int = 80
    program: int = 200
    cpu: float = 0.0
    bytes: int = 0
    beats: float = 0.0
    painted: float = 0.0
    task: int = 1
    tasks_gone: bool = False
    given: float = 0.0
    last_attached: int = 0
    texts: list[str] = field(default_factory=list)

    def live(self, now: float, wall: float) -> None:
        """Let it do what it does until now."""
        if self.mode in WORK:
            self.worked = now
        if self.mode == "streams":
            for _ in range(3):
                self.lines += 1
                self.texts.append(f"step {self.lines} of {self.name}, {self.lines * self.lines}")
        self.cpu += CYCLE * (self.mode == "computes")
        self.bytes += 900_000 * (self.mode == "writes")
        self.beats = wall if self.mode == "counts" else self.beats
        if self.mode not in {"still", "frozen", "approves", "password", "idle", "dead"}:
            self.painted = wall

    def turn(self, now: float) -> None:
        """Let it become something else, rarely."""
        if self.chance.random() < 0.985:
            return
        kinds = self.chance.choice([WORK, WORK, HANG, HANG, PERSON, OTHER])
        self.mode, self.since = self.chance.choice(kinds), now
        self.agent = self.chance.random() < 0.6 and self.mode != "password"
        self.size += 1 if self.chance.random() < 0.1 else 0

    def sign(self) -> Sign:
        if self.mode == "password":
            return replace(JOB, question="Password:", last_line="Password:")
        signs = {"approves": APPROVAL, "idle": IDLE, "gave up": GAVE_UP, "retries": RETRYING}
        plain = BUSY if self.agent and self.mode != "raw" else JOB
        return signs.get(self.mode, plain)

    def seen(self, wall: float) -> SessionSeen:
        raw = self.agent or self.mode in {"raw", "frozen"}
        terminal = SECRET if self.mode == "password" else RAW if raw else COOKED
        terminal = replace(terminal, foreground=self.program, unread=self.mode == "frozen")
        agent = "claude" if self.agent and self.mode != "raw" else ""
        kin = a_family(
            agent, cpu={"200.8": 1.0, "300.9": self.cpu}, io={"300.9": self.bytes},
            stopped="vim" if self.mode == "stopped" else "",
        )  # fmt: skip
        pane = {
            "width": self.size, "dead": self.mode == "dead", "status": "exited (1)",
            "last_attached": self.last_attached,
        }  # fmt: skip
        if self.mode == "typing":
            self.last_attached = self.last_attached or int(wall)
            pane |= {"attached": 1, "client_activity": int(wall) - 5,
                     "last_attached": self.last_attached}  # fmt: skip
        spinner = SPINNER if self.mode in {"spins", "retries"} else "waiting"
        task = a_task(self.name, number=self.task, beat_at=self.beats or None)
        one = a_session(
            self.name, self.sign(), screen="\n".join([*self.texts[-20:], spinner]),
            terminal=terminal, family=kin, tasks=[] if self.tasks_gone else [task], pane=pane,
        )  # fmt: skip
        return idle_for(one, max(self.painted, 1.0))


class Life:
    """Several sessions, their healmon, and what may happen to both."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        mood = self.chance.choice(["default", "hasty", "bold"])
        quick = {"stuck_after": 600.0, "warn_after": 300.0, "confirm_for": 30.0}
        settings = {"default": {}, "hasty": quick, "bold": quick | {"outage": 99}}[mood]
        self.bench = BenchOfSessions(**settings)
        self.sessions = [Session(name, self.chance) for name in NAMES]
        self.acts: list[tuple[float, str]] = []
        self.planned: list[str] = []

    def live(self, hours: float) -> None:
        bench = self.bench
        while bench.now < hours * HOUR:
            wanted = bench.diagnosis.look_again or CYCLE
            bench.clock.advance(min(wanted, CYCLE))
            self.meddle()
            for one in self.sessions:
                one.turn(bench.now)
                one.live(bench.now, bench.wall)
            looks = [one.seen(bench.wall) for one in self.sessions]
            bench.look(*looks)
            self.check()
            self.act()
        assert bench.replayed() == bench.snapshot

    def meddle(self) -> None:
        """The host sleeps, its clock is set, healmon starts anew: rarely."""
        roll = self.chance.random()
        if roll < 0.002:
            self.bench.clock.suspend(self.chance.uniform(60, 9000))
        elif roll < 0.004:
            self.bench.clock.step(self.chance.uniform(-4000, 4000))
        elif roll < 0.008:
            self.bench.start()
        elif roll < 0.012:
            for one in self.sessions[: self.chance.randrange(6)]:
                one.mode, one.since = "spins", self.bench.now

    def look(self) -> None:
        """Look at all sessions as they are, without any time for them to do anything."""
        self.bench.look(*(one.seen(self.bench.wall) for one in self.sessions))
        self.check()

    def meanwhile(self) -> None:
        """What may come between two effects of an act: looks, and time."""
        for _ in range(self.chance.choice([0, 0, 1, 1, 2])):
            self.bench.clock.advance(self.chance.choice([0.1, 1.0, 7.0]))
            self.look()

    def act(self) -> None:
        for plan in self.bench.planned():
            if not self.bench.begin(plan):
                continue
            name = plan.component.partition(":")[2]
            result = self.chance.choice(["cleared", "cleared", "ignored", "frozen", "error"])
            keys = unpack(plan.order, Order).keys
            result = result if keys else "settled"
            one = next(s for s in self.sessions if s.name == name)
            if not caps.free(plan.subject):
                self.acts.append((self.bench.now, name))
            self.meanwhile()
            if self.chance.random() < 0.1:
                self.bench.start()  # killed in the midst of it: what goes on with it is the act
                self.acts = self.acts[: -1 if not caps.free(plan.subject) else None]
                continue
            self.end(plan, one, result)

    def end(self, plan, one: Session, result: str) -> None:
        """Let an act end: its tasks are taken away, then it is told; looks come in between."""
        if keys_of(plan):
            one.texts.append("^C")  # what a key leaves on the screen
        if result != "error":
            one.tasks_gone = True
        self.meanwhile()
        killed = self.chance.random() < 0.2 and result in {"ignored", "frozen"}
        if killed:
            said = outcome.held_words(verdict.Verdict(result=result, how="C-c"))
            text = f"fail task {one.task} in assigner{said} [evidence x]"
            self.bench.emit(ev.StepTaken(plan.id, plan.component, text))
        else:
            self.bench.end(plan, result)
        if killed or self.chance.random() < 0.2:
            self.bench.start()
        if result in {"ignored", "frozen"}:
            self.look()
            told = {key.rpartition("/")[2]: alert.severity
                    for key, alert in self.bench.snapshot.alerts.items()
                    if alert.component == plan.component}  # fmt: skip
            assert told.get("stuck") == "CRITICAL", "a failed act is told, whatever looks came"
            assert "quarantined" in told, "who ignores an interrupt is no place for tasks"
        self.meanwhile()
        one.tasks_gone, one.task, one.given = False, one.task + 1, self.bench.now
        if result == "cleared":
            one.mode, one.since = "streams", self.bench.now

    def check(self) -> None:
        """Keep the promises in view."""
        pressed = [v for v in self.bench.diagnosis.verdicts if v.plan and keys_of(v.plan)]
        assert len(pressed) <= 1, "one at a time"
        for one in self.sessions:
            verdict = self.bench.verdict(one.name)
            facts = unpack(verdict.facts, SessionFacts)
            if verdict.plan is not None:
                self._allowed(one, facts, verdict.plan)
            quiet = min(facts.quiet, self.bench.now - one.given)
            if facts.state == "stalled" and quiet > facts.limit + LONGEST_HOLD:
                assert verdict.plan or facts.held, "who is stuck is acted on, or it is said why not"
            conditions = [finding.condition for finding in verdict.findings]
            assert len(conditions) == len(set(conditions)), "one finding per condition"
            assert len(repr(verdict.memory)) < 9_000, "what is remembered is bounded"
        for at, name in self.acts[-1:]:
            mine = [t for t, n in self.acts if n == name and at - 6 * HOUR < t <= at]
            assert len(mine) <= self.bench.settings.acts_per_session, "two in six hours"
            lately = [t for t, _ in self.acts if at - HOUR < t <= at]
            assert len(lately) <= self.bench.settings.acts_per_hour, "five an hour"

    def _allowed(self, one: Session, facts: SessionFacts, plan) -> None:
        assert one.mode not in WORK, f"a working session ({one.mode}) is left alone"
        assert one.mode not in PERSON, f"a person ({one.mode}) is left alone"
        assert facts.state not in CLOSED
        assert not facts.hands_off
        assert not facts.held
        if keys_of(plan):
            assert one.mode in HANG, f"no key for {one.mode}"
            assert facts.quiet >= min(facts.limit, self.bench.settings.frozen_after)


def keys_of(plan):
    return unpack(plan.order, Order).keys


@pytest.mark.parametrize("seed", first_fast(*range(16)))
def test_whatever_happens_the_promises_hold(seed):
    life = Life(seed)
    life.live(span(HOURS))


@pytest.mark.slow
def test_lives_are_full_of_acts():
    acts, alerts = 0, set()
    for seed in range(3):
        life = Life(100 + seed)
        life.live(4)
        acts += len(life.acts)
        alerts |= {key.rpartition("/")[2] for key in life.bench.opened()}
    assert acts >= 5
    assert {"stuck", "waiting", "idle"} <= alerts


@pytest.mark.slow
def test_the_same_seed_is_the_same_life():
    one, two = Life(7), Life(7)
    one.live(1.5)
    two.live(1.5)
    assert one.bench.records == two.bench.records


# A simulation that finds nothing is worth nothing: what is broken on purpose is found.


def found() -> str:
    """Return what is said of the first life that breaks a promise."""
    with pytest.raises(AssertionError) as broken:
        live_all(range(12))
    return str(broken.value)


def live_all(seeds):
    for seed in seeds:
        Life(seed).live(2 * HOURS)


@pytest.mark.slow
def test_caps_that_hold_nothing_are_found(monkeypatch):
    monkeypatch.setattr(caps, "holds", lambda *_: "")
    monkeypatch.setattr(caps, "cooling", lambda *_: "")
    said = found()
    assert "two in six hours" in said or "five an hour" in said


@pytest.mark.slow
def test_keys_for_whoever_waits_for_a_person_are_found(monkeypatch):
    monkeypatch.setattr(standing, "CLOSED", frozenset())
    monkeypatch.setattr(judging, "trouble_of", as_if_stalled)
    assert "left alone" in found()


def as_if_stalled(case, state):
    from healmon.sessions.troubles import trouble_of

    return trouble_of(case, "stalled" if state in {"approval", "secret"} else state)


@pytest.mark.slow
def test_work_that_is_not_noticed_is_found(monkeypatch):
    monkeypatch.setattr(progress, "_works", lambda *_: "")
    assert "a working session (" in found()


def test_stuck_sessions_that_nobody_tells_of_are_found(monkeypatch):
    monkeypatch.setattr(judging, "_held", lambda *_, **__: " ")
    monkeypatch.setattr(judging.caps, "free", lambda _: True)
    real = judging.replace

    def mute(struct, **changes):
        return real(struct, **{k: ("" if k == "held" else v) for k, v in changes.items()})

    monkeypatch.setattr(judging, "replace", mute)
    assert "it is said why not" in found()


@pytest.mark.slow
def test_a_look_in_the_midst_of_an_act_that_forgets_it_is_found(monkeypatch):
    def forgets(_, old, __):
        return bool(old.failure or old.quarantine)

    monkeypatch.setattr(judging, "_owes", forgets)
    with pytest.raises(AssertionError, match="a failed act is told"):
        Life(2).live(HOURS)
