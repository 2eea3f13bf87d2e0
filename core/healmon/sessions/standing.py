"""How a session stands, and what may be pressed there. Pure.

In the `CLOSED` states a person is near or a key could do harm: there healmon may raise an alert and
never presses anything.
"""

from __future__ import annotations

import msgspec

from healmon.clock import Reading
from healmon.config.settings import Sessions
from healmon.sessions.facts import Chords, Memory
from healmon.sessions.packs import Packs, bundled
from healmon.sessions.probe import SessionSeen
from healmon.sessions.signs import Sign
from healmon.sessions.states import CLOSED, KEYLESS, Case, state_of
from healmon.sessions.words import State


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a session stands.

    Attributes:
        rule: why it is in this state, in words.
        keys: what would be pressed to interrupt it; none: there is nothing to interrupt.
        hands_off: why nothing may be pressed, nor its tasks settled; empty: they may.
        doubt: why healmon does not act of itself, though a person may ask for it.
        sign: what its screen says.
    """

    state: State
    rule: str
    keys: Chords = ()
    hands_off: str = ""
    doubt: str = ""
    sign: Sign = Sign()


def standing(
    seen: SessionSeen,
    memory: Memory | None,
    settings: Sessions,
    now: Reading,
    packs: Packs | None = None,
) -> Standing:
    """Return how a session stands.

    Args:
        seen: the session.
        memory: what is remembered of it; none is needed to tell what may be pressed.
        settings: `[sessions]`.
        now: this moment.
        packs: know which keys interrupt which program; default: those that come with healmon.
    """
    packs = packs or bundled()
    return of_case(Case(seen, seen.sign, memory or Memory(), settings, now, packs=packs))


def of_case(case: Case) -> Standing:
    """Return how a session stands (see `standing`)."""
    state, rule = state_of(case)
    keys, hands_off = _hands(case, state, rule)
    return Standing(
        state=state,
        rule=rule,
        keys=keys,
        hands_off=hands_off,
        doubt=_doubt(case) if keys else "",
        sign=case.sign,
    )


def _hands(case: Case, state: State, rule: str) -> tuple[Chords, str]:
    """Return what would be pressed, and why nothing may be."""
    seen, kin, pane = case.seen, case.seen.family, case.seen.pane
    barred = (
        (state in CLOSED, rule),
        (case.never, case.never),
        (seen.twins, "another socket has a session of this name too"),
        (not seen.sure, "it has several panes: which one works on the task is unknown"),
    )
    for applies, reason in barred:
        if applies:
            return (), reason
    if not seen.tasks or state in KEYLESS:
        return (), ""  # nothing runs that could be interrupted
    unfit = (
        (pane.command == "tmux", "another tmux runs in it: its keys would go to somebody else"),
        (pane.synchronized, "its panes are synchronised: a key would go to all of them"),
        (pane.input_off, "its pane takes no keys"),
        (kin is None or not kin.ticks, "its processes cannot be seen"),
    )
    for applies, reason in unfit:
        if applies:
            return (), reason
    return case.packs.chords(case.settings.interrupt, seen.terminal, case.agent)


def _doubt(case: Case) -> str:
    """Return what speaks against a key that nobody asked for."""
    file = case.seen.agent_file
    if case.raw and case.sign.kind == "none":
        return "no rule knows what its screen says"
    if file is not None and file.status == "idle":
        return "its agent writes down that it is idle, its screen says otherwise"
    return ""
