"""How a screen is tied to a healer: the same face whether it runs in this process or elsewhere.

The TUI knows this protocol, the events, the snapshot and the plans, and nothing deeper.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from healmon.events import Recorded
from healmon.plans import Answer, Packed
from healmon.service.looks import Leave, Peek, Tail
from healmon.service.own import Usage
from healmon.state import Snapshot
from healmon.world.sgr import Run

if TYPE_CHECKING:
    from healmon.service.archive import Archive

__all__ = ["Answer", "Gone", "Leave", "Link", "Peek", "Run", "Tail", "Usage"]


class Gone(NamedTuple):
    """A healer that was looked at and runs no more.

    Attributes:
        who: it was: `pid 4711`.
        since: wall seconds of its end, or of its last sign of life.
        how: it ended, as far as that is known.
        offered: its work can be taken over from this screen.
    """

    who: str
    since: float
    how: str
    offered: bool = False


class Link(Protocol):
    """A healer seen from a screen. Every method may be called from any thread.

    Verbs of `ask` (target; arguments):
        `offer` (component; `{"verb": "restart" | "clear" | "unlock" | "clean"}`): the plan sheet.
        `apply` (plan id; none): carries out an offered plan; answers when it is under way.
        `restart` `clear` `unlock` `clean` (component; none): offer and apply in one.
        `clear` (session; `{"then": "requeue" | "fail"}`), `answer` (session; `{"number": int,
            "text": str, "rule": str, "question": str}`, as they were shown), `snooze` (session;
            `{"for": seconds}`), `never-touch` `touch` (session; none).
        `acknowledge` (alert id; `{"note": str, "for": seconds}`), `unacknowledge` (alert id).
        `silence` (a match, see `alerts.matching`; `{"for": seconds, "note": str}`), `unsilence`
            (silence id).
        `pause` (component, pattern, or `*`; `{"for": seconds, "note": str}`), `resume` (likewise).
        `rehearse` (as `acknowledge`, `unacknowledge`, `unsilence`, and `{"verb": one of them}`):
            what it would answer; nothing is done.
        `check` (empty; none): look now.
        `dry-run` (`on` or `off`; none): whether the running healer only plans.
    """

    attached: str
    """Empty when the healer runs in this process, else who is looked at: `pid 4711`."""

    def open(self, sink: Callable[[Recorded], None]) -> Snapshot:
        """Begin delivering events to `sink` (from another thread, in order, none lost).

        Returns the snapshot to fold them into.
        """
        ...

    def history(self, count: int) -> list[Recorded]:
        """Return the newest `count` events before those that `sink` gets, oldest first."""
        ...

    def older(self, before: int, count: int) -> list[Recorded]:
        """Return the newest `count` stored events with ids below `before`, oldest first. Blocks."""
        ...

    def trouble(self) -> str:
        """Return what is wrong with the healer behind this link; empty: it runs."""
        ...

    def archive(self) -> Archive:
        """Return the stored past."""
        ...

    def gone(self) -> Gone | None:
        """Return what became of a healer that ended while it was looked at; None: it runs."""
        ...

    def begun_anew(self) -> bool:
        """Return whether the store that is looked at is another one by now, with its own numbers.

        Nothing more is delivered then: `open` must be called again, and nothing of before holds.
        """
        ...

    async def take_over(self) -> Answer:
        """Make this process the healer, if there is none. Never raises: a refusal is an answer.

        Whatever came of it, `open` must be called again.
        """
        ...

    async def ask(self, verb: str, target: str, arguments: Packed) -> Answer:
        """Ask the healer for something and return its answer. Never raises: a refusal is one."""
        ...

    async def peek(self, facts: Packed) -> Peek:
        """Return what a session shows right now. Never raises: a reason is an answer too."""
        ...

    async def tail(self, worker: str, lines: int) -> Tail:
        """Return the newest lines of a worker's log. Never raises: a reason is an answer too."""
        ...

    async def explain(self, target: str) -> tuple[str, ...]:
        """Return what `healmon explain` says of a component, or of an alert's or event's number.

        Only looking, and nothing is walked for it. Never raises: a reason is an answer too.
        """
        ...

    async def evidence(self, name: str) -> Packed:
        """Return what was kept of an act on a session; empty: nothing (left)."""
        ...

    async def visit(self, facts: Packed, leave: Leave) -> str:
        """Take the person to a session's pane (see `service.visits.visit`)."""
        ...

    def usage(self) -> Usage | None:
        """Return what the healer's process costs; None: not known. Looks every 10 s at most."""
        ...

    async def close(self) -> None:
        """Let go. Our own healer finishes its current action and ends; another's goes on."""
        ...
