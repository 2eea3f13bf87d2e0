"""What is kept of one attempt: what was seen before and after, what was done, what came of it.

Data and words only. Everything that a program showed or was called passes `redact` before it is
written; where a password is asked for, nothing but the prompt is kept.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from healmon.plans import Packed, Plan, pack
from healmon.redact import prompt_only, redact_all
from healmon.sessions.facts import Order
from healmon.sessions.probe import SessionSeen
from healmon.sessions.verdict import Verdict
from healmon.text import clean
from healmon.world.taskdb import Task

LINES: Final = 300
"""Lines of a screen that are kept, the newest; and characters of a line."""
CHARACTERS: Final = 500
LEAST_LINES: Final = 60
"""The same where an evidence would be too large."""
SIZE: Final = 400_000
"""Bytes that one evidence should not pass."""
SAMPLES: Final = 60
Work = Literal["leave mode", "press", "answer", "signal", "respawn", "settle", "give back"]


class Shown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One look at a pane.

    Attributes:
        at: wall seconds.
        kind: what the pack's rules say, and by which `rule`, with the `text` that matched.
        leader: the process that leads the foreground, `pid.ticks`.
        terminal: what the terminal tells (see `world.terminal`).
    """

    at: float
    screen: str = ""
    title: str = ""
    command: str = ""
    kind: str = ""
    rule: str = ""
    text: str = ""
    mode: bool = False
    dead: bool = False
    status: str = ""
    leader: str = ""
    terminal: Packed = {}


class Touch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One touch of the world, written down before it happens.

    Attributes:
        work: what kind of touch.
        text: what exactly, in words.
        at: wall seconds.
        step: of the ladder's keys, from 1.
        held: why it was not done after all; empty: it was, or healmon ended right there.
    """

    work: Work
    text: str
    at: float
    step: int = 0
    held: str = ""


class Sample(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One look while an effect was waited for; `seconds` since the touch."""

    seconds: float
    kind: str = ""
    foreground: int = 0
    unread: int = 0
    mode: bool = False
    gone: bool = False


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt on one session.

    Attributes:
        id: names it; the name of its file.
        origin: who asked for it.
        key: who the pane is, its process's start included; empty: it is gone.
        seen: what the judge knew: ages, samples, counts, rule, version.
        tasks: the tasks as they were seen, with their attempts.
        world: processes, terminal, clients at the last look before acting.
        pressed_before: steps of the ladder that a healmon that was killed had begun.
        opened: wall seconds; `closed` 0.0: under way, or its healmon was killed.
        afterwards: what the session did in the minute after it was cleared.
    """

    format: int = 1
    id: str
    action: str
    component: str
    origin: str
    session: str
    socket: str = ""
    pane: str = ""
    key: str = ""
    state: str = ""
    rule: str = ""
    why: str = ""
    reason: str = ""
    quiet: float = 0.0
    seen: Packed = {}
    tasks: tuple[Packed, ...] = ()
    world: Packed = {}
    pressed_before: int = 0
    opened: float
    closed: float = 0.0
    before: Shown | None = None
    touches: tuple[Touch, ...] = ()
    samples: tuple[Sample, ...] = ()
    after: Shown | None = None
    verdict: Verdict | None = None
    afterwards: Packed = {}

    @property
    def begun(self) -> int:
        """How many steps of keys were begun on this program, by killed healmons too."""
        mine = [t.step for t in self.touches if t.work == "press" and not t.held]
        return max([self.pressed_before, *mine])

    @property
    def last_press(self) -> float:
        """When a key was last pressed or about to be; 0.0: never."""
        return max((t.at for t in self.touches if t.work == "press" and not t.held), default=0.0)


def begin(plan: Plan, order: Order, ident: str, at: float) -> Evidence:
    """Return the evidence of an attempt that begins now (wall seconds)."""
    return Evidence(
        id=ident,
        action=plan.action,
        component=plan.component,
        origin=plan.origin,
        session=order.session,
        socket=order.socket,
        pane=order.pane,
        key=order.key,
        state=order.state,
        rule=order.matched,
        why=plan.why,
        reason=order.reason,
        quiet=order.quiet,
        seen=order.proof,
        opened=at,
    )


def world_of(seen: SessionSeen, now: float) -> Packed:
    """Return what is kept of the processes, the terminal and the people of a session."""
    pane, kin = seen.pane, seen.family
    return {
        "clients": pane.attached,
        "client_age": round(now - pane.client_activity, 1) if pane.client_activity else None,
        "painted_age": round(now - pane.window_activity, 1) if pane.window_activity else None,
        "size": [pane.width, pane.height],
        "server": f"{pane.server_pid}.{pane.server_start}",
        "terminal": {} if seen.terminal is None else pack(seen.terminal),
        "family": {} if kin is None else pack(kin),
        "agent_file": {} if seen.agent_file is None else pack(seen.agent_file),
        "received_age": seen.received,
        "sign": pack(seen.sign),
    }


def tasks_of(tasks: tuple[Task, ...] | list[Task]) -> tuple[Packed, ...]:
    """Return what is kept of tasks."""
    return tuple(
        {
            "source": task.source, "id": task.id, "status": clean(task.status, limit=80),
            "assigned_at": task.assigned_at, "attempt": task.attempt, "token": task.token,
        }
        for task in tasks
    )  # fmt: skip


def same_tasks(one: Evidence, order: Order) -> bool:
    """Return whether an attempt was about a task, and the attempt at it, that an order is about."""
    then = {(task["source"], str(task["id"]), task["token"]) for task in one.tasks}
    return any((row.source, str(row.id), row.attempt) in then for row in order.rows)


def encode(evidence: Evidence) -> bytes:
    """Return an evidence as the JSON that is stored: without secrets, and not too large."""
    text = _encoded(_cut(evidence, LINES))
    if len(text) > SIZE:
        text = _encoded(replace(_cut(evidence, LEAST_LINES), seen={"left out": "too large"}))
    if len(text) > SIZE:
        small = replace(evidence, seen={}, world={}, tasks=(), before=None, after=None)
        text = _encoded(replace(small, touches=small.touches[-20:]))
    return text


def decode(data: bytes) -> Evidence | None:
    """Return the evidence that was stored; None: it is another version's, or none."""
    try:
        return msgspec.json.decode(data, type=Evidence)
    except msgspec.DecodeError:
        return None


def private(shown: Shown) -> Shown:
    """Return a look at a pane that asks for a password: nothing of it but the prompt."""
    return replace(shown, screen=prompt_only(shown.screen), text="", title="")


def _encoded(evidence: Evidence) -> bytes:
    return msgspec.json.encode(redact_all(pack(evidence)))


def _cut(evidence: Evidence, lines: int) -> Evidence:
    return replace(
        evidence,
        before=_shortened(evidence.before, lines),
        after=_shortened(evidence.after, lines),
        samples=evidence.samples[-SAMPLES:],
    )


def _shortened(shown: Shown | None, lines: int) -> Shown | None:
    if shown is None:
        return None
    kept = [line[:CHARACTERS] for line in shown.screen.split("\n")[-lines:]]
    return replace(shown, screen="\n".join(kept))
