"""A made-up healer for the screen: fixed time, hand-made events, answers by script.

The app under test is the real one; only the healer behind its link is made up.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from healmon import events as ev
from healmon.clock import ManualClock, parse_utc
from healmon.plans import Answer, Packed, Plan, Step
from healmon.service.link import Gone, Leave, Peek, Run, Tail, Usage
from healmon.state import Snapshot, replay

if TYPE_CHECKING:
    from healmon.service.archive import Archive
    from tests.helpers.archived import MemoryStore

NOW = parse_utc("2026-11-23 20:47:01.000")
HOST = "atlas"


class ScriptedLink:
    """A `Link` that does what a test says and remembers what it was asked."""

    def __init__(
        self, past: list[ev.Recorded] | None = None, *, attached: str = "", history: int = 0
    ) -> None:
        self.attached = attached
        self.asked: list[tuple[str, str, Packed]] = []
        self.answers: dict[str, Answer | Callable[[str, Packed], Answer]] = {}
        self.closed = 0
        self.sick = ""
        self.costs: Usage | None = None
        self.screens: dict[str, Peek] = {}
        """What sessions show, by pane."""
        self.logs: dict[str, Tail] = {}
        """What workers have written, by name."""
        self.told: dict[str, tuple[str, ...]] = {}
        """What `explain` says, by target."""
        self.kept: dict[str, Packed] = {}
        self.visited: list[Packed] = []
        self.sink: Callable[[ev.Recorded], None] | None = None
        self.past = past or []
        self.ids = itertools.count(self.past[-1].id + 1 if self.past else 1)
        self.clock = ManualClock(NOW, autojump=False)
        self._history = history or len(self.past)
        self.ended: Gone | None = None
        self.anew = False
        self.store: MemoryStore | None = None
        self.opened = 0

    @property
    def now(self) -> float:
        """The scripted wall time."""
        return self.clock.read().wall

    def open(self, sink: Callable[[ev.Recorded], None]) -> Snapshot:
        """Hand out the snapshot of the past."""
        self.sink = sink
        self.opened += 1
        self.anew = False
        return replay(self.past)

    def history(self, count: int) -> list[ev.Recorded]:
        """Return the past."""
        return self.past[-min(count, self._history) :]

    def older(self, before: int, count: int) -> list[ev.Recorded]:
        """Return what is older than the history."""
        return [record for record in self.past if record.id < before][-count:]

    def archive(self) -> Archive:
        """Return the past, and what was emitted since, as a store has it."""
        from tests.helpers.archived import MemoryStore

        if self.store is None:
            self.store = MemoryStore()
            self._archive = self.store.archive()
        self.store.put(self.past)
        return self._archive

    def gone(self) -> Gone | None:
        """Return what a test says has ended."""
        return self.ended

    def begun_anew(self) -> bool:
        """Return what a test says; opening looks at the new past."""
        return self.anew

    async def take_over(self) -> Answer:
        """Answer by script; a yes is the end of the offer."""
        self.asked.append(("take over", "", {}))
        answer = self.answers.get("take over", Answer(ok=True, text="this screen heals now"))
        assert isinstance(answer, Answer)
        if answer.ok:
            self.ended, self.attached = None, ""
        return answer

    def trouble(self) -> str:
        """Return what a test says is wrong."""
        return self.sick

    async def ask(self, verb: str, target: str, arguments: Packed) -> Answer:
        """Answer by script, or with a plain yes."""
        self.asked.append((verb, target, arguments))
        answer = self.answers.get(verb, Answer(ok=True, text=""))
        return answer if isinstance(answer, Answer) else answer(target, arguments)

    async def peek(self, facts: Packed) -> Peek:
        """Show what a test says."""
        return self.screens.get(str(facts.get("pane")), Peek())

    async def tail(self, worker: str, lines: int) -> Tail:
        """Show what a test says a worker has written."""
        found = self.logs.get(worker, Tail())
        return replace(found, lines=found.lines[-lines:])

    async def explain(self, target: str) -> tuple[str, ...]:
        """Say what a test says."""
        return self.told.get(target, ())

    async def evidence(self, name: str) -> Packed:
        """Return what a test says was kept."""
        return self.kept.get(name, {})

    async def visit(self, facts: Packed, leave: Leave) -> str:
        """Remember where the person wanted to go."""
        self.visited.append(facts)
        return "back"

    def usage(self) -> Usage | None:
        """Return what a test says that the healer costs."""
        return self.costs

    async def close(self) -> None:
        """Let go."""
        self.closed += 1

    def emit(self, event: ev.Event, at: float | None = None) -> ev.Recorded:
        """Let something happen now."""
        record = ev.Recorded(next(self.ids), self.now if at is None else at, event)
        assert self.sink is not None, "the screen has not opened the link"
        self.past.append(record)
        self.sink(record)
        return record


@dataclass
class Story:
    """Builds a past, event by event; times are seconds before now."""

    records: list[ev.Recorded] = field(default_factory=list)

    def add(self, ago: float, event: ev.Event) -> int:
        """Append one event; returns its id."""
        self.records.append(ev.Recorded(len(self.records) + 1, NOW - ago, event))
        return len(self.records)

    def done(self) -> list[ev.Recorded]:
        """Return the past in order of time, numbered in that order."""
        ordered = sorted(self.records, key=lambda record: record.wall)
        return [
            ev.Recorded(number, record.wall, record.event)
            for number, record in enumerate(ordered, 1)
        ]

    def seen(
        self,
        ago: float,
        healer: str,
        component: str,
        status: Any,
        summary: str = "",
        **facts: Any,
    ) -> None:
        """Append an observation."""
        self.add(ago, ev.Observed(healer, component, status, summary, "t", "v", facts))


def key(component: str, condition: str) -> str:
    """Return an alert's key."""
    return f"{HOST}/{component}/{condition}"


def restart_plan(component: str = "assigner_worker", **changes: Any) -> Plan:
    """Return a plan to restart a worker."""
    fields: dict[str, Any] = {
        "healer": "workers",
        "component": component,
        "action": "restart_worker",
        "subject": "pid 50117",
        "why": f"{component} exited with code 1 at 20:46:57; restart = always",
        "steps": (
            Step(
                "make sure that no other copy runs (process table, pid file, command line)",
                f"pgrep -af workers/{component}.py",
            ),
            Step(
                "start it with its configured command",
                f"python3 workers/{component}.py --daemon",
            ),
        ),
        "proof": "a new process lives for 1 s, writes its heartbeat, and is the only one",
        "on_failure": "try again after 20 s; after 5 failures in 10 min it is quarantined",
        "order": {},
        "delay": 20.0,
        "id": "4711.88.3",
    }
    return Plan(**{**fields, **changes})


def clear_plan(component: str = "session:claude_architect", **changes: Any) -> Plan:
    """Return a plan to clear a stuck session."""
    fields: dict[str, Any] = {
        "healer": "sessions",
        "component": component,
        "action": "clear_stuck_session",
        "subject": "%14",
        "why": "quiet for 45 min with task 77 assigned; stuck after 30 min",
        "steps": (
            Step("send Ctrl+C to pane %14 (claude, pid 41822)", "tmux send-keys -t %14 C-c"),
            Step("mark task 77 as failed and queue it again (attempt 2 of 3)"),
        ),
        "proof": "the pane changes or its process ends within 5 s",
        "on_failure": "nothing more is typed; the alert stays open",
        "order": {},
        "id": "4711.90.1",
    }
    return Plan(**{**fields, **changes})


def clean_plan(component: str = "disk:/", **changes: Any) -> Plan:
    """Return a plan that destroys: cleaning a disk."""
    fields: dict[str, Any] = {
        "healer": "disks",
        "component": component,
        "action": "clean_disk",
        "subject": "rules logs, temp",
        "why": "/ is 86.9% full; warning at 85%, cleaning stops below 80%",
        "steps": (
            Step("delete 214 files of rule logs, older than 7 days: 8.1 GB"),
            Step("delete 1022 files of rule temp, older than 24 h: 3.4 GB"),
        ),
        "proof": "the files are gone and / is measured again",
        "on_failure": "what could not be deleted is listed; nothing else is touched",
        "order": {},
        "tier": 2,
        "id": "4711.91.1",
    }
    return Plan(**{**fields, **changes})


def lived_world() -> list[ev.Recorded]:
    """Return the past of the same evening with the half hour before it, for strips and sparks."""
    story = Story()
    _lately(story)
    return _evening(story)


def world() -> list[ev.Recorded]:
    """Return the past of a busy evening: everything healmon can show, at once."""
    return _evening(Story())


def _evening(story: Story) -> list[ev.Recorded]:
    story.add(
        15_130,
        ev.EngineStarted(HOST, "0.1.0", 4711, "tui", dry_run=False, interval=60.0, boot="b",
                         steady_offset=0.0),
    )  # fmt: skip
    _workers(story)
    _sessions(story)
    _disks(story)
    _databases(story)
    story.add(49, ev.CycleStarted(252))
    story.add(48, ev.CycleFinished(252, 0.4, 60.0))
    return story.done()


def showing(link: ScriptedLink) -> None:
    """Let the sessions of the busy evening show something, and evidence be there."""
    rule = "─" * 100
    stuck = (
        "❯ mend the roof of the test suite", "",
        "● I will look at the failing tests first.",
        "  └  Read tests/core/test_units.py (183 lines)",
        "● Now the parser: three of its branches are never taken.", "",
        "✻ Sorting… (45m 12s · ↓ 10 tokens)", "", rule, "❯", rule, "  esc to interrupt",
    )  # fmt: skip
    asks = (
        "● The build directory is stale.", "", rule, " Bash command", "", "   make clean",
        "   remove what was built", "", " Do you want to proceed?", " ❯ 1. Yes",
        "   2. Yes, and always allow access to proj/", "   3. No", "",
        " Esc to cancel · Tab to amend",
    )  # fmt: skip
    why = (
        "pack      claude 3 (Claude Code), bundled", "terminal  signals",
        "footer    -", "tail      Do you want to proceed?", "tail      ❯ 1. Yes",
        "  ✓ claude/approval-proceed (approval, 90): tail: Do you want to proceed?",
        "  ✗ claude/busy-title (busy): title has no line like ^[*]",
        "  ✗ claude/idle-footer (idle): footer has no line like \\? for shortcuts",
        "says      approval by claude/approval-proceed",
    )  # fmt: skip
    title = "✳ mend the roof"
    link.screens["%14"] = Peek(
        lines=stuck, runs=painted(stuck), at=NOW, painted=0.4, title="⠐ mend the roof"
    )
    link.screens["%12"] = Peek(
        lines=asks, runs=painted(asks), at=NOW, painted=957, title=title, why=why
    )
    link.logs |= written()
    link.kept["4711.40.1"] = {
        "action": "clear_stuck_session", "opened": NOW - 2_780, "closed": NOW - 2_777,
        "why": "nothing new for 31 min with task 77", "state": "stalled", "origin": "healmon",
        "rule": "claude/busy-footer",
        "before": {"at": NOW - 2_780, "screen": "\n".join(stuck)},
        "after": {"at": NOW - 2_777, "screen": "\n".join((
            *stuck[:5], "  └  Interrupted · What should Claude do instead?", "", rule, "❯", rule,
            "  ? for shortcuts",
        ))},
        "verdict": {"result": "cleared", "how": "claude says that it was interrupted after 0.8 s",
                    "keys": ["C-c"], "tasks": {"77": "requeued as attempt 2 of 3"}},
        "touches": [{"at": NOW - 2_779, "text": "press C-c in pane %14 of claude_architect"},
                    {"at": NOW - 2_777, "text": "requeue task 77 in assigner"}],
    }  # fmt: skip


def painted(lines: tuple[str, ...]) -> tuple[tuple[Run, ...], ...]:
    """Return a screen as an agent paints it: signs in colour, rules dim, choices bold."""
    looks = {"●": ("#7fd88f", ""), "✻": ("#d77757", ""), "❯": ("6", "b"), "─": ("8", "d")}
    done: list[tuple[Run, ...]] = []
    for line in lines:
        head = line.lstrip()[:1]
        fg, style = looks.get(head, ("", "d" if head in ("└", "e", "E") else ""))
        pad = len(line) - len(line.lstrip())
        if head in ("●", "❯"):
            runs = (Run(" " * pad), Run(head, fg, "", style), Run(line[pad + 1 :]))
        else:
            runs = (Run(line, fg, "", style),)
        done.append(tuple(run for run in runs if run.text))
    return tuple(done)


def written() -> dict[str, Tail]:
    """Return what the workers of the busy evening have written."""
    lines = (
        "2026-11-23 20:39:52 INFO  mail_worker 2.4.1, python 3.11.7",
        "2026-11-23 20:39:52 INFO  reading 3 mailboxes",
        "2026-11-23 20:39:55 ERROR smtp.internal:587: connection refused, attempt 1 of 3",
        "2026-11-23 20:39:57 ERROR smtp.internal:587: connection refused, attempt 2 of 3",
        "2026-11-23 20:40:00 ERROR smtp.internal:587: connection refused, attempt 3 of 3",
        "Traceback (most recent call last):",
        '  File "workers/mail_worker.py", line 211, in <module>',
        "    main(sys.argv[1:])",
        '  File "workers/mail_worker.py", line 187, in send',
        "    raise MailError(str(error)) from error",
        "MailError: [Errno 111] Connection refused",
    )
    return {
        "mail_worker": Tail(lines=lines, at=NOW, written=NOW - 421, size=48_213, more=True),
        "assigner_worker": Tail(
            lines=("sqlite3.OperationalError: unable to open database file: assigner.db",),
            at=NOW, written=NOW - 12, size=912,
        ),
    }  # fmt: skip


def calm_world() -> list[ev.Recorded]:
    """Return the past of a quiet evening: everything is well, some of it was healed."""
    story = Story()
    begun = ev.EngineStarted(
        HOST, "0.1.0", 4711, "tui", dry_run=False, interval=60.0, boot="b", steady_offset=0.0
    )
    story.add(90_000, begun)
    for number, name in enumerate(("assigner_worker", "milestone_worker", "task_worker")):
        story.seen(48, "workers", name, "healthy", "healthy", state="healthy", pid=48213 + number,
                   since=NOW - 80_000 - number, cpu=1.0 + number, rss=61e6, restarts=0, failures=0,
                   max_failures=5)  # fmt: skip
    for name, task, line in (
        ("claude_architect", 77, "Running the test suite"),
        ("claude_docs", 82, "Writing docs/guide.md"),
    ):
        story.seen(48, "sessions", f"session:{name}", "healthy", "working", state="working",
                   quiet=3, painted=0, novelty=[4, 9, 22, 31, 8, 12, 17, 40, 6, 11, 9, 13],
                   tasks=[task], window=0, pane_index=0, pane=f"%{task}", command="claude",
                   last_line=line)  # fmt: skip
    story.seen(48, "disks", "disk:/", "healthy", "", kind="filesystem", percent=61.3, free=357e9,
               size=923e9, level="ok", inode_percent=12.0)  # fmt: skip
    _databases(story)
    _old_success(story)
    story.add(49, ev.CycleStarted(1500))
    story.add(48, ev.CycleFinished(1500, 0.4, 60.0))
    return story.done()


def _lately(story: Story) -> None:
    """How the last half hour went, for the strips."""

    def was(ago: float, name: str, state: str, **more: Any) -> None:
        status = "healthy" if state == "healthy" else "unhealthy"
        story.seen(ago, "workers", name, status, state, state=state, **more)

    for ago, state in (
        (7000, "healthy"), (1130, "backoff"), (1120, "starting"), (1105, "healthy"),
        (780, "backoff"), (760, "healthy"), (640, "backoff"), (600, "healthy"), (540, "backoff"),
        (500, "healthy"),
    ):  # fmt: skip
        was(ago, "mail_worker", state)
    for ago, state in (
        (9000, "healthy"), (200, "backoff"), (190, "healthy"), (100, "backoff"), (85, "healthy"),
    ):  # fmt: skip
        was(ago, "assigner_worker", state, since=NOW - 9000, max_failures=5, failures=2)
    was(8000, "index_worker", "healthy", since=NOW - 8000)
    for minute in range(30, 0, -1):
        cpu = 4.0 + (minute * 37 % 11) + (30.0 if minute in (9, 10) else 0.0)
        was(minute * 60, "api_worker", "healthy", since=NOW - 187_200, cpu=cpu)
    for ago, state in ((2900, "working"), (1500, "quiet"), (700, "stalled"), (300, "working")):
        for name in ("claude_architect", "codex_review")[: 1 + (state == "stalled")]:
            story.seen(ago, "sessions", f"session:{name}", "healthy", state, state=state,
                       tasks=[77], quiet=1, pane="%0")  # fmt: skip


def _workers(story: Story) -> None:
    def up(name: str, ago: float, pid: int, age: float, cpu: float, rss: float, n: int = 0) -> None:
        story.seen(ago, "workers", name, "healthy", "healthy", state="healthy", pid=pid, cpu=cpu,
                   rss=rss, since=NOW - ago - age, restarts=n, failures=0,
                   max_failures=5)  # fmt: skip

    up("task_worker", 48, 48213, 11_520, 4.2, 118e6)
    up("milestone_worker", 48, 48244, 11_520, 1.0, 61e6)
    up("api_worker", 48, 48310, 187_200, 11.4, 402e6, 1)
    story.seen(
        48, "workers", "night_worker", "healthy", "stopped", state="down", desired="down",
        restarts=0, why="outside its hours",
    )  # fmt: skip
    story.add(9_000, ev.MaintenanceStarted("night_worker", NOW + 33_179, "olga"))

    # healed a moment ago
    down = key("index_worker", "down")
    plan = restart_plan("index_worker", delay=5.0, id="4711.70.1")
    story.add(31, ev.AlertOpened(down, "WARNING", "index_worker", "exited with code 137 (SIGKILL)"))
    story.add(31, ev.PlanMade(plan, NOW - 26, NOW - 26))
    story.add(26, ev.ActionStarted(plan.id, "index_worker"))
    story.add(26, ev.StepTaken(plan.id, "index_worker", "start workers/index_worker.py --daemon"))
    story.add(
        24.8,
        ev.ActionVerified(plan.id, "index_worker", "restart_worker",
                          "pid 50122 alive after 1.0 s, heartbeat fresh", 1.2,
                          "index_worker restarted after exit code 137"),
    )  # fmt: skip
    up("index_worker", 24.5, 50122, 1.4, 9.0, 54e6, 1)
    story.add(24.4, ev.AlertResolved(down, "up again"))
    story.add(
        24.3,
        ev.AlertNoted(key("index_worker", "recovered"), "index_worker",
                      "index_worker restarted after exit code 137"),
    )  # fmt: skip

    # healmon is at it
    down = key("assigner_worker", "down")
    plan = restart_plan()
    story.seen(
        12, "workers", "assigner_worker", "unhealthy", "exit 1", state="backoff", restarts=3,
        failures=3, max_failures=5, next_at=NOW + 8, why="exit 1: cannot open assigner.db",
    )  # fmt: skip
    story.add(
        12,
        ev.AlertOpened(down, "CRITICAL", "assigner_worker", "exited with code 1, third time",
                       {"exit code": 1, "last words": "sqlite3.OperationalError: unable to open"}),
    )  # fmt: skip
    story.add(12, ev.PlanMade(plan, NOW + 8, NOW + 8))

    # a person is needed
    flapping = key("mail_worker", "quarantined")
    story.seen(
        420, "workers", "mail_worker", "unhealthy", "quarantined", state="quarantined",
        restarts=5, failures=5, max_failures=5, next_at=NOW + 480, why="5 failures in 10 min",
    )  # fmt: skip
    story.add(
        420,
        ev.AlertOpened(flapping, "CRITICAL", "mail_worker", "quarantined: 5 failures in 10 min",
                       {"exit codes": [1, 1, 1, 1, 1], "smtp": "connection refused"}),
    )  # fmt: skip


def _sessions(story: Story) -> None:
    def seen(
        name: str, state: str, status: str, quiet: float, tasks: list[Any], **more: Any
    ) -> None:
        where, pane = more.pop("at").split()
        window, index = map(int, where.split("."))
        story.seen(48, "sessions", f"session:{name}", status, state, state=state, quiet=quiet,
                   tasks=tasks, pane=pane, window=window, pane_index=index, **more)  # fmt: skip

    seen("claude_architect", "stalled", "unhealthy", 2712, [77], at="1.0 %14", command="claude",
         painted=0, novelty=[9, 14, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0], pack="claude", version="3",
         matched="claude/busy-footer", text="esc to interrupt", keys=[["C-c"]], limit=1800,
         act_at=1800, last_line="✻ Sorting… (45m 12s · ↓ 10 tokens)", key="9.1.$1.1.%14.41822",
         rule="it repaints, and nothing new for 45 min", evidence="4711.40.1")  # fmt: skip
    seen("claude_docs", "working", "healthy", 2, [82, 85], at="0.1 %11", command="claude",
         painted=0, novelty=[4, 9, 22, 31, 8, 12, 17, 40, 6, 11, 9, 13], pack="claude",
         last_line="Writing docs/guide.md")  # fmt: skip
    seen("claude_tests", "approval", "warning", 960, [79], at="0.0 %12", command="claude",
         painted=957, novelty=[12, 8, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0], pack="claude", version="3",
         matched="claude/approval-proceed", text="Do you want to proceed?",
         question="Do you want to proceed? (make clean)", hands_off="it waits for an answer",
         key="9.1.$1.1.%12.41900", rule="it asks for approval",
         choices=[{"text": "1. Yes", "keys": ["1"]},
                  {"text": "2. Yes, and always allow access to proj/", "keys": ["2"]},
                  {"text": "3. No", "keys": ["3"]}])  # fmt: skip
    seen("codex_review", "quiet", "healthy", 323, [81], at="0.0 %9", command="codex", painted=1,
         novelty=[3, 9, 8, 11, 2, 5, 6, 0, 0, 0, 0, 0], limit=1800, act_at=1800, pack="codex",
         keys=[["Escape"]], last_line="reading core/healmon/state.py")  # fmt: skip
    seen("gemini_ideas", "retrying", "warning", 431, [84], at="0.0 %16", command="node", painted=0,
         novelty=[2, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], pack="claude", matched="claude/retry",
         text="API error · Retrying in 33s · attempt 9/10", rule="it tries again by itself",
         last_line="API error · Retrying in 33s · attempt 9/10")  # fmt: skip
    seen("scratch", "idle", "healthy", 0, [], at="2.1 %3", command="bash", last_line="$")
    seen("architect", "protected", "healthy", 0, [], at="0.0 %1", command="claude",
         hands_off="it is protected", last_line="ready")  # fmt: skip

    stuck = key("session:claude_architect", "stuck")
    plan = clear_plan()
    story.add(
        6,
        ev.AlertOpened(stuck, "WARNING", "session:claude_architect",
                       "stuck: it repaints, and nothing new for 45 min, with task 77",
                       {"task": 77, "attempt": "1 of 3", "screen": "unchanged since 20:01:49"}),
    )  # fmt: skip
    story.add(6, ev.PlanMade(plan, NOW - 6, NOW - 6))
    story.add(3, ev.ActionStarted(plan.id, plan.component))
    story.add(3, ev.StepTaken(plan.id, plan.component, "send Ctrl+C to pane %14"))

    waiting = key("session:claude_tests", "waiting")
    story.add(
        600,
        ev.AlertOpened(
            waiting,
            "WARNING",
            "session:claude_tests",
            "waits for an answer, task 79: Do you want to proceed? (make clean)",
        ),
    )
    story.add(540, ev.AlertAcknowledged(waiting, "olga", "approving after lunch", NOW + 6_780))

    _old_success(story)


def _old_success(story: Story) -> None:
    old = clear_plan("session:codex_review", id="4711.40.1")
    stuck = key("session:codex_review", "stuck")
    story.add(
        2_780,
        ev.AlertOpened(stuck, "WARNING", "session:codex_review", "quiet for 31 min with task 80"),
    )
    story.add(2_780, ev.PlanMade(old, NOW - 2_780, NOW - 2_780))
    story.add(2_779, ev.ActionStarted(old.id, old.component))
    story.add(2_779, ev.StepTaken(old.id, old.component, "send Ctrl+C to pane %9"))
    story.add(2_778, ev.StepTaken(old.id, old.component, "queue task 80 again"))
    story.add(
        2_777,
        ev.ActionVerified(old.id, old.component, "clear_stuck_session",
                          "prompt back after 0.8 s", 0.8, "cleared, task 80 queued again"),
    )  # fmt: skip
    story.add(2_776, ev.AlertResolved(stuck, "prompt back"))
    story.add(
        2_776,
        ev.AlertNoted(key("session:codex_review", "recovered"), "session:codex_review",
                      "cleared, task 80 queued again"),
    )  # fmt: skip


def _disks(story: Story) -> None:
    story.seen(
        48, "disks", "disk:/", "warning", "86.9% used, warning at 85%", kind="filesystem",
        percent=86.9, free=121.0e9, size=923.0e9, level="warning", inode_percent=12.0,
        why="warning at 85%",
        outlook={"at": NOW, "eta": 33_120.0, "soonest": 21_600.0, "latest": 50_400.0,
                 "rate": 1.4, "way": "trend", "inodes": False,
                 "past": [79.8, 79.9, 80.3, 80.2, 80.6, 81.4, -1.0, 81.6, 81.9, 82.0, 82.4, 82.4,
                          82.9, 83.0, 83.1, 83.9, 84.1, 84.0, 84.6, 85.1, 85.0, 85.8, 86.4, 86.9]},
        culprits={
            "at": NOW, "pinned_bytes": 4.2e9, "unexplained": 0, "partial": "",
            "directories": [
                {"path": "/var/log", "held": 310e9, "growth": 12.4e9, "by": ""},
                {"path": "/home/build/cache", "held": 190e9, "growth": None, "by": ""},
            ],
            "files": [
                {"path": "/var/log/app.log", "held": 210e9, "growth": 11.9e9, "by": "app (812)"},
            ],
            "pinned": [
                {"path": "/var/log/old.log", "held": 4.2e9, "by": "nginx (411)",
                 "remedy": "restart nginx (pid 411)"},
            ],
        },
    )  # fmt: skip
    story.seen(
        48, "disks", "disk:/data", "healthy", "", kind="filesystem", percent=41.0, free=2.1e12,
        size=3.6e12, level="ok", inode_percent=3.0,
        outlook={"at": NOW, "eta": None, "rate": 0.0, "way": "trend",
                 "past": [41.0, 41.1, 41.0] * 8},
    )  # fmt: skip
    story.seen(
        48, "disks", "disk:logs", "healthy", "", kind="budget", percent=62.4, free=1.9e9,
        size=5.0e9, level="ok",
    )  # fmt: skip
    story.add(
        180,
        ev.AlertOpened(key("disk:/", "full"), "WARNING", "disk:/", "86.9% used, warning at 85%"),
    )
    failed = clean_plan(tier=1, id="4711.60.1")
    story.add(178, ev.PlanMade(failed, NOW - 178, NOW - 178))
    story.add(178, ev.ActionStarted(failed.id, "disk:/"))
    story.add(178, ev.StepTaken(failed.id, "disk:/", "delete 214 files of rule logs"))
    story.add(
        171,
        ev.ActionFailed(failed.id, "disk:/", "clean_disk", "logs/old: permission denied", 6.8),
    )


def _databases(story: Story) -> None:
    for name, wal in (("architect", 1.2e6), ("assigner", 0)):
        story.seen(
            48, "databases", f"database:{name}", "healthy", "free", verdict="free",
            wal_size=wal, mode="wal", path=f"/srv/agents/data/{name}.db", size=48e6,
        )  # fmt: skip


def locked(link: ScriptedLink) -> None:
    """Let a database get locked by a stopped process."""
    name = "database:assigner"
    facts = {
        "verdict": "stopped", "path": "/srv/agents/data/assigner.db", "mode": "wal", "size": 48e6,
        "wal_size": 4_200_000, "since": link.now - 72,
        "holder": {"pid": 47001, "name": "sqlite3", "command": "sqlite3 data/assigner.db"},
    }  # fmt: skip
    text = "locked by pid 47001 (sqlite3), stopped"
    link.emit(ev.Observed("databases", name, "critical", text, "lock", "stopped", facts))
    link.emit(ev.AlertOpened(key(name, "locked"), "CRITICAL", name, text))
