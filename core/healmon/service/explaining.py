"""Why something is as it is, in the same words for `healmon explain` and for the screen.

What is asked for is first found in the store (`find`), then told (`tell`): a session by a fresh
look at its screen, a disk by what its healer found, or by a look of the caller's.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple, TypeAlias

import msgspec

from healmon import wording
from healmon.clock import SystemClock, local_time
from healmon.databases.explain import explain as chain_of_database
from healmon.databases.model import HEALER as DATABASES
from healmon.databases.model import Facts as DatabaseFacts
from healmon.disks.culprits import Culprits
from healmon.disks.healer import facts_in
from healmon.disks.model import HEALER as DISKS
from healmon.disks.model import DiskFacts
from healmon.errors import DataError
from healmon.plans import Packed, pack, unpack
from healmon.service import disks_cli
from healmon.service.alerts_cli import row_lines
from healmon.service.chain import chain, life, one_line, told
from healmon.service.looks import Peek
from healmon.service.peek import peek
from healmon.sessions.facts import HEALER as SESSIONS
from healmon.sessions.facts import SessionFacts
from healmon.sessions.packs import Packs
from healmon.state import ActionView, AlertView, ComponentView, Snapshot, finished_on, open_alerts
from healmon.store import read, stream
from healmon.text import clean
from healmon.units import format_duration


class Told(NamedTuple):
    """An explanation: for people, and as JSON data."""

    lines: list[str]
    data: object


class Component(NamedTuple):
    """A component, and the chains of events behind its open alerts, by their keys."""

    known: Snapshot
    view: ComponentView
    chains: dict[str, list[read.Row]]

    @property
    def alerts(self) -> list[AlertView]:
        """Its open alerts, worst first."""
        return [one for one in open_alerts(self.known) if one.key in self.chains]


class Number(NamedTuple):
    """An alert or another event, and the chain of events around it."""

    known: Snapshot
    alert: read.Row | None
    rows: list[read.Row]


ACTIONS: Final = 5
"""Finished actions on a component that are told."""
Found: TypeAlias = Component | Number
Look: TypeAlias = Callable[[DiskFacts], Culprits | None]
"""Says who holds the space of a disk; None: that is not known."""


def find(connection: sqlite3.Connection, target: str) -> Found:
    """Return what a component's name, or the number of an alert or event, stands for.

    Raises:
        DataError: there is nothing of this name.
        ReadError: the store cannot be read now.
    """
    known = stream.read_snapshot(connection)
    if target.removeprefix("-").isdecimal() and len(target) < 19:  # below zero: imported
        number = int(target)
        alert = read.alert(connection, number)
        rows = chain(connection, number)
        rows = rows if alert is None else life(connection, alert, rows)
        if alert is None and not rows:
            raise DataError(
                f"there is no alert and no event {number}", remedy="see: healmon alerts"
            )
        return Number(known, alert, rows)
    view = _component(known, target)
    alerts = [one for one in open_alerts(known) if one.component == view.name]
    return Component(known, view, {one.key: chain(connection, one.id) for one in alerts})


def tell(found: Found, packs: Packs, look: Look) -> Told:
    """Return the explanation. Blocks for seconds where a session is looked at.

    Args:
        found: by `find`.
        packs: who reads a session's screen.
        look: who holds the space of a disk.

    Raises:
        ProbeError: `look` cannot see it.
    """
    now = SystemClock().read().wall
    if isinstance(found, Number):
        about = [] if found.alert is None else row_lines(found.known, found.alert, now)
        evidence = [] if found.alert is None else _evidence(found.alert)
        return Told([*about, *evidence, *told(found.rows)], found.rows)
    view = found.view
    lines, data = _of(view, packs, look)
    for alert in found.alerts:
        over = wording.laid_over(found.known, alert.overlays, now)
        over = [wording.acknowledged(alert, now), *over]
        lines += [f"alert {alert.id}: {alert.message}", *(f"  {one}" for one in over if one)]
        lines += told(found.chains[alert.key])
    actions = finished_on(found.known, view.name)[-ACTIONS:]
    lines += ["done before:"] if actions else []
    lines += [f"  {_action(one)}" for one in reversed(actions)]
    return Told(lines, {**data, "alerts": found.chains, "actions": [pack(one) for one in actions]})


def _action(one: ActionView) -> str:
    when = local_time(one.at, "%m-%d %H:%M:%S")
    how = "verified" if one.ok else "failed"
    return f"{when}  {one.action} {how} after {one.seconds:.1f} s: {clean(one.outcome)}"


def as_found(facts: DiskFacts) -> Culprits | None:
    """Return who held the space when the healer last looked: nothing is walked for it."""
    return facts.culprits


def _of(view: ComponentView, packs: Packs, look: Look) -> tuple[list[str], Packed]:
    """Return how a component is: the lines, and the data."""
    if view.healer == SESSIONS:
        facts, seen = unpack(view.facts, SessionFacts), peek(view.facts, packs)
        seen = msgspec.structs.replace(seen, runs=())
        data: Packed = {"facts": pack(facts), "status": view.status, "now": pack(seen)}
        return _reasons(view, facts, seen), data
    if view.healer == DISKS:
        disk = facts_in(view)
        culprits = look(disk)
        data = {"facts": view.facts, "status": view.status}
        data["now"] = None if culprits is None else pack(culprits)
        return disks_cli.told(view, disk, culprits), data
    said = [f"{view.name}: {view.status}", *(f"  {line}" for line in _said_of(view))]
    return said, {"facts": view.facts, "status": view.status}


def _component(known: Snapshot, name: str) -> ComponentView:
    """Return the component that a person means: by its name, or by what stands behind its colon.

    Raises:
        DataError: there is none, or there are several.
    """
    there = known.components
    found = [name] if name in there else [n for n in there if n.partition(":")[2] == name]
    if len(found) == 1:
        return there[found[0]]
    which = ", ".join(sorted(found or there)) or "none"
    what = "several are called" if found else "there is no component, alert or event"
    raise DataError(f"{what} {clean(name)}", remedy=f"there are: {which}")


def _said_of(view: ComponentView) -> list[str]:
    if view.healer == DATABASES:
        with suppress(msgspec.ValidationError):  # another version of healmon has written it
            return chain_of_database(unpack(view.facts, DatabaseFacts))
    said = [view.summary] if view.summary else []
    words = ((label, _word(view.facts.get(key))) for label, key in _WORDS)
    return said + [f"{label:<10} {word}" for label, word in words if word and word not in said]


_WORDS = (
    ("state", "state"), ("why", "why"), ("cause", "cause"), ("last end", "last_end"),
    ("next try", "next_at"), ("found by", "how"),
)  # fmt: skip
"""What is said of a worker beside its summary."""


def _word(value: object) -> str:
    if isinstance(value, float):
        return local_time(value) if 0 < value < 1e10 else ""
    return clean(value) if isinstance(value, str) else ""


def _evidence(alert: read.Row) -> list[str]:
    try:
        found = json.loads(alert["evidence"] or "{}")
    except ValueError:
        return []
    return [f"{'':8}{clean(name)}: {one_line(value)}" for name, value in found.items()]


def _reasons(view: ComponentView, facts: SessionFacts, seen: Peek) -> list[str]:
    pack_ = f" (pack {facts.pack} {facts.version})" if facts.pack else ""
    rows = [
        ("state", f"{facts.state.replace('_', ' ')}, {view.status}"),
        ("because", facts.rule),
        ("read as", f"{facts.matched or 'no rule matched'}{pack_}"),
        ("line", facts.text),
        ("asks", facts.question),
        *(("answer", f"{n}: {choice.text}") for n, choice in enumerate(facts.choices, 1)),
        ("tasks", ", ".join(map(str, facts.tasks))),
        ("progress", f"{format_duration(int(facts.quiet))} before the newest look"),
        ("painted", f"{format_duration(int(facts.painted))} before {local_time(view.seen_at)}"),
        ("keys", ", then ".join(" ".join(step) for step in facts.keys) or "none"),
        ("acts at", format_duration(int(facts.act_at)) if facts.act_at else "never"),
        ("held", facts.held),
        ("hands off", facts.hands_off),
        ("evidence", facts.evidence),
    ]
    lines = [f"{facts.session}:", *(f"  {label:<10} {clean(text)}" for label, text in rows if text)]
    lines += ["now:", *(f"  {line}" for line in seen.why)] if seen.why else []
    return lines + ([f"now: {seen.reason}"] if seen.reason else [])
