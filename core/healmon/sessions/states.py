"""How a session stands, as one table: the first rule that applies names the state. Pure.

Above are the states in which nobody may press anything, then those that the screen itself names,
then those that only time can tell. `unknown` and `gone` are not here: there is nothing to look at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from healmon.clock import Reading, Steps, age, shown
from healmon.config.settings import Sessions
from healmon.sessions.facts import Memory
from healmon.sessions.packs import Packs, bundled
from healmon.sessions.probe import SessionSeen
from healmon.sessions.progress import FUTURE, limit_for
from healmon.sessions.signs import Sign
from healmon.sessions.words import State
from healmon.units import format_duration

WORKING: Final = 120.0
"""Seconds after progress in which a session counts as working, at most half its limit."""
STARTING: Final = 120.0
"""Seconds for which a new program's screen may stay blank."""
TOOL_GRACE: Final = 120.0
"""Seconds beyond the time limit that a tool shows itself."""
RESET_GRACE: Final = 300.0
"""Seconds beyond the moment at which a rate limit says that it ends."""
PAUSED: Final = frozenset[State](
    ("human", "suspended", "secret", "approval", "question", "flow_stopped")
)
"""States that wait for a person: the task's clock stands, and begins anew when they end."""
CLOSED: Final = frozenset[State]((*PAUSED, "protected", "unsent", "starting", "unknown", "idle"))
"""States in which no key is ever pressed and no task settled."""
KEYLESS: Final = frozenset[State](("dead", "gone", "idle_with_task", "gave_up"))
"""States in which there is nothing to interrupt: the tasks alone are settled."""


@dataclass(frozen=True, slots=True)
class Case:
    """All there is to judge one session by.

    Attributes:
        never: why it must never be touched, or empty.
        packs: know which keys interrupt which program.
        steps: when the clock was set.
    """

    seen: SessionSeen
    sign: Sign
    memory: Memory
    settings: Sessions
    now: Reading
    never: str = ""
    packs: Packs = field(default_factory=bundled)
    steps: Steps = ()

    @property
    def agent(self) -> str:
        """The agent in the foreground, or empty."""
        return "" if self.seen.family is None else self.seen.family.agent

    @property
    def raw(self) -> bool:
        """Whether the program reads keys itself, so that Ctrl-C is no signal."""
        return self.seen.terminal is not None and not self.seen.terminal.signals

    @property
    def quiet(self) -> float:
        """Seconds without progress on the tasks it has."""
        return max(self.now.steady - max(self.memory.progress_at, self.memory.tasks_at), 0.0)

    @property
    def painted(self) -> float:
        """Seconds since the program last wrote anything."""
        return max(self.now.steady - self.memory.painted[1], 0.0)

    @property
    def limit(self) -> float:
        """Seconds of quiet after which it is stuck."""
        limit = limit_for(self.seen.tasks, self.settings.stuck_after)
        if is_tool(self) and self.sign.seconds is not None:
            return max(limit, self.sign.seconds + TOOL_GRACE)
        return limit

    @property
    def warn(self) -> float:
        """Seconds of quiet after which it stands still."""
        return min(self.settings.warn_after, self.limit)


def _human(case: Case) -> str:
    pane, settings = case.seen.pane, case.settings
    if typed_lately(case):
        return f"a person typed here within {format_duration(settings.quiet_client)}"
    if pane.mode and pane.last_attached and _lately(case, pane.session_activity):
        return "a person was in its scrollback a moment ago"
    marker = settings.typing_marker
    if marker and marker in case.seen.screen:
        return f"it shows the typing marker {marker}"
    if case.sign.kind == "unsent" and _somebody_was_there(case):
        return "text stands in its composer that a person may have typed"
    return ""


def typed_lately(case: Case) -> bool:
    """Return whether somebody who can type did anything here a moment ago."""
    pane = case.seen.pane
    typed = case.memory.hand_wall, pane.client_activity if pane.attached else 0.0
    return any(_lately(case, at) for at in typed)


def _lately(case: Case, wall: float) -> bool:
    """Return whether that was a moment ago; what no clock has shown is of before a set one."""
    now = case.now.wall
    known = shown(case.steps, wall - FUTURE, now)
    return known and age(case.steps, wall, now) < case.settings.quiet_client


def _somebody_was_there(case: Case) -> bool:
    """Return whether somebody was attached since its tasks were given out."""
    pane = case.seen.pane
    given = [task.assigned_at for task in case.seen.tasks if task.assigned_at is not None]
    return bool(pane.attached) or pane.last_attached >= min(given, default=0.0) > 0.0


def _question(case: Case) -> str:
    terminal, file = case.seen.terminal, case.seen.agent_file
    if case.sign.kind == "question":
        return "it waits for a person's answer"
    if file is not None and file.status == "waiting":
        return f"its agent says that it waits for {file.waiting_for or 'a person'}"
    prompt = case.seen.family is not None and case.seen.family.prompt
    if terminal is not None and terminal.reading and terminal.echo and not prompt:
        return "it waits for a line to be typed"
    return ""


def _starting(case: Case) -> str:
    young = case.now.steady - case.memory.first_at < STARTING
    blank = case.raw and not case.seen.screen.strip()
    if young and (blank or case.sign.kind == "starting"):
        return f"its screen is still blank, for less than {format_duration(STARTING)}"
    return ""


def _idle_with_task(case: Case) -> str:
    if case.seen.family is not None and case.seen.family.prompt:
        return "a shell waits for a command, with a task assigned"
    # an agent that writes down that it is busy is not idle, whatever its screen shows
    busy = case.seen.agent_file is not None and case.seen.agent_file.status == "busy"
    return "it waits for its next order, with a task assigned" if idles(case) and not busy else ""


def idles(case: Case) -> bool:
    """Return whether the screen says that it waits for its next order."""
    return case.sign.kind == "idle"


def is_tool(case: Case) -> bool:
    """Return whether an agent runs a program of its own and waits for it."""
    kin = case.seen.family
    if case.sign.kind == "tool":
        return True
    return case.sign.kind == "busy" and kin is not None and bool(kin.agent and kin.tool)


def _tool(case: Case) -> str:
    if not is_tool(case):
        return ""
    names = case.seen.family.tool if case.seen.family is not None else ()
    return f"it runs {', '.join(names[:3])}" if names else "it runs a tool"


def _working(case: Case) -> str:
    recent = min(WORKING, case.limit / 2)
    if case.now.steady - case.memory.progress_at >= recent:
        return ""
    return f"{case.memory.by or 'progress'} within {format_duration(recent)}"


def _frozen(case: Case) -> str:
    terminal = case.seen.terminal
    unread = 0 if terminal is None else terminal.unread
    busy = case.raw or case.sign.kind in {"busy", "tool"}
    if busy and unread and case.painted >= case.settings.frozen_after:
        return f"it draws nothing and reads nothing: {unread} byte(s) typed are unread"
    return ""


def _quiet(case: Case) -> str:
    if case.quiet < case.warn:
        return f"nothing new, for less than {format_duration(case.warn)}"
    return ""


def _says(*kinds: str) -> Callable[[Case], str]:
    """Return the rule that the screen says one of these."""
    return lambda case: (
        (case.sign.rule or f"it says so: {case.sign.kind}") if case.sign.kind in kinds else ""
    )


def _protected(case: Case) -> str:
    names = {case.seen.pane.name, *case.seen.pane.aliases}
    listed = names.intersection(case.settings.protect)
    return "it is in sessions.protect" if listed else case.never


def _stopped(case: Case) -> str:
    kin = case.seen.family
    return f"{kin.stopped} is suspended: `fg` goes on with it" if kin and kin.stopped else ""


def _secret(case: Case) -> str:
    secret = case.seen.terminal is not None and case.seen.terminal.secret
    return "it asks for a password" if secret else ""


def _flow(case: Case) -> str:
    kin = case.seen.family
    return "its output is stopped (Ctrl-S): Ctrl-Q goes on" if kin and kin.flow_stopped else ""


RULES: Final[tuple[tuple[State, Callable[[Case], str]], ...]] = (
    ("dead", lambda c: (c.seen.pane.status or "ended") if c.seen.pane.dead else ""),
    ("protected", _protected),
    ("human", _human),
    ("idle", lambda c: "" if c.seen.tasks else "no active task"),
    ("suspended", _stopped),
    ("secret", _secret),
    ("approval", _says("approval")),
    ("question", _question),
    ("flow_stopped", _flow),
    ("starting", _starting),
    ("gave_up", _says("gave_up")),
    ("unsent", _says("unsent")),
    ("idle_with_task", _idle_with_task),
    ("rate_limited", _says("rate_limited")),
    ("retrying", _says("retrying")),
    ("tool", _tool),
    ("working", _working),
    ("frozen", _frozen),
    ("quiet", _quiet),
    ("stalled", lambda c: f"nothing new for {format_duration(c.warn)}"),
)
"""Every state and what makes it, in their order; the last one always applies."""


def state_of(case: Case) -> tuple[State, str]:
    """Return the state of a session that is there, and the rule behind it in words."""
    for state, rule in RULES:
        words = rule(case)
        if words:
            return state, words
    raise AssertionError("the last rule applies to everything")


def beneath(case: Case) -> State:
    """Return the state that a protected session would be in if it were not."""
    return next(state for state, rule in RULES if state != "protected" and rule(case))
