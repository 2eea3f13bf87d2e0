"""Ready when its port takes a connection, and the port is the worker's own."""

from __future__ import annotations

from functools import partial

from healmon.errors import ProbeError
from healmon.redact import command_line
from healmon.workers.checks.model import Doors, Outcome, Subject
from healmon.world.ports import Listener, Ports
from healmon.world.processes import Identity


async def check(port: int, patience: float, subject: Subject, doors: Doors) -> Outcome:
    """Return whether the worker's own tree listens on a port and takes a connection there."""
    ports = doors.ports
    if ports is None:
        return Outcome(None, f"whose port {port} is cannot be told")
    look = partial(_owned, port, subject, doors, ports)
    own, said = await doors.hands.call(look)
    if own is None:
        return said
    failed = ""
    for way in own.ways:
        failed = await ports.connect(way, port, patience)
        if not failed:
            return Outcome(ok=True, text=f"port {port} is its own")
    return Outcome(ok=False, text=f"port {port} is its own but takes no connection: {failed}")


def _owned(
    port: int, subject: Subject, doors: Doors, ports: Ports
) -> tuple[Listener | None, Outcome]:
    """Return the listener that is the worker's own, or what is there instead."""
    listeners = ports.listeners(port)
    if not listeners:
        return None, Outcome(ok=False, text=f"nobody listens on port {port}")
    own = _first_of(listeners, doors.kin(subject.worker.name), ports)
    # somebody of its tree may be younger than the newest look
    own = own or _first_of(listeners, doors.tree(subject.identity), ports)
    if own is not None:
        return own, Outcome(ok=True, text="")
    return None, Outcome(
        ok=False, text=f"port {port} is not its own: {_held(listeners, doors, ports)}"
    )


def _first_of(
    listeners: tuple[Listener, ...], kin: frozenset[Identity], ports: Ports
) -> Listener | None:
    return next((one for one in listeners if ports.owners([one.inode], kin)), None)


def _held(listeners: tuple[Listener, ...], doors: Doors, ports: Ports) -> str:
    """Return in words who holds a port."""
    for identity in sorted(ports.search([one.inode for one in listeners]), key=lambda i: i.ticks):
        try:
            facts = doors.processes.inspect(identity)
        except ProbeError:
            facts = None
        words = command_line(facts.command) if facts is not None else ""
        return f"pid {identity.pid} ({words}) holds it"
    uids = ", ".join(sorted({str(one.uid) for one in listeners}))
    return f"somebody who cannot be seen holds it (user id {uids})"
