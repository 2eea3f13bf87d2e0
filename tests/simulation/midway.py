"""Lives in which acts are called off midway: a whole engine, people, reloads, kills, slow programs.

Time is made up, and passes side by side for all of them (`virtual`), so whatever is asked comes in
any wait of an act. What must hold is seen to in `host`, and in the story as a whole at the end
(`journal`). Then all faults cease, and what is wanted must come true.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

from msgspec.structs import replace

from healmon.config.settings import Alerts
from healmon.engine import Engine, Run
from healmon.engine.changing import Amendment
from healmon.plans import Answer, unpack
from healmon.workers import machine
from healmon.workers.equipment import Equipment
from healmon.workers.healer import WorkersHealer
from healmon.workers.model import Memory
from healmon.world.processes import Ended
from healmon.world.simulated.processes import Program
from tests.simulation.anew import compared
from tests.simulation.host import Host
from tests.simulation.journal import audit
from tests.simulation.living import lived_by, seeds_of
from tests.simulation.virtual import EPOCH, Door, Lease, hands

ANSWERED = 60.0
"""Seconds beyond its own waits in which an answer must come: calls hang, acts give way."""
EACH = 120
"""What happens in one life, before all faults cease."""


class Life(Host):
    """A host that lives for some time under healmon."""

    MEANS = (0.02, 0.2, 1.0, 3.0, 20.0)
    LONGEST = 50.0

    # What happens.

    async def happen(self) -> None:
        """Let something happen."""
        deeds: dict[str, tuple[float, Callable[[], object]]] = {
            "ask": (24, self.ask),
            "kill worker": (6, self.kill_worker),
            "all die": (0.5, lambda: [self.kill_worker(n) for n in self.every]),
            "by hand": (0.5, self.start_by_hand),
            "reload": (4, self.reload),
            "end": (2, self.end_and_begin),
            "killed": (1.5, self.kill),
            "killed soon": (1.5, lambda: setattr(self, "dies_in", self.random.randint(1, 5))),
            "full disk": (1, lambda: setattr(self.journal, "full", not self.journal.full)),
            "hanging": (1, lambda: setattr(self.pace, "hangs", self.random.choice([0, 0, 0.02]))),
            "clock": (0.3, lambda: self.clock.step(self.random.choice([3600.0, -3600.0]))),
            "suspend": (0.3, lambda: self.clock.suspend(self.random.uniform(1, 5000))),
            "unstick": (1, self.unstick),
        }
        await self.one_of(deeds)

    def ask(self) -> None:
        """Let a person ask for something, and go on meanwhile."""
        busy = [name for name in self.engine._acts._acts if name in self.every]
        name = self.random.choice(busy * 3 + list(self.every))
        verbs = [
            "restart",
            "restart",
            "stop",
            "stop",
            "start",
            "start",
            "release",
            "pause",
            "resume",
        ]
        verb = self.random.choice(verbs)
        if verb in ("pause", "resume") and self.random.random() < 0.3:
            name = "*"
        if verb == "resume":
            name = self.random.choice([*self.engine.snapshot.maintenance, name])
        self.asking.add(task := asyncio.create_task(self._ask(verb, name)))
        task.add_done_callback(self.asking.discard)

    async def _ask(self, verb: str, name: str) -> Answer:
        seconds = self.random.choice([5.0, 20.0, 400.0])
        arguments: dict[str, object] = {"for": seconds}
        until = self.clock.read().boot + seconds
        self.tell(f"asks: {verb} {name}")
        if verb in ("pause", "resume"):
            self.off.pop(name, None)  # what it replaces may be over; it counts once it is answered
        if verb in ("start", "restart", "release"):
            self.down.discard(name)
        patience = self._patience(verb, name)
        try:
            async with asyncio.timeout(patience):
                answer = await self.engine.ask(
                    verb, name, arguments if verb == "pause" else {}, origin="olga"
                )
        except TimeoutError:
            self.wrong(f"no answer to {verb} {name} within {patience:g} s")
            raise
        self.tell(f"answer to {verb} {name}: {answer.ok} {answer.text}")
        self.must("crashed" not in answer.text, answer.text)
        if answer.ok and verb == "pause" and "in the midst" not in answer.text:
            self.off[name] = until
        if answer.ok and verb == "stop":
            self._stopped(name)
        return answer

    def _stopped(self, name: str) -> None:
        self._gone(name, "answered")
        asked = [t.get_name() for t in self.asking]
        facts = self.facts(name)
        if not asked[1:] and facts is not None and facts.desired == "down":
            self.down.add(name)

    def _patience(self, verb: str, name: str) -> float:
        longest = max(w.stop_timeout for w in self.every.values()) + 5.0
        patience = ANSWERED + 2 * longest
        if verb not in ("stop", "pause", "resume"):
            worker = self.every.get(name)
            assert worker is not None
            patience += longest + 4 * worker.start_timeout + 20.0
        return patience + (1000.0 if self.pace.hangs or self.journal.full else 0.0)

    def kill_worker(self, name: str = "") -> None:
        for identity in self.world.copies(name or self.random.choice(list(self.every))):
            self.world.end(identity, Ended(signal=9))

    def start_by_hand(self) -> None:
        name = self.random.choice(list(self.every))
        if not self.world.family(name):
            program = Program(lives=self.random.choice([None, 100.0]), end=Ended(code=1))
            who = self.world.by_hand(name, self.every[name].argv, program)
            self.by_hand.add(who)
            self.handed[who] = self.now

    def unstick(self) -> None:
        for identity, part in list(self.world._parts.items()):
            if part.program.stuck:
                self.world.end(identity, Ended(signal=9))

    def begin(self) -> None:
        """Let another run of healmon begin."""
        self.lease = self.pace.lease = self.journal.lease = Lease()
        self.killed.clear()
        self.dies_in = 0
        known = self.journal.snapshot
        for name, count in self.charged.items():  # what did not reach the disk is charged again
            kept = len(unpack(known.memory.get(name, {}), Memory).failures)
            self.blames[name] += [self.now] * max(0, count - kept)
            self.charged[name] = kept
            self.blames[name] += [self.now] * self.journal.lost
        self.off = {p: end for p, end in self.off.items() if p in known.maintenance}
        self.healer = self.a_healer()
        run = Run(host="box", steady_offset=EPOCH)
        self.engine = Engine([self.healer], self.journal, self.clock, run)
        self.running = asyncio.create_task(self.engine.run())

    def a_healer(self) -> WorkersHealer:
        shims = self.door(self.shims) if self.shims is not None else None
        equipment = Equipment(shims=shims, ports=self.ports)  # type: ignore[arg-type]
        slow, place = hands(self.pace), "healmon.workers"
        with ExitStack() as patches:
            for module in ("healer", "grants", "upkeep"):
                patches.enter_context(mock.patch(f"{place}.{module}.Hands", slow))
            healer = WorkersHealer(
                self.workers, self.folder, self.door(self.world), self.clock,  # type: ignore[arg-type]
                jitter=0.2, equipment=equipment, limits=self.limits,
            )  # fmt: skip
        records, lease = healer._records, self.lease
        put = records._put

        def put_if_alive(*what: Any) -> None:
            if lease.alive:
                put(*what)

        records._put = put_if_alive  # type: ignore[method-assign]
        return healer

    def door(self, inner: object) -> Door:
        return Door(inner, self.lease, self.wrong)

    async def reload(self) -> None:
        """Have another configuration in force: other settings, a worker less or more."""
        names = list(self.every)
        gone = self.random.choice(names) if self.random.random() < 0.3 and len(names) > 1 else ""
        name = self.random.choice(names)
        self.every[name] = replace(
            self.every[name], restart_delay=self.random.choice([0.0, 1.0, 2.0, 5.0])
        )
        self.workers = tuple(w for w in self.every.values() if w.name != gone)
        left = {w.name for w in self.workers}
        self.workers = tuple(
            replace(w, after=tuple(n for n in w.after if n in left)) for w in self.workers
        )
        await self.amend(self.random.choice([0.0, 5.0]))

    async def amend(self, patience: float) -> None:
        self.healer = self.a_healer()
        amendment = Amendment(
            told=None, interval=60.0, alerts=Alerts(), outlet=None,
            healers={"workers": self.healer},
        )  # fmt: skip
        began = self.now
        await self.engine.amend(amendment, patience)
        self.must(self.now - began < patience + 15.0, "a reload was not answered")

    # How it goes on.

    async def calm(self) -> None:
        """Let all faults cease; then what is wanted comes true, and nothing is left half done."""
        self.dies_in, self.kind, self.journal.full, self.pace.hangs = 0, True, False, 0.0
        await self._pass(2.0)
        while self.asking:
            await asyncio.wait(self.asking)
        self.workers = tuple(self.every.values())
        await self.amend(100.0)
        await self._pass(200.0)
        for target in list(self.engine.snapshot.maintenance):
            await self._ask("resume", target)
        self.unstick()
        for name in self.every:
            self.kill_worker(name)
        await self._pass(1800.0)
        for name in self.every:  # what is quarantined, or flaps, would stay so for hours
            facts = self.facts(name)
            assert facts is not None
            assert facts.state not in machine.UNDER_WAY, f"left half done: {facts}"
            if facts.desired == "up" and not facts.waits_for:
                answer = await self._ask("restart", name)
                # healmon's own trial may have begun just then: that is what is wanted
                assert answer.ok or "restart_worker is under way already" in answer.text, answer
        await self._pass(3600.0)
        self.check()
        self.at_last()
        await self.to_the_end()
        audit(self.journal.records)


def lived(seed: str, folder: Path, deeds: int) -> None:
    """Live one life to its end.

    Raises:
        AssertionError: a promise was broken; it says by which seed, and what came before.
    """

    async def all_of_it(life: Life) -> None:
        await life.live(deeds)
        await life.calm()

    try:
        with compared() as both:
            lived_by(lambda loop: Life(seed, folder, loop), all_of_it)
        assert not both.wrong, both.wrong[0]
        assert both.stood, "no verdict stood: nothing was compared"
    except AssertionError as error:
        raise AssertionError(f"{error}\n\nreplay: make midway SEED={seed}") from error


def simulate(seed: str, folder: Path, lives: int) -> int:
    """Live so many lives; return how many that were.

    Args:
        seed: a number, or `number:life` for one life alone.
        folder: for the records of each life.
        lives: how many.
    """
    seeds = seeds_of(seed, lives)
    for number, one in enumerate(seeds):
        place = folder / str(number)
        place.mkdir()
        lived(one, place, EACH)
        shutil.rmtree(place)
    return len(seeds)
