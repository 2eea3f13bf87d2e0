"""A journal in memory and a healer one can script: enough to try the engine without a machine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from healmon.clock import Reading
from healmon.events import Recorded, decode, encode
from healmon.healer import Hand, Instead
from healmon.plans import Diagnosis, Finding, Plan, Proof, Step, Verdict
from healmon.state import Snapshot, apply


class MemoryJournal:
    """Keeps events as the store would: encoded and decoded again."""

    def __init__(self) -> None:
        self.records: list[Recorded] = []
        self.snapshot = Snapshot()

    @property
    def last_id(self) -> int:
        return self.records[-1].id if self.records else 0

    def append(self, record: Recorded) -> None:
        kept = Recorded(record.id, record.wall, decode(encode(record.event)), record.cause)
        self.records.append(kept)
        self.snapshot = apply(self.snapshot, kept)

    async def flush(self, timeout: float) -> bool:
        await asyncio.sleep(0)
        return True

    def kinds(self) -> list[str]:
        return [type(r.event).__name__ for r in self.records]

    def all(self, kind: type) -> list:
        return [r.event for r in self.records if isinstance(r.event, kind)]


async def nothing() -> None:
    return None


class ScriptedHealer:
    """One component that is broken until its remedy has run."""

    def __init__(self, name: str = "things", *, broken: bool = False, delay: float = 0.0) -> None:
        self.name = name
        self.title = name
        self.deadline = 5.0
        self.lasting = True
        self.component = f"{name}:one"
        self.broken = broken
        self.delay = delay
        self.looks = 0
        self.look_again: float | None = None
        self.closed = False
        self.look_hook: Callable[[], Awaitable[None]] = nothing
        self.act_hook: Callable[[], Awaitable[None]] = nothing
        self.wake: Callable[[], None] = lambda: None
        self.systemic: tuple[Finding, ...] = ()
        self.paused: list[str] = []
        self.hold: tuple[str, ...] = ()

    def start(self, wake: Callable[[], None]) -> None:
        self.wake = wake

    async def look(self) -> bool:
        self.looks += 1
        await self.look_hook()
        return self.broken

    def plan(self) -> Plan:
        return Plan(
            self.name, self.component, "mend_thing", "one", "it is broken",
            (Step("mend it"),), "it is whole", "a person is asked", {}, delay=self.delay,
        )  # fmt: skip

    def diagnose(self, seen: bool, known: Snapshot, now: Reading) -> Diagnosis:
        if not seen:
            verdict = Verdict(self.component, "healthy", "whole", "thing", "1", {"whole": True})
        else:
            finding = Finding("broken", "WARNING", f"{self.name} is broken")
            verdict = Verdict(
                self.component, "unhealthy", "broken", "thing", "0", {"whole": False},
                (finding,), self.plan(),
            )  # fmt: skip
        return Diagnosis(
            (verdict,), look_again=self.look_again, systemic=self.systemic, hold=self.hold
        )

    def offer(self, verb: str, component: str, known: Snapshot, now: Reading) -> Plan:
        return self.plan()

    async def carry_out(self, plan: Plan, hand: Hand) -> Proof:
        await hand.about_to("mend it")
        await self.act_hook()
        self.broken = False
        return Proof("it is whole", "mended by itself")

    async def pause(self, component: str) -> None:
        self.paused.append(component)

    def give_way(self, component: str, reason: str, instead: Instead) -> bool:
        return False

    def report(self, known: Snapshot) -> list[str]:
        return [f"   {view.summary}" for view in known.components.values()]

    async def close(self) -> None:
        self.closed = True


class Noted:
    """The hand of a remedy, which remembers what was announced."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    async def about_to(self, text: str) -> None:
        self.steps.append(text)
