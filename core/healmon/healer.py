"""What a healer is. Four rooms share this floor plan: probe, diagnose, remedy.

A fifth healer is a new folder with a class of this shape and one line in `registry.REGISTRY`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias, TypeVar

from healmon.clock import Reading
from healmon.plans import Diagnosis, Packed, Plan, Proof
from healmon.state import Snapshot

Seen = TypeVar("Seen")
Instead: TypeAlias = Plan | Literal["pause", "end"]
"""What is wanted in the place of an act: another plan, hands off, or that this healer ends."""


class Hand(Protocol):
    """What a remedy writes with while it acts."""

    async def about_to(self, text: str) -> None:
        """Record, durably, what is about to be done; call it before each touch of the world."""
        ...


class Healer(Protocol[Seen]):
    """Looks after one kind of component.

    Attributes:
        name: the room's name: `workers`, `sessions`, `databases`, `disks`.
        title: what the report calls it: "workers", "sessions", "database locks", "disk space".
        deadline: seconds that one look may take before the engine goes on without it.
        lasting: what it touches (rows, files) outlives a power cut; processes do not.
    """

    name: str
    title: str
    deadline: float
    lasting: bool

    def start(self, wake: Callable[[], None]) -> None:
        """Begin watching; `wake()` asks the engine for a look at once (thread-safe)."""
        ...

    async def look(self) -> Seen:
        """Return what is there now. Touches nothing.

        Raises:
            ProbeError: nothing could be seen; nothing is concluded.
        """
        ...

    def diagnose(self, seen: Seen, known: Snapshot, now: Reading) -> Diagnosis:
        """Judge. Pure: no clock, no process, no SQL, no file."""
        ...

    def offer(
        self,
        verb: str,
        component: str,
        known: Snapshot,
        now: Reading,
        arguments: Packed | None = None,
    ) -> Plan:
        """Return the plan for what a person asks (`restart`, `clear`, `unlock`, `clean`).

        Pure, from the newest snapshot; `carry_out` looks again before it acts. `arguments` say
        more about it, where the verb knows any; others are passed over.

        Raises:
            DataError: no such component, or nothing there to act on; says what there is.
        """
        ...

    async def carry_out(self, plan: Plan, hand: Hand) -> Proof:
        """Look again, act step by step, prove it.

        Raises:
            VetoError: the world is not as planned; nothing (more) was touched.
            RemedyError: a step failed, or the proof did not come.
            CalledOffError: it gave way to something else.
        """
        ...

    def give_way(self, component: str, reason: str, instead: Instead) -> bool:
        """Have the act on a component end where it waits, since something else is wanted.

        Args:
            component: what is acted on.
            reason: in words.
            instead: what is wanted; where this healer is to end an act goes on that nobody else
                could finish.

        Returns:
            Whether it ends before its time; what it has done by then stays, and is on record.
        """
        ...

    async def pause(self, component: str) -> None:
        """Take back what would be done without another word; a pause of a component has begun.

        Args:
            component: a name, or a pattern of names (`text.like`); `*` stands for all.
        """
        ...

    def report(self, known: Snapshot) -> list[str]:
        """Return the healer's lines of the cycle report (specification, "Example Output")."""
        ...

    async def close(self) -> None:
        """Stop watching. What was started for others (workers) stays up."""
        ...
