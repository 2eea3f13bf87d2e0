"""Answers a question as a person chose, if it is still the very same question."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Protocol, TypeVar

from healmon.clock import Clock
from healmon.errors import ProbeError, RemedyError, VetoError
from healmon.plans import Proof
from healmon.redact import shown
from healmon.sessions import checks, outcome
from healmon.sessions.dossier import Dossier
from healmon.sessions.facts import Order
from healmon.sessions.probe import Probe, Seen, SessionSeen
from healmon.sessions.showing import LINE_LIMIT
from healmon.sessions.signs import Sign
from healmon.sessions.verdict import Verdict
from healmon.sessions.verifying import ASKS
from healmon.sessions.viewing import View, view
from healmon.text import clean

T = TypeVar("T")
POLL: Final = 0.25
BETWEEN: Final = 0.15
"""Seconds between the keys of an answer: closer, and a program takes them for a paste."""


class Doors(Protocol):
    """What answering sees and touches (see `remedy.Remedy`)."""

    probe: Probe

    @property
    def clock(self) -> Clock:
        """All time."""
        ...

    @property
    def verify_within(self) -> float:
        """Seconds that an answer may take to show."""
        ...

    async def look(self) -> Seen:
        """Return everything there is to see now. Raises VetoError."""
        ...

    async def on(self, what: str, call: Callable[[], T]) -> T:
        """Return what a blocking call returns."""
        ...


async def answer(doors: Doors, order: Order, dossier: Dossier) -> Proof:
    """Press the keys of an answer, and see that its question is gone.

    Raises:
        VetoError: the question is not the one that the answer was chosen for; nothing was pressed.
        RemedyError: it is still there, or it cannot be told.
    """
    one = await _asked(doors, order)
    agent = "" if one.family is None else one.family.agent
    await dossier.saw(one, ())
    try:
        dossier.before(await view(doors.probe, one.pane, agent))
    except ProbeError as error:
        raise VetoError(f"it cannot be looked at: {error.args[0]}") from error
    with doors.probe.tmux.claim(one.pane):
        pressed = await _press(doors, order, dossier, one)
        return await _verified(doors, order, dossier, one, pressed)


async def _press(doors: Doors, order: Order, dossier: Dossier, one: SessionSeen) -> tuple[str, ...]:
    """Press the keys of an answer, the first one after another look; return those pressed.

    Raises:
        VetoError: the question is not the one that the answer was chosen for; nothing was pressed.
        RemedyError: it cannot be told whether a key was pressed.
    """
    keys = [key for step in order.keys for key in step]
    pressed: list[str] = []
    for number, key in enumerate(keys):
        if number:
            await doors.clock.sleep(BETWEEN)
        text = f"press {key} in pane {order.pane} of {order.session}"
        said = f"{text}: the answer {clean(order.answer, limit=80)!r}"
        await dossier.about_to("answer", f"{said}, asked for by {dossier.evidence.origin}")
        try:
            if not number:
                await _asked(doors, order)  # the journal may have taken its time
            call = partial(doors.probe.tmux.press, one.pane, (key,))
            await doors.on(f"tmux {one.pane.socket}", call)
        except VetoError as error:
            await dossier.not_done(str(error.args[0]))
            if not pressed:
                raise
            break  # the first key was all it took: the look will tell
        except (RemedyError, ProbeError) as error:
            lost = Verdict(
                result="unknown", how=str(error.args[0]), key=order.key, keys=(*pressed, key)
            )
            raise outcome.unanswered(order, await dossier.close(lost)) from error
        pressed.append(key)
    return tuple(pressed)


async def _asked(doors: Doors, order: Order) -> SessionSeen:
    """Return the session if it asks the very same question, and may be answered.

    Raises:
        VetoError: it does not, or may not.
    """
    one = checks.found(await doors.look(), order)
    if one is None:
        raise VetoError(f"pane {order.pane} is not there any more, or cannot be looked at")
    secret = one.terminal is not None and one.terminal.secret
    reasons = (
        checks.same_program(one, order) if one.family is not None else "",
        "it asks for a password: healmon types none" if secret else "",
        changed(one.sign, order),
        checks.takes_keys(one.pane),
        "its pane shows a mode: leave it first" if one.pane.mode else "",
        "" if one.sure else checks.alone(one),
    )
    why = next(filter(None, reasons), "")
    if why:
        raise VetoError(why)
    return one


def changed(sign: Sign, order: Order) -> str:
    """Return why a sign is not the question that an answer was chosen for, or empty. Pure."""
    if order.matched and sign.rule != order.matched:
        return f"it is read by another rule: {sign.rule or 'none'} instead of {order.matched}"
    same = not order.question or order.question == _asks(sign)
    if sign.kind == "unsent":
        sends = order.keys == (("Enter",),)
        return "" if same and sends else "another text stands in its composer"
    if sign.kind not in ASKS:
        return "it asks nothing any more"
    return _offers(sign, order) if same else f"it asks something else: {_asks(sign)}"


def _asks(sign: Sign) -> str:
    """Return a question as it is shown to people (see `judging`)."""
    said = sign.text if sign.kind == "unsent" else sign.question or sign.text or sign.last_line
    return shown(said, LINE_LIMIT)


def _offers(sign: Sign, order: Order) -> str:
    """Return why an answer cannot be given by the keys it was chosen with, or empty."""
    if order.choices and sign.choices != order.choices:
        return "it offers other answers than were shown"
    keys = tuple(key for step in order.keys for key in step)
    if any(one.text == order.answer and one.keys == keys for one in sign.choices):
        return ""
    return "the answer is not among those that it offers now"


async def _verified(
    doors: Doors, order: Order, dossier: Dossier, one: SessionSeen, pressed: tuple[str, ...]
) -> Proof:
    began, gone = doors.clock.read().steady, 0
    agent = "" if one.family is None else one.family.agent
    after: View | None = None
    while True:
        try:
            after = await view(doors.probe, one.pane, agent)
        except ProbeError as error:
            lost = Verdict(result="unknown", how=str(error.args[0]), keys=pressed)
            raise outcome.unanswered(order, await dossier.close(lost)) from error
        seconds = doors.clock.read().steady - began
        dossier.sample(seconds, after)
        gone = gone + 1 if after is None or changed(after.sign, order) else 0
        if after is None or gone >= 2:
            break
        if seconds >= doors.verify_within:
            dossier.after(after)
            held = Verdict(
                result="ignored", how="its question is still there", key=order.key, keys=pressed
            )
            raise outcome.unanswered(order, await dossier.close(held))
        await doors.clock.sleep(POLL)
    dossier.after(after)
    how = f"{' '.join(pressed)}: its question is gone after {seconds:.1f} s"
    done = Verdict(
        result="answered", how=how, key=order.key, keys=pressed, seconds=round(seconds, 2)
    )
    return outcome.answered(order, await dossier.close(done))
