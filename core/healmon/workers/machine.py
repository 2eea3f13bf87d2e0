"""What a worker is doing: the state machine. Pure; the table below is all there is.

Two axes, and nobody moves both:

* what is wanted (`Goal`), the operator's: `up`, `down`, or `maintenance`, which is `up` with hands
  off: looking and judging go on, the gate refuses every act and writes down what would have been;
* what is seen (`State`), healmon's own.

Every look at a worker is boiled down to one *signal*, and `step` says which state it leads to:

    signal       what the look says                                     state
    hidden       whether it lives cannot be told                        unknown
    looking      it lives, and an act has begun and touched nothing yet as it was
    stops        an act is ending the old process                       stopping
    halved       a killed healmon left it half stopped: that goes on    stopping
    starts       an act asked for a new process                         starting
    proves       there is a new process, and no proof of it yet         probation
    survives     it lives after SIGKILL                                 stop_failed
    sick         it lives, but does not work, or takes too much         unhealthy
    tried        it lives, and the breaker is half open                 trial
    well         it lives, and nothing speaks against it                healthy
    done         it ended as it should                                  completed
    tripped      it is down, and the breaker is open                    quarantined
    barred       it is down, and somebody holds what it needs           blocked
    waits        it is down, and another worker must be healthy first   waiting_dependency
    due          it is down, and a start is due, now or later           backoff
    rests        it is down, and nothing is to be done about that       down

A signal tells what *is*, not what happened since the look before: healmon may have been away for a
night, or been killed between two steps of an act, and must find the right state in one look from
any other. That is why the rows of the table are alike, but for `looking`, which moves nothing: an
act that is vetoed leaves no trace. Whether a start was a trial, or a failure opened the breaker, is
no matter of states: the memory keeps it, and the signal tells.

What is wanted wins in every wait: a worker that is wanted down and merely waits (for a countdown, a
quarantine, another worker, a stranger) is `down` within the same look. What lives is not moved by
that: a person's stop is an act with steps of its own.

`unknown` fails closed. It is left by evidence only, and healmon acts in none but the states of
`ACTIVE`: so what is not known is neither started nor signalled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

from healmon.workers.words import Goal, State

Signal = Literal[
    "hidden",
    "looking",
    "stops",
    "halved",
    "starts",
    "proves",
    "survives",
    "sick",
    "tried",
    "well",
    "done",
    "tripped",
    "barred",
    "waits",
    "due",
    "rests",
]

STATES: Final[tuple[State, ...]] = get_args(State)
SIGNALS: Final[tuple[Signal, ...]] = get_args(Signal)

ALIVE: Final = frozenset[State]({"healthy", "unhealthy", "trial", "probation", "stop_failed"})
"""There is a process that is the worker; `stopping` and `starting` may have one."""
READY: Final = frozenset[State]({"healthy", "completed"})
"""What other workers wait for."""
WAITING: Final = frozenset[State](
    {"waiting_dependency", "backoff", "quarantined", "blocked", "completed"}
)
"""Nothing lives, and something is waited for."""
UNDER_WAY: Final = frozenset[State]({"stopping", "starting", "probation"})
"""An act is being carried out, or has just been."""
ACTIVE: Final = frozenset[State]({"backoff", "quarantined", "unhealthy", "stopping", "probation"})
"""The only states in which healmon itself may plan an act; in the last two one that goes on."""

_LEADS_TO: Final[Mapping[Signal, State]] = {
    "hidden": "unknown",
    "stops": "stopping",
    "halved": "stopping",
    "starts": "starting",
    "proves": "probation",
    "survives": "stop_failed",
    "sick": "unhealthy",
    "tried": "trial",
    "well": "healthy",
    "done": "completed",
    "tripped": "quarantined",
    "barred": "blocked",
    "waits": "waiting_dependency",
    "due": "backoff",
    "rests": "down",
}
TABLE: Final[Mapping[tuple[State, Signal], State]] = {
    (state, signal): state if signal == "looking" else _LEADS_TO[signal]
    for state in STATES
    for signal in SIGNALS
}
"""From a state and a signal to the next state."""
GOALS: Final[Mapping[tuple[Goal, State], State]] = {("down", state): "down" for state in WAITING}
"""From what is wanted and a state to another state at once; what is not here stays."""


def step(state: State, signal: Signal, goal: Goal) -> State:
    """Return the state that follows."""
    after = TABLE[state, signal]
    wanted = GOALS.get((goal, after))
    return wanted if wanted is not None else after
