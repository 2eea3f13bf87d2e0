"""Replays recorded sessions through the packs and the judge, and counts what was right."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from healmon.clock import Reading
from healmon.config.settings import Sessions
from healmon.plans import Verdict, unpack
from healmon.sessions.diagnose import diagnose
from healmon.sessions.facts import HEALER, Order
from healmon.sessions.family import Signals, Table, family
from healmon.sessions.packs import Packs, bundled
from healmon.sessions.probe import Seen, SessionSeen
from healmon.sessions.recall import facts_of
from healmon.state import ComponentView, EngineView, Snapshot
from healmon.world.pane import Pane
from healmon.world.processes import ProcessFacts, Work
from healmon.world.taskdb import Task
from healmon.world.terminal import Terminal
from tests.corpus.sessions.recording import HERE, Frame, Recording, read, recorded

WALL, STEADY = 1_790_000_000.0, 50_000.0
BEGAN = 600.0
"""Seconds for which healmon has run, and the tasks have been given out, when a play begins."""


@dataclass(frozen=True)
class Label:
    """What healmon must make of a session: see plays.toml."""

    act: str
    states: tuple[str, ...]
    alert: str
    stuck: bool = False
    after: float = 0.0


@dataclass
class Judged:
    """What became of one recording."""

    name: str
    label: str
    states: list[tuple[float, str]] = field(default_factory=list)
    told: dict[str, float] = field(default_factory=dict)
    act: str = "never"
    acted_at: float = 0.0
    keys: tuple[tuple[str, ...], ...] = ()
    rule: str = ""

    @property
    def last(self) -> str:
        """The state in the end."""
        return self.states[-1][1]


def labels() -> dict[str, Label]:
    table = tomllib.loads((HERE / "plays.toml").read_text())["labels"]
    return {name: Label(**{**one, "states": tuple(one["states"])}) for name, one in table.items()}


def seen(frame: Frame, packs: Packs) -> SessionSeen:
    """Return one look as the probe would have made it."""
    wall = WALL + frame.t
    pane = Pane(
        socket="corpus", server_pid=1, server_start=1, session_id="$1", session_created=1,
        pid=frame.processes[0]["identity"]["pid"] if frame.processes else 0, name="played",
        session="played", window_activity=int(WALL + frame.painted), **frame.pane,
    )  # fmt: skip
    terminal = None if frame.terminal is None else msgspec.convert(frame.terminal, Terminal)
    processes = [msgspec.convert(one, ProcessFacts) for one in frame.processes]
    work = [msgspec.convert(one, Work) for one in frame.work]
    given = WALL - BEGAN
    signals = Signals(
        painting=frame.t - frame.painted <= 3,
        work={facts.identity: one for facts, one in zip(processes, work, strict=True)},
        tasked=wall - given,
    )
    kin = family(Table(processes), pane.pid, terminal, signals, packs)
    return SessionSeen(
        label="played",
        pane=pane,
        screen=frame.screen,
        tasks=(Task("tasks", 7, "played", "in_progress", assigned_at=given),),
        terminal=terminal,
        family=kin,
        sign=packs.read(kin.agent, frame.screen, pane.title, terminal),
    )


def judge(recording: Recording, settings: Sessions | None = None) -> Judged:
    """Replay one recording, look by look, until healmon would act or the recording ends."""
    packs, settings = bundled(), settings or Sessions()
    known = Snapshot(engine=EngineView(running=True, mode="daemon", started_at=WALL - BEGAN))
    found = Judged(recording.name, recording.label)
    for frame in recording.frames:
        now = Reading(WALL + frame.t, STEADY + frame.t, STEADY + frame.t)
        look = Seen(sessions=(seen(frame, packs),), answered=("corpus",))
        (verdict,) = diagnose(settings, look, known, now).verdicts
        known = _remembered(known, verdict, now)
        facts = facts_of(known, verdict.component)
        assert facts is not None
        found.states.append((frame.t, facts.state))
        found.rule = facts.matched
        for one in verdict.findings:
            found.told.setdefault(one.condition, frame.t)
        if verdict.plan is not None:
            order = unpack(verdict.plan.order, Order)
            found.act, found.keys = ("interrupt" if order.keys else "settle"), order.keys
            found.acted_at = frame.t
            break
    return found


def _remembered(known: Snapshot, verdict: Verdict, now: Reading) -> Snapshot:
    view = ComponentView(
        verdict.component,
        HEALER,
        verdict.status,
        verdict.summary,
        verdict.facts,
        now.wall,
        now.wall,
    )
    return msgspec.structs.replace(
        known,
        components={**known.components, verdict.component: view},
        memory={**known.memory, verdict.component: verdict.memory},
    )


def every() -> Iterator[Judged]:
    """Replay the whole corpus."""
    for path in recorded():
        yield judge(read(path))


@dataclass(frozen=True)
class Score:
    """How often the judge is right.

    Attributes:
        precision: the share of its acts that were right.
        recall: the share of stuck sessions on which it acts, with the right act.
        confusion: how often a label ended in a state (and an act).
    """

    precision: float
    recall: float
    confusion: Counter[tuple[str, str]]
    acts: Counter[tuple[str, str]]
    wrong: tuple[str, ...]


def score(judged: Sequence[Judged]) -> Score:
    table = labels()
    acted = [one for one in judged if one.act != "never"]
    stuck = [one for one in judged if table[one.label].stuck]
    right = [one for one in acted if one.act == table[one.label].act]
    caught = [one for one in stuck if one.act == table[one.label].act]
    wrong = [f"{o.name}: {o.act} instead of {table[o.label].act}, in state {o.last}"
             for o in judged if o.act != table[o.label].act]  # fmt: skip
    return Score(
        precision=len(right) / len(acted) if acted else 1.0,
        recall=len(caught) / len(stuck) if stuck else 1.0,
        confusion=Counter((one.label, one.last) for one in judged),
        acts=Counter((table[one.label].act, one.act) for one in judged),
        wrong=tuple(wrong),
    )


def matrix(counts: Counter[tuple[str, str]], rows: str, columns: str) -> list[str]:
    """Return a table of counts as lines; an empty cell is a zero."""
    down = sorted({row for row, _ in counts})
    across = sorted({column for _, column in counts})
    widths = [max(len(name), 3) for name in across]
    wide = max(len(name) for name in (*down, rows))
    lines = [
        f"{rows:<{wide}}  " + "  ".join(f"{n:>{w}}" for n, w in zip(across, widths, strict=True))
    ]
    for row in down:
        cells = [counts[row, column] or "" for column in across]
        lines.append(
            f"{row:<{wide}}  " + "  ".join(f"{c:>{w}}" for c, w in zip(cells, widths, strict=True))
        )
    return [f"{rows} (down) by {columns} (across)", *lines]


def details(one: Judged) -> dict[str, Any]:
    """Return one replay as plain data."""
    return {
        "label": one.label, "act": one.act, "acted_at": one.acted_at, "state": one.last,
        "told": one.told, "rule": one.rule, "keys": [list(step) for step in one.keys],
    }  # fmt: skip
