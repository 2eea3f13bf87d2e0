"""Asking the healer that runs, from another process. Loads nothing of a healer."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import msgspec

from healmon.errors import HealmonError, HolderError, RefusedError, StoreFaultError
from healmon.plans import Answer, Packed, Plan
from healmon.service import commands, instance
from healmon.service.push import Ear
from healmon.service.statedir import DATABASE
from healmon.service.wake import knock
from healmon.text import clean

ASK_PATIENCE = 60.0
"""Seconds an answer is waited for."""
INTERRUPTED = 130
"""What a command ends with that Ctrl-C ended."""
UNDONE = ("expired", "lost")
UNANSWERED = HolderError.exit_code
"""What a command ends with that no healer has answered."""


def ask_healer(
    state_dir: Path, verb: str, target: str, arguments: Packed, asker: str = ""
) -> Answer:
    """Ask the healer that holds `state_dir` for something; returns its answer.

    `asker` is who asks, in words; empty: this process's user. An unreachable healer is an answer
    too.

    Raises:
        RefusedError: Ctrl-C was pressed; only the main thread can meet it.
    """
    if instance.holder(state_dir) is None:
        return Answer(ok=False, text=f"no healer runs on {state_dir}", code=UNANSWERED)
    try:
        state, outcome = _sent(state_dir, verb, target, arguments, asker)
    except RefusedError:
        raise
    except (OSError, sqlite3.Error, HealmonError) as error:
        return _unasked(error)
    if not outcome:
        late = f"no answer within {ASK_PATIENCE:g} s, but it was taken and may be done yet"
        return Answer(ok=False, text=f"{late}; see: healmon status", code=UNANSWERED)
    data = msgspec.json.decode(outcome)
    plan = msgspec.convert(data["plan"], Plan) if data.get("plan") else None
    return Answer(
        ok=bool(data["ok"]),
        text=str(data["text"]),
        plan=plan,
        code=int(data.get("code", 0)) or (UNANSWERED if state in UNDONE else 0),
        data=data.get("data", {}),
    )


def _sent(
    state_dir: Path, verb: str, target: str, arguments: Packed, asker: str
) -> tuple[str, str]:
    """Send it and wait for its end; returns state and outcome."""
    database = state_dir / DATABASE
    with contextlib.closing(Ear(state_dir)) as ear:
        asker = asker or commands.origin()
        number = commands.send(database, verb, target, arguments, asker, ASK_PATIENCE)
        try:
            knock(state_dir)
            state, outcome = commands.wait(database, number, ASK_PATIENCE, ear)
        except KeyboardInterrupt:  # whoever thinks better of it is not to be obeyed later
            raise _called_off(database, number) from None
        if state == "queued":  # the wall clock was set back: nobody waits for it any more
            state, outcome = commands.withdraw(database, number)
    return state, outcome


def _unasked(error: Exception) -> Answer:
    """Return the answer where the store could not be written, or read."""
    code = error.exit_code if isinstance(error, HealmonError) else StoreFaultError.exit_code
    said = str(error).replace("\n  ", "; ")
    return Answer(ok=False, text=clean(f"the store cannot be asked: {said}"), code=code)


def _called_off(database: Path, number: int) -> HealmonError:
    """Take back what is not wanted any more; returns what says whether that was in time."""
    state, _ = commands.withdraw(database, number, "called off by who asked")
    late = "it was taken already and may be done yet; see: healmon events"
    said = "called off: it will not be done" if state == "expired" else late
    return RefusedError(said, INTERRUPTED)
