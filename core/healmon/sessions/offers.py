"""The plans for what a person asks of a session. Pure.

`clear` interrupts its program and settles its tasks, stuck or not; without tasks it ends its
quarantine and touches nothing (see `releasing`). `answer` gives one of the answers that its
question offers. What bars healmon from a session bars it here too; caps,
cool-down and doubt do not: the person has judged.
"""

from __future__ import annotations

import shlex
from hashlib import blake2b
from typing import Final

from healmon.config.settings import Sessions
from healmon.errors import DataError
from healmon.plans import Packed, Plan, Step, pack
from healmon.sessions import releasing
from healmon.sessions.facts import ANSWER, HEALER, Memory, Order, SessionFacts
from healmon.sessions.planning import make_plan, tmux_words
from healmon.sessions.recall import facts_of, is_session, memory_of
from healmon.sessions.signs import Choice, is_key
from healmon.state import Snapshot, of_healer
from healmon.text import clean
from healmon.units import format_duration

VERBS: Final = ("clear", "answer")
THEN: Final = ("requeue", "fail")


def offered(
    verb: str, component: str, known: Snapshot, settings: Sessions, arguments: Packed
) -> Plan:
    """Return the plan for what a person asks.

    Args:
        verb: `clear` (`then`: `requeue` or `fail`; default: as configured), or `answer` (`number`
            from 1, `text`, `rule` and `question` as they were shown).
        component: the session's.
        known: the newest snapshot.
        settings: `[sessions]`.
        arguments: of the verb.

    Raises:
        DataError: no such session, nothing to do there, it must not be touched, or its question is
            not the one that was shown.
    """
    facts = facts_of(known, component)
    mine = [name for name in of_healer(known, HEALER) if is_session(name)]
    if facts is None or component not in mine:
        there = ", ".join(sorted(mine)) or "none"
        raise DataError(f"there is no session {clean(component)}", remedy=f"there are: {there}")
    if verb == "clear":
        return _clear(component, facts, memory_of(known, component), settings, arguments)
    if verb == "answer":
        return _answer(component, facts, settings, arguments)
    remedy = f"it can be: {', '.join(VERBS)}"
    raise DataError(f"a session cannot be asked to {clean(verb)}", remedy=remedy)


def _clear(
    component: str,
    facts: SessionFacts,
    memory: Memory | None,
    settings: Sessions,
    arguments: Packed,
) -> Plan:
    then = arguments.get("then")
    why = releasing.held(facts, memory) if then is None else ""
    if why:
        return releasing.plan(component, facts, why)
    if facts.hands_off:
        raise DataError(f"{facts.session} is not touched: {facts.hands_off}")
    if not facts.tasks:
        raise DataError(f"{facts.session} has no active task: there is nothing to clear")
    if then is not None and then not in THEN:
        allowed = " or ".join(THEN)
        raise DataError(f"then: {clean(str(then), limit=80)!r} is not known", remedy=allowed)
    return make_plan(
        component,
        facts,
        memory or Memory(),
        settings,
        by_hand=facts.state != "gone",
        requeue=None if then is None else then == "requeue",
    )


def _answer(component: str, facts: SessionFacts, settings: Sessions, arguments: Packed) -> Plan:
    choice = _chosen(facts, arguments)
    question = facts.question or facts.text
    order = Order(
        session=facts.session,
        socket=facts.socket,
        pane=facts.pane,
        key=facts.key,
        keys=(choice.keys,),
        by_hand=True,
        quiet=facts.quiet,
        state=facts.state,
        matched=facts.matched,
        answer=choice.text,
        question=question,
        choices=facts.choices if facts.question else (),
        proof={"question": question, "rule": facts.matched, "pack": facts.pack},
    )
    command = shlex.join([*tmux_words(facts.socket), "send-keys", "-t", facts.pane, *choice.keys])
    text = f"press {' '.join(choice.keys)} in pane {facts.pane} ({facts.command}): {choice.text}"
    within = format_duration(settings.verify_within)
    return Plan(
        healer=HEALER,
        component=component,
        action=ANSWER,
        subject=f"{facts.key} {facts.matched} {_short(question + choice.text)}",
        why=f"asked for by hand: {facts.session} asks: {question or facts.rule}",
        steps=(Step(text, command),),
        proof=f"within {within} the question is gone from its screen",
        on_failure="nothing more is pressed; the question stays with a person",
        order=pack(order),
        cooldown=0.0,
    )


def _chosen(facts: SessionFacts, arguments: Packed) -> Choice:
    """Return the choice that is meant, if it still is what was shown.

    Raises:
        DataError: it is not.
    """
    if not facts.choices:
        raise DataError(f"{facts.session} offers no answer; it is {facts.state}: {facts.rule}")
    offer = "; ".join(f"{n}: {choice.text}" for n, choice in enumerate(facts.choices, 1))
    number = arguments.get("number")
    if not isinstance(number, int) or not 1 <= number <= len(facts.choices):
        raise DataError(f"{facts.session} offers no answer {number}", remedy=f"it offers: {offer}")
    choice = facts.choices[number - 1]
    now = {"text": choice.text, "rule": facts.matched, "question": facts.question}
    for name, value in now.items():
        if name in arguments and arguments[name] != value:
            raise DataError(
                f"{facts.session} asks something else now: {facts.question or facts.rule}",
                remedy=f"it offers: {offer}",
            )
    _must_be_keys(facts, choice)
    return choice


def _must_be_keys(facts: SessionFacts, choice: Choice) -> None:
    """Refuse an answer that no key gives: a pack of one's own read the screen wrongly.

    Raises:
        DataError: there is none.
    """
    strange = next((key for key in choice.keys if not is_key(key)), None)
    if strange is None and choice.keys:
        return
    rule = facts.matched.rpartition("/")[2]
    raise DataError(
        f"{facts.session} is in {facts.state}, and no key gives {choice.text!r}: the pack"
        f" {facts.pack} takes {strange or ''!r} for its key",
        remedy=f"mend `choices` of the rule {rule} in that pack's file, or name the key in"
        " `answers`; `healmon check` tries it",
    )


def _short(text: str) -> str:
    return blake2b(text.encode("utf-8", "replace"), digest_size=4).hexdigest()
