"""Ready when a command exits with 0 in time. It runs as, and where, the worker does."""

from __future__ import annotations

from healmon.errors import SpawnError
from healmon.units import format_duration
from healmon.workers.checks.model import Doors, Outcome, Subject
from healmon.workers.output import discreet
from healmon.world.commands import run
from healmon.world.processes import Launch

NOT_RUN = frozenset({126, 127})
"""What a shell exits with when it could not run a command: that says nothing of the worker."""


async def check(
    command: tuple[str, ...], patience: float, subject: Subject, doors: Doors
) -> Outcome:
    """Return whether a command exits with 0; one that cannot be run proves nothing."""
    worker = subject.worker
    launch = Launch(
        argv=command, log_path="", cwd=worker.cwd, env=worker.env, user=worker.user,
    )  # fmt: skip
    try:
        end = await run(launch, patience, doors.processes, doors.hands)
    except SpawnError as error:
        return Outcome(None, f"the check command: {error}")
    words = f": {discreet(worker, end.words)}" if end.words else ""
    if end.ended is None:
        late = f"the check command did not end within {format_duration(patience)}"
        return Outcome(ok=False, text=f"{late}{words}")
    if end.ended.code in NOT_RUN:
        return Outcome(None, f"the check command cannot be run: {end.ended}{words}")
    ok = end.ended.code == 0
    return Outcome(
        ok, "the check command passes" if ok else f"the check command: {end.ended}{words}"
    )
