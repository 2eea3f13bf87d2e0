"""A verdict that stands is the one that would have been made."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from healmon import events as ev
from healmon.clock import ManualClock
from healmon.config.settings import Sessions
from healmon.plans import STANDS, Verdict
from healmon.sessions import diagnose as module
from healmon.sessions.calm import Calm
from healmon.sessions.diagnose import diagnose
from healmon.sessions.probe import Fault, Seen, SessionSeen
from healmon.sessions.signs import Sign
from healmon.state import FOREVER, Snapshot, apply
from tests.helpers.sessionjudge import a_pane, a_task

QUIET = 600.0


class Rounds:
    """Rounds as a room makes them: what is told as before is no event."""

    def __init__(self) -> None:
        self.clock, self.calm, self.settings = ManualClock(), Calm(), Sessions()
        self.snapshot, self.events = Snapshot(), 0
        self.jumped, self.rests = False, 0

    def emit(self, event: ev.Event) -> None:
        self.events += 1
        record = ev.Recorded(self.events, self.clock.read().wall, event)
        self.snapshot = apply(self.snapshot, record)

    def look(self, sessions: Sequence[SessionSeen], *faults: Fault) -> dict[str, Verdict]:
        """Judge with what stands and without, which must say the same; return what it says."""
        self.clock.advance(60)
        now = self.clock.read()
        seen = Seen(sessions=tuple(sessions), faults=faults, answered=("default",))
        seen, self.jumped = replace(seen, jumped=self.jumped), False
        afresh = diagnose(self.settings, seen, self.snapshot, now)
        said = diagnose(self.settings, seen, self.snapshot, now, calm=self.calm)
        if said is STANDS:
            self.rests += 1
            assert (afresh.gone, afresh.look_again, afresh.systemic) == ((), None, ())
            assert all(self.is_told(one) for one in afresh.verdicts)
            said = afresh
        verdicts = {one.component: one for one in said.verdicts}
        assert verdicts == {one.component: one for one in afresh.verdicts}
        assert set(said.gone) == set(afresh.gone)
        assert (said.look_again, said.hold) == (afresh.look_again, afresh.hold)
        for name, one in verdicts.items():
            if not self.is_told(one):
                words = (one.status, one.summary, "", "", one.facts)
                self.emit(ev.Observed("sessions", name, *words))
            if self.snapshot.memory.get(name, {}) != one.memory:
                self.emit(ev.Remembered(name, one.memory))
        for name in said.gone:
            self.emit(ev.ComponentGone(name))
        return verdicts

    def is_told(self, one: Verdict) -> bool:
        view = self.snapshot.components.get(one.component)
        told = (one.status, one.summary, one.facts)
        return view is not None and (view.status, view.summary, view.facts) == told

    def shell(self, name: str, **pane: object) -> SessionSeen:
        """A session without tasks that painted something a while ago."""
        wall = int(self.clock.read().wall)
        words = {"command": "bash", "window_activity": wall - 100, "session_activity": wall - 100}
        made = a_pane(name, **{**words, **pane})
        return SessionSeen(label=name, pane=made, sign=Sign(last_line="$"), screen="$")


def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    real = module.draft

    def counted(component: str, *rest: object) -> object:
        names.append(component)
        return real(component, *rest)

    monkeypatch.setattr(module, "draft", counted)
    return names


def test_what_does_nothing_and_has_no_task_is_judged_no_more(monkeypatch):
    rounds = Rounds()
    sessions = [rounds.shell("a"), rounds.shell("b")]
    for _ in range(3):
        rounds.look(sessions)
    names = judged(monkeypatch)
    rounds.look(sessions)
    assert names == ["session:a", "session:b"], "once afresh, and none of those that stand"
    assert rounds.rests, "nor is that they stand told for each"
    names.clear()
    rounds.look([sessions[0], replace(sessions[1], tasks=(a_task("b"),))])
    assert names == ["session:a", "session:b", "session:b"]


def test_whatever_happens_what_stands_is_what_would_be_said():
    rests = 0
    for seed in range(40):
        chance, rounds = random.Random(seed), Rounds()
        sessions = {name: rounds.shell(name) for name in "abc"}
        for _ in range(30):
            name = chance.choice("abc")
            wall = int(rounds.clock.read().wall)
            faults: tuple[Fault, ...] = ()
            match chance.randrange(20):
                case 0:
                    sessions[name] = rounds.shell(name, attached=1, client_activity=wall)
                case 1:
                    sessions[name] = rounds.shell(name, attached=1, client_activity=wall + 900)
                case 2:
                    sessions[name] = rounds.shell(name, window_activity=wall)
                case 3:
                    sessions[name] = replace(rounds.shell(name), tasks=(a_task(name),))
                case 4:
                    sessions[name] = rounds.shell(name, dead=True, status="ended with status 1")
                case 5:
                    begun = ev.MaintenanceStarted(f"session:{name}", FOREVER, "test")
                    over = ev.MaintenanceEnded(f"session:{name}", "test")
                    rounds.emit(chance.choice([begun, over]))
                case 6:
                    rounds.clock.step(chance.choice([-1e5, 1e5]))
                    rounds.jumped = True
                case 7:
                    faults = (Fault("tmux", "other", "it hangs"),)
                case 8:
                    sessions[name] = replace(rounds.shell(name), twins=True)
            rounds.look([one for one in sessions.values() if chance.random() < 0.95], *faults)
        rests += rounds.rests
    assert rests > 20
