"""When an act must not be: the last look before it, against what it was planned on."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from healmon.clock import Reading
from healmon.config.settings import Worker
from healmon.errors import ProbeError, VetoError
from healmon.text import clean
from healmon.workers.acting import Act
from healmon.workers.model import Order, StartRecord, WorkerSeen
from healmon.workers.records import former_of, half_done
from healmon.world.processes import Identity


async def veto_of_fresh_life(act: Act) -> None:
    """Return when nothing shows that a worker that is to be replaced for being ill is well again.

    Raises:
        VetoError: it is, or that cannot be told.
    """
    if act.record.old is None or act.order.wish or act.record.phase != "decided":
        return
    if act.fresh_life is not None:
        try:
            alive = await act.fresh_life()
        except ProbeError as error:
            raise VetoError(f"cannot tell whether it still hangs: {error}") from error
        if alive:
            raise VetoError(clean(alive))
    elif act.order.sick and act.worker.memory_limit is not None:
        members = (await act.family(now=True)).tree([act.record.old])
        if sum(facts.rss for facts in members) <= act.worker.memory_limit:
            raise VetoError("it is below its memory limit again")


def goes_on(order: Order, half: StartRecord | None) -> bool:
    """Return whether an order is to go on with an act that was cut short, under its number."""
    if half is None or order.wish:
        return False  # what a person asks for is an act of its own
    return half.outcome == "begun" and half.number == order.number


def overtakes(
    wanted: Order, order: Order, record: StartRecord | None, worker: Worker, now: Reading
) -> bool:
    """Return whether what a person wants is something else than the act that is under way.

    Args:
        wanted: the person's order.
        order: what is carried out.
        record: how far that has come.
        worker: its settings.
        now: the time.
    """
    if (wanted.verb == "stop") != (order.verb == "stop"):
        return True
    if wanted.verb == "stop" or record is None or record.number != order.number:
        return False  # that is under way already
    # a start that hangs in its proof; one that is on its way there is what is wanted
    return record.phase == "spawned" and now.steady - record.steady > worker.min_uptime


def followed(order: Order, one: WorkerSeen) -> Order:
    """Return a person's wish as it is after a start that the worker's own shim has made meanwhile.

    Who wants a worker down, or begun anew, means whoever it is: the life that its shim started
    between that wish and the last look is the same worker's, by the shim's own word, and is ended
    in its place.
    """
    record = one.record
    wished = order.wish and order.verb in {"stop", "restart"}
    if not wished or record is None or not record.granted:
        return order
    known = order.identity is None or order.identity in former_of(record)
    if record.outcome != "begun" or record.number < order.number or not known:
        return order
    return replace(order, number=record.number + 1, identity=record.launched)


def refuse(order: Order, one: WorkerSeen, alive: list[Identity]) -> None:
    """Raise VetoError when the world is not as it was when the plan was made.

    Args:
        order: what is to be done.
        one: the look right before.
        alive: all live processes that are the worker.
    """
    if one.trouble:
        raise VetoError(f"cannot tell whether it is up: {one.trouble}")
    half = half_done(one.record)
    again = goes_on(order, half)
    wished = order.wish or (half.wish if half is not None and again else 0)
    if order.verb != "stop" and not wished and one.wish and one.wish.desired == "down":
        raise VetoError(f"stopped by {clean(one.wish.origin) or 'a person'} meanwhile")
    if one.record is not None and one.record.number >= order.number and not again:
        raise VetoError(f"start {order.number} was made already")
    mine = {order.identity, *_explained(half, alive, again=again)}
    others = [identity for identity in alive if identity not in mine]
    if order.verb == "stop":
        if others and not mine & set(alive):
            raise VetoError(f"it is another process now: pid {pids(others)}")
    elif others:
        raise VetoError(f"already up as pid {pids(others)}: started by somebody else")


def _explained(
    half: StartRecord | None, alive: list[Identity], *, again: bool
) -> set[Identity | None]:
    """Return who may be there because of an act that was cut short."""
    if half is None:
        return set()
    if not again:
        return {*half.tree}  # they are ended first
    if half.phase == "spawning" and half.launched is None:
        return {*alive}  # whoever is there now is the one copy that there may be
    return {half.old, half.launched, half.worker, *half.tree}


def pids(who: Iterable[Identity]) -> str:
    """Return pids in words."""
    return ", ".join(str(identity.pid) for identity in who)
