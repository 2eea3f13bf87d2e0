"""A healmon that carries out one order and kills itself at its N-th step.

    python -m tests.helpers.killpoints < FILES

Each line names a file that holds a `Script`, which a child of its own plays; a line with its wait
status answers. A step is each moment before the world changes: before a record is written, a
signal is sent, a program is started; the moment after one is the moment before the next. What was
done and journaled in between is written to `steps` as well, so that a test sees it, and in which
order.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import msgspec
from msgspec.structs import replace

from healmon.clock import SystemClock
from healmon.config.settings import Worker
from healmon.engine import Engine, Run
from healmon.errors import RemedyError, VetoError
from healmon.events import Recorded, StepTaken
from healmon.plans import Plan, pack
from healmon.workers.equipment import Equipment
from healmon.workers.healer import WorkersHealer
from healmon.workers.model import Order, StartRecord
from healmon.workers.records import Records
from healmon.workers.starting import PlainStarter, ShimStarter
from healmon.world import notes
from healmon.world.processes import Identity, Launch
from healmon.world.system_ports import SystemPorts
from healmon.world.system_processes import SystemProcesses
from healmon.world.system_shims import SystemShims
from tests.helpers.forked import Forks, serve
from tests.helpers.made_up import MemoryJournal


class Script(msgspec.Struct):
    """What to do, and when to die.

    Attributes:
        state: the folder of the workers' records.
        steps: file that gets a line at each step.
        kill_at: number of the step at which to die; 0: never.
        shims: start below shims.
        life: instead of an order: a whole healmon, that has its worker killed once the next start
            is granted, and ends when it has proved that one.
    """

    worker: Worker
    order: Order
    state: str
    steps: str
    kill_at: int = 0
    shims: bool = False
    life: bool = False


class Steps:
    """Counts steps, tells them, and dies in time."""

    def __init__(self, script: Script) -> None:
        self._fd = os.open(script.steps, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._kill_at = script.kill_at
        self._count = 0

    def tell(self, what: str) -> None:
        """Write down what is no step: nothing in the world has changed since the one before."""
        os.write(self._fd, f"{what}\n".encode())

    def reached(self, what: str) -> None:
        self._count += 1
        self.tell(what)
        if self._count == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


class StepHand:
    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    async def about_to(self, text: str) -> None:
        self._steps.tell(f"journal: {text}")


class StepProcesses(SystemProcesses):
    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self._steps = steps

    def signal(self, identity: Identity, number: int) -> bool:
        if number == 0:
            return super().signal(identity, number)
        self._steps.reached(f"about to signal {identity.pid} {number}")
        sent = super().signal(identity, number)
        self._steps.tell(f"signalled {identity.pid} {number}")
        return sent


class StepStarter:
    def __init__(self, steps: Steps, inner: PlainStarter | ShimStarter) -> None:
        self._steps = steps
        self._inner = inner

    def start(self, launch: Launch, folder: Path, number: int, *, forks: bool = False) -> Identity:
        self._steps.reached("about to start")
        identity = self._inner.start(launch, folder, number, forks=forks)
        self._steps.tell(f"started {identity.pid}")
        return identity


class StepShims(SystemShims):
    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self._steps = steps

    def revoke(self, folder: str) -> bool:
        self._steps.reached("about to revoke")
        taken = super().revoke(folder)
        self._steps.tell(f"revoked {taken}")
        return taken


class StepJournal(MemoryJournal):
    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self._steps = steps

    def append(self, record: Recorded) -> None:
        super().append(record)
        if isinstance(record.event, StepTaken):
            self._steps.tell(f"journal: {record.event.text}")


def watch_records(steps: Steps) -> None:
    """Make a step of each record, before and after it appears."""
    write = notes.write_record

    def stepped(path: str | Path, data: bytes) -> None:
        name = Path(path).name
        steps.reached(f"about to write {name}")
        write(path, data)
        steps.tell(f"wrote {name} {data.decode()}")

    notes.write_record = stepped


def equipment(processes: SystemProcesses, *, shims: bool, steps: Steps | None = None) -> Equipment:
    """Return the real doors, with a step at each start."""
    door = SystemShims() if shims else None
    starter = ShimStarter(door) if door is not None else PlainStarter(processes)
    return Equipment(
        shims=door,
        starter=StepStarter(steps, starter) if steps is not None else starter,
        ports=SystemPorts(),
    )


def eager(worker: Worker) -> Worker:
    """Return the settings with which a start is granted beforehand."""
    return replace(worker, restart_delay=0.0, max_failures=100, slow_failures=100)


async def live(script: Script) -> str:
    """Be a healmon that sees its worker killed, and started again by its shim."""
    steps = Steps(script)
    watch_records(steps)
    door, processes, state = StepShims(steps), StepProcesses(steps), Path(script.state)
    starter = StepStarter(steps, ShimStarter(door))
    means = Equipment(shims=door, starter=starter, ports=SystemPorts())
    clock, worker = SystemClock(), eager(script.worker)
    healer = WorkersHealer((worker,), state, processes, clock, jitter=0.0, equipment=means)
    engine = Engine([healer], StepJournal(steps), clock, Run(host="box"))
    task = asyncio.create_task(engine.run())
    grant = state / worker.name / "grant"

    def proved(granted: bool) -> StartRecord | None:
        record = Records(state).start(worker.name)
        done = record is not None and record.outcome == "verified" and record.granted == granted
        return record if done and grant.exists() else None

    async def until_proved(granted: bool) -> StartRecord:
        while (record := proved(granted)) is None:
            await asyncio.sleep(0.01)
        return record

    async with asyncio.timeout(20):
        first = (await until_proved(False)).worker
        assert first is not None
        steps.reached("about to kill it")
        os.kill(first.pid, signal.SIGKILL)
        steps.reached("killed")
        await until_proved(True)
        engine.stop()
        await task
    return "proved: a life"


def plan_of(worker: Worker, order: Order, origin: str = "tester") -> Plan:
    """Return the plan that carries an order, with what the engine would put into it."""
    return Plan(
        healer="workers",
        component=worker.name,
        action=f"{order.verb}_worker",
        subject="",
        why="",
        steps=(),
        proof="",
        on_failure="",
        order=pack(order),
        origin=origin,
    )


async def carry_out(script: Script) -> str:
    steps = Steps(script)
    watch_records(steps)
    processes = StepProcesses(steps)
    healer = WorkersHealer(
        (script.worker,),
        Path(script.state),
        processes,
        SystemClock(),
        equipment=equipment(processes, shims=script.shims, steps=steps),
    )
    try:
        proof = await healer.carry_out(plan_of(script.worker, script.order), StepHand(steps))
    except (VetoError, RemedyError) as error:
        return f"failed: {error}"
    finally:
        await healer.close()
    steps.reached("all is done")
    return f"proved: {proof.text}"


def play(path: str) -> None:
    script = msgspec.json.decode(Path(path).read_bytes(), type=Script)
    said = asyncio.run((live if script.life else carry_out)(script))
    Path(f"{path}.said").write_text(said)


class Player:
    """Has orders carried out, and killed."""

    def __init__(self) -> None:
        self._forks = Forks(__name__)

    def play(self, script: Script, path: Path) -> str:
        """Return what came of a script; empty when it killed itself."""
        path.write_bytes(msgspec.json.encode(script))
        return Path(f"{path}.said").read_text() if self._forks.play(str(path)) else ""

    def close(self) -> None:
        self._forks.close()


if __name__ == "__main__":
    serve(play)
