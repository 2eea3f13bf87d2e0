"""The judgement on sessions without a world: looks are made up, what follows is folded.

`BenchOfSessions` keeps a snapshot and all events, as the engine would; `a_session` makes a look at
one session from what a test wants to say about it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from healmon import alerts, gate
from healmon import events as ev
from healmon.clock import ManualClock, gap
from healmon.config.settings import Sessions
from healmon.plans import Diagnosis, Plan, Verdict, unpack
from healmon.sessions import verdict as verdicts
from healmon.sessions.diagnose import diagnose
from healmon.sessions.facts import Memory, Order, SessionFacts
from healmon.sessions.family import Family
from healmon.sessions.lost import watched
from healmon.sessions.probe import AgentFile, Fault, Seen, SessionSeen
from healmon.sessions.signs import Choice, Sign
from healmon.state import Snapshot, apply, replay
from healmon.world.pane import Pane
from healmon.world.taskdb import Late, Owed, Task
from healmon.world.terminal import Terminal
from tests.helpers import inbox

CYCLE = 60.0
HOUR = 3600.0
COOKED = Terminal(signals=True, canonical=True, echo=True, foreground=200)
RAW = Terminal(signals=False, canonical=False, echo=False, foreground=200)
SECRET = replace(COOKED, echo=False)
READING = replace(COOKED, reading=True)
BUSY = Sign(kind="busy", pack="claude", version="1", rule="claude/busy", where="footer",
            text="esc to interrupt", last_line="Thinking")  # fmt: skip
IDLE = Sign(kind="idle", pack="claude", version="1", rule="claude/idle", where="footer")
APPROVAL = Sign(
    kind="approval", pack="claude", version="1", rule="claude/approval-proceed", where="tail",
    text="Do you want to proceed?", question="Do you want to proceed?",
    choices=(Choice("1. Yes", ("1",)), Choice("2. No", ("2",))),
)  # fmt: skip
RETRYING = Sign(kind="retrying", pack="claude", version="1", rule="claude/retrying",
                text="API error · Retrying in 33s · attempt 9/10")  # fmt: skip
GAVE_UP = Sign(kind="gave_up", pack="claude", version="1", rule="claude/gave-up",
               text="API Error: 529 Overloaded.")  # fmt: skip
JOB = Sign(last_line="compiling")
SPINNER = "✻ Thinking… (esc to interrupt)"


def a_task(session: str = "a", number: int = 77, age: float = 10 * HOUR, **more: object) -> Task:
    """A task that was given out `age` seconds before the clock of a new bench."""
    at = ManualClock().read().wall - age
    words = {"source": "assigner", "id": number, "session": session, "status": "in_progress"}
    return Task(**{**words, "assigned_at": at, "token": f"t{number}", **more})


def a_pane(name: str = "a", **more: object) -> Pane:
    number = sum(map(ord, name))
    words = {
        "socket": "default", "server_pid": 10, "server_start": 1, "session_id": f"${number}",
        "session_created": 5, "id": f"%{number}", "pid": 100 + number, "name": name,
        "session": name, "width": 80, "height": 24, "command": "claude", "tty": "/dev/pts/9",
    }  # fmt: skip
    return Pane(**{**words, **more})


def a_family(agent: str = "claude", **more: object) -> Family:
    words = {"ticks": 7, "agent": agent, "cpu": {"200.8": 1.0}, "painters": ("200.8",)}
    return Family(**{**words, **more})


def a_session(
    name: str = "a",
    sign: Sign = BUSY,
    *,
    screen: str = SPINNER,
    terminal: Terminal | None = RAW,
    family: Family | None = None,
    tasks: Sequence[Task] | None = None,
    pane: dict[str, object] | None = None,
    **more: object,
) -> SessionSeen:
    """A look at a session: by default a hung Claude Code with one task."""
    if family is None:
        family = a_family()
    tasks = (a_task(name),) if tasks is None else tasks
    return SessionSeen(
        label=name, pane=a_pane(**{"name": name, **(pane or {})}), sign=sign, screen=screen,
        terminal=terminal, family=family, tasks=tuple(tasks), **more,
    )  # fmt: skip


def a_job(name: str = "a", *, screen: str = "compiling", **more: object) -> SessionSeen:
    """A look at a plain program under a shell, which writes nothing new."""
    family = more.pop("family", Family(ticks=7, cpu={"100.7": 0.1, "200.8": 1.0}))
    words = {"sign": JOB, "terminal": COOKED, "family": family, "screen": screen}
    pane = {"command": "make", **more.pop("pane", {})}
    return a_session(name, **{**words, "pane": pane, **more})


def idle_for(session: SessionSeen, wall: float) -> SessionSeen:
    """The same, which last wrote something at this wall second."""
    return replace(session, pane=replace(session.pane, window_activity=int(wall)))


Maker = Callable[[float], Sequence[SessionSeen]]
"""From the seconds since the beginning to the sessions there are then."""


class BenchOfSessions:
    """A judge, its snapshot and all events."""

    def __init__(self, **settings: object) -> None:
        self.settings = Sessions(**settings)
        self.clock = ManualClock()
        self.began = self.clock.read().steady
        self.snapshot = Snapshot()
        self.events: list[ev.Event] = []
        self.records: list[ev.Recorded] = []
        self.diagnosis = Diagnosis(())
        self.looks = 0
        self.runs = 0
        self._last = self.clock.read()
        self._lost: frozenset[str] = frozenset()
        self.start()

    def start(self, mode: str = "test") -> None:
        """Let a healmon begin."""
        self.runs += 1
        self.emit(ev.EngineStarted("here", "1", self.runs, mode, dry_run=False, interval=CYCLE,
                                   boot="b", steady_offset=0.0))  # fmt: skip
        for component, view in self.snapshot.plans.items():
            self.emit(ev.PlanAbandoned(view.plan.id, component, "healmon ended"))

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self.clock.read().steady - self.began

    @property
    def wall(self) -> float:
        return self.clock.read().wall

    def emit(self, event: ev.Event) -> None:
        self.events.append(event)
        record = ev.Recorded(len(self.events), round(self.wall, 3), event)
        self.records.append(record)
        self.snapshot = apply(self.snapshot, record)

    def look(
        self,
        *sessions: SessionSeen,
        after: float = 0.0,
        faults: Sequence[Fault] = (),
        missing: dict[str, tuple[Task, ...]] | None = None,
        owed: Sequence[Owed] = (),
        late: Sequence[Late] = (),
        answered: Sequence[str] = ("default",),
        absent: Sequence[str] = (),
        runs: bool | None = False,
    ) -> Diagnosis:
        """Judge one look; who wrote at no said time has written right now.

        `runs` is whether the programs of lost sessions run on; None: nobody has looked yet.
        """
        self.clock.advance(after)
        now, self.looks = self.clock.read(), self.looks + 1
        jump = gap(self._last, now)
        if jump:
            within = now.boot - self._last.boot
            self.emit(ev.ClockJumped(jump.suspended, jump.stepped, within=within))
        jumped, self._last = bool(jump), now
        painting = [s if s.pane.window_activity else idle_for(s, now.wall) for s in sessions]
        seen = Seen(
            sessions=tuple(painting), faults=tuple(faults), missing=missing or {},
            answered=tuple(answered), jumped=jumped,
            absent={
                socket: f"no server running on /tmp/{socket}"
                for socket in absent or ([] if answered else ["default"])
            },
            owed={"assigner": tuple(owed)} if owed else {},
            late={"assigner": tuple(late)} if late else {},
            runs={} if runs is None else dict.fromkeys(self._lost, runs),
        )  # fmt: skip
        self.diagnosis = diagnose(self.settings, seen, self.snapshot, now)
        self._lost = watched(self.diagnosis)
        self._tell()
        return self.diagnosis

    def _tell(self) -> None:
        self._fold(Verdict(alerts.ENGINE, "warning", "", "x", "", {}, self.diagnosis.systemic))
        for v in self.diagnosis.verdicts:
            self.emit(ev.Observed("sessions", v.component, v.status, v.summary, v.metric_type,
                                  v.metric_value, v.facts))  # fmt: skip
            if self.snapshot.memory.get(v.component, {}) != v.memory:
                self.emit(ev.Remembered(v.component, v.memory))
            self._fold(v)
        for component in self.diagnosis.gone:
            for event in alerts.gone(self.snapshot, component):
                self.emit(event)
            self.emit(ev.ComponentGone(component))

    def _fold(self, verdict: Verdict) -> None:
        for event in inbox.told(self.snapshot, "sessions", verdict, self.wall):
            self.emit(event)

    def run(self, seconds: float, make: Maker, *, act: bool = False) -> list[Plan]:
        """Look as the engine would: at each cycle, or sooner where that is asked for.

        Returns the plans that came up first in each session; with `act` each is carried out well.
        """
        until, plans = self.now + seconds, {}
        while self.now < until:
            wanted = self.diagnosis.look_again
            pause = CYCLE if wanted is None else min(CYCLE, wanted)
            self.clock.advance(min(pause, until - self.now))
            self.look(*make(self.now))
            for plan in self.planned():
                plans.setdefault((plan.component, plan.subject), plan)
                if act:
                    self.carry(plan)
        return list(plans.values())

    # What came of it.

    def verdict(self, name: str = "a") -> Verdict:
        component = name if ":" in name else f"session:{name}"
        return next(v for v in self.diagnosis.verdicts if v.component == component)

    def facts(self, name: str = "a") -> SessionFacts:
        return unpack(self.verdict(name).facts, SessionFacts)

    def state(self, name: str = "a") -> str:
        return self.facts(name).state

    def memory(self, name: str = "a") -> Memory:
        return unpack(self.verdict(name).memory, Memory)

    def plan(self, name: str = "a") -> Plan | None:
        return self.verdict(name).plan

    def order(self, name: str = "a") -> Order:
        plan = self.plan(name)
        assert plan is not None, (self.facts(name).held, self.facts(name).rule)
        return unpack(plan.order, Order)

    def planned(self) -> list[Plan]:
        return [v.plan for v in self.diagnosis.verdicts if v.plan is not None]

    def open(self, name: str = "a") -> set[str]:
        """The conditions that are told of a component."""
        component = name if ":" in name or name == "healmon" else f"session:{name}"
        found = self.snapshot.alerts.values()
        return {a.key.rpartition("/")[2] for a in found if a.component == component}

    def message(self, condition: str, name: str = "a") -> str:
        component = name if ":" in name or name == "healmon" else f"session:{name}"
        return self.snapshot.alerts[f"here/sessions/{component}/{condition}"].message

    def opened(self) -> list[str]:
        return [e.key for e in self.events if isinstance(e, ev.AlertOpened)]

    def replayed(self) -> Snapshot:
        return replay(self.records)

    # What the engine would do.

    def carry(
        self, plan: Plan, result: str = "cleared", *, seconds: float = 1.0, origin: str = "healmon"
    ) -> None:
        """Let a plan be carried out, with this verdict."""
        if not self.begin(plan, origin=origin):
            return
        self.clock.advance(seconds)
        self.end(plan, result)

    def begin(self, plan: Plan, *, origin: str = "healmon") -> bool:
        """Let a plan begin, if the gate lets it; returns whether it did."""
        plan = replace(plan, id=f"plan {len(self.events)}", origin=origin)
        if gate.refusal(plan, self.snapshot, self.wall, dry_run=False):
            return False
        now = self.clock.read()
        self.emit(ev.PlanMade(plan, now.steady, now.wall))
        self.emit(ev.ActionStarted(plan.id, plan.component))
        return True

    def end(self, plan: Plan, result: str = "cleared") -> None:
        if result == "error":  # a task database that cannot be written, say
            self.emit(ev.ActionFailed(plan.id, plan.component, plan.action, "no luck", 1.0))
            return
        elsewhere = unpack(plan.order, Order).elsewhere
        told = verdicts.Verdict(result=result, how=result, elsewhere=elsewhere)
        details, quiet = verdicts.packed(told), "after 31.0 min: "
        if told.let_go:
            event = ev.ActionVerified(plan.id, plan.component, plan.action, quiet + result, 1.0,
                                      "", details)  # fmt: skip
        else:
            event = ev.ActionFailed(plan.id, plan.component, plan.action, quiet + result, 1.0,
                                    details)  # fmt: skip
        self.emit(event)


def a_file(size: int = 1, changed: float = 0.0, status: str = "busy", **more: str) -> AgentFile:
    return AgentFile(status=status, changed=changed, size=size, **more)
