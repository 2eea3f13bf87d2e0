"""Lives of a host whose disks are cleaned: whatever may come between two files of a cleaning comes.

A whole engine, people, reloads, kills, clocks that are set, files that come to life, disks that
fill, empty and go. What must hold is seen to in `cleaner`, and in the story as a whole at the end
(`journal`). Then all faults cease, and what is wanted must come true.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

from healmon import events as ev
from healmon.clock import Reading, boot_id
from healmon.config.settings import Alerts
from healmon.disks.cover import targets_of
from healmon.disks.healer import DisksHealer
from healmon.disks.model import Seen
from healmon.disks.probe import Probe
from healmon.engine import Engine, Run
from healmon.engine.changing import Amendment
from healmon.plans import Answer, Diagnosis
from healmon.state import Snapshot, apply
from healmon.world.simulated.parts.files import Disk as Mounted
from tests.simulation.cleaner import DAY, HOUR, LATE, MINUTE, SIZE, Cleaner, Law
from tests.simulation.journal import audit, told_of_something
from tests.simulation.living import ALL, lived_by, seeds_of
from tests.simulation.stepped import stepped
from tests.simulation.virtual import EPOCH, Lease

ANSWERED = 60.0
"""Seconds within which whoever asks for hands off, a check or a reload is answered."""
EACH = 80
STATE = Path("/state")


class Life(Cleaner):
    """A host that lives for some time under healmon."""

    MEANS = (0.01, 0.05, 0.2, 1.0, 20.0, 200.0)
    LONGEST = 30.0

    async def happen(self) -> None:
        """Let something happen."""
        deeds: dict[str, tuple[float, Callable[[], object]]] = {
            "write": (10, lambda: [self.write(old=self.random.random() < 0.7) for _ in range(4)]),
            "a file": (20, self.a_file),
            "fill": (10, self.fill),
            "ask": (10, self.ask),
            "reload": (5, self.reload),
            "end": (2, self.end_and_begin),
            "killed": (2, self.kill),
            "killed soon": (3, lambda: setattr(self, "dies_in", self.random.randint(1, 30))),
            "full store": (1, self.full_store),
            "clock": (1, self.set_clock),
            "suspend": (1, lambda: self.clock.suspend(self.random.uniform(1, 5000))),
            "mount": (3, self.mount),
            "refuse": (2, self.refuse),
        }
        await self.one_of(deeds)

    def a_file(self) -> None:
        """Let something happen to a file, most often to one that is about to go."""
        files = sorted(self.files._files)
        if not files:
            return
        path = self.random.choice(files)
        file = self.files._files[path]
        what = self.random.choice(["touch", "open", "close", "lock", "link", "remove", "swap"])
        self.tell(f"   {what} {path}")
        if what == "touch":
            self.touch(path)
        elif what in ("open", "lock"):
            file.use = {"open": "open", "lock": "locked"}[what]
        elif what == "close":
            file.use = ""
        elif what == "link":
            file.links = 2 if file.links == 1 else 1
            self.touch(path)
        elif what == "remove":
            self.files.remove(path)
            file.use = file.use or "vanished"
        else:
            file.use = file.use or "swapped"
            self.files.write(path, file.held, self.clock.read().wall)
            self.born[self.files._files[path].number] = self.boot

    def fill(self) -> None:
        if "/data" in self.files._disks:
            self.files.fill(
                "/data", int(SIZE * self.random.choice([0.2, 0.5, 0.7, 0.85, 0.93, 0.97]))
            )

    def set_clock(self) -> None:
        seconds = self.random.choice([HOUR, -HOUR, 2 * DAY, -2 * DAY, 400 * DAY])
        self.clock.step(seconds)
        self.set_by.append((self.boot, seconds))

    def full_store(self) -> None:
        self.journal.full = not self.journal.full
        self.unkept = self.unkept or self.journal.full

    def mount(self) -> None:
        """Let the disk go, come back, or another one be mounted in its place."""
        if self.files.sweeping is not None:
            return  # whoever has a file open there keeps it mounted
        if "/data" not in self.files._disks:
            self.files._disks["/data"] = self.aside
        else:
            self.aside = self.files._disks.pop("/data")
            if self.random.random() < 0.3:
                other = Mounted(self.random.randint(100, 10**6), SIZE, 0, 0, lazy=False)
                other.others = self.random.choice([0, SIZE // 2, SIZE])
                self.files._disks["/data"] = other
        self.remounted = self.boot

    def mounted(self) -> None:
        """Let the first disk be there."""
        here = self.files._disks.get("/data")
        if here is None or here.number != 2:
            self.files._disks["/data"] = self.aside

    def refuse(self) -> None:
        reason = "" if self.files._refused.get("/data") else "Input/output error"
        self.files.refuse("/data", reason)

    def ask(self) -> None:
        """Let a person ask for something, and go on meanwhile."""
        verb = self.random.choice(
            [
                "clean",
                "clean",
                "pause",
                "pause",
                "resume",
                "resume",
                "never-touch",
                "touch",
                "check",
            ]
        )
        name = self.random.choice(["disk:/data", "disk:/data", "disk:/data/cache"])
        if verb == "pause" and self.random.random() < 0.3:
            name = "*"
        if verb in ("resume", "touch"):
            name = self.random.choice([*self.engine.snapshot.maintenance, name])
        arguments: dict[str, object] = {}
        if verb == "pause":
            arguments = {"for": self.random.choice([5.0, 60.0, 2000.0])}
        if verb == "clean" and self.random.random() < 0.3:
            arguments = {"rule": self.random.choice(["logs", "cache"])}
        self.asking.add(task := asyncio.create_task(self._ask(verb, name, arguments)))
        task.add_done_callback(self.asking.discard)

    async def _ask(self, verb: str, name: str, arguments: dict[str, object]) -> Answer:
        self.tell(f"asks: {verb} {name} {arguments}")
        began = self.now
        if verb in ("pause", "resume", "never-touch", "touch"):
            self.off.pop(name, None)
        until = self.boot + float(arguments.get("for", 1e12))  # type: ignore[arg-type]
        answer = await self.engine.ask(verb, name, arguments, origin="olga")
        self.tell(f"answer to {verb} {name}: {answer.ok} {answer.text}")
        self.must("crashed" not in answer.text, answer.text)
        took = self.now - began
        quick = verb not in ("clean", "restore") and not self.journal.full
        self.must(not quick or took < ANSWERED, f"{verb} {name} took {took:.0f} s")
        if answer.ok and verb in ("pause", "never-touch"):
            self.must("in the midst" not in answer.text, f"{verb}: {answer.text}")
            self.off[name] = until
        return answer

    def begin(self) -> None:
        """Let another run of healmon begin."""
        self.lease = self.pace.lease = self.journal.lease = Lease()
        self.killed.clear()
        self.dies_in = 0
        self.deeds.clear()
        known = self.journal.snapshot
        self.off = {p: end for p, end in self.off.items() if p in known.maintenance}
        if self.unkept:
            self.spent.clear()  # what was never on disk nobody counts
        self.laws = [Law(self.disk, 0.0)]
        self.healer = self.a_healer()
        run = Run(host="box", steady_offset=EPOCH, interval=MINUTE)
        self.engine = Engine([self.healer], self.journal, self.clock, run)
        self.running = asyncio.create_task(self.engine.run())

    def a_healer(self) -> DisksHealer:
        slow = stepped(self.pace, self.between)
        with ExitStack() as patches:
            for module in ("healer", "probe"):
                patches.enter_context(mock.patch(f"healmon.disks.{module}.Hands", slow))
            healer = DisksHealer(self.disk, STATE, self.files, self.clock)
            healer._probe._keeping = slow("keep")  # its default was bound before
            for target in targets_of(self.disk):
                healer._probe._station(target)  # its hands are made when they are wanted first
        return healer

    async def reload(self) -> None:
        """Have another configuration in force."""
        now = self.boot
        self.laws[-1].until = float("inf")
        law = Law(self.a_disk(), now)
        before = self.laws[-1]
        self.laws.append(law)
        await self.amend(self.random.choice([0.0, 5.0]), MINUTE)
        before.until = self.boot
        self.laws = [one for one in self.laws if one.until > self.boot - 2 * LATE]

    async def amend(self, patience: float, interval: float) -> None:
        self.healer = self.a_healer()
        amendment = Amendment(
            told=None, interval=interval, alerts=Alerts(), outlet=None,
            healers={"disks": self.healer},
        )  # fmt: skip
        began = self.now
        waiting = await self.engine.amend(amendment, patience)
        self.tell(f"amended; waiting: {waiting}")
        self.must(self.now - began < patience + 15.0, "a reload was not answered")

    async def left(self) -> None:
        """Find out whoever still judges files."""
        await super().left()
        await asyncio.sleep(0.5)
        self.lease.killed = True

    # How it goes on.

    async def calm(self) -> None:
        """Let all faults cease; then the disk is cleaned as far as it may be, and that is told."""
        self.dies_in, self.journal.full, self.slow = 0, False, 0.0
        self.files.refuse("/data", "")
        self.mounted()
        await self._pass(2.0)
        while self.asking:
            await asyncio.wait(self.asking)
        self.laws = [Law(self.disk, 0.0)]
        await self.amend(100.0, 1800.0)
        for target in list(self.engine.snapshot.maintenance):
            await self._ask("touch" if self.engine.snapshot.maintenance[target] > 1e13 else
                            "resume", target, {})  # fmt: skip
        for file in self.files._files.values():
            file.use, file.links = "", 1
        self.files.fill("/data", int(SIZE * 0.6))
        await self._pass(2 * DAY + HOUR)
        self.check()
        self.at_last()
        await self.to_the_end()
        audit(told_of_something(self.journal.records))

    def at_last(self) -> None:
        """See that nothing is left half done, and that what is told is so."""
        snapshot = self.engine.snapshot
        assert not snapshot.plans, snapshot.plans
        left = [a for a in self.files._asides if (a.deed, a.disk) == ("delete", "/data")]
        assert not left, f"left half done: {left}"
        assert not self.engine._acts._acts
        assert not self.engine._acts._held
        full = {a.severity for a in snapshot.alerts.values() if a.key.endswith("data/full")}
        used = self.used()
        if used >= self.disk.critical:
            assert full == {"CRITICAL"}, f"{used:.1f} %: {snapshot.alerts}"
        if used < self.disk.warning - self.disk.hysteresis:
            assert not full, f"{used:.1f} %: {snapshot.alerts}"


class Compared:
    """What a healer of another run, that knows only what is on disk, would have said."""

    def __init__(self) -> None:
        self.looks = 0
        self.wrong: list[str] = []


@contextmanager
def compared(lives: list[Life]) -> Iterator[Compared]:
    """Have every judgement compared with that of a healer that begins anew from the store."""
    real, both = DisksHealer.diagnose, Compared()

    def diagnose(healer: DisksHealer, seen: Seen, known: Snapshot, now: Reading) -> Diagnosis:
        said = real(healer, seen, known, now)
        life = lives[-1] if lives else None
        if life is None or life.journal.full or known.plans:
            return said
        life.journal.keep(ALL)  # as the store does every now and then
        stored = life.journal.snapshot
        begun = ev.EngineStarted("box", "1", 1, "", False, 60.0, boot_id(), EPOCH,
                                 lead=stored.engine.lead, slept=stored.engine.slept)  # fmt: skip
        anew = apply(stored, ev.Recorded(stored.last_id + 1, now.wall, begun))
        other = real(healer, seen, anew, now)
        both.looks += 1
        if said != other:
            both.wrong.append(f"{now.steady:.1f} standing: {said}\nanew: {other}")
        return said

    async def nothing(*_: object) -> None:
        """Return no forecast: its history lies in real files."""

    with (
        mock.patch.object(DisksHealer, "diagnose", diagnose),
        mock.patch.object(Probe, "_outlook", nothing),
    ):
        yield both


def lived(seed: str, deeds: int) -> None:
    """Live one life to its end.

    Raises:
        AssertionError: a promise was broken; it says by which seed, and what came before.
    """
    lives: list[Life] = []

    async def all_of_it(life: Life) -> None:
        lives.append(life)
        await life.live(deeds)
        await life.calm()

    try:
        with compared(lives) as both:
            lived_by(lambda loop: Life(seed, loop), all_of_it)
        assert not both.wrong, both.wrong[0]
        assert both.looks, "nothing was compared"
    except AssertionError as error:
        raise AssertionError(f"{error}\n\nreplay: make midway WHAT=disks SEED={seed}") from error


def simulate(seed: str, lives: int, deeds: int = EACH) -> int:
    """Live so many lives; return how many that were."""
    seeds = seeds_of(seed, lives)
    for one in seeds:
        lived(one, deeds)
    return len(seeds)
