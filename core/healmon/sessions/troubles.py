"""What is wrong with a session, from when on it is told, from when on healmon acts. Pure.

state                         counts from            told after       acted on after
stalled                       progress               warn_after       stuck_after, or the task's own
tool                          progress               the same, but at least its time limit + 120 s
frozen                        the last output        frozen_after     frozen_after
retrying                      the first retry        retry_after      retry_after, with retry_act
rate_limited                  entry                  its reset + 300 s (else retry_after)   never
idle_with_task                entry, new tasks       idle_after       idle_after
gave_up                       entry, new tasks       gave_up_after    gave_up_after
approval question secret      entry                  waiting_after    never
unsent suspended flow_stopped entry                  waiting_after    never
human, by the marker alone    progress               stuck_after      never
protected                     as what it would be, at most progress, told as late as that     never
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from healmon.sessions.progress import old_enough
from healmon.sessions.states import RESET_GRACE, Case, beneath, typed_lately
from healmon.sessions.words import State

Condition = Literal["stuck", "waiting", "idle", "unsent", "retrying", "suspended"]
NEVER: Final = 0.0


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a session.

    Attributes:
        condition: the word its alert goes by.
        state: the state that looks must agree on.
        age: seconds it has lasted.
        warn: seconds from which on it is told.
        act: seconds from which on healmon acts; 0.0: it never does.
        old: one of its tasks is as old as that, too.
        why_not: why healmon never acts on it.
    """

    condition: Condition
    state: State
    age: float
    warn: float
    act: float = NEVER
    old: bool = True
    why_not: str = ""

    @property
    def told(self) -> bool:
        """Whether it has lasted long enough to be told."""
        return self.age >= self.warn

    @property
    def due(self) -> bool:
        """Whether it has lasted long enough to be acted upon."""
        return self.act > NEVER and self.age >= self.act and self.old

    @property
    def left(self) -> float | None:
        """Seconds until it is told or acted upon, whichever comes first; None: neither comes."""
        ahead = [at - self.age for at in (self.warn, self.act) if at > self.age]
        return min(ahead, default=None)


def trouble_of(case: Case, state: State) -> Trouble | None:
    """Return what is wrong with a session in this state; None: nothing."""
    if case.memory.quarantine and state in {"stalled", "frozen", "quiet", "retrying"}:
        limit = min(case.settings.frozen_after, case.limit)
        return _acted("stuck", state, case.quiet, limit, limit, case)
    rule = _RULES.get(state)
    return None if rule is None else rule(case, state)


def _entry(case: Case) -> float:
    """Return the seconds since it entered its state, with the tasks that it has now."""
    return max(case.now.steady - max(case.memory.since, case.memory.tasks_at), 0.0)


def _still(case: Case, state: State) -> Trouble:
    warn = case.warn if state == "stalled" else case.limit
    return _acted("stuck", state, case.quiet, warn, case.limit, case)


def _frozen(case: Case, state: State) -> Trouble:
    limit = case.settings.frozen_after
    return _acted("stuck", state, min(case.painted, case.quiet), limit, limit, case)


def _idle(case: Case, state: State) -> Trouble:
    settings = case.settings
    limit = settings.gave_up_after if state == "gave_up" else settings.idle_after
    return _acted("idle", state, min(_entry(case), case.quiet), limit, limit, case)


def _rate_limited(case: Case, state: State) -> Trouble:
    memory = case.memory
    warn = case.settings.retry_after
    if memory.reset_at:
        warn = max(memory.reset_at - max(memory.since, memory.tasks_at), 0.0) + RESET_GRACE
    why = "a rate limit ends by itself"
    return Trouble(condition="retrying", state=state, age=_entry(case), warn=warn, why_not=why)


def _acted(
    condition: Condition, state: State, age: float, warn: float, act: float, case: Case
) -> Trouble:
    old = old_enough(case.seen.tasks, act, case.now, case.steps)
    return Trouble(
        condition=condition, state=state, age=age, warn=warn, act=max(act, 0.001), old=old
    )


def _retrying(case: Case, state: State) -> Trouble:
    limit = case.settings.retry_after
    age = case.now.steady - (case.memory.retry_at or case.memory.since)
    if case.settings.retry_act:
        return _acted("retrying", state, age, limit, limit, case)
    why = "sessions.retry_act is off"
    return Trouble(condition="retrying", state=state, age=age, warn=limit, why_not=why)


def _person(condition: Condition) -> Callable[[Case, State], Trouble]:
    """Return the rule of a trouble that only a person can end."""
    return lambda case, state: Trouble(
        condition=condition,
        state=state,
        age=max(case.now.steady - case.memory.since, 0.0),
        warn=case.settings.waiting_after,
        why_not="only a person can go on here",
    )


def _human(case: Case, state: State) -> Trouble | None:
    if case.sign.kind == "unsent":
        return _person("unsent")(case, state)
    marker = case.settings.typing_marker
    if not marker or marker not in case.seen.screen or typed_lately(case):
        return None
    # nobody is near: a mark that stays on the screen must not hide a task for ever
    why = "only a person can go on here"
    return Trouble(condition="suspended", state=state, age=case.quiet, warn=case.limit, why_not=why)


def _protected(case: Case, state: State) -> Trouble | None:
    """Return the trouble that it would be in: to be protected forbids the touch, not the look."""
    under = beneath(case)
    found = None if under == state else trouble_of(case, under)
    if found is None:
        return None
    # it has been in the state beneath for no longer than nothing was new
    return replace(
        found,
        state=state,
        age=min(found.age, case.quiet),
        warn=max(found.warn, found.act),
        act=NEVER,
        why_not="",
    )


_RULES: Final[dict[State, Callable[[Case, State], Trouble | None]]] = {
    "stalled": _still,
    "tool": _still,
    "frozen": _frozen,
    "idle_with_task": _idle,
    "gave_up": _idle,
    "retrying": _retrying,
    "rate_limited": _rate_limited,
    "approval": _person("waiting"),
    "question": _person("waiting"),
    "secret": _person("waiting"),
    "unsent": _person("unsent"),
    "suspended": _person("suspended"),
    "flow_stopped": _person("suspended"),
    "human": _human,
    "protected": _protected,
}
